"""Runs models and trivial baselines over the same pictures and judges their colors."""

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
from torch import Tensor, nn

from artcolor.color.lab import rgb_to_lab
from artcolor.data.dataset import hash_of_contents
from artcolor.engine.colorizer import Colorizer
from artcolor.errors import ConfigError, WeightsError
from artcolor.evaluate import calibration, metrics
from artcolor.evaluate.frechet import frechet_distance, grid_features_of_ab, lite0_features
from artcolor.evaluate.page import write_report
from artcolor.evaluate.predictors import ModelPredictor, Predictor, baselines, device_of, predictor_of
from artcolor.evaluate.protocol import Protocol, choose, protocol_of
from artcolor.evaluate.reference import Reference, load_reference
from artcolor.evaluate.results import Array, Results, Scores, Truth
from artcolor.files import write_atomically
from artcolor.images import open_rgb
from artcolor.models.base import ColorizationModel
from artcolor.models.lite0 import load_lite0

_LOG = logging.getLogger(__name__)

# Part of every key: raise it when a metric's meaning changes, so that stored tables are made anew.
_VERSION = 2
_BATCH = 8
_TIMED = 20
_HUES = 36

Progress = Callable[[str, int, int], None]
"""Is told a model's name, how many pictures are done, and how many there are."""


def evaluate(
    models: Sequence[str | Path | ColorizationModel],
    data: str | Path,
    *,
    split: str = "test",
    protocol: str = "paintings-256",
    out: str | Path | None = None,
    limit: int | None = None,
    seconds: bool = True,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Results:
    """Judges models beside the trivial baselines.

    Args:
        models: models, or names of them: see `artcolor.evaluate.predictors.predictor_of`.
        data: folder of a data set.
        split: `"train"`, `"val"` or `"test"`.
        protocol: see `artcolor.evaluate.protocol`.
        out: where results go, and where a model that was judged before is found again; `None` keeps nothing.
        limit: only the first so many pictures of a fixed shuffle.
        seconds: whether to measure the time from file to file, on 20 pictures.
        device: where models that are loaded here run.
        progress: is called after each batch.

    Returns:
        All figures.

    Raises:
        ConfigError: an unknown model, setting or protocol, two models of one name, `out` cannot be made, or the
            extra `evaluate` is not installed.
        DataError: no pictures, or one that cannot be read.
        WeightsError: a model's weights are damaged or missing.
    """
    rules, reference = protocol_of(protocol), load_reference()
    paths = choose(data, split, limit)
    taking_part = baselines(reference) + [predictor_of(model, reference, device) for model in models]
    names = [one.name for one in taking_part]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ConfigError(f"{', '.join(twice)} is there twice; each model needs a name of its own")
    folder = None if out is None else Path(out)
    judge = Judge(rules, paths, reference, folder, progress)
    results = Results(
        protocol,
        [path.name for path in paths],
        judge.truth,
        {one.name: judge.scores(one, seconds=seconds) for one in taking_part},
        judge.missing,
    )
    if folder is not None:
        results.save(folder)
        write_report(results, taking_part, paths, rules, folder / "report.html")
    return results


class Judge:
    """Judges predictors on the same pictures, one at a time, and remembers what it found.

    Args:
        protocol: how pictures are read.
        paths: of the pictures.
        reference: the evaluation's codebook.
        folder: tables are kept in its sub-folder `scores`; `None` keeps nothing.
        progress: is called after each batch.

    Attributes:
        truth: what the true pictures are like.
        missing: metric → why it cannot be had.
    """

    def __init__(
        self,
        protocol: Protocol,
        paths: Sequence[Path],
        reference: Reference,
        folder: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Looks at the true pictures."""
        self.protocol, self.paths, self.reference = protocol, paths, reference
        self._folder, self._progress = folder, progress
        self.missing: dict[str, str] = {}
        self._lite0: nn.Module | None = None
        try:
            self._lite0 = load_lite0()
        except WeightsError as error:
            self.missing["fd_lite0"] = str(error)
            _LOG.warning("FD-lite0 is left out: %s", error)
        made_of = (_VERSION, protocol, hash_of_contents(paths), reference.fingerprint, sorted(self.missing))
        self._key = " ".join(map(str, made_of))
        self.truth = self._truth()

    def scores(self, one: Predictor, *, seconds: bool) -> Scores:
        """Judges a predictor, or finds what was stored of it.

        Args:
            one: is judged.
            seconds: whether to measure its time; baselines have none.

        Returns:
            What it achieved.
        """
        timed = seconds and isinstance(one, ModelPredictor)
        path = self._file(one.name, f"{one.fingerprint} {timed}")
        if path is not None and path.exists():
            _LOG.info("%s was judged before; its table is in %s", one.name, path)
            return _load_scores(path)
        found = self._judge(one)
        if timed:
            assert isinstance(one, ModelPredictor)
            found.table["seconds"] = np.full(len(self.paths), np.nan)
            measured = seconds_from_file_to_file(one, self.paths[:_TIMED])
            found.table["seconds"][: len(measured)] = measured
        if path is not None:
            columns = {f"table.{name}": column for name, column in found.table.items()}
            others = {name: value for name, value in vars(found).items() if name != "table"}
            _save_arrays(path, columns | others)
        return found

    def _file(self, name: str, key: str) -> Path | None:
        if self._folder is None:
            return None
        return scores_file(self._folder, name, f"{self._key} {key}", "npz")

    def _truth(self) -> Truth:
        path = self._file("truth", "")
        if path is not None and path.exists():
            with np.load(path) as stored:
                return Truth(**stored)
        gathered = _Features(self._lite0)
        colorfulness = []
        for batch in self._batches("truth"):
            colorfulness.append(metrics.colorfulness(batch))
            gathered.add(batch)
        truth = Truth(_array(torch.cat(colorfulness)), _array(gathered.hue), gathered.grid(), gathered.lite0())
        if path is not None:
            _save_arrays(path, vars(truth))
        return truth

    @torch.no_grad()
    def _judge(self, one: Predictor) -> Scores:
        codebook = self.reference.codebook
        columns: dict[str, list[Tensor]] = {}
        counts: list[Tensor] = []
        gathered = _Features(self._lite0)
        for truth in self._batches(one.name):
            lab = rgb_to_lab(truth)
            found = one.predict(lab)
            picture = found.picture(lab[:, :1], self.protocol)
            gathered.add(picture)
            row = metrics.all_metrics(picture, truth, codebook)
            row["delta_colorfulness"] = row["colorfulness"] - metrics.colorfulness(truth)
            if found.probabilities is not None and found.centers is not None:
                row["nll"] = calibration.nll(found.probabilities, found.centers, truth, codebook)
                counts.append(calibration.calibration(found.probabilities, found.centers, truth, codebook))
            for name, values in row.items():
                columns.setdefault(name, []).append(values)
        n = len(self.paths)
        distance = frechet_distance(torch.from_numpy(gathered.grid()), torch.from_numpy(self.truth.grid))
        lite0 = float("nan")
        if self._lite0 is not None:
            lite0 = frechet_distance(torch.from_numpy(gathered.lite0()), torch.from_numpy(self.truth.lite0))
        return Scores(
            {name: _array(torch.cat(values)) for name, values in columns.items()},
            _array(torch.cat(counts)) if counts else np.zeros((n, 3, calibration.CONFIDENCE_BINS)),
            _array(gathered.hue),
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
    """Where something that was measured is kept: in the sub-folder `scores` of `out`, which is made.

    Args:
        out: folder of all results.
        name: for people.
        key: all that the figures depend on; another key is another file.
        suffix: of the file, without a dot before it.

    Raises:
        ConfigError: the folder cannot be made.
    """
    folder = out / "scores"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder {folder} for results cannot be made: {error}. Choose another --out.") from error
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return folder / f"{re.sub(r'[^A-Za-z0-9]+', '-', name)[-60:]}.{digest}.{suffix}"


class _Features:
    """Gathers what is compared between sets of pictures."""

    def __init__(self, network: nn.Module | None) -> None:
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


def seconds_from_file_to_file(one: ModelPredictor, paths: Sequence[Path]) -> list[float]:
    """Measures how long a model takes for gray picture files, one at a time: read, colorize, write a PNG.

    Args:
        one: is measured, as it is set up.
        paths: pictures; gray copies of them are made first.

    Returns:
        Seconds for each picture. One more picture goes before them unmeasured.
    """
    decoding = one.settings.decoding
    colorizer = Colorizer(
        one.model,
        vividness=decoding.vividness,
        temperature=decoding.temperature,
        strength=decoding.strength,
        size=one.settings.size,
        device=str(device_of(one.model)),
    )
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        gray, target = Path(folder) / "gray.png", Path(folder) / "color.png"
        for number, path in enumerate((paths[0], *paths)):
            Image.fromarray(open_rgb(path)).convert("L").save(gray)
            start = time.perf_counter()
            colorizer(gray).save(target)
            if number > 0:
                taken.append(time.perf_counter() - start)
    return taken
