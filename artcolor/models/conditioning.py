"""Conditions a prediction on observed colors, by the kernel of a model."""

import copy
import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from artcolor.models.heads import DistributionHead, Head
from artcolor.models.kernel import ChromaKernel, Embedding, UntrainedKernel
from artcolor.models.spread import Observations, Spread, limited

if TYPE_CHECKING:
    from artcolor.models.base import ColorizationModel, Features

# Standard deviation of chroma where the model predicts none.
_DEVIATION = 15.0
# The second pass meets the observed colors nearly without noise.
_LOCAL_NOISE, _FEW = 0.03, 5
# In Lab units: finer differences make no other color.
_SHADE = 10.0
# A difference where the model is certain may tell of larger ones where it is not.
_LARGEST = 1.5
# Of the true colors of val, 90 % are within 3.4 standard deviations, and 98 % within 5.5.
_UNLIKELY, _UNLIKELY_RANGE, _MOSTLY = 3.0, 2.0, 0.5


def conditioned(embedding: Embedding, kernel: ChromaKernel, ab: Tensor, observations: Observations) -> Tensor:
    """Spreads known colors over a prediction.

    Args:
        embedding: embedding of all cells of N pictures.
        kernel: the kernel.
        ab: `(N, 2, h, w)`, predicted chroma in Lab units.
        observations: what is known, the same for all pictures.

    Returns:
        `(N, 2, h, w)` in Lab units, close to the observed colors where they are.
    """
    cells = observations.cells.to(ab.device)
    if not len(cells):
        return ab
    now = ab.flatten(2)[..., cells].mT
    wanted = observations.ab.to(ab).expand_as(now)
    wanted = torch.where(wanted.isnan(), now, wanted)
    spread = Spread(kernel, embedding, observations)
    share = _likely_share(spread, embedding, observations)
    change = spread(share * (wanted - now))
    ab = ab + limited(change.flatten(2).mT, _LARGEST * (wanted - now)).mT.reshape(ab.shape)
    rest = wanted - ab.flatten(2)[..., cells].mT
    # The more colors are known, the less each one has to say of others.
    local = max(1.0, _colors(observations) / _FEW)
    change = Spread(kernel, embedding, observations, noise=_LOCAL_NOISE, local=local)(rest)
    return ab + limited(change.flatten(2).mT, rest).mT.reshape(ab.shape)


def _colors(observations: Observations) -> int:
    known = observations.ab[~observations.ab.isnan().any(1)]
    return len(torch.unique((known / _SHADE).round(), dim=0))


def plausible(embedding: Embedding, kernel: ChromaKernel, observations: Observations) -> Observations | None:
    """Selects the observations that apply to the whole picture, not only to one object.

    Args:
        embedding: embedding of all cells of one picture.
        kernel: the kernel.
        observations: what is known.

    Returns:
        Those whose colors the model considers possible; `None` if there are none.
    """
    if not len(observations.cells):
        return None
    share = _likely_share(Spread(kernel, embedding, observations), embedding, observations)[0, :, 0].cpu()
    likely = share >= _MOSTLY
    if not likely.any():
        return None
    return Observations(observations.cells[likely], observations.ab[likely], observations.regions)


def _likely_share(spread: Spread, embedding: Embedding, observations: Observations) -> Tensor:
    """The share of each observation that applies to the whole picture, `(N, k, 1)`.

    A color that the model considers impossible, such as that of a purple sky, is specific to an object: it does not
    make the rest of the picture purple. Of many colors, some are unlikely by chance.
    """
    # However vivid the prediction is, a color is as likely as the model finds it.
    mean = embedding.mean[:, observations.cells.to(embedding.mean.device)]
    distance = observations.ab.to(mean) - mean
    surprise = spread.surprise(torch.where(distance.isnan(), 0.0, distance))
    start = _UNLIKELY + math.log(max(1, _colors(observations)))
    return (1 - (surprise - start) / _UNLIKELY_RANGE).clamp(0, 1)[..., None]


def embedding_of(model: "ColorizationModel", features: "Features", raw: Tensor) -> Embedding:
    """Computes the kernel's embedding of each cell of the output.

    Args:
        model: the model.
        features: encoded pictures.
        raw: their raw output `(N, C, h, w)`.

    Returns:
        The embedding of h × w cells.
    """
    lightness = F.interpolate(features.lightness, raw.shape[-2:], mode="area")
    mean, covariance = moments_of(model.head, raw, features.lightness)
    kernel = kernel_of(model)
    # Of several samples, the first dimension of the raw output is longer.
    repeats = len(raw) // len(lightness)
    lightness = lightness.repeat(repeats, 1, 1, 1)
    layers: Sequence[Tensor] = ()
    # A letterboxed picture is only a part of the features.
    if model.network.fixed_size is None:
        layers = [each.float().repeat(repeats, 1, 1, 1) for each in model.kernel_features(features.encoded)]
    height, width = raw.shape[-2:]
    whole = layers[0].shape[-2:] if layers else (height, width)
    below, beside = whole[0] - height, whole[1] - width
    padded = [F.pad(each, (0, beside, 0, below), mode="replicate") for each in (lightness, mean, covariance)]
    return kernel.embed(layers, *padded).cropped(height, width)


def kernel_of(model: "ColorizationModel") -> ChromaKernel:
    """Returns the kernel of a model, or an untrained one."""
    if model.kernel is None:
        return _untrained()
    # A model in half precision has a kernel in half precision, which is too coarse for spreading colors.
    exact = all(each.dtype == torch.float32 for each in model.kernel.parameters())
    return model.kernel if exact else copy.deepcopy(model.kernel).float()


@functools.cache
def _untrained() -> ChromaKernel:
    return UntrainedKernel().eval().requires_grad_(False)


def moments_of(head: Head, raw: Tensor, lightness: Tensor) -> tuple[Tensor, Tensor]:
    """Computes mean and covariance of the predicted chroma.

    Args:
        head: head of the model.
        raw: its raw output, `(N, C, h, w)`.
        lightness: `(N, 1, H, W)`, L in 0..100.

    Returns:
        The mean of a and b, `(N, 2, h, w)` in Lab units; and the variance of a, the covariance, and the variance of b,
        `(N, 3, h, w)`. Where the head predicts no distribution, the covariance is a constant.
    """
    if isinstance(head, DistributionHead):
        return head.codebook.moments(raw)
    mean = head.decode(raw, lightness)
    spherical = mean.new_tensor([_DEVIATION**2, 0, _DEVIATION**2]).reshape(1, 3, 1, 1)
    return mean, spherical.expand(len(mean), -1, *mean.shape[-2:])
