"""The public face: its names and signatures change only deliberately, and each has a docstring that says all.

After a deliberate change, from the root of a checkout: python -m tests.test_api --write

The code is read, not run (by griffe, which makes the API pages of the docs, too): annotations and defaults are as they
are written, whatever the version of Python.
"""

import difflib
import inspect
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
import pytest
import typer

import artcolor
import hubconf
from artcolor.cli.app import app
from tests.conftest import ROOT

FILE = Path(__file__).with_name("api.txt")
COMMAND = "python -m tests.test_api --write"
PACKAGE = griffe.load("artcolor", search_paths=[ROOT])

# Nouns, and verbs of which it is plain that something comes back; what others give is said under Returns.
GIVING = {
    *("Builds", "Chooses", "Cleans", "Completes", "Computes", "Creates", "Decodes", "Encodes", "Estimates", "Finds"),
    *("Formats", "Gives", "Rotates"),
    *("Lists", "Loads", "Makes", "Measures", "Names", "Opens", "Pairs", "Pixels", "Predicts", "Reads", "Returns"),
    *("Splits", "Times", "Turns", "Yields", "Waits", "Runs", "Writes"),
}


def is_public(member: griffe.Object | griffe.Alias) -> bool:
    if member.is_alias or is_set_in_constructor(member):
        return False
    if member.is_function and any(".command(" in str(each.value) for each in member.decorators):
        # Not called from Python; its options are listed as those of a command.
        return False
    special_method = member.is_function and member.is_special and member.parent.is_class
    return special_method or not member.name.startswith("_")


def is_set_in_constructor(member: griffe.Object) -> bool:
    init = member.parent.members.get("__init__")
    inside = init is not None and not init.is_alias and init.lineno and init.lineno <= member.lineno <= init.endlineno
    return member.is_attribute and "class-attribute" not in member.labels and bool(inside)


def members(parent: griffe.Object) -> Iterator[griffe.Object]:
    """What is public and defined there, by name; modules last, with all that is in them."""
    own = sorted((each for each in parent.members.values() if is_public(each)), key=lambda each: each.name)
    yield from (each for each in own if not each.is_module)
    for module in (each for each in own if each.is_module):
        yield module
        yield from members(module)


def everything(package: griffe.Object = PACKAGE) -> Iterator[griffe.Object]:
    """All that has no underscore, classes followed by what has none in them."""
    for each in members(package):
        yield each
        if each.is_class:
            yield from members(each)


def exported() -> Iterator[griffe.Object]:
    """The public API: what a module lists in its `__all__`. Modules without one are internal."""
    for each in everything():
        module = each if each.is_module else each.module
        names = {str(name) for name in module.exports or ()}
        top = each.parent if each.parent.is_class else each
        if names and (each.is_module or top.name in names):
            yield each


def line_of(member: griffe.Object) -> str:
    if member.is_module:
        return f"\n# {member.path}"
    indent = "    " * member.parent.is_class
    if member.is_class:
        return f"{indent}class {member.name}({', '.join(map(str, member.bases))})"
    if member.is_function:
        kinds = "".join(f"{label} " for label in ("classmethod", "staticmethod") if label in member.labels)
        return f"{indent}{kinds}{signature(member)}"
    if "property" in member.labels:
        return f"{indent}property {member.name} -> {member.annotation}"
    annotation = "" if member.annotation is None else f": {member.annotation}"
    value = "" if member.value is None else f" = {member.value}"
    # Of a long table only that it is there.
    return f"{indent}{member.name}{annotation}{value if len(value) <= 80 else ' = ...'}"


def signature(function: griffe.Function) -> str:
    parts, stars = [], {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
    for parameter in function.parameters:
        if parameter.kind is griffe.ParameterKind.keyword_only and not any(part.startswith("*") for part in parts):
            parts.append("*")
        text = stars.get(parameter.kind, "") + parameter.name
        if parameter.annotation is not None:
            text += f": {parameter.annotation}"
        if parameter.default is not None and parameter.kind not in stars:
            text += f" = {parameter.default}"
        parts.append(text)
    returns = "" if function.returns is None else f" -> {function.returns}"
    return f"{function.name}({', '.join(parts)}){returns}"


def command_lines(command: typer.core.TyperCommand | typer.core.TyperGroup, path: str) -> Iterator[str]:
    """A command with its options, then the commands below it."""
    own = inspect.signature(inspect.unwrap(command.callback)).parameters if command.callback else {}
    yield path
    for parameter in command.params:
        # These are typer's: help, and completion in shells.
        if parameter.name in ("help", "install_completion", "show_completion"):
            continue
        names = "/".join([*parameter.opts, *parameter.secondary_opts])
        rest = "required" if parameter.required else f"= {parameter.default}"
        # What stands first in `Annotated[float | None, typer.Option(help=...)]`: help may change as it likes.
        kind = typing.get_args(own[parameter.name].annotation)[0]
        # From Python 3.14 on, `int | None` has the name Union.
        text = str(kind) if typing.get_args(kind) else getattr(kind, "__name__", str(kind))
        yield f"    {names}: {text} {rest}"
    for name, below in sorted(getattr(command, "commands", {}).items()):
        yield from command_lines(below, f"{path} {name}")


def snapshot() -> str:
    lines = [f"# Names and signatures of all that is public. After a deliberate change: {COMMAND}", "\n# artcolor"]
    lines += [f"from artcolor import {name}" for name in artcolor.__all__]
    lines += [line_of(each) for each in exported()]
    lines += ["\n# hubconf", *(f"{name}{inspect.signature(entry)}" for name, entry in entries().items())]
    lines += ["\n# The command", *command_lines(typer.main.get_command(app), "artcolor")]
    return "\n".join(lines) + "\n"


def test_public_api_changes_deliberately() -> None:
    written, found = FILE.read_text(), snapshot()
    changes = difflib.unified_diff(written.splitlines(), found.splitlines(), "tests/api.txt", "the code", lineterm="")
    assert written == found, "the public API has changed:\n" + "\n".join(changes) + f"\nIf that is meant: {COMMAND}"


def test_a_changed_signature_shows(tmp_path: Path) -> None:
    code = "def f({}) -> int:\n    pass\n\ndef _f(): pass\n\nclass A:\n    x: int = 1\n\n    def g(self): pass\n"
    found = []
    for parameters in ("a: int, *, b: str = 'x'", "a: int, *, b: str = 'y'", "a: int, b: str = 'x'"):
        (tmp_path / "one.py").write_text(code.format(parameters))
        module = griffe.load("one", search_paths=[tmp_path])
        found.append(
            [line_of(each) for one in members(module) for each in (one, *(members(one) if one.is_class else ()))]
        )
    assert found[0] == ["class A()", "    g(self)", "    x: int = 1", "f(a: int, *, b: str = 'x') -> int"]
    assert len(set(map(tuple, found))) == 3


def entries() -> dict[str, Any]:
    """The entry points of torch.hub, which are made when hubconf is imported."""
    return {name: entry for name, entry in vars(hubconf).items() if callable(entry) and not name.startswith("_")}


def documented() -> list[griffe.Object]:
    return [each for each in everything() if each.is_class or each.is_function]


def sections(member: griffe.Object) -> dict[str, list[str]]:
    """Kind of section → names in it."""
    if member.docstring is None:
        return {}
    parsed = member.docstring.parse("google", warnings=False)
    return {
        section.kind.value: [getattr(item, "name", "").lstrip("*") for item in section.value]
        if isinstance(section.value, list)
        else []
        for section in parsed
    }


def parameters_of(member: griffe.Object) -> list[str]:
    """Names that a caller may give; of a class those of its constructor, or the fields that make one."""
    function = member.members.get("__init__") if member.is_class else member
    if function is not None and not function.is_alias and function.is_function:
        return [each.name for each in function.parameters if each.name not in ("self", "cls")]
    model = member.is_class and any(str(base) == "BaseModel" for base in member.bases)
    return [each.name for each in members(member) if each.is_attribute and each.name != "model_config"] if model else []


def says_more(member: griffe.Object) -> bool:
    """Whether what a method does is said elsewhere: by the base class that has it too, or where its docstring sends."""
    if not member.is_function:
        return False
    above = member.parent.mro() if member.parent.is_class else []
    return (
        any(member.name in base.members for base in above)
        or "see `" in member.docstring.value.partition("\n\n")[0].lower()
    )


@pytest.mark.parametrize("member", documented(), ids=lambda member: member.path)
def test_docstring(member: griffe.Object) -> None:
    special = member.name.startswith("__")
    if special and member.docstring is None:
        return
    assert member.docstring is not None
    found, given = sections(member), parameters_of(member)
    takes_more = member.is_function and any(each.kind is griffe.ParameterKind.var_keyword for each in member.parameters)
    if "parameters" in found:
        # What `**keywords` take may be told one by one.
        assert set(found["parameters"]) >= set(given) if takes_more else found["parameters"] == given
    elif member.is_class and "attributes" in found:
        assert set(found["attributes"]) >= set(given)
    else:
        # Of one parameter the first line can say all.
        named = all(f"`{name}`" in member.docstring.value for name in given)
        assert len(given) < 2 or special or named or says_more(member)
    if member.is_function and str(member.returns) not in ("None", "Self", "Iterator[None]") and not special:
        first = member.docstring.value.split()[0].strip(",")
        verb = first.isalpha() and first[0].isupper() and first.endswith("s")
        assert {"returns", "yields"} & set(found) or not verb or first in GIVING or says_more(member)


@pytest.mark.parametrize("name", artcolor.__all__)
def test_what_is_exported_has_an_example(name: str) -> None:
    if name == "__version__":
        return
    member = PACKAGE.members[name].final_target
    assert member.docstring is not None
    # Weights enums and errors are met where they are used.
    assert name.endswith(("_Weights", "Error")) or "\nExample:\n    >>> " in member.docstring.value


@pytest.mark.parametrize("name", sorted(entries()))
def test_hub_entries_are_documented(name: str) -> None:
    text = entries()[name].__doc__
    assert name in artcolor.list_models()
    for section in ("\nArgs:\n", "\nReturns:\n", "\nExample:\n", "pretrained", "weights", "PSNR"):
        assert section in text
    assert max(map(len, text.splitlines())) <= 120


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    FILE.write_text(snapshot())
