"""Keeps colors where an animation does not change."""

import numpy as np

from artcolor.color.srgb import Floats

__all__ = ["SteadyChroma", "cell_means"]

# Lightness that changes by less than this is noise or dithering, by more it is movement.
_NOISE = 2.0


class SteadyChroma:
    """Takes chroma frame by frame and lets it change only where lightness does.

    Networks see each frame alone, and a movement in one corner slightly changes their predictions everywhere, so colors
    flicker. Here chroma is `w · before + (1 - w) · predicted` with `w = exp(-(ΔL / 2)²)`: where nothing moves, it is
    exactly that of the previous frame; where something does, it is new; and a slow fade takes a few frames.

    Example:
        >>> steady, still = SteadyChroma(), np.zeros((1, 1, 8, 8))
        >>> first = steady(still, np.full((1, 2, 2, 2), 5.0))
        >>> np.unique(steady(still, np.full((1, 2, 2, 2), 9.0))).tolist()
        [5.0]
    """

    def __init__(self) -> None:
        self._lightness: Floats | None = None
        self._ab: Floats | None = None

    def __call__(self, lightness: Floats, ab: Floats) -> Floats:
        """Steadies the next frame.

        Args:
            lightness: `(1, 1, H, W)`, L in 0..100, as the network saw it.
            ab: `(1, 2, h, w)`, what it predicted; H and W are at least h and w.

        Returns:
            `(1, 2, h, w)`.
        """
        if self._lightness is not None and self._ab is not None and self._lightness.shape == lightness.shape:
            change = cell_means(np.abs(lightness - self._lightness), (ab.shape[-2], ab.shape[-1]))
            keep = np.exp(-((change / _NOISE) ** 2))
            ab = keep * self._ab + (1 - keep) * ab
        self._lightness, self._ab = lightness, ab
        return ab


def cell_means(plane: Floats, size: tuple[int, int]) -> Floats:
    """Computes means over the cells of a grid.

    Args:
        plane: `(..., H, W)`.
        size: height and width of the grid, at most H and W.

    Returns:
        `(..., h, w)`.

    Example:
        >>> cell_means(np.arange(4.0).reshape(2, 2), (1, 1)).tolist()
        [[1.5]]
    """
    for axis, cells in zip((-2, -1), size, strict=True):
        side = plane.shape[axis]
        starts = np.arange(cells) * side // cells
        counts = np.diff(starts, append=side)
        shape = (-1, 1) if axis == -2 else (-1,)
        plane = np.add.reduceat(plane, starts, axis=axis) / counts.reshape(shape).astype(plane.dtype)
    return plane
