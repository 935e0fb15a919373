"""`ae`: the student report's autoencoder, with a distribution over colors as output.

The report's decoder upsamples to full size. This one stops at 1/4 size: chroma is upsampled bicubically and joined with
the lightness of the input.
"""

from torch import Tensor, nn

from artcolor.models.distribution import DistributionModel
from artcolor.models.heads import DistributionHead
from artcolor.models.layers import stages
from artcolor.models.network import Network
from artcolor.models.registry import WeightsArgument, WeightsEnum, assemble, register_model

__all__ = ["AE", "AE_Weights", "ae"]


class AE_Weights(WeightsEnum):
    """Released weights of `ae`."""

    ART_V2 = "ae.art_v2"
    DEFAULT = ART_V2


class AE(Network):
    """Eight convolutions down to 1/16 size and two transposed convolutions up to 1/4; the head adds the last one.

    As in the report, there are no skip connections. Two of the eight convolutions are dilated, so the receptive field
    covers a picture of 192 px.

    Args:
        width: channels at 1/16 size; earlier layers have fewer.

    Example:
        >>> import torch
        >>> AE(width=48)(torch.rand(1, 1, 32, 48) * 100).shape
        torch.Size([1, 16, 8, 12])
    """

    stride = 16
    out_stride = 4
    feature_strides = (2, 4, 8, 16)

    def __init__(self, width: int = 384) -> None:
        super().__init__()
        self.config = {"width": width}
        c2, c4, c8 = width // 6, width // 3, width * 2 // 3
        self.channels = c4
        self.feature_channels = (c2, c4, c8, width)
        self.encoder = nn.Sequential(
            *_convolution(1, c2, stride=2),
            *_convolution(c2, c2),
            *_convolution(c2, c4, stride=2),
            *_convolution(c4, c4),
            *_convolution(c4, c8, stride=2),
            *_convolution(c8, c8, dilation=2),
            *_convolution(c8, width, stride=2),
            *_convolution(width, width, dilation=4),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(width, c8, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(c8),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(c8, c4, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(c4),
            nn.ReLU(inplace=True),
        )

    def forward(self, lightness: Tensor) -> Tensor:
        """Computes features `(N, width / 3, H / 4, W / 4)` from L, `lightness`, `(N, 1, H, W)` in 0..100."""
        features: Tensor = self.decoder(self.encoder(lightness / 50 - 1))
        return features

    def features(self, lightness: Tensor) -> list[Tensor]:
        """Computes the encoder's features at 1/2, 1/4, 1/8 and 1/16 size from L, `lightness`, `(N, 1, H, W)`."""
        return stages(self.encoder, lightness / 50 - 1, length=6)


def _convolution(before: int, after: int, *, stride: int = 1, dilation: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, 3, stride=stride, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    ]


@register_model(AE_Weights)
def ae(
    *,
    weights: WeightsArgument = None,
    progress: bool = True,
    width: int | None = None,
    bins: int | None = None,
    size: int | None = None,
) -> DistributionModel:
    """Builds `ae`: an autoencoder without skip connections, with a distribution over colors at 1/4 size.

    Args:
        weights: an `AE_Weights` member, its name, `"DEFAULT"`, or the path of a weights file, which then
            determines the network; `None` builds an untrained one.
        progress: show a progress bar while downloading weights.
        width: channels at 1/16 size, 384 if not given.
        bins: number of color bins; all bins of the sRGB gamut if not given.
        size: working size in pixels, 192 if not given.

    Returns:
        The model, in evaluation mode if it has weights.

    Raises:
        ConfigError: a name is unknown, or a keyword contradicts the weights file.
        WeightsError: the file is missing, damaged, or does not fit.

    Example:
        >>> import torch
        >>> ae(width=48).colorize(torch.rand(1, 1, 37, 50)).shape
        torch.Size([1, 3, 37, 50])
    """
    return assemble(
        "ae",
        AE,
        DistributionHead,
        weights,
        network={"width": width},
        head={"bins": bins},
        size=size,
        model_type=DistributionModel,
        progress=progress,
    )
