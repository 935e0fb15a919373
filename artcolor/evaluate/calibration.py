"""Likelihood of the true colors under a predicted distribution, and its calibration.

Models differ in their bins, so all are evaluated on one codebook: the bins of a model are mapped to the nearest ones.

The truth counts as a single bin, the nearest. A model trained on soft-encoded truth spreads a confident prediction over
five bins, with at most about 0.65 in the central one, so it appears underconfident here.
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
"""Number of confidence bins of equal width, as in Guo et al. 2017."""

_BATCH = 20

# Without a share of the prior, a model that has no bin near a true color would have an infinite NLL. It costs other
# models 0.001 nats at most.
_PRIOR_SHARE = 1e-3


def _on(codebook: Codebook, probabilities: Tensor, centers: Tensor) -> Tensor:
    """Maps a distribution to probabilities `(N, E, h, w)` of the codebook's own E bins."""
    mapped = codebook.gather(probabilities, centers)
    return (1 - _PRIOR_SHARE) * mapped + _PRIOR_SHARE * codebook.prior.reshape(1, -1, 1, 1)


def _true_bins(truth: Tensor, size: torch.Size, codebook: Codebook) -> Tensor:
    ab = F.interpolate(rgb_to_lab(truth)[:, 1:], tuple(size), mode="area")
    return codebook.nearest(ab)


def nll(probabilities: Tensor, centers: Tensor, truth: Tensor, codebook: Codebook) -> Tensor:
    """Computes the mean negative log-likelihood of the true bin, at the resolution of the distribution.

    Args:
        probabilities: `(N, Q, h, w)`, summing to 1 over the model's own bins.
        centers: `(Q, 2)`, centers of these bins in Lab units.
        truth: `(N, 3, H, W)`, sRGB in 0..1; its ab is averaged over the area of each of the h × w pixels.
        codebook: codebook of the evaluation, from `artcolor.evaluate.reference`.

    Returns:
        `(N,)` in nats per pixel.
    """
    true = _true_bins(truth, probabilities.shape[-2:], codebook).unsqueeze(1)
    return -_on(codebook, probabilities, centers).gather(1, true).log().flatten(1).mean(1)


def calibration(probabilities: Tensor, centers: Tensor, truth: Tensor, codebook: Codebook) -> Tensor:
    """Computes the reliability histogram of each picture, from which `ece` follows.

    Args:
        probabilities: `(N, Q, h, w)`, summing to 1 over the model's own bins.
        centers: `(Q, 2)`, centers of these bins in Lab units.
        truth: `(N, 3, H, W)`, sRGB in 0..1.
        codebook: codebook of the evaluation, from `artcolor.evaluate.reference`.

    Returns:
        `(N, 3, 15)`: for each confidence bin the number of pixels, the sum of their confidence, and the number of
        pixels whose most probable bin is the true one.
    """
    true = _true_bins(truth, probabilities.shape[-2:], codebook)
    confidence, chosen = _on(codebook, probabilities, centers).max(dim=1)
    rows = (confidence * CONFIDENCE_BINS).long().clamp(max=CONFIDENCE_BINS - 1).flatten(1)
    values = torch.stack((torch.ones_like(confidence), confidence, (chosen == true).to(confidence)), dim=1)
    counts = values.new_zeros(len(values), 3, CONFIDENCE_BINS)
    return counts.scatter_add_(2, rows.unsqueeze(1).expand(-1, 3, -1), values.flatten(2))


def ece(counts: Tensor) -> Tensor:
    """Computes the expected calibration error, the mean gap between confidence and accuracy.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3.

    Args:
        counts: `(*, 3, 15)`, histograms from `calibration`, summed over pictures.

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
    """Finds the temperatures of network and prior with the lowest NLL, for `DistributionHead.calibrate`.

    Source: temperature scaling (Guo et al. 2017, section 4.2), with a second temperature for log p(bin | L).

    Args:
        model: model with a `DistributionHead`, in evaluation mode.
        paths: held-out pictures, read by the protocol "paintings-256".
        codebook: codebook of the evaluation, from `artcolor.evaluate.reference`.
        temperatures: candidates for both temperatures; all pairs are tried.
        progress: called as `progress("calibration", done, total)` after each batch.

    Returns:
        The best pair (network, prior), and pair → mean NLL in nats per pixel.

    Raises:
        ConfigError: the model does not predict a distribution.
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
