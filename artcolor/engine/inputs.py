"""What people give to be colorized: files, bytes, Pillow images, arrays and tensors, turned into `Picture`s."""

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from artcolor.color import planes
from artcolor.color.rows import Pixels
from artcolor.engine.result import ColoredImage
from artcolor.errors import ImageError
from artcolor.images import Picture, Provenance, decode, open_picture
from artcolor.images.streams import is_source
from artcolor.models.guidance import Guidance

_REFERENCE_SIDE = 1024
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """Something to colorize.

    Attributes:
        pictures: one, or those of a batched tensor.
        rebuild: makes something of the same kind from its colored pictures.
    """

    pictures: list[Picture]
    rebuild: Callable[[list[Picture], Provenance], Any]


def item_of(x: Any) -> Item:
    """Decodes something to colorize.

    Args:
        x: a path, the bytes of a picture file, a file object, a Pillow image, an array or a tensor.

    Raises:
        ImageError: it cannot be read, or its numbers make no sense as a picture.
    """
    if isinstance(x, str) and _ADDRESS.match(x):
        raise ImageError(
            f"{x[:100]} is an address, and artcolor fetches nothing from the network; "
            "download the picture and give its path or its bytes"
        )
    if isinstance(x, Image.Image):
        return Item([decode(x)], _image)
    if isinstance(x, np.ndarray):
        return Item([Picture(of_array(x))], lambda done, _: done[0].pixels.astype(x.dtype, copy=False))
    if isinstance(x, Tensor):
        return Item([Picture(each) for each in of_tensor(x)], lambda done, _: as_tensor([p.pixels for p in done], x))
    if is_source(x):
        return Item([open_picture(x)], _image)
    raise ImageError(
        f"cannot colorize a {type(x).__name__}; give a path, the bytes of a file, a file object, a Pillow image, "
        "a NumPy array, a tensor, or a list or iterator of these"
    )


def _image(done: list[Picture], provenance: Provenance) -> ColoredImage:
    return ColoredImage(done[0], provenance)


def decoded(guidance: Guidance) -> Guidance:
    """Reads the reference, if there is one, so that models can use it.

    Args:
        guidance: its reference may be anything that `item_of` takes.

    Returns:
        The same with the reference as a tensor `(1, 3, H, W)`, sRGB in 0..1.

    Raises:
        ImageError: the reference cannot be read, or holds several pictures.
    """
    if guidance.reference is None:
        return guidance
    pictures = item_of(guidance.reference).pictures
    if len(pictures) > 1:
        raise ImageError(f"reference takes one picture, not {len(pictures)}")
    pixels = np.asarray(planes.gray_to_rgb(pictures[0].rows))
    # Models see a reference at their working size only.
    scale = min(1.0, _REFERENCE_SIDE / max(pixels.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    small = planes.resize(pixels, (height, width))
    values = small.astype(np.float32) / 255 if small.dtype == np.uint8 else small
    return dataclasses.replace(guidance, reference=torch.from_numpy(values).permute(2, 0, 1)[None])


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
    """Makes a tensor of colored pixels, as the one that `of_tensor` took.

    Args:
        pictures: `(H, W, 3)` each.
        like: gives type and device, and whether there is a dimension for several pictures.
    """
    stacked = torch.stack([torch.from_numpy(each).permute(2, 0, 1) for each in pictures])
    return (stacked if like.ndim == 4 else stacked[0]).to(like.device, like.dtype)


def _check_range(low: float, high: float, what: str) -> None:
    if not (low >= 0 and high <= 1):
        reason = "NaN" if low != low or high != high else f"{low:g} to {high:g}"
        raise ImageError(f"the {what} holds {reason}; floats must lie in 0..1 (divide by 255?)")
