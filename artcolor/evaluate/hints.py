"""Measures the effect of hints: accuracy by number of hints, compared with simpler ways to spread colors.

Hints are true colors of single cells of the grid of a model's output.
"""

import copy
import dataclasses
import itertools
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from artcolor.color.isolation import isolated
from artcolor.color.lab import rgb_to_lab
from artcolor.color.transforms import JoinChroma
from artcolor.engine.hints import Hint
from artcolor.engine.observations import enforce, observe
from artcolor.engine.suggest import most_helpful_cells
from artcolor.errors import ConfigError
from artcolor.evaluate import metrics
from artcolor.evaluate.frechet import frechet_distance, grid_features_of_ab
from artcolor.evaluate.predictors import ModelPredictor, lightness_at_working_size, predictor_of
from artcolor.evaluate.protocol import choose, protocol_of
from artcolor.evaluate.reference import load_reference
from artcolor.evaluate.spreading import RIVALS
from artcolor.evaluate.wrong_hint import hint_at, share_inside, wrong_hint
from artcolor.models.base import ColorizationModel, Features
from artcolor.models.conditioning import kernel_of
from artcolor.models.guidance import Guidance, Prediction
from artcolor.models.spread import Observations

__all__ = ["COUNTS", "HintResults", "HintRow", "WrongHintRow", "evaluate_hints"]

COUNTS = (0, 1, 2, 5, 10, 20, 50, 100)
"""Default numbers of hints."""

UNTRAINED = "untrained"
"""Name of the model with an untrained kernel; see `artcolor.models.kernel.UntrainedKernel`."""

# A difference that can just be noticed (Mahy et al. 1994).
_NOTICEABLE = 2.3
# Nobody asks for more places at once, and each takes time to find.
_MOST_CHOSEN = 10
_RIGHT_BESIDE_WRONG = (0, 10)


@dataclass(frozen=True)
class HintRow:
    """The figures of one way to follow one number of hints.

    Attributes:
        method: name of the model, `"untrained"` (the same model with an untrained kernel), `"levin"` or `"nearest"`.
        places: `"random"`, or `"uncertain"`: where the model expects that hints help most.
        count: number of hints.
        psnr: mean PSNR over pictures, in decibels.
        gain: mean gain in PSNR over the model without hints, in decibels.
        abrmse: root of the mean over pictures of Δa² + Δb², in Lab units.
        changed: share of the pixels whose chroma differs from that without hints by more than 2.3, in percent.
        delta_colorfulness: mean colorfulness minus that of the true pictures.
        fd_grid: Fréchet distance of `frechet.grid_features`.
    """

    method: str
    places: str
    count: int
    psnr: float
    gain: float
    abrmse: float
    changed: float
    delta_colorfulness: float
    fd_grid: float


@dataclass(frozen=True)
class WrongHintRow:
    """Where one wrong hint changes the colors of a picture.

    The hint is a point with the wrong color that `wrong_hint.wrong_hint` chooses. The share inside is Σ‖Δab‖ over the
    pixels of its segment, divided by Σ‖Δab‖ over all pixels; Δab is the difference from the picture without this hint.

    Attributes:
        method: name of the model, or `"untrained"`.
        right: number of other hints, of true colors at random places.
        n: number of pictures; those without a suitable place are left out.
        mean: mean share inside, in percent.
        median: median share inside, in percent.
        area: mean share of the pixels that belong to the segment, in percent: the share inside of a change that is
            the same everywhere.
    """

    method: str
    right: int
    n: int
    mean: float
    median: float
    area: float


@dataclass(frozen=True)
class HintResults:
    """The outcome of `evaluate_hints`.

    Attributes:
        model: name of the model.
        protocol: name of the protocol.
        split: split of the data set.
        n: number of pictures.
        rows: figures of each method for each number of hints.
        wrong: figures of one wrong hint.
    """

    model: str
    protocol: str
    split: str
    n: int
    rows: Sequence[HintRow]
    wrong: Sequence[WrongHintRow]

    def row(self, count: int, method: str | None = None, places: str = "random") -> HintRow:
        """Returns a row.

        Args:
            count: number of hints.
            method: name of the method; `None` is the model.
            places: `"random"` or `"uncertain"`.

        Raises:
            ConfigError: it was not measured.
        """
        key = (self.model if method is None else method, places, count)
        for row in self.rows:
            if (row.method, row.places, row.count) == key:
                return row
        raise ConfigError(f"{key[0]!r} was not measured with {count} hints at {places} places")


def evaluate_hints(
    model: str | Path | ColorizationModel,
    data: str | Path,
    *,
    counts: Sequence[int] = COUNTS,
    split: str = "test",
    protocol: str = "paintings-256",
    limit: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> HintResults:
    """Measures a model with hints, and three simpler ways to spread their colors.

    The simpler ways are the model with an untrained kernel, Levin et al. 2004, and the color of the nearest hint; the
    last two replace the colors of the whole picture. Hints are the true mean colors of random cells of the grid of the
    model's output. The places depend only on the name of a picture's file and on the grid; fewer hints are the first of
    more. Up to 10 hints are also given at the places where the model expects that they help most.

    Args:
        model: a model, or its name with settings (see `artcolor.evaluate.predictors.predictor_of`).
        data: folder of a data set.
        counts: numbers of hints; 0 is always measured as well.
        split: `"train"`, `"val"` or `"test"`.
        protocol: name of the protocol by which pictures are read.
        limit: use only this many pictures of a fixed shuffle; `None` uses all.
        progress: called as `progress(description, done, total)` after each picture.

    Returns:
        The figures of all methods.

    Raises:
        ConfigError: a count is negative or larger than the number of cells, the protocol measures RGB, the model, a
            setting or the protocol is unknown, or the extra `evaluate` is not installed.
        DataError: there are too few pictures, or one of them cannot be read.
        WeightsError: the weights of the model are damaged or missing.

    Example:
        >>> found = evaluate_hints("unet:vividness=0", "art", counts=(0, 10), limit=50)  # doctest: +SKIP
        >>> found.row(10).gain  # doctest: +SKIP
        4.17
    """
    if not counts or min(counts) < 0:
        raise ConfigError(f"numbers of hints must be 0 or more, and at least one of them, not {list(counts)}")
    rules = protocol_of(protocol)
    if rules.own_rgb:
        raise ConfigError(f"{protocol} measures RGB; measure hints on paintings-256 or paintings-whole")
    predictor = predictor_of(model, load_reference())
    paths = choose(data, split, limit)
    bench = _Bench(predictor, sorted({0, *counts}))
    for done, path in enumerate(paths, start=1):
        bench.add(path, rules.read(path)[None])
        if progress is not None:
            progress(f"{predictor.name}, hints", done, len(paths))
    return HintResults(predictor.name, protocol, split, len(paths), bench.rows(), bench.wrong())


class _Bench:
    """Measures pictures one by one and collects their figures."""

    def __init__(self, predictor: ModelPredictor, counts: Sequence[int]) -> None:
        self._predictor, self._counts = predictor, counts
        self._models = {predictor.name: predictor.model}
        if predictor.model.kernel is not None:
            without = copy.deepcopy(predictor.model)
            without.kernel = None
            self._models[UNTRAINED] = without
        self._figures: dict[tuple[str, str, int], list[tuple[float, ...]]] = {}
        self._features: dict[tuple[str, str, int], list[Tensor]] = {}
        self._true_features: list[Tensor] = []
        self._wrong: dict[tuple[str, int], list[tuple[float, float]]] = {}

    @torch.no_grad()
    @isolated()
    def add(self, path: Path, truth: Tensor) -> None:
        """Measures a picture `(1, 3, H, W)`."""
        model, settings = self._predictor.model, self._predictor.settings
        lab = rgb_to_lab(truth)
        encoded = model.encode(lightness_at_working_size(model, lab, settings.size))
        # Each kernel keeps what it knows of the picture.
        features = {name: dataclasses.replace(encoded, embeddings={}) for name in self._models}
        plain = self._predict(self._predictor.name, features, None)
        grid = (plain.ab.shape[-2], plain.ab.shape[-1])
        cells = grid[0] * grid[1]
        if self._counts[-1] > cells:
            raise ConfigError(
                f"{self._counts[-1]} hints are too many: the output of {self._predictor.name} for {path} has {cells} "
                "cells, and each takes one hint"
            )
        order = torch.randperm(cells, generator=torch.Generator().manual_seed(zlib.crc32(path.name.encode())))
        base = _Picture(plain.ab, lab)
        self._true_features.append(grid_features_of_ab(lab[:, 1:]))
        small = F.interpolate(lab, grid, mode="area")
        for key, ab in self._colorings(features, plain, order, small):
            self._measure(key, _Picture(ab, lab), base, truth, lab)
        self._add_wrong(features, order, lab, small)

    def _predict(self, name: str, features: dict[str, Features], observations: Observations | None) -> Prediction:
        decoding = self._predictor.settings.decoding
        found = self._models[name].predict(features[name], Guidance(hints=observations), decoding)
        return dataclasses.replace(found, ab=found.ab.cpu())

    def _colorings(
        self, features: dict[str, Features], plain: Prediction, order: Tensor, small: Tensor
    ) -> Iterator[tuple[tuple[str, str, int], Tensor]]:
        """Yields method, places and number of hints, with the resulting chroma `(1, 2, h, w)`."""
        name, colors = self._predictor.name, small[:, 1:].flatten(2)[0].T
        yield (name, "random", 0), plain.ab
        counts = [count for count in self._counts if count]
        for count in counts:
            cells = order[:count]
            for each in self._models:
                yield (each, "random", count), self._predict(each, features, Observations(cells, colors[cells])).ab
            for each, spread in RIVALS.items():
                yield (each, "random", count), spread(small[:, :1], cells, colors[cells])
        chosen = [count for count in counts if count <= _MOST_CHOSEN]
        if chosen:
            model = self._predictor.model
            assert plain.raw is not None
            embedding = model.embedding(features[name], plain.raw)
            helpful = torch.tensor(most_helpful_cells(kernel_of(model), embedding, None, chosen[-1]))
            for count in chosen:
                cells = helpful[:count]
                observations = Observations(cells, colors[cells])
                yield (name, "uncertain", count), self._predict(name, features, observations).ab

    def _measure(
        self, key: tuple[str, str, int], picture: "_Picture", base: "_Picture", truth: Tensor, lab: Tensor
    ) -> None:
        psnr, before = (float(metrics.psnr(each.rgb, truth)) for each in (picture, base))
        squared = float((picture.ab - lab[:, 1:]).square().sum(1).mean())
        changed = ((picture.ab - base.ab).norm(dim=1) > _NOTICEABLE).float().mean()
        colorfulness = metrics.colorfulness(picture.rgb) - metrics.colorfulness(truth)
        figures = (psnr, psnr - before, squared, 100 * float(changed), float(colorfulness))
        self._figures.setdefault(key, []).append(figures)
        self._features.setdefault(key, []).append(grid_features_of_ab(picture.ab))

    def _add_wrong(self, features: dict[str, Features], order: Tensor, lab: Tensor, small: Tensor) -> None:
        size, grid = ((each.shape[-2], each.shape[-1]) for each in (lab, small))
        wrong = wrong_hint(lab, grid, order)
        if wrong is None:
            return

        def picture(name: str, hints: list[Hint]) -> _Picture:
            ab = self._predict(name, features, observe(hints, grid)).ab
            # As when a person points there: the colors are met exactly.
            return _Picture(enforce(ab, hints, size), lab)

        for count, name in itertools.product(_RIGHT_BESIDE_WRONG, self._models):
            right = [hint_at(cell, grid, small[0, 1:].flatten(1)[:, cell]) for cell in order[:count].tolist()]
            before, after = picture(name, right), picture(name, [*right, wrong.hint])
            inside = share_inside(before.ab, after.ab, wrong.segment)
            self._wrong.setdefault((name, count), []).append((inside, float(wrong.segment.float().mean())))

    def rows(self) -> list[HintRow]:
        """Averages the figures over pictures."""
        truth, found = torch.cat(self._true_features), []
        for (method, places, count), figures in self._figures.items():
            psnr, gain, squared, changed, delta = np.mean(figures, axis=0).tolist()
            distance = frechet_distance(torch.cat(self._features[method, places, count]), truth)
            found.append(HintRow(method, places, count, psnr, gain, squared**0.5, changed, delta, distance))
        return found

    def wrong(self) -> list[WrongHintRow]:
        """Averages the shares of wrong hints over pictures."""
        found = []
        for (method, right), shares in self._wrong.items():
            inside, area = 100 * np.array(shares, dtype=float).reshape(-1, 2).T
            known = np.isfinite(inside)
            if known.any():
                figures = (np.mean(inside[known]), np.median(inside[known]), np.mean(area[known]))
                found.append(WrongHintRow(method, right, int(known.sum()), *map(float, figures)))
        return found


class _Picture:
    """A colored picture: chroma `(1, 2, h, w)` joined with true lightness."""

    def __init__(self, ab: Tensor, lab: Tensor) -> None:
        self.rgb: Tensor = JoinChroma(ab, lab.shape[-2], lab.shape[-1])(lab[:, :1])
        self.ab = rgb_to_lab(self.rgb)[:, 1:]
