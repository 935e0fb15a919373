"""Entry points for torch.hub: `torch.hub.load("org/artcolor", "cnn", pretrained=True, trust_repo=True)`."""

dependencies = ["torch", "torchvision", "timm", "safetensors", "huggingface_hub", "PIL", "numpy"]


def _registry():
    import os
    import sys
    import warnings

    # torch.hub puts this folder first on sys.path, and takes it off again after loading; but spawned DataLoader
    # workers need it there, so it is put at the end as well.
    here = os.path.dirname(os.path.abspath(__file__))
    if here not in sys.path[1:]:
        sys.path.append(here)
    other = sys.modules.get("artcolor")
    if other is not None:
        there = os.path.dirname(os.path.abspath(getattr(other, "__file__", None) or ""))
        if os.path.realpath(there) != os.path.realpath(os.path.join(here, "artcolor")):
            warnings.warn(
                f"artcolor is imported already, from {there}; it is used instead of the one that torch.hub has in "
                f"{here}. To use that one, load it in a new process, before anything imports the other.",
                stacklevel=3,
            )
    from artcolor.models import registry

    return registry


def cnn(pretrained=False, **keywords):
    """Six convolutions, three BatchNorms, and a distribution over colours at 1/4 size.

    Args:
        pretrained (bool): load the default weights.
        weights (str): instead of `pretrained`: the name of released weights ("ART_V1") or a file's path.
        progress (bool): show a bar while weights are downloaded; on if not given.
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
        progress (bool): show a bar while weights are downloaded; on if not given.
        width (int): channels of the decoder at 1/4 size, for a network without weights; 96 if not given.
        imagenet (bool): start the encoder of a network without weights from ImageNet.
        bins (int): colour bins, likewise; those of the sRGB gamut if not given.
        size (int): working size in pixels; 192 if not given.
        **keywords: these, given by name.

    Returns:
        An `artcolor.models.base.ColorizationModel`. `model.colorize(gray)` takes `(N, 1|3, H, W)`, sRGB in 0..1,
        any size, and gives `(N, 3, H, W)`, sRGB in 0..1. `vividness` (0 or more) and `temperature` (0..1) are its
        options.

    Figures on 500 paintings at 256 px: PSNR 25.41 dB at vividness 0 (a table of mean ab by lightness: 24.11 dB); at the
    defaults 24.00 dB, as colourful as real paintings (mean colourfulness 1.3 below 41.1), FD-grid 424. More, with
    intervals: `artcolor.UNet_Weights.DEFAULT.meta["metrics"]`.

    Example:
        >>> import torch
        >>> model = torch.hub.load(".", "unet", source="local", pretrained=True)
        >>> model.colorize(torch.rand(1, 1, 64, 48)).shape
        torch.Size([1, 3, 64, 48])
    """
    return _registry().hub_entry("unet", pretrained, keywords)


def vae(pretrained=False, **keywords):
    """`unet` with a latent that codes colour: several plausible colourings of one picture.

    Args:
        pretrained (bool): load the default weights.
        weights (str): instead of `pretrained`: the name of released weights or a file's path.
        progress (bool): show a bar while weights are downloaded; on if not given.
        width (int): channels of the decoder at 1/4 size, for a network without weights; 96 if not given.
        bins (int): colour bins, likewise; those of the sRGB gamut if not given.
        size (int): working size in pixels; 192 if not given.
        **keywords: these, given by name.

    Returns:
        An `artcolor.models.base.ColorizationModel`. `model.colorize(gray)` takes `(N, 1|3, H, W)`, sRGB in 0..1,
        any size, and gives `(N, 3, H, W)`, sRGB in 0..1. `vividness` (0 or more) and `temperature` (0..1) are its
        options. `model.colorize_samples(gray, samples=4, seed=0, spread=0.6, palette=None)` gives
        `(samples, N, 3, H, W)`; `palette` is a coloured picture `(1, 3, H, W)` whose mood is taken over.

    Figures on 500 paintings at 256 px, of the most typical colouring: PSNR 25.22 dB at vividness 0 (a table of mean ab
    by lightness: 24.11 dB); at the defaults 24.09 dB, mean colourfulness 1.6 below the 41.1 of real paintings,
    FD-grid 540; of one sample, 2.5 below and 342. More, with intervals: `artcolor.VAE_Weights.DEFAULT.meta["metrics"]`.

    Example:
        >>> import torch
        >>> model = torch.hub.load(".", "vae", source="local", width=16)
        >>> model.colorize(torch.rand(1, 1, 64, 48)).shape
        torch.Size([1, 3, 64, 48])
    """
    return _registry().hub_entry("vae", pretrained, keywords)


def ae(pretrained=False, **keywords):
    """An autoencoder of eight convolutions and two transposed ones, and a distribution over colours at 1/4 size.

    Args:
        pretrained (bool): load the default weights.
        weights (str): instead of `pretrained`: the name of released weights or a file's path.
        progress (bool): show a bar while weights are downloaded; on if not given.
        width (int): channels at 1/16 size, for a network without weights; 384 if not given.
        bins (int): colour bins, likewise; those of the sRGB gamut if not given.
        size (int): working size in pixels; 192 if not given.
        **keywords: these, given by name.

    Returns:
        An `artcolor.models.base.ColorizationModel`. `model.colorize(gray)` takes `(N, 1|3, H, W)`, sRGB in 0..1,
        any size, and gives `(N, 3, H, W)`, sRGB in 0..1. `vividness` (0 or more) and `temperature` (0..1) are its
        options.

    Figures on 500 paintings at 256 px: PSNR 24.74 dB at vividness 0 (a table of mean ab by lightness: 24.11 dB); at the
    defaults 23.34 dB, mean colourfulness 1.3 below the 41.1 of real paintings, FD-grid 764. More, with intervals:
    `artcolor.AE_Weights.DEFAULT.meta["metrics"]`.

    Example:
        >>> import torch
        >>> model = torch.hub.load(".", "ae", source="local", pretrained=True)
        >>> model.colorize(torch.rand(1, 1, 64, 48)).shape
        torch.Size([1, 3, 64, 48])
    """
    return _registry().hub_entry("ae", pretrained, keywords)


def cic(pretrained=False, **keywords):
    """The network, loss and decoding of "Colorful Image Colorization" (Zhang et al. 2016), narrower.

    Args:
        pretrained (bool): load the default weights.
        weights (str): instead of `pretrained`: the name of released weights or a file's path.
        progress (bool): show a bar while weights are downloaded; on if not given.
        width (float): share of the paper's channels, for a network without weights; 0.3125 if not given.
        bins (int): colour bins, likewise; those of the sRGB gamut if not given.
        size (int): working size in pixels; 192 if not given.
        **keywords: these, given by name.

    Returns:
        An `artcolor.models.base.ColorizationModel`. `model.colorize(gray)` takes `(N, 1|3, H, W)`, sRGB in 0..1,
        any size, and gives `(N, 3, H, W)`, sRGB in 0..1. `vividness` (0 or more) and `temperature` (0..1) are its
        options.

    Figures on 500 paintings at 256 px, decoded as the paper does it: PSNR 22.82 dB (a table of mean ab by lightness:
    24.11 dB), mean colourfulness 3.4 below the 41.1 of real paintings, FD-grid 1783. More, with intervals:
    `artcolor.CIC_Weights.DEFAULT.meta["metrics"]`.

    Example:
        >>> import torch
        >>> model = torch.hub.load(".", "cic", source="local", pretrained=True)
        >>> model.colorize(torch.rand(1, 1, 64, 48)).shape
        torch.Size([1, 3, 64, 48])
    """
    return _registry().hub_entry("cic", pretrained, keywords)


def splitbrain(pretrained=False, **keywords):
    """A split-brain autoencoder (Zhang et al. 2017): L to ab, which colorizes, and ab to L.

    Args:
        pretrained (bool): load the default weights.
        weights (str): instead of `pretrained`: the name of released weights or a file's path.
        progress (bool): show a bar while weights are downloaded; on if not given.
        width (int): channels of each half at 1/8 size, for a network without weights; 176 if not given.
        loss (str): "classification" (if not given) or "regression", likewise.
        bins (int): colour bins, likewise; those of the sRGB gamut if not given.
        size (int): working size in pixels; 192 if not given.
        **keywords: these, given by name.

    Returns:
        An `artcolor.models.base.ColorizationModel`. `model.colorize(gray)` takes `(N, 1|3, H, W)`, sRGB in 0..1,
        any size, and gives `(N, 3, H, W)`, sRGB in 0..1. `vividness` (0 or more) and `temperature` (0..1) are its
        options. `model.extract_features(picture)` describes coloured pictures `(N, 3, H, W)`.

    Figures on 500 paintings at 256 px: PSNR 24.71 dB at vividness 0 (a table of mean ab by lightness: 24.11 dB); at the
    defaults 23.38 dB, mean colourfulness 1.5 below the 41.1 of real paintings, FD-grid 802. More, with intervals:
    `artcolor.SplitBrain_Weights.DEFAULT.meta["metrics"]`.

    Example:
        >>> import torch
        >>> model = torch.hub.load(".", "splitbrain", source="local", pretrained=True)
        >>> model.colorize(torch.rand(1, 1, 64, 48)).shape
        torch.Size([1, 3, 64, 48])
    """
    return _registry().hub_entry("splitbrain", pretrained, keywords)


def cnn_report(pretrained=False, **keywords):
    """The student report's CNN: six convolutions, three BatchNorms, RGB by MSE. Kept to be compared with.

    Args:
        pretrained (bool): load the default weights.
        weights (str): instead of `pretrained`: the name of released weights or a file's path.
        progress (bool): show a bar while weights are downloaded; on if not given.
        width (int): channels of the widest layer, for a network without weights; 64 if not given.
        size (int): working size in pixels; 200 if not given.
        **keywords: these, given by name.

    Returns:
        An `artcolor.models.base.ColorizationModel`. `model.colorize(gray)` takes `(N, 1|3, H, W)`, sRGB in 0..1,
        any size, and gives `(N, 3, H, W)`, sRGB in 0..1.

    Figures on 500 paintings at 256 px, its chroma joined with the true lightness: PSNR 24.15 dB (a table of mean ab by
    lightness: 24.11 dB), mean colourfulness 21.1 below the 41.1 of real paintings, FD-grid 3075. Its own picture, as
    the report judged it: mean squared error 0.0061 at 200 px (a constant brown: 0.0064). More, with intervals:
    `artcolor.CNNReport_Weights.DEFAULT.meta["metrics"]`.

    Example:
        >>> import torch
        >>> model = torch.hub.load(".", "cnn_report", source="local", pretrained=True)
        >>> model.colorize(torch.rand(1, 1, 64, 48)).shape
        torch.Size([1, 3, 64, 48])
    """
    return _registry().hub_entry("cnn_report", pretrained, keywords)


def ae_report(pretrained=False, **keywords):
    """The student report's autoencoder, RGB by MSE. Kept to be compared with.

    Args:
        pretrained (bool): load the default weights.
        weights (str): instead of `pretrained`: the name of released weights or a file's path.
        progress (bool): show a bar while weights are downloaded; on if not given.
        width (int): channels at 1/16 size, for a network without weights; 256 if not given.
        size (int): working size in pixels; 200 if not given.
        **keywords: these, given by name.

    Returns:
        An `artcolor.models.base.ColorizationModel`. `model.colorize(gray)` takes `(N, 1|3, H, W)`, sRGB in 0..1,
        any size, and gives `(N, 3, H, W)`, sRGB in 0..1.

    Figures on 500 paintings at 256 px, its chroma joined with the true lightness: PSNR 24.21 dB (a table of mean ab by
    lightness: 24.11 dB), mean colourfulness 20.5 below the 41.1 of real paintings, FD-grid 3145. Its own picture, as
    the report judged it: mean squared error 0.0094 at 200 px (a constant brown: 0.0064). More, with intervals:
    `artcolor.AEReport_Weights.DEFAULT.meta["metrics"]`.

    Example:
        >>> import torch
        >>> model = torch.hub.load(".", "ae_report", source="local", pretrained=True)
        >>> model.colorize(torch.rand(1, 1, 64, 48)).shape
        torch.Size([1, 3, 64, 48])
    """
    return _registry().hub_entry("ae_report", pretrained, keywords)


def vae_report(pretrained=False, **keywords):
    """The student report's VAE with a flat code, RGB by MSE + KLD at 128 px. Kept to be compared with.

    Args:
        pretrained (bool): load the default weights.
        weights (str): instead of `pretrained`: the name of released weights or a file's path.
        progress (bool): show a bar while weights are downloaded; on if not given.
        width (int): channels at 1/32 size, for a network without weights; 256 if not given.
        code (int): numbers in the code, likewise; 128 if not given.
        size (int): working size in pixels; 128 if not given.
        **keywords: these, given by name.

    Returns:
        An `artcolor.models.base.ColorizationModel`. `model.colorize(gray)` takes `(N, 1|3, H, W)`, sRGB in 0..1,
        any size, and gives `(N, 3, H, W)`, sRGB in 0..1.

    Figures on 500 paintings at 256 px, its chroma joined with the true lightness: PSNR 24.23 dB (a table of mean ab by
    lightness: 24.11 dB), mean colourfulness 22.1 below the 41.1 of real paintings, FD-grid 3296. Its own picture, as
    the report judged it: mean squared error 0.0153 at 128 px (a constant brown: 0.0063). More, with intervals:
    `artcolor.VAEReport_Weights.DEFAULT.meta["metrics"]`.

    Example:
        >>> import torch
        >>> model = torch.hub.load(".", "vae_report", source="local", pretrained=True)
        >>> model.colorize(torch.rand(1, 1, 64, 48)).shape
        torch.Size([1, 3, 64, 48])
    """
    return _registry().hub_entry("vae_report", pretrained, keywords)
