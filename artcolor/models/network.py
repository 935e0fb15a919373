"""The base class of networks: they compute features from lightness."""

from typing import Any

import torch
from torch import Tensor, nn

from artcolor.errors import ImageError

__all__ = ["Network"]


class Network(nn.Module):
    """Computes features from lightness. The network normalizes its input itself.

    Attributes:
        channels: channels of the features.
        stride: height and width of the input must be multiples of this.
        out_stride: input pixels per feature pixel, along each side.
        config: the keywords that rebuild this network.
        pretrained: names of submodules with pretrained weights; training uses a lower learning rate for them.
        size: recommended working size in pixels; see `artcolor.color.planes.working_size`.
        fixed_size: side in pixels of the only square input that the network supports, into which pictures are
            letterboxed; `None` if it supports any size.
        feature_channels: channels of each of the encoder's `features`; empty if there is no encoder.
        feature_strides: input pixels per pixel of each of the encoder's `features`; empty if there is no encoder.
    """

    size: int = 192
    fixed_size: int | None = None
    channels: int
    stride: int
    out_stride: int
    config: dict[str, Any]
    pretrained: tuple[str, ...] = ()
    feature_channels: tuple[int, ...] = ()
    feature_strides: tuple[int, ...] = ()

    def forward(self, lightness: Tensor) -> Tensor:
        """Computes features.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100; H and W are multiples of `stride`.

        Returns:
            `(N, channels, H / out_stride, W / out_stride)`.
        """
        raise NotImplementedError

    def features(self, lightness: Tensor) -> list[Tensor]:
        """Computes the features of the submodule `encoder`, which networks with `feature_strides` have.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100; H and W are multiples of `stride`.

        Returns:
            Features at several sizes, finest first.
        """
        raise NotImplementedError

    def check_input(self, lightness: Tensor) -> None:
        """Checks the shape of L; does nothing while the network is compiled or exported.

        Args:
            lightness: what the network is to be called with.

        Raises:
            ImageError: it is not `(N, 1, H, W)`, or a side is not a multiple of `stride`, or not `fixed_size`.
        """
        if torch.compiler.is_compiling():
            return
        shape = tuple(lightness.shape)
        if len(shape) != 4 or shape[1] != 1 or 0 in shape:
            raise ImageError(
                f"L has shape {shape}, but must be (N, 1, H, W); model.transforms() makes (1, H, W) of a picture, "
                "and [None] makes a batch of it"
            )
        height, width = shape[-2:]
        advice = "model.predict and model.predict_ab accept any size"
        if self.fixed_size is not None and (height, width) != (self.fixed_size, self.fixed_size):
            raise ImageError(
                f"L has {height} × {width} pixels, but must have {self.fixed_size} × {self.fixed_size}; {advice}"
            )
        if height % self.stride or width % self.stride:
            raise ImageError(
                f"L has {height} × {width} pixels, but both sides must be multiples of {self.stride}; {advice}"
            )
