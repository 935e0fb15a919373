"""Layers that several model families share."""

from torch import Tensor, nn


def dilated_trunk(inputs: int, width: int) -> nn.Sequential:
    """Builds five convolutions with three BatchNorms that compute features at 1/4 size.

    Three strided convolutions reduce the input to 1/8 size. Two dilated 5 × 5 convolutions extend the receptive field
    to a picture of 192 px. The features are then upsampled to 1/4 size.

    Args:
        inputs: channels of the input.
        width: channels at 1/8 size and of the output; the first two layers have a quarter and a half of it.

    Returns:
        The layers, from `(N, inputs, H, W)` to `(N, width, H / 4, W / 4)`; H and W are multiples of 8.
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


def stages(layers: nn.Sequential, x: Tensor, *, length: int) -> list[Tensor]:
    """Runs layers and keeps the output after every `length` of them.

    Args:
        layers: a multiple of `length` layers.
        x: input of the first layer.
        length: layers of a stage.

    Returns:
        The output of each stage, the first one first.

    Example:
        >>> layers = nn.Sequential(nn.MaxPool2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.ReLU())
        >>> import torch
        >>> [tuple(each.shape) for each in stages(layers, torch.zeros(1, 1, 8, 8), length=2)]
        [(1, 1, 4, 4), (1, 1, 2, 2)]
    """
    found = []
    for start in range(0, len(layers), length):
        x = layers[start : start + length](x)
        found.append(x)
    return found
