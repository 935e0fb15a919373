"""Shared by films, numbered frames and streams of frames: thumbnails, shots, and stable colors."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from artcolor.color.planes import lightness, resize
from artcolor.color.rows import Pixels
from artcolor.color.srgb import Floats
from artcolor.engine.colorizer import Colorizer
from artcolor.engine.sequence import Sequence
from artcolor.video.motion import Motion
from artcolor.video.shots import starts

# Long side of the pictures in which shots are looked for.
_THUMBNAIL = 96


def thumbnail(pixels: Pixels) -> Floats:
    """Makes a small picture in which shots are looked for: `(h, w)`, L in 0..100.

    Args:
        pixels: `(H, W)` or `(H, W, 3)`; uint8, uint16, or float in 0..1.
    """
    height, width = pixels.shape[:2]
    scale = min(1, _THUMBNAIL / max(height, width))
    return lightness(resize(pixels, (max(1, round(height * scale)), max(1, round(width * scale)))))


def borders_of(thumbnails: Iterable[Floats]) -> tuple[int, ...]:
    """Finds shots.

    Args:
        thumbnails: thumbnails of all frames.

    Returns:
        Number of the first frame of each shot, and the number of all frames.
    """
    begins = list(starts(thumbnails))
    return (*np.flatnonzero(begins).tolist(), len(begins))


def sequence_of(colorizer: Colorizer, state: Any = None) -> Sequence:
    """Creates the sequence that colors the shots of a film.

    Args:
        colorizer: predicts each frame.
        state: state of a sequence that colored the shots before.
    """
    return Sequence(colorizer, motion=Motion(), state=state)


class Looks:
    """The network's input for each frame of a shot; can be iterated twice.

    Args:
        count: number of frames.
        first: the looks, as they are read along with the film.
        again: reads them once more; hints that name a frame are followed before anything is colored.
    """

    def __init__(self, count: int, first: Iterator[Any], again: Callable[[], Iterator[Any]]) -> None:
        self._count, self._first, self._again = count, first, again
        self._read = False

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        first, self._read = not self._read, True
        return self._first if first else self._again()
