"""Protocols: how pictures of a data set are read for evaluation."""

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
# Slightly above the middle, so that portraits keep their heads.
_CROP_HEIGHT = 0.35


@dataclass(frozen=True)
class Protocol:
    """A protocol that evaluates a square crop of each picture.

    The short side is resized to 256 pixels. The crop is centered in width and slightly above the middle in height. If
    `side` is smaller than 256, the crop is then reduced bilinearly.

    Files are decoded by `artcolor.images`: color profiles, orientation and high bit depth are honored, and transparent
    pixels become white.

    Attributes:
        name: name of the protocol, for `protocol_of`.
        side: side of the square, in pixels.
        own_rgb: evaluate the picture of a network that predicts RGB as it is, with its own lightness, instead of its
            chroma joined with the true lightness.
    """

    name: str
    side: int
    own_rgb: bool = False

    def read(self, path: Path) -> Tensor:
        """Reads the square crop of a picture.

        Args:
            path: path of the picture file.

        Returns:
            `(3, side, side)`, sRGB in 0..1.

        Raises:
            DataError: the file cannot be read.
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
        """Reads pictures in batches.

        Args:
            paths: paths of the picture files.
            length: largest number of pictures per batch.

        Yields:
            `(N, 3, side, side)`, sRGB in 0..1, with N at most `length`.

        Raises:
            DataError: a file cannot be read.
        """
        for start in range(0, len(paths), length):
            yield torch.stack([self.read(path) for path in paths[start : start + length]])


_PROTOCOLS = (Protocol("paintings-256", 256), Protocol("report-200", 200, True), Protocol("report-128", 128, True))

PROTOCOLS = {protocol.name: protocol for protocol in _PROTOCOLS}
"""Name → protocol. "report-200" and "report-128" measure the MSE at the sizes of the student report."""


def protocol_of(name: str) -> Protocol:
    """Returns a protocol by its name.

    Args:
        name: a key of `PROTOCOLS`.

    Raises:
        ConfigError: there is no protocol of this name.
    """
    try:
        return PROTOCOLS[name]
    except KeyError:
        raise ConfigError(f"unknown protocol {name!r}; the protocols are {', '.join(PROTOCOLS)}") from None


def choose(data: str | Path, split: str, limit: int | None) -> list[Path]:
    """Lists the pictures of an evaluation.

    Args:
        data: folder of the data set.
        split: `"train"`, `"val"` or `"test"`.
        limit: use only this many pictures of a fixed shuffle; `None` for all.

    Returns:
        Sorted paths of the pictures.

    Raises:
        ConfigError: `limit` is below 2; Fréchet distances need two pictures.
        DataError: the split has fewer than two pictures.
    """
    if limit is not None and limit < 2:
        raise ConfigError(f"limit must be at least 2 pictures, not {limit}")
    paths = list_pictures(data, split)
    if limit is not None:
        chosen = np.random.default_rng(0).permutation(len(paths))[:limit]
        paths = [paths[i] for i in sorted(chosen)]
    if len(paths) < 2:
        raise DataError(f"{data} has {len(paths)} picture in split {split!r}; evaluation needs at least 2")
    return paths
