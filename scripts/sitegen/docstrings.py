"""Makes mkdocstrings render `Example:` sections as examples, and leave out long values."""

import re

import griffe

_LONGEST = 500
"""Characters of the longest value of an attribute that a page shows."""


class Examples(griffe.Extension):
    """Renames the section `Example:`, which griffe parses as a note, to `Examples:`; drops very long values."""

    def on_object(self, *, obj: griffe.Object, **keywords: object) -> None:
        """Handles each object that griffe has read."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^([ \t]*)Example:[ \t]*$", r"\1Examples:", obj.docstring.value, flags=re.M)

    def on_attribute_instance(self, *, attr: griffe.Attribute, **keywords: object) -> None:
        """Handles each attribute that griffe has read."""
        if attr.value is not None and len(str(attr.value)) > _LONGEST:
            attr.value = None

    def on_function_instance(self, *, func: griffe.Function, **keywords: object) -> None:
        """Handles each function that griffe has read: shows types without what typer needs beside them."""
        for parameter in func.parameters:
            kind = parameter.annotation
            if isinstance(kind, griffe.ExprSubscript) and kind.canonical_path == "typing.Annotated":
                parameter.annotation = kind.slice.elements[0]  # type: ignore[union-attr]
