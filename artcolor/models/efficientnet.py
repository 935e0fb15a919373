"""EfficientNet-Lite0 in plain PyTorch, with the parameter names of timm's `tf_efficientnet_lite0`.

Sources: Tan, Le 2019 (EfficientNet); Sandler et al. 2018 (inverted residuals); Huang et al. 2016 (stochastic depth).
Lite0 is the variant for mobile CPUs, without squeeze-and-excitation and with ReLU6.
"""

import math
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["DropPath", "EfficientNetLite0"]

_EPSILON = 1e-3
_STEM, _HEAD, _CLASSES = 32, 1280, 1000


@dataclass(frozen=True)
class _Stage:
    blocks: int
    channels: int
    expansion: int
    kernel: int
    stride: int


_STAGES = (
    _Stage(1, 16, 1, 3, 1),
    _Stage(2, 24, 6, 3, 2),
    _Stage(2, 40, 6, 5, 2),
    _Stage(3, 80, 6, 3, 2),
    _Stage(3, 112, 6, 5, 1),
    _Stage(4, 192, 6, 5, 2),
    _Stage(1, 320, 6, 3, 1),
)
# The last stages at 1/4, 1/8, 1/16 and 1/32 size.
_OUTPUTS = (1, 2, 4, 6)


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0.

    Args:
        channels: channels of the input.
        drop_path: probability of skipping the last block in training, 0 or more and below 1; earlier blocks are skipped
            less often.
        head: also build the layers that classify the 1,000 classes of ImageNet.

    Attributes:
        feature_channels: channels of the features at 1/4, 1/8, 1/16 and 1/32 size.

    Example:
        >>> import torch
        >>> [tuple(each.shape) for each in EfficientNetLite0(1)(torch.rand(1, 1, 64, 96))]
        [(1, 24, 16, 24), (1, 40, 8, 12), (1, 112, 4, 6), (1, 320, 2, 3)]
    """

    feature_channels = tuple(_STAGES[number].channels for number in _OUTPUTS)

    def __init__(self, channels: int = 3, *, drop_path: float = 0.0, head: bool = False) -> None:
        super().__init__()
        self.conv_stem = _SameConv2d(channels, _STEM, 3, stride=2)
        self.bn1 = _NormReLU6(_STEM)
        total, number, before = sum(stage.blocks for stage in _STAGES), 0, _STEM
        stages = []
        for stage in _STAGES:
            blocks: list[nn.Module] = []
            for index in range(stage.blocks):
                stride, rate = stage.stride if index == 0 else 1, drop_path * number / total
                blocks.append(
                    _Separable(before, stage.channels, stage.kernel)
                    if stage.expansion == 1
                    else _InvertedResidual(before, stage, stride, rate)
                )
                before, number = stage.channels, number + 1
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        if head:
            self.conv_head = nn.Conv2d(before, _HEAD, 1, bias=False)
            self.bn2 = _NormReLU6(_HEAD)
            self.classifier = nn.Linear(_HEAD, _CLASSES)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
                nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Computes features at 1/4, 1/8, 1/16 and 1/32 size from pictures `x`, `(N, channels, H, W)` in -1..1."""
        x = self.bn1(self.conv_stem(x))
        found = []
        for number, stage in enumerate(self.blocks):
            x = stage(x)
            if number in _OUTPUTS:
                found.append(x)
        return found

    def pooled(self, x: Tensor) -> Tensor:
        """Computes the features before the classifier, averaged over the picture; needs `head`.

        Args:
            x: `(N, channels, H, W)`, sRGB scaled to -1..1.

        Returns:
            `(N, 1280)`.
        """
        features: Tensor = self.bn2(self.conv_head(self.forward(x)[-1]))
        return features.mean((2, 3))

    def classify(self, x: Tensor) -> Tensor:
        """Computes the logits of the 1,000 classes of ImageNet; needs `head`.

        Args:
            x: `(N, channels, H, W)`, sRGB scaled to -1..1.

        Returns:
            `(N, 1000)`.
        """
        logits: Tensor = self.classifier(self.pooled(x))
        return logits


class DropPath(nn.Module):
    """Skips a block for some pictures of a batch in training, and scales the others up.

    Args:
        rate: probability of skipping, 0 or more and below 1.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Returns `x`, `(N, C, H, W)`, with some pictures set to 0 in training."""
        if self.rate == 0 or not self.training:
            return x
        keep = 1 - self.rate
        return x * x.new_empty(len(x), 1, 1, 1).bernoulli_(keep).div_(keep)


class _SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's padding "same": with a stride, the larger half of it is below and right."""

    def __init__(self, channels: int, out: int, kernel: int, *, stride: int, groups: int = 1) -> None:
        super().__init__(channels, out, kernel, stride=stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        above, left = (_missing(x.shape[axis], self.kernel_size[0], self.stride[0]) for axis in (2, 3))
        x = F.pad(x, (left // 2, left - left // 2, above // 2, above - above // 2))
        return F.conv2d(x, self.weight, self.bias, self.stride, groups=self.groups)


def _missing(side: int, kernel: int, stride: int) -> int:
    # A formula that rounds the quotient up would make torch.export with dynamic sizes take minutes.
    return max(kernel - (side % stride or stride), 0)


class _NormReLU6(nn.BatchNorm2d):
    """A BatchNorm with its activation, which stays when the norm is folded into a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=_EPSILON)
        self.act = nn.ReLU6(inplace=True)

    def forward(self, input: Tensor) -> Tensor:
        activated: Tensor = self.act(super().forward(input))
        return activated


def _depthwise(channels: int, kernel: int, stride: int) -> nn.Conv2d:
    if stride > 1:
        return _SameConv2d(channels, channels, kernel, stride=stride, groups=channels)
    return nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)


class _Separable(nn.Module):
    """A depthwise and a pointwise convolution."""

    def __init__(self, channels: int, out: int, kernel: int) -> None:
        super().__init__()
        self.conv_dw = _depthwise(channels, kernel, 1)
        self.bn1 = _NormReLU6(channels)
        self.conv_pw = nn.Conv2d(channels, out, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.bn2(self.conv_pw(self.bn1(self.conv_dw(x))))
        return made


class _InvertedResidual(nn.Module):
    """Expands channels, convolves each by itself, and reduces them again (Sandler et al. 2018)."""

    def __init__(self, channels: int, stage: _Stage, stride: int, drop_path: float) -> None:
        super().__init__()
        hidden = channels * stage.expansion
        self.conv_pw = nn.Conv2d(channels, hidden, 1, bias=False)
        self.bn1 = _NormReLU6(hidden)
        self.conv_dw = _depthwise(hidden, stage.kernel, stride)
        self.bn2 = _NormReLU6(hidden)
        self.conv_pwl = nn.Conv2d(hidden, stage.channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(stage.channels, eps=_EPSILON)
        self.drop_path = DropPath(drop_path)
        self.adds = stride == 1 and channels == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.bn3(self.conv_pwl(self.bn2(self.conv_dw(self.bn1(self.conv_pw(x))))))
        return self.drop_path(made) + x if self.adds else made
