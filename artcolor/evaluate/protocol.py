"""Protocols: how pictures of a data set are read for evaluation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from artcolor.data.dataset import list_pictures, unreadable
from artcolor.data.tables import read_table
from artcolor.errors import ConfigError, DataError, ImageError
from artcolor.images import open_rgb

_SIDE = 256
# Slightly above the middle, so that portraits keep their heads.
# Of longer pictures, only the middle is evaluated; a strip of 1:400 would have 26 million pixels.
_LONGEST = 16
_CROP_HEIGHT = 0.35
_FEWEST = 20


@dataclass(frozen=True)
class Protocol:
    """How pictures are read for evaluation: whole, or as a square crop.

    The short side is resized to 256 pixels. A crop is square, centered in width and slightly above the middle in
    height. If `side` is smaller than 256, the crop is then reduced bilinearly.

    Files are decoded by `artcolor.images`: color profiles, orientation and high bit depth are honored, and transparent
    pixels become white.

    Attributes:
        name: name of the protocol, for `protocol_of`.
        side: side of the square, in pixels; short side of a whole picture.
        whole: evaluate the whole picture.
        own_rgb: evaluate the picture of a network that predicts RGB as it is, with its own lightness, instead of its
            chroma joined with the true lightness.
    """

    name: str
    side: int = _SIDE
    whole: bool = False
    own_rgb: bool = False

    def read(self, path: Path) -> Tensor:
        """Reads a picture.

        Args:
            path: path of the picture file.

        Returns:
            `(3, side, side)`, sRGB in 0..1; a whole picture is `(3, H, W)`, and the smaller of H and W is `side`. Only
            the middle of a picture that is longer than 16:1 is used.

        Raises:
            DataError: the file cannot be read.
        """
        try:
            rgb = Image.fromarray(open_rgb(path))
        except ImageError as error:
            raise unreadable(path, error) from error
        short = min(rgb.size)
        if max(rgb.size) > _LONGEST * short:
            x, y = ((side - min(side, _LONGEST * short)) // 2 for side in rgb.size)
            rgb = rgb.crop((x, y, rgb.width - x, rgb.height - y))
        scale = _SIDE / short
        size = (max(_SIDE, round(rgb.width * scale)), max(_SIDE, round(rgb.height * scale)))
        rgb = rgb.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)
        if not self.whole:
            x = (rgb.width - _SIDE) // 2
            y = int((rgb.height - _SIDE) * _CROP_HEIGHT)
            rgb = rgb.crop((x, y, x + _SIDE, y + _SIDE))
            if self.side != _SIDE:
                rgb = rgb.resize((self.side, self.side), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.asarray(rgb).transpose(2, 0, 1).copy()).float() / 255

    def batches(self, paths: Sequence[Path], length: int) -> Iterator[Tensor]:
        """Reads pictures in batches, in their order.

        Args:
            paths: paths of the picture files.
            length: largest number of pictures per batch.

        Yields:
            `(N, 3, H, W)`, sRGB in 0..1, with N at most `length`. Whole pictures share a batch only with neighbors
            of the same size.

        Raises:
            DataError: a file cannot be read.
        """
        batch: list[Tensor] = []
        for path in paths:
            picture = self.read(path)
            if batch and (len(batch) == length or picture.shape != batch[0].shape):
                yield torch.stack(batch)
                batch = []
            batch.append(picture)
        if batch:
            yield torch.stack(batch)


_PROTOCOLS = (
    Protocol("paintings-256"),
    Protocol("paintings-whole", whole=True),
    Protocol("report-200", 200, own_rgb=True),
    Protocol("report-128", 128, own_rgb=True),
)

PROTOCOLS = {protocol.name: protocol for protocol in _PROTOCOLS}
"""Name → protocol. "paintings-whole" evaluates pictures as people colorize them, "paintings-256" square crops, and
"report-200" and "report-128" measure the MSE at the sizes of the student report."""


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


def sources_of(data: str | Path, paths: Sequence[Path]) -> list[str]:
    """Looks up which collection each picture comes from.

    Args:
        data: folder of the data set.
        paths: paths of pictures, from `choose`.

    Returns:
        For each picture the column `source` of `metadata.csv`; empty if the folder has no such table or column.

    Raises:
        DataError: the table cannot be read.
    """
    table = Path(data) / "metadata.csv"
    if not table.exists():
        return [""] * len(paths)
    found = {
        table.parent / row["file_name"]: (row.get("source") or "").strip() for row in read_table(table, {"file_name"})
    }
    return [found.get(path, "") for path in paths]


def by_source(sources: Sequence[str]) -> dict[str, list[int]]:
    """Groups pictures by their source.

    Args:
        sources: source of each picture; empty if unknown.

    Returns:
        Source → numbers of its pictures, for sources with at least 20 pictures: figures of fewer are mostly noise.

    Example:
        >>> by_source(["louvre"] * 20 + ["tate"])["louvre"][:3]
        [0, 1, 2]
    """
    groups: dict[str, list[int]] = {}
    for number, source in enumerate(sources):
        if source:
            groups.setdefault(source, []).append(number)
    return {source: numbers for source, numbers in sorted(groups.items()) if len(numbers) >= _FEWEST}
