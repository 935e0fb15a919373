"""Simpler ways to spread the colors of hints, which models are compared with."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from artcolor.errors import ConfigError, install_extra

__all__ = ["RIVALS", "levin", "nearest"]

# The share of the variance is that of the code that the authors published. Their least variance, 2e-6, is up to 0.13 dB
# worse on 40 pictures of val.
_VARIANCE_SHARE, _LEAST_VARIANCE = 0.6, 2e-4


def nearest(lightness: Tensor, cells: Tensor, colors: Tensor) -> Tensor:
    """Gives each cell the color of the nearest hint.

    Args:
        lightness: `(1, 1, h, w)`, L in 0..100; only its size is used.
        cells: `(k,)`, numbers of the cells with hints, row by row.
        colors: `(k, 2)` in Lab units.

    Returns:
        `(1, 2, h, w)` in Lab units.

    Example:
        >>> nearest(torch.zeros(1, 1, 1, 4), torch.tensor([0, 3]), torch.tensor([[5.0, 0], [9, 0]]))[0, 0].tolist()
        [[5.0, 5.0, 9.0, 9.0]]
    """
    height, width = lightness.shape[-2:]
    every = torch.arange(height * width)
    place = torch.stack((every // width, every % width), dim=1).float()
    return colors[torch.cdist(place, place[cells]).argmin(1)].T.reshape(1, 2, height, width)


def levin(lightness: Tensor, cells: Tensor, colors: Tensor) -> Tensor:
    """Spreads colors between neighbors of similar lightness.

    Each cell without a hint gets the mean of its eight neighbors, weighted by similarity of lightness.

    Source: Levin, Lischinski, Weiss, "Colorization using Optimization", SIGGRAPH 2004, equation 2.

    Args:
        lightness: `(1, 1, h, w)`, L in 0..100.
        cells: `(k,)`, numbers of the cells with hints, row by row; at least one.
        colors: `(k, 2)` in Lab units.

    Returns:
        `(1, 2, h, w)` in Lab units.

    Raises:
        ConfigError: SciPy is not installed.
    """
    try:
        from scipy.sparse import csc_array  # noqa: PLC0415
        from scipy.sparse.linalg import spsolve  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "the comparison with Levin et al. 2004 needs SciPy, which is not installed: " + install_extra("evaluate")
        ) from error
    height, width = lightness.shape[-2:]
    count = height * width
    light = lightness[0, 0].double().numpy() / 100
    padded, valid = np.pad(light, 1, mode="edge"), np.pad(np.ones((height, width), dtype=bool), 1)
    offsets = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    shifted = [(slice(1 + y, 1 + y + height), slice(1 + x, 1 + x + width)) for y, x in offsets]
    inside = np.stack([valid[each] for each in shifted])
    around = np.stack([padded[each] for each in shifted])
    squared, window = (around - light) ** 2, np.concatenate((around, light[None]))
    weight = inside * np.exp(-squared / np.maximum(_VARIANCE_SHARE * window.var(0), _LEAST_VARIANCE))
    weight /= weight.sum(0)
    number = np.arange(count).reshape(height, width)
    free = np.ones(count, dtype=bool)
    free[cells.numpy()] = False
    rows, columns, values = [number.ravel()], [number.ravel()], [np.ones(count)]
    for (y, x), each, there in zip(offsets, weight, inside, strict=True):
        use = there & free.reshape(height, width)
        rows.append(number[use])
        columns.append(number[use] + y * width + x)
        values.append(-each[use])
    places = (np.concatenate(rows), np.concatenate(columns))
    matrix = csc_array((np.concatenate(values), places), shape=(count, count))
    right = np.zeros((count, 2))
    right[cells.numpy()] = colors.double().numpy()
    return torch.from_numpy(spsolve(matrix, right).T.reshape(1, 2, height, width)).float()


RIVALS: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"levin": levin, "nearest": nearest}
"""Name → function."""
