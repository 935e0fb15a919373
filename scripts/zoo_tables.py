"""Tables about the zoo for the docs: baselines, the report's protocols, and targets of released weights."""

import json
from collections.abc import Mapping
from typing import Any

import figures

_NONE = "–"
_NAMES = {
    "gray": "gray",
    "constant": "constant mean ab",
    "l_table": "mean ab given L",
    "picture_mean": "oracle: the mean ab of each picture",
}
_OF_BASELINES = (
    *(("PSNR, whole", "whole", "psnr"), ("ΔCF, whole", "whole", "delta_colorfulness")),
    *(("FD-grid, whole", "whole", "fd_grid"), ("PSNR, crops", "crops", "psnr"), ("abRMSE, crops", "crops", "abrmse")),
    *(("CF, crops", "crops", "colorfulness"), ("ΔCF, crops", "crops", "delta_colorfulness")),
    *(("FD-grid, crops", "crops", "fd_grid"), ("FD-lite0, crops", "crops", "fd_lite0"), ("NLL, crops", "crops", "nll")),
)
_REPORT_MODELS = ("cnn_report", "ae_report", "vae_report")
_BOUNDS = {"at_least": "≥ {:g}", "at_most": "≤ {:g}", "within": "±{:g}"}


def baselines_table() -> str:
    """Returns a Markdown table of the figures of all baselines."""
    rows = [
        (_NAMES[name], *(_or_none(f"{name}/{protocol}/{metric}") for _, protocol, metric in _OF_BASELINES))
        for name in figures.BASELINES
    ]
    return _table(("", *(label for label, _, _ in _OF_BASELINES)), rows)


def report_table() -> str:
    """Returns a Markdown table of the MSE in the protocols of the report, of baselines and the report's models."""
    protocols = ("report-200", "report-128")
    rows = [
        (_NAMES[name], *(_or_none(f"{name}/{protocol}/mse") for protocol in protocols))
        for name in ("gray", "constant", "l_table")
    ]
    for name in _REPORT_MODELS:
        keys = [f"{name}/{protocol}/default" for protocol in protocols]
        cells = [f"{_or_none(key + '/mse')} (SSIM {_or_none(key + '/ssim')})" for key in keys]
        rows.append((f"`{name}`", *(_NONE if _NONE in cell else cell for cell in cells)))
    return _table(("", *(f'MSE, "{protocol}"' for protocol in protocols)), rows)


def gain_table() -> str:
    """Returns a Markdown table of vividness beside a plain gain on chroma, from docs/results/gain.json."""
    found = json.loads((figures.RESULTS / "gain.json").read_text(encoding="utf-8"))
    forms = {"psnr": ".2f", "fd_grid": ".0f"}
    rows = [
        (
            f"`{name}`",
            *(format(row[how][metric], form) for metric, form in forms.items() for how in ("gain", "vividness")),
        )
        for name, row in found["models"].items()
    ]
    return _table(("", "PSNR, gain", "PSNR, vividness", "FD-grid, gain", "FD-grid, vividness"), rows)


def targets_table() -> str:
    """Returns a Markdown table of the targets that were set for released weights, and what they reached."""
    rows = []
    for target in json.loads((figures.RESULTS / "targets.json").read_text(encoding="utf-8")):
        value, shown = _reached(target)
        bounds = [text.format(target[kind]) for kind, text in _BOUNDS.items() if kind in target]
        met = "met" if _is_met(value, target) else "**missed**"
        rows.append((f"`{target['weights']}`", target["target"], ", ".join(bounds), f"{shown}, {met}"))
    return _table(("weights", "target", "bound", "measured"), rows)


def _reached(target: Mapping[str, Any]) -> tuple[float, str]:
    if "reached" in target:
        return float(target["reached"]), f"{target['reached']}¹"
    key = target["figure"]
    if not key.startswith("results/"):
        key = f"{target['weights']}/{key}"
    if "from" not in target:
        return figures.number(key), figures.figure(key)
    value = figures.number(target["from"]) - figures.number(key)
    return value, format(value, figures.FORMATS[key.rpartition("/")[2]])


def _is_met(value: float, target: Mapping[str, Any]) -> bool:
    return (
        target.get("at_least", value) <= value <= target.get("at_most", value)
        and abs(value) <= target.get("within", abs(value))
    )  # fmt: skip


def _or_none(key: str) -> str:
    try:
        return figures.figure(key)
    except ValueError:
        return _NONE


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
