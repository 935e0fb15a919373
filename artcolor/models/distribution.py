"""Models that predict a distribution over colors: palettes, and several colorings of one picture."""

import dataclasses
import math
from typing import ClassVar

import torch
from torch import Tensor

from artcolor.models.base import ColorizationModel, Features
from artcolor.models.conditioning import kernel_of
from artcolor.models.guidance import Guidance
from artcolor.models.heads import DistributionHead
from artcolor.models.kernel import ChromaKernel, Embedding

__all__ = ["DistributionModel"]

# Colors of a palette attract those within about this distance, in Lab units; others stay possible.
_ATTRACTION, _OTHERS = 12.0, 0.02
_SPREAD = 0.5
# Random Fourier features of each Gaussian part of the kernel.
_FEATURES = 512


class DistributionModel(ColorizationModel):
    """A network with a head that predicts a distribution.

    It accepts a palette, and draws several colorings from the Gaussian process of its kernel.
    """

    accepts: ClassVar[frozenset[str]] = ColorizationModel.accepts | {"palette", "samples", "seed", "spread"}
    head: DistributionHead

    @torch.no_grad()
    def predict_raw(self, given: Tensor | Features, guidance: Guidance = Guidance()) -> Tensor:
        """Computes logits; see `ColorizationModel.predict_raw`."""
        raw = super().predict_raw(given, dataclasses.replace(guidance, palette=None))
        if guidance.palette is None:
            return raw
        centers = self.distribution_head().codebook.centers
        return raw + palette_weights(centers, guidance.palette)[:, None, None]

    def vary(self, features: Features, raw: Tensor, ab: Tensor, guidance: Guidance) -> Tensor:
        """Draws colorings around a prediction, coherent over regions that the kernel considers similar.

        Args:
            features: encoded pictures.
            raw: their raw output `(N, Q, h, w)`.
            ab: `(N, 2, h, w)`, the most typical coloring.
            guidance: `seed`, `samples` and `spread`.

        Returns:
            `(samples · N, 2, h, w)` in Lab units, ordered by sample, then by picture.
        """
        if not guidance.draws:
            return ab
        self.distribution_head()
        generator = torch.Generator().manual_seed(guidance.seed or 0)
        embedding, kernel = self.embedding(features, raw), kernel_of(self)
        fields = torch.stack([draw(kernel, embedding, generator) for _ in range(guidance.samples)])
        if guidance.samples > 1:
            # Evenly around the most typical coloring, with the same variance.
            fields = (fields - fields.mean(0)) * math.sqrt(guidance.samples / (guidance.samples - 1))
        spread = _SPREAD if guidance.spread is None else guidance.spread
        return (ab + spread * fields).flatten(0, 1)


def palette_weights(centers: Tensor, palette: Tensor) -> Tensor:
    """Computes how much a palette favors each bin.

    Args:
        centers: `(Q, 2)`, a and b of the bins in Lab units.
        palette: `(k, 2)`, a and b of the colors.

    Returns:
        `(Q,)`, to be added to logits.

    Example:
        >>> weights = palette_weights(torch.tensor([[0.0, 0.0], [50.0, 0.0]]), torch.tensor([[50.0, 0.0]]))
        >>> bool(weights[1] > weights[0])
        True
    """
    near = torch.exp(-0.5 * (torch.cdist(centers, torch.as_tensor(palette).to(centers)) / _ATTRACTION).square()).amax(1)
    return torch.log(near + _OTHERS)


def draw(kernel: ChromaKernel, embedding: Embedding, generator: torch.Generator) -> Tensor:
    """Draws from a kernel's Gaussian process, approximately, by random Fourier features (Rahimi, Recht 2007).

    Args:
        kernel: the kernel.
        embedding: embedding of all cells of N pictures.
        generator: source of randomness; all pictures share it.

    Returns:
        `(N, 2, h, w)` in Lab units.
    """

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(embedding.scale)

    total = embedding.shared @ normal(embedding.shared.shape[-1])
    for part, matrix in enumerate(kernel.mixing):
        near = embedding.near[part]
        if near.shape[-1]:
            phase = 2 * math.pi * torch.rand(_FEATURES, generator=generator).to(near)
            waves = torch.cos(near @ normal(near.shape[-1], _FEATURES) + phase)
            values = math.sqrt(2 / _FEATURES) * waves @ normal(_FEATURES, 2)
        else:
            values = normal(1, 2)
        total = total + embedding.amplitude[..., part, None] * (values @ matrix.T)
    field: Tensor = (embedding.scale @ total[..., None]).squeeze(-1)
    return field.mT.reshape(len(field), 2, *embedding.size)
