"""Tensors of colored pixels, for those who gave tensors."""

import torch
from torch import Tensor

from artcolor.color.rows import Pixels


def as_tensor(pictures: list[Pixels], like: Tensor) -> Tensor:
    """Makes a tensor of colored pixels, like the one that `artcolor.models.pictures.of_tensor` took.

    Args:
        pictures: `(H, W, 3)` each.
        like: gives type and device, and whether there is a dimension for several pictures.
    """
    stacked = torch.stack([torch.from_numpy(each).permute(2, 0, 1) for each in pictures])
    return (stacked if like.ndim == 4 else stacked[0]).to(like.device, like.dtype)
