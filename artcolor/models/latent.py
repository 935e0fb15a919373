"""Latents for the colours of a picture, and Gaussians over them."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Latent(NamedTuple):
    """A latent: numbers for the whole picture, and a coarse grid.

    Attributes:
        whole: `(N, codes)`.
        grid: `(N, grid, H / 32, W / 32)`.
    """

    whole: Tensor
    grid: Tensor

    def scaled(self, by: Tensor) -> "Latent":
        """Both parts of each picture multiplied by its own number of `by`, `(N,)`."""
        return Latent(self.whole * by[:, None], self.grid * by[:, None, None, None])

    def plus(self, other: "Latent") -> "Latent":
        """The sum of both."""
        return Latent(self.whole + other.whole, self.grid + other.grid)

    def detached(self) -> "Latent":
        """The same, through which no gradient goes."""
        return Latent(self.whole.detach(), self.grid.detach())


class Gaussian(NamedTuple):
    """A diagonal Gaussian over latents.

    Attributes:
        mean: its mean.
        log_variance: logarithm of its variance, entry by entry.
    """

    mean: Latent
    log_variance: Latent

    def sample(self, noise: Latent, spread: float = 1.0) -> Latent:
        """Mean plus `spread` deviations of a standard normal `noise`."""
        whole, grid = (
            mean + spread * (log_variance / 2).exp() * eps
            for mean, log_variance, eps in zip(self.mean, self.log_variance, noise, strict=True)
        )
        return Latent(whole, grid)

    def standard(self) -> "Gaussian":
        """The standard normal over latents of the same shape."""
        zero = Latent(*(torch.zeros_like(part) for part in self.mean))
        return Gaussian(zero, zero)

    def divergence(self, prior: "Gaussian") -> tuple[Tensor, Tensor]:
        """KL(self ‖ prior) in nats per picture, `(N,)` each: of the numbers for the whole picture, of the grid."""
        whole, grid = (
            0.5 * (p_log - q_log + (q_log.exp() + (q - p) ** 2) / p_log.exp() - 1).flatten(1).sum(1)
            for q, q_log, p, p_log in zip(self.mean, self.log_variance, prior.mean, prior.log_variance, strict=True)
        )
        return whole, grid


class GaussianLayer(nn.Module):
    """The Gaussian that features on the coarsest grid call for. It begins as the standard normal.

    Args:
        channels: of the features.
        codes: numbers for the whole picture.
        grid: channels of the grid.
    """

    def __init__(self, channels: int, codes: int, grid: int) -> None:
        super().__init__()
        self.whole = nn.Linear(channels, 2 * codes)
        self.grid = nn.Conv2d(channels, 2 * grid, 1)
        for layer in (self.whole, self.grid):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Gaussian:
        """Gives the Gaussian from features `(N, channels, h, w)`; its grid is `(N, grid, h, w)`."""
        whole_mean, whole_log = self.whole(features.mean((2, 3))).float().chunk(2, dim=1)
        grid_mean, grid_log = self.grid(features).float().chunk(2, dim=1)
        # Within these bounds neither the deviation nor its inverse can overflow.
        return Gaussian(Latent(whole_mean, grid_mean), Latent(whole_log.clamp(-8, 4), grid_log.clamp(-8, 4)))


def evenly_normal(count: int, size: int, seed: int) -> Tensor:
    """Draws from a standard normal that fall evenly: each number of a few of them takes low, middle and high values.

    A scrambled Sobol sequence (Owen 1998), mapped to the normal. Each draw alone is as random as any other; the first
    few of many are what few would be.

    Args:
        count: how many.
        size: numbers in each.
        seed: of the scrambling.

    Returns:
        `(count, size)`.

    Example:
        >>> (evenly_normal(8, 16, seed=3) < 0).sum(dim=0).unique()  # half of them, in each of the 16 numbers
        tensor([4])
    """
    engine = torch.quasirandom.SobolEngine(size, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    # Its smallest step is 2⁻³⁰; 0 itself would lie infinitely far out.
    even: Tensor = engine.draw(count, dtype=torch.float64).clamp(2**-31, 1 - 2**-31)
    normal: Tensor = torch.special.ndtri(even)
    return normal.float()
