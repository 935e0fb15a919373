"""Between frames of films and planes: Y' as it is stored, gray pixels for the network, and frames in color."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from av import VideoFrame
from av.sidedata.sidedata import Type
from av.video.format import VideoFormat

from artcolor.color.planes import ChromaJoiner
from artcolor.color.srgb import Floats
from artcolor.color.yuv import WEIGHTS, ChromaTable
from artcolor.video.tags import FULL, LIMITED, Tags

Codes = npt.NDArray[Any]
"""Code values of one plane, uint8 or uint16."""


@dataclass(frozen=True)
class Levels:
    """Which code values stand for black, white and chroma.

    Attributes:
        depth: bits of a code value.
        full: whether all code values are used (0..255), and not the limited range (16..235).

    Example:
        >>> Levels(8, False).black, Levels(8, False).white, Levels(10, True).white
        (16, 235, 1023)
    """

    depth: int
    full: bool

    @property
    def black(self) -> int:
        """Code of black."""
        return 0 if self.full else 16 << (self.depth - 8)

    @property
    def white(self) -> int:
        """Code of white."""
        return (1 << self.depth) - 1 if self.full else 235 << (self.depth - 8)

    @property
    def neutral(self) -> int:
        """Code of Cb and Cr of gray."""
        return 1 << (self.depth - 1)

    @property
    def chroma_span(self) -> int:
        """Difference between the codes of the largest and the smallest Cb or Cr."""
        return (1 << self.depth) - 1 if self.full else 224 << (self.depth - 8)

    @property
    def dtype(self) -> type[np.unsignedinteger[Any]]:
        """The data type of code values."""
        return np.uint8 if self.depth == 8 else np.uint16


def depth_of(format: VideoFormat) -> int:
    """The bits of the largest component of a pixel format."""
    return max(component.bits for component in format.components)


def is_rgb(format: VideoFormat) -> bool:
    """Whether pixels are red, green and blue, directly or by a palette or as black and white."""
    return bool(format.is_rgb or format.has_palette or format.name.startswith(("mono", "pal")))


def luma_of(frame: VideoFrame, levels: Levels, tags: Tags) -> Codes:
    """Reads Y' of a frame; that of RGB is computed.

    Args:
        frame: frame of any pixel format.
        levels: levels of its Y'.
        tags: color tags of the film.

    Returns:
        `(H, W)`, of the type of `levels`; memory of the frame where this is possible.
    """
    format = frame.format
    if is_rgb(format):
        deep = depth_of(format) > 8
        pixels = frame.to_ndarray(format="rgb48le" if deep else "rgb24")
        red, blue = WEIGHTS[tags.matrix]
        weights = np.array([red, 1 - red - blue, blue], np.float32) * (levels.white / (65535 if deep else 255))
        return (pixels @ weights).round().astype(levels.dtype)
    if not _stands_alone(format):
        frame = frame.reformat(format=_planar(format))
    return _plane(frame, 0, levels.dtype)


def _stands_alone(format: VideoFormat) -> bool:
    """Whether the first plane is Y', in the byte order and the low bits that most processors and all encoders use."""
    gray = len(format.components) == 1
    return (gray or format.is_planar) and not format.is_big_endian and not format.name.startswith("p0")


def _planar(format: VideoFormat) -> str:
    depth = depth_of(format)
    deep = "" if depth == 8 else f"{depth}le"
    if len(format.components) < 3:
        return f"gray{deep}"
    wide = format.chroma_width(16) == 16
    kind = "420" if format.chroma_height(16) < 16 else "444" if wide else "422"
    return f"yuv{kind}p{deep}"


def _plane(frame: VideoFrame, number: int, dtype: Any) -> Codes:
    plane = frame.planes[number]
    rows: Codes = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)
    return rows[:, : plane.width]


def recoded(codes: Codes, source: Levels, target: Levels) -> Codes:
    """Computes code values of Y' at other levels; where these are the same, nothing changes.

    Args:
        codes: codes of Y'.
        source: levels of `codes`.
        target: levels of the result.
    """
    return codes if source == target else np.take(_table(source, target), codes, mode="clip")


@functools.cache
def _table(source: Levels, target: Levels) -> Codes:
    codes = np.arange(1 << source.depth)
    value = (codes - source.black) / (source.white - source.black) * (target.white - target.black) + target.black
    return value.round().clip(0, (1 << target.depth) - 1).astype(target.dtype)


def gray_of(luma: Codes, levels: Levels, rotation: int) -> Codes:
    """Returns upright gray pixels, uint8: what a player shows of the film without its color.

    Args:
        luma: Y' of a frame.
        levels: levels of `luma`.
        rotation: angle in degrees by which players turn the film, counterclockwise.
    """
    return np.rot90(recoded(luma, levels, Levels(8, True)), quarter_turns(rotation))


def quarter_turns(rotation: int) -> int:
    """Number of counterclockwise quarter turns that come nearest to a rotation in degrees."""
    return round(rotation / 90) % 4


def matrix_of(frame: VideoFrame) -> list[int] | None:
    """The display matrix, by which players turn or mirror the film; `None` if there is none."""
    found = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]
    return None if found is None else np.frombuffer(found, np.int32).tolist()


@dataclass(frozen=True)
class Target:
    """Pixels of the colored film.

    Attributes:
        pix_fmt: planar YUV.
        levels: levels of its code values.
    """

    pix_fmt: str
    levels: Levels


class Painter:
    """Gives frames of one film their colors; Y' stays as it is.

    Args:
        levels: levels of Y' of the film.
        tags: color tags of the film.
        target: pixels of the result.
        rotation: angle in degrees by which players turn the film, counterclockwise.
    """

    def __init__(self, levels: Levels, tags: Tags, target: Target, rotation: int) -> None:
        self._levels, self._tags, self._target = levels, tags, target
        self._turns = quarter_turns(rotation)
        self._table = ChromaTable(tags.matrix, tags.primaries)

    def __call__(self, frame: VideoFrame, ab: Floats) -> VideoFrame:
        """Makes a frame in color, with the time of the original.

        Args:
            frame: the original.
            ab: `(2, h, w)` in Lab units, for the upright picture.
        """
        target = self._target.levels
        luma = luma_of(frame, self._levels, self._tags)
        made = VideoFrame(frame.width, frame.height, self._target.pix_fmt)
        _write(made, 0, recoded(luma, self._levels, target))
        height, width = made.planes[1].height, made.planes[1].width
        turned = np.ascontiguousarray(np.rot90(ab, -self._turns, (1, 2)))
        full = ChromaJoiner(turned, height, width).ab_rows(0, height)
        span = self._levels.white - self._levels.black
        light = (_reduced(luma, height, width) - self._levels.black) / np.float32(span)
        chroma = self._table(light.clip(0, 1), full) * target.chroma_span + target.neutral
        chroma = chroma.round().clip(0, (1 << target.depth) - 1).astype(target.dtype)
        _write(made, 1, chroma[0])
        _write(made, 2, chroma[1])
        if len(made.planes) == 4:
            _write(made, 3, _plane(frame, 3, target.dtype))
        made.pts, made.time_base, made.duration = frame.pts, frame.time_base, frame.duration
        made.colorspace, made.color_range = self._tags.matrix, FULL if target.full else LIMITED
        made.color_primaries, made.color_trc = self._tags.primaries, self._tags.transfer
        return made


def _write(frame: VideoFrame, number: int, codes: Codes) -> None:
    _plane(frame, number, codes.dtype)[:] = codes


def _reduced(luma: Codes, height: int, width: int) -> Floats:
    """Means over the luma pixels of each chroma pixel, float32; at odd borders the last one counts twice."""
    down, right = -(-luma.shape[0] // height), -(-luma.shape[1] // width)
    below, beside = height * down - luma.shape[0], width * right - luma.shape[1]
    if below or beside:
        luma = np.pad(luma, ((0, below), (0, beside)), "edge")
    parts: list[Floats] = [luma[y::down, x::right].astype(np.float32) for y, x in np.ndindex(down, right)]
    return sum(parts[1:], parts[0]) / np.float32(len(parts))


def subsampling_of(format: VideoFormat) -> tuple[int, int]:
    """Luma pixels per chroma pixel, across and down; gray counts as 4:2:0."""
    if is_rgb(format):
        return 1, 1
    if len(format.components) < 3:
        return 2, 2
    return 16 // format.chroma_width(16), 16 // format.chroma_height(16)


def candidates(format: VideoFormat) -> Iterator[str]:
    """Names of planar YUV formats that hold chroma of a format, the nearest first, without depth: `yuv420p`."""
    across, down = subsampling_of(format)
    own = "444" if across == 1 else "422" if down == 1 else "420"
    alpha = any(component.is_alpha for component in format.components) and not is_rgb(format)
    for kind in dict.fromkeys((own, "420", "422", "444")):
        if alpha and kind == own and format.is_planar:
            yield f"yuva{kind}p"
        yield f"yuv{kind}p"
