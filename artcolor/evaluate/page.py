"""Renders a benchmark as one self-contained HTML page: table, comparisons, plots and pictures."""

import base64
import html
import io
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from artcolor.color.lab import lab_to_rgb_in_gamut, rgb_to_lab
from artcolor.errors import ConfigError, install_extra
from artcolor.evaluate.predictors import Baseline, Predictor
from artcolor.evaluate.protocol import Protocol
from artcolor.evaluate.results import METRICS, Interval, Metric, Results, cell, heading
from artcolor.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROWS = 3
_RANDOM = 6
_COMPARED = ("psnr", "abrmse", "auc_rebalanced", "delta_e", "colorfulness", "nll")
_TRUTH_STYLE: dict[str, Any] = {"color": "black", "linewidth": 2.2}
_BASELINES = (
    "Baselines are in italics: gray has no chroma; constant is the mean ab of the training paintings; l_table is the "
    "mean ab given L; picture_mean is an oracle that knows the mean ab of each picture."
)
_UNITS = (
    "MSE and SSIM use sRGB in 0..1, PSNR is in dB, abRMSE in Lab units, AuC in percent, CF uses sRGB in 0..255, NLL is "
    "in nats per pixel, s/picture in seconds from file to file. Arrows point toward better values."
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 1400px; }}
h1, h2, h3 {{ line-height: 1.2; margin: 2rem 0 .6rem; overflow-wrap: anywhere; }}
p {{ max-width: 60rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .25rem .45rem; text-align: right; vertical-align: top; border-bottom: 1px solid #8884; }}
thead th {{ vertical-align: bottom; }}
td {{ white-space: nowrap; }}
small {{ font-size: 12px; opacity: .8; }}
tbody th {{ font-weight: normal; }}
th:first-child {{ text-align: left; min-width: 6rem; max-width: 14rem; overflow-wrap: anywhere; }}
.figures th:first-child {{ position: sticky; left: 0; background: Canvas; }}
.baseline {{ font-style: italic; }}
.better {{ color: #1a7f37; font-weight: 600; }}
.worse {{ color: #c0392b; font-weight: 600; }}
.plots {{ display: flex; flex-wrap: wrap; gap: 1rem; }}
.plots img {{ background: white; border-radius: 6px; max-width: 100%; }}
.pictures th, .pictures td {{ text-align: center; border: 0; padding: .15rem; white-space: normal; }}
.pictures thead th, .pictures td, .pictures img {{ width: clamp(84px, 21vw, 180px); min-width: 0; max-width: none; }}
.pictures thead th {{ font-weight: normal; overflow-wrap: anywhere; }}
.pictures img {{ height: auto; display: block; }}
@media (max-width: 600px) {{ th:first-child {{ max-width: 34vw; }} }}
@media (prefers-color-scheme: dark) {{ .better {{ color: #5fd07f; }} .worse {{ color: #ff8a7a; }} }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def write_page(
    results: Results,
    predictors: Sequence[Predictor],
    paths: Sequence[Path],
    protocol: Protocol,
    target: Path,
) -> None:
    """Writes the HTML page.

    Args:
        results: results of the benchmark.
        predictors: evaluated predictors; they are run again for the pictures on the page.
        paths: paths of the pictures, in the order of `results`.
        protocol: protocol by which pictures are read.
        target: path of the HTML file.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    models = [predictor for predictor in predictors if not isinstance(predictor, Baseline)] or list(predictors)
    title = f"{results.protocol}, {results.n} pictures"
    body = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>CF of the true pictures: {results.truth.colorfulness.mean():.2f}. ± is half the width of the bootstrap "
        "95% interval, whose bounds are in results.json. Fréchet distances have no interval and are comparable at "
        "equal n only.</p>",
        _figures_table(results, predictors),
        *(f"<p>{METRICS[m].label} is missing: {html.escape(why)}</p>" for m, why in results.missing.items()),
        f"<p><small>{_UNITS} {_BASELINES}</small></p>",
        "<h2>Comparisons</h2>",
        "<p>Mean difference, first minus second, by a paired bootstrap; colored where the 95% interval excludes "
        "zero.</p>",
        _comparisons(results, [model.name for model in models]),
        "<h2>Distribution of color</h2>",
        _plots(results, [model.name for model in models]),
        "<h2>Pictures</h2>",
        "<p>Selected by the mean ΔE00 of all models. The pictures belong to the data set; check its license before you "
        "share this page.</p>",
        *_galleries(results, models, paths, protocol),
    ]
    page = _PAGE.format(title=html.escape(title), body="\n".join(body))
    write_atomically(target, page.encode())


def _label(name: str) -> str:
    """Returns the name of a model as HTML that breaks after separators; it may be a path with settings."""
    return re.sub(r"([:,/\\])", r"\1<wbr>", html.escape(name))


def _heading(metric: Metric) -> str:
    # Keep the arrow on the line of its label.
    return html.escape(heading(metric)).replace(" ", "&nbsp;")


def _table(head: Iterable[str], rows: Iterable[str], kind: str) -> str:
    cells = "".join(f'<th scope="col">{name}</th>' for name in head)
    # A scrollable region must be reachable by keyboard.
    return (
        f'<div class="wide" tabindex="0"><table class="{kind}"><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _figures_table(results: Results, predictors: Sequence[Predictor]) -> str:
    rows = []
    for predictor in predictors:
        kind = "baseline" if isinstance(predictor, Baseline) else ""
        cells = [f'<th scope="row" class="{kind}">{_label(predictor.name)}</th>']
        for key, metric in METRICS.items():
            figure, _, width = cell(results.interval(predictor.name, key), metric.digits).partition(" ")
            cells.append(f"<td>{figure}<br><small>{width}</small></td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return _table(["model", *map(_heading, METRICS.values())], rows, "figures")


def _figure(interval: Interval, digits: int) -> str:
    if interval.mean is None:
        return "–"
    text = f"{interval.mean:.{digits}f}"
    if interval.low is None or interval.high is None:
        return text
    return f"{text}<br><small>{interval.low:.{digits}f} … {interval.high:.{digits}f}</small>"


def _comparisons(results: Results, names: Sequence[str]) -> str:
    pairs = [*itertools.combinations(names, 2), *((name, "l_table") for name in names if name != "l_table")]
    rows = []
    for first, second in pairs:
        cells = [f'<th scope="row">{_label(first)} − {_label(second)}</th>']
        for key in _COMPARED:
            difference = results.compare(first, second, key)
            cells.append(f'<td class="{_verdict(difference, key)}">{_figure(difference, METRICS[key].digits)}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return _table(["difference", *(_heading(METRICS[key]) for key in _COMPARED)], rows, "figures")


def _verdict(difference: Interval, key: str) -> str:
    if difference.low is None or difference.high is None or difference.low <= 0 <= difference.high:
        return ""
    better = METRICS[key].better
    if better is None:
        return ""
    return "better" if (difference.low > 0) == (better == "high") else "worse"


def _plots(results: Results, names: Sequence[str]) -> str:
    # A legend has room for the last part of a path only.
    styles: dict[str, dict[str, Any]] = {
        name: {"label": re.split(r"[/\\]", name)[-1], "color": f"C{i}"} for i, name in enumerate(names)
    }
    styles.setdefault("l_table", {"label": "l_table", "color": "gray", "linestyle": "--"})

    def colorfulness(axes: "Axes") -> None:
        edges = np.linspace(0, max(100.0, float(results.truth.colorfulness.max())), 26)
        axes.stairs(np.histogram(results.truth.colorfulness, edges)[0], edges, label="truth", **_TRUTH_STYLE)
        for name in names:
            counts = np.histogram(results.models[name].table["colorfulness"], edges)[0]
            axes.stairs(counts, edges, **styles[name])
        axes.set(title="Colorfulness", xlabel="CF of a picture", ylabel="pictures")

    def hue(axes: "Axes") -> None:
        edges = np.linspace(0, 360, len(results.truth.hue) + 1)
        whole = results.truth.hue.sum()
        axes.stairs(results.truth.hue / whole, edges, label="truth", **_TRUTH_STYLE)
        for name in names:
            # Relative to the chroma of the truth, so the curve of a pale model lies below it.
            axes.stairs(results.models[name].hue / whole, edges, **styles[name])
        axes.set(title="Hue, weighted by chroma", xlabel="hue in degrees (0 red, 90 yellow, 270 blue)")
        axes.set(ylabel="fraction of the true chroma", xticks=range(0, 361, 90))

    def reliability(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], label="perfect", **_TRUTH_STYLE)
        for name in distributions:
            pixels, confidence, hits = results.models[name].calibration.sum(0)
            # Bins with very few pixels are noise.
            filled = pixels > 1e-4 * pixels.sum()
            x, y = confidence[filled] / pixels[filled], hits[filled] / pixels[filled]
            axes.plot(x, y, marker=".", **styles[name])
        axes.set(title="Reliability", xlabel="confidence in the most probable bin")
        axes.set(ylabel="accuracy")

    # Models that differ only in decoding have the same distribution, so one curve would hide the other.
    curves = {results.models[name].calibration.tobytes(): name for name in (*reversed(names), "l_table")}
    distributions = [name for name in reversed(curves.values()) if results.models[name].calibration.any()]
    drawn = [colorfulness, hue, *([reliability] if distributions else [])]
    plots = f'<div class="plots">{"".join(map(_plot, drawn))}</div>'
    if not distributions:
        return plots
    return f"{plots}<p><small>Models that differ only in decoding share one reliability curve.</small></p>"


def _plot(draw: Callable[["Axes"], None]) -> str:
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            f"report.html needs matplotlib, which is not installed: {install_extra('evaluate')}"
        ) from error
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    draw(axes)
    figure.legend(loc="outside lower center", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    data = io.BytesIO()
    figure.savefig(data, format="svg")
    title = html.escape(axes.get_title())
    return f'<img alt="Plot: {title}" src="data:image/svg+xml;base64,{_base64(data)}">'


def _base64(data: io.BytesIO) -> str:
    return base64.b64encode(data.getvalue()).decode()


def _galleries(results: Results, models: Sequence[Predictor], paths: Sequence[Path], protocol: Protocol) -> list[str]:
    error = np.mean([results.models[model.name].table["delta_e"] for model in models], axis=0)
    order = np.argsort(error, kind="stable")
    middle = max(0, (results.n - _ROWS) // 2)
    groups = {
        "Best by ΔE00": order[:_ROWS],
        "Median": order[middle : middle + _ROWS],
        "Worst": order[::-1][:_ROWS],
        "Random selection (fixed)": np.sort(np.random.default_rng(1).permutation(results.n)[:_RANDOM]),
    }
    head = ["gray", *(_label(model.name) for model in models), "truth"]
    parts = []
    for title, chosen in groups.items():
        rows = [_picture_row(results, models, int(number), paths[number], protocol) for number in chosen]
        parts.append(f"<h3>{title}</h3>{_table(head, rows, 'pictures')}")
    return parts


@torch.no_grad()
def _picture_row(results: Results, models: Sequence[Predictor], number: int, path: Path, protocol: Protocol) -> str:
    truth = protocol.read(path)
    lab = rgb_to_lab(truth.unsqueeze(0))
    gray = lab_to_rgb_in_gamut(lab[:, :1], torch.zeros_like(lab[:, 1:]))[0]
    file = results.pictures[number]
    cells = [_picture(gray, f"{file}, gray", file)]
    for model in models:
        color = model.predict(lab).picture(lab[:, :1], protocol)[0]
        table = results.models[model.name].table
        caption = f"ΔE00 {table['delta_e'][number]:.1f}, CF\u00a0{table['colorfulness'][number]:.0f}"
        cells.append(_picture(color, f"{file} by {model.name}", caption))
    cells.append(_picture(truth, f"{file}, truth", f"CF {results.truth.colorfulness[number]:.0f}"))
    return f"<tr>{''.join(cells)}</tr>"


def _picture(rgb: Tensor, what: str, caption: str) -> str:
    pixels = (255 * rgb).round().byte().permute(1, 2, 0).numpy()
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=88)
    image = f'<img alt="{html.escape(what)}" src="data:image/jpeg;base64,{_base64(data)}">'
    return f"<td>{image}<small>{html.escape(caption)}</small></td>"
