"""How a picture of a data set becomes one that models are judged on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from artcolor.data.dataset import list_pictures, unreadable
from artcolor.errors import ConfigError, DataError, ImageError
from artcolor.images import open_rgb

_SIDE = 256
# Above the middle, so that portraits keep their heads.
_CROP_HEIGHT = 0.35


@dataclass(frozen=True)
class Protocol:
    """A square part of each picture.

    The short side is resized to 256 pixels; the square is central in width and a little above the middle in
    height. A smaller `side` is then come to by bilinear reduction.

    Attributes:
        name: what `protocol_of` finds it by.
        side: of the square, in pixels.
        own_rgb: whether a network that predicts RGB is judged by that picture, whose lightness is its own, and not by
            its chroma alone.
    """

    name: str
    side: int
    own_rgb: bool = False

    def read(self, path: Path) -> Tensor:
        """Reads a picture.

        Args:
            path: of a picture file.

        Returns:
            `(3, side, side)`, sRGB in 0..1.

        Raises:
            DataError: it cannot be read.
        """
        try:
            rgb = Image.fromarray(open_rgb(path))
        except ImageError as error:
            raise unreadable(path, error) from error
        scale = _SIDE / min(rgb.size)
        size = (max(_SIDE, round(rgb.width * scale)), max(_SIDE, round(rgb.height * scale)))
        rgb = rgb.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)
        x = (rgb.width - _SIDE) // 2
        y = int((rgb.height - _SIDE) * _CROP_HEIGHT)
        square = rgb.crop((x, y, x + _SIDE, y + _SIDE))
        if self.side != _SIDE:
            square = square.resize((self.side, self.side), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.asarray(square).transpose(2, 0, 1).copy()).float() / 255

    def batches(self, paths: Sequence[Path], length: int) -> Iterator[Tensor]:
        """Reads the pictures at `paths` in batches `(N, 3, side, side)` of at most `length`."""
        for start in range(0, len(paths), length):
            yield torch.stack([self.read(path) for path in paths[start : start + length]])


_PROTOCOLS = (Protocol("paintings-256", 256), Protocol("report-200", 200, True), Protocol("report-128", 128, True))

PROTOCOLS = {protocol.name: protocol for protocol in _PROTOCOLS}
"""The protocols by their names. "report-200" and "report-128" are for the MSE at the report's own sizes."""


def protocol_of(name: str) -> Protocol:
    """Finds a protocol.

    Raises:
        ConfigError: there is none of this name.
    """
    try:
        return PROTOCOLS[name]
    except KeyError:
        raise ConfigError(f"there is no protocol {name!r}. There are: {', '.join(PROTOCOLS)}.") from None


def choose(data: str | Path, split: str, limit: int | None) -> list[Path]:
    """The pictures to judge on.

    Args:
        data: folder of the data set.
        split: `"train"`, `"val"` or `"test"`.
        limit: only the first so many of a fixed shuffle; `None` for all.

    Raises:
        ConfigError: a limit below 2; Fréchet distances need two pictures.
        DataError: no pictures.
    """
    if limit is not None and limit < 2:
        raise ConfigError(f"limit must be at least 2 pictures, not {limit}")
    paths = list_pictures(data, split)
    if limit is not None:
        chosen = np.random.default_rng(0).permutation(len(paths))[:limit]
        paths = [paths[i] for i in sorted(chosen)]
    if len(paths) < 2:
        raise DataError(f"{data} holds {len(paths)} picture of split {split!r}; judging needs at least 2")
    return paths
