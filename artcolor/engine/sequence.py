"""Colors that stay where an animation stands still."""

import torch
from torch import Tensor
from torch.nn import functional as F

# Lightness that changes by less than this is noise or dithering, by more it is movement.
_NOISE = 2.0


class SteadyChroma:
    """Takes chroma frame by frame and lets it change only where lightness does.

    Networks look at each frame alone, and a movement in one corner changes a little what they make of all others,
    which flickers. Here chroma is `w · before + (1 - w) · predicted` with `w = exp(-(ΔL / 2)²)`: where nothing moves it
    is that of the frame before, exactly; where something does, it is new; and a slow fade takes a few frames.

    Example:
        >>> steady, still = SteadyChroma(), torch.zeros(1, 1, 8, 8)
        >>> first = steady(still, torch.full((1, 2, 2, 2), 5.0))
        >>> steady(still, torch.full((1, 2, 2, 2), 9.0)).unique()
        tensor([5.])
    """

    def __init__(self) -> None:
        self._lightness: Tensor | None = None
        self._ab: Tensor | None = None

    def __call__(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """Steadies the next frame.

        Args:
            lightness: `(1, 1, H, W)`, L in 0..100, as the network saw it.
            ab: `(1, 2, h, w)`, what it predicted.

        Returns:
            `(1, 2, h, w)`.
        """
        if self._lightness is not None and self._ab is not None and self._lightness.shape == lightness.shape:
            change = F.adaptive_avg_pool2d((lightness - self._lightness).abs(), (ab.shape[-2], ab.shape[-1]))
            keep = torch.exp(-((change / _NOISE) ** 2))
            ab = keep * self._ab + (1 - keep) * ab
        self._lightness, self._ab = lightness, ab
        return ab
