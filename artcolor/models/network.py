"""The base class of networks: they compute features from lightness."""

from typing import Any

from torch import Tensor, nn

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
    """

    size: int = 192
    fixed_size: int | None = None
    channels: int
    stride: int
    out_stride: int
    config: dict[str, Any]
    pretrained: tuple[str, ...] = ()

    def forward(self, lightness: Tensor) -> Tensor:
        """Computes features.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100; H and W are multiples of `stride`.

        Returns:
            `(N, channels, H / out_stride, W / out_stride)`.
        """
        raise NotImplementedError
