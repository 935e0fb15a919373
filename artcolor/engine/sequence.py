"""Stable colors over the frames of a film or an animation."""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any

import numpy as np

from artcolor.color.srgb import Floats
from artcolor.engine.averaging import Motion, Moving, RunningMean, averaged
from artcolor.engine.hints import Hint
from artcolor.engine.scenes import Scenes, Shift
from artcolor.engine.steady import SteadyChroma
from artcolor.engine.tracking import tracked
from artcolor.images import Picture

if TYPE_CHECKING:
    from artcolor.engine.colorizer import Colorizer
    from artcolor.models.guidance import Prediction

__all__ = ["AHEAD", "CHUNK", "Sequence"]

CHUNK = 32
"""Number of frames that are finished together."""
AHEAD = 16
"""Number of frames that are read ahead of them; those further ahead would weigh 1 % in the mean."""
# All of it would make the colors less accurate than those of single frames; half leaves them more accurate.
_GIVEN_BACK, _MOST_GAIN = 0.5, 1.2


class Sequence:
    """Colors the frames of shots so that objects keep their colors while they move.

    Networks see each frame alone, and grain, exposure and motion slightly change their predictions everywhere, so
    colors flicker. With `motion`, chroma is averaged along the motion, over the previous and following frames, where
    the motion is reliable; a shot of the same place as an earlier one gets its mood; and hints for a frame follow their
    objects through the shot. Without `motion`, chroma is held where lightness does not change (`SteadyChroma`).

    Args:
        colorizer: predicts each frame, with its guidance and decoding.
        motion: estimates motion, such as `artcolor.video.motion.Motion()`; `None` ignores motion.
        sample: number of the sample, from 0.
        state: `state` after an earlier shot of the film, to continue from there.

    Example:
        >>> from artcolor import Colorizer
        >>> colorizer = Colorizer("cnn")
        >>> looks = [colorizer.backend.look(np.full((90, 120), light, np.uint8)) for light in (90, 90, 92)]
        >>> first, second, third = Sequence(colorizer).colors(looks)
        >>> first.shape, bool((first == second).all())
        ((1, 2, 48, 64), True)
    """

    def __init__(
        self, colorizer: "Colorizer", *, motion: Motion | None = None, sample: int = 0, state: Any = None
    ) -> None:
        self._colorizer, self._motion, self._sample = colorizer, motion, sample
        self._hints: list[Hint] = list(colorizer.guidance.hints or ())
        self.state = state

    @property
    def state(self) -> dict[str, Any]:
        """The places seen so far, as JSON values; a shot counts once all its colors have been consumed."""
        return self._scenes.state

    @state.setter
    def state(self, state: Any) -> None:
        self._scenes = Scenes(state)

    def colors(
        self,
        looks: Iterable[Any],
        *,
        first: int = 0,
        size: tuple[int, int] | None = None,
        colorizer: "Colorizer | None" = None,
    ) -> Iterator[Floats]:
        """Colors the frames of one shot.

        It reads no more than `CHUNK + AHEAD` frames ahead of what it yields; without `motion`, none. If hints name
        frames of the shot, `looks` is read twice; an iterator is then kept in memory.

        Args:
            looks: input of the network for each frame, from `Colorizer.look`; all of one size. If it has a length,
                hints for frames after the shot are ignored.
            first: number of the shot's first frame in the film, for hints that are for a single frame.
            size: height and width of the frames in pixels, at which hints are met exactly; `None` is the size of
                `looks`.
            colorizer: predicts this shot in place of the sequence's own colorizer, with the same hints, and with a
                reference for this shot: its mood neither comes from an earlier shot nor goes to later ones.

        Yields:
            Chroma of each frame in Lab units, `(1, 2, h, w)` float32, on the grid of the network's output.

        Raises:
            ConfigError: the model does not accept the colorizer's guidance.
            WeightsError: the network's output is not finite.
        """
        if self._motion is None:
            yield from self._held(looks, first, size, colorizer or self._colorizer)
            return
        stop = first + len(looks) if isinstance(looks, Sized) else None
        own = [each for each in self._hints if each.frame is not None and each.frame >= first]
        own = [each for each in own if stop is None or (each.frame or 0) < stop]
        hints = {}
        if own:
            looks = list(looks) if isinstance(looks, Iterator) else looks
            every = (np.asarray(look)[0, 0] for look in looks)
            hints = tracked(own, every, self._motion, first=first)
        frames = itertools.count(first)
        shift: Shift | None = None
        places: list[tuple[Floats, list[Floats]]] = []
        gain = 1.0
        for lights, alone, colors in self._averaged(looks, first, hints, colorizer or self._colorizer):
            if shift is None:
                gain = _gain(alone, colors)
            colors = [each * np.float32(gain) for each in colors]
            if shift is None:
                # What a person says of the colors stands.
                shift = Shift() if self._hints or colorizer else self._scenes.shift(lights[0], colors)
            colors = [shift(each) for each in colors]
            # The beginning and the end.
            places[1:] = [(lights[-1], colors)] if places else []
            places = places or [(lights[0], colors)]
            for light, values, frame in zip(lights, colors, frames, strict=False):
                ab = np.ascontiguousarray(values.transpose(2, 0, 1)[None])
                yield self._exact(ab, self._of_frame(frame, hints), size or light.shape, frame)
        for light, colors in places if colorizer is None else ():
            self._scenes.add(light, colors)

    def _of_frame(self, frame: int, followed: dict[int, list[Hint]]) -> list[Hint]:
        return [*(each for each in self._hints if each.frame is None), *followed.get(frame, ())]

    def _exact(self, ab: Floats, hints: list[Hint], size: tuple[int, ...], frame: int) -> Floats:
        if not hints:
            return ab
        # Hints have imported torch.
        from torch import from_numpy  # noqa: PLC0415

        from artcolor.engine.observations import enforce  # noqa: PLC0415

        met: Floats = enforce(from_numpy(ab), hints, (size[0], size[1]), frame=frame).numpy()
        return met

    def pictures(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """Colorizes the frames of an animation one by one, as they are requested; motion is not followed.

        Args:
            pictures: the frames, from the first one on. Each may have hints of its own (`Colorizer.for_picture`).

        Yields:
            Each with colored pixels of the same depth.

        Raises:
            ConfigError: the hints do not fit a frame.
            WeightsError: the network's output is not finite.
        """
        steady = SteadyChroma()
        for frame, picture in enumerate(pictures):
            own = self._colorizer.for_picture(picture, frame=frame)
            _, prediction = self._hold(steady, own, own.look(picture), frame)
            yield own.paint(picture, prediction, frame=frame)

    def _held(
        self, looks: Iterable[Any], first: int, size: tuple[int, int] | None, colorizer: "Colorizer"
    ) -> Iterator[Floats]:
        steady = SteadyChroma()
        for frame, look in enumerate(looks, start=first):
            light, prediction = self._hold(steady, colorizer, look, frame)
            yield self._exact(np.asarray(prediction.ab), self._hints, size or light.shape[2:], frame)

    def _hold(self, steady: SteadyChroma, colorizer: "Colorizer", look: Any, frame: int) -> tuple[Floats, "Prediction"]:
        """Returns L `(1, 1, H, W)` of a frame, and its prediction with chroma that is held where L stands still."""
        (prediction,) = colorizer.predict([look], frame=frame)
        light = np.asarray(prediction.lightness[:1])
        ab: Any = steady(light, np.asarray(prediction.ab)[self._sample][None]).astype(np.float32)
        return light, dataclasses.replace(prediction, ab=ab)

    def _averaged(
        self, looks: Iterable[Any], first: int, hints: dict[int, list[Hint]], colorizer: "Colorizer"
    ) -> Iterator[tuple[list[Floats], list[Floats], list[Floats]]]:
        """Yields L `(h, w)` of several frames, their chroma `(h, w, 2)` as predicted, and its averages."""
        assert self._motion is not None
        window: list[Moving] = []
        lights: list[Floats] = []
        mean = RunningMean()
        for prediction in self._predicted(looks, first, hints, colorizer):
            light = np.asarray(prediction.lightness)[0, 0]
            values = np.asarray(prediction.ab)[self._sample].transpose(1, 2, 0).astype(np.float32, order="C")
            step = None
            if lights:
                step = self._motion.between(lights[-1], light).on_grid((values.shape[0], values.shape[1]))
            window.append(Moving(values, step))
            lights.append(light)
            if len(window) == CHUNK + AHEAD:
                yield lights[:CHUNK], _values(window[:CHUNK]), averaged(window, CHUNK, mean)
                del window[:CHUNK], lights[:CHUNK]
        if window:
            yield lights, _values(window), averaged(window, len(window), mean)

    def _predicted(
        self, looks: Iterable[Any], first: int, hints: dict[int, list[Hint]], colorizer: "Colorizer"
    ) -> Iterator["Prediction"]:
        numbered = enumerate(looks, start=first)
        # Each frame has hints of its own.
        count = 1 if hints else colorizer.batch_size
        while batch := list(itertools.islice(numbered, count)):
            frame = batch[0][0]
            own = self._of_frame(frame, hints) if hints else None
            yield from colorizer.predict([look for _, look in batch], frame=frame, hints=own)


def _values(frames: list[Moving]) -> list[Floats]:
    return [each.values for each in frames]


def _gain(alone: list[Floats], averages: list[Floats]) -> float:
    """A factor on chroma that restores some of what averaging removes, because colors of different hue cancel out."""
    before, after = (float(np.mean([np.linalg.norm(each, axis=-1).mean() for each in x])) for x in (alone, averages))
    return math.pow(min(max(before / max(after, 1e-3), 1.0), _MOST_GAIN), _GIVEN_BACK)
