"""Tensors that people give, checked and turned into pixels, and back."""

import torch
from torch import Tensor

from artcolor.color.rows import Pixels
from artcolor.errors import ImageError
from artcolor.images.picture import in_unit_range


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
        x = torch.from_numpy(in_unit_range(x.detach().float().cpu().numpy(), "tensor", bytes_allowed=False))
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
