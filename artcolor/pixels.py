"""Pixels of any depth on one side, lightness on the other: what stands between pictures and networks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from artcolor.color.lab import (
    decode_8bit,
    encode_8bit,
    gray_8bit_to_lightness,
    linear_to_lightness,
    linear_to_srgb,
    rgb_to_lightness,
)
from artcolor.errors import ImageError
from artcolor.images.strips import LazyRows, Rows
from artcolor.transforms import JoinChroma

Pixels = npt.NDArray[Any]
"""`(H, W)` or `(H, W, 3)`, sRGB: uint8, uint16, or float32 in 0..1."""


def of_array(x: npt.NDArray[Any]) -> Pixels:
    """Checks an array that somebody gave, and takes its pixels.

    Args:
        x: `(H, W)`, `(H, W, 1)` or `(H, W, 3)`; uint8, uint16, or floats in 0..1.

    Returns:
        `(H, W)` or `(H, W, 3)`.

    Raises:
        ImageError: shape, type or numbers make no sense as a picture.

    Example:
        >>> of_array(np.zeros((4, 6, 1))).shape
        (4, 6)
    """
    if x.ndim == 3 and x.shape[-1] not in (1, 3) and x.shape[0] in (1, 3):
        raise ImageError(
            f"the array has shape {x.shape}, which looks like channels first; "
            "give (H, W), (H, W, 1) or (H, W, 3), as x.transpose(1, 2, 0) does"
        )
    if x.ndim not in (2, 3) or (x.ndim == 3 and x.shape[-1] not in (1, 3)):
        raise ImageError(f"the array has shape {x.shape}; give (H, W), (H, W, 1) or (H, W, 3)")
    if x.size == 0:
        raise ImageError(f"the array is empty: its shape is {x.shape}")
    flat: Pixels = x[..., 0] if x.ndim == 3 and x.shape[-1] == 1 else x
    if x.dtype in (np.uint8, np.uint16):
        return flat.astype(x.dtype.newbyteorder("="), copy=False)
    if not np.issubdtype(x.dtype, np.floating):
        raise ImageError(f"the array holds {x.dtype}; give uint8, uint16, or floats in 0..1")
    _check_range(float(x.min()), float(x.max()), "array")
    return flat.astype(np.float32, copy=False)


def of_tensor(x: Tensor) -> list[Pixels]:
    """Checks a tensor that somebody gave, and takes the pixels of its pictures.

    Args:
        x: `(H, W)`, `(1|3, H, W)` or `(N, 1|3, H, W)`; uint8, or floats in 0..1.

    Returns:
        Of each picture `(H, W)` or `(H, W, 3)`.

    Raises:
        ImageError: shape, type or numbers make no sense as a picture.

    Example:
        >>> [pixels.shape for pixels in of_tensor(torch.zeros(2, 3, 4, 6))]
        [(4, 6, 3), (4, 6, 3)]
    """
    shape = tuple(x.shape)
    if x.ndim not in (2, 3, 4) or (x.ndim > 2 and shape[-3] not in (1, 3)):
        raise ImageError(f"the tensor has shape {shape}; give (H, W), (1|3, H, W) or (N, 1|3, H, W)")
    if x.numel() == 0:
        raise ImageError(f"the tensor is empty: its shape is {shape}")
    if x.dtype != torch.uint8:
        if not x.is_floating_point():
            raise ImageError(f"the tensor holds {x.dtype}; give torch.uint8, or floats in 0..1")
        x = x.float()
        _check_range(float(x.min()), float(x.max()), "tensor")
    batch = x.detach().reshape(-1, shape[-3] if x.ndim > 2 else 1, *shape[-2:]).cpu()
    return [picture.numpy()[0] if len(picture) == 1 else picture.permute(1, 2, 0).numpy() for picture in batch]


def as_tensor(pictures: list[Pixels], like: Tensor) -> Tensor:
    """Makes a tensor of coloured pixels, as the one that `of_tensor` took.

    Args:
        pictures: `(H, W, 3)` each.
        like: gives type and device, and whether there is a dimension for several pictures.
    """
    stacked = torch.stack([torch.from_numpy(each).permute(2, 0, 1) for each in pictures])
    return (stacked if like.ndim == 4 else stacked[0]).to(like.device, like.dtype)


def in_rgb(pixels: Rows) -> Rows:
    """`(H, W, 3)` of gray or coloured pixels."""
    if len(pixels.shape) == 3:
        return pixels
    shape = (*pixels.shape, 3)
    return LazyRows(shape, pixels.dtype, lambda start, stop: np.repeat(pixels[start:stop][..., None], 3, axis=-1))


def _check_range(low: float, high: float, what: str) -> None:
    if not (low >= 0 and high <= 1):
        reason = "NaN" if low != low or high != high else f"{low:g} to {high:g}"
        raise ImageError(f"the {what} holds {reason}; floats must lie in 0..1 (divide by 255?)")


def lightness(pixels: Pixels) -> Tensor:
    """L `(1, 1, H, W)` in 0..100 of pixels.

    Example:
        >>> lightness(np.full((4, 6), 255, np.uint8)).shape
        torch.Size([1, 1, 4, 6])
    """
    shaped = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if pixels.dtype == np.uint8 and pixels.ndim == 2:
        return gray_8bit_to_lightness(torch.from_numpy(np.array(shaped, order="C")))[None]
    if pixels.dtype == np.uint8:
        return linear_to_lightness(decode_8bit(torch.from_numpy(np.array(shaped, order="C"))))[None]
    values = torch.from_numpy(shaped.astype(np.float32)) / _largest(pixels.dtype)
    return rgb_to_lightness(values)[None]


def resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The `pixels` at another `size`, height and width; bicubic with antialiasing."""
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


def joined(pixels: Rows, ab: Tensor, *, at_lightness: float | None = None) -> LazyRows:
    """Joins chroma with the lightness of pixels when it is asked for, so that memory is bounded by the picture itself.

    Args:
        pixels: the original.
        ab: `(1, 2, h, w)` in Lab units, at any resolution.
        at_lightness: L in 0..100 that replaces the picture's own everywhere.

    Returns:
        `(H, W, 3)` of the same type, within the gamut of sRGB; `np.asarray` makes an array of it.

    Example:
        >>> joined(np.full((4, 6), 128, np.uint8), torch.full((1, 2, 1, 1), 20.0)).shape
        (4, 6, 3)
    """
    height, width = pixels.shape[:2]
    join = JoinChroma(ab, height, width)
    encode = _encoder(pixels.dtype)

    def make(first: int, last: int) -> Pixels:
        result = np.empty((last - first, width, 3), pixels.dtype)
        for start, stop in join.strips(first, last):
            if at_lightness is None:
                light = lightness(pixels[start:stop])
            else:
                light = torch.full((1, 1, stop - start, width), at_lightness)
            rgb = join.rows(light, start, encode)[0].numpy()
            # Channel by channel is three times as fast as a transposition.
            for channel in range(3):
                result[start - first : stop - first, :, channel] = rgb[channel]
        return result

    return LazyRows((height, width, 3), pixels.dtype, make)


def _largest(dtype: np.dtype[Any]) -> int:
    return int(np.iinfo(dtype).max) if np.issubdtype(dtype, np.integer) else 1


def _encoder(dtype: np.dtype[Any]) -> Callable[[Tensor], Tensor]:
    """What makes sRGB pixels of this type out of linear light."""
    if dtype == np.uint8:
        return encode_8bit
    largest = _largest(dtype)
    return linear_to_srgb if largest == 1 else lambda linear: (linear_to_srgb(linear) * largest).round_()
