"""`unet`: an ImageNet encoder and a U-Net decoder that predict a distribution over colors at 1/4 size.

Sources: Ronneberger et al. 2015 (U-Net); Tan, Le 2019 (EfficientNet; Lite0 is its variant for mobile CPUs); Zhang et
al. 2016 (the distribution over colors).
"""

from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.errors import ConfigError
from artcolor.models.distribution import DistributionModel
from artcolor.models.efficientnet import DropPath, EfficientNetLite0
from artcolor.models.guidance import Guidance
from artcolor.models.heads import DistributionHead
from artcolor.models.lite0 import lite0_state
from artcolor.models.network import Network
from artcolor.models.registry import WeightsArgument, WeightsEnum, assemble, register_model

__all__ = ["UNet", "UNet_Weights", "unet"]


class UNet_Weights(WeightsEnum):
    """Released weights of `unet`."""

    ART_V6 = "unet.art_v6"
    DEFAULT = ART_V6


_STEM = "conv_stem.weight"
_FROZEN_STAGES = 2


def _identity(stage: int, features: Tensor) -> Tensor:
    return features


class UNet(Network):
    """EfficientNet-Lite0 with a U-Net decoder: skip connections at 1/4, 1/8 and 1/16 size, and a global term.

    The stem and the first two stages are frozen: low-level features of photographs suit paintings, too. The encoder's
    BatchNorms stay in evaluation mode because batches are small.

    Args:
        width: channels of the decoder at 1/4 size; deeper stages have more.
        imagenet: initialize the encoder from ImageNet weights (needs the extra `train`) instead of at random.
        dropout: probability, 0 or more and below 1, of dropping a channel of the encoder at 1/32 size in training
            (Tompson et al. 2015), and of skipping its last block; earlier blocks are skipped less often (stochastic
            depth: Huang et al. 2016).

    Attributes:
        stages: channels of the decoder's four stages, coarsest first.

    Raises:
        ConfigError: `dropout` is out of range.

    Example:
        >>> import torch
        >>> UNet(width=16)(torch.rand(1, 1, 64, 96) * 100).shape
        torch.Size([1, 16, 16, 24])
    """

    stride = 32
    out_stride = 4
    pretrained = ("encoder",)
    feature_channels = EfficientNetLite0.feature_channels
    feature_strides = (4, 8, 16, 32)

    def __init__(self, width: int = 96, *, imagenet: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ConfigError(f"dropout must be at least 0 and below 1, not {dropout}")
        self.channels, self.dropout = width, dropout
        # Initialization and dropout do not matter once a weights file is loaded.
        self.config = {"width": width}
        self.encoder = EfficientNetLite0(1, drop_path=dropout)
        if imagenet:
            state = lite0_state()
            # A gray pixel has three equal channels, so one kernel can be the sum of theirs.
            state[_STEM] = state[_STEM].sum(dim=1, keepdim=True)
            self.encoder.load_state_dict({name: state[name] for name in self.encoder.state_dict()})
        for part in (self.encoder.conv_stem, self.encoder.bn1, *self.encoder.blocks[:_FROZEN_STAGES]):
            part.requires_grad_(False)
        quarter, eighth, sixteenth, deepest = self.encoder.feature_channels
        c16, c8 = 2 * width, width * 4 // 3
        self.stages = (c16, c16, c8, width)
        self.bottom = nn.Conv2d(deepest, c16, 1)
        self.whole = nn.Linear(deepest, c16)
        self.up16 = _Up(c16, sixteenth, c16)
        self.up8 = _Up(c16, eighth, c8)
        self.up4 = _Up(c8, quarter, width)

    def train(self, mode: bool = True) -> Self:
        """Sets training or evaluation `mode`; except for dropout, the encoder stays in evaluation mode."""
        super().train(mode)
        self.encoder.eval()
        for module in self.encoder.blocks[_FROZEN_STAGES:].modules():
            if isinstance(module, DropPath):
                module.train(mode)
        return self

    def forward(self, lightness: Tensor) -> Tensor:
        """Computes features `(N, width, H / 4, W / 4)` from L, `lightness`, `(N, 1, H, W)` in 0..100."""
        return self.decode(self.encode(lightness))

    def encode(self, lightness: Tensor) -> list[Tensor]:
        """Computes the encoder's features at 1/4, 1/8, 1/16 and 1/32 size from L, `lightness`, `(N, 1, H, W)`."""
        *skips, deepest = self.encoder((lightness * 2.55 - 127) / 128)
        return [*skips, F.dropout2d(deepest, self.dropout, self.training)]

    features = encode

    def decode(self, features: list[Tensor], modulate: Callable[[int, Tensor], Tensor] = _identity) -> Tensor:
        """Decodes the encoder's features.

        Args:
            features: the encoder's features, from `encode`.
            modulate: maps the number of a stage (0..3, coarsest first) and its features to what the decoder continues
                with.

        Returns:
            `(N, width, H / 4, W / 4)`.
        """
        f4, f8, f16, f32 = features
        x = self.bottom(f32) + self.whole(f32.mean(dim=(2, 3)))[:, :, None, None]
        x = self.up16(F.relu(modulate(0, x)), f16)
        x = self.up8(modulate(1, x), f8)
        x = self.up4(modulate(2, x), f4)
        return modulate(3, x)


class UNetModel(DistributionModel):
    """A U-Net with a head; its kernel uses the features of the decoder, and those of the encoder at 1/32 size."""

    network: UNet

    def _encode(self, lightness: Tensor) -> list[Tensor]:
        stages: dict[int, Tensor] = {}
        features = self.network.encode(lightness)
        finest = self.network.decode(features, stages.setdefault)
        return [finest, stages[2], stages[1], features[-1]]

    def _complete(self, lightness: Tensor, encoded: list[Tensor], guidance: Guidance) -> Tensor:
        raw: Tensor = self.head(encoded[0], lightness)
        return raw

    def kernel_features(self, encoded: list[Tensor]) -> Sequence[Tensor]:
        """Returns all kept features."""
        return encoded


class _Up(nn.Module):
    """Upsamples by 2, concatenates a skip connection, and applies two convolutions."""

    def __init__(self, channels: int, skip: int, out: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels + skip, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
            nn.Conv2d(out, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        larger = F.interpolate(x, scale_factor=2, mode="bilinear")
        joined: Tensor = self.layers(torch.cat((larger, skip), dim=1))
        return joined


@register_model(UNet_Weights)
def unet(
    *,
    weights: WeightsArgument = None,
    progress: bool = True,
    width: int | None = None,
    imagenet: bool | None = None,
    dropout: float | None = None,
    bins: int | None = None,
    accuracy: float | None = None,
    sigma: float | None = None,
    size: int | None = None,
) -> UNetModel:
    """Builds `unet`: EfficientNet-Lite0 encoder, U-Net decoder, and a distribution over colors at 1/4 size.

    Args:
        weights: a `UNet_Weights` member, its name, `"DEFAULT"`, or the path of a weights file, which then
            determines the network; `None` builds an untrained one.
        progress: show a progress bar while downloading weights.
        width: channels of the decoder at 1/4 size, 96 if not given.
        imagenet: initialize the encoder of an untrained network from ImageNet weights (needs the extra `train`).
        dropout: probability of dropping channels and blocks of the encoder in training, 0 if not given; see `UNet`.
        bins: number of color bins; all bins of the sRGB gamut if not given.
        accuracy: weight of the error of the mean color in the loss, 0 if not given; see `DistributionHead`.
        sigma: σ of the soft encoding of the true colors, in Lab units, 5 if not given; see
            `DistributionHead`.
        size: working size in pixels, 192 if not given.

    Returns:
        The model, in evaluation mode if it has weights.

    Raises:
        ConfigError: a name is unknown, or a keyword contradicts the weights file.
        WeightsError: the file is missing, damaged, or does not fit.

    Example:
        >>> import artcolor, torch
        >>> artcolor.unet(weights="DEFAULT").colorize(torch.rand(1, 1, 37, 50)).shape
        torch.Size([1, 3, 37, 50])
    """
    return assemble(
        "unet",
        UNet,
        DistributionHead,
        weights,
        network={"width": width, "imagenet": imagenet, "dropout": dropout},
        head={"bins": bins, "accuracy": accuracy, "sigma": sigma},
        size=size,
        model_type=UNetModel,
        progress=progress,
    )
