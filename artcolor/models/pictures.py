"""Pictures as models take them: Pillow images and tensors, one or a batch, as the transforms of torchvision do."""

from collections.abc import Sequence
from typing import overload

import torch
from PIL import Image
from torch import Tensor

from artcolor.color.transforms import ToLightness
from artcolor.errors import ImageError

__all__ = ["PictureTransform", "as_batch"]

# Pixels that are so far outside of 0..1 are rounding.
_ROUNDING = 1e-3
_WHITE = {torch.uint8: 255.0, torch.uint16: 65535.0}


class PictureTransform(ToLightness):
    """Turns pictures into a network's input, as the transforms of torchvision's weights do.

    Example:
        >>> transform = PictureTransform(size=192, stride=8, out_stride=4)
        >>> transform(Image.new("L", (400, 300))).shape
        torch.Size([1, 192, 256])
        >>> transform(torch.zeros(2, 3, 300, 400, dtype=torch.uint8)).shape
        torch.Size([2, 1, 192, 256])
    """

    @overload
    def forward(self, image: Image.Image | Tensor) -> Tensor: ...
    @overload
    def forward(self, image: Sequence[Image.Image | Tensor]) -> list[Tensor]: ...
    def forward(self, image: Image.Image | Tensor | Sequence[Image.Image | Tensor]) -> Tensor | list[Tensor]:
        """Computes L at the working size.

        Args:
            image: a Pillow image, a tensor `(1|3, H, W)` or `(N, 1|3, H, W)` of uint8, uint16 or floats in 0..1, or a
                list of these.

        Returns:
            L in 0..100: `(N, 1, h, w)` for a batch, `(1, h, w)` for a single picture, a list for a list.

        Raises:
            ImageError: the numbers or the shape make no sense as a picture.
        """
        if isinstance(image, list | tuple):
            return [self(each) for each in image]
        batch = as_batch(image)
        lightness = super().forward(batch)
        return lightness if isinstance(image, Tensor) and image.ndim == 4 else lightness[0]


def as_batch(picture: object) -> Tensor:
    """Turns a picture, or a batch of them, into a batch of sRGB in 0..1.

    Args:
        picture: a Pillow image, or a tensor `(1|3, H, W)` or `(N, 1|3, H, W)`; uint8, uint16, or floats in 0..1.

    Returns:
        `(N, 1|3, H, W)`, floating point.

    Raises:
        ImageError: it is something else, or its numbers or its shape make no sense as a picture.

    Example:
        >>> as_batch(Image.new("RGBA", (5, 4))).shape
        torch.Size([1, 3, 4, 5])
    """
    if isinstance(picture, Image.Image):
        picture = _of_image(picture)
    if not isinstance(picture, Tensor):
        raise ImageError(
            f"a model takes Pillow images and tensors, not a {type(picture).__name__}; "
            "artcolor.colorize also takes files, arrays and lists"
        )
    if picture.ndim not in (3, 4) or picture.shape[-3] not in (1, 3) or picture.numel() == 0:
        raise ImageError(f"the tensor has shape {tuple(picture.shape)}; give (1|3, H, W) or (N, 1|3, H, W)")
    batch = picture if picture.ndim == 4 else picture[None]
    if batch.dtype in _WHITE:
        return batch.float() / _WHITE[batch.dtype]
    low, high = float(batch.min()), float(batch.max())
    if not batch.is_floating_point() or not -_ROUNDING <= low <= high <= 1 + _ROUNDING:
        raise ImageError(
            f"gray must be floating point in 0..1, but is {batch.dtype} from {low:.9g} to {high:.9g}; "
            "divide 8-bit pixels by 255"
        )
    return batch if batch.dtype == torch.float64 else batch.float()


def _of_image(image: Image.Image) -> Tensor:
    # The readers of files are needed here only, and torch.hub works without the libraries that they import.
    from artcolor.images import decode  # noqa: PLC0415

    pixels = torch.from_numpy(decode(image).pixels)
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
