"""`cic`: the network of "Colorful Image Colorization" (Zhang, Isola, Efros, ECCV 2016), with fewer channels."""

from collections.abc import Iterable

from torch import Tensor, nn

from artcolor.color.codebook import Codebook
from artcolor.errors import ConfigError
from artcolor.models.distribution import DistributionModel
from artcolor.models.heads import DistributionHead
from artcolor.models.network import Network
from artcolor.models.registry import WeightsArgument, WeightsEnum, assemble, register_model

__all__ = ["CIC", "CIC_Weights", "RebalancedHead", "cic"]


class CIC_Weights(WeightsEnum):
    """Released weights of `cic`."""

    ART_V1 = "cic.art_v1"
    DEFAULT = ART_V1


# Channels of the eight blocks at width 1 (figure 2 and table 4 of the paper).
_CHANNELS = (64, 128, 256, 512, 512, 512, 512, 256)


class CIC(Network):
    """The paper's eight blocks, the fifth and sixth dilated; the head adds the 1 × 1 convolution to the bins.

    All blocks but the last end in a BatchNorm. Blocks one to three end with a stride of 2; block eight starts with a
    transposed convolution.

    Args:
        width: factor on the paper's channels; 1 is the paper's network, with 32 million parameters.

    Raises:
        ConfigError: `width` leaves a layer without channels.

    Example:
        >>> import torch
        >>> CIC(width=0.125)(torch.rand(1, 1, 32, 48) * 100).shape
        torch.Size([1, 32, 8, 12])
    """

    stride = 8
    out_stride = 4

    def __init__(self, width: float = 0.3125) -> None:
        super().__init__()
        channels = [round(full * width) for full in _CHANNELS]
        if min(channels) < 1:
            raise ConfigError(f"width={width} leaves layers of cic without channels; the paper's network has width 1")
        self.config = {"width": width}
        self.channels = channels[-1]
        c1, c2, c3, c4, c5, c6, c7, c8 = channels
        self.layers = nn.Sequential(
            _block(1, c1, 2, downsample=True),
            _block(c1, c2, 2, downsample=True),
            _block(c2, c3, 3, downsample=True),
            _block(c3, c4, 3),
            _block(c4, c5, 3, dilation=2),
            _block(c5, c6, 3, dilation=2),
            _block(c6, c7, 3),
            nn.Sequential(
                nn.ConvTranspose2d(c7, c8, 4, stride=2, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(c8, c8, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(c8, c8, 3, padding=1),
                nn.ReLU(inplace=True),
            ),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, lightness: Tensor) -> Tensor:
        """Computes features `(N, channels, H / 4, W / 4)` from L, `lightness`, `(N, 1, H, W)` in 0..100."""
        features: Tensor = self.layers((lightness - 50) / 100)
        return features


def _block(before: int, after: int, convolutions: int, *, dilation: int = 1, downsample: bool = False) -> nn.Sequential:
    block = nn.Sequential()
    for number in range(convolutions):
        stride = 2 if downsample and number == convolutions - 1 else 1
        block.append(
            nn.Conv2d(before if number == 0 else after, after, 3, stride=stride, padding=dilation, dilation=dilation)
        )
        block.append(nn.ReLU(inplace=True))
    return block.append(nn.BatchNorm2d(after))


class RebalancedHead(DistributionHead):
    """The head of Zhang, Isola, Efros (ECCV 2016) as published.

    It uses all bins that sRGB can reach and adds no prior to the logits. The cross-entropy of each pixel is weighted by
    the class weight of its true bin (2.2). The output is decoded by the annealed mean at T = 0.38 (2.3). By design,
    the predicted distribution is not calibrated.

    Args:
        channels: channels of the features.
        bins: number of color bins Q; `None` uses all bins of the sRGB gamut.
        vividness: default τ in 0..100; τ · log w(bin) is added to the logits. 0 is the paper's decoding.
        temperature: default T in 0.01..1 of the annealed mean; lower sharpens the distribution.
        smoothing: λ in 0..1 of the class weights.

    Example:
        >>> import torch
        >>> head, lightness = RebalancedHead(8), torch.full((1, 1, 16, 16), 50.0)
        >>> head.decode(head(torch.rand(1, 8, 4, 4), lightness), lightness).shape
        torch.Size([1, 2, 4, 4])
    """

    def __init__(
        self,
        channels: int,
        *,
        bins: int | None = None,
        vividness: float = 0.0,
        temperature: float = 0.38,
        smoothing: float = 0.5,
    ) -> None:
        super().__init__(channels, bins=bins, vividness=vividness, temperature=temperature, smoothing=smoothing)

    def _codebook_of(self, pictures: Iterable[tuple[Tensor, Tensor]]) -> Codebook:
        return Codebook.fit(pictures, centers=self.codebook.centers)

    def forward(self, features: Tensor, lightness: Tensor) -> Tensor:
        """Computes logits `(N, Q, h, w)` from `features` `(N, channels, h, w)`; `lightness` is unused."""
        logits: Tensor = self.project(features)
        return logits.float()

    def _pixel_weight(self, index: Tensor) -> Tensor | None:
        # The nearest bin comes first.
        weight: Tensor = self.codebook.class_weights(self.smoothing)[index[..., 0]]
        return weight


@register_model(CIC_Weights)
def cic(
    *,
    weights: WeightsArgument = None,
    progress: bool = True,
    width: float | None = None,
    bins: int | None = None,
    size: int | None = None,
) -> DistributionModel:
    """Builds `cic`: the method of Zhang et al. 2016, with the paper's head and loss (`RebalancedHead`).

    Args:
        weights: a `CIC_Weights` member, its name, `"DEFAULT"`, or the path of a weights file, which then
            determines the network; `None` builds an untrained one.
        progress: show a progress bar while downloading weights.
        width: factor on the paper's channels, 0.3125 if not given; 1 is the paper's network.
        bins: number of color bins; all bins of the sRGB gamut if not given.
        size: working size in pixels, 192 if not given.

    Returns:
        The model, in evaluation mode if it has weights.

    Raises:
        ConfigError: a name is unknown, or a keyword contradicts the weights file.
        WeightsError: the file is missing, damaged, or does not fit.

    Example:
        >>> import torch
        >>> cic(width=0.125).colorize(torch.rand(1, 1, 37, 50)).shape
        torch.Size([1, 3, 37, 50])
    """
    return assemble(
        "cic",
        CIC,
        RebalancedHead,
        weights,
        network={"width": width},
        head={"bins": bins},
        size=size,
        model_type=DistributionModel,
        progress=progress,
    )
