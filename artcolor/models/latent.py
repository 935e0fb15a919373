"""Latents of the variational autoencoder `vae`, and the Gaussians over them."""

import math
from collections.abc import Callable
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Latent(NamedTuple):
    """A latent in two parts: global, for the whole picture, and spatial, on a coarse grid.

    Attributes:
        global_latent: `(N, codes)`.
        spatial_latent: `(N, grid, H / 32, W / 32)`.
    """

    global_latent: Tensor
    spatial_latent: Tensor

    def scaled(self, factors: Tensor) -> "Latent":
        """Returns the latent of each picture, multiplied by its own factor from `factors`, `(N,)`."""
        return Latent(self.global_latent * factors[:, None], self.spatial_latent * factors[:, None, None, None])

    def to(self, dtype: torch.dtype) -> "Latent":
        """Both parts in another precision."""
        return Latent(self.global_latent.to(dtype), self.spatial_latent.to(dtype))

    def plus(self, other: "Latent") -> "Latent":
        """Returns the sum of both latents."""
        return Latent(self.global_latent + other.global_latent, self.spatial_latent + other.spatial_latent)

    def detached(self) -> "Latent":
        """Returns the same values, detached from the autograd graph."""
        return Latent(self.global_latent.detach(), self.spatial_latent.detach())


class Gaussian(NamedTuple):
    """A Gaussian with diagonal covariance.

    Attributes:
        mean: `(N, ...)`.
        log_variance: `(N, ...)`, the logarithm of the variance of each dimension.
    """

    mean: Tensor
    log_variance: Tensor

    @classmethod
    def of(cls, layer: nn.Module, features: Tensor) -> Self:
        """Computes mean and log-variance with one layer.

        Args:
            layer: a layer with two output channels per dimension of the Gaussian; all means come first.
            features: input of the layer.

        Returns:
            The Gaussian, with the log-variance clamped to -8..4.
        """
        mean, log_variance = layer(features).float().chunk(2, dim=1)
        # Within these bounds neither the standard deviation nor its inverse overflows.
        return cls(mean, log_variance.clamp(-8, 4))

    def sample(self, noise: Tensor, spread: float = 1.0) -> Tensor:
        """Computes mean + `spread` · σ · `noise` (reparameterization).

        Args:
            noise: a draw from the standard normal, of the Gaussian's shape.
            spread: factor on the standard deviation.

        Returns:
            A tensor of the Gaussian's shape.
        """
        return self.mean + spread * (self.log_variance / 2).exp() * noise

    def draw(self, generator: torch.Generator) -> Tensor:
        """Draws a random sample.

        Args:
            generator: a generator on the Gaussian's device.

        Returns:
            A tensor of the Gaussian's shape.
        """
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=torch.float32)
        return self.sample(noise)

    def standard(self) -> "Gaussian":
        """Returns the standard normal of the same shape."""
        zero = torch.zeros_like(self.mean)
        return Gaussian(zero, zero)

    def divergence(self, prior: "Gaussian") -> Tensor:
        """Computes KL(self ‖ `prior`) in nats per picture, `(N,)`."""
        return self.divergences(prior).flatten(1).sum(1)

    def divergences(self, prior: "Gaussian") -> Tensor:
        """Computes KL(self ‖ `prior`) in nats per dimension, `(N, ...)`."""
        excess = prior.log_variance - self.log_variance
        apart = (self.log_variance.exp() + (self.mean - prior.mean) ** 2) / prior.log_variance.exp()
        return 0.5 * (excess + apart - 1)


class PosteriorInput(NamedTuple):
    """What the posterior is conditioned on besides the gray picture, at the resolution of the network's output.

    Attributes:
        colors: `(N, 5, h, w)`: L, ab, and the error of the chroma decoded without a latent, all about -1..1.
        score: `(N, width, h, w)`: ten times `DistributionHead.score` of the output decoded without a latent.
    """

    colors: Tensor
    score: Tensor


class LatentDistribution(NamedTuple):
    """A distribution over latents: p(global) · p(spatial | global).

    Attributes:
        global_latent: p(global), of shape `(N, codes)`.
        spatial_given: maps a global latent `(N, codes)` to p(spatial | global), of shape `(N, grid, h, w)`.
    """

    global_latent: Gaussian
    spatial_given: Callable[[Tensor], Gaussian]

    @property
    def typical(self) -> Latent:
        """The mean of the global latent, and the mean of the spatial latent given that one."""
        return Latent(self.global_latent.mean, self.spatial_given(self.global_latent.mean).mean)

    def sample(self, noise: Latent, spread: float = 1.0, global_latent: Tensor | None = None) -> Latent:
        """Computes a latent from standard normal noise.

        Args:
            noise: draws from the standard normal for both parts.
            spread: factor on the standard deviations; 0 returns the mean.
            global_latent: `(N, codes)`; if given, only the spatial latent is sampled, conditioned on it.

        Returns:
            The latent.
        """
        if global_latent is None:
            global_latent = self.global_latent.sample(noise.global_latent, spread)
        return Latent(global_latent, self.spatial_given(global_latent).sample(noise.spatial_latent, spread))


class LatentLayer(nn.Module):
    """Predicts a `LatentDistribution` from features at 1/32 size. It is initialized to the standard normal.

    The spatial latent is conditioned on the global one, so that both parts agree and neither repeats what the other
    encodes (Sønderby et al. 2016, top-down inference).

    Args:
        channels: channels of the features.
        codes: dimensions of the global latent.
        grid: channels of the spatial latent.
    """

    def __init__(self, channels: int, codes: int, grid: int) -> None:
        super().__init__()
        last = nn.Linear(2 * channels, 2 * codes)
        # The names `whole`, `told` and `grid` are part of released files.
        self.whole = nn.Sequential(nn.Linear(channels, 2 * channels), nn.ReLU(), last)
        self.told = nn.Linear(codes, channels)
        self.grid = nn.Conv2d(channels, 2 * grid, 1)
        for layer in (last, self.grid):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> LatentDistribution:
        """Predicts the distribution from `features`, `(N, channels, h, w)`; its spatial part is `(N, grid, h, w)`."""

        def spatial_given(global_latent: Tensor) -> Gaussian:
            return Gaussian.of(
                self.grid, F.relu(features + self.told(global_latent.to(features.dtype))[:, :, None, None])
            )

        return LatentDistribution(Gaussian.of(self.whole, features.mean((2, 3))), spatial_given)


def stratified_normal(count: int, order: Tensor, seed: int) -> Tensor:
    """Draws from a standard normal, stratified in the five dimensions that matter most.

    Each draw alone is distributed like an independent one; together they cover the distribution more evenly. In the
    first three dimensions of `order`, directions are the corners of a randomly rotated square antiprism (the eight
    points on a sphere with the largest minimum distance: Schütte, van der Waerden 1951), and lengths fall into eight
    equally probable ranges of the chi distribution. In the next two dimensions, directions are the corners of an
    octagon, ordered so that neighbors on the antiprism are far apart. The remaining dimensions follow a scrambled
    Sobol sequence (Owen 1998). After eight draws the next block of eight starts, so the first few of many draws equal
    the draws for a smaller `count`.

    Args:
        count: number of draws.
        order: `(codes,)`, indices of the dimensions by decreasing importance; at least five.
        seed: seed of all randomness.

    Returns:
        `(count, codes)`.

    Example:
        >>> draws = stratified_normal(8, torch.arange(16), seed=3)
        >>> directions = torch.nn.functional.normalize(draws[:, :3], dim=1)
        >>> torch.cdist(directions, directions).fill_diagonal_(9).min() > 1.2
        tensor(True)
    """
    order = order.cpu()
    engine = torch.quasirandom.SobolEngine(len(order), scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    # The sequence has steps of 2⁻³⁰ and may contain 0, whose quantile is infinite.
    even: Tensor = engine.draw(count, dtype=torch.float64).clamp(2**-31, 1 - 2**-31)
    draws = torch.special.ndtri(even)
    generator = torch.Generator().manual_seed(seed)
    for start in range(0, count, 8):
        for numbers, corners in ((order[:3], _ANTIPRISM), (order[3:5], _OCTAGON)):
            size = len(numbers)
            # Q of a normal matrix is uniformly distributed once the signs of R's diagonal are removed (Mezzadri 2007).
            q, r = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
            uniform = torch.rand(8, generator=generator, dtype=torch.float64)
            share = (torch.randperm(8, generator=generator) + uniform) / 8
            turned = _chi(share, size)[:, None] * (corners @ (q * r.diagonal().sign()))
            draws[start : start + 8, numbers] = turned[: count - start]
    normal: Tensor = draws.float()
    return normal


# Far apart from the start: the first few draws of a block of eight should differ as well.
_EIGHTHS = torch.tensor([0, 5, 4, 1, 2, 7, 6, 3], dtype=torch.float64)


def _circle(turns: Tensor) -> Tensor:
    """Returns points on the unit circle, `(N, 2)`."""
    return torch.stack((torch.cos(2 * math.pi * turns), torch.sin(2 * math.pi * turns)), dim=1)


def _antiprism() -> Tensor:
    """Returns the corners of the square antiprism with equal edges, on the unit sphere: `(8, 3)`."""
    height = 1 / math.sqrt(1 + 2 * math.sqrt(2))
    side = 1 - 2 * (_EIGHTHS % 2)
    return torch.cat((math.sqrt(1 - height**2) * _circle(_EIGHTHS / 8), height * side[:, None]), dim=1)


_ANTIPRISM = _antiprism()
_OCTAGON = _circle(3 * _EIGHTHS / 8)


def _chi(share: Tensor, degrees: int) -> Tensor:
    """Computes quantiles of the chi distribution by bisection."""
    low, high = torch.zeros_like(share), torch.full_like(share, 10.0)
    for _ in range(50):
        middle = (low + high) / 2
        below = torch.special.gammainc(torch.full_like(share, degrees / 2), middle**2 / 2) < share
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return low
