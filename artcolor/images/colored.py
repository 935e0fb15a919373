"""Detects whether a picture already has color, or is gray or toned (sepia, cyanotype, yellowed paper)."""

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from artcolor.color import planes
from artcolor.errors import ImageError

COLORED = 1.6
"""Above this much chroma that lightness does not explain, in Lab units, a picture has color: docs/colored.md."""

# Pixels of the longer side that is looked at, and of a cell's side there: as large as a block of JPEG.
_SIDE, _CELL = 256, 8
# Of the pixels that become one, this many along each side are enough.
_SAMPLES = 4
# The tone is a curve over L through this many knots; the penalty keeps it smooth where few pixels lie.
_KNOTS, _STIFFNESS, _RIDGE = 17, 1e-3, 1e-6
# Cells that lie about so far from the tone, in Lab units, no longer bend it toward them.
_OUTLIER, _FITS = 2.0, 4

Array = npt.NDArray[Any]


def is_colored(pixels: npt.NDArray[Any]) -> bool:
    """Returns whether a picture already has color; gray and toned pictures do not.

    Args:
        pixels: `(H, W)` gray or `(H, W, 3)` sRGB; uint8, uint16, or float in 0..1.

    Raises:
        ImageError: the array has another shape or type.

    Example:
        >>> ramp = np.linspace(0, 1, 64 * 64).reshape(64, 64, 1)
        >>> sepia = ramp * [1.0, 0.9, 0.7]
        >>> is_colored(sepia), is_colored(np.where(np.arange(64)[:, None] < 32, sepia, ramp))
        (False, True)
    """
    return color_measure(pixels) > COLORED


def color_measure(pixels: npt.NDArray[Any]) -> float:
    """Measures the part of a picture's chroma that its lightness does not explain.

    In a toned picture ab is a function of L, whatever the tone: this function is fitted, together with a slow change
    over the picture (paper that is yellower at one side), and what is left is measured. So that the noise of sensors
    and of JPEG averages out, this is done on means over cells of 8 × 8 pixels of the reduced picture. As the function
    is a sum of hats, its mean over a cell is known from the cell's histogram of L, and details within a cell do no
    harm. The fit is a spline with a penalty on second differences (Eilers and Marx, "Flexible smoothing with B-splines
    and penalties", 1996, here of degree 1), made robust by Cauchy weights (Holland and Welsch, "Robust regression using
    iteratively reweighted least-squares", 1977), so that a spot of color stands out instead of bending the tone.

    Args:
        pixels: `(H, W)` gray or `(H, W, 3)` sRGB; uint8, uint16, or float in 0..1. Large pictures are
            subsampled.

    Returns:
        Root mean square of the rest of ab over the cells, in Lab units; 0 for gray. It needs some cells to compare: up
        to 16 pixels a side any colors count as a tone, and below about 64 it is less sure.

    Raises:
        ImageError: the array has another shape or type.

    Example:
        >>> color_measure(np.full((20, 30, 3), 99, dtype=np.uint8))
        0.0
    """
    gray = pixels.ndim == 2
    if not (gray or (pixels.ndim == 3 and pixels.shape[2] == 3)) or 0 in pixels.shape:
        raise ImageError(f"pixels must be (H, W) or (H, W, 3), but have the shape {pixels.shape}")
    if pixels.dtype not in (np.uint8, np.uint16) and pixels.dtype.kind != "f":
        raise ImageError(f"pixels must be uint8, uint16, or float in 0..1, but are {pixels.dtype}")
    if gray:
        return 0.0
    small = _reduced(pixels)
    if (small == small[..., :1]).all():
        return 0.0
    shares, ab, places = _cells(planes.lab(small))
    return _unexplained(shares, ab, places)


def _reduced(pixels: Array) -> npt.NDArray[np.float32]:
    """Block means, `(h, w, 3)` in 0..1, about `_SIDE` pixels along the longer side."""
    factor = max(1, round(max(pixels.shape[:2]) / _SIDE))
    step = max(1, factor // _SAMPLES)
    part = pixels[::step, ::step]
    total: Array = part
    for axis in (0, 1) if factor > 1 else ():
        side = part.shape[axis]
        starts = _starts(side, max(1, round(side * step / factor)))
        counts = np.diff(starts, append=side).astype(np.float32)
        total = np.add.reduceat(total, starts, axis=axis, dtype=np.float32) / np.expand_dims(counts, (1 - axis, 2))
    scale = 1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
    return np.ascontiguousarray(total / scale, dtype=np.float32)


def _starts(side: int, parts: int) -> npt.NDArray[np.intp]:
    """Where each of some nearly equal parts of a side begins."""
    return np.arange(parts) * side // parts


def _cells(lab: npt.NDArray[np.float32]) -> tuple[Array, Array, Array]:
    """What the fit needs to know of the N cells of a picture.

    Args:
        lab: `(3, h, w)`.

    Returns:
        The mean of each hat over L `(N, _KNOTS)`, of ab `(N, 2)`, and the cell's x and y in -1..1 `(N, 2)`.
    """
    grid = [max(1, -(-side // _CELL)) for side in lab.shape[1:]]
    row, column = (
        np.searchsorted(_starts(side, parts), np.arange(side), side="right") - 1
        for side, parts in zip(lab.shape[1:], grid, strict=True)
    )
    cell = (row[:, None] * grid[1] + column).ravel()
    cells = grid[0] * grid[1]
    size = np.bincount(cell, minlength=cells)[:, None]
    height = (lab[0].ravel() / 100).clip(0, 1) * (_KNOTS - 1)
    knot = np.minimum(height.astype(np.intp), _KNOTS - 2)
    above = height - knot
    slot = cell * _KNOTS + knot
    shares = np.bincount(slot, 1 - above, cells * _KNOTS) + np.bincount(slot + 1, above, cells * _KNOTS)
    ab = np.stack([np.bincount(cell, plane.ravel(), cells) for plane in lab[1:]], axis=1)
    y, x = np.divmod(np.arange(cells), grid[1])
    places = np.stack(((x + 0.5) / grid[1], (y + 0.5) / grid[0]), axis=1) * 2 - 1
    return shares.reshape(cells, _KNOTS) / size, ab / size, places


def _unexplained(shares: Array, ab: Array, places: Array) -> float:
    """How far ab `(N, 2)` lies from the best tone, which may change over the picture: root mean square."""
    lightness = shares @ np.linspace(0, 1, _KNOTS)
    # Paper and light multiply, so black stays black; hence the factor.
    known = np.concatenate((shares, places * lightness[:, None]), axis=1)
    penalty = _penalty(known.shape[1]) * len(known)
    weights = np.ones((len(known), 1))
    for _ in range(_FITS):
        weighted = (known * weights).T
        normal = weighted @ known
        rest = np.square(ab - known @ np.linalg.solve(normal + penalty, weighted @ ab)).sum(axis=1, keepdims=True)
        weights = 1 / (1 + rest / _OUTLIER**2)
    # Few cells are explained by anything; so many of them the fit has used up.
    used = float(np.trace(np.linalg.solve(normal + penalty, normal)))
    return math.sqrt(float(rest.sum()) / max(1.0, len(known) - used))


@functools.cache
def _penalty(unknowns: int) -> npt.NDArray[np.float64]:
    bends = np.zeros((_KNOTS - 2, unknowns))
    bends[:, :_KNOTS] = np.diff(np.eye(_KNOTS), n=2, axis=0)
    return _STIFFNESS * bends.T @ bends + _RIDGE * np.eye(unknowns)
