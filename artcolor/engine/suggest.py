"""Suggests hints: the most likely colors at a point, and the points where a hint helps most."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from artcolor.color.lab import lab_to_rgb_in_gamut
from artcolor.engine.hints import Hint
from artcolor.engine.observations import observe
from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel, Features
from artcolor.models.conditioning import kernel_of, plausible
from artcolor.models.kernel import ChromaKernel, Embedding
from artcolor.models.spread import Observations, Spread

__all__ = ["Suggestion", "likeliest_colors", "most_helpful_cells"]

# Bins are squares of 10 × 10 units, so a distribution over them knows no finer differences.
_BIN_VARIANCE = 25.0
_LEAST_VARIANCE = 0.01
_ROUNDS = 12
_DISTINCT = 10.0
_LEAST_PROBABILITY = 0.005
_CANDIDATES = 256


@dataclass(frozen=True)
class Suggestion:
    """A likely color at a point.

    Attributes:
        color: hexadecimal sRGB at the lightness of the point, `"#27408b"`.
        ab: a and b in Lab units.
        probability: probability that the color is nearer to this suggestion than to the others, 0..1.
    """

    color: str
    ab: tuple[float, float]
    probability: float


def suggest_at(
    model: ColorizationModel, features: Features, hints: Sequence[Hint], place: tuple[float, float], k: int
) -> list[Suggestion]:
    """Finds the most likely distinct colors at a point of a picture.

    Args:
        model: the model.
        features: features of the picture.
        hints: what is known.
        place: x and y as fractions of width and height.
        k: number of colors, at least 1.

    Returns:
        At most k suggestions, most likely first. Where a hint is, its color is the only one.

    Raises:
        ConfigError: the model predicts no distribution, or k is out of range.
    """
    head = model.distribution_head()
    _check_count(k)
    raw = model.predict_raw(features)
    height, width = raw.shape[-2:]
    row, column = min(int(place[1] * height), height - 1), min(int(place[0] * width), width - 1)
    log_p = torch.log_softmax(raw[0, :, row, column].float(), dim=0).cpu()
    lightness = float(F.interpolate(features.lightness, (height, width))[0, 0, row, column])
    message, observations = None, observe(hints, (height, width))
    if observations is not None:
        known = observations.ab[observations.cells == row * width + column]
        if len(known) and not known.isnan().any():
            return [suggestion(known[0], lightness, 1.0)]
        embedding, kernel = model.embedding(features, raw), kernel_of(model)
        observations = plausible(embedding, kernel, observations)
    if observations is not None:
        residual = observations.ab - embedding.mean[0, observations.cells]
        residual = torch.where(residual.isnan(), 0.0, residual)
        message = message_at(kernel, embedding, observations, residual, row * width + column)
    return likeliest_colors(log_p, head.codebook.centers.cpu(), lightness, message, k)


def uncertain_places(
    model: ColorizationModel, features: Features, hints: Sequence[Hint], k: int
) -> list[tuple[float, float]]:
    """Finds the points of a picture where a hint would help most.

    Args:
        model: the model.
        features: features of the picture.
        hints: what is known.
        k: number of places, at least 1.

    Returns:
        x and y as fractions of width and height, the most helpful first.

    Raises:
        ConfigError: k is out of range.
    """
    _check_count(k)
    raw = model.predict_raw(features)
    height, width = raw.shape[-2:]
    embedding, kernel = model.embedding(features, raw), kernel_of(model)
    observations = observe(hints, (height, width))
    hinted = None if observations is None else observations.cells
    if observations is not None:
        observations = plausible(embedding, kernel, observations)
    cells = most_helpful_cells(kernel, embedding, observations, k, without=hinted)
    return [((cell % width + 0.5) / width, (cell // width + 0.5) / height) for cell in cells]


def _check_count(k: int) -> None:
    if type(k) is not int or k < 1:
        raise ConfigError(f"k must be an integer of at least 1, not {k!r}")


def likeliest_colors(
    log_p: Tensor, centers: Tensor, lightness: float, message: tuple[Tensor, Tensor] | None, k: int
) -> list[Suggestion]:
    """Finds the most likely distinct colors at one point, by weighted k-means over bins (Lloyd 1982).

    Args:
        log_p: `(Q,)`, logarithms of the predicted probabilities of the bins.
        centers: `(Q, 2)`, a and b of the bins in Lab units.
        lightness: L of the place, 0..100.
        message: the evidence of hints: a factor exp(η · d - ½ dᵀ Λ d) of the probabilities, with d the distance from
            the mean: η `(2,)` and Λ `(2, 2)`; `None` without hints.
        k: number of colors.

    Returns:
        At most k suggestions, most likely first.

    Example:
        >>> centers = torch.tensor([[0.0, 0.0], [40.0, 0.0], [0.0, -50.0]])
        >>> found = likeliest_colors(torch.tensor([0.2, 0.7, 0.1]).log(), centers, 50, None, 2)
        >>> [round(each.probability, 1) for each in found]
        [0.9, 0.1]
    """
    if message is not None:
        eta, precision = message
        distance = centers - log_p.exp() @ centers
        log_p = log_p + distance @ eta - 0.5 * ((distance @ precision) * distance).sum(1)
    p = torch.softmax(log_p, dim=0)
    chosen = [int(p.argmax())]
    while len(chosen) < min(k, len(p)):
        gap = torch.cdist(centers, centers[chosen]).min(1).values
        chosen.append(int((p * (gap > _DISTINCT) * gap.square()).argmax()))
    means = centers[chosen].clone()
    for _ in range(_ROUNDS):
        nearest = torch.cdist(centers, means).argmin(1)
        weight = torch.zeros(len(means)).index_add_(0, nearest, p)
        total = torch.zeros_like(means).index_add_(0, nearest, p[:, None] * centers)
        means = torch.where(weight[:, None] > 0, total / weight.clamp(min=1e-12)[:, None], means)
    order = weight.argsort(descending=True).tolist()
    distinct: list[int] = []
    for number in order:
        near = [other for other in distinct if (means[number] - means[other]).norm() < _DISTINCT]
        if near:
            weight[near[0]] += weight[number]
        elif weight[number] >= _LEAST_PROBABILITY:
            distinct.append(number)
    found = [suggestion(means[number], lightness, float(weight[number])) for number in distinct]
    return sorted(found, key=lambda each: -each.probability)


def suggestion(ab: Tensor, lightness: float, probability: float) -> Suggestion:
    """Makes a suggestion of chroma.

    Args:
        ab: `(2,)` in Lab units.
        lightness: L of the place, 0..100.
        probability: probability of the color, 0..1.

    Returns:
        The suggestion, with the color that sRGB can show.
    """
    light = torch.full((1, 1, 1, 1), float(lightness))
    rgb = lab_to_rgb_in_gamut(light, ab.float().reshape(1, 2, 1, 1)).flatten()
    color = "#{:02x}{:02x}{:02x}".format(*(255 * rgb).round().int().tolist())
    a, b = ab.tolist()
    return Suggestion(color, (round(a, 2), round(b, 2)), probability)


def message_at(
    kernel: ChromaKernel, embedding: Embedding, observations: Observations, residual: Tensor, cell: int
) -> tuple[Tensor, Tensor]:
    """Computes the evidence of observations about one cell, for `likeliest_colors`.

    Args:
        kernel: the kernel.
        embedding: embedding of all cells of one picture.
        observations: the observations.
        residual: `(k, 2)`, their differences from the mean in Lab units.
        cell: number of the cell.

    Returns:
        η `(2,)` and Λ `(2, 2)`, in Lab units.
    """
    # Only the observed cells and this one matter, in a row.
    chosen = torch.cat((observations.cells, torch.tensor([cell])))
    regions = None if observations.regions is None else observations.regions.flatten()[chosen][None]
    row, at = embedding.at(chosen[None]), torch.tensor([len(chosen) - 1])
    spread = Spread(kernel, row, Observations(torch.arange(len(chosen) - 1), observations.ab, regions))
    mean = spread(residual[None])[0].flatten(1)[:, -1]
    one = row.at(at[None])
    scale, factor = one.scale[0, 0], spread.explained(at)[0]
    prior = kernel.covariance(one, one)[0]
    # What the observations add is the quotient of the Gaussians after and before, widened by the bins.
    before, after = (
        scale @ each @ scale.T + _LEAST_VARIANCE * torch.eye(2) for each in (prior, prior - factor.T @ factor)
    )
    added = torch.linalg.inv(after) - torch.linalg.inv(before)
    widened = torch.linalg.inv(torch.eye(2) + _BIN_VARIANCE * added)
    return widened @ torch.linalg.solve(after, mean), widened @ added


def most_helpful_cells(
    kernel: ChromaKernel,
    embedding: Embedding,
    observations: Observations | None,
    k: int,
    *,
    without: Tensor | None = None,
) -> list[int]:
    """Finds the cells whose colors would be most informative about the rest of the picture.

    Each is the one with the largest expected decrease of the summed variance of a and b, given those before.

    Args:
        kernel: the kernel.
        embedding: embedding of all cells of one picture.
        observations: what is known already; `None` for nothing.
        k: number of cells.
        without: numbers of cells to leave out; `None` for none.

    Returns:
        Numbers of at most k cells, the most helpful first.
    """
    cells = embedding.size[0] * embedding.size[1]
    order = torch.randperm(cells, generator=torch.Generator().manual_seed(0))
    if without is not None:
        order = order[~torch.isin(order, without)]
    candidates = order[:_CANDIDATES].sort().values
    known = embedding.at(candidates[None])
    between = kernel.covariance(embedding, known)[0]
    if observations is not None and len(observations.cells):
        spread = Spread(kernel, embedding, observations)
        everywhere = spread.explained(torch.arange(cells))[0]
        between = between - everywhere.T @ spread.explained(candidates)[0]
    noise = known.noise[0].square()[:, None, None] * torch.eye(2)
    found: list[int] = []
    for _ in range(min(k, len(candidates))):
        columns = between.reshape(cells, 2, len(candidates), 2)
        scaled = torch.einsum("pij,pjcd->picd", embedding.scale[0], columns)
        squared = torch.einsum("picd,pice->cde", scaled, scaled)
        own = columns[candidates, :, torch.arange(len(candidates))] + noise
        gain = torch.linalg.solve(own, squared).diagonal(dim1=1, dim2=2).sum(1)
        best = int(gain.argmax())
        found.append(int(candidates[best]))
        column = columns[:, :, best].reshape(-1, 2)
        row = columns[candidates[best]].reshape(2, -1)
        between = between - column @ torch.linalg.solve(own[best], row)
    return found
