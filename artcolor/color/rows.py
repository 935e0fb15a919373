"""Pixels that are available row by row, so that a large picture never has to be in memory as a whole."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]
"""`(H, W)` or `(H, W, 3)`, sRGB: uint8, uint16, or float32 in 0..1."""

_STRIP_PIXELS = 1 << 20


class Rows(Protocol):
    """Pixels `(H, W)` or `(H, W, 3)` that can be sliced by rows: an array, or `LazyRows`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width, and 3 for color."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, uint16, or float32 in 0..1."""

    def __getitem__(self, rows: slice, /) -> Pixels:
        """The pixels of these rows."""


class LazyRows:
    """Rows that are computed each time they are requested. `np.asarray` computes them all.

    Args:
        shape: shape of the whole picture.
        dtype: data type of the pixels.
        make: called with a first and a last row (exclusive); returns the pixels between them.

    Example:
        >>> rows = LazyRows((4, 6), np.dtype(np.uint8), lambda start, stop: np.full((stop - start, 6), 7, np.uint8))
        >>> rows[1:3].shape, np.asarray(rows).shape
        ((2, 6), (4, 6))
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], make: Callable[[int, int], Pixels]) -> None:
        self.shape, self.dtype, self._make = shape, dtype, make

    def __getitem__(self, rows: slice, /) -> Pixels:
        start, stop, step = rows.indices(self.shape[0])
        return self._make(start, max(start, stop))[::step]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Pixels:
        whole = np.empty(self.shape, self.dtype)
        for rows in row_strips(self):
            whole[rows] = self[rows]
        return whole if dtype is None else whole.astype(dtype, copy=False)


def bytes_of(rows: Rows) -> int:
    """The memory that all rows together would take, in bytes."""
    return math.prod(rows.shape) * rows.dtype.itemsize


def row_strips(pixels: Rows) -> Iterator[slice]:
    """Splits a picture into strips of rows that are small compared with a large picture.

    Args:
        pixels: `(H, W, ...)`.
    """
    return strips_of(*pixels.shape[:2])


def strips_of(height: int, width: int, start: int = 0) -> Iterator[slice]:
    """Splits the rows from `start` to `height` into strips of at most about a million pixels.

    Args:
        height: height of the picture, in pixels.
        width: width of the picture, in pixels.
        start: the first row.
    """
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(start, height, rows):
        yield slice(top, min(top + rows, height))
