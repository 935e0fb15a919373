"""How honest a predicted distribution of color is: likelihood of the truth, and calibration.

Models differ in their bins, so all are judged on one codebook: a model's bins are mapped to the nearest ones.

The truth counts as one bin, the nearest. A model that learned from soft-encoded truth spreads a sure answer
over five bins, with at most about 0.65 on the middle one; so it looks less confident here than it is right.
"""

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from artcolor.color.codebook import Codebook
from artcolor.color.lab import rgb_to_lab
from artcolor.evaluate.predictors import lightness_at_working_size, log_of
from artcolor.evaluate.protocol import protocol_of
from artcolor.models.base import ColorizationModel

CONFIDENCE_BINS = 15
"""Bins of equal width that the confidence is sorted into, as in Guo et al. 2017."""

_BATCH = 20

# A model that has no bin near a true color would have an infinite NLL; this much of the prior is mixed in,
# which costs others 0.001 nats at most.
_PRIOR_SHARE = 1e-3


def _on(codebook: Codebook, probabilities: Tensor, centers: Tensor) -> Tensor:
    """Probabilities `(N, E, h, w)` of the codebook's own E bins."""
    mapped = codebook.gather(probabilities, centers)
    return (1 - _PRIOR_SHARE) * mapped + _PRIOR_SHARE * codebook.prior.reshape(1, -1, 1, 1)


def _true_bins(truth: Tensor, size: torch.Size, codebook: Codebook) -> Tensor:
    ab = F.interpolate(rgb_to_lab(truth)[:, 1:], tuple(size), mode="area")
    return codebook.nearest(ab)


def nll(probabilities: Tensor, centers: Tensor, truth: Tensor, codebook: Codebook) -> Tensor:
    """Mean negative log-likelihood of the true bin, at the distribution's resolution.

    Args:
        probabilities: `(N, Q, h, w)`, summing to 1 over the model's own bins.
        centers: `(Q, 2)`, ab of these bins in Lab units.
        truth: `(N, 3, H, W)`, sRGB in 0..1; its ab is averaged over the area of each of the h × w pixels.
        codebook: the evaluation's; see `artcolor.evaluate.reference`.

    Returns:
        `(N,)` in nats per pixel.
    """
    true = _true_bins(truth, probabilities.shape[-2:], codebook).unsqueeze(1)
    return -_on(codebook, probabilities, centers).gather(1, true).log().flatten(1).mean(1)


def calibration(probabilities: Tensor, centers: Tensor, truth: Tensor, codebook: Codebook) -> Tensor:
    """Sorts pixels by the confidence in their most probable bin; see `ece`.

    Args:
        probabilities: `(N, Q, h, w)`, summing to 1 over the model's own bins.
        centers: `(Q, 2)`, ab of these bins in Lab units.
        truth: `(N, 3, H, W)`, sRGB in 0..1.
        codebook: the evaluation's.

    Returns:
        `(N, 3, 15)`: for each bin of confidence the number of pixels, the sum of their confidence, and how
        many had the true color in the most probable bin.
    """
    true = _true_bins(truth, probabilities.shape[-2:], codebook)
    confidence, chosen = _on(codebook, probabilities, centers).max(dim=1)
    rows = (confidence * CONFIDENCE_BINS).long().clamp(max=CONFIDENCE_BINS - 1).flatten(1)
    values = torch.stack((torch.ones_like(confidence), confidence, (chosen == true).to(confidence)), dim=1)
    counts = values.new_zeros(len(values), 3, CONFIDENCE_BINS)
    return counts.scatter_add_(2, rows.unsqueeze(1).expand(-1, 3, -1), values.flatten(2))


def ece(counts: Tensor) -> Tensor:
    """Expected calibration error: by how much confidence and hit rate differ (Guo et al. 2017, equation 3).

    Args:
        counts: `(*, 3, 15)`, from `calibration`, summed over pictures.

    Returns:
        `(*,)` in 0..1; 0 is perfectly calibrated.
    """
    pixels, confidence, hits = counts.unbind(-2)
    return (confidence - hits).abs().sum(-1) / pixels.sum(-1)


@torch.no_grad()
def fit_temperatures(
    model: ColorizationModel,
    paths: Sequence[Path],
    codebook: Codebook,
    *,
    temperatures: Sequence[float] = (0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.1, 1.2),
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[tuple[float, float], dict[tuple[float, float], float]]:
    """Finds what a model's logits and their part log p(bin | L) are best divided by, for `DistributionHead.calibrate`.

    Source: temperature scaling (Guo et al. 2017, 4.2), with a second temperature for the prior.

    Args:
        model: with a `DistributionHead`, in evaluation mode.
        paths: held-out pictures, read as "paintings-256".
        codebook: the evaluation's.
        temperatures: to try, each with each.
        progress: is told of what is done, how many pictures, and of how many.

    Returns:
        The temperatures of network and prior with the lowest mean NLL, and the NLL of all pairs, in nats per pixel.
    """
    protocol, own = protocol_of("paintings-256"), model.distribution_head().codebook
    sums, done = dict.fromkeys(product(temperatures, temperatures), 0.0), 0
    for truth in protocol.batches(paths, _BATCH):
        lightness = lightness_at_working_size(model, rgb_to_lab(truth))
        logits = log_of(model.predict_distribution(lightness))
        prior = own.log_prior(F.interpolate(lightness, logits.shape[-2:], mode="area"))
        for of_network, of_prior in sums:
            tempered = torch.softmax((logits - prior) / of_network + prior / of_prior, dim=1)
            sums[of_network, of_prior] += float(nll(tempered.cpu(), own.centers.cpu(), truth, codebook).sum())
        done += len(truth)
        if progress is not None:
            progress("calibration", done, len(paths))
    means = {pair: total / len(paths) for pair, total in sums.items()}
    return min(means, key=means.__getitem__), means
