"""A learned kernel: how strongly the color of one pixel determines that of another.

The difference between true chroma and a model's mean prediction is modeled as a Gaussian process over pixels
(Rasmussen, Williams 2006) whose covariance is computed from the network's features, place and lightness. Conditioning
it on the colors of some pixels spreads them over the picture, without running the network again.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.errors import ConfigError

__all__ = ["ChromaKernel", "Embedding", "UntrainedKernel"]

_DILATIONS = (1, 2, 2)
_LARGEST_LOG = 4.0
# Coordinates at the end of each Gaussian part: two of place, one of lightness.
_PLACE_AND_LIGHTNESS = 3
# Places are counted in quarters of the short side.
_PLACE = 4.0
# Without training: variances of the parts of features, of place and lightness, and of the constant; steps along
# features, place and lightness in the first two; noise. Chosen on 15 pictures of val, for six models together.
_VARIANCES = (0.7, 0.2, 1.56)
_FEATURE_STEP, _PLACE_STEPS, _LIGHTNESS_STEPS, _UNTRAINED_NOISE = 0.35, (0.35, 3.0), (2.0, 2.0), 0.24


@dataclass(frozen=True, eq=False)
class Embedding:
    """The kernel's embedding of each pixel of N pictures; P = h · w.

    Attributes:
        near: for each Gaussian part of the kernel, coordinates `(N, P, d)`; pixels with close coordinates have similar
            residuals.
        amplitude: `(N, P, parts)`, standard deviation of each Gaussian part.
        shared: `(N, P, 2, rank)`, of a and b, the components that the whole picture shares: its moods.
        scale: `(N, P, 2, 2)`, square root of the covariance of a and b.
        noise: `(N, P)`, standard deviation of the part that is specific to each pixel.
        mean: `(N, P, 2)`, the predicted mean of a and b, in Lab units.
        size: h and w.
    """

    near: Sequence[Tensor]
    amplitude: Tensor
    shared: Tensor
    scale: Tensor
    noise: Tensor
    mean: Tensor
    size: tuple[int, int]

    def cropped(self, height: int, width: int) -> "Embedding":
        """Returns the embedding without the rows below `height` and the columns beyond `width`."""

        def crop(values: Tensor) -> Tensor:
            return values.reshape(len(values), *self.size, *values.shape[2:])[:, :height, :width].flatten(1, 2)

        return self._mapped(crop, (height, width))

    def repeated(self, times: int) -> "Embedding":
        """Returns the embedding of all pictures, `times` times, one time after the other."""
        return self._mapped(lambda values: values.repeat(times, *[1] * (values.ndim - 1)), self.size)

    def at(self, cells: Tensor) -> "Embedding":
        """Returns the embedding of some `cells`, `(N, k)`: their numbers, row by row."""

        def select(values: Tensor) -> Tensor:
            index = cells.reshape(*cells.shape, *[1] * (values.ndim - 2)).expand(-1, -1, *values.shape[2:])
            return values.gather(1, index)

        return self._mapped(select, (1, cells.shape[1]))

    def _mapped(self, change: Callable[[Tensor], Tensor], size: tuple[int, int]) -> "Embedding":
        near = [change(each) for each in self.near]
        amplitude, shared, scale = change(self.amplitude), change(self.shared), change(self.scale)
        return Embedding(near, amplitude, shared, scale, change(self.noise), change(self.mean), size)


class ChromaKernel(nn.Module):
    """The covariance of the error of predicted chroma between any two pixels.

    It is a sum of Gaussians of the distance in learned coordinates, a Gaussian of the distance in place and lightness,
    a constant, and a learned matrix of low rank. Each Gaussian and the constant has a covariance of a and b of its own,
    and a learned amplitude at each pixel. The errors are first divided by a power of the standard deviation that the
    model itself predicts.

    Args:
        channels: channels of the network's features, finest first.
        hidden: channels of the hidden layers.
        near: numbers of learned coordinates of the Gaussian parts.
        rank: rank of the last part.

    Attributes:
        objects: numbers of Gaussian components that distinguish objects, and factors of the squared distances.
        related: ratios of distances between pictures from which and up to which they are related; see
            `artcolor.models.reference.likeness`.

    Raises:
        ConfigError: a number is below 1.

    Example:
        >>> kernel = ChromaKernel([8])
        >>> flat = torch.zeros(1, 1, 12, 16)
        >>> mean, covariance = flat.expand(-1, 2, -1, -1), flat.expand(-1, 3, -1, -1)
        >>> embedding = kernel.embed([torch.rand(1, 8, 12, 16)], flat + 50, mean, covariance)
        >>> kernel.covariance(embedding, embedding).shape
        torch.Size([1, 384, 384])
    """

    objects: ClassVar[Mapping[int, float]] = {1: 3.0, 2: 0.15}
    related: ClassVar[tuple[float, float]] = (2.5, 4.0)

    def __init__(
        self, channels: Sequence[int], *, hidden: int = 96, near: Sequence[int] = (24, 16), rank: int = 48
    ) -> None:
        super().__init__()
        if min([hidden, *near, *channels]) < 1 or rank < 0:
            raise ConfigError("channels, hidden and near of a kernel must be at least 1, and rank at least 0")
        self.config: dict[str, Any] = {
            "channels": list(channels), "hidden": hidden, "near": list(near), "rank": rank,
        }  # fmt: skip
        # The last two parts are the one of place and lightness, and the constant.
        parts = len(near) + 2
        self.rank = rank
        self._split = [*near, 2 * rank, parts, 1, 1]
        self.layers = nn.ModuleList(nn.Conv2d(count, hidden, 1) for count in channels)
        self.statistics = nn.Conv2d(7, hidden, 1)
        self.context = nn.ModuleList(
            nn.Conv2d(hidden, hidden, 3, padding=dilation, dilation=dilation) for dilation in _DILATIONS
        )
        self.whole = nn.Linear(hidden, hidden)
        self.out = nn.Conv2d(hidden, sum(self._split), 1)
        for index, count in enumerate(channels):
            self.register_buffer(f"deviation{index}", torch.ones(count))
        self.log_place = nn.Parameter(torch.tensor([0.5] * len(near) + [3.0]).log())
        self.log_lightness = nn.Parameter(torch.tensor([2.0] * len(near) + [0.6]).log())
        self.mixing = nn.Parameter(torch.eye(2).repeat(parts, 1, 1) * 0.5)
        self.exponent = nn.Parameter(torch.tensor(0.8))
        self.log_noise = nn.Parameter(torch.tensor(0.07).log())
        with torch.no_grad():
            assert self.out.bias is not None and self.whole.bias is not None
            self.out.weight[-2 - parts :].zero_()
            self.out.bias.zero_()
            # Each layer adds to the one before, and starts small.
            for layer in (*self.context, self.whole):
                layer.weight.mul_(0.1)

    def embed(self, features: Sequence[Tensor], lightness: Tensor, mean: Tensor, covariance: Tensor) -> Embedding:
        """Computes the embedding of each pixel.

        Args:
            features: features of the network, `(N, C, h / s, w / s)` each, with s = 1 for the first.
            lightness: `(N, 1, h, w)`, L in 0..100.
            mean: `(N, 2, h, w)`, predicted mean of a and b, in Lab units.
            covariance: `(N, 3, h, w)`, predicted variance of a, covariance, and variance of b, in Lab units squared.

        Returns:
            The embedding of all pixels.
        """
        height, width = lightness.shape[-2:]
        light = lightness / 50 - 1
        hidden = self._hidden(features, light, mean, covariance)
        *near, shared, amplitude, scale, noise = self.out(hidden).split(self._split, dim=1)
        count = light.shape[0]
        place = _places(height, width).to(light).expand(count, -1, -1, -1)
        learned: list[list[Tensor]] = [*([each] for each in near), []]
        coordinates = [
            torch.cat((*each, place * at.exp(), light * by.exp()), dim=1)
            for each, at, by in zip(learned, self.log_place, self.log_lightness, strict=True)
        ]
        # All pixels are in one place of no dimension, so this part is constant.
        coordinates.append(light[:, :0])
        root = self._scale(covariance) * scale.squeeze(1).exp()[..., None, None]
        return Embedding(
            [_by_pixel(each) for each in coordinates],
            _by_pixel(amplitude).clamp(-_LARGEST_LOG, _LARGEST_LOG).exp(),
            _by_pixel(shared).reshape(count, height * width, 2, self.rank),
            root.flatten(1, 2),
            (self.log_noise + noise.flatten(1).clamp(-_LARGEST_LOG, _LARGEST_LOG)).exp(),
            _by_pixel(mean),
            (height, width),
        )

    def _hidden(self, features: Sequence[Tensor], light: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
        size = (light.shape[-2], light.shape[-1])
        variance = covariance[:, [0, 2]].clamp(min=0) + 1
        correlation = covariance[:, 1:2] / variance.prod(1, keepdim=True).sqrt()
        known = torch.cat((light, light.square(), mean / 20, variance.log() / 4 - 1, correlation), dim=1)
        hidden: Tensor = self.statistics(known)
        for index, (layer, each) in enumerate(zip(self.layers, features, strict=True)):
            part = layer(each.float() / self.get_buffer(f"deviation{index}")[:, None, None])
            hidden = hidden + (part if part.shape[-2:] == size else _enlarged(part, size))
        hidden = F.relu(hidden)
        for layer in self.context:
            hidden = F.relu(layer(hidden)) + hidden
        return hidden + F.relu(self.whole(hidden.mean((2, 3))))[:, :, None, None]

    def _scale(self, covariance: Tensor) -> Tensor:
        """Returns the covariance to the power of `exponent` / 2: `(N, h, w, 2, 2)`."""
        a, both, b = covariance[:, 0] + 1, covariance[:, 1], covariance[:, 2] + 1
        middle, half = (a + b) / 2, (((a - b) / 2).square() + both.square() + 1e-6).sqrt()
        large, small = ((middle + sign * half).clamp(min=1) ** (self.exponent / 2) for sign in (1, -1))
        slope = (large - small) / (2 * half)
        offset = (large + small) / 2 - slope * middle
        rows = ((offset + slope * a, slope * both), (slope * both, offset + slope * b))
        return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)

    def without_place(self, embedding: Embedding) -> Embedding:
        """Removes positions, to compare pixels of different pictures.

        Args:
            embedding: made by this kernel.

        Returns:
            The embedding without positions and without the part of position and lightness.
        """
        coordinates = [each.clone() for each in embedding.near]
        for each in coordinates[:-1]:
            each[..., -_PLACE_AND_LIGHTNESS:-1] = 0
        amplitude = embedding.amplitude.clone()
        amplitude[..., -2] = 0
        return dataclasses.replace(embedding, near=coordinates, amplitude=amplitude)

    def compares(self, embedding: Embedding) -> bool:
        """Whether an embedding contains more than position and lightness."""
        return embedding.near[0].shape[-1] > _PLACE_AND_LIGHTNESS

    def covariance(self, one: Embedding, two: Embedding, *, local: float | None = None) -> Tensor:
        """Computes the covariance of scaled residuals.

        Args:
            one: n pixels of N pictures.
            two: m pixels of N pictures.
            local: scale of residuals that are specific to objects; larger numbers make objects smaller, 1 is the
                largest. `None` is for residuals of the whole picture.

        Returns:
            `(N, 2 · n, 2 · m)`, a and b alternating.
        """
        if local is not None:
            squared = torch.stack([
                factor * 2 * _halved_distance(one.near[part], two.near[part]) for part, factor in self.objects.items()
            ]).sum(0)  # fmt: skip
            # A Matérn kernel with ν = 3/2 (Rasmussen, Williams 2006, 4.2.1) overshoots less than a Gaussian one.
            distance = (3 * local * squared).sqrt()
            return torch.kron((1 + distance) * torch.exp(-distance), torch.eye(2).to(one.scale))
        total = one.shared.flatten(1, 2) @ two.shared.flatten(1, 2).mT
        n, m = one.scale.shape[1], two.scale.shape[1]
        by_channel = total.reshape(-1, n, 2, m, 2)
        for part, matrix in enumerate(self.mixing @ self.mixing.mT):
            factors = one.amplitude[:, :, None, part] * two.amplitude[:, None, :, part]
            alike = factors * torch.exp(-_halved_distance(one.near[part], two.near[part]))
            by_channel = by_channel + alike[:, :, None, :, None] * matrix[None, None, :, None, :]
        flat: Tensor = by_channel.reshape(-1, 2 * n, 2 * m)
        return flat


class UntrainedKernel(ChromaKernel):
    """A kernel for any model: pixels with similar features, position and lightness are similar.

    Example:
        >>> flat = torch.zeros(1, 1, 12, 16)
        >>> mean, covariance = flat.expand(-1, 2, -1, -1), flat.expand(-1, 3, -1, -1)
        >>> UntrainedKernel().embed([torch.rand(1, 8, 12, 16)], flat + 50, mean, covariance).near[0].shape
        torch.Size([1, 192, 11])
    """

    objects: ClassVar[Mapping[int, float]] = {0: 4.0, 1: 0.3}
    related: ClassVar[tuple[float, float]] = (1.5, 2.0)

    def __init__(self) -> None:
        super().__init__([], hidden=1, near=(1,), rank=0)
        with torch.no_grad():
            for part, variance in zip(self.mixing, _VARIANCES, strict=True):
                part.copy_(math.sqrt(variance) * torch.eye(2))
            self.log_place.copy_(torch.tensor(_PLACE_STEPS).log())
            self.log_lightness.copy_(torch.tensor(_LIGHTNESS_STEPS).log())
            self.log_noise.fill_(math.log(_UNTRAINED_NOISE))

    def embed(self, features: Sequence[Tensor], lightness: Tensor, mean: Tensor, covariance: Tensor) -> Embedding:
        """Computes the embedding of each pixel; see `ChromaKernel.embed`.

        Args:
            features: features of the network, `(N, C, h, w)`, standardized within each picture; only the first are
                used. If there are none, place and lightness decide.
            lightness: see `ChromaKernel.embed`.
            mean: see `ChromaKernel.embed`.
            covariance: see `ChromaKernel.embed`.

        Returns:
            The embedding of all pixels.
        """
        count, _, height, width = lightness.shape
        place = _places(height, width).to(lightness).expand(count, -1, -1, -1)
        steps = zip(self.log_place.exp(), self.log_lightness.exp(), strict=True)
        both = [torch.cat((place * at, (lightness / 50 - 1) * by), dim=1) for at, by in steps]
        if features:
            both[0] = torch.cat((_FEATURE_STEP * _standardized(features[0].float()), both[0]), dim=1)
        return Embedding(
            [_by_pixel(each) for each in (*both, lightness[:, :0])],
            lightness.new_ones(count, height * width, len(self.mixing)),
            lightness.new_zeros(count, height * width, 2, 0),
            self._scale(covariance).flatten(1, 2),
            self.log_noise.exp().expand(count, height * width),
            _by_pixel(mean),
            (height, width),
        )


def _enlarged(values: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(values, size, mode="bilinear")


def _halved_distance(first: Tensor, second: Tensor) -> Tensor:
    """Half of the squared distances between `(N, n, d)` and `(N, m, d)`."""
    squared = first.square().sum(-1)[:, :, None] + second.square().sum(-1)[:, None] - 2 * first @ second.mT
    return 0.5 * squared.clamp(min=0)


def _standardized(features: Tensor) -> Tensor:
    """Features of mean 0 and, over all channels together, of variance 1 at most."""
    deviation = features.std((2, 3), keepdim=True)
    floor = 1e-3 * deviation.amax(1, keepdim=True) + 1e-6
    centered: Tensor = (features - features.mean((2, 3), keepdim=True)) / (deviation + floor)
    return centered / math.sqrt(features.shape[1])


def _by_pixel(values: Tensor) -> Tensor:
    return values.flatten(2).mT


def _places(height: int, width: int) -> Tensor:
    rows, columns = torch.arange(height), torch.arange(width)
    # A tensor, because the exporter to ONNX would take the shorter side for the shorter one of all pictures.
    short = torch.minimum(rows[-1], columns[-1]).add(1) / _PLACE
    return torch.stack(torch.meshgrid(rows / short, columns / short, indexing="ij"))[None]
