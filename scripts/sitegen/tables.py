"""Generates tables of figures of released weights from the manifest."""

from collections.abc import Mapping
from typing import Any

from figures import with_minus_signs

import artcolor
from artcolor.zoo.card import figure_text, megabytes, rank
from artcolor.zoo.manifest import Entry
from sitegen.results import released

_NAMES = {
    "mse": "MSE",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "abrmse": "abRMSE",
    "auc": "AuC",
    "auc_rebalanced": "AuC, rebalanced",
    "delta_e": "ΔE00",
    "colorfulness": "CF",
    "delta_colorfulness": "ΔCF",
    "hot_spots": "hot spots, %",
    "fd_grid": "FD-grid",
    "fd_lite0": "FD-lite0",
    "nll": "NLL",
    "ece": "ECE",
}
_SETTINGS = {"default": "at its defaults", "accurate": "vividness 0, temperature 1"}
_NONE = "–"
# Keeps rows one line high on a phone.
_UNBROKEN = "\N{NO-BREAK SPACE}"


def zoo() -> str:
    """Returns the table of all models, with or without weights."""
    lines = [
        # On a phone, only the first columns are visible.
        "| model | PSNR, vividness 0 | PSNR | ΔCF | FD-grid | parameters | file | weights |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for name in sorted(artcolor.list_models(), key=rank):
        entry, link = released(name), f"[`{name}`](models/{name}.md)"
        if entry is None:
            count = sum(p.numel() for p in artcolor.get_model(name).parameters())
            lines.append(f"| {link} |" + f" {_NONE} |" * 4 + f" {_millions(count)} | {_NONE} | *not trained yet* |")
            continue
        default, accurate = (entry.metrics["paintings-whole"].get(one, {}) for one in ("default", "accurate"))
        cells = [
            _short(accurate, "psnr", ".2f"),
            *_at_defaults(default),
            _millions(entry.parameters),
            megabytes(entry.bytes).replace(" ", _UNBROKEN),
            entry.tag,
        ]
        lines.append(f"| {link} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def figures(name: str) -> str:
    """Returns all figures of one model."""
    entry = released(name)
    if entry is None:
        count = sum(p.numel() for p in artcolor.get_model(name).parameters())
        return (
            f'!!! note "Not trained yet"\n    There are no released weights of `{name}`, so there are no figures. '
            f"The network has {count:,} parameters; `artcolor train {name}` trains it with its recipe.\n"
        )
    parts = [_facts(entry)]
    for protocol, found in entry.metrics.items():
        settings = [one for one in _SETTINGS if one in found]
        rows = {
            metric: [with_minus_signs(figure_text(found[by][metric])) for by in settings] for metric in found["default"]
        }
        heads = [_SETTINGS[one] if len(settings) > 1 else "value" for one in settings]
        parts.append(
            f"Protocol **{protocol}**: {found['n']} paintings of the split `{found['split']}`, with 95% intervals; "
            '"sources" are the lowest and the highest mean of any source of the paintings.\n\n'
            f"| metric | {' | '.join(heads)} |\n|---|{'--:|' * len(settings)}\n"
            + "".join(f"| {_NAMES.get(metric, metric)} | {' | '.join(row)} |\n" for metric, row in rows.items())
        )
    return "\n".join(parts)


def report() -> str:
    """Returns the three models of the report beside ours, in the report's protocols and in paintings-256."""
    lines = [
        "| model | MSE, report's protocol | PSNR, its chroma at true L | ΔCF | FD-grid |",
        "|---|--:|--:|--:|--:|",
    ]
    names = [name for name in artcolor.list_models() if name.endswith("_report")]
    for name in [*names, *(name.removesuffix("_report") for name in names), "unet"]:
        entry = released(name)
        if entry is None:
            lines.append(f"| [`{name}`](models/{name}.md) | *not trained yet* |" + f" {_NONE} |" * 3)
            continue
        default = entry.metrics["paintings-256"]["default"]
        own = [
            f"{_short(found['default'], 'mse', '.5f')} ({protocol})"
            for protocol, found in entry.metrics.items()
            if protocol.startswith("report-")
        ]
        cells = [", ".join(own) or _NONE, *_at_defaults(default)]
        lines.append(f"| [`{name}`](models/{name}.md) | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _facts(entry: Entry) -> str:
    head = entry.config["head"]
    defaults = [f"{name} {head[name]:g}" for name in ("vividness", "temperature") if name in head]
    lines = [
        f"- Weights `{entry.key}`: {entry.parameters:,} parameters, a file of {megabytes(entry.bytes)}, "
        f"{entry.multiply_adds / 1e9:.2f} G multiply-adds at {entry.config['size']} px.",
        f"- Recipe `{entry.recipe}`, commit `{entry.commit[:12]}`, PyTorch {entry.torch}. License {entry.license}.",
        f"- Trained on {entry.data}.",
    ]
    if defaults:
        lines.insert(1, f"- Defaults, chosen on `val`: {', '.join(defaults)}.")
    return "\n".join(lines) + "\n"


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f}{_UNBROKEN}M"


def _short(found: Mapping[str, Any], metric: str, form: str) -> str:
    return with_minus_signs(format(found[metric]["mean"], form)) if metric in found else _NONE


def _at_defaults(found: Mapping[str, Any]) -> list[str]:
    """Formats PSNR, ΔCF and FD-grid, which two tables show."""
    forms = {"psnr": ".2f", "delta_colorfulness": "+.2f", "fd_grid": ".0f"}
    return [_short(found, metric, form) for metric, form in forms.items()]
