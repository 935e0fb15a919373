"""The outcome of a benchmark: a table of pictures × metrics for each model, and all that is read from it."""

import csv
import functools
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from artcolor.errors import ConfigError
from artcolor.evaluate import calibration
from artcolor.files import write_atomically

Array = npt.NDArray[np.float64]

_RESAMPLES = 2000
_LEVEL = (2.5, 97.5)


@dataclass(frozen=True)
class Metric:
    """How a metric is shown.

    Attributes:
        label: in tables.
        better: which direction is better; `None` where neither is.
        digits: after the point.
    """

    label: str
    better: Literal["low", "high", "zero"] | None
    digits: int


METRICS = {
    "mse": Metric("MSE", "low", 5),
    "psnr": Metric("PSNR", "high", 2),
    "ssim": Metric("SSIM", "high", 4),
    "abrmse": Metric("abRMSE", "low", 2),
    "auc": Metric("AuC", "high", 2),
    "auc_rebalanced": Metric("AuC-rebalanced", "high", 2),
    "delta_e": Metric("ΔE00", "low", 2),
    "colorfulness": Metric("CF", None, 2),
    "delta_colorfulness": Metric("ΔCF", "zero", 2),
    "fd_grid": Metric("FD-grid", "low", 1),
    "fd_lite0": Metric("FD-lite0", "low", 2),
    "nll": Metric("NLL", "low", 3),
    "ece": Metric("ECE", "low", 4),
    "seconds": Metric("s/picture", "low", 3),
}
"""All metrics, in the order of every table."""

_SET_DISTANCES = ("fd_grid", "fd_lite0")


@dataclass(frozen=True)
class Interval:
    """A figure with its bootstrap 95 % interval; `None` where there is none.

    Attributes:
        mean: the figure over all pictures.
        low: 2.5 % of the resamples lie below.
        high: 2.5 % of the resamples lie above.
    """

    mean: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Scores:
    """What one model achieved.

    Attributes:
        table: metric → `(n,)`, one number a picture; NaN where a picture was not measured.
        calibration: `(n, 3, 15)`, see `calibration.calibration`; zeros for models without a distribution.
        hue: `(36,)`, sum of chroma over all pixels in each 10° of hue.
        fd_grid: Fréchet distance.
        fd_lite0: Fréchet distance; NaN without the network.
    """

    table: dict[str, Array]
    calibration: Array
    hue: Array
    fd_grid: float
    fd_lite0: float


@dataclass(frozen=True)
class Truth:
    """What the true pictures are like.

    Attributes:
        colorfulness: `(n,)`.
        hue: `(36,)`, as in `Scores`.
        grid: `(n, 64)`, see `frechet.grid_features`.
        lite0: `(n, 1280)`, see `frechet.lite0_features`; `(n, 0)` without the network.
    """

    colorfulness: Array
    hue: Array
    grid: Array
    lite0: Array


@functools.lru_cache(maxsize=2)
def _resamples(n: int) -> npt.NDArray[np.float32]:
    """How often each of n pictures is drawn in each resample, divided by n: `(2000, n)`, always the same."""
    rng = np.random.default_rng(0)
    drawn = [np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(_RESAMPLES)]
    return np.asarray(drawn, dtype=np.float32) / np.float32(n)


Statistic = Callable[[Array], Array]
"""From weights of pictures `(B, n)`, each row summing to 1, to the statistic `(B,)`."""


def _bootstrap(statistic: Statistic, n: int) -> Interval:
    whole = float(statistic(np.full((1, n), 1 / n))[0])
    if not math.isfinite(whole):
        return Interval(None)
    low, high = np.percentile(statistic(_resamples(n).astype(np.float64)), _LEVEL)
    return Interval(whole, float(low), float(high))


def _statistic(scores: Scores, metric: str) -> tuple[Statistic, npt.NDArray[np.bool_]]:
    """How a metric comes from weights, and for which pictures it is known."""
    if metric == "ece":
        known = scores.calibration.sum((1, 2)) > 0
        counts = scores.calibration[known]

        def expected_error(weights: Array) -> Array:
            summed = (weights @ counts.reshape(len(counts), -1)).reshape(len(weights), *counts.shape[1:])
            error: Array = calibration.ece(torch.from_numpy(summed)).numpy()
            return error

        return expected_error, known
    column = scores.table.get(metric, np.full(len(scores.calibration), np.nan))
    known = ~np.isnan(column)
    values = column[known]
    if metric == "abrmse":
        return lambda weights: np.sqrt(weights @ values**2), known
    return lambda weights: weights @ values, known


@dataclass(frozen=True)
class Results:
    """What models achieved on the same pictures.

    Attributes:
        protocol: name of the protocol.
        pictures: names of the pictures.
        truth: what the true pictures are like.
        models: name → scores, baselines first.
        missing: metric → why no model has it.
    """

    protocol: str
    pictures: Sequence[str]
    truth: Truth
    models: Mapping[str, Scores]
    missing: Mapping[str, str]

    @property
    def n(self) -> int:
        """How many pictures."""
        return len(self.pictures)

    def interval(self, model: str, metric: str) -> Interval:
        """A model's figure with its interval.

        The Fréchet distances have none: resampling repeats pictures, which biases them.

        Args:
            model: one of `models`.
            metric: one of `METRICS`.

        Raises:
            ConfigError: there is no such model or metric.
        """
        scores = self._scores(model)
        if metric not in METRICS:
            raise ConfigError(f"there is no metric {metric!r}. There are: {', '.join(METRICS)}.")
        if metric in _SET_DISTANCES:
            value = float(getattr(scores, metric))
            return Interval(value if math.isfinite(value) else None)
        statistic, known = _statistic(scores, metric)
        return _bootstrap(statistic, int(known.sum())) if known.any() else Interval(None)

    def compare(self, first: str, second: str, metric: str) -> Interval:
        """The difference `first − second` by a paired bootstrap: both are resampled with the same pictures.

        Args:
            first: one of `models`.
            second: another one.
            metric: one of `METRICS`, but not a Fréchet distance.

        Raises:
            ConfigError: there is no such model, or the metric cannot be paired.
        """
        if metric not in METRICS or metric in _SET_DISTANCES:
            raise ConfigError(f"{metric!r} cannot be compared picture by picture")
        one, known_one = _statistic(self._scores(first), metric)
        two, known_two = _statistic(self._scores(second), metric)
        if not known_one.any() or not np.array_equal(known_one, known_two):
            return Interval(None)
        return _bootstrap(lambda weights: one(weights) - two(weights), int(known_one.sum()))

    def _scores(self, model: str) -> Scores:
        try:
            return self.models[model]
        except KeyError:
            raise ConfigError(f"{model!r} was not judged. Judged were: {', '.join(self.models)}.") from None

    def to_json(self) -> dict[str, Any]:
        """All figures: `{"protocol", "n", "models": {name: {metric: {"mean", "low", "high"}}}}`.

        Every model has every metric; what does not exist is `None`.
        """
        return {
            "protocol": self.protocol,
            "n": self.n,
            "models": {
                model: {metric: vars(self.interval(model, metric)) for metric in METRICS} for model in self.models
            },
        }

    def to_markdown(self) -> str:
        """The table that people read: figures with half the width of their interval."""
        lines = [
            f"{self.protocol}, n = {self.n}; ± is half of the bootstrap 95 % interval. "
            f"CF of the true pictures: {self.truth.colorfulness.mean():.2f}.",
            "",
            "| model | " + " | ".join(heading(metric) for metric in METRICS.values()) + " |",
            "|---|" + "---|" * len(METRICS),
        ]
        for model in self.models:
            cells = [cell(self.interval(model, key), metric.digits) for key, metric in METRICS.items()]
            lines.append(f"| `{model}` | " + " | ".join(cells) + " |")
        lines += [f"\n{METRICS[metric].label} is missing: {why}" for metric, why in self.missing.items()]
        return "\n".join(lines) + "\n"

    def to_csv(self) -> str:
        """One line for each model and picture."""
        columns = [metric for metric in METRICS if metric not in (*_SET_DISTANCES, "ece")]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["model", "picture", *columns])
        for model, scores in self.models.items():
            for row, picture in enumerate(self.pictures):
                values = (scores.table[c][row] if c in scores.table else math.nan for c in columns)
                writer.writerow([model, picture, *("" if math.isnan(v) else f"{v:.6g}" for v in values)])
        return text.getvalue()

    def save(self, folder: Path) -> None:
        """Writes `results.json`, `results.md` and `pictures.csv` into a folder."""
        text = json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomically(folder / "results.json", text.encode())
        write_atomically(folder / "results.md", self.to_markdown().encode())
        write_atomically(folder / "pictures.csv", self.to_csv().encode())


def heading(metric: Metric) -> str:
    """A metric's label with the direction that is better."""
    return metric.label + {"low": " ↓", "high": " ↑", "zero": " → 0", None: ""}[metric.better]


def cell(interval: Interval, digits: int) -> str:
    """A figure with half the width of its interval, as `23.60 ± 0.35`; a dash where there is none.

    Args:
        interval: the figure.
        digits: after the point.
    """
    if interval.mean is None:
        return "–"
    text = f"{interval.mean:.{digits}f}"
    if interval.low is None or interval.high is None:
        return text
    return f"{text} ± {(interval.high - interval.low) / 2:.{digits}f}"
