"""Reads films: facts about them, their frames, and the borders between shots."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from artcolor.color.rows import Pixels
from artcolor.color.srgb import Floats
from artcolor.errors import ImageError, UnsupportedError
from artcolor.video import tags as color_tags
from artcolor.video.planes import Levels, depth_of, gray_of, is_rgb, luma_of, matrix_of, quarter_turns
from artcolor.video.steady import borders_of, thumbnail
from artcolor.video.tags import Tags

# A film that ends this much before its header says, in seconds and as a share, is cut off.
_MISSING, _MISSING_SHARE = 1.0, 0.02
_PROGRESSIVE = (0, 1)
# Rounding gives two or three distances between frames that are evenly spaced.
_KINDS = 64


# PyAV 19 knows no other way; before, bytes that are not UTF-8 were errors.
METADATA: Any = {"metadata_errors": "surrogateescape"} if int(av.__version__.partition(".")[0]) < 19 else {}
"""How text in films is decoded."""


def fraction(value: Any) -> Fraction | None:
    """Turns a fraction of PyAV into one of Python.

    Args:
        value: a `Fraction` or `None` in PyAV 18, and another type from 19 on, which may be 0/0.

    Returns:
        `None` if it is not known.
    """
    if value is None or not value.numerator or not value.denominator:
        return None
    return Fraction(value.numerator, value.denominator)


@dataclass(frozen=True)
class Facts:
    """Facts about a film from its header and its first frame.

    Attributes:
        path: path of the file.
        index: number of the stream that is colorized.
        codec: name of its codec, whatever decodes it.
        codec_tag: four letters by which the container names the codec.
        width: stored width, in pixels.
        height: stored height, in pixels.
        pix_fmt: pixel format.
        levels: levels of Y'.
        tags: color tags, completed.
        rotation: angle in degrees by which players turn the film, counterclockwise.
        display_matrix: the same as it is stored, with mirroring; `None` if there is none.
        aspect: width of a pixel divided by its height; `None` if unknown.
        time_base: unit of timestamps in seconds.
        rate: frames a second, on average.
        count: number of frames that the header states, or an estimate; 0 if there is none.
        end: end of the last frame that the header states, in units of `time_base`; 0 if it states none.
    """

    path: Path
    index: int
    codec: str
    codec_tag: str
    width: int
    height: int
    pix_fmt: str
    levels: Levels
    tags: Tags
    rotation: int
    display_matrix: tuple[int, ...] | None
    aspect: Fraction | None
    time_base: Fraction
    rate: Fraction
    count: int
    end: int

    @property
    def upright(self) -> tuple[int, int]:
        """Height and width as players show it."""
        size = (self.height, self.width)
        return size if quarter_turns(self.rotation) % 2 == 0 else size[::-1]

    @property
    def step(self) -> int:
        """Time from frame to frame, on average, in units of `time_base`."""
        return max(1, round(1 / (self.rate * self.time_base)))

    @property
    def format(self) -> av.VideoFormat:
        """The pixel format."""
        return av.VideoFormat(self.pix_fmt)


@dataclass
class Losses:
    """Parts of a film that could not be read.

    Attributes:
        damaged: number of packets that could not be decoded.
        cut_off: whether the film ends earlier than its header states.
    """

    damaged: int = 0
    cut_off: bool = False

    def __bool__(self) -> bool:
        return bool(self.damaged) or self.cut_off


@contextlib.contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Opens a film file.

    Args:
        path: path of the file.

    Raises:
        ImageError: it cannot be opened; the message says why.
    """
    try:
        # A name with a colon would be taken for an address.
        container = av.open(f"file:{path}", **METADATA)
    except av.FFmpegError as error:
        if isinstance(error, av.InvalidDataError):
            reason = "it is damaged, truncated before its index, or not a film"
            raise ImageError(f"{path} cannot be read: {reason}") from error
        raise ImageError(f"{path} cannot be read: {error.strerror}") from error
    with container:
        yield container


def main_stream(container: InputContainer, name: object) -> VideoStream:
    """Finds the video stream of a film; cover pictures, which are also stored as video, do not count.

    Args:
        container: the film.
        name: name of the film, for the message.

    Raises:
        ImageError: there is none.
    """
    for stream in container.streams.video:
        if not stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails):
            if stream.codec_context is None:
                raise UnsupportedError(f"{name} uses an unsupported codec; convert it: ffmpeg -i IN OUT.mkv")
            return stream
    what = "only sound" if container.streams.audio else "no moving picture"
    raise ImageError(f"{name} has {what}; there is nothing to colorize")


def facts_of(path: Path) -> Facts:
    """Reads the facts about a film.

    Args:
        path: path of the file.

    Raises:
        ImageError: it cannot be read, or has no moving picture.
        UnsupportedError: it is interlaced, HDR, or has tags that are not supported.
    """
    with opened(path) as container:
        stream = main_stream(container, path)
        context = stream.codec_context
        first = next(_decoded(container, stream, Losses()), None)
        if first is None:
            raise ImageError(f"{path} cannot be read: not a single frame can be decoded")
        if context.field_order not in _PROGRESSIVE or first.interlaced_frame:
            raise interlaced(path)
        unit = fraction(stream.time_base)
        assert unit is not None
        format, codec = first.format, context.codec.canonical_name
        stated = (first.colorspace, first.color_primaries, first.color_trc, first.color_range)
        size = first.width, first.height
        tags = color_tags.complete(str(path), size, stated, kind=format.name, codec=codec, rgb=is_rgb(format))
        matrix = matrix_of(first)
        rate = fraction(stream.average_rate) or fraction(stream.guessed_rate) or Fraction(25)
        seconds = _seconds(stream.duration, unit) or _seconds(container.duration, Fraction(1, av.time_base))
        return Facts(
            path=path,
            index=stream.index,
            codec=codec,
            codec_tag=context.codec_tag,
            width=first.width,
            height=first.height,
            pix_fmt=format.name,
            levels=Levels(max(8, depth_of(format)), tags.full),
            tags=tags,
            rotation=first.rotation,
            display_matrix=None if matrix is None else tuple(matrix),
            aspect=fraction(stream.sample_aspect_ratio),
            time_base=unit,
            rate=rate,
            count=stream.frames or round(seconds * rate),
            end=(stream.start_time or 0) + stream.duration if stream.duration else 0,
        )


def interlaced(name: object) -> UnsupportedError:
    """Returns the error for an interlaced film, whose frames consist of two fields each.

    Args:
        name: name of the film.
    """
    return UnsupportedError(
        f"{name} is interlaced: each frame shows two moments, line by line. Deinterlace it first: "
        "ffmpeg -i IN -map 0 -c copy -c:v ffv1 -vf bwdif=mode=send_frame OUT.mkv"
    )


def _seconds(duration: int | None, unit: Fraction) -> float:
    return float((duration or 0) * unit)


def _decoded(container: InputContainer, stream: VideoStream, losses: Losses) -> Iterator[av.VideoFrame]:
    """Decodes all frames of a stream; what cannot be decoded is counted and left out."""
    stream.thread_type = "AUTO"
    packets = container.demux(stream)
    flushed = False
    while not flushed:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            losses.cut_off = True
            packet = None
        try:
            if packet is None:
                flushed = True
                frames = stream.decode(None)
            else:
                losses.damaged += packet.is_corrupt
                frames = packet.decode()
        except av.EOFError:
            return
        except av.FFmpegError:
            losses.damaged += 1
            continue
        yield from frames


def frames_of(facts: Facts, start: int = 0, losses: Losses | None = None) -> Iterator[av.VideoFrame]:
    """Reads the frames of a film in the order in which they are shown, one after the other, with rising timestamps.

    Args:
        facts: facts about the film.
        start: number of the first frame to yield.
        losses: counts what cannot be read.

    Yields:
        Frames, with timestamps in units of `facts.time_base`.

    Raises:
        ImageError: the file can no longer be opened.
        UnsupportedError: a frame is interlaced, or of another size or format than the first.
    """
    with opened(facts.path) as container:
        stream = container.streams[facts.index]
        assert isinstance(stream, VideoStream)
        last: int | None = None
        for number, frame in enumerate(_decoded(container, stream, losses or Losses())):
            time = frame.pts if frame.pts is not None else 0 if last is None else last + facts.step
            frame.pts = last = time if last is None or time > last else last + 1
            frame.time_base = facts.time_base
            if number < start:
                continue
            _check(frame, facts, number)
            yield frame


def _check(frame: av.VideoFrame, facts: Facts, number: int) -> None:
    if frame.interlaced_frame:
        raise interlaced(facts.path)
    if (frame.width, frame.height, frame.format.name) != (facts.width, facts.height, facts.pix_fmt):
        raise UnsupportedError(
            f"{facts.path}: frame {number} is {frame.width}x{frame.height} {frame.format.name}, the first one is "
            f"{facts.width}x{facts.height} {facts.pix_fmt}; make them alike: "
            f"ffmpeg -i IN -vf scale={facts.width}:{facts.height},format={facts.pix_fmt} OUT.mkv"
        )


def gray_frame(frame: av.VideoFrame, facts: Facts) -> Pixels:
    """Returns upright gray pixels of a frame, `(H, W)`, uint8: what a player shows without color.

    Args:
        frame: frame of the film.
        facts: facts about the film.
    """
    return np.ascontiguousarray(gray_of(luma_of(frame, facts.levels, facts.tags), facts.levels, facts.rotation))


@dataclass(frozen=True)
class Survey:
    """The outcome of a first pass over a film.

    Attributes:
        borders: number of the first frame of each shot, and the number of all frames.
        losses: what cannot be read.
        end: end of the last frame, in units of the time base.
        even: whether the frames are evenly spaced.
    """

    borders: tuple[int, ...]
    losses: Losses
    end: int
    even: bool = True

    @property
    def frames(self) -> int:
        """Number of all frames."""
        return self.borders[-1]


def survey(
    facts: Facts,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Survey:
    """Reads a film once: counts its frames, finds shots, and notes damaged parts.

    Args:
        facts: facts about the film.
        progress: called with the numbers of frames done and in all.

    Returns:
        Shots, number of frames, and losses.

    Raises:
        ImageError: the film cannot be read.
        UnsupportedError: as `frames_of`.
    """
    losses, count, last, end = Losses(), 0, 0, facts.end
    steps: set[int] = set()

    def thumbnails() -> Iterator[Floats]:
        nonlocal count, last, end
        for frame in frames_of(facts, losses=losses):
            count += 1
            assert frame.pts is not None
            if count > 1 and len(steps) < _KINDS:
                steps.add(frame.pts - last)
            last = frame.pts
            end = max(end, frame.pts + (frame.duration or facts.step) if facts.end == 0 else frame.pts + 1)
            progress(count, max(count, facts.count))
            yield thumbnail(gray_frame(frame, facts))

    borders = borders_of(thumbnails())
    even = not steps or max(steps) - min(steps) <= max(2, facts.step // 50)
    return Survey(borders, _with_end(facts, losses, count, last), end, even)


def _with_end(facts: Facts, losses: Losses, count: int, last: int) -> Losses:
    """Finds out whether the file ends before its header says, by all of its streams.

    Args:
        facts: facts about the film.
        losses: found so far.
        count: number of frames.
        last: time of the last frame.
    """
    with opened(facts.path) as container:
        # Matroska states the end, and the others the length, which differ where a film does not begin at 0.
        matroska = "matroska" in container.format.name
        start = 0.0 if matroska else (container.start_time or 0) / av.time_base
        stated = _seconds(container.duration, Fraction(1, av.time_base))
        end = float((last + facts.step) * facts.time_base) - start
        if container.format.name == "avi":
            # FFmpeg corrects its duration by the size of the file, but not the number of frames.
            stated, end = facts.count / float(facts.rate), count / float(facts.rate)
        missing = max(_MISSING, _MISSING_SHARE * stated)
        if losses.cut_off or stated - end <= missing:
            return losses
        with contextlib.suppress(av.FFmpegError):
            for packet in container.demux():
                time = packet.dts if packet.pts is None else packet.pts
                if time is not None:
                    end = max(end, float((time + (packet.duration or 0)) * packet.time_base) - start)
    return dataclasses.replace(losses, cut_off=stated - end > missing)
