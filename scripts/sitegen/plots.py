"""Draws the plots of "Color explained" from the free pictures, the released weights and artcolor's functions."""

import base64
import functools
import io
import re
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from PIL import Image

import artcolor
from artcolor.color.lab import lab_to_rgb_in_gamut, rgb_to_lab, to_gamut
from artcolor.models.base import ColorizationModel
from artcolor.models.heads import DistributionHead
from sitegen.cache import PICTURES, cached, source_of
from sitegen.results import Painting, paintings, read, released

_CODE = ("scripts/sitegen/plots.py", "artcolor/color/lab.py", "artcolor/color/codebook.py", "artcolor/models/heads.py")
# Placeholder for the color of the page, which no other element uses.
_INK = "#010203"
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "artcolor",
    "font.family": "sans-serif",
    "font.size": 11,
    "figure.constrained_layout.use": True,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "axes.titlecolor"), _INK
    ),
}
_MODEL = "unet"


def draw(name: str) -> str:
    """Returns a plot as SVG for a page; `name` is a key of `PLOTS`."""
    make = PLOTS[name]
    entry = released(_MODEL)
    parts = [name, entry.sha256 if entry else "", *source_of(*_CODE)]
    parts += [painting.file.read_bytes() for painting in paintings()]

    def write(path: Path) -> None:
        with plt.rc_context(_STYLE), torch.inference_mode():
            figure = make()
            text = io.StringIO()
            figure.savefig(text, format="svg", transparent=True, dpi=200, metadata={"Date": None})
            plt.close(figure)
        path.write_text(_for_page(text.getvalue(), name), encoding="utf-8")

    return cached(f"plot-{name}.svg", parts, write).read_text(encoding="utf-8")


def _for_page(svg: str, name: str) -> str:
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    # Several drawings share a page, so their IDs must not collide.
    for mark in ('id="', "url(#", 'href="#'):
        svg = svg.replace(mark, f"{mark}{name}-")
    svg = re.sub(r"data:image/png;base64,([\w+/=\s]+)", _smaller, svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font: \1px sans-serif", svg)
    return re.sub(r"<metadata>.*?</metadata>|\n\s*", lambda m: " " if m[0].isspace() else "", svg, flags=re.DOTALL)


def _smaller(found: re.Match[str]) -> str:
    """Turns a picture within a drawing into WebP, which takes a tenth of PNG."""
    with Image.open(io.BytesIO(base64.b64decode(found[1]))) as image:
        made = io.BytesIO()
        image.save(made, "WEBP", quality=88, method=6)
    return f"data:image/webp;base64,{base64.b64encode(made.getvalue()).decode()}"


def _named(stem: str) -> Painting:
    return next(painting for painting in paintings() if painting.file == PICTURES / f"{stem}.jpg")


def _show(axes: Axes, rgb: torch.Tensor, title: str) -> None:
    axes.imshow(rgb[0].movedim(0, -1).clamp(0, 1).numpy(), interpolation="bilinear")
    axes.set_title(title, fontsize=11)
    axes.axis("off")


def _planes() -> Figure:
    """Shows a painting, its L, and its ab alone."""
    rgb = read(_named("gogh_auvers"))
    lab = rgb_to_lab(rgb)
    figure, axes = plt.subplots(1, 3, figsize=(9, 2.7))
    nothing = torch.zeros_like(lab[:, 1:])
    _show(axes[0], rgb, "the painting")
    _show(axes[1], lab_to_rgb_in_gamut(lab[:, :1], nothing), "L: what is kept")
    _show(axes[2], lab_to_rgb_in_gamut(torch.full_like(lab[:, :1], 60), lab[:, 1:]), "ab at L = 60: what is guessed")
    return figure


def _small_chroma() -> Figure:
    """Shows low-resolution chroma joined with full-resolution L, and the reverse."""
    rgb = read(_named("gogh_auvers"))
    lab = rgb_to_lab(rgb)
    side = rgb.shape[-2:]

    def through(x: torch.Tensor) -> torch.Tensor:
        small = torch.nn.functional.interpolate(x, (36, 46), mode="area")
        return torch.nn.functional.interpolate(small, side, mode="bicubic")

    figure, axes = plt.subplots(1, 3, figsize=(9, 2.7))
    _show(axes[0], rgb, "the painting")
    _show(axes[1], lab_to_rgb_in_gamut(lab[:, :1], through(lab[:, 1:])), "ab through 46 × 36 pixels")
    _show(axes[2], lab_to_rgb_in_gamut(through(lab[:, :1]).clamp(0, 100), lab[:, 1:]), "L through 46 × 36 pixels")
    return figure


def _brown() -> Figure:
    """Shows colors of the free paintings that share a lightness, and their mean."""
    ab = torch.cat([rgb_to_lab(read(p)).flatten(2)[0] for p in paintings()], dim=1)
    near = ab[1:, (ab[0] > 45) & (ab[0] < 55)]
    mean = near.mean(dim=1)
    pick = near[:, torch.randperm(near.shape[1], generator=torch.Generator().manual_seed(0))[:6000]]
    rgb = lab_to_rgb_in_gamut(torch.full((1, 1, 1, pick.shape[1]), 50.0), pick[None, :, None])[0, :, 0].T
    figure, axes = plt.subplots(figsize=(5.4, 4.6))
    axes.scatter(*pick.numpy(), c=rgb.clamp(0, 1).numpy(), s=5, linewidths=0, rasterized=True)
    own = lab_to_rgb_in_gamut(torch.full((1, 1, 1, 1), 50.0), mean.reshape(1, 2, 1, 1))[0, :, 0, 0].tolist()
    axes.scatter(*mean.numpy(), color=[own], s=260, edgecolors=_INK, linewidths=1.6, zorder=3)
    axes.annotate(
        f"their mean: a {mean[0]:.0f}, b {mean[1]:.0f}",
        mean.tolist(),
        (-56, -74),
        arrowprops={"arrowstyle": "-", "color": _INK},
    )
    axes.set(xlabel="a (green to red)", ylabel="b (blue to yellow)", xlim=(-60, 80), ylim=(-80, 85))
    axes.set_title("Pixels with L from 45 to 55 in the free pictures", fontsize=11)
    axes.set_aspect("equal")
    return figure


def _bins() -> Figure:
    """Shows the bins of the released codebook, sized by their prior."""
    book = _head().codebook
    rgb = lab_to_rgb_in_gamut(torch.full((1, 1, 1, book.bins), 62.0), book.centers.T[None, :, None])[0, :, 0].T
    figure, axes = plt.subplots(figsize=(5.4, 4.6))
    size = 14 + 900 * book.prior.sqrt() / book.prior.sqrt().max() * 0.35
    axes.scatter(*book.centers.T.numpy(), c=rgb.clamp(0, 1).numpy(), s=size.numpy(), marker="s", linewidths=0)
    axes.set(xlabel="a (green to red)", ylabel="b (blue to yellow)")
    axes.set_title(f"{book.bins} bins; the larger, the more frequent", fontsize=11)
    axes.set_aspect("equal")
    return figure


def _distribution() -> Figure:
    """Shows the predicted distribution at one position of a painting."""
    painting = _named("cassatt_summertime")
    model = _model()
    rgb = read(painting)
    lightness = model.transforms()(rgb)
    probability = model.predict_distribution(lightness)[0]
    book, places = _head().codebook, {"water": (0.52, 0.30), "a dress": (0.45, 0.60)}
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), width_ratios=(1.3, 1, 1))
    _show(axes[0], lab_to_rgb_in_gamut(lightness, lightness.new_zeros(1, 2, *lightness.shape[-2:])), "two places")
    bins = lab_to_rgb_in_gamut(torch.full((1, 1, 1, book.bins), 62.0), book.centers.T[None, :, None])[0, :, 0].T
    for (name, (y, x)), plot in zip(places.items(), axes[1:], strict=True):
        p = probability[:, int(y * probability.shape[1]), int(x * probability.shape[2])]
        axes[0].plot(x * lightness.shape[-1], y * lightness.shape[-2], "o", ms=9, mfc="none", mec="#ff5a36", mew=2)
        axes[0].annotate(
            name,
            (x * lightness.shape[-1] + 8, y * lightness.shape[-2] - 6),
            color="#ff5a36",
            weight="bold",
            path_effects=[withStroke(linewidth=3, foreground="#1c1c1c")],
        )
        plot.scatter(*book.centers.T.numpy(), c=bins.clamp(0, 1).numpy(), s=(3 + 2500 * p).numpy(), linewidths=0)
        mean = (p[:, None] * book.centers).sum(0)
        plot.plot(*mean.numpy(), "+", ms=13, mew=2, color=_INK)
        plot.set_title(f"p(bin), {name}; + its mean", fontsize=11)
        plot.set(xlabel="a", ylabel="b")
        plot.set_aspect("equal")
    return figure


def _settings() -> Figure:
    """Shows a painting decoded with several settings."""
    model, rgb = _model(), read(_named("cassatt_summertime"))
    columns, rows = (0.0, 0.75, 1.5, 2.25), (1.0, 0.4, 0.1)
    figure, axes = plt.subplots(len(rows), len(columns), figsize=(9, 5.4))
    for line, temperature in zip(axes, rows, strict=True):
        for one, vividness in zip(line, columns, strict=True):
            _show(
                one,
                model.colorize(rgb, vividness=vividness, temperature=temperature),
                f"τ {vividness:g}, T {temperature:g}",
            )
    return figure


def _weights() -> Figure:
    """Shows how much rare bins are weighed up."""
    book = _head().codebook
    order = book.prior.argsort(descending=True)
    figure, axes = plt.subplots(figsize=(7, 3.2))
    axes.plot(book.prior[order].numpy() * book.bins, color="#8a8f98", label="p(bin) · Q")
    for vividness, color in ((1, "#d9822b"), (2, "#cf5a5a")):
        w = book.class_weights(_head().smoothing)[order] ** (_head().power * vividness)
        axes.plot(w.numpy(), color=color, label=f"weight at vividness {vividness:g}")
    axes.set(xlabel="bins, the most frequent first", ylabel="factor", yscale="log")
    axes.legend(frameon=False, labelcolor=_INK)
    return figure


def _gamut() -> Figure:
    """Shows the gamut of sRGB at three lightnesses, and how colors outside are fitted."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2))
    axis = torch.linspace(-110, 110, 221)
    b, a = torch.meshgrid(axis, axis, indexing="ij")
    plane = torch.stack((a, b))[None]
    for one, level in zip(axes, (25.0, 55.0, 85.0), strict=True):
        lightness = torch.full((1, 1, 221, 221), level)
        inside = to_gamut(lightness, plane)
        shown = (inside - plane).norm(dim=1)[0] < 0.01
        rgb = lab_to_rgb_in_gamut(lightness, plane)[0].movedim(0, -1).clamp(0, 1)
        picture = torch.cat((rgb, shown[..., None].float()), dim=-1).numpy()
        one.imshow(picture, origin="lower", extent=(-110, 110, -110, 110), interpolation="nearest")
        wish = torch.tensor([70.0, 85.0]).reshape(1, 2, 1, 1)
        comes = to_gamut(torch.full((1, 1, 1, 1), level), wish)[0, :, 0, 0]
        one.annotate("", comes.tolist(), (70, 85), arrowprops={"arrowstyle": "->", "color": _INK, "lw": 1.4})
        one.plot(70, 85, "o", ms=5, mfc="none", color=_INK)
        one.set(xlabel="a", ylabel="b")
        one.set_title(f"L = {level:g}", fontsize=11)
    return figure


@functools.cache
def _model() -> ColorizationModel:
    return artcolor.get_model(_MODEL, weights="DEFAULT")


def _head() -> DistributionHead:
    return _model().head


PLOTS = {
    "planes": _planes,
    "small-chroma": _small_chroma,
    "brown": _brown,
    "bins": _bins,
    "distribution": _distribution,
    "settings": _settings,
    "weights": _weights,
    "gamut": _gamut,
}
