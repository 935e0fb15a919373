"""sRGB to CIE Lab and back (D65 white, 2° observer), and the gamut of sRGB.

Every function takes any leading dimensions, float32 or float64, and is differentiable. `artcolor.color.srgb` has the
constants and their sources, and the same conversions for arrays.
"""

import torch
from torch import Tensor

from artcolor.color import srgb
from artcolor.color.srgb import CBRT_SLOPE, DELTA, GAMUT_TOLERANCE, KNEE, LINEAR_KNEE

_RGB_TO_WHITE_XYZ = torch.from_numpy(srgb.RGB_TO_WHITE_XYZ)
_WHITE_XYZ_TO_RGB = torch.from_numpy(srgb.WHITE_XYZ_TO_RGB)

# Both curves below are written as (curved piece of the clamped value) + (straight piece of the rest), which needs
# no `torch.where`: that costs more than all the rest together.


def _power(x: Tensor, exponent: float) -> Tensor:
    # Five times as fast as torch's own power, at the same precision. x must be positive.
    return x.log().mul_(exponent).exp_()


def srgb_to_linear(rgb: Tensor) -> Tensor:
    """Undoes the sRGB transfer curve.

    Args:
        rgb: any shape, sRGB in 0..1.

    Returns:
        The same shape, linear light in 0..1.
    """
    bright = rgb.clamp(min=KNEE)
    return torch.add(_power((bright + 0.055) / 1.055, 2.4), rgb - bright, alpha=1 / 12.92)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Applies the sRGB transfer curve.

    Args:
        linear: any shape, linear light in 0..1 (values outside are not clipped).

    Returns:
        The same shape, sRGB.
    """
    bright = linear.clamp(min=LINEAR_KNEE)
    return torch.add(1.055 * _power(bright, 1 / 2.4) - 0.055, linear - bright, alpha=12.92)


def _mix(matrix: Tensor, x: Tensor) -> Tensor:
    return (matrix.to(x) @ x.flatten(-2)).reshape(*x.shape[:-3], len(matrix), *x.shape[-2:])


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
    bright = xyz.clamp(min=DELTA**3)
    return torch.add(_power(bright, 1 / 3), xyz - bright, alpha=CBRT_SLOPE)


def rgb_to_lightness(rgb: Tensor) -> Tensor:
    """Computes the L of sRGB pictures, at a third of the cost of Lab.

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
    """Computes the L of linear sRGB or gray.

    Args:
        linear: `(*, 1, H, W)` or `(*, 3, H, W)`, linear light in 0..1.

    Returns:
        `(*, 1, H, W)`, L in 0..100.
    """
    y = linear if linear.shape[-3] == 1 else _mix(_RGB_TO_WHITE_XYZ[1:2], linear)
    return 116 * _lab_curve(y) - 16


def lab_to_linear(lightness: Tensor, ab: Tensor) -> Tensor:
    """Joins L and chroma to linear sRGB without any clipping.

    Args:
        lightness: `(*, 1, H, W)`, L in 0..100.
        ab: `(*, 2, H, W)` in Lab units.

    Returns:
        `(*, 3, H, W)`, linear light; within 0..1 where the color exists in sRGB.
    """
    fy = (lightness + 16).mul_(1 / 116)
    fx = torch.add(fy, ab[..., :1, :, :], alpha=1 / 500)
    fz = torch.sub(fy, ab[..., 1:, :, :], alpha=1 / 200)
    return _curve_to_linear(torch.cat((fx, fy, fz), dim=-3))


def _curve_to_linear(f: Tensor) -> Tensor:
    """Linear sRGB of what the curve of Lab gave; uses up `f`."""
    bright = f.clamp(min=DELTA)
    # In place, as long as nobody wants a gradient: what stays in the processor's cache is several times as fast.
    dark = torch.sub(f, bright, out=None if f.requires_grad else f)
    cube = torch.pow(bright, 3, out=None if f.requires_grad else bright)
    return _mix(_WHITE_XYZ_TO_RGB, cube.add_(dark, alpha=1 / CBRT_SLOPE))


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Converts CIE Lab to sRGB without any clipping: what lies outside the gamut comes out beyond 0..1.

    Args:
        lab: `(*, 3, H, W)`, L in 0..100, a and b in Lab units.

    Returns:
        `(*, 3, H, W)`, sRGB; within 0..1 where the color exists in sRGB. See `to_gamut` for the rest.

    Example:
        >>> import torch
        >>> rgb = torch.rand(3, 4, 4)
        >>> torch.allclose(lab_to_rgb(rgb_to_lab(rgb)), rgb, atol=2e-5)
        True
    """
    return linear_to_srgb(lab_to_linear(lab[..., :1, :, :], lab[..., 1:, :, :]))


def _excess(linear: Tensor) -> Tensor:
    """How far `(*, 3, H, W)` lies outside of 0..1, or as a negative, how far inside from its border: `(*, H, W)`."""
    return torch.maximum(linear.amax(dim=-3).sub_(1), linear.amin(dim=-3).neg_())


def outside_gamut(linear: Tensor) -> tuple[Tensor, ...]:
    """Finds the pixels that sRGB cannot show, beyond what rounding explains.

    Args:
        linear: `(*, 3, H, W)`, linear sRGB.

    Returns:
        Their indices in `(*, H, W)`, as `torch.nonzero(as_tuple=True)` gives them.
    """
    return (_excess(linear) > GAMUT_TOLERANCE).nonzero(as_tuple=True)


def to_gamut(lightness: Tensor, ab: Tensor) -> Tensor:
    """Scales chroma toward neutral, at constant L and hue, until the color exists in sRGB.

    Colors that already exist are returned unchanged. A clamp of the RGB channels, the usual way, would change
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
        where = outside_gamut(lab_to_linear(lightness, ab))
        if not len(where[0]):
            return ab
        scale = torch.ones_like(lightness)
        scale.squeeze(-3)[where] = _largest_scale(lightness.squeeze(-3)[where], _channels(ab, where))
    return ab * scale


def limit_chroma(ab: Tensor, knee: float, limit: float) -> Tensor:
    """Compresses high chroma smoothly, at constant hue.

    Args:
        ab: `(*, 2, H, W)` in Lab units.
        knee: chroma in Lab units up to which colors are unchanged.
        limit: chroma that none exceeds, above `knee`.

    Returns:
        `(*, 2, H, W)`; between knee and limit, chroma grows with a slope that falls from 1 to 0.

    Example:
        >>> import torch
        >>> limit_chroma(torch.tensor([80.0, 0.0]).reshape(2, 1, 1), 40, 70)[0].item() < 70
        True
    """
    # Up to the knee nothing changes, and the square root has no gradient at 0.
    chroma = ab.square().sum(-3, keepdim=True).clamp(min=knee**2).sqrt()
    room = limit - knee
    return ab * ((knee - room * torch.expm1((knee - chroma) / room)) / chroma)


def _channels(x: Tensor, where: tuple[Tensor, ...]) -> Tensor:
    """Some pixels `(C, P)` of `(*, C, H, W)`."""
    return x.movedim(-3, -1)[where].T


def _largest_scale(lightness: Tensor, ab: Tensor) -> Tensor:
    """How far `(P,)` chroma `(2, P)` may go toward its full value at L `(P,)`."""
    found = srgb.largest_scale(lightness.detach().cpu().numpy(), ab.detach().cpu().numpy())
    return torch.from_numpy(found).to(lightness.device)


def lab_to_linear_in_gamut(lightness: Tensor, ab: Tensor) -> Tensor:
    """Joins L and chroma to linear sRGB; what sRGB cannot show loses chroma, never lightness or hue.

    Args:
        lightness: `(*, 1, H, W)`, L in 0..100.
        ab: `(*, 2, H, W)` in Lab units.

    Returns:
        `(*, 3, H, W)`, linear light in 0..1. Not differentiable where chroma is lost.
    """
    linear = lab_to_linear(lightness, ab)
    where = outside_gamut(linear.detach())
    if len(where[0]):
        # Most pixels are inside, so only the others are joined a second time.
        l_out, ab_out = lightness.squeeze(-3)[where], _channels(ab, where)
        inside = lab_to_linear(l_out[None, None], (ab_out * _largest_scale(l_out, ab_out))[:, None])
        linear.movedim(-3, -1)[where] = inside.squeeze(1).T
    return linear.clamp_(0, 1)


def lab_to_rgb_in_gamut(lightness: Tensor, ab: Tensor) -> Tensor:
    """Joins L and chroma to an sRGB picture, as `lab_to_linear_in_gamut` does.

    Args:
        lightness: `(*, 1, H, W)`, L in 0..100.
        ab: `(*, 2, H, W)` in Lab units.

    Returns:
        `(*, 3, H, W)`, sRGB in 0..1.
    """
    return linear_to_srgb(lab_to_linear_in_gamut(lightness, ab))
