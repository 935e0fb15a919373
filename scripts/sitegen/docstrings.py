"""Makes mkdocstrings render `Example:` sections as examples."""

import re

import griffe


class Examples(griffe.Extension):
    """Renames the section `Example:`, which griffe parses as a note, to `Examples:`."""

    def on_object(self, *, obj: griffe.Object, **keywords: object) -> None:
        """Handles each object that griffe has read."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^([ \t]*)Example:[ \t]*$", r"\1Examples:", obj.docstring.value, flags=re.M)
