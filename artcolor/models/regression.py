"""Heads that predict values instead of a distribution over them."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.color.lab import lab_to_rgb, rgb_to_lab
from artcolor.errors import ConfigError
from artcolor.models.guidance import Decoding
from artcolor.models.heads import Head

__all__ = ["ChromaHead", "LightnessHead", "RGBHead"]

Penalty = Literal["l2", "huber"]

_PENALTIES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l2": F.mse_loss, "huber": F.smooth_l1_loss}
# About the standard deviations of ab and L in paintings, so raw outputs have about unit variance.
_AB_SCALE = 20.0
_L_SCALE = 20.0
_L_MIDDLE = 50.0


class RGBHead(Head):
    """Predicts an RGB picture, trained with its squared error: the common baseline.

    The mean of all plausible colors, a brown, minimizes that error. The zoo contains models with this head to
    demonstrate it.

    Args:
        channels: channels of the features.
        kernel: kernel size of the last convolution; 0 adds no convolution and uses the features, which must have 3
            channels, as logits.

    Raises:
        ConfigError: `kernel` is 0 and `channels` is not 3.

    Example:
        >>> import torch
        >>> head = RGBHead(8)
        >>> light = torch.full((1, 1, 16, 16), 50.0)
        >>> head.to_rgb(head(torch.rand(1, 8, 16, 16), light)).shape
        torch.Size([1, 3, 16, 16])
    """

    def __init__(self, channels: int, *, kernel: int = 1) -> None:
        super().__init__()
        if kernel == 0 and channels != 3:
            raise ConfigError(f"RGBHead with kernel=0 takes 3 channels, not {channels}; give a kernel of 1 or more")
        self.kernel = kernel
        self.project = nn.Conv2d(channels, 3, kernel, padding=kernel // 2) if kernel else nn.Identity()

    @property
    def config(self) -> dict[str, Any]:
        """The kernel size."""
        return {"kernel": self.kernel}

    def forward(self, features: Tensor, lightness: Tensor) -> Tensor:
        """Computes the logits of RGB, `(N, 3, h, w)`, from `features` `(N, channels, h, w)`; `lightness` is unused."""
        raw: Tensor = self.project(features)
        return raw

    def to_rgb(self, raw: Tensor) -> Tensor:
        """Computes the predicted RGB picture, including its lightness: `(N, 3, h, w)`, sRGB in 0..1."""
        return torch.sigmoid(raw.float())

    def loss(self, raw: Tensor, lightness: Tensor, ab: Tensor) -> dict[str, Tensor]:
        """Computes the mean squared error in RGB at the output's resolution."""
        truth = lab_to_rgb(torch.cat((lightness, ab), dim=1)).clamp(0, 1)
        return {"loss": F.mse_loss(self.to_rgb(raw), F.interpolate(truth, raw.shape[-2:], mode="area"))}

    def chroma(self, raw: Tensor, lightness: Tensor, decoding: Decoding) -> Tensor:
        """Computes the chroma of the predicted RGB picture."""
        _refuse(self, decoding)
        return rgb_to_lab(self.to_rgb(raw))[:, 1:]


class ChromaHead(Head):
    """Regresses ab from L (Zhang et al. 2017, 3.1).

    Args:
        channels: channels of the features.
        penalty: loss of the regression: `"l2"`, or `"huber"`, which is robust to outliers.

    Raises:
        ConfigError: `penalty` is unknown.

    Example:
        >>> import torch
        >>> ChromaHead(8)(torch.rand(1, 8, 4, 4), torch.full((1, 1, 16, 16), 50.0)).shape
        torch.Size([1, 2, 4, 4])
    """

    def __init__(self, channels: int, *, penalty: Penalty = "l2") -> None:
        super().__init__()
        self.penalty = _checked(penalty)
        self.project = nn.Conv2d(channels, 2, 1)

    @property
    def config(self) -> dict[str, Any]:
        """The loss of the regression."""
        return {"penalty": self.penalty}

    def forward(self, features: Tensor, lightness: Tensor) -> Tensor:
        """Computes scaled ab `(N, 2, h, w)` from `features` `(N, channels, h, w)`; `lightness` is unused."""
        raw: Tensor = self.project(features)
        return raw

    def loss(self, raw: Tensor, lightness: Tensor, ab: Tensor) -> dict[str, Tensor]:
        """Computes the penalty at the output's resolution."""
        truth = F.interpolate(ab, raw.shape[-2:], mode="area") / _AB_SCALE
        return {"loss": _PENALTIES[self.penalty](raw.float(), truth)}

    def chroma(self, raw: Tensor, lightness: Tensor, decoding: Decoding) -> Tensor:
        """Returns the predicted chroma."""
        _refuse(self, decoding)
        return raw.float() * _AB_SCALE


class LightnessHead(Head):
    """Predicts L from features of chroma: the other half of a split-brain autoencoder (Zhang et al. 2017).

    Args:
        channels: channels of the features.
        bins: number of equal bins that L is classified into, at least 2; `None` regresses L.
        penalty: loss of the regression, `"l2"` or `"huber"`.

    Raises:
        ConfigError: `penalty` is unknown, or there are fewer than 2 bins.

    Example:
        >>> import torch
        >>> head = LightnessHead(8, bins=100)
        >>> raw = head(torch.rand(1, 8, 4, 4), torch.full((1, 1, 16, 16), 50.0))
        >>> head.to_lightness(raw).shape
        torch.Size([1, 1, 4, 4])
    """

    def __init__(self, channels: int, *, bins: int | None = None, penalty: Penalty = "l2") -> None:
        super().__init__()
        if bins is not None and bins < 2:
            raise ConfigError(f"L needs at least 2 bins, not {bins}")
        self.bins, self.penalty = bins, _checked(penalty)
        self.project = nn.Conv2d(channels, bins or 1, 1)

    @property
    def config(self) -> dict[str, Any]:
        """The number of bins, and the loss of the regression."""
        return {"bins": self.bins, "penalty": self.penalty}

    def forward(self, features: Tensor, lightness: Tensor) -> Tensor:
        """Computes logits `(N, bins, h, w)` or scaled L `(N, 1, h, w)`.

        Args:
            features: `(N, channels, h, w)`, from the network.
            lightness: unused.

        Returns:
            The raw output.
        """
        raw: Tensor = self.project(features)
        return raw

    def loss(self, raw: Tensor, lightness: Tensor, ab: Tensor) -> dict[str, Tensor]:
        """Computes the cross-entropy in nats per pixel, or the penalty, at the output's resolution."""
        truth = F.interpolate(lightness, raw.shape[-2:], mode="area")
        if self.bins is None:
            return {"loss": _PENALTIES[self.penalty](raw.float(), (truth - _L_MIDDLE) / _L_SCALE)}
        index = (truth.squeeze(1) * self.bins / 100).long().clamp(0, self.bins - 1)
        return {"loss": F.cross_entropy(raw.float(), index)}

    def to_lightness(self, raw: Tensor) -> Tensor:
        """Computes the predicted (mean) lightness from `raw`: `(N, 1, h, w)`, L in 0..100."""
        if self.bins is None:
            return raw.float() * _L_SCALE + _L_MIDDLE
        middles = (torch.arange(self.bins, device=raw.device) + 0.5) * 100 / self.bins
        return torch.einsum("nqhw,q->nhw", torch.softmax(raw.float(), dim=1), middles)[:, None]

    def chroma(self, raw: Tensor, lightness: Tensor, decoding: Decoding) -> Tensor:
        """Raises a `ConfigError`, since lightness has no chroma."""
        raise ConfigError("LightnessHead predicts lightness, not chroma; use to_lightness")


def _checked(penalty: Penalty) -> Penalty:
    if penalty not in _PENALTIES:
        raise ConfigError(f"penalty must be {' or '.join(map(repr, _PENALTIES))}, not {penalty!r}")
    return penalty


def _refuse(head: Head, decoding: Decoding) -> None:
    for name in ("temperature", "vividness"):
        if getattr(decoding, name) is not None:
            raise ConfigError(
                f"{name} has no effect on the head {type(head).__name__}, which predicts a single color per pixel"
            )
