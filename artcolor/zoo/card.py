"""What people read about released weights, made from the manifest."""

from collections.abc import Mapping
from typing import Any

from artcolor.zoo.manifest import Entry, entries

COLUMNS = ("weights", "parameters", "file", "multiply-adds", "PSNR, vividness 0", "PSNR", "ΔCF", "FD-grid", "defaults")


def table_row(entry: Entry) -> tuple[str, ...]:
    """One line about weights, in the order of `COLUMNS`."""
    figures, head = entry.metrics["paintings-256"], entry.config["head"]
    default, accurate = figures["default"], figures["accurate"]
    return (
        entry.key,
        f"{entry.parameters / 1e6:.2f} M",
        f"{entry.bytes / 2**20:.1f} MB",
        f"{entry.multiply_adds / 1e9:.2f} G at {entry.config['size']} px",
        f"{accurate['psnr']['mean']:.2f} dB",
        f"{default['psnr']['mean']:.2f} dB",
        f"{default['delta_colorfulness']['mean']:+.2f}",
        f"{default['fd_grid']['mean']:.0f}",
        f"vividness {head['vividness']:g}, temperature {head['temperature']:g}",
    )


def markdown_table() -> str:
    """All released weights as a Markdown table, for README and docs."""
    rows = [COLUMNS, tuple("---" for _ in COLUMNS), *(table_row(entry) for entry in entries().values())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


_CARD = """---
license: apache-2.0
library_name: artcolor
pipeline_tag: image-to-image
tags: [colorization, art, paintings]
---
# {title}

Gives grayscale art its colours back. A model of [artcolor](https://pypi.org/project/artcolor/).

```python
import artcolor

model = artcolor.from_pretrained("{name}")
artcolor.colorize("gray.jpg", model=model).save("colour.png")
```

{facts}
## Limits

A colouring is a plausible guess, not the colours that once were. Faces and landscapes of the 15th to 19th century
are what it knows best; where a colour cannot be told from lightness (clothes, flags, flowers) it guesses.
"""


def model_card(config: Mapping[str, Any], entry: Entry | None = None) -> str:
    """A model card in Markdown.

    Args:
        config: of the model.
        entry: what the manifest says of it; `None` for a model of one's own, which then has no figures.
    """
    if entry is None:
        return _CARD.format(title=f"{config['model']}, trained by its owner", name="hf-hub:ORG/REPO", facts="")
    figures = entry.metrics["paintings-256"]
    lines = [
        f"- {entry.parameters:,} parameters, {entry.multiply_adds / 1e9:.2f} G multiply-adds "
        f"at {entry.config['size']} px",
        f"- Trained on: {entry.data}. Recipe `{entry.recipe}`, commit {entry.commit}, PyTorch {entry.torch}.",
        f"- Licence of the weights: {entry.licence}. SHA-256 of the file: `{entry.sha256}`.",
        "",
        f"Measured on {figures['n']} paintings (protocol paintings-256, split {figures['split']}), 95 % intervals:",
        "",
        "| metric | at its defaults | at vividness 0 |",
        "|---|---|---|",
    ]
    for metric, value in figures["default"].items():
        cells = [_with_interval(value), _with_interval(figures["accurate"][metric])]
        lines.append(f"| {metric} | {' | '.join(cells)} |")
    return _CARD.format(title=entry.key, name=entry.key, facts="\n".join(lines) + "\n\n")


def _with_interval(value: Mapping[str, float | None]) -> str:
    if value["low"] is None or value["high"] is None:
        return f"{value['mean']:.4g}"
    return f"{value['mean']:.4g} ({value['low']:.4g} to {value['high']:.4g})"
