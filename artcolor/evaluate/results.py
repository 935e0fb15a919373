"""Results of a benchmark: a table of pictures × metrics for each model, with intervals and comparisons."""

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
from artcolor.evaluate.protocol import by_source
from artcolor.files import write_atomically

Array = npt.NDArray[np.float64]

_RESAMPLES = 2000
_LEVEL = (2.5, 97.5)


@dataclass(frozen=True)
class Metric:
    """How a metric is displayed.

    Attributes:
        label: label in tables.
        better: direction that is better; `None` if neither is.
        digits: number of decimals.
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
    "hot_spots": Metric("hot spots, %", "low", 2),
    "fd_grid": Metric("FD-grid", "low", 1),
    "fd_lite0": Metric("FD-lite0", "low", 2),
    "nll": Metric("NLL", "low", 3),
    "ece": Metric("ECE", "low", 4),
    "seconds": Metric("s/picture", "low", 3),
}
"""All metrics, in the order of the tables."""

_OF_SOURCES = ("psnr", "abrmse", "colorfulness", "delta_colorfulness")
_SET_DISTANCES = ("fd_grid", "fd_lite0")


@dataclass(frozen=True)
class Interval:
    """A figure with its bootstrap 95% interval.

    Attributes:
        mean: figure over all pictures; `None` if the metric does not apply.
        low: lower bound, the 2.5th percentile of the resamples; `None` if there is no interval.
        high: upper bound, the 97.5th percentile of the resamples; `None` if there is no interval.
    """

    mean: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Scores:
    """The scores of one model or baseline.

    Attributes:
        table: metric → `(n,)`, one value per picture; NaN where a picture was not measured.
        calibration: `(n, 3, 15)`, histograms from `calibration.calibration`; zeros without a distribution.
        hue: `(36,)`, sum of chroma over all pixels in each 10° of hue.
        fd_grid: Fréchet distance of `frechet.grid_features`.
        fd_lite0: Fréchet distance of `frechet.lite0_features`; NaN if the network is not installed.
    """

    table: dict[str, Array]
    calibration: Array
    hue: Array
    fd_grid: float
    fd_lite0: float


@dataclass(frozen=True)
class Truth:
    """Statistics of the true pictures.

    Attributes:
        colorfulness: `(n,)`, colorfulness of each picture.
        hue: `(36,)`, sum of chroma over all pixels in each 10° of hue.
        grid: `(n, 64)`, features from `frechet.grid_features`.
        lite0: `(n, 1280)`, features from `frechet.lite0_features`; `(n, 0)` if the network is not installed.
    """

    colorfulness: Array
    hue: Array
    grid: Array
    lite0: Array


@functools.lru_cache(maxsize=2)
def _resamples(n: int) -> npt.NDArray[np.float32]:
    """Returns the weights of n pictures in each of 2000 fixed resamples: `(2000, n)`, rows summing to 1."""
    rng = np.random.default_rng(0)
    drawn = [np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(_RESAMPLES)]
    return np.asarray(drawn, dtype=np.float32) / np.float32(n)


Statistic = Callable[[Array], Array]
"""Maps weights of pictures `(B, n)`, each row summing to 1, to a statistic `(B,)`."""


def _bootstrap(statistic: Statistic, n: int) -> Interval:
    whole = float(statistic(np.full((1, n), 1 / n))[0])
    if not math.isfinite(whole):
        return Interval(None)
    low, high = np.percentile(statistic(_resamples(n).astype(np.float64)), _LEVEL)
    return Interval(whole, float(low), float(high))


def _check_metric(metric: str) -> None:
    if metric not in METRICS:
        raise ConfigError(f"unknown metric {metric!r}; the metrics are {', '.join(METRICS)}")


def _statistic(scores: Scores, metric: str) -> tuple[Statistic, npt.NDArray[np.bool_]]:
    """Returns the statistic of a metric, and a mask of the pictures for which it is known."""
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
    """The scores of models and baselines on the same pictures.

    Attributes:
        protocol: name of the protocol.
        pictures: file names of the pictures.
        truth: statistics of the true pictures.
        models: name → scores, baselines first.
        missing: metric → why it is unavailable for all models.
        sources: source of each picture, from `protocol.sources_of`; empty if unknown.
    """

    protocol: str
    pictures: Sequence[str]
    truth: Truth
    models: Mapping[str, Scores]
    missing: Mapping[str, str]
    sources: Sequence[str] = ()

    @property
    def n(self) -> int:
        """Number of pictures."""
        return len(self.pictures)

    def interval(self, model: str, metric: str) -> Interval:
        """Computes a figure of a model with its interval.

        Fréchet distances have no interval: resampling repeats pictures, which biases them.

        Args:
            model: a key of `models`.
            metric: a key of `METRICS`.

        Raises:
            ConfigError: there is no such model or metric.
        """
        scores = self._scores(model)
        _check_metric(metric)
        if metric in _SET_DISTANCES:
            value = float(getattr(scores, metric))
            return Interval(value if math.isfinite(value) else None)
        statistic, known = _statistic(scores, metric)
        return _bootstrap(statistic, int(known.sum())) if known.any() else Interval(None)

    def over_sources(self, model: str, metric: str) -> tuple[float, float] | None:
        """Computes the range of a figure over the sources of the pictures.

        Args:
            model: a key of `models`.
            metric: a key of `METRICS`.

        Returns:
            The lowest and the highest figure of a source; `None` if fewer than two sources have 20 pictures for which
            it is known and finite, or the metric is a Fréchet distance, which depends on the number of pictures.

        Raises:
            ConfigError: there is no such model or metric.
        """
        scores = self._scores(model)
        _check_metric(metric)
        if metric in _SET_DISTANCES:
            return None
        statistic, known = _statistic(scores, metric)
        groups = by_source([source for source, there in zip(self.sources, known, strict=False) if there])
        if len(groups) < 2:
            return None
        weights = np.zeros((len(groups), int(known.sum())))
        for row, numbers in zip(weights, groups.values(), strict=True):
            row[numbers] = 1 / len(numbers)
        # Zero times infinity, the PSNR of a perfect picture, is not a number.
        with np.errstate(invalid="ignore"):
            figures = statistic(weights)
        return (float(figures.min()), float(figures.max())) if np.isfinite(figures).all() else None

    def compare(self, first: str, second: str, metric: str) -> Interval:
        """Computes the difference `first − second` by a paired bootstrap, which resamples both alike.

        Args:
            first: a key of `models`.
            second: a key of `models`, whose figure is subtracted.
            metric: a key of `METRICS` other than a Fréchet distance.

        Returns:
            The mean difference with its interval; all `None` if the metric was not measured on the same pictures.

        Raises:
            ConfigError: there is no such model, or the metric has no value per picture.
        """
        if metric not in METRICS or metric in _SET_DISTANCES:
            raise ConfigError(f"{metric!r} cannot be compared per picture")
        one, known_one = _statistic(self._scores(first), metric)
        two, known_two = _statistic(self._scores(second), metric)
        if not known_one.any() or not np.array_equal(known_one, known_two):
            return Interval(None)
        return _bootstrap(lambda weights: one(weights) - two(weights), int(known_one.sum()))

    def _scores(self, model: str) -> Scores:
        try:
            return self.models[model]
        except KeyError:
            raise ConfigError(f"{model!r} was not evaluated; the models are {', '.join(self.models)}") from None

    def to_json(self) -> dict[str, Any]:
        """Returns all figures: `{"protocol", "n", "models": {name: {metric: {"mean", "low", "high"}}}}`.

        Every model has every metric; figures that do not apply are `None`. Where `over_sources` knows a range, a metric
        has `"source_low"` and `"source_high"`, too.
        """
        return {
            "protocol": self.protocol,
            "n": self.n,
            "models": {model: {metric: self._figure(model, metric) for metric in METRICS} for model in self.models},
        }

    def _figure(self, model: str, metric: str) -> dict[str, float | None]:
        figure: dict[str, float | None] = dict(vars(self.interval(model, metric)))
        spread = self.over_sources(model, metric)
        return figure if spread is None else figure | {"source_low": spread[0], "source_high": spread[1]}

    def to_markdown(self, metrics: Sequence[str] = tuple(METRICS)) -> str:
        """Formats the results as a Markdown table of figures with half the width of their interval.

        A second table shows the range over the sources of the pictures, if it is known.

        Args:
            metrics: the columns, keys of `METRICS`.
        """
        lines = [
            f"{self.protocol}, n = {self.n}; ± is half the width of the bootstrap 95% interval. "
            f"CF of the true pictures: {self.truth.colorfulness.mean():.2f}. "
            "FD depends on n: compare it at equal n only.",
            "",
            "| model | " + " | ".join(heading(METRICS[key]) for key in metrics) + " |",
            "|---|" + "---|" * len(metrics),
        ]
        for model in self.models:
            cells = [cell(self.interval(model, key), METRICS[key].digits) for key in metrics]
            lines.append(f"| `{model}` | " + " | ".join(cells) + " |")
        lines += self._sources_table()
        lines += [f"\n{METRICS[metric].label} is missing: {why}" for metric, why in self.missing.items()]
        return "\n".join(lines) + "\n"

    def _sources_table(self) -> list[str]:
        groups = by_source(self.sources)
        if len(groups) < 2:
            return []
        lines = [
            "",
            f"Lowest and highest figure of the {len(groups)} sources with at least 20 pictures:",
            "",
            "| model | " + " | ".join(METRICS[metric].label for metric in _OF_SOURCES) + " |",
            "|---|" + "---|" * len(_OF_SOURCES),
        ]
        for model in self.models:
            cells = []
            for metric in _OF_SOURCES:
                spread, digits = self.over_sources(model, metric), METRICS[metric].digits
                cells.append("–" if spread is None else f"{spread[0]:.{digits}f} to {spread[1]:.{digits}f}")
            lines.append(f"| `{model}` | " + " | ".join(cells) + " |")
        return lines

    def to_csv(self) -> str:
        """Formats the results as CSV, with one row per model and picture."""
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
        """Writes `results.json`, `results.md` and `pictures.csv`.

        Args:
            folder: existing output folder.
        """
        text = json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomically(folder / "results.json", text.encode())
        write_atomically(folder / "results.md", self.to_markdown().encode())
        write_atomically(folder / "pictures.csv", self.to_csv().encode())


def heading(metric: Metric) -> str:
    """Returns the label of a metric with an arrow toward better values."""
    return metric.label + {"low": " ↓", "high": " ↑", "zero": " → 0", None: ""}[metric.better]


def cell(interval: Interval, digits: int) -> str:
    """Formats a figure with half the width of its interval, as `23.60 ± 0.35`, or a dash if there is none.

    Args:
        interval: figure with its interval.
        digits: number of decimals.
    """
    if interval.mean is None:
        return "–"
    text = f"{interval.mean:.{digits}f}"
    if interval.low is None or interval.high is None:
        return text
    return f"{text} ± {(interval.high - interval.low) / 2:.{digits}f}"
