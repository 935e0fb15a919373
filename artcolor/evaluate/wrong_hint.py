"""Measures what a wrong hint changes: the object it is on, or other places, too."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from artcolor.color.lab import to_gamut
from artcolor.engine.hints import Hint
from artcolor.errors import ConfigError, install_extra

__all__ = ["WrongHint", "hint_at", "segments", "share_inside", "wrong_hint"]

# Chosen by eye on ten pictures of val, so that a sky, a robe or a wall is one segment.
_SCALE, _SMOOTHING, _SMALLEST = 300, 0.8, 1 / 200
_LEAST_CHROMA = 30.0
# Of a gray place, whose chroma has no direction: purple.
_PURPLE = (1.0, -1.0)


@dataclass(frozen=True, eq=False)
class WrongHint:
    """A wrong color of one place of a picture.

    Attributes:
        hint: the point with its color.
        segment: `(H, W)` of booleans, the segment that the point is in.
    """

    hint: Hint
    segment: Tensor


def segments(lab: Tensor) -> Tensor:
    """Divides a picture into segments of similar color.

    Source: Felzenszwalb, Huttenlocher, "Efficient Graph-Based Image Segmentation", IJCV 2004, with scale 300 and
    smoothing of 0.8 pixels, on Lab / 100. A segment has at least 1/200 of the pixels.

    Args:
        lab: `(1, 3, H, W)`, the true picture in Lab.

    Returns:
        `(H, W)`, number of the segment of each pixel.

    Raises:
        ConfigError: scikit-image is not installed.
    """
    try:
        from skimage.segmentation import felzenszwalb  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "measuring wrong hints needs scikit-image, which is not installed: " + install_extra("evaluate")
        ) from error
    pixels = lab[0].permute(1, 2, 0).double().numpy() / 100
    smallest = int(_SMALLEST * pixels.shape[0] * pixels.shape[1])
    return torch.from_numpy(felzenszwalb(pixels, scale=_SCALE, sigma=_SMOOTHING, min_size=smallest))


def wrong_hint(lab: Tensor, grid: tuple[int, int], order: Tensor) -> WrongHint | None:
    """Chooses a place and a wrong color for it: the true chroma turned by 180°, of at least 30 Lab units.

    Args:
        lab: `(1, 3, H, W)`, the true picture in Lab.
        grid: height and width of the grid of a model's output.
        order: numbers of cells of the grid, in the order in which they are tried.

    Returns:
        The first cell whose pixels are all in one segment (see `segments`), and whose wrong color exists in sRGB at
        its lightness; `None` if there is none.

    Raises:
        ConfigError: scikit-image is not installed.
    """
    parts = segments(lab)
    sides = [_bounds(cells, pixels) for cells, pixels in zip(grid, parts.shape, strict=True)]
    for cell in order.tolist():
        (top, bottom), (left, right) = sides[0][cell // grid[1]], sides[1][cell % grid[1]]
        part = parts[top:bottom, left:right]
        if (part != part[0, 0]).any():
            continue
        mean = lab[..., top:bottom, left:right].mean((2, 3), keepdim=True)
        wrong = _opposite(mean[:, 1:])
        if torch.equal(to_gamut(mean[:, :1], wrong), wrong):
            return WrongHint(hint_at(cell, grid, wrong.flatten()), parts == part[0, 0])
    return None


def hint_at(cell: int, grid: tuple[int, int], ab: Tensor) -> Hint:
    """Makes a point of the middle of a cell.

    Args:
        cell: number of the cell, row by row.
        grid: height and width of the grid.
        ab: `(2,)` in Lab units.

    Returns:
        The hint.
    """
    row, column = divmod(cell, grid[1])
    return Hint(x=(column + 0.5) / grid[1], y=(row + 0.5) / grid[0], color=ab.tolist())


def share_inside(before: Tensor, after: Tensor, segment: Tensor) -> float:
    """Computes the share of the change of chroma that is inside of a segment: Σ‖Δab‖ inside / Σ‖Δab‖ everywhere.

    Args:
        before: `(1, 2, H, W)` in Lab units.
        after: `(1, 2, H, W)` in Lab units.
        segment: `(H, W)` of booleans.

    Returns:
        The share in 0..1; NaN if nothing changed. The share outside is 1 minus it.

    Example:
        >>> before, after = torch.zeros(1, 2, 1, 2), torch.tensor([3.0, 1.0]).expand(1, 2, 1, 2)
        >>> share_inside(before, after, torch.tensor([[True, False]]))
        0.75
    """
    change = (after - before).square().sum(1)[0].sqrt()
    return float(change[segment].sum() / change.sum())


def _bounds(cells: int, pixels: int) -> list[tuple[int, int]]:
    """First pixel of each cell along one side, and the first one after it."""
    return [(cell * pixels // cells, -(-(cell + 1) * pixels // cells)) for cell in range(cells)]


def _opposite(ab: Tensor) -> Tensor:
    chroma = ab.norm(dim=1, keepdim=True)
    purple = ab.new_tensor(_PURPLE).reshape(1, 2, 1, 1)
    direction = torch.where(chroma > 1e-3, -ab, purple)
    opposite: Tensor = F.normalize(direction, dim=1) * chroma.clamp(min=_LEAST_CHROMA)
    return opposite
