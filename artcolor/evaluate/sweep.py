"""Sweeps the decoding settings of a model and chooses its defaults.

Accuracy and colorfulness are a trade-off, so settings are comparable at equal colorfulness only. The sweep also
measures a rival, a plain gain on the most accurate chroma, which vivid settings must beat.
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from artcolor.data.dataset import hash_of_contents
from artcolor.errors import ConfigError
from artcolor.evaluate.benchmark import Progress, scores_file
from artcolor.evaluate.predictors import Settings, predictor_of
from artcolor.evaluate.protocol import choose, protocol_of, sources_of
from artcolor.evaluate.reference import load_reference
from artcolor.evaluate.sweep_bench import Bench, Row, Setting, SourceRow
from artcolor.models.base import ColorizationModel
from artcolor.models.heads import DistributionHead

VIVIDNESS = (0.0, 0.5, 1.0, 1.5, 2.0)
"""Default values of the vividness τ."""

TEMPERATURES = (1.0, 0.8, 0.6, 0.4, 0.3, 0.2)
"""Default values of the temperature T."""

GAINS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5)
"""Default values of the rival's gain."""

MATCHED = 0.5
"""Largest deviation from the target ΔCF at which colorfulness counts as matched; the true CF is about 41."""

# Part of every key: raise it when a figure or the decoding of pictures changes, so that stored rows are discarded.
_VERSION = 4
_EXTENSIONS = 3
_REFINEMENTS = 3
# Relative to the model's default working size, which comes first.
_SIZES = (1, 3 / 4, 4 / 3)


@dataclass(frozen=True)
class Sweep:
    """The outcome of a sweep.

    Attributes:
        model: name of the model.
        protocol: name of the protocol.
        split: split of the data set.
        n: number of pictures.
        colorfulness: mean colorfulness of the true pictures.
        rows: figures of all settings, including those of the rival.
        chosen: row whose setting should become the default.
        rival: row of the rival that the chosen row is compared with.
        held_out: for each source, the setting that would be chosen on all others, and its figures on this source.
        missing: why FD-lite0 is missing; empty if it was measured.
    """

    model: str
    protocol: str
    split: str
    n: int
    colorfulness: float
    rows: Sequence[Row]
    chosen: Row
    rival: Row
    held_out: Mapping[str, tuple[Setting, SourceRow]]
    missing: str = ""


def sweep(
    model: str | Path | ColorizationModel,
    data: str | Path,
    *,
    split: str = "val",
    protocol: str = "paintings-whole",
    sizes: Sequence[int] | None = None,
    vividness: Sequence[float] = VIVIDNESS,
    temperatures: Sequence[float] = TEMPERATURES,
    gains: Sequence[float] = GAINS,
    aim: float = 0.0,
    lite0: bool = True,
    limit: int | None = None,
    device: str = "cpu",
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Measures a model over its decoding settings and chooses its defaults.

    The network runs once per working size. Its distributions are kept in memory (0.7 MB for a square picture at 192 px)
    and decoded for each setting. All temperatures are tried at the first size, and the best one at the other sizes. For
    each size and temperature, τ is increased and refined until colorfulness matches the target. Of the settings within
    0.5 of the target, the one with the lowest FD-grid is chosen; if there is none, the nearest one.

    If the data set states the sources of its pictures, the same choice is also made without each source in turn, and
    measured on that source: this shows how well the defaults suit collections that they were not chosen on.

    Args:
        model: a model, or its name without settings (see `artcolor.evaluate.predictors.predictor_of`).
        data: folder of a data set.
        split: `"train"` or `"val"`. `"test"` is an error: figures on pictures that the defaults were chosen on would be
            biased.
        protocol: name of the protocol by which pictures are read.
        sizes: working sizes in pixels; `None` uses 1, 3/4 and 4/3 times the model's default.
        vividness: values of τ, at least two.
        temperatures: values of T, at least one.
        gains: values of the rival's gain, at least two; the rival decodes with τ = 0 and T = 1.
        aim: target ΔCF. Every unit of colorfulness costs accuracy, so a value slightly below 0 can be useful.
        lite0: also measure FD-lite0, which doubles the time.
        limit: use only this many pictures of a fixed shuffle; `None` uses all.
        device: device for a model that is loaded by name.
        out: folder of results, whose subfolder `scores` stores rows for later runs; `None` stores nothing.
        progress: called as `progress(description, done, total)` after each batch.

    Returns:
        All rows, the chosen row, the row of the rival to compare with, and the choices without each source.

    Raises:
        ConfigError: the model does not predict a distribution or has settings in its name, there are too few values,
            the split is `"test"`, the protocol is unknown, or `out` cannot be created.
        DataError: there are too few pictures, or one of them cannot be read.
        WeightsError: the weights of the model are damaged or missing.

    Example:
        >>> found = sweep("cnn", "art", limit=50)  # doctest: +SKIP
        >>> found.chosen.setting  # doctest: +SKIP
        Setting(size=192, temperature=0.4, vividness=0.901, gain=1.0)
    """
    if split == "test":
        raise ConfigError(
            "defaults must not be chosen on the split 'test', because its metrics would then be biased. "
            "Sweep on 'val', then evaluate on 'test'."
        )
    if min(len(vividness), len(gains)) < 2 or not temperatures:
        raise ConfigError("a sweep needs at least two values of vividness, two of gain, and one of temperature")
    rules = protocol_of(protocol)
    if rules.own_rgb:
        raise ConfigError(f"{protocol} measures RGB; sweep on paintings-whole or paintings-256, which measure decoding")
    predictor = predictor_of(model, load_reference(), device)
    if predictor.settings != Settings():
        raise ConfigError(
            f"{predictor.name!r}: a sweep sets vividness, temperature, strength and size itself; omit them"
        )
    if not isinstance(predictor.model.head, DistributionHead):
        raise ConfigError(f"{predictor.name} does not predict a distribution, so there are no settings to sweep")
    paths = choose(data, split, limit)
    sources = sources_of(data, paths)
    bench = Bench(predictor.model, rules, paths, sources, lite0=lite0, progress=progress)
    curve = functools.partial(_curve, bench, aim)
    if out is not None:
        made_of = (_VERSION, rules, predictor.fingerprint, hash_of_contents(paths), sources, bench.missing)
        bench.store_in(scores_file(Path(out), predictor.name, " ".join(map(str, made_of)), "sweep.json"))

    def trace(size: int, values: Sequence[float]) -> list[Row]:
        rows: list[Row] = []
        for temperature in values:
            rows += curve(functools.partial(Setting, size, temperature), sorted(vividness), rival=False)
        return rows + curve(functools.partial(Setting, size, 1.0, 0.0), sorted(gains), rival=True)

    first, *others = dict.fromkeys(sizes or sizes_around(predictor.model))
    rows = trace(first, temperatures)
    best = choose_row(rows, aim, rival=False).setting.temperature
    for size in others:
        rows += trace(size, (best,))
    chosen, rival = choose_row(rows, aim, rival=False), choose_row(rows, aim, rival=True)
    held_out = hold_out_sources(rows, aim)
    return Sweep(
        predictor.name, protocol, split, len(paths), bench.colorfulness, rows, chosen, rival, held_out, bench.missing
    )


def sizes_around(model: ColorizationModel) -> list[int]:
    """Returns a model's default working size, then 3/4 and 4/3 of it, rounded to multiples of its stride."""
    stride = model.network.stride
    sizes = [max(2, round(model.size * factor / stride)) * stride for factor in _SIZES]
    return [model.size, *sizes[1:]]


def choose_row(rows: Sequence[Row], aim: float = 0.0, *, rival: bool) -> Row:
    """Chooses a row: of those whose ΔCF is within 0.5 of the target, the one with the lowest FD-grid.

    Args:
        rows: rows of a sweep.
        aim: target ΔCF.
        rival: choose among the rows of the rival; `False` chooses among the others.

    Returns:
        The chosen row; if no ΔCF is within 0.5 of the target, the row with the nearest one.
    """
    candidates = [row for row in rows if row.rival == rival]
    matched = [row for row in candidates if abs(row.delta_colorfulness - aim) <= MATCHED]
    if matched:
        return min(matched, key=lambda row: row.fd_grid)
    return min(candidates, key=lambda row: abs(row.delta_colorfulness - aim))


def hold_out_sources(rows: Sequence[Row], aim: float = 0.0) -> dict[str, tuple[Setting, SourceRow]]:
    """Chooses a setting without each source in turn.

    Args:
        rows: rows of a sweep.
        aim: target ΔCF.

    Returns:
        Source → the setting that `choose_row` chooses on all other pictures, and its figures on this source.
    """
    found = {}
    for source in rows[0].sources:
        without = [
            replace(
                row,
                delta_colorfulness=row.sources[source].others_delta_colorfulness,
                fd_grid=row.sources[source].others_fd_grid,
            )
            for row in rows
        ]
        chosen = choose_row(without, aim, rival=False)
        found[source] = (chosen.setting, chosen.sources[source])
    return found


def _curve(
    bench: Bench, aim: float, setting: Callable[[float], Setting], values: Sequence[float], *, rival: bool
) -> list[Row]:
    """Measures a range of values, extends it to the target colorfulness, and refines it where it crosses that."""

    def measure(value: float) -> Row:
        return bench.measure(setting(value), rival=rival)

    def off(row: Row) -> float:
        return row.delta_colorfulness - aim

    points = [(value, measure(value)) for value in values]
    for _ in range(_EXTENSIONS):
        if off(points[-1][1]) >= 0:
            break
        value = 1.5 * points[-1][0]
        points.append((value, measure(value)))
    for _ in range(_REFINEMENTS):
        if min(abs(off(row)) for _, row in points) <= MATCHED / 2:
            break
        pairs = itertools.pairwise(points)
        crossing = next((p for p in pairs if off(p[0][1]) < 0 <= off(p[1][1])), None)
        if crossing is None:
            break
        (low, below), (high, above) = crossing
        share = off(below) / (off(below) - off(above))
        value = round(low + share * (high - low), 3)
        if value in (low, high):
            break
        points = sorted([*points, (value, measure(value))], key=lambda point: point[0])
    return [row for _, row in points]
