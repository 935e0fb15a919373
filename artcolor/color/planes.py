"""Between pixels and planes: L at the working size for the network, and chroma joined with the full-size L.

This is the only place where pixels become L, and the only one where chroma becomes pixels.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.color.isolation import isolated
from artcolor.color.lab import (
    decode_8bit,
    encode_8bit,
    gray_8bit_to_lightness,
    lab_to_linear,
    lab_to_linear_in_gamut,
    linear_to_lab,
    linear_to_lightness,
    linear_to_srgb,
    outside_gamut,
    srgb_to_linear,
)
from artcolor.color.rows import LazyRows, Pixels, Rows, strips_of
from artcolor.errors import ConfigError

# A part of a strip this large stays in the processor's cache through the dozen steps from Lab to sRGB.
_PART_PIXELS = 1 << 17
_KEYS = -0.75
# Pictures that are longer than this many times their short side are seen smaller, with the area of this aspect. Very
# narrow ones have more, because of the least short side.
_WIDEST = 3
# Beyond this many times the working size, a long side is shortened; otherwise a hairline picture would fill the memory.
_LONGEST = 32


def working_size(height: int, width: int, *, size: int, stride: int, out_stride: int) -> tuple[int, int]:
    """The size at which a network looks at a picture.

    Args:
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        size: the working size; the short side of the result, in pixels, up to an aspect of 3 : 1. Longer pictures have
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


@isolated()
def lightness(pixels: Pixels) -> Tensor:
    """L of pixels.

    Args:
        pixels: `(H, W)` or `(H, W, 3)`; uint8, uint16, or float in 0..1.

    Returns:
        `(1, 1, H, W)`, L in 0..100.

    Example:
        >>> lightness(np.full((4, 6), 255, np.uint8)).shape
        torch.Size([1, 1, 4, 6])
    """
    if pixels.dtype == np.uint8 and pixels.ndim == 2:
        return gray_8bit_to_lightness(_channels_first(pixels))[None]
    return linear_to_lightness(_linear(pixels))[None]


@isolated()
def lab(pixels: Pixels) -> Tensor:
    """Lab of pixels.

    Args:
        pixels: `(H, W, 3)`; uint8, uint16, or float in 0..1.

    Returns:
        `(1, 3, H, W)`, L in 0..100, a and b in Lab units.
    """
    return linear_to_lab(_linear(pixels))[None]


def _channels_first(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.array(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1), order="C"))


def _linear(pixels: Pixels) -> Tensor:
    """Linear light of pixels: `(1|3, H, W)` in 0..1."""
    if pixels.dtype == np.uint8:
        return decode_8bit(_channels_first(pixels))
    return srgb_to_linear(_channels_first(pixels.astype(np.float32)) / _largest(pixels.dtype))


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


class ToLightness(nn.Module):
    """Turns pictures into a network's input: L at the working size, aspect kept.

    Args:
        size: the working size; see `working_size`.
        stride: a side of the network's input must be a multiple of it.
        out_stride: input pixels per pixel of the network's output.

    Raises:
        ConfigError: `size` is below 16.

    Example:
        >>> import torch
        >>> ToLightness(size=192, stride=8, out_stride=4)(torch.rand(1, 3, 300, 400)).shape
        torch.Size([1, 1, 192, 256])
    """

    def __init__(self, *, size: int, stride: int, out_stride: int) -> None:
        super().__init__()
        if not isinstance(size, int) or size < 16:
            raise ConfigError(f"size must be an integer of at least 16 pixels, not {size!r}")
        self.size, self.stride, self.out_stride = size, stride, out_stride

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """The working size, height and width, of a picture of `height` × `width` pixels."""
        return working_size(height, width, size=self.size, stride=self.stride, out_stride=self.out_stride)

    def of_pixels(self, pixels: Pixels) -> Tensor:
        """L at the working size of one picture.

        Args:
            pixels: `(H, W)` or `(H, W, 3)`; uint8, uint16, or float in 0..1.

        Returns:
            `(1, 1, h, w)`, L in 0..100.
        """
        return lightness(resize(pixels, self.output_size(*pixels.shape[:2])))

    @isolated()
    def forward(self, image: Tensor) -> Tensor:
        """L at the working size of a batch.

        Args:
            image: `(N, 1|3, H, W)`, sRGB in 0..1.

        Returns:
            `(N, 1, h, w)`, L in 0..100.
        """
        pictures = [_pixels(one) for one in image.detach().float().cpu()]
        return torch.cat([self.of_pixels(pixels) for pixels in pictures]).to(image.device)

    def extra_repr(self) -> str:
        """The settings, for `print`."""
        return f"size={self.size}, stride={self.stride}, out_stride={self.out_stride}"


def _pixels(image: Tensor) -> Pixels:
    """`(H, W)` or `(H, W, 3)` of `(1|3, H, W)`."""
    return image[0].numpy() if len(image) == 1 else image.permute(1, 2, 0).contiguous().numpy()


class JoinChroma(nn.Module):
    """Brings chroma to full size (bicubic) and joins it with the original L, within the gamut of sRGB.

    A bicubic enlargement is linear and separable, and each row of the result comes from four of the grid; so any strip
    of rows can be had on its own, and a picture of any size and aspect needs the memory of a strip.

    Args:
        ab: `(N, 2, h, w)`, chroma on the network's grid, in Lab units.
        height: of the result, in pixels.
        width: of the result, in pixels.

    Example:
        >>> import torch
        >>> JoinChroma(torch.zeros(1, 2, 4, 4), 33, 50)(torch.full((1, 1, 33, 50), 60.0)).shape
        torch.Size([1, 3, 33, 50])
    """

    def __init__(self, ab: Tensor, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width
        with isolated():
            self._wide = _widened(ab, height, width)

    @isolated()
    def ab_rows(self, start: int, stop: int) -> Tensor:
        """Chroma of the rows from `start` up to `stop`: `(N, 2, stop - start, W)`, in Lab units."""
        matrix, first = enlarging_rows(self._wide.shape[-2], self.height, start, stop)
        return matrix.to(self._wide) @ self._wide[..., first : first + matrix.shape[1], :]

    @isolated()
    def rows(self, lightness: Tensor, start: int, encode: Callable[[Tensor], Tensor] = linear_to_srgb) -> Tensor:
        """Joins a strip.

        Args:
            lightness: `(N, 1, rows, W)`, L in 0..100 of the rows from `start` on.
            start: the first row's number.
            encode: makes what is wanted of linear light in 0..1, pixel by pixel.

        Returns:
            `(N, 3, rows, W)`, sRGB in 0..1, or what `encode` gives.
        """
        step = max(1, _PART_PIXELS // self.width)
        parts, beyond = [], []
        for top in range(0, lightness.shape[-2], step):
            light = lightness[..., top : top + step, :]
            ab = self.ab_rows(start + top, start + top + light.shape[-2])
            linear = lab_to_linear(light, ab)
            n, y, x = outside_gamut(linear)
            beyond.append((n, y + top, x, light[n, 0, y, x], ab[n, :, y, x]))
            parts.append(encode(linear.clamp_(0, 1)))
        joined = torch.cat(parts, dim=-2)
        # Bisection costs about as much for a thousand pixels as for one, so it is done once for all parts.
        n, y, x, light, ab = (torch.cat(column) for column in zip(*beyond, strict=True))
        if len(n):
            inside = lab_to_linear_in_gamut(light.reshape(1, -1, 1), ab.T.unsqueeze(-1))
            joined[n, :, y, x] = encode(inside).squeeze(-1).T
        return joined

    def strips(self, start: int = 0, stop: int | None = None) -> list[tuple[int, int]]:
        """First row of each strip that is best done at once, and the first row after it.

        Args:
            start: row to begin with.
            stop: row to end before; `None` is the last one's next.
        """
        stop = self.height if stop is None else stop
        return [(rows.start, rows.stop) for rows in strips_of(stop, self.width, start)]

    def forward(self, lightness: Tensor) -> Tensor:
        """Joins a whole picture.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.

        Returns:
            `(N, 3, H, W)`, sRGB in 0..1.
        """
        return torch.cat([self.rows(lightness[..., a:b, :], a) for a, b in self.strips()], dim=-2)


def join(pixels: Rows, ab: Tensor, *, at_lightness: float | None = None) -> LazyRows:
    """Joins chroma with the L of pixels when rows are requested, so that memory is bounded by the picture itself.

    Args:
        pixels: the original.
        ab: `(1, 2, h, w)` in Lab units, at any resolution.
        at_lightness: L in 0..100 that replaces the picture's own everywhere.

    Returns:
        `(H, W, 3)` of the same type, within the gamut of sRGB; `np.asarray` makes an array of it.

    Example:
        >>> join(np.full((4, 6), 128, np.uint8), torch.full((1, 2, 1, 1), 20.0)).shape
        (4, 6, 3)
    """
    height, width = pixels.shape[:2]
    chroma = JoinChroma(ab, height, width)
    encode = _encoder(pixels.dtype)

    def make(first: int, last: int) -> Pixels:
        result = np.empty((last - first, width, 3), pixels.dtype)
        for start, stop in chroma.strips(first, last):
            if at_lightness is None:
                light = lightness(pixels[start:stop])
            else:
                light = torch.full((1, 1, stop - start, width), at_lightness, dtype=torch.float32, device="cpu")
            rgb = chroma.rows(light, start, encode)[0].numpy()
            # Channel by channel is three times as fast as a transposition.
            for channel in range(3):
                result[start - first : stop - first, :, channel] = rgb[channel]
        return result

    return LazyRows((height, width, 3), pixels.dtype, make)


def gray_to_rgb(pixels: Rows) -> Rows:
    """Three equal channels, `(H, W, 3)`, of gray pixels; color pixels are returned as they are."""
    if len(pixels.shape) == 3:
        return pixels
    shape = (*pixels.shape, 3)
    return LazyRows(shape, pixels.dtype, lambda start, stop: np.repeat(pixels[start:stop][..., None], 3, axis=-1))


def _largest(dtype: np.dtype[Any]) -> int:
    return int(np.iinfo(dtype).max) if np.issubdtype(dtype, np.integer) else 1


def _encoder(dtype: np.dtype[Any]) -> Callable[[Tensor], Tensor]:
    """Returns the function that turns linear light into sRGB pixels of this type."""
    if dtype == np.uint8:
        return encode_8bit
    largest = _largest(dtype)
    return linear_to_srgb if largest == 1 else lambda linear: (linear_to_srgb(linear) * largest).round_()


def _widened(ab: Tensor, height: int, width: int) -> Tensor:
    """Chroma at full width; its height too is reduced where the picture is lower than the grid."""
    if height < ab.shape[-2]:
        ab = shrinking_matrix(ab.shape[-2], height).to(ab) @ ab
    if width < ab.shape[-1]:
        ab = ab @ shrinking_matrix(ab.shape[-1], width).to(ab).T
    return F.interpolate(ab, (ab.shape[-2], width), mode="bicubic")


def shrinking_matrix(source: int, target: int) -> Tensor:
    """The matrix `(target, source)` by which a bicubic reduction with antialiasing multiplies columns.

    Args:
        source: rows before.
        target: rows after, fewer.

    Example:
        >>> shrinking_matrix(8, 4).sum(1).round()
        tensor([1., 1., 1., 1.])
    """
    # With a single column, the antialiased bicubic reduction of some versions of PyTorch returns the first row only.
    identity = torch.eye(source, dtype=torch.float32)[None, None]
    return F.interpolate(identity, (target, source), mode="bicubic", antialias=True)[0, 0]


def enlarging_rows(source: int, target: int, start: int, stop: int) -> tuple[Tensor, int]:
    """Some rows of the matrix by which a bicubic enlargement multiplies columns, after Keys 1981 with PyTorch's a.

    The whole matrix would be large where the result is: four of its columns at most are not zero in a row.

    Args:
        source: rows before.
        target: rows after, at least as many.
        start: first row wanted.
        stop: the first row after.

    Returns:
        `(stop - start, columns)`, and the number of the first of these columns.
    """
    center = (torch.arange(start, stop, dtype=torch.float64) + 0.5) * (source / target) - 0.5
    before = center.floor()
    offsets = torch.arange(-1, 3)
    distance = (center - before)[:, None].sub(offsets).abs()
    near = ((_KEYS + 2) * distance - (_KEYS + 3)) * distance**2 + 1
    far = _KEYS * (((distance - 5) * distance + 8) * distance - 4)
    # Beyond the border, its own pixels go on.
    columns = (before.long()[:, None] + offsets).clamp(0, source - 1)
    first = int(columns[0, 0])
    matrix = torch.zeros(stop - start, int(columns[-1, -1]) + 1 - first, dtype=torch.float64)
    matrix.scatter_add_(1, columns - first, torch.where(distance <= 1, near, far))
    return matrix, first
