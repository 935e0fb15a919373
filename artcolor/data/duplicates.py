"""Finding pictures that show the same painting: perceptual hashes, checked by their detail."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

# Least correlation of detail. Of 17,755 paintings, unrelated pairs had at most 0.3, copies cropped by 2 % at
# least 0.5, other photographs of one painting mostly 0.4 to 0.9. Without this check, one of six pairs within
# 6 bits was two different portraits before a dark ground, and at 10 bits they chained into a group of 461.
SAME_DETAIL = 0.4
RELATED_DETAIL = 0.25

_VIEW = 128
_HASHED = 32
_DETAIL = 24
_WINDOW = 5
_DETAIL_STEPS = 30.0
_CHUNK = 64
# What may have been cut off another copy, as shares of left, top, right and bottom. With these, 99.8 % of
# copies that were cut by up to 2 % on any sides are found at 6 bits; with the whole picture alone, 83 %.
_CUTS = np.array(
    [
        [0, 0, 0, 0],
        [0.01, 0.01, 0.01, 0.01],
        [0.02, 0.02, 0.02, 0.02],
        [0.02, 0, 0, 0],
        [0, 0.02, 0, 0],
        [0, 0, 0.02, 0],
        [0, 0, 0, 0.02],
    ]
)
_DCT = np.cos(np.pi * (2 * np.arange(_HASHED)[None] + 1) * np.arange(8)[:, None] / (2 * _HASHED))

Hashes = npt.NDArray[np.uint64]
Detail = npt.NDArray[np.int8]


class Pair(NamedTuple):
    """Two pictures that look alike.

    Attributes:
        first: number of one.
        second: number of the other, larger than `first`.
        distance: bits in which their hashes differ.
        detail: correlation of their detail.
    """

    first: int
    second: int
    distance: int
    detail: float


def fingerprint(image: Image.Image) -> tuple[Hashes, Detail]:
    """What a picture is recognized by.

    Args:
        image: any mode; its colors do not matter.

    Returns:
        `(7,)` 64-bit perceptual hashes (the DCT of 32 × 32 pixels, lowest 8 × 8, against their median), of the
        whole picture first and then with 1 or 2 % cut off; and `(576,)` its detail: 24 × 24 pixels, each
        relative to the mean and contrast around it.
    """
    gray = image.convert("L")
    gray = gray.reduce(max(1, min(gray.size) // _VIEW))
    sides = np.array([gray.width, gray.height, gray.width, gray.height])
    hashes = [_hash(gray, tuple(float(side) for side in sides * box)) for box in _CUTS * [1, 1, -1, -1] + [0, 0, 1, 1]]
    return np.array(hashes, dtype=np.uint64), _detail(gray)


def _hash(gray: Image.Image, box: tuple[float, ...]) -> int:
    pixels = gray.resize((_HASHED, _HASHED), Image.Resampling.LANCZOS, box=(box[0], box[1], box[2], box[3]))
    waves = (_DCT @ np.asarray(pixels, dtype=np.float64) @ _DCT.T).flatten()
    # The first is the mean brightness, far larger than all others.
    return int.from_bytes(np.packbits(waves > np.median(waves[1:])).tobytes(), "big")


def _detail(gray: Image.Image) -> Detail:
    pixels = np.asarray(gray.resize((_DETAIL, _DETAIL), Image.Resampling.LANCZOS), dtype=np.float64)
    high = pixels - _local_mean(pixels)
    # The 2 keeps noise on a plain ground from counting as detail.
    high /= np.sqrt(_local_mean(high**2)) + 2
    return np.clip(np.rint(high * _DETAIL_STEPS), -127, 127).astype(np.int8).flatten()


def _local_mean(pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    padded = np.pad(pixels, _WINDOW // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (_WINDOW, _WINDOW))
    return np.asarray(windows.mean(axis=(2, 3)))


def similar_pairs(hashes: Hashes, details: Detail, *, distance: int) -> Iterator[Pair]:
    """Finds all pairs of pictures that look alike.

    Compares every picture with every other: 17,755 take some ten seconds, 100,000 some five minutes.

    Args:
        hashes: `(N, 7)`, from `fingerprint`.
        details: `(N, 576)`, from `fingerprint`.
        distance: the most bits in which the whole picture's hash may differ from any hash of the other.
    """
    whole, *cut = np.ascontiguousarray(hashes.T)
    for start in range(0, len(whole), _CHUNK):
        rows = slice(start, start + _CHUNK)
        bits = np.bitwise_count(whole[rows, None] ^ whole[start:])
        for other in cut:
            for differing in (whole[rows, None] ^ other[start:], other[rows, None] ^ whole[start:]):
                np.minimum(bits, np.bitwise_count(differing), out=bits)
        for row, column in zip(*np.nonzero(bits <= distance), strict=True):
            if row < column:
                first, second = start + int(row), start + int(column)
                yield Pair(first, second, int(bits[row, column]), _correlation(details[first], details[second]))


def _correlation(one: Detail, other: Detail) -> float:
    a, b = one.astype(np.float64), other.astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    # Two pictures without any detail cannot be told apart by it.
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 1.0


def group(number: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Puts everything that is connected by pairs into one group.

    Args:
        number: of things.
        pairs: of their numbers.

    Returns:
        For each thing the smallest number in its group.

    Example:
        >>> group(4, [(0, 2), (2, 3)])
        [0, 1, 0, 0]
    """
    parents = list(range(number))

    def root(thing: int) -> int:
        while parents[thing] != thing:
            parents[thing] = parents[parents[thing]]
            thing = parents[thing]
        return thing

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parents[high] = low
    return [root(thing) for thing in range(number)]


def members(groups: Sequence[int]) -> dict[int, list[int]]:
    """Lists what is in each group.

    Args:
        groups: from `group`.

    Returns:
        Group → its things, in order.
    """
    result: dict[int, list[int]] = {}
    for thing, name in enumerate(groups):
        result.setdefault(name, []).append(thing)
    return result
