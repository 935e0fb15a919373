"""Encoders as feature extractors for other tasks."""

import copy

from torch import Tensor, nn

from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel
from artcolor.models.pictures import PictureTransform

__all__ = ["FeatureExtractor"]


class FeatureExtractor(nn.Module):
    """The encoder of a model, without decoder and head.

    Args:
        model: the model, which is copied, not changed. What it does not train, such as the first stages of `unet`,
            stays frozen.

    Attributes:
        name: name of the model.
        channels: channels of the features, finest first.
        strides: input pixels per feature pixel along each side, finest first.

    Raises:
        ConfigError: the model's network has no encoder.

    Example:
        >>> import artcolor, torch
        >>> extractor = FeatureExtractor(artcolor.ae(width=48))
        >>> extractor.channels, extractor.strides
        ((8, 16, 32, 48), (2, 4, 8, 16))
        >>> [tuple(each.shape) for each in extractor(torch.rand(1, 1, 32, 48) * 100)]
        [(1, 8, 16, 24), (1, 16, 8, 12), (1, 32, 4, 6), (1, 48, 2, 3)]
    """

    def __init__(self, model: ColorizationModel) -> None:
        super().__init__()
        if not model.network.feature_strides:
            raise ConfigError(
                f"{model.name} has no encoder, so features_only does not work. model.network computes its features at "
                f"1/{model.network.out_stride} size; models with an encoder are ae, ae_report, unet, vae and vae_report"
            )
        self.name, self.size = model.name, model.size
        self.network = copy.deepcopy(model.network)
        self.channels, self.strides = self.network.feature_channels, self.network.feature_strides
        for name in [*self.network._modules, *self.network._buffers]:
            if name != "encoder":
                delattr(self.network, name)
        self.train(model.training)

    def transforms(self, size: int | None = None) -> PictureTransform:
        """Returns the transform from pictures to L, whose sides are multiples of the network's stride.

        Args:
            size: working size in pixels; `None` uses the model's own.
        """
        stride = self.network.stride
        return PictureTransform(size=self.size if size is None else size, stride=stride, out_stride=stride)

    def forward(self, lightness: Tensor) -> list[Tensor]:
        """Computes features.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100; H and W are multiples of the network's stride.

        Returns:
            `(N, channels[i], H / strides[i], W / strides[i])`, finest first.

        Raises:
            ImageError: `lightness` has another type, shape or size.
        """
        self.network.check_size(lightness)
        return self.network.features(lightness)
