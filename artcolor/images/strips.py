"""Pixels that are had strip by strip, so that a large picture need not be in memory as a whole."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_STRIP_PIXELS = 1 << 20


class Rows(Protocol):
    """Pixels `(H, W)` or `(H, W, 3)`, of which any rows can be had: an array, or `LazyRows`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width, and 3 if they have colour."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, uint16, or float32 in 0..1."""

    def __getitem__(self, rows: slice, /) -> Array:
        """The pixels of these rows."""


class LazyRows:
    """Rows that are made when they are asked for, and each time again. `np.asarray` makes them all.

    Args:
        shape: of the whole.
        dtype: of the whole.
        make: gives the rows from the first number up to the second.

    Example:
        >>> rows = LazyRows((4, 6), np.dtype(np.uint8), lambda start, stop: np.full((stop - start, 6), 7, np.uint8))
        >>> rows[1:3].shape, np.asarray(rows).shape
        ((2, 6), (4, 6))
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], make: Callable[[int, int], Array]) -> None:
        self.shape, self.dtype, self._make = shape, dtype, make

    def __getitem__(self, rows: slice, /) -> Array:
        start, stop, step = rows.indices(self.shape[0])
        return self._make(start, max(start, stop))[::step]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        whole = np.empty(self.shape, self.dtype)
        for rows in row_strips(self):
            whole[rows] = self[rows]
        return whole if dtype is None else whole.astype(dtype, copy=False)


def bytes_of(rows: Rows) -> int:
    """What they would take in memory as a whole."""
    return math.prod(rows.shape) * rows.dtype.itemsize


def row_strips(pixels: Rows) -> Iterator[slice]:
    """The rows of strips that are small beside a large picture.

    Args:
        pixels: `(H, W, ...)`.
    """
    return strips_of(*pixels.shape[:2])


def strips_of(height: int, width: int) -> Iterator[slice]:
    """The rows of strips that are small beside a large picture, of `height` × `width` pixels."""
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
