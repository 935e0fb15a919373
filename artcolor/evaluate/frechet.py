"""Fréchet distances between the colors of sets of pictures.

The distance is that of Heusel et al. 2017 between Gaussians fitted to features of pictures. Its value depends on the
features and on the number of pictures, so figures always state both.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from artcolor.color.lab import rgb_to_lab
from artcolor.models.efficientnet import EfficientNetLite0
from artcolor.models.lite0 import load_lite0

_CELLS = 4
_LITE0_SIDE = 224


def frechet_distance(features: Tensor, other: Tensor) -> float:
    """Computes the Fréchet distance |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½) of two sets of features.

    The trace of the root is the sum of the singular values of A₁A₂ᵀ, where Σ = AᵀA. This needs no matrix square root
    and is exact even if there are fewer pictures than features, that is, if the covariances are singular.

    Args:
        features: `(N, D)`, features of one set; N is at least 2.
        other: `(M, D)`, features of the other set; M is at least 2.

    Returns:
        The distance, 0 or more, in the squared unit of the features.

    Example:
        >>> x = torch.tensor([[-1.0], [1.0]])
        >>> round(frechet_distance(x, x + 3), 6)
        9.0
    """
    x, y = features.double(), other.double()
    mean_x, mean_y = x.mean(0), y.mean(0)
    a = _triangle((x - mean_x) / (len(x) - 1) ** 0.5)
    b = _triangle((y - mean_y) / (len(y) - 1) ** 0.5)
    cross = torch.linalg.svdvals(a @ b.T).sum()
    return float((mean_x - mean_y).square().sum() + a.square().sum() + b.square().sum() - 2 * cross)


def _triangle(a: Tensor) -> Tensor:
    """Returns a matrix with the same AᵀA and no more rows than columns."""
    return a if a.shape[0] <= a.shape[1] else torch.linalg.qr(a, mode="r").R


def grid_features(pictures: Tensor) -> Tensor:
    """Computes means and standard deviations of a and b in each cell of a 4 × 4 grid.

    Args:
        pictures: `(N, 3, H, W)`, sRGB in 0..1.

    Returns:
        `(N, 64)` in Lab units.
    """
    return grid_features_of_ab(rgb_to_lab(pictures)[:, 1:])


def grid_features_of_ab(ab: Tensor) -> Tensor:
    """Computes `grid_features` of chroma.

    Args:
        ab: `(N, 2, H, W)` in Lab units.

    Returns:
        `(N, 64)` in Lab units.
    """
    mean = F.adaptive_avg_pool2d(ab, _CELLS)
    square = F.adaptive_avg_pool2d(ab.square(), _CELLS)
    deviation = (square - mean.square()).clamp(min=0).sqrt()
    return torch.cat((mean, deviation), dim=1).flatten(1)


@torch.no_grad()
def lite0_features(pictures: Tensor, network: EfficientNetLite0) -> Tensor:
    """Computes pooled features of EfficientNet-Lite0, trained on ImageNet, at 224 px.

    Args:
        pictures: `(N, 3, H, W)`, sRGB in 0..1; resized to 224 × 224 (bicubic).
        network: network from `artcolor.models.lite0.load_lite0`.

    Returns:
        `(N, 1280)`.
    """
    side = (_LITE0_SIDE, _LITE0_SIDE)
    small = F.interpolate(pictures, side, mode="bicubic", antialias=True).clamp(0, 1)
    return network.pooled(2 * small - 1)


def fd_grid(predicted: Tensor, truth: Tensor) -> float:
    """Computes the Fréchet distance of `grid_features`, which involves no network.

    Args:
        predicted: `(N, 3, H, W)`, colored pictures, sRGB in 0..1.
        truth: `(M, 3, H, W)`, true pictures, sRGB in 0..1.

    Returns:
        The distance in squared Lab units.
    """
    return frechet_distance(grid_features(predicted), grid_features(truth))


def fd_lite0(predicted: Tensor, truth: Tensor) -> float:
    """Computes the Fréchet distance of `lite0_features`; not the FID of Heusel et al., which uses Inception-v3.

    Args:
        predicted: `(N, 3, H, W)`, colored pictures, sRGB in 0..1.
        truth: `(M, 3, H, W)`, true pictures, sRGB in 0..1.

    Returns:
        The distance, 0 or more.

    Raises:
        WeightsError: the weights of the network, part of the extra `evaluate`, are not installed.
    """
    network = load_lite0()
    return frechet_distance(lite0_features(predicted, network), lite0_features(truth, network))
