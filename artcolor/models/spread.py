"""Spreads the colors of some cells over a picture: a Gaussian process that is conditioned on them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from artcolor.errors import WeightsError
from artcolor.models.kernel import ChromaKernel, Embedding

__all__ = ["Observations", "Spread", "limited"]

_LEAST_NOISE = 1e-5


@dataclass(frozen=True, eq=False)
class Observations:
    """Known colors of a picture, on a grid of h × w cells.

    Attributes:
        cells: `(k,)`, numbers of the observed cells, row by row, each once.
        ab: `(k, 2)` in Lab units; NaN where the model's own prediction is kept.
        regions: `(h, w)`, number of the region that each cell belongs to, 0 outside of all; `None` without regions.
            Colors do not spread from one region to another.
    """

    cells: Tensor
    ab: Tensor
    regions: Tensor | None = None


class Spread:
    """Spreads the residuals of some cells over pictures.

    Args:
        kernel: the kernel.
        embedding: embedding of all cells.
        observations: the cells with known colors.
        noise: standard deviation of the noise, in scaled units; `None` is that of the embedding.
        local: scale of residuals that are specific to objects; see `ChromaKernel.covariance`.

    Raises:
        WeightsError: the kernel is damaged.

    Example:
        >>> from artcolor.models.kernel import UntrainedKernel
        >>> kernel, flat = UntrainedKernel(), torch.zeros(1, 1, 12, 16)
        >>> embedding = kernel.embed([], flat + 50, flat.expand(-1, 2, -1, -1), flat.expand(-1, 3, -1, -1))
        >>> spread = Spread(kernel, embedding, Observations(torch.tensor([100]), torch.tensor([[30.0, -40.0]])))
        >>> spread(torch.tensor([[[10.0, -20.0]]])).shape
        torch.Size([1, 2, 12, 16])
    """

    def __init__(
        self,
        kernel: ChromaKernel,
        embedding: Embedding,
        observations: Observations,
        *,
        noise: float | None = None,
        local: float | None = None,
    ) -> None:
        cells = observations.cells.to(embedding.scale.device)
        known = embedding.at(cells.expand(len(embedding.scale), -1))
        mask = _mask(observations, embedding.size).to(embedding.scale)
        inner = kernel.covariance(known, known, local=local) * mask.reshape(-1, 2, mask.shape[-1])[cells].flatten(0, 1)
        deviation = known.noise if noise is None else torch.full_like(known.noise, noise)
        variance = deviation.square().repeat_interleave(2, dim=1) + _LEAST_NOISE
        inner = inner + torch.diag_embed(variance)
        factor, failed = torch.linalg.cholesky_ex(inner)
        if failed.any() or not torch.isfinite(factor).all():
            raise WeightsError("the kernel of the model is damaged: its covariance is not positive definite")
        self._factor = factor
        self._deviation = inner.diagonal(dim1=1, dim2=2).sqrt()
        self._cross = kernel.covariance(embedding, known, local=local) * mask
        self._scale, self._known_scale, self._size = embedding.scale, known.scale, embedding.size

    def explained(self, cells: Tensor) -> Tensor:
        """Computes factors of the covariance that the observations explain.

        Args:
            cells: `(n,)`, numbers of cells.

        Returns:
            F, `(N, 2 · k, 2 · n)`, in scaled units: the Gaussian process given the observations has the covariance
            K - Fᵀ F.
        """
        rows = self._cross.reshape(len(self._cross), -1, 2, self._cross.shape[-1])[:, cells].flatten(1, 2)
        factor: Tensor = torch.linalg.solve_triangular(self._factor, rows.mT, upper=False)
        return factor

    def surprise(self, residual: Tensor) -> Tensor:
        """Computes how far residuals are from what is expected without any observation.

        Args:
            residual: `(N, k, 2)` in Lab units.

        Returns:
            `(N, k)`, in standard deviations.
        """
        relative: Tensor = (self._scaled(residual) / self._deviation).reshape(*residual.shape)
        distance: Tensor = torch.linalg.vector_norm(relative, dim=2)
        return distance

    def _scaled(self, residual: Tensor) -> Tensor:
        scaled: Tensor = torch.linalg.solve(self._known_scale, residual[..., None]).flatten(1, 3)
        return scaled

    def __call__(self, residual: Tensor) -> Tensor:
        """Spreads residuals.

        Args:
            residual: `(N, k, 2)` in Lab units.

        Returns:
            `(N, 2, h, w)` in Lab units: the mean of the Gaussian process given the residuals.
        """
        scaled = self._scaled(residual)[..., None]
        mean = self._cross @ torch.cholesky_solve(scaled, self._factor)
        spread: Tensor = (self._scale @ mean.reshape(len(mean), -1, 2, 1)).squeeze(-1)
        return spread.mT.reshape(len(mean), 2, *self._size)


def limited(change: Tensor, causes: Tensor) -> Tensor:
    """Limits changes of chroma to the largest of the differences that caused them.

    Where neighbors contradict each other, interpolation would overshoot far away from them.

    Args:
        change: `(N, P, 2)` in Lab units.
        causes: `(N, k, 2)` in Lab units.

    Returns:
        The changes, shorter where they were too long.

    Example:
        >>> limited(torch.tensor([[[30.0, 40.0]]]), torch.tensor([[[10.0, 0.0]]]))
        tensor([[[6., 8.]]])
    """
    longest = torch.linalg.vector_norm(causes, dim=2).amax(1)[:, None, None]
    length = torch.linalg.vector_norm(change, dim=2, keepdim=True).clamp(min=1e-6)
    short: Tensor = change * (longest / length).clamp(max=1)
    return short


def _mask(observations: Observations, size: tuple[int, int]) -> Tensor:
    """Factors `(2 · h · w, 2 · k)` of the covariance: which cells may affect which."""
    cells = observations.cells.cpu()
    if observations.regions is None:
        return torch.ones(1, 1).expand(2 * size[0] * size[1], 2 * len(cells))
    regions = observations.regions.flatten()
    mask = regions[:, None] == regions[cells]
    return mask.repeat_interleave(2, 0).repeat_interleave(2, 1)
