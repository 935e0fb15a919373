"""Rewrites what is generated from the manifest, the code and results in README, docs and other files.

A section stands between `<!-- NAME -->` and `<!-- /NAME -->`, a single figure between `<!-- figure KEY -->` and
`<!-- /figure -->` (scripts/figures.py lists the keys). Run this after changing the manifest, an option or a model:
python scripts/update_tables.py
"""

import ast
import dataclasses
import functools
import json
import re
import tomllib
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import figures
import zoo_tables
from scale_tables import scale_measured, scale_paper, scale_sizes
from video_tables import speed_tables, steady_tables

from artcolor.batch.saving import Saving
from artcolor.engine.options import OPTIONS
from artcolor.evaluate.hints import HintResults, HintRow, WrongHintRow
from artcolor.evaluate.hints_tables import hints_to_markdown
from artcolor.files import write_atomically
from artcolor.models.options import Option
from artcolor.zoo import card

_ROOT = Path(__file__).resolve().parent.parent


def model_imports() -> str:
    """Returns the stub's imports of all builders and their weights enums, found without importing a model."""
    lines = []
    for file in sorted((_ROOT / "artcolor" / "models").glob("*.py")):
        for builder, weights in sorted(_builders(file)):
            lines.append(f"from .models.{file.stem} import {weights} as {weights}, {builder} as {builder}\n")
    return "".join(lines)


def options_table() -> str:
    """Returns a Markdown table of the options of colorizing and saving."""
    lines = ["| option | default | meaning |\n", "|---|---|---|\n"]
    for name, (_, option) in OPTIONS.items():
        lines.append(_row(name, name, option.default, option))
    hints = typing.get_type_hints(Saving, include_extras=True)
    for field in dataclasses.fields(Saving):
        _, option = typing.get_args(hints[field.name])
        lines.append(_row(f"Saving.{field.name}", field.name, field.default, option))
    return "".join(lines)


def hints_table(file: str, metrics: Sequence[str]) -> str:
    """Returns Markdown tables of what hints bring.

    Args:
        file: name of a file in docs/results, as `artcolor evaluate --hints` wrote it.
        metrics: fields of `HintRow` to show.
    """
    content = json.loads((_ROOT / "docs" / "results" / file).read_text(encoding="utf-8"))
    rows = [HintRow(**row) for row in content.pop("rows")]
    wrong = [WrongHintRow(**row) for row in content.pop("wrong")]
    return hints_to_markdown(HintResults(**content, rows=rows, wrong=wrong), metrics) + "\n"


def light_requirements() -> str:
    """Returns what is required without torch, from pyproject.toml: the core without it, and the extra `onnx`."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = [each for each in project["dependencies"] if not re.match(r"torch(vision)?\b", each)]
    return "".join(f"{each}\n" for each in (*core, *project["optional-dependencies"]["onnx"]))


def install_table() -> str:
    """Returns a Markdown table of what each way of installing weighs, from docs/results/install.json."""
    found = json.loads((_ROOT / "docs" / "results" / "install.json").read_text(encoding="utf-8"))
    rows = [("", "environment", "commands")]
    for name, way in found["ways"].items():
        size = f"{way['bytes'] / 1e9:.2f} GB" if way["bytes"] else "not measured"
        rows.append((name, size, "<br>".join(f"`{command}`" for command in way["commands"])))
    lines = [f"| {' | '.join(row)} |\n" for row in rows]
    lines.insert(1, "|---|---|---|\n")
    measured = f"Measured on {found['date']} with Python {found['python']} on {found['machine']}.\n"
    return "".join(lines) + "\n" + measured


def page_tables() -> str:
    """Returns Markdown tables of what the page for browsers weighs and takes, from docs/results/page.json."""
    found = json.loads((_ROOT / "docs" / "results" / "page.json").read_text(encoding="utf-8"))
    rows, encodings = found["sizes"], {"bytes": "size", "gzip": "gzip", "brotli": "brotli"}
    shown = [key for key in encodings if all(key in row for row in rows.values())]
    sums = {key: sum(row[key] for row in rows.values()) for key in shown}
    lines = [f"| files | {' | '.join(encodings[key] for key in shown)} |\n", f"|---|{'---|' * len(shown)}\n"]
    for name, row in (*rows.items(), ("total", sums)):
        lines.append(f"| {name} | {' | '.join(_megabytes(row[key]) for key in shown)} |\n")
    lines += ["\n", "| step, for a picture of one megapixel | median time |\n", "|---|---|\n"]
    for name, row in found["times"].items():
        median = row["median"]
        time = f"{median / 1000:.1f} s" if median >= 1000 else f"{median:.0f} ms"
        lines.append(f"| {name.removesuffix(', ms')} | {time} |\n")
    browser, machine = f"headless Chromium {found['chromium']}", found["machine"]
    measured = f"Measured on {found['date']} in {browser} on {machine}, with the files on the same machine.\n"
    return "".join((*lines, "\n", measured))


SECTIONS: Mapping[tuple[str, str], Callable[[], str]] = {
    ("README.md", "zoo"): card.markdown_table,
    ("docs/installation.md", "install"): install_table,
    ("requirements-onnx.txt", "light"): light_requirements,
    ("docs/evaluation.md", "whole"): functools.partial(card.figures_table, card.WHOLE),
    ("docs/evaluation.md", "crops"): functools.partial(card.figures_table, card.CROPS),
    ("docs/evaluation.md", "baselines"): zoo_tables.baselines_table,
    ("docs/evaluation.md", "report"): zoo_tables.report_table,
    ("docs/evaluation.md", "gain"): zoo_tables.gain_table,
    ("docs/models.md", "targets"): zoo_tables.targets_table,
    ("docs/weights.md", "files"): card.files_table,
    ("docs/colorizing.md", "options"): options_table,
    ("docs/howto/page.md", "page"): page_tables,
    ("docs/howto/video.md", "video-steady"): steady_tables,
    ("docs/howto/video.md", "video-speed"): speed_tables,
    ("docs/scale.md", "measured"): scale_measured,
    ("docs/scale.md", "sizes"): scale_sizes,
    ("docs/scale.md", "paper"): scale_paper,
    ("docs/hints.md", "gains"): functools.partial(hints_table, "hints.json", ["gain"]),
    ("artcolor/__init__.pyi", "models"): model_imports,
}
"""File and name of each generated section → the function that generates it."""


def updated(document: str, name: str) -> str:
    """Returns the text of a file with one of its sections generated anew.

    Args:
        document: path of the file, relative to the repository.
        name: name of the section.

    Raises:
        ValueError: the file does not contain exactly one such section.
    """
    # In some files the marks are comments.
    pattern = re.compile(f"((?:# )?<!-- {name} -->\n).*?((?:# )?<!-- /{name} -->)", re.DOTALL)
    text = SECTIONS[document, name]()
    if document.endswith(".md"):
        text = figures.with_minus_signs(text)
    result, count = pattern.subn(
        lambda found: found[1] + text + found[2], (_ROOT / document).read_text(encoding="utf-8")
    )
    if count != 1:
        raise ValueError(f"{document} must contain one section <!-- {name} -->, but contains {count}")
    return result


def main() -> None:
    """Rewrites all figures and sections."""
    for document in figures.documents():
        write_atomically(_ROOT / document, figures.filled(document).encode())
    for document, name in SECTIONS:
        write_atomically(_ROOT / document, updated(document, name).encode())


def _builders(file: Path) -> Iterator[tuple[str, str]]:
    """Yields each function decorated with `@register_model(WEIGHTS)`, and WEIGHTS."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "register_model":
                yield node.name, ast.unparse(decorator.args[0])


def _row(python: str, name: str, default: Any, option: Option) -> str:
    flag = f"--{'no-' if default is True else ''}{name.replace('_', '-')}"
    # A help text may describe the default in a sentence; the table has a column for it.
    stated = re.search(r" Default: (.*?)\.(?= |$)", option.help)
    meaning = option.help.replace(stated[0], "") if stated else option.help
    # One below the other, so that the meaning has room on a phone.
    names = f"`{python}`<br>`{flag}`"
    meaning = re.sub(r"--[a-z-]+", r"`\g<0>`", meaning) + _limits(option)
    cells = (names, stated[1] if stated else _default(default), meaning)
    return f"| {' | '.join(cells)} |\n"


def _default(value: Any) -> str:
    if value is None:
        return "none"
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else f"`{value}`"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB"


def _limits(option: Option) -> str:
    if not option.range:
        return ""
    return f" Range: {option.range}."


if __name__ == "__main__":
    main()
