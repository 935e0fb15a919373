"""Finds where shots begin, from small copies of the frames."""

import itertools
import statistics
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from artcolor.color.srgb import Floats

__all__ = ["starts"]

# Longer side at which frames are compared: coarse, so that neither grain nor motion counts.
_SIDE = 24
# A change of this share of the contrast may be a cut, if it is so many times that of the frames around it.
_CHANGE, _TIMES = 0.15, 4.0
# In L: contrast that is still grain, and a change of the mean that is still exposure.
_GRAIN, _EXPOSURE = 1.5, 10.0
# Frames are blank that have nearly no pixel above the one, or below the other.
_BLACK, _WHITE, _SHARE = 10.0, 95.0, 5
# Frames that are read ahead, and how long a flash may last.
_AHEAD, _FLASH = 4, 2


@dataclass
class _Frame:
    """A frame as it is compared.

    Attributes:
        light: `(h, w)`, L less its mean.
        mean: the mean L.
        blank: black, white or a flash; says nothing of the shot.
        change: change from the last frame that is not blank; 0 if there is none.
    """

    light: Floats
    mean: float
    blank: bool
    change: float = 0.0


def starts(thumbnails: Iterable[Floats]) -> Iterator[bool]:
    """Tells for each frame whether a shot begins there.

    A cut is a change of what is where, much larger than those around it; changes of exposure, grain, motion and
    fades are none. Black and white frames, and flashes of up to two frames, belong to the shot before them.

    Args:
        thumbnails: `(h, w)`, L in 0..100 of each frame, area means; all of one size.

    Yields:
        `True` for the first frame of each shot. It reads four frames ahead.

    Example:
        >>> left = np.tile(np.linspace(20, 80, 32, dtype=np.float32), (24, 1))
        >>> list(starts([left, left, left[:, ::-1], left[:, ::-1]]))
        [True, False, True, False]
    """
    window: deque[_Frame] = deque()
    past: deque[float] = deque(maxlen=_AHEAD)
    # The last frames that are not blank: of those read, and of those told of.
    read: _Frame | None = None
    told: _Frame | None = None
    first = True
    for thumbnail in itertools.chain(thumbnails, itertools.repeat(None, _AHEAD)):
        if thumbnail is not None:
            frame = _frame(thumbnail)
            if not frame.blank:
                frame.change = _distance(read, frame)
                read = frame
            window.append(frame)
            if len(window) <= _AHEAD:
                continue
        if not window:
            return
        cut = _is_cut(window, past, told)
        frame = window.popleft()
        if not frame.blank:
            past.append(frame.change)
            told = frame
        yield first or cut
        first = False


def _frame(thumbnail: Floats) -> _Frame:
    dark, bright = np.percentile(thumbnail, (_SHARE, 100 - _SHARE))
    blank = bool(bright < _BLACK or dark > _WHITE)
    # At least as many rows and columns as there are: thumbnails may be smaller.
    height, width = thumbnail.shape
    scale = min(1.0, _SIDE / max(height, width))
    for axis, side in enumerate((height, width)):
        cells = max(1, round(side * scale))
        edges = np.arange(cells) * side // cells
        counts = np.diff(edges, append=side).astype(np.float32)
        thumbnail = np.add.reduceat(thumbnail, edges, axis=axis) / (counts[:, None] if axis == 0 else counts)
    mean = float(thumbnail.mean())
    return _Frame(thumbnail - mean, mean, blank)


def _distance(one: _Frame | None, other: _Frame) -> float:
    """How much differs, relative to the contrast: 0 to about 1, or more if contrast is turned around."""
    if one is None:
        return 0.0
    brighter = max(0.0, abs(one.mean - other.mean) - _EXPOSURE)
    # A fade changes the contrast, and where there is little, grain is most of it.
    contrasts = [float(np.square(each.light).mean()) + _GRAIN**2 for each in (one, other)]
    a, b = (each.light / contrast**0.5 for each, contrast in zip((one, other), contrasts, strict=True))
    return float(np.square(a - b).mean()) / 2 + brighter**2 / sum(contrasts)


def _is_cut(window: deque[_Frame], past: deque[float], before: _Frame | None) -> bool:
    """Whether a shot begins with the first frame of the window; makes the frames of a flash blank."""
    frame, *later = window
    if frame.blank or before is None or frame.change < _CHANGE:
        return False
    for number, other in enumerate(later[:_FLASH]):
        if not other.blank and _distance(before, other) < _CHANGE / 2:
            for flash in (frame, *later[:number]):
                flash.blank = True
            other.change = _distance(before, other)
            return False
    around = [*past, *(each.change for each in later if not each.blank)]
    return frame.change > _TIMES * statistics.median(around) if around else True
