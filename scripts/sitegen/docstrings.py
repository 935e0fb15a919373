"""Makes mkdocstrings render `Example:` sections as examples, leave out long values, and link errors."""

import ast
import re

import griffe

from artcolor.models.options import Option

_LONGEST = 500
"""Characters of the longest value of an attribute that a page shows."""
_VARIADIC = {griffe.ParameterKind.var_positional, griffe.ParameterKind.var_keyword}


class Examples(griffe.Extension):
    """Renames the section `Example:`, which griffe parses as a note, to `Examples:`; drops values that do not help."""

    def on_package(self, *, pkg: griffe.Module, **keywords: object) -> None:
        """Handles each package that griffe has read: makes its errors known in its modules, so that they link."""
        errors = pkg.members.get("errors")
        for name, member in errors.members.items() if errors else ():
            if member.is_class and name not in pkg.members:
                # As if the package imported it.
                pkg.imports[name] = member.path
                pkg.set_member(name, griffe.Alias(name, member.path))

    def on_object(self, *, obj: griffe.Object, **keywords: object) -> None:
        """Handles each object that griffe has read."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^([ \t]*)Example:[ \t]*$", r"\1Examples:", obj.docstring.value, flags=re.M)

    def on_attribute_instance(self, *, attr: griffe.Attribute, **keywords: object) -> None:
        """Handles each attribute that griffe has read."""
        if attr.value is not None and (len(str(attr.value)) > _LONGEST or _is_multiline(attr.value)):
            attr.value = None
        kind, about = _split(attr.annotation)
        if isinstance(about, griffe.ExprCall) and isinstance(attr.parent, griffe.Class):
            attr.annotation = kind
            documented = attr.docstring or (attr.parent.docstring and "Attributes:" in attr.parent.docstring.value)
            if not documented:
                attr.docstring = griffe.Docstring(_help(about), parent=attr)

    def on_function_instance(self, *, func: griffe.Function, **keywords: object) -> None:
        """Handles each function that griffe has read: shows types without what typer needs beside them."""
        for parameter in func.parameters:
            parameter.annotation = _split(parameter.annotation)[0]
            if parameter.kind in _VARIADIC:
                # The `()` or `{}` that griffe notes is not in the code.
                parameter.default = None


def _is_multiline(value: str | griffe.Expr) -> bool:
    """Says whether a value is a string of several lines, which Python writes with `\\n`."""
    if not isinstance(value, str):
        return False
    try:
        text = ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return False
    return isinstance(text, str) and "\n" in text


def _split(annotation: str | griffe.Expr | None) -> tuple[str | griffe.Expr | None, str | griffe.Expr | None]:
    """Splits `Annotated[kind, about]`; returns other annotations as they are, and `None`."""
    if isinstance(annotation, griffe.ExprSubscript) and annotation.canonical_path == "typing.Annotated":
        assert isinstance(annotation.slice, griffe.ExprTuple), annotation
        kind, about, *_ = annotation.slice.elements
        return kind, about
    return annotation, None


def _help(call: griffe.ExprCall) -> str:
    """Returns the help text of an `Option`, with its range."""
    stated = {}
    for field, value in zip(("help", "minimum", "maximum", "group"), call.arguments, strict=False):
        if not isinstance(value, griffe.ExprKeyword):
            stated[field] = value
    stated |= {each.name: each.value for each in call.arguments if isinstance(each, griffe.ExprKeyword)}
    read = {field: ast.literal_eval(str(stated[field])) for field in ("help", "minimum", "maximum") if field in stated}
    option = Option(**read)
    return f"{option.help} Range: {option.range}." if option.range else option.help
