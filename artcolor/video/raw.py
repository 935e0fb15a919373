"""Streams of raw frames, for pipelines with ffmpeg and VapourSynth."""

import collections
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np

from artcolor.color.planes import join
from artcolor.color.rows import Pixels
from artcolor.engine.colorizer import Colorizer
from artcolor.errors import ImageError
from artcolor.images import Picture
from artcolor.video.shots import starts
from artcolor.video.steady import sequence_of, thumbnail

CHANNELS = {"gray": 1, "rgb24": 3}
"""Pixel formats, as ffmpeg calls them → bytes for each pixel."""


def colorize_raw(
    colorizer: Colorizer,
    source: BinaryIO,
    target: Any,
    size: tuple[int, int],
    pix_fmt: str = "gray",
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Colorizes raw frames as they arrive. While hints name frames of a shot or later ones, it is kept in memory.

    Args:
        colorizer: predicts the colors.
        source: open for reading: frames, one directly after the other.
        target: open for writing; receives as many frames in rgb24.
        size: width and height of each frame.
        pix_fmt: pixel format of the source, one of `CHANNELS`.
        progress: called with the number of frames done.

    Returns:
        Number of frames.

    Raises:
        ConfigError: the hints do not fit the frames.
        ImageError: the stream ends within a frame; those before are written. Or it is empty.
    """
    frames = _Frames(source, size, CHANNELS[pix_fmt])
    given, done = colorizer, 0
    if colorizer.guidance.hints and frames.first is not None:
        colorizer = colorizer.for_picture(Picture(frames.first))
    sequence = sequence_of(colorizer)
    while frames.more():
        shot: collections.deque[Pixels] = collections.deque()

        def looks(shot: collections.deque[Pixels] = shot) -> Iterator[Any]:
            for pixels in frames.shot():
                shot.append(pixels)
                yield colorizer.look(Picture(pixels))

        for ab in sequence.colors(looks(), first=done, size=(size[1], size[0])):
            target.write(np.asarray(join(shot.popleft(), np.asarray(ab)[0])).tobytes())
            done += 1
            progress(done)
    if not done and not frames.rest:
        raise ImageError("standard input is empty; there is nothing to colorize")
    given.check_frames(done)
    if frames.rest:
        raise ImageError(
            f"standard input ends within frame {done + 1}: {frames.rest} of {frames.bytes} bytes; check the "
            f"size ({size[0]}x{size[1]}) and the pixel format ({pix_fmt})"
        )
    return done


class _Frames:
    """Reads frames, and tells where shots begin."""

    def __init__(self, source: BinaryIO, size: tuple[int, int], channels: int) -> None:
        width, height = size
        self._source = source
        self._shape = (height, width) if channels == 1 else (height, width, channels)
        self.bytes = width * height * channels
        self.rest = 0
        # Whoever looks for shots reads a little ahead.
        self._read: collections.deque[Pixels] = collections.deque()
        self._begins = starts(map(thumbnail, self._frames()))
        self._next = next(self._begins, None)

    def _frames(self) -> Iterator[Pixels]:
        while len(data := self._source.read(self.bytes)) == self.bytes:
            self._read.append(np.frombuffer(data, np.uint8).reshape(self._shape))
            yield self._read[-1]
        self.rest = len(data)

    @property
    def first(self) -> Pixels | None:
        """The next frame to be yielded; `None` if there is none."""
        return self._read[0] if self._read else None

    def more(self) -> bool:
        """Whether there is another shot."""
        return self._next is not None

    def shot(self) -> Iterator[Pixels]:
        """Yields the frames of the next shot."""
        yield self._read.popleft()
        while (begins := next(self._begins, None)) is False:
            yield self._read.popleft()
        self._next = begins
