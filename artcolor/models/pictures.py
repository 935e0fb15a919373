"""Inputs of models: Pillow images and tensors, single or batched, as for the transforms of torchvision."""

from collections.abc import Sequence
from types import ModuleType
from typing import overload

import torch
from PIL import Image
from torch import Tensor

from artcolor.color.rows import Pixels
from artcolor.color.transforms import ToLightness
from artcolor.errors import ImageError

__all__ = ["PictureTransform", "of_tensor", "pictures_of"]

# Floats that are at most so far outside of 0..1 are rounded.
_ROUNDING = 1e-3


class PictureTransform(ToLightness):
    """Converts pictures to the input of a network, like the transforms of torchvision's weights.

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
            image: a Pillow image, a tensor `(H, W)`, `(1|3, H, W)` or `(N, 1|3, H, W)` of uint8, uint16 or floats in
                0..1, or a list of these.

        Returns:
            L in 0..100: `(N, 1, h, w)` for a batch, `(1, h, w)` for a single picture, a list for a list; on the device
            of a tensor.

        Raises:
            ImageError: type, shape or values are not those of a picture.
        """
        if isinstance(image, list | tuple):
            return [self(each) for each in image]
        lightness = torch.cat([self.of_pixels(pixels) for pixels in pictures_of(image)])
        if isinstance(image, Image.Image):
            return lightness[0]
        assert isinstance(image, Tensor)
        lightness = lightness.to(image.device)
        return lightness if image.ndim == 4 else lightness[0]


def pictures_of(given: object) -> list[Pixels]:
    """Checks a picture, or a batch of them, and returns the pixels.

    Args:
        given: a Pillow image of any mode, or a tensor as for `of_tensor`.

    Returns:
        For each picture `(H, W)` or `(H, W, 3)`, upright and in sRGB.

    Raises:
        ImageError: type, shape or values are not those of a picture.

    Example:
        >>> [pixels.shape for pixels in pictures_of(Image.new("RGBA", (5, 4)))]
        [(4, 5, 3)]
    """
    if isinstance(given, Image.Image):
        pixels: Pixels = _readers().decode(given).pixels
        return [pixels]
    if isinstance(given, Tensor):
        return of_tensor(given)
    raise ImageError(
        f"a model takes a Pillow image or a tensor, not {type(given).__name__}; "
        "artcolor.colorize also takes files, arrays and lists"
    )


def of_tensor(x: Tensor) -> list[Pixels]:
    """Checks a tensor of one or several pictures, and returns their pixels.

    Args:
        x: `(H, W)`, `(1|3, H, W)` or `(N, 1|3, H, W)`; uint8, uint16, or floats in 0..1.

    Returns:
        For each picture `(H, W)` or `(H, W, 3)`: uint8, uint16, or float32 in 0..1.

    Raises:
        ImageError: shape, type or values are not those of a picture.

    Example:
        >>> [pixels.shape for pixels in of_tensor(torch.zeros(2, 3, 4, 6))]
        [(4, 6, 3), (4, 6, 3)]
    """
    shape = tuple(x.shape)
    if x.ndim not in (2, 3, 4) or (x.ndim > 2 and shape[-3] not in (1, 3)):
        raise ImageError(f"the tensor has shape {shape}; give (H, W), (1|3, H, W) or (N, 1|3, H, W)")
    if x.numel() == 0:
        raise ImageError(f"the tensor is empty: its shape is {shape}")
    x = x.detach().cpu()
    if x.dtype not in (torch.uint8, torch.uint16):
        if not x.is_floating_point():
            raise ImageError(f"the tensor holds {x.dtype}; give uint8, uint16, or floats in 0..1")
        x = _in_unit_range(x.float())
    batch = x.reshape(-1, shape[-3] if x.ndim > 2 else 1, *shape[-2:])
    return [picture.numpy()[0] if len(picture) == 1 else picture.permute(1, 2, 0).numpy() for picture in batch]


def _in_unit_range(x: Tensor) -> Tensor:
    if float(x.min()) >= -_ROUNDING and float(x.max()) <= 1 + _ROUNDING:
        return x.clamp(0, 1)
    return torch.from_numpy(_readers().picture.in_unit_range(x.numpy(), "tensor", bytes_allowed=False))


def _readers() -> ModuleType:
    # Imported only if needed, because torch.hub works without the libraries that read files.
    try:
        from artcolor import images  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ImageError(
            f"this picture needs {error.name}, which is not installed: install artcolor, or give a tensor of floats in "
            "0..1"
        ) from error
    return images
