"""Layers that networks of several families share."""

from torch import nn


def dilated_trunk(inputs: int, width: int) -> nn.Sequential:
    """Five convolutions with three BatchNorms, from `inputs` channels to `width` channels at 1/4 size.

    Three strides bring the picture to 1/8, where two dilated 5 × 5 convolutions see all of a picture of
    192 px; features are then brought to 1/4.

    Args:
        inputs: channels of the input.
        width: channels at 1/8 size; the earlier layers have a quarter and a half of it.
    """
    quarter, half = width // 4, width // 2
    layers = nn.Sequential(
        nn.Conv2d(inputs, quarter, 5, stride=2, padding=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(quarter, half, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(half),
        nn.ReLU(inplace=True),
        nn.Conv2d(half, width, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 5, padding=4, dilation=2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 5, padding=8, dilation=4),
        nn.ReLU(inplace=True),
        nn.Upsample(scale_factor=2, mode="bilinear"),
    )
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return layers
