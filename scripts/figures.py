"""Figures in the text of README and docs, filled in from the manifest and from files in docs/results.

A figure stands between `<!-- figure KEY -->` and `<!-- /figure -->`. KEY is one of

- `MODEL/PROTOCOL/SETTING/METRIC` of released weights, such as `unet/whole/default/psnr`. MODEL is a family or the name
  of weights, PROTOCOL `whole`, `crops`, `report-200` or `report-128`, SETTING `default` or `accurate` (vividness 0);
- `MODEL/bytes`, `MODEL/parameters`, `MODEL/multiply_adds` or `MODEL/size`;
- `BASELINE/PROTOCOL/METRIC` of a baseline: `gray`, `constant`, `l_table` or `picture_mean`; and
  `truth/PROTOCOL/colorfulness`;
- `results/FILE.json/path/of/keys[:FORMAT]`: a value in docs/results. A list takes an index, or conditions on the fields
  of one of its objects, separated by `;`. FORMAT is a format of Python, or `MB`.

`METRIC.ci` is the 95% interval of a metric, and `METRIC.sources` its range over the sources of the paintings.

    python scripts/update_tables.py    # fills in all figures
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from artcolor.zoo import card
from artcolor.zoo.manifest import Entry, released

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"

PROTOCOLS: Mapping[str, str] = {
    "whole": card.WHOLE,
    "crops": card.CROPS,
    "report-200": "report-200",
    "report-128": "report-128",
}
"""Protocols by their name in keys."""

FORMATS: Mapping[str, str] = {
    **{metric: form for metric, (_, form) in card.METRICS.items()},
    "mse": ".5f",
    "ssim": ".2f",
    "auc": ".1f",
    "auc_rebalanced": ".1f",
    "delta_e": ".1f",
    "ece": ".3f",
}
"""How each metric is written."""

BASELINES = ("gray", "constant", "l_table", "picture_mean")
"""Predictors without a network, from docs/results/baselines-PROTOCOL.json."""

_FACTS: Mapping[str, Callable[[Entry], str]] = {
    "bytes": lambda entry: card.megabytes(entry.bytes),
    "parameters": lambda entry: f"{entry.parameters / 1e6:.2f} M",
    "multiply_adds": lambda entry: f"{entry.multiply_adds / 1e9:.2f} G",
    "size": lambda entry: str(entry.config["size"]),
}
_FORMAT = re.compile(r":(MB|[+]?,?(?:\.\d+)?[defg%]?)$")
_OPEN, _CLOSE = "<!-- figure", "<!-- /figure -->"
# Code comes first: a marker in it is shown, not filled in.
_MARKER = re.compile(
    r"^(?P<indent>[ \t]*)(?P<fence>```+|~~~+).*?^(?P=indent)(?P=fence)[ \t]*$"
    r"|(?<!`)(?P<ticks>`+)(?!`)[^\n]*?(?<!`)(?P=ticks)(?!`)"
    r"|<!-- figure (?P<key>[^\n]*?) -->(?P<value>[^\n]*?)<!-- /figure -->",
    re.DOTALL | re.MULTILINE,
)


def documents() -> Iterator[str]:
    """Yields the paths of all pages that may hold figures, relative to the repository."""
    for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))):
        yield path.relative_to(ROOT).as_posix()


def filled(document: str) -> str:
    """Returns the text of a page with all of its figures up to date.

    Args:
        document: path of the page, relative to the repository.

    Raises:
        ValueError: a key is unknown or a marker is incomplete; the message names the file and the line.
    """
    return filled_text((ROOT / document).read_text(encoding="utf-8"), document)


def filled_text(text: str, document: str) -> str:
    """Returns a text with all of its figures up to date.

    Args:
        text: the text, Markdown.
        document: its name, for error messages.

    Raises:
        ValueError: a key is unknown or a marker is incomplete; the message names the document and the line.
    """

    def replace(found: re.Match[str]) -> str:
        if found["key"] is None:
            return found[0]
        line = text.count("\n", 0, found.start()) + 1
        if not text[text.rfind("\n", 0, found.start()) + 1 : found.start()].strip():
            raise ValueError(
                f"{document}:{line}: a line that begins with a marker is HTML in Markdown; "
                "move the figure behind a word of its line"
            )
        try:
            value = figure(found["key"])
        except ValueError as error:
            raise ValueError(f"{document}:{line}: {error}") from error
        return f"{_OPEN} {found['key']} -->{with_minus_signs(value)}{_CLOSE}"

    incomplete = without_figures(text)
    for mark in (_OPEN, _CLOSE):
        if mark in incomplete:
            line = incomplete.count("\n", 0, incomplete.index(mark)) + 1
            raise ValueError(f"{document}:{line}: incomplete marker; write {_OPEN} KEY -->VALUE{_CLOSE} on one line")
    return _MARKER.sub(replace, text)


def with_minus_signs(text: str) -> str:
    """Returns figures, one or a table of them, with minus signs in place of hyphens."""
    return re.sub(r"(?<![^ (])-(?=\d)", "−", text)


def without_figures(text: str) -> str:
    """Returns a text without its code and its figures; its lines keep their numbers."""
    return _MARKER.sub(lambda found: "\n" * found[0].count("\n"), text)


def without_markers(text: str) -> str:
    """Returns a text that keeps its figures, but not the markers around them."""
    return _MARKER.sub(lambda found: found[0] if found["key"] is None else found["value"], text)


def figure(key: str) -> str:
    """Returns the figure of a key, as pages show it.

    Args:
        key: see the top of this module.

    Raises:
        ValueError: there is no such figure.
    """
    return _found(key)[1]


def number(key: str) -> float:
    """Returns the figure of a key unrounded.

    Args:
        key: see the top of this module.

    Raises:
        ValueError: there is no such figure, or it is no number.
    """
    value = _found(key)[0]
    if not isinstance(value, (int, float)):
        raise ValueError(f"{key} is not a number")
    return value


def baselines(protocol: str) -> Mapping[str, Any]:
    """Returns the figures of all baselines, by name and metric.

    Args:
        protocol: name in keys.
    """
    content = json.loads((RESULTS / f"baselines-{protocol}.json").read_text(encoding="utf-8"))
    models: Mapping[str, Any] = content["models"]
    return models


def _found(key: str) -> tuple[Any, str]:
    """Returns a figure as it is stored, and as pages show it."""
    first, _, rest = key.partition("/")
    if first == "results":
        return _of_results(rest)
    if first in (*BASELINES, "truth"):
        return _of_baseline(first, rest.split("/"))
    entry = released(first)
    if entry is None:
        raise ValueError(f"unknown figure {key!r}: {first!r} is neither a released model nor a baseline")
    return _of_model(entry, rest.split("/"))


def _of_model(entry: Entry, parts: list[str]) -> tuple[Any, str]:
    if len(parts) == 1:
        text = _get(_FACTS, parts[0])(entry)
        return getattr(entry, parts[0], None), text
    if len(parts) != 3:
        raise ValueError(f"expected MODEL/PROTOCOL/SETTING/METRIC, not {entry.key}/{'/'.join(parts)}")
    protocol, setting, metric = parts
    return _formatted(_get(_get(entry.metrics, _get(PROTOCOLS, protocol)), setting), metric)


def _of_baseline(name: str, parts: list[str]) -> tuple[Any, str]:
    if len(parts) != 2:
        raise ValueError(f"expected BASELINE/PROTOCOL/METRIC, not {name}/{'/'.join(parts)}")
    protocol, metric = parts
    _get(PROTOCOLS, protocol)
    found = baselines(protocol)
    if name == "truth":
        # ΔCF is the difference of the means.
        gray = found["gray"]
        return _formatted({metric: {"mean": gray[metric]["mean"] - gray[f"delta_{metric}"]["mean"]}}, metric)
    return _formatted(_get(found, name), metric)


def _of_results(rest: str) -> tuple[Any, str]:
    form = _FORMAT.search(rest)
    name, *path = rest[: form.start() if form else None].split("/")
    file = RESULTS / name
    if not file.is_file():
        raise ValueError(f"there is no docs/results/{name}")
    value = json.loads(file.read_text(encoding="utf-8"))
    for part in path:
        value = _selected(value, part) if isinstance(value, list) else _get(value, part)
    if isinstance(value, (list, dict)):
        raise ValueError(f"{rest} is not a single value")
    if form is None:
        return value, str(value)
    return value, card.megabytes(value) if form[1] == "MB" else format(value, form[1])


def _selected(rows: list[Any], part: str) -> Any:
    if part.isdecimal():
        if int(part) >= len(rows):
            raise ValueError(f"there are only {len(rows)} rows, no row {part}")
        return rows[int(part)]
    conditions = [condition.partition("=")[::2] for condition in part.split(";")]
    found = [row for row in rows if all(str(row.get(name)) == value for name, value in conditions)]
    if len(found) != 1:
        raise ValueError(f"{part!r} holds for {len(found)} rows; it must hold for one")
    return found[0]


def _formatted(metrics: Mapping[str, Any], name: str) -> tuple[Any, str]:
    metric, _, part = name.partition(".")
    value, form = _get(metrics, metric), _get(FORMATS, metric)
    if not part:
        if value["mean"] is None:
            raise ValueError(f"{metric} does not apply")
        return value["mean"], format(value["mean"], form)
    low, high = {"ci": ("low", "high"), "sources": ("source_low", "source_high")}.get(part, (part, part))
    if value.get(low) is None or value.get(high) is None:
        raise ValueError(f"{metric} has no {part}")
    return None, f"{value[low]:{form}} to {value[high]:{form}}"


def _get(mapping: Mapping[str, Any], name: str) -> Any:
    if name not in mapping:
        raise ValueError(f"unknown {name!r}; there are {', '.join(map(str, mapping))}")
    return mapping[name]
