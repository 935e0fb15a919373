"""Adopts the colors of a colored picture where another one looks similar."""

import dataclasses
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from artcolor.color.lab import rgb_to_lab
from artcolor.errors import ConfigError
from artcolor.models.conditioning import kernel_of
from artcolor.models.guidance import Decoding
from artcolor.models.kernel import ChromaKernel, Embedding

if TYPE_CHECKING:
    from artcolor.models.base import ColorizationModel

__all__ = ["adopted", "likeness"]

_CELLS, _OTHERS = 200, 300
_NOISE = 1.0
# Of an unrelated reference. On pairs of unrelated paintings, more of it made colors less accurate.
_LEAST_SHARE = 0.1


@torch.no_grad()
def adopted(
    model: "ColorizationModel", embedding: Embedding, ab: Tensor, reference: Tensor, decoding: Decoding
) -> Tensor:
    """Corrects a prediction by the errors that the model makes on a reference.

    The errors spread from the reference by the kernel of the model, without regard to place, and more weakly the less
    similar the pictures are.

    Args:
        model: the model.
        embedding: embedding of all cells of N pictures.
        ab: `(N, 2, h, w)`, predicted chroma in Lab units.
        reference: `(1, 3, H, W)`, sRGB in 0..1.
        decoding: the decoding that gave `ab`.

    Returns:
        `(N, 2, h, w)` in Lab units.

    Raises:
        ConfigError: `reference` has another shape.
    """
    check_reference(reference)
    kernel = kernel_of(model)
    lab = rgb_to_lab(reference.to(ab))
    seen = model.encode(model.transforms()(reference.to(ab)))
    its_raw = model.predict_raw(seen)
    full = dataclasses.replace(decoding, strength=1.0)
    truth = F.interpolate(lab[:, 1:], its_raw.shape[-2:], mode="area")
    error = (truth - model.head.decode(its_raw, seen.lightness, full)).flatten(2).mT
    its = kernel.without_place(model.embedding(seen, its_raw))
    cells, _ = _chosen(its)
    known = its.at(cells)
    picture = kernel.without_place(embedding)
    scaled = torch.linalg.solve(known.scale, error[:, cells[0], :, None]).flatten(1)[..., None]
    inner = kernel.covariance(known, known)
    factor = torch.linalg.cholesky(inner + _NOISE**2 * torch.eye(inner.shape[-1]).to(inner))
    mean = kernel.covariance(picture, known) @ torch.cholesky_solve(scaled, factor)
    spread = (picture.scale @ mean.reshape(len(mean), -1, 2, 1)).squeeze(-1).mT.reshape(ab.shape)
    return ab + decoding.strength * likeness(kernel, picture, its)[:, None, None, None] * spread


def likeness(kernel: ChromaKernel, picture: Embedding, reference: Embedding) -> Tensor:
    """Computes how much of a reference to adopt.

    Cells of the picture are compared with the nearest of some cells of the reference. If their distance is like that
    between cells of the reference itself, the pictures are related.

    Args:
        kernel: the kernel; its `related` holds the ratios of distances from which and up to which pictures are related.
        picture: embedding of N pictures, without place.
        reference: embedding of one picture, without place.

    Returns:
        `(N,)` in 0.1..1.
    """
    if not kernel.compares(reference):
        return torch.full((len(picture.scale),), _LEAST_SHARE).to(picture.scale)
    cells, others = _chosen(reference)
    known, own = reference.at(cells).near[0][0], reference.at(others).near[0][0]
    within = torch.cdist(own, known).amin(1).mean()
    ratio = torch.stack([torch.cdist(each, known).amin(1).mean() for each in picture.near[0]]) / within.clamp(min=1e-6)
    low, high = kernel.related
    return (1 - (1 - _LEAST_SHARE) * (ratio - low) / (high - low)).clamp(_LEAST_SHARE, 1)


def check_reference(reference: Tensor) -> None:
    """Checks the shape of a reference.

    Args:
        reference: `(1, 3, H, W)`, sRGB in 0..1.

    Raises:
        ConfigError: it has another shape.
    """
    if reference.ndim != 4 or reference.shape[:2] != (1, 3):
        raise ConfigError(f"reference must be (1, 3, H, W), sRGB in 0..1, not {tuple(reference.shape)}")


def _chosen(embedding: Embedding) -> tuple[Tensor, Tensor]:
    """Numbers of representative cells of one picture, and of others, `(1, k)` each."""
    count = embedding.scale.shape[1]
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0)).to(embedding.scale.device)
    known = min(_CELLS, (count + 1) // 2)
    return order[None, :known], order[None, known : known + _OTHERS]
