"""Lets mkdocstrings see our examples as examples."""

import re

import griffe


class Examples(griffe.Extension):
    """Turns the section `Example:` of our docstrings, which griffe takes for a note, into the one it knows."""

    def on_object(self, *, obj: griffe.Object, **keywords: object) -> None:
        """Is called for each object that was read."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^([ \t]*)Example:[ \t]*$", r"\1Examples:", obj.docstring.value, flags=re.M)
