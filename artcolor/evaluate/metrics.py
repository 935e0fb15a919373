"""Metrics of colored pictures: pure functions that return one number per picture.

Pictures are `(N, 3, H, W)`, sRGB in 0..1, and the result is `(N,)`. Distances between sets of pictures are in
`artcolor.evaluate.frechet`, and metrics of distributions in `artcolor.evaluate.calibration`.
"""

import math

import torch
from torch import Tensor

from artcolor.color.codebook import Codebook
from artcolor.color.lab import rgb_to_lab
from artcolor.errors import ConfigError, install_extra

_THRESHOLDS = 151
# In Lab units. Such a pixel looks wrong even where the hue is right.
_HOT = 40

# Mean squared errors below it come from computing in float32: one step of 8 bits in one of a million pixels makes more.
_ROUNDING = 1e-12


def _mean(x: Tensor) -> Tensor:
    return x.flatten(1).mean(1)


def _decibels(error: Tensor) -> Tensor:
    return -10 * error.where(error > _ROUNDING, 0).log10()


def mse(predicted: Tensor, truth: Tensor) -> Tensor:
    """Computes the mean squared error over pixels and channels.

    Args:
        predicted: `(N, 3, H, W)`, sRGB in 0..1.
        truth: `(N, 3, H, W)`, sRGB in 0..1.

    Returns:
        `(N,)`.
    """
    return _mean((predicted - truth) ** 2)


def psnr(predicted: Tensor, truth: Tensor) -> Tensor:
    """Computes the peak signal-to-noise ratio, -10 · log10(MSE).

    Args:
        predicted: `(N, 3, H, W)`, sRGB in 0..1.
        truth: `(N, 3, H, W)`, sRGB in 0..1.

    Returns:
        `(N,)` in decibels; infinite for pictures that are equal but for rounding.

    Example:
        >>> psnr(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.1)).round(decimals=3).tolist()
        [20.0]
    """
    return _decibels(mse(predicted, truth))


def ssim(predicted: Tensor, truth: Tensor) -> Tensor:
    """Computes the structural similarity of the RGB channels (Wang et al. 2004; Gaussian window, σ = 1.5, 11 × 11).

    Args:
        predicted: `(N, 3, H, W)`, sRGB in 0..1; H and W at least 11.
        truth: `(N, 3, H, W)`, sRGB in 0..1.

    Returns:
        `(N,)`, 1 for equal pictures.

    Raises:
        ConfigError: torchmetrics is not installed.
    """
    try:
        from torchmetrics.functional.image import structural_similarity_index_measure  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(f"SSIM needs torchmetrics, which is not installed: {install_extra('evaluate')}") from error
    value = structural_similarity_index_measure(predicted, truth, data_range=1.0, reduction="none")
    assert isinstance(value, Tensor)
    # For a single picture, torchmetrics drops the batch dimension.
    return value.reshape(-1)


def abrmse(predicted: Tensor, truth: Tensor) -> Tensor:
    """Computes the root of the mean over pixels of Δa² + Δb².

    For a set of pictures of one size, the figure over all pixels is the root mean square of these values.

    Args:
        predicted: `(N, 3, H, W)`, sRGB in 0..1.
        truth: `(N, 3, H, W)`, sRGB in 0..1.

    Returns:
        `(N,)` in Lab units.
    """
    return _rmse(_ab_distance(rgb_to_lab(predicted), rgb_to_lab(truth)))


def auc(predicted: Tensor, truth: Tensor) -> Tensor:
    """Computes the share of pixels with an ab error of at most t, averaged over t = 0, 1, ... 150.

    Source: Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016, section 3.1.

    Args:
        predicted: `(N, 3, H, W)`, sRGB in 0..1.
        truth: `(N, 3, H, W)`, sRGB in 0..1.

    Returns:
        `(N,)` in percent.
    """
    return 100 * _mean(_curve(_ab_distance(rgb_to_lab(predicted), rgb_to_lab(truth))))


def auc_rebalanced(predicted: Tensor, truth: Tensor, codebook: Codebook) -> Tensor:
    """Computes `auc` with each pixel weighted by the inverse prior of its true bin, which emphasizes rare colors.

    The weights are normalized within each picture, so every picture counts the same.

    Args:
        predicted: `(N, 3, H, W)`, sRGB in 0..1.
        truth: `(N, 3, H, W)`, sRGB in 0..1.
        codebook: codebook of the evaluation, from `artcolor.evaluate.reference`; not that of a model.

    Returns:
        `(N,)` in percent.
    """
    true_lab = rgb_to_lab(truth)
    return _auc_rebalanced(_ab_distance(rgb_to_lab(predicted), true_lab), true_lab[:, 1:], codebook)


def delta_e(predicted: Tensor, truth: Tensor) -> Tensor:
    """Computes the mean color difference CIEDE2000 (Sharma, Wu, Dalal 2005; all weights 1).

    Args:
        predicted: `(N, 3, H, W)`, sRGB in 0..1.
        truth: `(N, 3, H, W)`, sRGB in 0..1.

    Returns:
        `(N,)`, ΔE00; 1 is about the just noticeable difference.
    """
    return _mean(ciede2000(rgb_to_lab(predicted), rgb_to_lab(truth)))


def colorfulness(picture: Tensor) -> Tensor:
    """Computes the colorfulness M3 of Hasler and Süsstrunk (2003), with signed rg and yb as in the paper.

    Args:
        picture: `(N, 3, H, W)`, sRGB in 0..1.

    Returns:
        `(N,)` on the scale of channels in 0..255: 0 is gray, 15 slightly, 33 moderately, 59 quite colorful.

    Example:
        >>> colorfulness(torch.tensor([1.0, 0, 0]).reshape(1, 3, 1, 1)).round(decimals=2).tolist()
        [85.52999877929688]
    """
    red, green, blue = (255 * picture).flatten(2).unbind(1)
    opponents = torch.stack((red - green, (red + green) / 2 - blue))
    deviation = opponents.var(dim=2, correction=0).sum(0).sqrt()
    distance = opponents.mean(2).square().sum(0).sqrt()
    return deviation + 0.3 * distance


def hot_spots(predicted: Tensor, truth: Tensor) -> Tensor:
    """Computes the share of pixels whose chroma exceeds the true chroma by more than 40: colors that glow.

    Args:
        predicted: `(N, 3, H, W)`, sRGB in 0..1.
        truth: `(N, 3, H, W)`, sRGB in 0..1.

    Returns:
        `(N,)` in percent.

    Example:
        >>> gray = torch.full((1, 3, 4, 4), 0.5)
        >>> hot_spots(torch.tensor([1.0, 0, 0]).reshape(1, 3, 1, 1).expand_as(gray), gray).item()
        100.0
    """
    return hot_spots_of_ab(rgb_to_lab(predicted)[:, 1:], rgb_to_lab(truth)[:, 1:])


def hot_spots_of_ab(predicted: Tensor, truth: Tensor) -> Tensor:
    """Computes `hot_spots` of chroma.

    Args:
        predicted: `(N, 2, H, W)` in Lab units.
        truth: `(N, 2, H, W)` in Lab units.

    Returns:
        `(N,)` in percent.
    """
    excess = predicted.square().sum(1).sqrt() - truth.square().sum(1).sqrt()
    return 100 * _mean((excess > _HOT).float())


def all_metrics(predicted: Tensor, truth: Tensor, codebook: Codebook) -> dict[str, Tensor]:
    """Computes all metrics of this module, with one conversion to Lab instead of four.

    Args:
        predicted: `(N, 3, H, W)`, sRGB in 0..1.
        truth: `(N, 3, H, W)`, sRGB in 0..1.
        codebook: codebook of the evaluation, from `artcolor.evaluate.reference`.

    Returns:
        Metric → its values `(N,)`.

    Raises:
        ConfigError: torchmetrics is not installed.
    """
    lab, true_lab = rgb_to_lab(predicted), rgb_to_lab(truth)
    distance = _ab_distance(lab, true_lab)
    error = mse(predicted, truth)
    return {
        "mse": error,
        "psnr": _decibels(error),
        "ssim": ssim(predicted, truth),
        "abrmse": _rmse(distance),
        "auc": 100 * _mean(_curve(distance)),
        "auc_rebalanced": _auc_rebalanced(distance, true_lab[:, 1:], codebook),
        "delta_e": _mean(ciede2000(lab, true_lab)),
        "colorfulness": colorfulness(predicted),
        "hot_spots": hot_spots_of_ab(lab[:, 1:], true_lab[:, 1:]),
    }


def _ab_distance(lab: Tensor, true_lab: Tensor) -> Tensor:
    return (lab[:, 1:] - true_lab[:, 1:]).square().sum(1).sqrt()


def _rmse(distance: Tensor) -> Tensor:
    return _mean(distance.square()).sqrt()


def _curve(distance: Tensor) -> Tensor:
    """Computes the share of the thresholds 0..150 that are at least each distance."""
    return (_THRESHOLDS - distance.ceil()).clamp(min=0) / _THRESHOLDS


def _auc_rebalanced(distance: Tensor, true_ab: Tensor, codebook: Codebook) -> Tensor:
    nearest = codebook.encode_rounded(true_ab)[0][..., 0]
    weight = (1 / codebook.prior)[nearest]
    return 100 * (_curve(distance) * weight).flatten(1).sum(1) / weight.flatten(1).sum(1)


def ciede2000(lab: Tensor, other: Tensor) -> Tensor:
    """Computes the color difference CIEDE2000 of each pixel.

    Source: Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula", Color Research and Application, 2005.

    Args:
        lab: `(N, 3, H, W)`, Lab.
        other: `(N, 3, H, W)`, Lab.

    Returns:
        `(N, H, W)`, ΔE00.
    """
    (l1, a1, b1), (l2, a2, b2) = lab.unbind(1), other.unbind(1)
    seventh = ((torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * (seventh / (seventh + 25.0**7)).sqrt()
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    h1, h2 = torch.atan2(b1, a1), torch.atan2(b2, a2)
    # Hue differences and means take the shorter arc. Without chroma, hue is undefined.
    turn = h2 - h1
    turn = torch.remainder(turn + math.pi, 2 * math.pi) - math.pi
    hue = torch.where(c1 * c2 == 0, h1 + h2, h1 + turn / 2)

    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    off_middle = (light - 50).square()
    degree = math.pi / 180
    t = (
        1
        - 0.17 * torch.cos(hue - 30 * degree)
        + 0.24 * torch.cos(2 * hue)
        + 0.32 * torch.cos(3 * hue + 6 * degree)
        - 0.20 * torch.cos(4 * hue - 63 * degree)
    )
    by_light = (l2 - l1) / (1 + 0.015 * off_middle / (20 + off_middle).sqrt())
    by_chroma = (c2 - c1) / (1 + 0.045 * chroma)
    by_hue = 2 * (c1 * c2).sqrt() * torch.sin(turn / 2) / (1 + 0.015 * chroma * t)
    # The interaction in the blue region is centered at 275°, so hue must be in 0..360° here.
    blueness = (torch.remainder(hue / degree, 360) - 275) / 25
    seventh = chroma**7
    rotation = -2 * (seventh / (seventh + 25.0**7)).sqrt() * torch.sin(60 * degree * torch.exp(-blueness.square()))
    total = by_light.square() + by_chroma.square() + by_hue.square() + rotation * by_chroma * by_hue
    return total.clamp(min=0).sqrt()
