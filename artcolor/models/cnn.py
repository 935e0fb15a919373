"""`cnn`: the student report's six convolutions and three BatchNorms, with a distribution over colors as output."""

from torch import Tensor

from artcolor.models.distribution import DistributionModel
from artcolor.models.heads import DistributionHead
from artcolor.models.layers import dilated_trunk
from artcolor.models.network import Network
from artcolor.models.registry import WeightsArgument, WeightsEnum, assemble, register_model

__all__ = ["CNN", "CNN_Weights", "cnn"]


class CNN_Weights(WeightsEnum):
    """Released weights of `cnn`."""

    ART_V1 = "cnn.art_v1"
    DEFAULT = ART_V1


class CNN(Network):
    """Five convolutions (see `dilated_trunk`); the head adds the sixth.

    Args:
        width: channels at 1/8 size; the earlier layers have a quarter and a half of it.

    Example:
        >>> import torch
        >>> CNN(width=16)(torch.rand(1, 1, 32, 32) * 100).shape
        torch.Size([1, 16, 8, 8])
    """

    stride = 8
    out_stride = 4

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.channels = width
        self.config = {"width": width}
        self.layers = dilated_trunk(1, width)

    def forward(self, lightness: Tensor) -> Tensor:
        """Computes features `(N, width, H / 4, W / 4)` from L, `lightness`, `(N, 1, H, W)` in 0..100."""
        features: Tensor = self.layers(lightness / 50 - 1)
        return features


@register_model(CNN_Weights)
def cnn(
    *,
    weights: WeightsArgument = None,
    progress: bool = True,
    width: int | None = None,
    bins: int | None = None,
    size: int | None = None,
) -> DistributionModel:
    """Builds `cnn`: six convolutions and three BatchNorms, with a distribution over colors at 1/4 size.

    Args:
        weights: a `CNN_Weights` member, its name, `"DEFAULT"`, or the path of a weights file, which then
            determines the network; `None` builds an untrained one.
        progress: show a progress bar while downloading weights.
        width: channels at 1/8 size, 256 if not given.
        bins: number of color bins; all bins of the sRGB gamut if not given.
        size: working size in pixels, 192 if not given.

    Returns:
        The model, in evaluation mode if it has weights.

    Raises:
        ConfigError: a name is unknown, or a keyword contradicts the weights file.
        WeightsError: the file is missing, damaged, or does not fit.

    Example:
        >>> import artcolor, torch
        >>> model = artcolor.cnn(weights="DEFAULT")
        >>> model.colorize(torch.rand(1, 1, 37, 50)).shape
        torch.Size([1, 3, 37, 50])
    """
    return assemble(
        "cnn",
        CNN,
        DistributionHead,
        weights,
        network={"width": width},
        head={"bins": bins},
        size=size,
        model_type=DistributionModel,
        progress=progress,
    )
