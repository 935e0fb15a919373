"""Checks arrays and converts them to pixels."""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from artcolor.color.rows import Pixels
from artcolor.errors import ImageError
from artcolor.images.picture import in_unit_range


def of_array(x: npt.NDArray[Any]) -> Pixels:
    """Checks an array and returns its pixels.

    Args:
        x: `(H, W)`, `(H, W, 1)` or `(H, W, 3)`; uint8, uint16, or floats in 0..1.

    Returns:
        `(H, W)` or `(H, W, 3)`.

    Raises:
        ImageError: the shape, type or values are not those of a picture.

    Example:
        >>> of_array(np.zeros((4, 6, 1))).shape
        (4, 6)
    """
    if x.ndim == 3 and x.shape[-1] not in (1, 3) and x.shape[0] in (1, 3):
        raise ImageError(
            f"the array has shape {x.shape}, which looks like channels first; "
            "give (H, W), (H, W, 1) or (H, W, 3), for example x.transpose(1, 2, 0)"
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
    return in_unit_range(flat, "array", bytes_allowed=False)


def is_tensor(x: Any) -> bool:
    """Whether a value is a PyTorch tensor; does not import PyTorch.

    Example:
        >>> is_tensor(np.zeros(3))
        False
    """
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)
