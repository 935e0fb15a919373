"""Writes a sweep as a plot, a Markdown table and JSON."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artcolor.errors import ConfigError, install_extra
from artcolor.evaluate.results import METRICS, heading
from artcolor.evaluate.sweep import MATCHED, Sweep
from artcolor.evaluate.sweep_bench import Row
from artcolor.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANELS = {"psnr": "PSNR in dB ↑", "fd_grid": "FD-grid ↓", "fd_lite0": "FD-lite0 ↓"}
_COLUMNS = ("psnr", "colorfulness", "delta_colorfulness", "fd_grid", "fd_lite0", "hot_spots")
_DASHES = ("-", "--", ":", "-.")


def sweep_to_json(found: Sweep) -> dict[str, Any]:
    """Returns all figures of a sweep as JSON values.

    Args:
        found: outcome of `sweep`.

    Returns:
        `model`, `protocol`, `split`, `n`, `colorfulness` (of the true pictures), `missing` (why FD-lite0 is missing,
        else empty), `chosen`, `rival`, `held_out` and `rows`. A row has `size`, `temperature`, `vividness`, `gain`,
        `rival`, `psnr`, `colorfulness`, `delta_colorfulness`, `fd_grid`, `fd_lite0` (may be `None`), `hot_spots` and
        `sources`. `held_out` has, by source, the setting chosen without it, and its figures there.
    """
    return {
        "model": found.model,
        "protocol": found.protocol,
        "split": found.split,
        "n": found.n,
        "colorfulness": found.colorfulness,
        "missing": found.missing,
        "chosen": _flat(found.chosen),
        "rival": _flat(found.rival),
        "held_out": {
            source: {**asdict(setting), **asdict(figures)} for source, (setting, figures) in found.held_out.items()
        },
        "rows": [_flat(row) for row in found.rows],
    }


def _flat(row: Row) -> dict[str, Any]:
    figures = asdict(row)
    return {**figures.pop("setting"), **figures}


def summary(found: Sweep) -> list[str]:
    """Describes the chosen setting and how it compares with the rival.

    Args:
        found: outcome of `sweep`.

    Returns:
        Lines of text.
    """
    best, rival = found.chosen, found.rival
    settings = f"vividness={best.setting.vividness:g},temperature={best.setting.temperature:g},size={best.setting.size}"
    lines = [
        f"chosen on {found.split}, n = {found.n}: {found.model}:{settings}",
        f"  {_figures(best)}",
        f"rival, chroma × {rival.setting.gain:g} at size {rival.setting.size}:",
        f"  {_figures(rival)}",
    ]
    if found.held_out:
        figures = [figures for _, figures in found.held_out.values()]
        deltas, psnr = [each.delta_colorfulness for each in figures], [each.psnr for each in figures]
        lines.append(
            f"leave-one-source-out, {len(figures)} sources: ΔCF {min(deltas):+.2f} to "
            f"{max(deltas):+.2f}, PSNR {min(psnr):.2f} to {max(psnr):.2f}"
        )
    if abs(best.delta_colorfulness - rival.delta_colorfulness) > 2 * MATCHED:
        lines.append(f"their colorfulness differs by more than {2 * MATCHED:g}, so they cannot be compared")
        return lines
    keys = [key for key in ("fd_grid", "fd_lite0") if getattr(best, key) is not None]
    lost = [METRICS[key].label for key in keys if getattr(best, key) >= getattr(rival, key)]
    if lost:
        lines.append(f"the chosen setting does not beat the rival in {' and '.join(lost)}")
    return lines


def _figures(row: Row) -> str:
    figures = {key: getattr(row, key) for key in _COLUMNS}
    return ", ".join(
        f"{METRICS[key].label} {value:.{METRICS[key].digits}f}" for key, value in figures.items() if value is not None
    )


def sweep_to_markdown(found: Sweep) -> str:
    """Formats a sweep as a Markdown table of all settings, with the chosen one and the rival's in bold.

    Args:
        found: outcome of `sweep`.

    Returns:
        The Markdown document, which embeds `sweep.png`.
    """
    names = ["", "size", "temperature", "vividness", "gain", *(heading(METRICS[key]) for key in _COLUMNS)]
    lines = [
        f"# Sweep of `{found.model}`",
        "",
        f"{found.protocol}, split {found.split}, n = {found.n}. CF of the true pictures: {found.colorfulness:.2f}.",
        "",
        "```",
        *summary(found),
        "```",
        "",
        "![PSNR and Fréchet distances against ΔCF](sweep.png)",
        "",
        "| " + " | ".join(names) + " |",
        "|---|" + "---:|" * (len(names) - 1),
    ]
    for row in found.rows:
        setting, picked = row.setting, row in (found.chosen, found.rival)
        cells = [f"{value:g}" for value in (setting.size, setting.temperature, setting.vividness, setting.gain)]
        for key in _COLUMNS:
            value = getattr(row, key)
            cells.append("–" if value is None else f"{value:.{METRICS[key].digits}f}")
        kind = "rival" if row.rival else "chosen" if picked else ""
        lines.append(
            "| "
            + " | ".join(f"**{cell}**" if picked and cell not in ("", "–") else cell for cell in (kind, *cells))
            + " |"
        )
    if found.missing:
        lines.append(f"\nFD-lite0 is missing: {found.missing}")
    return "\n".join(lines) + "\n"


def plot_sweep(found: Sweep, path: str | Path) -> None:
    """Plots PSNR and Fréchet distances against ΔCF: colors are temperatures, dashes are sizes, the rival is black.

    Args:
        found: outcome of `sweep`.
        path: path of the plot, whose suffix selects the format.

    Raises:
        ConfigError: matplotlib is not installed, or does not support the format.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(f"plotting needs matplotlib, which is not installed: {install_extra('evaluate')}") from error
    panels = {key: title for key, title in _PANELS.items() if getattr(found.chosen, key) is not None}
    figure = Figure(figsize=(4.6 * len(panels), 5.6), layout="constrained")
    curves: dict[tuple[int, float, bool], list[Row]] = {}
    for row in found.rows:
        curves.setdefault((row.setting.size, row.setting.temperature, row.rival), []).append(row)
    for axes, (key, title) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        _panel(axes, found, curves, key)
        axes.set(xlabel="ΔCF: colorfulness minus that of the truth", ylabel=title)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{found.model}: {found.split}, n = {found.n}")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    data = io.BytesIO()
    try:
        figure.savefig(data, format=Path(path).suffix[1:] or "png", dpi=120)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    write_atomically(Path(path), data.getvalue())


def _panel(axes: "Axes", found: Sweep, curves: Mapping[tuple[int, float, bool], Sequence[Row]], key: str) -> None:
    sizes = list(dict.fromkeys(size for size, _, _ in curves))
    temperatures = sorted({temperature for _, temperature, rival in curves if not rival}, reverse=True)
    for (size, temperature, rival), rows in curves.items():
        axes.plot(
            [row.delta_colorfulness for row in rows],
            [getattr(row, key) for row in rows],
            _DASHES[sizes.index(size) % len(_DASHES)],
            color="black" if rival else f"C{temperatures.index(temperature)}",
            marker=".",
            label=f"chroma gain, {size} px" if rival else f"vividness, T = {temperature:g}, {size} px",
        )
    best = found.chosen
    name = f"chosen: τ = {best.setting.vividness:g}, T = {best.setting.temperature:g}, {best.setting.size} px"
    axes.plot(best.delta_colorfulness, getattr(best, key), "*", color="gold", mec="black", markersize=15, label=name)
    axes.axvline(0, color="gray", linewidth=0.8)


def save_sweep(found: Sweep, folder: Path) -> None:
    """Writes `sweep.json`, `sweep.md` and `sweep.png`.

    Args:
        found: outcome of `sweep`.
        folder: existing output folder.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    text = json.dumps(sweep_to_json(found), indent=2, ensure_ascii=False) + "\n"
    write_atomically(folder / "sweep.json", text.encode())
    write_atomically(folder / "sweep.md", sweep_to_markdown(found).encode())
    plot_sweep(found, folder / "sweep.png")
