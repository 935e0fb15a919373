"""The troubleshooting page quotes messages that the code still has, and knows all exceptions."""

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from artcolor import errors
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
EXCEPTIONS = "## Exceptions in Python"
# Stands for what a message inserts.
VARIES = "\0"


def text_of(node: ast.expr) -> str:
    """A string in the code, with `VARIES` where a value is inserted."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(each) for each in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else VARIES


@cache
def sources() -> list[ast.Module]:
    return [ast.parse(path.read_text()) for path in sorted((ROOT / "artcolor").rglob("*.py"))]


def strings_in(tree: ast.AST) -> Iterator[str]:
    # A string that is a statement is a docstring.
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in skipped and " " in text_of(node):
            yield text_of(node)


@cache
def strings() -> list[str]:
    return [text for tree in sources() for text in strings_in(tree)]


@cache
def raised_by(name: str) -> list[str]:
    """The strings in the arguments of an exception where it is raised or made."""
    calls = (node for tree in sources() for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [text for call in calls if getattr(call.func, "id", None) == name for text in strings_in(call)]


def rows(section: str) -> Iterator[list[str]]:
    for line in section.splitlines():
        if line.startswith("| ") and not line.startswith(("| message", "| exception")):
            yield [cell.strip() for cell in line.strip("| ").split(" | ")]


def sections() -> tuple[str, str]:
    messages, title, exceptions = PAGE.read_text().partition(EXCEPTIONS)
    assert title
    return messages, exceptions


def is_among(quote: str, texts: list[str]) -> bool:
    """Whether the parts of a quote that do not vary are in one of the texts, in this order."""
    parts = [part for part in re.split(r"\s*…\s*", quote.strip("`")) if part]
    assert sum(map(len, parts)) > 10, f"{quote} would be found anywhere"
    pattern = re.compile(".*".join(map(re.escape, parts)), re.DOTALL)
    return any(pattern.search(text) for text in texts if parts[0] in text)


QUOTES = [cells[0] for cells in rows(sections()[0])]


@pytest.mark.parametrize("quote", QUOTES)
def test_the_code_has_the_message(quote: str) -> None:
    assert quote.startswith("`") and quote.endswith("`")
    assert is_among(quote, strings()), f"no string in artcolor/ has the parts of {quote}; correct docs/{PAGE.name}"


def test_each_message_is_explained_once() -> None:
    messages = list(rows(sections()[0]))
    assert len(messages) > 90
    assert len({cells[0] for cells in messages}) == len(messages)
    assert all(len(cells) == 3 and all(cells) for cells in messages)


def test_all_exceptions_are_explained() -> None:
    public = [name for name, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, Exception)]
    listed = {cells[0].strip("`"): cells[2:] for cells in rows(sections()[1])}
    assert sorted(listed) == sorted(public)
    for name, example in listed.items():
        if name != "ArtcolorError":
            assert is_among(example[0], raised_by(name)), f"{name} is not raised with {example[0]}"


def test_the_page_is_in_the_navigation() -> None:
    assert f": {PAGE.name}\n" in Path(ROOT, "mkdocs.yml").read_text()
