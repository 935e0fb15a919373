"""sRGB to CIE Lab and back (D65 white, 2° observer), and the gamut of sRGB.

Sources: IEC 61966-2-1 (sRGB), CIE 15 (Lab). Every function takes any leading dimensions, float32 or
float64, and is differentiable.
"""

import torch
from torch import Tensor

# Linear sRGB to XYZ as scikit-image and most of the field round it. Dividing by the white point that these
# very numbers give (their row sums), instead of a rounded (0.95047, 1, 1.08883), makes gray exactly neutral.
_RGB_TO_XYZ = torch.tensor(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]],
    dtype=torch.float64,
)
_RGB_TO_WHITE_XYZ = _RGB_TO_XYZ / _RGB_TO_XYZ.sum(dim=1, keepdim=True)
_WHITE_XYZ_TO_RGB = torch.linalg.inv(_RGB_TO_WHITE_XYZ)

_DELTA = 6 / 29
_CBRT_SLOPE = 1 / (3 * _DELTA**2)
_GAMUT_TOLERANCE = 1e-5
_BISECTIONS = 22


def srgb_to_linear(rgb: Tensor) -> Tensor:
    """Undoes the sRGB transfer curve.

    Args:
        rgb: any shape, sRGB in 0..1.

    Returns:
        The same shape, linear light in 0..1.
    """
    # The clamp keeps the gradient of the branch that is not taken finite.
    return torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Applies the sRGB transfer curve.

    Args:
        linear: any shape, linear light in 0..1 (values outside are carried on, not clipped).

    Returns:
        The same shape, sRGB.
    """
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def _mix(matrix: Tensor, x: Tensor) -> Tensor:
    m = matrix.to(x)
    return torch.einsum("ij,...jhw->...ihw", m, x)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Converts sRGB to CIE Lab (D65, 2°).

    Args:
        rgb: `(*, 3, H, W)`, sRGB in 0..1.

    Returns:
        `(*, 3, H, W)`: L in 0..100, a and b in Lab units (within -110..110 for sRGB).

    Example:
        >>> import torch
        >>> rgb_to_lab(torch.full((3, 1, 1), 0.5)).flatten().round(decimals=2).tolist()[0]
        53.38999938964844
    """
    return linear_to_lab(srgb_to_linear(rgb))


def linear_to_lab(linear: Tensor) -> Tensor:
    """Converts linear sRGB to CIE Lab.

    Args:
        linear: `(*, 3, H, W)`, linear light in 0..1.

    Returns:
        `(*, 3, H, W)`, Lab.
    """
    fx, fy, fz = _lab_curve(_mix(_RGB_TO_WHITE_XYZ, linear)).unbind(dim=-3)
    return torch.stack((116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)), dim=-3)


def _lab_curve(xyz: Tensor) -> Tensor:
    return torch.where(xyz > _DELTA**3, xyz.clamp(min=_DELTA**3) ** (1 / 3), xyz * _CBRT_SLOPE + 4 / 29)


def decode_8bit(pixels: Tensor) -> Tensor:
    """Linear light of 8-bit sRGB values, by table: the same as `srgb_to_linear(pixels / 255)`, but faster.

    Args:
        pixels: any shape, uint8.

    Returns:
        The same shape, float32 in 0..1.
    """
    return _LINEAR_OF_8BIT.index_select(0, pixels.reshape(-1).int()).view(pixels.shape)


def rgb_to_lightness(rgb: Tensor) -> Tensor:
    """Gives the L of sRGB pictures, at a third of the cost of the whole of Lab.

    Args:
        rgb: `(*, 1, H, W)` gray or `(*, 3, H, W)`, sRGB in 0..1.

    Returns:
        `(*, 1, H, W)`, L in 0..100.

    Example:
        >>> import torch
        >>> rgb_to_lightness(torch.ones(1, 2, 2)).shape
        torch.Size([1, 2, 2])
    """
    return linear_to_lightness(srgb_to_linear(rgb))


def linear_to_lightness(linear: Tensor) -> Tensor:
    """Gives the L of linear sRGB or gray.

    Args:
        linear: `(*, 1, H, W)` or `(*, 3, H, W)`, linear light in 0..1.

    Returns:
        `(*, 1, H, W)`, L in 0..100.
    """
    y = linear if linear.shape[-3] == 1 else _mix(_RGB_TO_WHITE_XYZ[1:2], linear)
    return 116 * _lab_curve(y) - 16


def _lab_to_linear(lightness: Tensor, ab: Tensor) -> Tensor:
    fy = (lightness + 16) / 116
    f = torch.cat((fy + ab[..., :1, :, :] / 500, fy, fy - ab[..., 1:, :, :] / 200), dim=-3)
    xyz = torch.where(f > _DELTA, f**3, (f - 4 / 29) / _CBRT_SLOPE)
    return _mix(_WHITE_XYZ_TO_RGB, xyz)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Converts CIE Lab to sRGB without any clipping: what lies outside the gamut comes out beyond 0..1.

    Args:
        lab: `(*, 3, H, W)`, L in 0..100, a and b in Lab units.

    Returns:
        `(*, 3, H, W)`, sRGB; within 0..1 where the colour exists in sRGB. See `to_gamut` for the rest.

    Example:
        >>> import torch
        >>> rgb = torch.rand(3, 4, 4)
        >>> torch.allclose(lab_to_rgb(rgb_to_lab(rgb)), rgb, atol=2e-5)
        True
    """
    return linear_to_srgb(_lab_to_linear(lab[..., :1, :, :], lab[..., 1:, :, :]))


def _outside(linear: Tensor) -> Tensor:
    return ((linear < -_GAMUT_TOLERANCE) | (linear > 1 + _GAMUT_TOLERANCE)).any(dim=-3, keepdim=True)


def to_gamut(lightness: Tensor, ab: Tensor) -> Tensor:
    """Scales chroma toward neutral, at constant L and hue, until the colour exists in sRGB.

    Colours that already exist come back untouched. A clamp of the RGB channels, the usual way, would change
    lightness and hue.

    Args:
        lightness: `(*, 1, H, W)`, L in 0..100.
        ab: `(*, 2, H, W)` in Lab units.

    Returns:
        `(*, 2, H, W)`: ab within the gamut of sRGB at this L. Differentiable in `ab` (the scale is a constant).

    Example:
        >>> import torch
        >>> L, ab = torch.full((1, 1, 1), 50.0), torch.tensor([90.0, 90.0]).reshape(2, 1, 1)
        >>> a, b = to_gamut(L, ab).flatten().tolist()
        >>> a < 90 and abs(a - b) < 1e-4
        True
    """
    with torch.no_grad():
        # Pixels go last as (channel, pixel, 1), so that only those outside take part in the bisection.
        outside = _outside(_lab_to_linear(lightness, ab))
        if not outside.any():
            return ab
        where = outside.squeeze(-3)
        l_out = lightness.squeeze(-3)[where].reshape(1, -1, 1)
        ab_out = ab.movedim(-3, 0)[:, where].unsqueeze(-1)
        low, high = torch.zeros_like(l_out), torch.ones_like(l_out)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            out = _outside(_lab_to_linear(l_out, ab_out * middle))
            high = torch.where(out, middle, high)
            low = torch.where(out, low, middle)
        scale = torch.ones_like(lightness)
        scale.squeeze(-3)[where] = low.flatten()
    return ab * scale


def lab_to_rgb_in_gamut(lightness: Tensor, ab: Tensor) -> Tensor:
    """Joins L and chroma to an sRGB picture; what sRGB cannot show loses chroma, never lightness or hue.

    Args:
        lightness: `(*, 1, H, W)`, L in 0..100.
        ab: `(*, 2, H, W)` in Lab units.

    Returns:
        `(*, 3, H, W)`, sRGB in 0..1.
    """
    linear = _lab_to_linear(lightness, to_gamut(lightness, ab))
    return linear_to_srgb(linear.clamp(0, 1))


_LINEAR_OF_8BIT = srgb_to_linear(torch.arange(256, dtype=torch.float64) / 255).float()
