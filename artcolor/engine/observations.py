"""Hints on the grid of a model's output, and the guarantee that they are met there exactly."""

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from artcolor.color.isolation import isolated
from artcolor.color.planes import enlarging_rows, shrinking_matrix
from artcolor.engine.hints import Hint, along, region_of
from artcolor.models.spread import Observations, limited

__all__ = ["enforce", "observe"]

# Cells that one hint observes, and all hints together. Beyond that, more of them say little and cost much.
_CELLS_OF_HINT = 48
_CELLS = 600
# Places that are met exactly; beyond that, time and memory would grow with the square of their number.
_EXACT = 2000
# Of a point's color, relative to that of a cell.
_VARIANCE = 0.02
_ROUNDS, _LARGEST = 3, 1.2
_UNKNOWN = (math.nan, math.nan)


@isolated()
def observe(hints: Sequence[Hint], grid: tuple[int, int], *, frame: int = 0) -> Observations | None:
    """Rasterizes hints.

    Args:
        hints: the hints; where several cover one cell, the last one counts.
        grid: height and width of the grid of a model's output, which covers the picture.
        frame: number of the page or frame; hints of others are ignored.

    Returns:
        The observed cells; `None` if no hint is for this frame.

    Raises:
        ImageError: a mask cannot be read.

    Example:
        >>> observe([Hint(x=0.5, y=0.25, color="navy")], (4, 8)).cells
        tensor([12])
    """
    hints = [hint for hint in hints if hint.frame in (None, frame)]
    if not hints:
        return None
    colors: dict[int, tuple[float, float]] = {}
    regions = torch.zeros(grid, dtype=torch.long) if any(hint.is_region for hint in hints) else None
    for number, hint in enumerate(hints, start=1):
        if hint.is_region:
            inside = region_of(hint, grid)
            assert regions is not None
            regions[torch.from_numpy(inside)] = number
            cells = np.flatnonzero(inside)
        else:
            cells = _cells_near(hint.points, hint.radius, grid)
        if hint.color is not None or hint.keep is not None:
            color = _UNKNOWN if hint.ab is None else hint.ab
            colors |= dict.fromkeys(_thinned(cells, _CELLS_OF_HINT).tolist(), color)
    chosen = _thinned(np.array(sorted(colors), dtype=int), _CELLS)
    ab = torch.tensor([colors[cell] for cell in chosen.tolist()], dtype=torch.float32).reshape(-1, 2)
    return Observations(torch.from_numpy(chosen), ab, regions)


@isolated()
def enforce(ab: Tensor, hints: Sequence[Hint], size: tuple[int, int], *, frame: int = 0) -> Tensor:
    """Changes chroma around points and strokes, as little as possible, so that the full-size picture meets them.

    The result is the nearest grid, in the least-squares sense, whose bicubic enlargement has the colors of the hints.
    Where hints contradict each other, it is a compromise.

    Args:
        ab: `(N, 2, h, w)` in Lab units, already near the colors of the hints.
        hints: the hints.
        size: height and width of the picture in pixels.
        frame: number of the page or frame; hints of others are ignored.

    Returns:
        `(N, 2, h, w)` in Lab units.
    """
    colors = {
        point: hint.ab
        for hint in hints
        if hint.frame in (None, frame) and not hint.is_region and hint.ab is not None
        for point in hint.points
    }
    if not colors:
        return ab
    colors = _one_a_cell(colors, (ab.shape[-2], ab.shape[-1]))
    chosen = _thinned(np.arange(len(colors)), _EXACT).tolist()
    points, wanted = list(colors), list(colors.values())
    weights = _weights([points[n] for n in chosen], (ab.shape[-2], ab.shape[-1]), size).to(ab)
    length = torch.linalg.vector_norm(weights, dim=1, keepdim=True)
    missing = (ab.new_tensor([wanted[n] for n in chosen]) - weights @ ab.flatten(2).mT) / length
    weights = weights / length
    factor = torch.linalg.cholesky(weights @ weights.T + _VARIANCE * torch.eye(len(weights)).to(ab))
    change = torch.zeros_like(ab.flatten(2).mT)
    # Repeated, it meets points that stand alone; those that contradict each other stay a compromise.
    for _ in range(_ROUNDS):
        change = change + weights.T @ torch.cholesky_solve(missing - weights @ change, factor)
    change = limited(change, _LARGEST * missing)
    return ab + change.mT.reshape(ab.shape)


def _cells_near(
    points: Sequence[tuple[float, float]], radius: float, grid: tuple[int, int]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Cells whose centers are within a radius of a path, and those that the path passes through."""
    rows, columns = grid
    corners = np.array(points) * (columns, rows)
    # A stroke that goes back and forth has many equal parts.
    parts = dict.fromkeys(itertools.pairwise(map(tuple, corners.tolist())))
    lines = (along(np.array(part), 0.5)[1:] for part in parts)
    near = np.zeros(grid, dtype=bool)
    reach = radius * min(grid)
    for line in itertools.chain([corners[:1]], lines):
        column, row = np.minimum(line.astype(int), (columns - 1, rows - 1)).T
        near[row, column] = True
        # Only cells around it.
        left, top = np.maximum(line.min(axis=0) - reach - 1, 0).astype(int).tolist()
        right, bottom = (line.max(axis=0) + reach + 1).astype(int).tolist()
        part = near[top:bottom, left:right]
        if not part.all():
            x, y = np.arange(part.shape[1]) + left + 0.5, np.arange(part.shape[0])[:, None] + top + 0.5
            part |= _gaps(x, y, line) <= reach**2
    return np.flatnonzero(near)


def _gaps(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], line: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Squared distances of places to the nearest of evenly spaced points on a straight line."""
    last = len(line) - 1
    across, down = ((line[-1] - line[0]) / max(1, last)).tolist()
    place = ((x - line[0, 0]) * across + (y - line[0, 1]) * down) / max(across**2 + down**2, 1e-12)
    # One of two is the nearest.
    before = np.clip(place.astype(int), 0, last)
    after = np.minimum(before + 1, last)
    one, other = ((x - line[each, 0]) ** 2 + (y - line[each, 1]) ** 2 for each in (before, after))
    gaps: np.ndarray[Any, Any] = np.minimum(one, other)
    return gaps


def _thinned(
    cells: np.ndarray[tuple[int], np.dtype[np.int64]], count: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """At most so many of the cells, scattered evenly but not on a lattice."""
    if len(cells) <= count:
        return cells
    # A hash of their numbers, which the page in the browser computes, too (lowbias32 by Chris Wellons, public domain).
    mixed: np.ndarray[Any, Any] = np.arange(len(cells), dtype=np.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        mixed = (mixed ^ (mixed >> shift)) * np.uint32(factor)
    return np.sort(cells[mixed.argsort()[:count]])


def _one_a_cell(
    colors: Mapping[tuple[float, float], tuple[float, float]], grid: tuple[int, int]
) -> dict[tuple[float, float], tuple[float, float]]:
    """Averages places and colors of points of different colors in one cell, which cannot have both."""
    cells: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for x, y in colors:
        cells.setdefault((int(y * grid[0]), int(x * grid[1])), []).append((x, y))
    found: dict[tuple[float, float], tuple[float, float]] = {}
    for points in cells.values():
        if len({colors[point] for point in points}) == 1:
            found |= {point: colors[point] for point in points}
        else:
            (x, y), (a, b) = (
                np.mean(points, axis=0).tolist(),
                np.mean([colors[each] for each in points], axis=0).tolist(),
            )
            found[x, y] = a, b
    return found


def _weights(points: Sequence[tuple[float, float]], grid: tuple[int, int], size: tuple[int, int]) -> Tensor:
    found = torch.zeros(len(points), grid[0] * grid[1])
    # Many points share a row or a column of pixels.
    row_of = functools.cache(_row_of)
    for number, (x, y) in enumerate(points):
        rows, columns = (
            row_of(cells, pixels, min(int(at * pixels), pixels - 1))
            for cells, pixels, at in ((grid[0], size[0], y), (grid[1], size[1], x))
        )
        found[number] = torch.outer(rows, columns).flatten()
    return found


def _row_of(cells: int, pixels: int, pixel: int) -> Tensor:
    """How a pixel is made of the cells along one side, as `ChromaJoiner` does it."""
    weights = torch.zeros(cells)
    if pixels < cells:
        return torch.from_numpy(shrinking_matrix(cells, pixels)[pixel].copy())
    matrix, first = enlarging_rows(cells, pixels, pixel, pixel + 1)
    weights[first : first + matrix.shape[1]] = torch.from_numpy(matrix[0]).float()
    return weights
