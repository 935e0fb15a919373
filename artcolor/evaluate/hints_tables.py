"""Writes the effect of hints as Markdown and JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from artcolor.evaluate.hints import HintResults, HintRow
from artcolor.evaluate.results import METRICS, Metric, heading
from artcolor.files import write_atomically

__all__ = ["hints_to_json", "hints_to_markdown", "save_hints"]

_METRICS = {
    "psnr": METRICS["psnr"],
    "gain": Metric("gain in PSNR", "high", 2),
    "abrmse": METRICS["abrmse"],
    "changed": Metric("pixels changed by more than 2.3, %", None, 1),
    "delta_colorfulness": METRICS["delta_colorfulness"],
    "fd_grid": METRICS["fd_grid"],
}


def hints_to_json(found: HintResults) -> dict[str, Any]:
    """Returns all figures as JSON values.

    Args:
        found: outcome of `evaluate_hints`.

    Returns:
        `model`, `protocol`, `split`, `n`, `rows` (fields of `HintRow`) and `wrong` (fields of `WrongHintRow`).
    """
    return asdict(found)


def hints_to_markdown(found: HintResults, metrics: Sequence[str] = tuple(_METRICS)) -> str:
    """Formats the figures as Markdown tables: one for each metric, methods by numbers of hints, and one of wrong hints.

    Args:
        found: outcome of `evaluate_hints`.
        metrics: fields of `HintRow` to show.
    """
    counts = sorted({row.count for row in found.rows})
    plain = found.row(0)
    lines = [
        f"`{found.model}`, {found.protocol}, {found.split} split, n = {found.n}. Without hints: "
        + ", ".join(f"{_METRICS[key].label} {_text(plain, key)}" for key in _METRICS if key not in ("gain", "changed"))
        + ". FD depends on n: compare it at equal n only.",
    ]
    methods = list(dict.fromkeys((row.method, row.places) for row in found.rows))
    for key in metrics:
        lines += [
            "",
            f"| {heading(_METRICS[key])}, by number of hints | " + " | ".join(map(str, counts)) + " |",
            "|---|" + "---:|" * len(counts),
        ]
        for method, places in methods:
            by_count = {row.count: row for row in found.rows if (row.method, row.places) == (method, places)}
            cells = [_text(by_count[count], key) if count in by_count else "–" for count in counts]
            label = f"`{method}`" + (", at uncertain places" if places == "uncertain" else "")
            lines.append(f"| {label} | " + " | ".join(cells) + " |")
    if found.wrong:
        lines += [
            "",
            "| share of a wrong hint's change, % | right hints | n | in its segment, mean | in its segment, median "
            "| outside, mean | area of the segment |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        for row in found.wrong:
            figures = (row.mean, row.median, 100 - row.mean, row.area)
            start = f"| `{row.method}` | {row.right} | {row.n} | "
            lines.append(start + " | ".join(f"{each:.1f}" for each in figures) + " |")
        lines += [
            "",
            "A wrong hint has the opposite of the true color, with a chroma of at least 30. The table shows where the "
            "change that it causes ends up. A segment is an area of similar color, such as a sky or a robe.",
        ]
    return "\n".join(lines) + "\n"


def _text(row: HintRow, key: str) -> str:
    sign = "+" if key in ("gain", "delta_colorfulness") else ""
    return f"{getattr(row, key):{sign}.{_METRICS[key].digits}f}"


def save_hints(found: HintResults, folder: Path) -> None:
    """Writes `hints.json` and `hints.md`.

    Args:
        found: outcome of `evaluate_hints`.
        folder: existing output folder.
    """
    text = json.dumps(hints_to_json(found), indent=2, ensure_ascii=False) + "\n"
    write_atomically(folder / "hints.json", text.encode())
    write_atomically(folder / "hints.md", hints_to_markdown(found).encode())
