"""Traces what a model can do over its decoding settings, and picks its defaults.

Accuracy and colorfulness pull against each other, so settings can only be compared where colorfulness is
the same. A plain gain of the most accurate chroma is in the same plot: what claims to be vivid must beat it.
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
"""How a sweep reads pictures."""

VIVIDNESS = (0.0, 0.5, 1.0, 1.5)
"""Values of τ that a sweep looks at unless told otherwise."""

TEMPERATURES = (1.0, 0.8, 0.6, 0.4, 0.3, 0.2)
"""Values of T that a sweep looks at unless told otherwise."""

GAINS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5)
"""Values of the rival's gain."""

MATCHED = 0.5
"""Settings whose ΔCF is at most this far from what is aimed at count as being as colorful; the truth has about 41."""

# Part of every key: raise it when a row's meaning changes, so that stored rows are made anew.
_VERSION = 2
_BATCH = 20
_REFINEMENTS = 3
# Relative to the model's own working size, which comes first.
_SIZES = (1, 3 / 4, 4 / 3)


@dataclass(frozen=True)
class Setting:
    """Where on the settings.

    Attributes:
        size: working size in pixels.
        temperature: T of the annealed mean.
        vividness: τ.
        gain: every ab is multiplied by it; other than 1 only for the rival.
    """

    size: int
    temperature: float = 1.0
    vividness: float = 0.0
    gain: float = 1.0

    @property
    def decoding(self) -> Decoding:
        """The same, as heads take it; the gain is their strength."""
        return Decoding(self.vividness, self.temperature, self.gain)


@dataclass(frozen=True)
class Row:
    """What a setting gives.

    Attributes:
        setting: the settings.
        rival: whether it belongs to the chroma gain.
        psnr: mean over pictures, in decibels.
        colorfulness: mean over pictures.
        delta_colorfulness: mean over pictures less that of the truth.
        fd_grid: Fréchet distance.
        fd_lite0: Fréchet distance; `None` where it was not asked for.
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
    """The outcome.

    Attributes:
        model: its name.
        split: of the data set.
        n: how many pictures.
        colorfulness: of the true pictures, mean.
        rows: of all settings, the rival's among them.
        chosen: the row whose setting should be the default.
        rival: the gain that comes nearest to the truth's colorfulness.
        missing: why there is no FD-lite0, or nothing.
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
    """Traces a model's curve and picks its defaults.

    The network runs once for each working size; its distributions are kept (about 0.7 MB a picture) and
    decoded for each setting. All temperatures are tried at the first size, and the best of them at the others.
    For each size and temperature, τ is then refined until colorfulness is what is aimed at. Of the settings that
    come within 0.5 of that the one with the lowest FD-grid is chosen, or, if there is none, the nearest.

    Args:
        model: as `artcolor.evaluate.predictors.predictor_of` takes it; settings in its name are an error.
        data: folder of a data set.
        split: of it; `"test"` is refused, because figures on pictures that chose the defaults mean nothing.
        sizes: working sizes in pixels; `None` takes the model's own, 3/4 and 4/3 of it.
        vividness: values of τ, at least two.
        temperatures: values of T.
        gains: values of the rival's gain, at least two; the rival decodes with τ = 0, T = 1.
        aim: ΔCF to come to. Every unit of colorfulness costs accuracy, so a little less than the truth's may be
            wanted.
        lite0: whether to measure FD-lite0 too, which takes about as long as all else.
        limit: only the first so many pictures of a fixed shuffle.
        device: where a model that is loaded here runs.
        out: rows are kept in its sub-folder `scores` and found again; `None` keeps nothing.
        progress: is told what goes on, how much is done and how much there is.

    Returns:
        All rows, the chosen one, and the rival's best.

    Raises:
        ConfigError: the model predicts no distribution, there are too few values, the split is `"test"`, or `out`
            cannot be made.
        DataError: no pictures.
        WeightsError: the model's weights are damaged or missing.

    Example:
        >>> found = sweep("cnn", "art", limit=50)  # doctest: +SKIP
        >>> found.chosen.setting  # doctest: +SKIP
        Setting(size=192, temperature=0.4, vividness=0.901, gain=1.0)
    """
    if split == "test":
        raise ConfigError(
            "defaults are never chosen on the split 'test': figures measured there would mean nothing. "
            "Sweep on 'val', then judge on 'test'."
        )
    if min(len(vividness), len(gains)) < 2 or not temperatures:
        raise ConfigError("a sweep needs two values of vividness and gain at least, and one of temperature")
    one = predictor_of(model, load_reference(), device)
    if one.settings != Settings():
        raise ConfigError(
            f"{one.name!r}: a sweep sets vividness, temperature, strength and size itself; leave them out"
        )
    if not isinstance(one.model.head, DistributionHead):
        raise ConfigError(f"{one.name} predicts no distribution, so it has no vividness and no temperature")
    paths = choose(data, split, limit)
    bench = _Bench(one.model, one.model.head, paths, lite0, progress)
    curve = functools.partial(_curve, bench, aim)
    if out is not None:
        made_of = (_VERSION, one.fingerprint, hash_of_contents(paths), bench.measures_lite0)
        bench.remember(scores_file(Path(out), one.name, " ".join(map(str, made_of)), "sweep.json"))

    def trace(size: int, values: Sequence[float]) -> list[Row]:
        rows: list[Row] = []
        for temperature in values:
            rows += curve(functools.partial(Setting, size, temperature), sorted(vividness), rival=False)
        return rows + curve(functools.partial(Setting, size, 1.0, 0.0), sorted(gains), rival=True)

    first, *others = dict.fromkeys(sizes or sizes_around(one.model))
    rows = trace(first, temperatures)
    best = choose_row(rows, aim, rival=False).setting.temperature
    for size in others:
        rows += trace(size, (best,))
    chosen, rival = choose_row(rows, aim, rival=False), choose_row(rows, aim, rival=True)
    return Sweep(one.name, split, len(paths), bench.colorfulness, rows, chosen, rival, bench.missing)


def sizes_around(model: ColorizationModel) -> list[int]:
    """Working sizes worth a try: the model's own, then 3/4 and 4/3 of it, as multiples of its stride."""
    stride = model.network.stride
    sizes = [max(2, round(model.size * factor / stride)) * stride for factor in _SIZES]
    return [model.size, *sizes[1:]]


def choose_row(rows: Sequence[Row], aim: float = 0.0, *, rival: bool) -> Row:
    """Picks defaults: of those as colorful as wanted (within 0.5) the one with the lowest FD-grid.

    Args:
        rows: of a sweep.
        aim: the ΔCF that is wanted.
        rival: whether to pick among the chroma gains, or among the others.

    Returns:
        The row; if none is colorful enough or all are too much so, the nearest to that.
    """
    candidates = [row for row in rows if row.rival == rival]
    matched = [row for row in candidates if abs(row.delta_colorfulness - aim) <= MATCHED]
    if matched:
        return min(matched, key=lambda row: row.fd_grid)
    return min(candidates, key=lambda row: abs(row.delta_colorfulness - aim))


def _curve(
    bench: "_Bench", aim: float, setting: Callable[[float], Setting], values: Sequence[float], *, rival: bool
) -> list[Row]:
    """Measures a knob's values, and then those between them where colorfulness crosses what is aimed at."""

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
    """Holds the pictures and the network's distributions, and measures settings."""

    def __init__(
        self,
        model: ColorizationModel,
        head: DistributionHead,
        paths: Sequence[Path],
        lite0: bool,
        progress: Progress | None,
    ) -> None:
        self._model, self._head, self._progress = model, head, progress
        # As bytes, which is what they were in the file: a quarter of the memory.
        self._pictures = torch.cat(
            [(255 * batch).round().byte() for batch in protocol_of(PROTOCOL).batches(paths, _BATCH)]
        )
        self.missing = "" if lite0 else "it was not asked for"
        self._network = None
        if lite0:
            try:
                self._network = load_lite0()
            except WeightsError as error:
                self.missing = str(error)
                _LOG.warning("FD-lite0 is left out: %s", error)
        self._known: dict[tuple[Setting, bool], Row] = {}
        self._file: Path | None = None
        self._size = 0
        self._seen: list[tuple[Tensor, Tensor]] = []
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

    def remember(self, path: Path) -> None:
        """Takes the rows of an earlier run from a file, and keeps those to come in it."""
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
        """Judges a setting, or finds what was stored of it."""
        key = (setting, rival)
        if key not in self._known:
            if self._size != setting.size:
                self._look(setting.size)
            self._known[key] = self._measure(setting, rival)
            if self._file is not None:
                write_atomically(self._file, json.dumps([asdict(row) for row in self._known.values()]).encode())
        return self._known[key]

    @torch.no_grad()
    def _look(self, size: int) -> None:
        """Runs the network at a working size and keeps L and distributions, these as half-precision logarithms."""
        self._seen, self._size = [], size
        for _, truth in self._truth(f"network at {size} px"):
            small = lightness_at_working_size(self._model, rgb_to_lab(truth), size)
            self._seen.append((small, log_of(self._model.predict_distribution(small)).half()))

    @torch.no_grad()
    def _measure(self, setting: Setting, rival: bool) -> Row:
        """Decodes the distributions and judges the pictures that come out."""
        columns: dict[str, list[Tensor]] = {"psnr": [], "colorfulness": [], "grid": [], "lite0": []}
        doing = ", ".join(f"{knob} {value:g}" for knob, value in vars(setting).items())
        for (rows, truth), (small, log_p) in zip(self._truth(doing), self._seen, strict=True):
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
