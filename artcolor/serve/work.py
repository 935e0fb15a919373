"""Estimates the memory and time that the network needs for a picture, to refuse what is too large in advance."""

import math
from collections.abc import Iterable
from typing import Any

from artcolor.color.planes import working_size
from artcolor.errors import ConfigError

__all__ = ["FEATURE_BYTES", "work_of", "working_pixels"]

FEATURE_BYTES = 100
"""Memory of what a session keeps of the network, for each pixel at the working size (measured: 95)."""

# Memory for one picture. With PyTorch and the sessions, which take twice as much, the server stays below 1.5 GB.
_MOST_BYTES = 500 << 20
# For each pixel at the working size (measured).
_PLAIN, _DRAWN = 250, 500
# Room is counted in pixels of pictures; all of it is as much memory as the largest request needs.
_PICTURE = 8
# Further bytes for each cell that hints observe, and for each point that is met exactly; see `engine.observations`.
_CELL, _CELLS_OF_HINT, _CELLS = 5, 48, 600
_POINT, _POINTS = 2.5, 2000
# Cells that are looked at for strokes: some seconds.
_MOST_CELLS = 2e9
# What a place on a stroke costs beside its cells, in cells.
_PLACE = 4000
# The output has half the working size, and a stroke has a place each half cell.
_STRIDE, _PLACES = 2, 2
_LARGEST_STRIDE = 32


def working_pixels(width: int, height: int, size: int) -> int:
    """Number of pixels of a picture at the working size; about, because models differ.

    Args:
        width: width of the picture.
        height: height of the picture.
        size: the working size.

    Example:
        >>> working_pixels(600, 300, 256)
        131072
    """
    # Damaged files may state no width or height; reading them says what is wrong.
    sides = max(1, height), max(1, width)
    return math.prod(working_size(*sides, size=size, stride=_LARGEST_STRIDE, out_stride=_STRIDE))


def work_of(working: int, hints: Any = None, *, draws: bool = False) -> int:
    """Computes the room that a picture needs for its colors.

    Args:
        working: number of its pixels at the working size.
        hints: hints as JSON; invalid ones are not reported here.
        draws: whether colors may be sampled.

    Returns:
        The room, in pixels of pictures.

    Raises:
        ConfigError: it needs too much memory or time.

    Example:
        >>> work_of(65_536), work_of(65_536, [{"x": 0.5, "y": 0.5, "color": "red"}] * 100)
        (2048000, 26624000)
    """
    every = hints.get("hints") if isinstance(hints, dict) else hints
    known = [each for each in every if isinstance(each, dict)] if isinstance(every, list) else []
    strokes = [each["polyline"] for each in known if isinstance(each.get("polyline"), list)]
    cells = min(_CELLS, _CELLS_OF_HINT * len(known))
    points = min(_POINTS, len(known) + sum(map(len, strokes)))
    needed = _PLAIN + max(_CELL * cells, _POINT * points) if known else _PLAIN
    needed = working * max(needed, _DRAWN if draws else 0)
    if needed > _MOST_BYTES:
        less = "size, or fewer hints" if known else "size"
        raise ConfigError(f"the picture needs too much memory at this working size; choose a smaller {less}")
    if sum(_cells_of(each, working) for each in known if isinstance(each.get("polyline"), list)) > _MOST_CELLS:
        raise ConfigError("the polylines of the hints are too long and too wide; shorten them, or reduce their radius")
    return round(needed / _PICTURE)


def _cells_of(stroke: dict[str, Any], working: int) -> float:
    """Number of cells that are looked at for a stroke."""
    side = math.sqrt(working) / _STRIDE
    radius = stroke.get("radius", 0)
    wide = min(1.0, 2 * radius) if type(radius) in (int, float) and radius >= 0 else 1.0
    return _PLACES * side * _length(stroke["polyline"]) * (_PLACE + (wide * side) ** 2)


def _length(corners: Iterable[Any]) -> float:
    places = [
        (float(each[0]), float(each[1]))
        for each in corners
        if isinstance(each, list) and len(each) == 2 and all(type(at) in (int, float) and 0 <= at <= 1 for at in each)
    ]
    return sum(map(math.dist, places, places[1:]))
