"""Chroma of films: which Cb and Cr show a color of Lab where Y' must stay as it is.

Sources: ITU-R BT.601, BT.709 and BT.2020 (weights of R', G' and B', primaries), ITU-T H.273 (the numbers of the tags).
"""

import functools
from typing import Any

import numpy as np

from artcolor.color import srgb
from artcolor.color.srgb import Floats

# Steps of Y' and of a and b in the table. Between them, interpolation is off by less than an 8-bit step.
_LUMA_STEPS = 64
_AB_STEP, _AB_LARGEST = 4.0, 112.0
_AB_COUNT = round(2 * _AB_LARGEST / _AB_STEP) + 1
_BISECTIONS = 24

WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087)}
"""Matrix coefficients by their number in H.273 → weights of R' and B' in Y'."""
WEIGHTS |= {9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}

# Primaries by their number in H.273 → x and y of red, green and blue; the white of all is D65.
_PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060)),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_WHITE = (0.3127, 0.3290)


class ChromaTable:
    """Finds Cb and Cr for a and b where Y' is given.

    The color that is shown then has this a and b, and a lightness that gives exactly this Y'. Where no such color
    exists, chroma is scaled toward neutral. Values are read from a table, which takes a second to make.

    Args:
        matrix: number of the matrix coefficients in H.273; a key of `WEIGHTS`.
        primaries: number of the primaries in H.273; those that are not known count as those of sRGB.

    Example:
        >>> table = ChromaTable(1)
        >>> table(np.full((2, 3), 0.5, np.float32), np.zeros((2, 2, 3), np.float32)).round(3).tolist()[0]
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """

    def __init__(self, matrix: int, primaries: int = 1) -> None:
        self._table = _table(matrix, primaries if primaries in _PRIMARIES else 1)

    def __call__(self, luma: Floats, ab: Floats) -> Floats:
        """Finds the chroma of pixels.

        Args:
            luma: `(h, w)`, Y' in 0..1.
            ab: `(2, h, w)` in Lab units.

        Returns:
            `(2, h, w)`, float32, Cb and Cr in -0.5..0.5.
        """
        size = luma.size
        cell, rest = _cells(luma.reshape(1, size) * _LUMA_STEPS, _LUMA_STEPS)
        ab_cell, ab_rest = _cells((ab.reshape(2, size) + _AB_LARGEST) / _AB_STEP, _AB_COUNT - 1)
        first = (cell[0] * _AB_COUNT + ab_cell[0]) * _AB_COUNT + ab_cell[1]
        found = np.zeros((size, 2), np.float32)
        for corner in range(8):
            light, a, b = corner >> 2, corner >> 1 & 1, corner & 1
            weight = (
                (rest[0] if light else 1 - rest[0])
                * (ab_rest[0] if a else 1 - ab_rest[0])
                * (ab_rest[1] if b else 1 - ab_rest[1])
            )
            value = np.take(self._table, first + ((light * _AB_COUNT + a) * _AB_COUNT + b), axis=0)
            value *= weight[:, None]
            found += value
        return np.ascontiguousarray(found.T).reshape(2, *luma.shape)


def _cells(position: Floats, last: int) -> tuple[Floats, Floats]:
    """Splits positions in a table with entries 0..last into the entry before and the fraction to the next."""
    position = np.clip(position.astype(np.float32), 0, last - 1e-3)
    cell = position.astype(np.int32)
    return cell, position - cell


@functools.lru_cache(4)
def _table(matrix: int, primaries: int) -> Floats:
    """Cb and Cr, `(entries, 2)`, in the order of Y', a and b."""
    steps = np.linspace(-_AB_LARGEST, _AB_LARGEST, _AB_COUNT)
    luma = np.repeat(np.linspace(0, 1, _LUMA_STEPS + 1), _AB_COUNT**2)
    ab = np.tile(np.stack(np.meshgrid(steps, steps, indexing="ij")).reshape(2, -1), _LUMA_STEPS + 1)
    # First within sRGB at the lightness of the gray, which keeps the hue.
    lightness = srgb.linear_to_lightness(srgb.srgb_to_linear(luma)[None])
    ab = ab * srgb.largest_scale(lightness, ab)
    red, blue = WEIGHTS[matrix]
    weights = np.array([red, 1 - red - blue, blue])
    to_own = _from_srgb(primaries)

    def encoded(light: Floats) -> Any:
        f = np.stack(((light + 16) / 116 + ab[0] / 500, (light + 16) / 116, (light + 16) / 116 - ab[1] / 200))
        linear = to_own @ srgb.curve_to_linear(f)
        return np.sign(linear) * _unclipped(np.abs(linear))

    low, high = np.full_like(luma, -20.0), np.full_like(luma, 120.0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        below = weights @ encoded(middle) < luma
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    difference = encoded((low + high) / 2) - luma
    # Then within the colors of the film at this Y'. Where the chroma is zero, nothing is to be scaled.
    room = np.where(difference > 0, 1 - luma, luma)
    scale = np.min(np.where(np.abs(difference) > room, room / np.maximum(np.abs(difference), 1e-9), 1), axis=0)
    chroma = np.stack((difference[2] / (2 * (1 - blue)), difference[0] / (2 * (1 - red)))) * scale
    return np.ascontiguousarray(chroma.T.astype(np.float32))


def _from_srgb(primaries: int) -> Floats:
    """Linear sRGB to linear light of other primaries; rows sum to 1."""
    return np.linalg.inv(_to_xyz(primaries)) @ _to_xyz(1)


def _to_xyz(primaries: int) -> Floats:
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in _PRIMARIES[primaries]]).T
    x, y = _WHITE
    amounts: Floats = np.linalg.solve(columns, np.array([x / y, 1, (1 - x - y) / y]))
    return columns * amounts


def _unclipped(linear: Floats) -> Floats:
    """The sRGB transfer curve beyond 1, too, as luma must go on rising while it is searched."""
    return np.where(linear > 1, linear, srgb.linear_to_srgb(linear))
