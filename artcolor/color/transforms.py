"""PyTorch modules before and after a network: pictures become L, and chroma is joined with the full-size L.

Both call `artcolor.color.planes`, picture by picture.
"""

import numpy as np
import torch
from torch import Tensor, nn

from artcolor.color import planes
from artcolor.color.isolation import isolated
from artcolor.color.rows import Pixels

__all__ = ["JoinChroma", "ToLightness"]


class ToLightness(nn.Module):
    """Turns pictures into a network's input: L at the working size, aspect kept.

    Args:
        size: the working size; see `artcolor.color.planes.working_size`.
        stride: a side of the network's input must be a multiple of it.
        out_stride: input pixels per pixel of the network's output.

    Raises:
        ConfigError: `size` is below 16.

    Example:
        >>> ToLightness(size=192, stride=8, out_stride=4)(torch.rand(1, 3, 300, 400)).shape
        torch.Size([1, 1, 192, 256])
    """

    def __init__(self, *, size: int, stride: int, out_stride: int) -> None:
        super().__init__()
        self.size, self.stride, self.out_stride = size, stride, out_stride
        self._working = planes.WorkingSize(size, stride, out_stride)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """The working size, height and width, of a picture of `height` × `width` pixels."""
        return self._working.of(height, width)

    def of_pixels(self, pixels: Pixels) -> Tensor:
        """L at the working size of one picture.

        Args:
            pixels: `(H, W)` or `(H, W, 3)`; uint8, uint16, or float in 0..1.

        Returns:
            `(1, 1, h, w)`, L in 0..100.
        """
        return torch.from_numpy(self._working.lightness(pixels))[None, None]

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
    """Brings the chroma of a batch to full size and joins it with L; see `artcolor.color.planes.ChromaJoiner`.

    Not differentiable.

    Args:
        ab: `(N, 2, h, w)`, chroma on the network's grid, in Lab units.
        height: height of the result, in pixels.
        width: width of the result, in pixels.

    Example:
        >>> JoinChroma(torch.zeros(1, 2, 4, 4), 33, 50)(torch.full((1, 1, 33, 50), 60.0)).shape
        torch.Size([1, 3, 33, 50])
    """

    def __init__(self, ab: Tensor, height: int, width: int) -> None:
        super().__init__()
        self._device = ab.device
        self._joiners = [planes.ChromaJoiner(each, height, width) for each in ab.detach().cpu().numpy()]

    def ab(self) -> Tensor:
        """Chroma at full size, `(N, 2, H, W)` in Lab units, before it is fitted into the gamut."""
        return torch.from_numpy(np.stack([each.ab_rows(0, each.height) for each in self._joiners])).to(self._device)

    def forward(self, lightness: Tensor) -> Tensor:
        """Joins whole pictures.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.

        Returns:
            `(N, 3, H, W)`, sRGB in 0..1.
        """
        light = lightness.detach().cpu().numpy()[:, 0]
        joined = [each.rows(rows, 0) for each, rows in zip(self._joiners, light, strict=True)]
        return torch.from_numpy(np.stack(joined)).to(self._device)
