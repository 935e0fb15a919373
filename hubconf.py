"""Entry points for torch.hub: `torch.hub.load("org/artcolor", "cnn", pretrained=True, trust_repo=True)`."""

dependencies = ["torch", "torchvision", "timm", "safetensors", "huggingface_hub", "PIL", "numpy"]


def _registry():
    import os
    import sys

    # torch.hub puts this folder first on sys.path, and takes it off again after loading; but spawned DataLoader
    # workers need it there, so it is put at the end as well.
    here = os.path.dirname(os.path.abspath(__file__))
    if here not in sys.path[1:]:
        sys.path.append(here)
    from artcolor.models import registry

    return registry


def cnn(pretrained=False, **keywords):
    """Six convolutions, three BatchNorms, and a distribution over colours at 1/4 size.

    Args:
        pretrained (bool): load the default weights.
        weights (str): instead of `pretrained`: the name of released weights ("ART_V1") or a file's path.
        width (int): channels at 1/8 size, for a network without weights; 256 if not given.
        bins (int): colour bins, likewise; those of the sRGB gamut if not given.
        size (int): working size in pixels; 192 if not given.
        **keywords: these, given by name.

    Returns:
        An `artcolor.models.base.ColorizationModel`. `model.colorize(gray)` takes `(N, 1|3, H, W)`, sRGB in 0..1,
        any size, and gives `(N, 3, H, W)`, sRGB in 0..1. `vividness` (0 or more) and `temperature` (0..1) are its
        options.

    Figures on 500 paintings at 256 px: PSNR 24.88 dB at vividness 0 (a table of mean ab by lightness: 24.11 dB); at the
    defaults 23.60 dB, as colourful as real paintings (mean colourfulness 1.1 below 41.1), FD-grid 731. More, with
    intervals: `artcolor.CNN_Weights.DEFAULT.meta["metrics"]`.

    Example:
        >>> import torch
        >>> model = torch.hub.load(".", "cnn", source="local", pretrained=True)
        >>> model.colorize(torch.rand(1, 1, 64, 48)).shape
        torch.Size([1, 3, 64, 48])
    """
    return _registry().hub_entry("cnn", pretrained, keywords)


def unet(pretrained=False, **keywords):
    """EfficientNet-Lite0 encoder, U-Net decoder, and a distribution over colours at 1/4 size.

    Args:
        pretrained (bool): load the default weights.
        weights (str): instead of `pretrained`: the name of released weights or a file's path.
        width (int): channels of the decoder at 1/4 size, for a network without weights; 96 if not given.
        imagenet (bool): start the encoder of a network without weights from ImageNet.
        bins (int): colour bins, likewise; those of the sRGB gamut if not given.
        size (int): working size in pixels; 192 if not given.
        **keywords: these, given by name.

    Returns:
        An `artcolor.models.base.ColorizationModel`. `model.colorize(gray)` takes `(N, 1|3, H, W)`, sRGB in 0..1,
        any size, and gives `(N, 3, H, W)`, sRGB in 0..1. `vividness` (0 or more) and `temperature` (0..1) are its
        options.

    Example:
        >>> import torch
        >>> model = torch.hub.load(".", "unet", source="local", width=16)
        >>> model.colorize(torch.rand(1, 1, 64, 48)).shape
        torch.Size([1, 3, 64, 48])
    """
    return _registry().hub_entry("unet", pretrained, keywords)
