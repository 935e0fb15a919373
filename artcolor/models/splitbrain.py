"""`splitbrain`: "Split-Brain Autoencoders", Zhang, Isola, Efros, CVPR 2017.

Each of two disjoint halves of a network sees some channels of a picture and predicts the others. Their concatenated
features represent the picture (`extract_features`); the half that sees lightness colorizes.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.color.lab import rgb_to_lab
from artcolor.errors import ConfigError
from artcolor.models.distribution import DistributionModel
from artcolor.models.heads import DistributionHead, Head
from artcolor.models.layers import dilated_trunk
from artcolor.models.network import Network
from artcolor.models.registry import WeightsArgument, WeightsEnum, assemble, register_model
from artcolor.models.regression import ChromaHead, LightnessHead

__all__ = ["SplitBrain", "SplitBrainAutoencoder", "SplitBrainModel", "SplitBrain_Weights", "splitbrain"]

_LIGHTNESS_BINS = 100
_HEADS: dict[str, type[Head]] = {"classification": DistributionHead, "regression": ChromaHead}


class SplitBrain_Weights(WeightsEnum):
    """Released weights of `splitbrain`."""

    ART_V1 = "splitbrain.art_v1"
    DEFAULT = ART_V1


class SplitBrain(Network):
    """Two halves that see different channels. `forward` runs the half that sees L.

    Args:
        width: channels of each half at 1/8 size.

    Example:
        >>> import torch
        >>> SplitBrain(width=16)(torch.rand(1, 1, 32, 32) * 100).shape
        torch.Size([1, 16, 8, 8])
    """

    stride = 8
    out_stride = 4

    def __init__(self, width: int = 176) -> None:
        super().__init__()
        self.channels = width
        self.config = {"width": width}
        self.of_lightness = dilated_trunk(1, width)
        self.of_chroma = dilated_trunk(2, width)

    def forward(self, lightness: Tensor) -> Tensor:
        """Computes features `(N, width, H / 4, W / 4)` from L, `lightness`, `(N, 1, H, W)` in 0..100."""
        features: Tensor = self.of_lightness(lightness / 50 - 1)
        return features

    def see_chroma(self, ab: Tensor) -> Tensor:
        """Computes features `(N, width, H / 4, W / 4)` from chroma, `ab`, `(N, 2, H, W)` in Lab units."""
        features: Tensor = self.of_chroma(ab / 50)
        return features


class SplitBrainModel(DistributionModel):
    """The half L → ab, which colorizes, and the half ab → L, which only contributes features.

    Args:
        name: name of the model family.
        network: the network with both halves.
        head: the head of the half that sees L. With a `DistributionHead`, the other half classifies L into 100 bins;
            with a `ChromaHead`, it regresses L. These are the paper's two losses.
        size: working size in pixels; `None` uses the network's.
    """

    network: SplitBrain

    def __init__(self, name: str, network: Network, head: Head, *, size: int | None = None) -> None:
        super().__init__(name, network, head, size=size)
        classifies = isinstance(head, DistributionHead)
        self.lightness_head = LightnessHead(network.channels, bins=_LIGHTNESS_BINS if classifies else None)

    def training_loss(
        self, lightness: Tensor, ab: Tensor, *, step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Computes the sum of the losses of both halves, which share no parameters.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.
            ab: `(N, 2, H, W)`, the true chroma in Lab units.
            step: number of the optimizer step; unused.
            generator: source of randomness; unused.

        Returns:
            `"loss"`, and for the log `"loss_ab"` and `"loss_l"`.
        """
        of_ab = super().training_loss(lightness, ab, step=step, generator=generator)["loss"]
        raw = self.lightness_head(self.network.see_chroma(ab), lightness)
        with torch.autocast(lightness.device.type, enabled=False):
            of_l = self.lightness_head.loss(raw.float(), lightness, ab)["loss"]
        return {"loss": of_ab + of_l, "loss_ab": of_ab.detach(), "loss_l": of_l.detach()}

    @torch.no_grad()
    def extract_features(self, picture: Tensor) -> Tensor:
        """Computes the features of both halves of color pictures.

        Args:
            picture: `(N, 3, H, W)`, sRGB in 0..1; H and W are multiples of 8.

        Returns:
            `(N, 2 · width, H / 4, W / 4)`; the features of the half that sees L come first.

        Example:
            >>> import torch
            >>> splitbrain(width=16).extract_features(torch.rand(1, 3, 64, 64)).shape
            torch.Size([1, 32, 16, 16])
        """
        lab = rgb_to_lab(picture)
        return torch.cat((self.network(lab[:, :1]), self.network.see_chroma(lab[:, 1:])), dim=1)


class SplitBrainAutoencoder(nn.Module):
    """The paper's general form: each part sees one group of channels and regresses all others.

    The paper also splits color from depth: `groups=((0, 1, 2), (3,))`.

    Args:
        groups: the channel indices that each part sees; each channel belongs to one group.
        width: channels of the features of each part.

    Raises:
        ConfigError: there are fewer than two groups, or they overlap or leave out a channel.

    Example:
        >>> import torch
        >>> rgbd = torch.rand(2, 4, 32, 32)
        >>> autoencoder = SplitBrainAutoencoder(((0, 1, 2), (3,)), width=16)
        >>> [tuple(prediction.shape) for prediction in autoencoder(rgbd)]
        [(2, 1, 8, 8), (2, 3, 8, 8)]
    """

    def __init__(self, groups: Sequence[Sequence[int]], width: int = 176) -> None:
        super().__init__()
        seen = sorted(channel for group in groups for channel in group)
        if len(groups) < 2 or not all(groups) or seen != list(range(len(seen))):
            raise ConfigError(f"groups must be two or more, with each channel 0, 1, ... in one of them, not {groups}")
        self.groups = [list(group) for group in groups]
        self.rests = [[channel for channel in seen if channel not in group] for group in groups]
        self.halves = nn.ModuleList(dilated_trunk(len(group), width) for group in groups)
        self.projects = nn.ModuleList(nn.Conv2d(width, len(rest), 1) for rest in self.rests)

    def _features(self, x: Tensor) -> list[Tensor]:
        return [half(x[:, group]) for half, group in zip(self.halves, self.groups, strict=True)]

    def forward(self, x: Tensor) -> list[Tensor]:
        """Predicts, for each part, the channels that it does not see.

        Args:
            x: `(N, C, H, W)`, each channel with a standard deviation of about 1; H and W are multiples of 8.

        Returns:
            `(N, C_rest, H / 4, W / 4)` for each part.
        """
        return [project(features) for project, features in zip(self.projects, self._features(x), strict=True)]

    def loss(self, x: Tensor) -> Tensor:
        """Computes the sum of the mean squared errors of all parts at 1/4 size; for `x` see `forward`."""
        small = F.avg_pool2d(x, 4)
        parts = [F.mse_loss(found, small[:, rest]) for found, rest in zip(self(x), self.rests, strict=True)]
        return torch.stack(parts).sum()

    def extract_features(self, x: Tensor) -> Tensor:
        """Computes all features, concatenated: `(N, groups · width, H / 4, W / 4)`; for `x` see `forward`."""
        return torch.cat(self._features(x), dim=1)


@register_model(SplitBrain_Weights)
def splitbrain(
    *,
    weights: WeightsArgument = None,
    progress: bool = True,
    width: int | None = None,
    loss: Literal["classification", "regression"] | None = None,
    bins: int | None = None,
    size: int | None = None,
) -> SplitBrainModel:
    """Builds `splitbrain`: one half predicts ab from L and colorizes, the other predicts L from ab.

    Args:
        weights: a `SplitBrain_Weights` member, its name, `"DEFAULT"`, or the path of a weights file, which then
            determines the network; `None` builds an untrained one.
        progress: show a progress bar while downloading weights.
        width: channels of each half at 1/8 size, 176 if not given.
        loss: loss of an untrained model, "classification" (if not given) or "regression".
        bins: number of color bins of the classification; all bins of the sRGB gamut if not given.
        size: working size in pixels, 192 if not given.

    Returns:
        The model, in evaluation mode if it has weights.

    Raises:
        ConfigError: a name is unknown, or a keyword contradicts the weights file.
        WeightsError: the file is missing, damaged, or does not fit.

    Example:
        >>> import torch
        >>> splitbrain(width=16).colorize(torch.rand(1, 1, 37, 50)).shape
        torch.Size([1, 3, 37, 50])
    """
    if loss is not None and loss not in _HEADS:
        raise ConfigError(f"loss must be {' or '.join(map(repr, _HEADS))}, not {loss!r}")
    if loss == "regression" and bins is not None:
        raise ConfigError(f"bins={bins} requires loss='classification'; the regression has no bins")
    model = assemble(
        "splitbrain",
        SplitBrain,
        _HEADS[loss or "classification"],
        weights,
        network={"width": width},
        head={"bins": bins},
        size=size,
        progress=progress,
        model_type=SplitBrainModel,
    )
    if loss is not None and not isinstance(model.head, _HEADS[loss]):
        raise ConfigError(f"loss={loss!r} contradicts the weights, which contain a {type(model.head).__name__}")
    return model
