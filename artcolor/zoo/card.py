"""Tables and model cards about released weights, generated from the manifest."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from artcolor.zoo.manifest import Entry, entries

WHOLE, CROPS = "paintings-whole", "paintings-256"
"""Protocols by which released weights are measured: whole pictures, as they are colorized, and square crops."""

COLUMNS = (
    *("weights", "PSNR, vividness 0", "PSNR", "ΔCF", "FD-grid"),
    *("parameters", "file", "multiply-adds", "PSNR of crops", "FD-grid of crops", "defaults"),
)
PURPOSES: Mapping[str, str] = {
    "unet": "best single coloring",
    "vae": "several colorings of one picture",
    "ae": "comparison: plain autoencoder",
    "cnn": "small, for learning how it works",
    "cic": "comparison: Zhang et al. 2016",
    "splitbrain": "features learned without labels",
    "cnn_report": "comparison: CNN of the report",
    "ae_report": "comparison: AE of the report",
    "vae_report": "comparison: VAE of the report",
}
"""What each model is for, in a few words, by name."""

PICTURES = ("gray.png", "color.jpg")
"""File names of the two pictures on the card of released weights: the input and the result."""

_NONE = "–"
# The widest columns come last, because the table scrolls on narrow screens.
_FILE_COLUMNS = ("weights", "bytes", "license", "on the Hub", "file", "SHA-256")
_SETTINGS = {"default": "at its defaults", "accurate": "at vividness 0"}
METRICS: Mapping[str, tuple[str, str]] = {
    "psnr": ("PSNR", ".2f"),
    "abrmse": ("abRMSE", ".2f"),
    "colorfulness": ("CF", ".1f"),
    "delta_colorfulness": ("ΔCF", "+.2f"),
    "hot_spots": ("hot spots, %", ".2f"),
    "fd_grid": ("FD-grid", ".0f"),
    "fd_lite0": ("FD-lite0", ".1f"),
    "nll": ("NLL", ".3f"),
}
"""Label and number format of the metrics in tables and texts."""


def megabytes(size: int) -> str:
    """Formats a size in bytes. A megabyte is 1,000,000 bytes, as in file managers and on the Hub.

    Example:
        >>> megabytes(10_156_448)
        '10.2 MB'
    """
    return f"{size / 1e6:.1f} MB"


def short_row(entry: Entry, default: str) -> tuple[str, str, str, str]:
    """Returns one row about released weights: their name, the size of their file, what they are for, and whether they
    are used by default.

    Args:
        entry: manifest entry of the weights.
        default: name of the default model.
    """
    return (
        entry.key,
        megabytes(entry.bytes),
        PURPOSES.get(entry.model, ""),
        "yes" if entry.model == default else "",
    )


def table_row(entry: Entry) -> tuple[str, ...]:
    """Returns one row about released weights, with a cell for each of `COLUMNS`."""
    head, crops = entry.config["head"], entry.metrics[CROPS]["default"]
    default, accurate = entry.metrics[WHOLE]["default"], entry.metrics[WHOLE].get("accurate")
    return (
        entry.key,
        f"{accurate['psnr']['mean']:.2f} dB" if accurate else _NONE,
        f"{default['psnr']['mean']:.2f} dB",
        f"{default['delta_colorfulness']['mean']:+.2f}",
        f"{default['fd_grid']['mean']:.0f}",
        f"{entry.parameters / 1e6:.2f} M",
        megabytes(entry.bytes),
        f"{entry.multiply_adds / 1e9:.2f} G at {entry.config['size']} px",
        f"{crops['psnr']['mean']:.2f} dB",
        f"{crops['fd_grid']['mean']:.0f}",
        f"vividness {head['vividness']:g}, temperature {head['temperature']:g}" if "vividness" in head else _NONE,
    )


def markdown_table() -> str:
    """Returns all released weights as a Markdown table, for README and docs, in the order of `PURPOSES`."""
    return _table(COLUMNS, [table_row(entry) for entry in sorted(entries().values(), key=lambda e: rank(e.model))])


def rank(model: str) -> int:
    """Returns the place of a model in tables, by its name: first the ones that most people want."""
    known = list(PURPOSES)
    return known.index(model) if model in known else len(known)


def figures_table(protocol: str) -> str:
    """Returns the figures of all released weights under a protocol as a Markdown table, for the docs."""
    rows = []
    for entry in entries().values():
        for setting in _SETTINGS:
            found = entry.metrics[protocol].get(setting)
            if found is None:
                continue
            cells = [format(found[m]["mean"], form) if m in found else _NONE for m, (_, form) in METRICS.items()]
            spread = found["delta_colorfulness"]
            if "source_low" in spread:
                at = list(METRICS).index("delta_colorfulness")
                cells[at] += f" ({spread['source_low']:+.1f} to {spread['source_high']:+.1f})"
            rows.append((f"`{entry.key}`, {_SETTINGS[setting]}", *cells))
    return _table(("", *(label for label, _ in METRICS.values())), rows)


def files_table() -> str:
    """Returns the files of all released weights as a Markdown table, for the docs."""
    return _table(
        _FILE_COLUMNS,
        [
            (
                entry.key,
                f"{entry.bytes:,}",
                entry.license,
                f"`hf-hub:{entry.hub_repo}@{entry.hub_revision}`" if entry.hub_repo else "not yet",
                f"`{entry.file}`",
                f"`{entry.sha256}`",
            )
            for entry in entries().values()
        ],
    )


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def as_json() -> str:
    """Returns the manifest as JSON: all fields of all released weights, by key."""
    return json.dumps(
        {key: {"model": e.model, "tag": e.tag, **asdict(e)} for key, e in entries().items()},
        indent=2,
        ensure_ascii=False,
    )


_CARD = """---
{license}library_name: artcolor
pipeline_tag: image-to-image
tags: [colorization, art, paintings]
---
# {title}

Colorizes grayscale art. A model of artcolor.

{pictures}## How to use

Install artcolor: `pip install .` in a clone of its repository.

```python
import artcolor

model = artcolor.from_pretrained("{name}")
artcolor.colorize("gray.png", model=model).save("color.png")
```

{facts}## Limits

A coloring is a plausible guess, not a reconstruction of the original colors. {known}Lightness does not determine the
color of many objects, such as clothes, flags and flowers; the model guesses it. When you show its pictures, state that
the colors are a guess.
"""

_PICTURES = """| input | result |
|---|---|
| ![gray](gray.png) | ![colorized](color.jpg) |

*Frédéric Bazille, Les remparts d'Aigues-Mortes, 1867, in the public domain.*

"""

_UNKNOWN_FACTS = """## Data and license

Not known. If you publish this model, state here what it was trained on, how well it performs, and under which license
it may be used.

"""


def model_card(
    config: Mapping[str, Any], entry: Entry | None = None, *, repo: str | None = None, pictures: bool = False
) -> str:
    """Writes a model card in Markdown.

    Args:
        config: the model's config.
        entry: the manifest entry of released weights; `None` for any other model, whose card has no figures.
        repo: `organization/repository` on the Hub; `None` if unknown.
        pictures: include `PICTURES`, which must be stored beside the card.

    Returns:
        The text of the card.
    """
    source = f"hf-hub:{repo or 'ORGANIZATION/REPOSITORY'}"
    shown = _PICTURES if pictures else ""
    if entry is None:
        title = f"{config['model']}, trained by its owner"
        return _CARD.format(license="", title=title, name=source, facts=_UNKNOWN_FACTS, pictures=shown, known="")
    return _CARD.format(
        license=f"license: {entry.license.lower()}\n",
        title=entry.key,
        name=source if repo else entry.key,
        facts=_facts(entry),
        pictures=shown,
        known="It works best on faces and landscapes of the 15th to 19th centuries. ",
    )


def _facts(entry: Entry) -> str:
    head = entry.config["head"]
    defaults = {name: head[name] for name in ("vividness", "temperature") if name in head}
    lines = [
        "## Data and license",
        "",
        f"- Trained on: {entry.data}. Recipe `{entry.recipe}`, PyTorch {entry.torch}, closest commit {entry.commit}.",
        *([f"- The code was modified for the training: {entry.code_changes}."] if entry.code_changes else []),
        f"- License of the weights: {entry.license}. SHA-256 of the file: `{entry.sha256}`.",
        f"- {entry.parameters:,} parameters, {entry.multiply_adds / 1e9:.2f} G multiply-adds "
        f"at {entry.config['size']} px.",
    ]
    if defaults:
        lines.append(f"- Defaults: {', '.join(f'{name} {value:g}' for name, value in defaults.items())}.")
    for protocol, figures in entry.metrics.items():
        settings = [name for name in _SETTINGS if name in figures]
        rows = [
            (metric, *(figure_text(figures[setting][metric]) for setting in settings)) for metric in figures["default"]
        ]
        lines += [
            "",
            f"## Metrics: {protocol}",
            "",
            f"Measured on {figures['n']} paintings (split {figures['split']}), with 95% intervals, and the lowest and "
            "highest mean over the sources of the paintings.",
            "",
            _table(("metric", *(_SETTINGS[name] for name in settings)), rows),
        ]
    return "\n".join(lines) + "\n"


def figure_text(value: Mapping[str, float | None]) -> str:
    """Formats a figure of the manifest with its interval and its range over sources, where it has them.

    All get the same number of decimals: as many as give the largest of mean and interval four digits.

    Args:
        value: `mean`, `low`, `high`, and perhaps `source_low` and `source_high`.

    Example:
        >>> figure_text({"mean": 25.432, "low": 25.1, "high": 25.75})
        '25.43 (25.10 to 25.75)'
    """
    largest = max(abs(value[name] or 0.0) for name in ("mean", "low", "high"))
    decimals = max(0, 3 - math.floor(math.log10(largest))) if largest else 3

    def text(name: str) -> str:
        return f"{value[name]:.{decimals}f}" if value[name] else "0"

    shown = text("mean")
    if value["low"] is not None and value["high"] is not None:
        shown += f" ({text('low')} to {text('high')})"
    if "source_low" in value:
        shown += f"; sources {text('source_low')} to {text('source_high')}"
    return shown
