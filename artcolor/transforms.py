"""Between pictures and networks: lightness at working size going in, full-size L joined with chroma coming out."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.color.lab import (
    lab_to_linear,
    lab_to_linear_in_gamut,
    linear_to_srgb,
    outside_gamut,
    rgb_to_lightness,
)
from artcolor.errors import ConfigError

# Strips bound the memory that a picture takes. A part of one this large stays in the processor's cache through the
# dozen steps from Lab to sRGB.
_STRIP_PIXELS = 1 << 20
_PART_PIXELS = 1 << 17
_KEYS = -0.75
# Beyond this many times the working size, a long side is squeezed; else a hairline picture would fill the memory.
_LONGEST = 32


def working_size(height: int, width: int, *, size: int, stride: int, out_stride: int) -> tuple[int, int]:
    """The size at which a network looks at a picture.

    Args:
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        size: the working size; the result has an area of about size².
        stride: what the network's input must be a multiple of; the short side comes out at least twice that.
        out_stride: both sides come out as multiples of it.

    Returns:
        Height and width. The aspect is kept to within `out_stride / 2` pixels.

    Example:
        >>> working_size(3000, 4000, size=192, stride=8, out_stride=4)
        (168, 220)
    """
    scale = size / math.sqrt(height * width)
    short = min(height, width) * scale
    if short < 2 * stride:
        scale *= 2 * stride / short
    longest = _LONGEST * size

    def side(pixels: int) -> int:
        return max(2 * stride, min(longest, round(pixels * scale / out_stride) * out_stride))

    return side(height), side(width)


class ToLightness(nn.Module):
    """Turns pictures into what a network looks at: L at working size, aspect kept.

    Args:
        size: the working size (see `working_size`).
        stride: what a side of the network's input must be a multiple of.
        out_stride: input pixels per pixel of the network's output.

    Raises:
        ConfigError: a size below 16.

    Example:
        >>> import torch
        >>> ToLightness(size=192, stride=8, out_stride=4)(torch.rand(1, 3, 300, 400)).shape
        torch.Size([1, 1, 168, 220])
    """

    def __init__(self, *, size: int, stride: int, out_stride: int) -> None:
        super().__init__()
        if size < 16:
            raise ConfigError(f"size must be at least 16 pixels, not {size}")
        self.size, self.stride, self.out_stride = size, stride, out_stride

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """The working size, height and width, of a picture of `height` × `width` pixels."""
        return working_size(height, width, size=self.size, stride=self.stride, out_stride=self.out_stride)

    def forward(self, image: Tensor) -> Tensor:
        """Computes the lightness.

        Args:
            image: `(N, 1|3, H, W)`, sRGB in 0..1.

        Returns:
            `(N, 1, h, w)`, L in 0..100.
        """
        target = self.output_size(*image.shape[-2:])
        small = F.interpolate(image, target, mode="bicubic", antialias=True).clamp(0, 1)
        return rgb_to_lightness(small)

    def extra_repr(self) -> str:
        """The settings, for `print`."""
        return f"size={self.size}, stride={self.stride}, out_stride={self.out_stride}"


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
        if height < ab.shape[-2]:
            ab = _shrinking_matrix(ab.shape[-2], height).to(ab) @ ab
        if width < ab.shape[-1]:
            ab = ab @ _shrinking_matrix(ab.shape[-1], width).to(ab).T
        self._wide = F.interpolate(ab, (ab.shape[-2], width), mode="bicubic")

    def ab_rows(self, start: int, stop: int) -> Tensor:
        """Chroma of the rows from `start` up to `stop`: `(N, 2, stop - start, W)`, in Lab units."""
        matrix, first = _enlarging_rows(self._wide.shape[-2], self.height, start, stop)
        return matrix.to(self._wide) @ self._wide[..., first : first + matrix.shape[1], :]

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
        step, stop = max(1, _STRIP_PIXELS // self.width), self.height if stop is None else stop
        return [(y, min(y + step, stop)) for y in range(start, stop, step)]

    def forward(self, lightness: Tensor) -> Tensor:
        """Joins a whole picture.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.

        Returns:
            `(N, 3, H, W)`, sRGB in 0..1.
        """
        return torch.cat([self.rows(lightness[..., a:b, :], a) for a, b in self.strips()], dim=-2)


def _shrinking_matrix(source: int, target: int) -> Tensor:
    """The matrix `(target, source)` by which a bicubic reduction with antialiasing multiplies columns."""
    identity = torch.eye(source).reshape(1, source, source, 1)
    resized = F.interpolate(identity, (target, 1), mode="bicubic", antialias=True)
    return resized[0, :, :, 0].T.contiguous()


def _enlarging_rows(source: int, target: int, start: int, stop: int) -> tuple[Tensor, int]:
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
    centre = (torch.arange(start, stop, dtype=torch.float64) + 0.5) * (source / target) - 0.5
    before = centre.floor()
    offsets = torch.arange(-1, 3)
    distance = (centre - before)[:, None].sub(offsets).abs()
    near = ((_KEYS + 2) * distance - (_KEYS + 3)) * distance**2 + 1
    far = _KEYS * (((distance - 5) * distance + 8) * distance - 4)
    # Beyond the border, its own pixels go on.
    columns = (before.long()[:, None] + offsets).clamp(0, source - 1)
    first = int(columns[0, 0])
    matrix = torch.zeros(stop - start, int(columns[-1, -1]) + 1 - first, dtype=torch.float64)
    matrix.scatter_add_(1, columns - first, torch.where(distance <= 1, near, far))
    return matrix, first
