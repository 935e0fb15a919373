"""Measures decoding settings of a model on pictures and distributions that are held in memory."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from artcolor.color.lab import lab_to_rgb, rgb_to_lab, to_gamut
from artcolor.color.transforms import JoinChroma
from artcolor.errors import WeightsError
from artcolor.evaluate import metrics
from artcolor.evaluate.frechet import frechet_distance, grid_features_of_ab, lite0_features
from artcolor.evaluate.predictors import lightness_at_working_size, log_of
from artcolor.evaluate.protocol import Protocol, by_source
from artcolor.files import write_atomically
from artcolor.models.base import ColorizationModel
from artcolor.models.guidance import Decoding
from artcolor.models.lite0 import load_lite0

_LOG = logging.getLogger(__name__)
_BATCH = 20


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
class SourceRow:
    """The figures of one setting with regard to one source of the pictures.

    Attributes:
        psnr: mean PSNR over the pictures of the source, in decibels.
        delta_colorfulness: ΔCF over the pictures of the source.
        others_delta_colorfulness: ΔCF over all other pictures.
        others_fd_grid: FD-grid of all other pictures.
    """

    psnr: float
    delta_colorfulness: float
    others_delta_colorfulness: float
    others_fd_grid: float


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
        hot_spots: mean of `metrics.hot_spots` over pictures, in percent.
        sources: figures by source, for sources with at least 20 pictures; empty if fewer than two have as many.
    """

    setting: Setting
    rival: bool
    psnr: float
    colorfulness: float
    delta_colorfulness: float
    fd_grid: float
    fd_lite0: float | None
    hot_spots: float
    sources: Mapping[str, SourceRow] = field(default_factory=dict)


class Bench:
    """Measures settings of a model on pictures and distributions that it holds in memory.

    Args:
        model: model with a `DistributionHead`.
        protocol: protocol by which pictures are read.
        paths: paths of the pictures.
        sources: source of each picture, from `protocol.sources_of`.
        lite0: also measure FD-lite0.
        progress: called as `progress(description, done, total)` after each batch.

    Attributes:
        colorfulness: mean colorfulness of the true pictures.
        missing: why FD-lite0 is missing; empty if it is measured.
    """

    def __init__(
        self,
        model: ColorizationModel,
        protocol: Protocol,
        paths: Sequence[Path],
        sources: Sequence[str],
        *,
        lite0: bool = True,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self._model, self._head, self._progress = model, model.distribution_head(), progress
        groups = by_source(sources)
        self._groups = groups if len(groups) > 1 else {}
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
        # Bytes need a quarter of the memory of floats.
        self._pictures = [(255 * batch).round().byte() for batch in protocol.batches(paths, _BATCH)]
        colorfulness, grid, features = [], [], []
        for truth in self._truth("truth"):
            colorfulness.append(metrics.colorfulness(truth))
            grid.append(grid_features_of_ab(rgb_to_lab(truth)[:, 1:]))
            if self._network is not None:
                features.append(lite0_features(truth, self._network))
        self._colorfulness, self._grid = torch.cat(colorfulness), torch.cat(grid)
        self._features = torch.cat(features) if features else None

    @property
    def colorfulness(self) -> float:  # noqa: D102  (an attribute of the class)
        return float(self._colorfulness.mean())

    def store_in(self, path: Path) -> None:
        """Loads the rows of earlier runs from a file, and stores new rows in it."""
        self._file = path
        if path.exists():
            for stored in json.loads(path.read_text(encoding="utf-8")):
                sources = {source: SourceRow(**figures) for source, figures in stored["sources"].items()}
                row = Row(**{**stored, "setting": Setting(**stored["setting"]), "sources": sources})
                self._known[row.setting, row.rival] = row

    def _truth(self, doing: str) -> Iterator[Tensor]:
        done, n = 0, sum(map(len, self._pictures))
        for batch in self._pictures:
            yield batch.float() / 255
            done += len(batch)
            if self._progress is not None:
                self._progress(doing, done, n)

    def measure(self, setting: Setting, *, rival: bool) -> Row:
        """Measures a setting, or returns its stored row.

        Args:
            setting: setting to measure.
            rival: whether it belongs to the rival.
        """
        key = (setting, rival)
        if key not in self._known:
            if self._size != setting.size:
                self._run_network(setting.size)
            self._known[key] = self._measure(setting, rival)
            if self._file is not None:
                write_atomically(self._file, json.dumps([asdict(row) for row in self._known.values()]).encode())
        return self._known[key]

    @torch.no_grad()
    def offset(self, setting: Setting) -> tuple[float, float]:
        """Computes the mean difference of true and decoded chroma, for `DistributionHead.offset`.

        Args:
            setting: setting to decode with, of vividness 1 or more.

        Returns:
            a and b in Lab units, averaged over pictures.
        """
        if self._size != setting.size:
            self._run_network(setting.size)
        differences = []
        for truth, (small, log_p) in zip(self._truth("offset"), self._distributions, strict=True):
            ab = self._head.decode(log_p.float(), small, setting.decoding).cpu()
            differences.append(rgb_to_lab(truth)[:, 1:].mean((2, 3)) - ab.mean((2, 3)))
        a, b = (torch.cat(differences).mean(0) + torch.tensor(self._head.offset)).tolist()
        return a, b

    @torch.no_grad()
    def _run_network(self, size: int) -> None:
        """Runs the network at a working size and keeps L and the half-precision logarithms of the distributions."""
        self._distributions, self._size = [], size
        for truth in self._truth(f"network at {size} px"):
            small = lightness_at_working_size(self._model, rgb_to_lab(truth), size)
            self._distributions.append((small, log_of(self._model.predict_distribution(small)).half()))

    @torch.no_grad()
    def _measure(self, setting: Setting, rival: bool) -> Row:
        """Decodes the distributions and measures the resulting pictures."""
        columns: dict[str, list[Tensor]] = {name: [] for name in ("psnr", "colorfulness", "hot", "grid", "lite0")}
        doing = ", ".join(f"{name} {value:g}" for name, value in vars(setting).items())
        for truth, (small, log_p) in zip(self._truth(doing), self._distributions, strict=True):
            ab = self._head.decode(log_p.float(), small, setting.decoding)
            lab = rgb_to_lab(truth)
            lightness = lab[:, :1]
            full = to_gamut(lightness, JoinChroma(ab.cpu(), *truth.shape[-2:]).ab())
            picture = lab_to_rgb(torch.cat((lightness, full), dim=1)).clamp(0, 1)
            columns["psnr"].append(metrics.psnr(picture, truth))
            columns["colorfulness"].append(metrics.colorfulness(picture))
            columns["hot"].append(metrics.hot_spots_of_ab(full, lab[:, 1:]))
            columns["grid"].append(grid_features_of_ab(full))
            if self._network is not None:
                columns["lite0"].append(lite0_features(picture, self._network))
        psnr, colorfulness, hot, grid = (torch.cat(columns[name]) for name in ("psnr", "colorfulness", "hot", "grid"))
        lite0 = None
        if self._features is not None:
            lite0 = frechet_distance(torch.cat(columns["lite0"]), self._features)
        delta = colorfulness - self._colorfulness

        def of_source(numbers: list[int]) -> SourceRow:
            others = torch.ones(len(delta), dtype=torch.bool)
            others[numbers] = False
            return SourceRow(
                float(psnr[numbers].mean()),
                float(delta[numbers].mean()),
                float(delta[others].mean()),
                frechet_distance(grid[others], self._grid[others]),
            )

        return Row(
            setting,
            rival,
            float(psnr.mean()),
            float(colorfulness.mean()),
            float(delta.mean()),
            frechet_distance(grid, self._grid),
            lite0,
            float(hot.mean()),
            {source: of_source(numbers) for source, numbers in self._groups.items()},
        )
