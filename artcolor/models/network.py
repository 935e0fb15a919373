"""The base class of networks: they compute features from lightness."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.errors import ImageError

__all__ = ["Network", "check_lightness"]


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

    def check_size(self, lightness: Tensor, advice: str = "") -> None:
        """Checks type, shape and size of L; does nothing while the network is compiled, exported or traced.

        Args:
            lightness: the input of the network.
            advice: end of the message about a wrong size.

        Raises:
            ImageError: it is not `(N, 1, H, W)`, or a side is not a multiple of `stride`, or not `fixed_size`.
        """
        if torch.compiler.is_compiling() or torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
            return
        check_lightness(lightness)
        height, width = lightness.shape[-2:]
        wanted = ""
        if self.fixed_size is not None and (height, width) != (self.fixed_size, self.fixed_size):
            wanted = f"must have {self.fixed_size} × {self.fixed_size}"
        elif height % self.stride or width % self.stride:
            wanted = f"both sides must be multiples of {self.stride}"
        if wanted:
            raise ImageError(f"L has {height} × {width} pixels, but {wanted}{advice}")

    def padded(self, lightness: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Pads or letterboxes L of any size to a size that the network supports.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.

        Returns:
            L of a supported size, and height and width of the picture within it.
        """
        height, width = lightness.shape[-2:]
        below, beside = -height % self.stride, -width % self.stride
        if self.fixed_size is not None:
            scale = self.fixed_size / max(height, width)
            height, width = max(1, round(height * scale)), max(1, round(width * scale))
            lightness = F.interpolate(lightness, (height, width), mode="bilinear", antialias=True)
            below, beside = self.fixed_size - height, self.fixed_size - width
        return F.pad(lightness, (0, beside, 0, below), mode="replicate"), (height, width)


def check_lightness(lightness: object) -> None:
    """Checks type and shape of L.

    Args:
        lightness: L of a batch.

    Raises:
        ImageError: it is not a floating-point tensor `(N, 1, H, W)`.
    """
    if not isinstance(lightness, Tensor):
        raise ImageError(
            f"L must be a tensor (N, 1, H, W), not {type(lightness).__name__}; "
            "model.transforms() creates it from a picture"
        )
    shape = tuple(lightness.shape)
    if len(shape) != 4 or shape[1] != 1 or 0 in shape:
        raise ImageError(
            f"L has shape {shape}, but must be (N, 1, H, W); model.transforms() makes (1, H, W) of a picture, and "
            "[None] makes a batch of it"
        )
    if not lightness.is_floating_point():
        raise ImageError(f"L holds {lightness.dtype}, but must be floating point in 0..100")
