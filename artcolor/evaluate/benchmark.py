"""Evaluates models and trivial baselines on the same pictures."""

import hashlib
import io
import logging
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from artcolor.color.lab import rgb_to_lab
from artcolor.data.dataset import hash_of_contents
from artcolor.engine.colorizer import Colorizer
from artcolor.errors import ConfigError, WeightsError
from artcolor.evaluate import calibration, metrics
from artcolor.evaluate.frechet import frechet_distance, grid_features_of_ab, lite0_features
from artcolor.evaluate.page import write_page
from artcolor.evaluate.predictors import ModelPredictor, Predictor, baselines, device_of, predictor_of
from artcolor.evaluate.protocol import Protocol, choose, protocol_of, sources_of
from artcolor.evaluate.reference import Reference, load_reference
from artcolor.evaluate.results import Array, Results, Scores, Truth
from artcolor.files import write_atomically
from artcolor.images import open_rgb
from artcolor.models.base import ColorizationModel
from artcolor.models.efficientnet import EfficientNetLite0
from artcolor.models.lite0 import load_lite0

_LOG = logging.getLogger(__name__)

# Part of every key: raise it when a metric or the decoding of pictures changes, so that stored scores are discarded.
_VERSION = 4
_BATCH = 8
_TIMED = 20
_HUES = 36

Progress = Callable[[str, int, int], None]
"""Receives the name of a predictor, the number of pictures done, and the total."""


def evaluate(
    models: Sequence[str | Path | ColorizationModel],
    data: str | Path,
    *,
    split: str = "test",
    protocol: str = "paintings-whole",
    out: str | Path | None = None,
    limit: int | None = None,
    seconds: bool = True,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Results:
    """Evaluates models and the trivial baselines.

    Args:
        models: models, or their names (see `artcolor.evaluate.predictors.predictor_of`).
        data: folder of a data set.
        split: `"train"`, `"val"` or `"test"`.
        protocol: name of a protocol: `"paintings-whole"`, `"paintings-256"`, `"report-200"` or `"report-128"`.
        out: folder for results and stored scores, which are reused; `None` writes nothing.
        limit: use only this many pictures of a fixed shuffle; `None` uses all.
        seconds: measure the time from gray file to colored file, on 20 pictures.
        device: device for models that are loaded by name.
        progress: called after each batch.

    Returns:
        The scores of all models and baselines.

    Raises:
        ConfigError: a model, setting or protocol is unknown, two models have the same name, `out` cannot be created, or
            the extra `evaluate` is not installed.
        DataError: there are too few pictures, or one of them cannot be read.
        WeightsError: the weights of a model are damaged or missing.

    Example:
        >>> results = evaluate(["unet", "cnn:vividness=0"], "art", limit=50)  # doctest: +SKIP
        >>> results.interval("unet", "psnr").mean  # doctest: +SKIP
        24.1
    """
    rules, reference = protocol_of(protocol), load_reference()
    paths = choose(data, split, limit)
    predictors = baselines(reference) + [predictor_of(model, reference, device) for model in models]
    names = [predictor.name for predictor in predictors]
    if len(set(names)) < len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise ConfigError(f"duplicate model names: {', '.join(repeated)}. Give each model a different name.")
    folder = None if out is None else Path(out)
    evaluator = Evaluator(rules, paths, reference, folder, progress)
    results = Results(
        protocol,
        [path.name for path in paths],
        evaluator.truth,
        {predictor.name: evaluator.scores(predictor, seconds=seconds) for predictor in predictors},
        evaluator.missing,
        sources_of(data, paths),
    )
    if folder is not None:
        results.save(folder)
        write_page(results, predictors, paths, rules, folder / "report.html")
    return results


class Evaluator:
    """Evaluates predictors on the same pictures, one predictor at a time, and stores their scores.

    Args:
        protocol: protocol by which pictures are read.
        paths: paths of the pictures.
        reference: reference whose codebook is used for all predictors.
        folder: folder of results, whose subfolder `scores` holds the stored scores; `None` stores nothing.
        progress: called after each batch.

    Attributes:
        truth: statistics of the true pictures.
        missing: metric → why it is unavailable.
    """

    def __init__(
        self,
        protocol: Protocol,
        paths: Sequence[Path],
        reference: Reference,
        folder: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.protocol, self.paths, self.reference = protocol, paths, reference
        self._folder, self._progress = folder, progress
        self.missing: dict[str, str] = {}
        self._lite0: EfficientNetLite0 | None = None
        try:
            self._lite0 = load_lite0()
        except WeightsError as error:
            self.missing["fd_lite0"] = str(error)
            _LOG.warning("FD-lite0 is skipped: %s", error)
        made_of = (_VERSION, protocol, hash_of_contents(paths), reference.fingerprint, sorted(self.missing))
        self._key = " ".join(map(str, made_of))
        self.truth = self._truth()

    def scores(self, predictor: Predictor, *, seconds: bool) -> Scores:
        """Evaluates a predictor, or loads its stored scores.

        Args:
            predictor: predictor to evaluate.
            seconds: also measure the time per picture; baselines are not timed.

        Returns:
            The scores of the predictor.
        """
        timed = seconds and isinstance(predictor, ModelPredictor)
        path = self._file(predictor.name, f"{predictor.fingerprint} {timed}")
        if path is not None and path.exists():
            _LOG.info("%s: using the stored scores in %s", predictor.name, path)
            return _load_scores(path)
        scores = self._evaluate(predictor)
        if timed:
            assert isinstance(predictor, ModelPredictor)
            scores.table["seconds"] = np.full(len(self.paths), np.nan)
            measured = seconds_from_file_to_file(predictor, self.paths[:_TIMED])
            scores.table["seconds"][: len(measured)] = measured
        if path is not None:
            columns = {f"table.{name}": column for name, column in scores.table.items()}
            others = {name: value for name, value in vars(scores).items() if name != "table"}
            _save_arrays(path, columns | others)
        return scores

    def _file(self, name: str, key: str) -> Path | None:
        if self._folder is None:
            return None
        return scores_file(self._folder, name, f"{self._key} {key}", "npz")

    def _truth(self) -> Truth:
        path = self._file("truth", "")
        if path is not None and path.exists():
            with np.load(path) as stored:
                return Truth(**stored)
        features = _SetFeatures(self._lite0)
        colorfulness = []
        for batch in self._batches("truth"):
            colorfulness.append(metrics.colorfulness(batch))
            features.add(batch)
        truth = Truth(_array(torch.cat(colorfulness)), _array(features.hue), features.grid(), features.lite0())
        if path is not None:
            _save_arrays(path, vars(truth))
        return truth

    @torch.no_grad()
    def _evaluate(self, predictor: Predictor) -> Scores:
        codebook = self.reference.codebook
        columns: dict[str, list[Tensor]] = {}
        counts: list[Tensor] = []
        features = _SetFeatures(self._lite0)
        for truth in self._batches(predictor.name):
            lab = rgb_to_lab(truth)
            output = predictor.predict(lab)
            picture = output.picture(lab[:, :1], self.protocol)
            features.add(picture)
            row = metrics.all_metrics(picture, truth, codebook)
            row["delta_colorfulness"] = row["colorfulness"] - metrics.colorfulness(truth)
            if output.probabilities is not None and output.centers is not None:
                row["nll"] = calibration.nll(output.probabilities, output.centers, truth, codebook)
                counts.append(calibration.calibration(output.probabilities, output.centers, truth, codebook))
            for name, values in row.items():
                columns.setdefault(name, []).append(values)
        n = len(self.paths)
        distance = frechet_distance(torch.from_numpy(features.grid()), torch.from_numpy(self.truth.grid))
        lite0 = float("nan")
        if self._lite0 is not None:
            lite0 = frechet_distance(torch.from_numpy(features.lite0()), torch.from_numpy(self.truth.lite0))
        return Scores(
            {name: _array(torch.cat(values)) for name, values in columns.items()},
            _array(torch.cat(counts)) if counts else np.zeros((n, 3, calibration.CONFIDENCE_BINS)),
            _array(features.hue),
            distance,
            lite0,
        )

    def _batches(self, name: str) -> Iterator[Tensor]:
        done = 0
        for batch in self.protocol.batches(self.paths, _BATCH):
            yield batch
            done += len(batch)
            if self._progress is not None:
                self._progress(name, done, len(self.paths))


def scores_file(out: Path, name: str, key: str, suffix: str) -> Path:
    """Returns the path of a file of stored scores, and creates its folder, `out/scores`.

    Args:
        out: folder of all results.
        name: readable part of the file name.
        key: everything that the scores depend on; its hash is part of the file name.
        suffix: suffix of the file, without the leading dot.

    Raises:
        ConfigError: the folder cannot be created.
    """
    folder = out / "scores"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder {folder} cannot be created: {error}. Choose another --out.") from error
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return folder / f"{re.sub(r'[^A-Za-z0-9]+', '-', name)[-60:]}.{digest}.{suffix}"


class _SetFeatures:
    """Accumulates the features by which sets of pictures are compared."""

    def __init__(self, network: EfficientNetLite0 | None) -> None:
        self._network = network
        self._grid: list[Tensor] = []
        self._lite0: list[Tensor] = []
        self.hue = torch.zeros(_HUES, dtype=torch.float64)

    def add(self, pictures: Tensor) -> None:
        ab = rgb_to_lab(pictures)[:, 1:]
        self._grid.append(grid_features_of_ab(ab))
        if self._network is not None:
            self._lite0.append(lite0_features(pictures, self._network))
        degrees = torch.rad2deg(torch.atan2(ab[:, 1], ab[:, 0])) % 360
        sector = (degrees / (360 / _HUES)).long().clamp(max=_HUES - 1).flatten()
        self.hue.index_add_(0, sector, ab.square().sum(1).sqrt().flatten().double())

    def grid(self) -> Array:
        return _array(torch.cat(self._grid))

    def lite0(self) -> Array:
        return _array(torch.cat(self._lite0)) if self._lite0 else np.zeros((len(self.grid()), 0))


def _array(tensor: Tensor) -> Array:
    values: Array = tensor.double().numpy()
    return values


def _save_arrays(path: Path, arrays: Mapping[str, Array | float]) -> None:
    data = io.BytesIO()
    np.savez_compressed(data, **arrays)  # type: ignore[arg-type]
    write_atomically(path, data.getvalue())


def _load_scores(path: Path) -> Scores:
    with np.load(path) as stored:
        table = {name.removeprefix("table."): stored[name] for name in stored if name.startswith("table.")}
        return Scores(table, stored["calibration"], stored["hue"], float(stored["fd_grid"]), float(stored["fd_lite0"]))


def seconds_from_file_to_file(predictor: ModelPredictor, paths: Sequence[Path]) -> list[float]:
    """Measures the time per picture of a model: read a gray file, colorize, write a PNG.

    Args:
        predictor: model and settings to time.
        paths: paths of the pictures, whose gray copies are colorized one at a time.

    Returns:
        Seconds for each picture; a warm-up run on the first picture is not counted.
    """
    decoding = predictor.settings.decoding
    colorizer = Colorizer(
        predictor.model,
        vividness=decoding.vividness,
        temperature=decoding.temperature,
        strength=decoding.strength,
        size=predictor.settings.size,
        device=str(device_of(predictor.model)),
    )
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        gray, target = Path(folder) / "gray.png", Path(folder) / "color.png"
        for number, path in enumerate((paths[0], *paths)):
            Image.fromarray(open_rgb(path)).convert("L").save(gray)
            start = time.perf_counter()
            colorizer(gray).save(target)
            if number > 0:
                seconds.append(time.perf_counter() - start)
    return seconds
