"""Averages colors along the motion from frame to frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from artcolor.color.srgb import Floats

__all__ = ["Flow", "Motion", "Moving", "RunningMean", "Step", "averaged"]

# How much a frame's neighbor counts, relative to the frame itself; the next one counts the square of it, and so on.
_KEEP = np.float32(0.8)


class Step(Protocol):
    """Motion from one frame to the next on a grid; `artcolor.video.motion.Step` is one."""

    def to_later(self, values: Floats) -> tuple[Floats, Floats]:
        """Warps values of the earlier frame to the later one.

        Args:
            values: `(h, w, k)`, float32.

        Returns:
            `(h, w, k)`, and the confidence of each cell, `(h, w, 1)` in 0..1.
        """

    def to_earlier(self, values: Floats) -> tuple[Floats, Floats]:
        """Warps values of the later frame to the earlier one.

        Args:
            values: `(h, w, k)`, float32.

        Returns:
            `(h, w, k)`, and the confidence of each cell, `(h, w, 1)` in 0..1.
        """


class Flow(Protocol):
    """Motion from one frame to the next; `artcolor.video.motion.Flow` is one, and documents the attributes."""

    fore: Floats
    back: Floats
    fore_sure: Floats
    back_sure: Floats

    def on_grid(self, grid: tuple[int, int]) -> Step:
        """The same motion for values on a grid of this height and width, which covers the frame."""


class Motion(Protocol):
    """Finds motion; `artcolor.video.motion.Motion` is one."""

    def between(self, earlier: Floats, later: Floats) -> Flow:
        """Finds the motion between two frames.

        Args:
            earlier: `(h, w)`, L in 0..100 of a frame.
            later: the same of the next frame.

        Returns:
            The motion in both directions.
        """

    def outlines(self, inside: npt.NDArray[np.bool_]) -> list[list[tuple[float, float]]]:
        """Finds polygons around the areas of a region `(h, w)`, in fractions of width and height."""


@dataclass(frozen=True)
class Moving:
    """Values of a frame, and the motion since the previous frame.

    Attributes:
        values: `(h, w, k)`, float32.
        step: motion from the previous frame; `None` for the first frame of a shot.
    """

    values: Floats
    step: Step | None


@dataclass(frozen=True)
class Mean:
    """A weighted mean.

    Attributes:
        values: `(h, w, k)`.
        weight: `(h, w, 1)`, the sum of the weights; a single frame has 1.
    """

    values: Floats
    weight: Floats

    def with_frame(self, values: Floats, weight: float | Floats = 1.0) -> "Mean":
        """Adds the values of a frame.

        Args:
            values: `(h, w, k)`.
            weight: how much they count, a number or `(h, w, 1)`.

        Returns:
            The mean of both.
        """
        total = self.weight + weight
        return Mean(values + (self.values - values) * (self.weight / total), total)


def _single(values: Floats) -> Mean:
    return Mean(values, np.ones((*values.shape[:2], 1), np.float32))


def _moved(mean: Mean, step: Step, *, later: bool) -> Mean:
    """Moves a mean to the next frame, or to the one before, where it counts less."""
    move = step.to_later if later else step.to_earlier
    moved, sure = move(np.concatenate((mean.values, mean.weight), axis=-1))
    # Resampling may overshoot.
    return Mean(moved[..., :-1], moved[..., -1:].clip(0, 1 / (1 - _KEEP)) * sure * _KEEP)


class RunningMean:
    """The mean over a frame and those before it, each moved along, and counting less the farther it is.

    Example:
        >>> mean = RunningMean()
        >>> float(mean.add(Moving(np.ones((2, 2, 1), np.float32), None)).values.mean())
        1.0
    """

    def __init__(self) -> None:
        self._mean: Mean | None = None

    def add(self, frame: Moving) -> Mean:
        """Adds the next frame.

        Args:
            frame: its values, and the motion since the previous frame.

        Returns:
            The mean up to it.
        """
        if self._mean is None or frame.step is None:
            self._mean = _single(frame.values)
        else:
            self._mean = _moved(self._mean, frame.step, later=True).with_frame(frame.values)
        return self._mean


def averaged(frames: Sequence[Moving], count: int, before: RunningMean) -> list[Floats]:
    """Averages values along the motion, over the frames before and after.

    Args:
        frames: frames of one shot, in order: those to average, and some that follow them.
        count: number of frames to average, from the first.
        before: the mean up to the frame before `frames`; the averaged frames are added to it.

    Returns:
        `(h, w, k)` for each of the first `count` frames.

    Example:
        >>> frames = [Moving(np.full((2, 2, 1), value, np.float32), None) for value in (1, 3)]
        >>> [float(each.mean()) for each in averaged(frames, 2, RunningMean())]
        [1.0, 3.0]
    """
    # What the frames after each one say of it.
    after: list[Mean | None] = [None]
    mean = _single(frames[-1].values)
    for earlier, later in zip(frames[-2::-1], frames[:0:-1], strict=True):
        moved = None if later.step is None else _moved(mean, later.step, later=False)
        after.append(moved)
        mean = _single(earlier.values) if moved is None else moved.with_frame(earlier.values)
    after.reverse()
    found = []
    for frame, rest in zip(frames[:count], after, strict=False):
        own = before.add(frame)
        found.append(own.values if rest is None else rest.with_frame(own.values, own.weight).values)
    return found
