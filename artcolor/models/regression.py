"""Heads that predict values rather than a distribution over them."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.color.lab import lab_to_rgb, rgb_to_lab
from artcolor.errors import ConfigError
from artcolor.models.guidance import Decoding
from artcolor.models.heads import Head

Penalty = Literal["l2", "huber"]

_PENALTIES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l2": F.mse_loss, "huber": F.smooth_l1_loss}
# About the standard deviation of ab, and of L, in paintings: raw outputs are then about 1.
_AB_SCALE = 20.0
_L_SCALE = 20.0
_L_MIDDLE = 50.0


class RGBHead(Head):
    """Predicts an RGB picture and is trained by its squared error, as most first attempts do.

    The mean of all plausible colors minimizes that error, and it is brown. Heads of this kind are in the zoo to
    show it.

    Args:
        channels: of the features that come in.
        kernel: side of the last convolution's kernel; 0 takes the features, which then have 3 channels, as they are.

    Raises:
        ConfigError: `kernel` is 0 and there are not 3 channels.

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
            raise ConfigError(f"without a convolution of its own, RGBHead takes 3 channels, not {channels}")
        self.kernel = kernel
        self.project = nn.Conv2d(channels, 3, kernel, padding=kernel // 2) if kernel else nn.Identity()

    @property
    def config(self) -> dict[str, Any]:
        """The kernel's side."""
        return {"kernel": self.kernel}

    def forward(self, features: Tensor, lightness: Tensor) -> Tensor:
        """Gives `(N, 3, h, w)`, which a sigmoid turns into RGB, from features `(N, channels, h, w)`."""
        raw: Tensor = self.project(features)
        return raw

    def to_rgb(self, raw: Tensor) -> Tensor:
        """The predicted picture, with a lightness of its own: `(N, 3, h, w)`, sRGB in 0..1."""
        return torch.sigmoid(raw.float())

    def loss(self, raw: Tensor, lightness: Tensor, ab: Tensor) -> dict[str, Tensor]:
        """Mean squared error in RGB at the output's resolution."""
        truth = lab_to_rgb(torch.cat((lightness, ab), dim=1)).clamp(0, 1)
        return {"loss": F.mse_loss(self.to_rgb(raw), F.interpolate(truth, raw.shape[-2:], mode="area"))}

    def chroma(self, raw: Tensor, lightness: Tensor, decoding: Decoding) -> Tensor:
        """The chroma of the predicted picture."""
        _refuse(self, decoding)
        return rgb_to_lab(self.to_rgb(raw))[:, 1:]


class ChromaHead(Head):
    """Predicts ab itself, the regression of Zhang et al. 2017 (3.1) from L.

    Args:
        channels: of the features that come in.
        penalty: `"l2"`, or `"huber"`, which forgives large errors.

    Raises:
        ConfigError: another penalty.

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
        """The penalty."""
        return {"penalty": self.penalty}

    def forward(self, features: Tensor, lightness: Tensor) -> Tensor:
        """Gives ab in units of about their own deviation, `(N, 2, h, w)`, from features `(N, channels, h, w)`."""
        raw: Tensor = self.project(features)
        return raw

    def loss(self, raw: Tensor, lightness: Tensor, ab: Tensor) -> dict[str, Tensor]:
        """The penalty at the output's resolution."""
        truth = F.interpolate(ab, raw.shape[-2:], mode="area") / _AB_SCALE
        return {"loss": _PENALTIES[self.penalty](raw.float(), truth)}

    def chroma(self, raw: Tensor, lightness: Tensor, decoding: Decoding) -> Tensor:
        """The predicted chroma."""
        _refuse(self, decoding)
        return raw.float() * _AB_SCALE


class LightnessHead(Head):
    """Predicts L, for networks that look at color: the other half of a split brain (Zhang et al. 2017).

    Args:
        channels: of the features that come in.
        bins: how many equal bins L is classified into; `None` regresses it.
        penalty: of the regression, `"l2"` or `"huber"`.

    Raises:
        ConfigError: another penalty, or fewer than 2 bins.

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
        """Bins and penalty."""
        return {"bins": self.bins, "penalty": self.penalty}

    def forward(self, features: Tensor, lightness: Tensor) -> Tensor:
        """Gives logits `(N, bins, h, w)`, or scaled L `(N, 1, h, w)`, from features `(N, channels, h, w)`."""
        raw: Tensor = self.project(features)
        return raw

    def loss(self, raw: Tensor, lightness: Tensor, ab: Tensor) -> dict[str, Tensor]:
        """Cross-entropy in nats per pixel, or the penalty, at the output's resolution."""
        truth = F.interpolate(lightness, raw.shape[-2:], mode="area")
        if self.bins is None:
            return {"loss": _PENALTIES[self.penalty](raw.float(), (truth - _L_MIDDLE) / _L_SCALE)}
        index = (truth.squeeze(1) * self.bins / 100).long().clamp(0, self.bins - 1)
        return {"loss": F.cross_entropy(raw.float(), index)}

    def to_lightness(self, raw: Tensor) -> Tensor:
        """The predicted (mean) lightness: `(N, 1, h, w)`, L in 0..100."""
        if self.bins is None:
            return raw.float() * _L_SCALE + _L_MIDDLE
        middles = (torch.arange(self.bins, device=raw.device) + 0.5) * 100 / self.bins
        return torch.einsum("nqhw,q->nhw", torch.softmax(raw.float(), dim=1), middles)[:, None]

    def chroma(self, raw: Tensor, lightness: Tensor, decoding: Decoding) -> Tensor:
        """A lightness has no chroma: always a `ConfigError`."""
        raise ConfigError("LightnessHead predicts lightness, not chroma; see to_lightness")


def _checked(penalty: Penalty) -> Penalty:
    if penalty not in _PENALTIES:
        raise ConfigError(f"penalty is {' or '.join(map(repr, _PENALTIES))}, not {penalty!r}")
    return penalty


def _refuse(head: Head, decoding: Decoding) -> None:
    for name in ("temperature", "vividness"):
        if getattr(decoding, name) is not None:
            raise ConfigError(
                f"{name} has no effect on a {type(head).__name__}, which predicts a single color per pixel"
            )
