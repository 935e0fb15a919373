"""Hints that follow what they were placed on, from frame to frame."""

import dataclasses
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from artcolor.color.srgb import Floats
from artcolor.engine.averaging import Motion
from artcolor.engine.hints import Hint, along, region_of
from artcolor.engine.steady import cell_means

__all__ = ["Field", "carried", "tracked"]

# A hint is lost where less than this of what it covers can be followed.
_SURE = 0.3
# Cells of a region from which on it may turn, grow and shrink.
_ENOUGH = 12
# Hints are carried back over so many frames; forward, to the end of the shot.
_BACK = 300
# Pixels of a cell that motion is stored for.
_CELL = 4


@dataclass(frozen=True)
class Field:
    """Motion to a neighboring frame, on a grid.

    Attributes:
        move: `(2, h, w)`, x and y in fractions of width and height.
        sure: `(h, w)` in 0..1.
    """

    move: Floats
    sure: Floats

    @staticmethod
    def of(flow: Floats, sure: Floats) -> "Field":
        """Reduces motion to a grid.

        Args:
            flow: `(H, W, 2)`, x and y in pixels.
            sure: `(H, W)` in 0..1.

        Returns:
            The mean motion of cells of four by four pixels.
        """
        height, width = sure.shape
        grid = max(1, height // _CELL), max(1, width // _CELL)
        scaled = flow.transpose(2, 0, 1) / np.array([width, height], np.float32)[:, None, None]
        return Field(cell_means(scaled, grid).astype(np.float16), cell_means(sure, grid).astype(np.float16))


def tracked(
    hints: Sequence[Hint], lights: Iterable[Floats], motion: Motion, *, first: int = 0
) -> dict[int, list[Hint]]:
    """Follows hints through the frames of a shot.

    Args:
        hints: only those that name a frame of the shot are followed.
        lights: `(h, w)`, L of each frame.
        motion: finds the motion.
        first: number of the first frame.

    Returns:
        The hints of each frame that has some, each naming that frame. Where what a hint is on is covered or leaves the
        picture, the hint ends.
    """
    found: dict[int, list[Hint]] = {}
    forward: list[Hint] = []
    behind: deque[Field] = deque(maxlen=_BACK)
    before: Floats | None = None
    for frame, light in enumerate(lights, start=first):
        if before is not None:
            flow = motion.between(before, light)
            behind.append(Field.of(flow.back, flow.back_sure))
            forward = _moved(forward, Field.of(flow.fore, flow.fore_sure), frame) if forward else []
        before = light
        own = [hint for hint in hints if hint.frame == frame]
        here = [*forward, *own]
        if here:
            found[frame] = [*found.get(frame, ()), *here]
        if own:
            forward += _outlined(own, motion, light.shape)
            backward = _outlined(own, motion, light.shape)
            for number, field in enumerate(reversed(behind), start=1):
                backward = _moved(backward, field, frame - number)
                if not backward:
                    break
                found[frame - number] = [*found.get(frame - number, ()), *backward]
    return found


def _moved(hints: Iterable[Hint], field: Field, frame: int) -> list[Hint]:
    moved = (carried(hint, field) for hint in hints)
    return [dataclasses.replace(hint, frame=frame) for hint in moved if hint is not None]


def _outlined(hints: Iterable[Hint], motion: Motion, size: tuple[int, ...]) -> list[Hint]:
    """Polygons in place of masks, since masks are files."""
    found: list[Hint] = []
    for hint in hints:
        if hint.mask is None:
            found.append(hint)
            continue
        inside = region_of(hint, (size[0], size[1]))
        found += [dataclasses.replace(hint, mask=None, polygon=polygon) for polygon in motion.outlines(inside)]
    return found


def carried(hint: Hint, field: Field) -> Hint | None:
    """Moves a hint to a neighboring frame.

    Args:
        hint: a point, a stroke or a polygon.
        field: motion from the hint's frame to the neighbor.

    Returns:
        The hint in its new place; `None` if what it is on is covered there, or outside of the picture.

    Example:
        >>> field = Field(np.full((2, 9, 9), 0.1, np.float32), np.ones((9, 9), np.float32))
        >>> moved = carried(Hint(x=0.5, y=0.5, color="navy"), field)
        >>> round(moved.x, 3), round(moved.y, 3)
        (0.6, 0.6)
    """
    points = np.array(hint.points, np.float64)
    moved, sure = _region(hint, points, field) if hint.is_region else _path(points, field)
    center = moved.mean(axis=0)
    if sure < _SURE or not ((center >= 0) & (center <= 1)).all():
        return None
    corners = [(float(x), float(y)) for x, y in moved.clip(0, 1)]
    if hint.x is not None:
        return dataclasses.replace(hint, x=corners[0][0], y=corners[0][1])
    if hint.polygon is not None:
        return dataclasses.replace(hint, polygon=corners)
    return dataclasses.replace(hint, polyline=corners)


def _path(points: Floats, field: Field) -> tuple[Floats, float]:
    """Moves the corners of a stroke, or a point."""
    move, sure = _sampled(field, points)
    if (sure >= _SURE).any():
        # A corner that is covered goes with the others.
        move = np.where((sure >= _SURE)[:, None], move, np.median(move[sure >= _SURE], axis=0))
    everywhere = along(points, 0.02) if len(points) > 1 else points
    return points + move, float(_sampled(field, everywhere)[1].mean())


def _region(hint: Hint, points: Floats, field: Field) -> tuple[Floats, float]:
    """Moves the corners of a polygon as what is inside of it moves on the whole."""
    inside = region_of(hint, (field.sure.shape[0], field.sure.shape[1]))
    rows, columns = np.nonzero(inside)
    sure = field.sure[inside].astype(np.float64)
    move = field.move[:, inside].T.astype(np.float64)
    height, width = inside.shape
    places = np.stack(((columns + 0.5) / width, (rows + 0.5) / height, np.ones(len(rows))), axis=1)
    good = sure >= _SURE
    if good.sum() < _ENOUGH:
        return points + np.median(move, axis=0), float(sure.mean())
    weight = sure[good, None]
    fitted = np.linalg.lstsq(places[good] * weight, move[good] * weight, rcond=None)[0]
    return points + np.column_stack((points, np.ones(len(points)))) @ fitted, float(sure.mean())


def _sampled(field: Field, points: Floats) -> tuple[Floats, Floats]:
    """Motion `(n, 2)` at places `(n, 2)`, and how sure it is, `(n,)`; between the cells, it is interpolated."""
    height, width = field.sure.shape
    x = (points[:, 0] * width - 0.5).clip(0, width - 1)
    y = (points[:, 1] * height - 0.5).clip(0, height - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    every = np.concatenate((field.move, field.sure[None])).astype(np.float64)
    upper = every[:, top, left] + (every[:, top, right] - every[:, top, left]) * (x - left)
    lower = every[:, bottom, left] + (every[:, bottom, right] - every[:, bottom, left]) * (x - left)
    found = upper + (lower - upper) * (y - top)
    return found[:2].T, found[2]
