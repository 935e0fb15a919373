"""Latents for the colors of a picture, and Gaussians over them."""

import math
from collections.abc import Callable
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
    """A diagonal Gaussian.

    Attributes:
        mean: `(N, ...)`.
        log_variance: logarithm of its variance, entry by entry.
    """

    mean: Tensor
    log_variance: Tensor

    @classmethod
    def of(cls, layer: nn.Module, features: Tensor) -> Self:
        """The Gaussian whose mean and log-variance a layer gives, one after the other.

        Args:
            layer: with twice as many channels as the Gaussian.
            features: what it is given.
        """
        mean, log_variance = layer(features).float().chunk(2, dim=1)
        # Within these bounds neither the deviation nor its inverse can overflow.
        return cls(mean, log_variance.clamp(-8, 4))

    def sample(self, noise: Tensor, spread: float = 1.0) -> Tensor:
        """Mean plus `spread` deviations of a standard normal `noise`."""
        return self.mean + spread * (self.log_variance / 2).exp() * noise

    def draw(self, generator: torch.Generator) -> Tensor:
        """A sample of its own.

        Args:
            generator: on the Gaussian's device.
        """
        return self.sample(torch.randn(self.mean.shape, generator=generator, device=self.mean.device))

    def standard(self) -> "Gaussian":
        """The standard normal of the same shape."""
        zero = torch.zeros_like(self.mean)
        return Gaussian(zero, zero)

    def divergence(self, prior: "Gaussian") -> Tensor:
        """KL(self ‖ prior) in nats per picture, `(N,)`."""
        return self.divergences(prior).flatten(1).sum(1)

    def divergences(self, prior: "Gaussian") -> Tensor:
        """KL(self ‖ prior) in nats, entry by entry."""
        excess = prior.log_variance - self.log_variance
        apart = (self.log_variance.exp() + (self.mean - prior.mean) ** 2) / prior.log_variance.exp()
        return 0.5 * (excess + apart - 1)


class PosteriorInput(NamedTuple):
    """What a posterior is shown of the true colors, at the resolution of the network's output.

    Attributes:
        colors: `(N, 5, h, w)`: L, ab, and ab less that of the plain model, all about -1..1.
        score: `(N, width, h, w)`: ten times `DistributionHead.score` of the plain model.
    """

    colors: Tensor
    score: Tensor


class LatentDistribution(NamedTuple):
    """What is known of a latent: of the numbers for the whole picture, and, once these are given, of the grid.

    Attributes:
        whole: p(whole).
        grid: gives p(grid | whole) for `(N, codes)`.
    """

    whole: Gaussian
    grid: Callable[[Tensor], Gaussian]

    @property
    def typical(self) -> Latent:
        """The mean, and the mean that the grid has with it."""
        return Latent(self.whole.mean, self.grid(self.whole.mean).mean)

    def sample(self, noise: Latent, spread: float = 1.0, whole: Tensor | None = None) -> Latent:
        """A latent `spread` deviations of a standard normal `noise` away.

        Args:
            noise: for both parts.
            spread: 0 gives the typical one.
            whole: `(N, codes)`; if given, only the grid is drawn.
        """
        if whole is None:
            whole = self.whole.sample(noise.whole, spread)
        return Latent(whole, self.grid(whole).sample(noise.grid, spread))


class LatentLayer(nn.Module):
    """The `LatentDistribution` that features on the coarsest grid call for. It begins as the standard normal.

    The grid hears of the numbers for the whole picture, so that both parts fit together and neither says what the
    other has said (Sønderby et al. 2016, top-down inference).

    Args:
        channels: of the features.
        codes: numbers for the whole picture.
        grid: channels of the grid.
    """

    def __init__(self, channels: int, codes: int, grid: int) -> None:
        super().__init__()
        last = nn.Linear(2 * channels, 2 * codes)
        self.whole = nn.Sequential(nn.Linear(channels, 2 * channels), nn.ReLU(), last)
        self.told = nn.Linear(codes, channels)
        self.grid = nn.Conv2d(channels, 2 * grid, 1)
        for layer in (last, self.grid):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> LatentDistribution:
        """Gives the guess from features `(N, channels, h, w)`; its grid is `(N, grid, h, w)`."""

        def grid(whole: Tensor) -> Gaussian:
            return Gaussian.of(self.grid, F.relu(features + self.told(whole)[:, :, None, None]))

        return LatentDistribution(Gaussian.of(self.whole, features.mean((2, 3))), grid)


def evenly_normal(count: int, order: Tensor, seed: int) -> Tensor:
    """Draws from a standard normal that lie far apart in the five numbers that matter most.

    Each draw alone is as random as any other: in the first three its direction is that of a corner of a square
    antiprism turned at random (the eight points of a sphere that are farthest apart: Schütte, van der Waerden 1951),
    its length in one of eight equally probable ranges of the chi distribution; in the next two likewise that of a
    corner of an octagon, where neighbors on the antiprism are far apart. The other numbers are a scrambled Sobol
    sequence (Owen 1998). After eight draws the next eight begin, so that the first few of many are what few would be.

    Args:
        count: how many.
        order: `(codes,)`, the numbers, the one that matters most first; at least five.
        seed: of all that is random.

    Returns:
        `(count, codes)`.

    Example:
        >>> draws = evenly_normal(8, torch.arange(16), seed=3)
        >>> directions = torch.nn.functional.normalize(draws[:, :3], dim=1)
        >>> torch.cdist(directions, directions).fill_diagonal_(9).min() > 1.2
        tensor(True)
    """
    order = order.cpu()
    engine = torch.quasirandom.SobolEngine(len(order), scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    # Its smallest step is 2⁻³⁰; 0 itself would lie infinitely far out.
    even: Tensor = engine.draw(count, dtype=torch.float64).clamp(2**-31, 1 - 2**-31)
    draws = torch.special.ndtri(even)
    generator = torch.Generator().manual_seed(seed)
    for start in range(0, count, 8):
        for numbers, corners in ((order[:3], _ANTIPRISM), (order[3:5], _OCTAGON)):
            size = len(numbers)
            # QR of a normal matrix is a uniform rotation once the signs of R's diagonal are taken out (Mezzadri 2007).
            q, r = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
            uniform = torch.rand(8, generator=generator, dtype=torch.float64)
            share = (torch.randperm(8, generator=generator) + uniform) / 8
            turned = _chi(share, size)[:, None] * (corners @ (q * r.diagonal().sign()))
            draws[start : start + 8, numbers] = turned[: count - start]
    normal: Tensor = draws.float()
    return normal


# Far apart from the first: a few of a block of eight should differ as well.
_EIGHTHS = torch.tensor([0, 5, 4, 1, 2, 7, 6, 3], dtype=torch.float64)


def _circle(turns: Tensor) -> Tensor:
    """Points of the unit circle, `(N, 2)`."""
    return torch.stack((torch.cos(2 * math.pi * turns), torch.sin(2 * math.pi * turns)), dim=1)


def _antiprism() -> Tensor:
    """Corners of the square antiprism on the unit sphere whose edges are equal."""
    height = 1 / math.sqrt(1 + 2 * math.sqrt(2))
    side = 1 - 2 * (_EIGHTHS % 2)
    return torch.cat((math.sqrt(1 - height**2) * _circle(_EIGHTHS / 8), height * side[:, None]), dim=1)


_ANTIPRISM = _antiprism()
_OCTAGON = _circle(3 * _EIGHTHS / 8)


def _chi(share: Tensor, degrees: int) -> Tensor:
    """Quantiles of the chi distribution, by bisection."""
    low, high = torch.zeros_like(share), torch.full_like(share, 10.0)
    for _ in range(50):
        middle = (low + high) / 2
        below = torch.special.gammainc(torch.full_like(share, degrees / 2), middle**2 / 2) < share
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return low
