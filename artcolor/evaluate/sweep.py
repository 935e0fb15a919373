"""Sweeps the decoding settings of a model and chooses its defaults.

Accuracy and colorfulness are a trade-off, so settings are comparable at equal colorfulness only. The sweep also
measures a rival, a plain gain on the most accurate chroma, which vivid settings must beat.
"""

import functools
import itertools
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from artcolor.color.lab import lab_to_rgb, rgb_to_lab, to_gamut
from artcolor.color.planes import JoinChroma
from artcolor.data.dataset import hash_of_contents
from artcolor.errors import ConfigError, WeightsError
from artcolor.evaluate import metrics
from artcolor.evaluate.benchmark import Progress, scores_file
from artcolor.evaluate.frechet import frechet_distance, grid_features_of_ab, lite0_features
from artcolor.evaluate.predictors import Settings, lightness_at_working_size, log_of, predictor_of
from artcolor.evaluate.protocol import choose, protocol_of
from artcolor.evaluate.reference import load_reference
from artcolor.files import write_atomically
from artcolor.models.base import ColorizationModel
from artcolor.models.guidance import Decoding
from artcolor.models.heads import DistributionHead
from artcolor.models.lite0 import load_lite0

_LOG = logging.getLogger(__name__)

PROTOCOL = "paintings-256"
"""Name of the protocol by which a sweep reads pictures."""

VIVIDNESS = (0.0, 0.5, 1.0, 1.5)
"""Default values of the vividness τ."""

TEMPERATURES = (1.0, 0.8, 0.6, 0.4, 0.3, 0.2)
"""Default values of the temperature T."""

GAINS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5)
"""Default values of the rival's gain."""

MATCHED = 0.5
"""Largest deviation from the target ΔCF at which colorfulness counts as matched; the true CF is about 41."""

# Part of every key: raise it when a figure or the decoding of pictures changes, so that stored rows are discarded.
_VERSION = 3
_BATCH = 20
_REFINEMENTS = 3
# Relative to the model's default working size, which comes first.
_SIZES = (1, 3 / 4, 4 / 3)


@dataclass(frozen=True)
class Setting:
    """One point of a sweep.

    Attributes:
        size: working size in pixels.
        temperature: T in (0, 1] of the annealed mean.
        vividness: τ ≥ 0.
        gain: factor on ab; always 1 except for the rival.
    """

    size: int
    temperature: float = 1.0
    vividness: float = 0.0
    gain: float = 1.0

    @property
    def decoding(self) -> Decoding:
        """The setting without its size, with the gain as `strength`."""
        return Decoding(self.vividness, self.temperature, self.gain)


@dataclass(frozen=True)
class Row:
    """The figures of one setting.

    Attributes:
        setting: the measured setting.
        rival: whether the setting belongs to the rival, the chroma gain.
        psnr: mean PSNR over pictures, in decibels.
        colorfulness: mean colorfulness over pictures.
        delta_colorfulness: mean colorfulness minus that of the true pictures.
        fd_grid: Fréchet distance of `frechet.grid_features`.
        fd_lite0: Fréchet distance of `frechet.lite0_features`; `None` if not requested or unavailable.
    """

    setting: Setting
    rival: bool
    psnr: float
    colorfulness: float
    delta_colorfulness: float
    fd_grid: float
    fd_lite0: float | None


@dataclass(frozen=True)
class Sweep:
    """The outcome of a sweep.

    Attributes:
        model: name of the model.
        split: split of the data set.
        n: number of pictures.
        colorfulness: mean colorfulness of the true pictures.
        rows: figures of all settings, including those of the rival.
        chosen: row whose setting should become the default.
        rival: row of the rival that the chosen row is compared with.
        missing: why FD-lite0 is missing; empty if it was measured.
    """

    model: str
    split: str
    n: int
    colorfulness: float
    rows: Sequence[Row]
    chosen: Row
    rival: Row
    missing: str = ""


def sweep(
    model: str | Path | ColorizationModel,
    data: str | Path,
    *,
    split: str = "val",
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

    The network runs once per working size. Its distributions are kept in memory (about 0.7 MB per picture) and decoded
    for each setting. All temperatures are tried at the first size, and the best one at the other sizes. For each size
    and temperature, τ is refined until colorfulness matches the target. Of the settings within 0.5 of the target, the
    one with the lowest FD-grid is chosen; if there is none, the nearest one.

    Args:
        model: a model, or its name as `artcolor.evaluate.predictors.predictor_of` takes it, without settings.
        data: folder of a data set.
        split: `"train"` or `"val"`. `"test"` is an error: figures on pictures that chose the defaults mean nothing.
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
        All rows, the chosen row, and the row of the rival to compare with.

    Raises:
        ConfigError: the model does not predict a distribution or has settings in its name, there are too few values,
            the split is `"test"`, or `out` cannot be created.
        DataError: there are too few pictures, or one of them cannot be read.
        WeightsError: the weights of the model are damaged or missing.

    Example:
        >>> found = sweep("cnn", "art", limit=50)  # doctest: +SKIP
        >>> found.chosen.setting  # doctest: +SKIP
        Setting(size=192, temperature=0.4, vividness=0.901, gain=1.0)
    """
    if split == "test":
        raise ConfigError(
            "defaults must not be chosen on the split 'test', because figures measured there would mean nothing. "
            "Sweep on 'val', then evaluate on 'test'."
        )
    if min(len(vividness), len(gains)) < 2 or not temperatures:
        raise ConfigError("a sweep needs at least two values of vividness, two of gain, and one of temperature")
    predictor = predictor_of(model, load_reference(), device)
    if predictor.settings != Settings():
        raise ConfigError(
            f"{predictor.name!r}: a sweep sets vividness, temperature, strength and size itself; omit them"
        )
    if not isinstance(predictor.model.head, DistributionHead):
        raise ConfigError(f"{predictor.name} does not predict a distribution, so there are no settings to sweep")
    paths = choose(data, split, limit)
    bench = _Bench(predictor.model, predictor.model.head, paths, lite0, progress)
    curve = functools.partial(_curve, bench, aim)
    if out is not None:
        made_of = (_VERSION, predictor.fingerprint, hash_of_contents(paths), bench.measures_lite0)
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
    return Sweep(predictor.name, split, len(paths), bench.colorfulness, rows, chosen, rival, bench.missing)


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


def _curve(
    bench: "_Bench", aim: float, setting: Callable[[float], Setting], values: Sequence[float], *, rival: bool
) -> list[Row]:
    """Measures a range of values, then refines it where colorfulness crosses the target."""

    def measure(value: float) -> Row:
        return bench.measure(setting(value), rival=rival)

    def off(row: Row) -> float:
        return row.delta_colorfulness - aim

    points = [(value, measure(value)) for value in values]
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


class _Bench:
    """Measures settings on pictures and distributions that it holds in memory."""

    def __init__(
        self,
        model: ColorizationModel,
        head: DistributionHead,
        paths: Sequence[Path],
        lite0: bool,
        progress: Progress | None,
    ) -> None:
        self._model, self._head, self._progress = model, head, progress
        # Bytes need a quarter of the memory of floats.
        self._pictures = torch.cat(
            [(255 * batch).round().byte() for batch in protocol_of(PROTOCOL).batches(paths, _BATCH)]
        )
        self.missing = "" if lite0 else "not requested"
        self._network = None
        if lite0:
            try:
                self._network = load_lite0()
            except WeightsError as error:
                self.missing = str(error)
                _LOG.warning("FD-lite0 is skipped: %s", error)
        self._known: dict[tuple[Setting, bool], Row] = {}
        self._file: Path | None = None
        self._size = 0
        self._distributions: list[tuple[Tensor, Tensor]] = []
        self._lightness = torch.empty(len(paths), 1, *self._pictures.shape[-2:])
        colorfulness, grid, features = [], [], []
        for rows, truth in self._truth("truth"):
            lab = rgb_to_lab(truth)
            self._lightness[rows] = lab[:, :1]
            colorfulness.append(metrics.colorfulness(truth))
            grid.append(grid_features_of_ab(lab[:, 1:]))
            if self._network is not None:
                features.append(lite0_features(truth, self._network))
        self.colorfulness, self._grid = float(torch.cat(colorfulness).mean()), torch.cat(grid)
        self._features = torch.cat(features) if features else None

    @property
    def measures_lite0(self) -> bool:
        return self._network is not None

    def store_in(self, path: Path) -> None:
        """Loads the rows of earlier runs from a file, and stores new rows in it."""
        self._file = path
        if path.exists():
            for stored in json.loads(path.read_text()):
                row = Row(**{**stored, "setting": Setting(**stored["setting"])})
                self._known[row.setting, row.rival] = row

    def _truth(self, doing: str) -> Iterator[tuple[slice, Tensor]]:
        n = len(self._pictures)
        for start in range(0, n, _BATCH):
            rows = slice(start, min(start + _BATCH, n))
            yield rows, self._pictures[rows].float() / 255
            if self._progress is not None:
                self._progress(doing, rows.stop, n)

    def measure(self, setting: Setting, *, rival: bool) -> Row:
        """Measures a setting, or returns its stored row."""
        key = (setting, rival)
        if key not in self._known:
            if self._size != setting.size:
                self._run_network(setting.size)
            self._known[key] = self._measure(setting, rival)
            if self._file is not None:
                write_atomically(self._file, json.dumps([asdict(row) for row in self._known.values()]).encode())
        return self._known[key]

    @torch.no_grad()
    def _run_network(self, size: int) -> None:
        """Runs the network at a working size and keeps L and the half-precision logarithms of the distributions."""
        self._distributions, self._size = [], size
        for _, truth in self._truth(f"network at {size} px"):
            small = lightness_at_working_size(self._model, rgb_to_lab(truth), size)
            self._distributions.append((small, log_of(self._model.predict_distribution(small)).half()))

    @torch.no_grad()
    def _measure(self, setting: Setting, rival: bool) -> Row:
        """Decodes the distributions and measures the resulting pictures."""
        columns: dict[str, list[Tensor]] = {"psnr": [], "colorfulness": [], "grid": [], "lite0": []}
        doing = ", ".join(f"{name} {value:g}" for name, value in vars(setting).items())
        for (rows, truth), (small, log_p) in zip(self._truth(doing), self._distributions, strict=True):
            ab = self._head.decode(log_p.float(), small, setting.decoding)
            lightness = self._lightness[rows]
            join = JoinChroma(ab.cpu(), *truth.shape[-2:])
            full = to_gamut(lightness, join.ab_rows(0, join.height))
            picture = lab_to_rgb(torch.cat((lightness, full), dim=1)).clamp(0, 1)
            columns["psnr"].append(metrics.psnr(picture, truth))
            columns["colorfulness"].append(metrics.colorfulness(picture))
            columns["grid"].append(grid_features_of_ab(full))
            if self._network is not None:
                columns["lite0"].append(lite0_features(picture, self._network))
        colorfulness = float(torch.cat(columns["colorfulness"]).mean())
        lite0 = None
        if self._features is not None:
            lite0 = frechet_distance(torch.cat(columns["lite0"]), self._features)
        return Row(
            setting,
            rival,
            float(torch.cat(columns["psnr"]).mean()),
            colorfulness,
            colorfulness - self.colorfulness,
            frechet_distance(torch.cat(columns["grid"]), self._grid),
            lite0,
        )
