"""Converts between pixels and planes: L at the working size for the network, and chroma joined with the full-size L.

This is the only place where pixels become L, and the only one where chroma becomes pixels. It works on arrays, without
torch; `artcolor.color.transforms` has the same for tensors.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from artcolor.color import srgb
from artcolor.color.rows import LazyRows, Pixels, Rows, strips_of
from artcolor.color.srgb import Floats
from artcolor.errors import ConfigError

_KEYS = -0.75
# Pictures that are longer than this many times their short side are seen smaller, with the area of this aspect. Very
# narrow ones have more, because of the least short side.
_WIDEST = 3
# Beyond this many times the working size, a long side is shortened; otherwise a hairline picture would fill the memory.
_LONGEST = 32


def working_size(height: int, width: int, *, size: int, stride: int, out_stride: int) -> tuple[int, int]:
    """Returns the size at which a network sees a picture.

    Args:
        height: height of the picture, in pixels.
        width: width of the picture, in pixels.
        size: the working size; the short side of the result, in pixels, up to an aspect of 3:1. Longer pictures have
            the area of that aspect.
        stride: what the network's input must be a multiple of; the short side comes out at least twice that.
        out_stride: both sides come out as multiples of it.

    Returns:
        Height and width. The aspect is kept to within `out_stride / 2` pixels.

    Example:
        >>> working_size(3000, 4000, size=192, stride=8, out_stride=4)
        (192, 256)
    """
    scale = min(size / min(height, width), size * math.sqrt(_WIDEST / (height * width)))
    short = min(height, width) * scale
    if short < 2 * stride:
        scale *= 2 * stride / short
    longest = _LONGEST * size

    def side(pixels: int) -> int:
        return max(2 * stride, min(longest, round(pixels * scale / out_stride) * out_stride))

    return side(height), side(width)


@dataclass(frozen=True)
class WorkingSize:
    """How large a network sees pictures.

    Attributes:
        size: the working size in pixels; see `working_size`.
        stride: a side of the network's input must be a multiple of it.
        out_stride: input pixels per pixel of the network's output.

    Raises:
        ConfigError: `size` is below 16.

    Example:
        >>> WorkingSize(192, 8, 4).lightness(np.zeros((300, 400), np.uint8)).shape
        (192, 256)
    """

    size: int
    stride: int
    out_stride: int

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or self.size < 16:
            raise ConfigError(f"size must be an integer of at least 16 pixels, not {self.size!r}")

    def of(self, height: int, width: int) -> tuple[int, int]:
        """The working size, height and width, of a picture of `height` × `width` pixels."""
        return working_size(height, width, size=self.size, stride=self.stride, out_stride=self.out_stride)

    def lightness(self, pixels: Pixels) -> Floats:
        """L at the working size: `(h, w)` in 0..100.

        Args:
            pixels: `(H, W)` or `(H, W, 3)`; uint8, uint16, or float in 0..1.
        """
        return lightness(resize(pixels, self.of(*pixels.shape[:2])))


def lightness(pixels: Pixels) -> Floats:
    """Computes L of pixels.

    Args:
        pixels: `(H, W)` or `(H, W, 3)`; uint8, uint16, or float in 0..1.

    Returns:
        `(H, W)`, float32, L in 0..100.

    Example:
        >>> lightness(np.full((4, 6), 255, np.uint8)).shape
        (4, 6)
    """
    if pixels.ndim == 2 and _is_integer(pixels.dtype):
        return np.take(srgb.lightness_of(_native(pixels.dtype)), pixels)
    return srgb.linear_to_lightness(_linear(pixels))


def lab(pixels: Pixels) -> Floats:
    """Computes Lab of pixels.

    Args:
        pixels: `(H, W, 3)`; uint8, uint16, or float in 0..1.

    Returns:
        `(3, H, W)`, float32: L in 0..100, a and b in Lab units.
    """
    return srgb.linear_to_lab(_linear(pixels))


def _linear(pixels: Pixels) -> Floats:
    """Linear light of pixels: `(1|3, H, W)` in 0..1, float32."""
    planes = pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
    if _is_integer(pixels.dtype):
        return np.take(srgb.linear_of(_native(pixels.dtype)), planes)
    return srgb.srgb_to_linear(planes.astype(np.float32))


def _is_integer(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "u"


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("=")


def resize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Resizes pixels, bicubic with antialiasing.

    Args:
        pixels: `(H, W)` or `(H, W, 3)`; uint8, uint16, or float in 0..1.
        size: height and width of the result.

    Returns:
        uint8 pixels stay uint8; all others become float32 in 0..1.
    """
    height, width = size
    if pixels.dtype == np.uint8:
        return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))
    planes = pixels[..., None] if pixels.ndim == 2 else pixels
    small = [
        np.asarray(Image.fromarray(np.ascontiguousarray(plane)).resize((width, height), Image.Resampling.BICUBIC))
        for plane in planes.transpose(2, 0, 1)
    ]
    values = np.stack(small, axis=-1).astype(np.float32) / _largest(pixels.dtype)
    flat: Pixels = (values[..., 0] if pixels.ndim == 2 else values).clip(0, 1)
    return flat


class ChromaJoiner:
    """Brings chroma to full size (bicubic) and joins it with the original L, within the gamut of sRGB.

    A bicubic enlargement is linear and separable, and each row of the result comes from four of the grid; so any strip
    of rows can be computed on its own, and a picture of any size and aspect ratio needs only the memory of a strip.

    Args:
        ab: `(2, h, w)`, chroma on the network's grid, in Lab units.
        height: height of the result, in pixels.
        width: width of the result, in pixels.

    Example:
        >>> ChromaJoiner(np.zeros((2, 4, 4)), 33, 50).rows(np.full((33, 50), 60.0), 0).shape
        (3, 33, 50)
    """

    def __init__(self, ab: Floats, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._wide = _widened(np.asarray(ab), height, width)

    def ab_rows(self, start: int, stop: int) -> Floats:
        """Chroma of the rows from `start` up to `stop`: `(2, stop - start, W)`, in Lab units."""
        matrix, first = enlarging_rows(self._wide.shape[-2], self.height, start, stop)
        return matrix.astype(self._wide.dtype) @ self._wide[:, first : first + matrix.shape[1]]

    def rows(self, lightness: Floats, start: int, encode: Callable[[Floats], Floats] = srgb.linear_to_srgb) -> Floats:
        """Joins a strip.

        Args:
            lightness: `(rows, W)`, L in 0..100 of the rows from `start` on.
            start: the first row's number.
            encode: converts linear light to the result, value by value; values outside of 0..1 count as 0 or 1.

        Returns:
            `(3, rows, W)`, sRGB in 0..1, or what `encode` gives.
        """
        parts, outside = [], []
        step = max(1, srgb.PART_PIXELS // self.width)
        # Allocating anew for each part would cost as much as computing.
        memory = np.empty((2, 3 * min(step, len(lightness)) * self.width), self._wide.dtype)
        for top in range(0, len(lightness), step):
            light = lightness[top : top + step]
            ab = self.ab_rows(start + top, start + top + len(light)).reshape(2, -1)
            linear, free = memory[:, : 3 * light.size].reshape(2, 3, -1)
            _to_linear(light.reshape(-1), ab, linear, free)
            beyond = np.flatnonzero(srgb.excess(linear, free) > srgb.GAMUT_TOLERANCE)
            outside.append((beyond + top * self.width, light.reshape(-1)[beyond], ab[:, beyond]))
            parts.append(encode(linear))
        joined = np.concatenate(parts, axis=1)
        # Bisection costs about as much for a thousand pixels as for one, so it is done once for all parts.
        where, light, ab = (np.concatenate(each, axis=-1) for each in zip(*outside, strict=True))
        if len(where):
            inside = _to_linear(light, ab * srgb.largest_scale(light, ab))
            joined[:, where] = encode(inside)
        return joined.reshape(3, len(lightness), self.width)


def _to_linear(lightness: Floats, ab: Floats, out: Floats | None = None, free: Floats | None = None) -> Floats:
    """Linear sRGB `(3, P)` of L `(P,)` and chroma `(2, P)`, into `out`; `free` is memory for in between."""
    f = np.empty((3, len(lightness)), ab.dtype) if out is None else out
    fx, fy, fz = f
    np.multiply(lightness, 1 / 116, out=fy)
    fy += 16 / 116
    np.multiply(ab[0], 1 / 500, out=fx)
    fx += fy
    np.multiply(ab[1], -1 / 200, out=fz)
    fz += fy
    return srgb.curve_to_linear(f, free)


def join(pixels: Rows, ab: Floats, *, at_lightness: float | None = None) -> LazyRows:
    """Joins chroma with the L of pixels when rows are requested, so that memory is bounded by the picture itself.

    Args:
        pixels: the original.
        ab: `(2, h, w)` in Lab units, at any resolution.
        at_lightness: L in 0..100 that replaces the picture's own everywhere.

    Returns:
        `(H, W, 3)` of the same type, within the gamut of sRGB; `np.asarray` makes an array of it.

    Example:
        >>> join(np.full((4, 6), 128, np.uint8), np.full((2, 1, 1), 20.0)).shape
        (4, 6, 3)
    """
    height, width = pixels.shape[:2]
    joiner = ChromaJoiner(ab, height, width)
    encode = _encoder(pixels.dtype)

    def make(first: int, last: int) -> Pixels:
        result = np.empty((last - first, width, 3), pixels.dtype)
        for strip in strips_of(last, width, first):
            if at_lightness is None:
                light = lightness(pixels[strip])
            else:
                light = np.full((strip.stop - strip.start, width), at_lightness, np.float32)
            rgb = joiner.rows(light, strip.start, encode)
            # Channel by channel is several times as fast as a transposition.
            for channel in range(3):
                result[strip.start - first : strip.stop - first, :, channel] = rgb[channel]
        return result

    return LazyRows((height, width, 3), pixels.dtype, make)


def gray_to_rgb(pixels: Rows) -> Rows:
    """Three equal channels, `(H, W, 3)`, of gray pixels; color pixels are returned as they are."""
    if len(pixels.shape) == 3:
        return pixels
    shape = (*pixels.shape, 3)
    return LazyRows(shape, pixels.dtype, lambda start, stop: np.repeat(pixels[start:stop][..., None], 3, axis=-1))


def _largest(dtype: np.dtype[Any]) -> int:
    return int(np.iinfo(dtype).max) if _is_integer(dtype) else 1


def _encoder(dtype: np.dtype[Any]) -> Callable[[Floats], Floats]:
    """Returns the function that turns linear light into sRGB pixels of this type."""
    if dtype == np.uint8:
        return srgb.encode_8bit
    largest = _largest(dtype)
    return srgb.linear_to_srgb if largest == 1 else lambda linear: (srgb.linear_to_srgb(linear) * largest).round()


def _widened(ab: Floats, height: int, width: int) -> Floats:
    """Chroma at full width; its height too is reduced where the picture is lower than the grid."""
    ab = ab if ab.dtype == np.float64 else ab.astype(np.float32)
    if height < ab.shape[-2]:
        ab = shrinking_matrix(ab.shape[-2], height).astype(ab.dtype) @ ab
    if width < ab.shape[-1]:
        return np.ascontiguousarray(ab @ shrinking_matrix(ab.shape[-1], width).astype(ab.dtype).T)
    columns, weights = _keys(ab.shape[-1], width, 0, width)
    wide: Floats = sum(ab[..., columns[:, tap]] * weights[:, tap].astype(ab.dtype) for tap in range(4))
    return wide


def shrinking_matrix(source: int, target: int) -> Floats:
    """The matrix `(target, source)` by which a bicubic reduction with antialiasing multiplies columns.

    Args:
        source: rows before.
        target: rows after, fewer.

    Example:
        >>> shrinking_matrix(8, 4).sum(1).round().tolist()
        [1.0, 1.0, 1.0, 1.0]
    """
    identity = Image.fromarray(np.eye(source, dtype=np.float32))
    return np.asarray(identity.resize((source, target), Image.Resampling.BICUBIC))


def enlarging_rows(source: int, target: int, start: int, stop: int) -> tuple[Floats, int]:
    """Some rows of the matrix by which a bicubic enlargement multiplies columns, after Keys 1981 with PyTorch's a.

    The whole matrix would be large for a large result, although at most four columns of each row are not zero.

    Args:
        source: rows before.
        target: rows after, at least as many.
        start: first row wanted.
        stop: the first row after.

    Returns:
        `(stop - start, columns)`, and the number of the first of these columns.
    """
    columns, weights = _keys(source, target, start, stop)
    first = int(columns[0, 0])
    matrix = np.zeros((stop - start, int(columns[-1, -1]) + 1 - first))
    # Tap by tap, as several of a row may fall on one column at the border.
    for column, weight in zip((columns - first).T, weights.T, strict=True):
        matrix[np.arange(stop - start), column] += weight
    return matrix, first


def _keys(source: int, target: int, start: int, stop: int) -> tuple[Floats, Floats]:
    """The four source rows that make each of some rows, and their weights: both `(stop - start, 4)`."""
    center = (np.arange(start, stop) + 0.5) * (source / target) - 0.5
    before = np.floor(center)
    offsets = np.arange(-1, 3)
    distance = np.abs((center - before)[:, None] - offsets)
    near = ((_KEYS + 2) * distance - (_KEYS + 3)) * distance**2 + 1
    far = _KEYS * (((distance - 5) * distance + 8) * distance - 4)
    # Beyond the border, its own pixels go on.
    columns = (before.astype(np.intp)[:, None] + offsets).clip(0, source - 1)
    return columns, np.where(distance <= 1, near, far)
