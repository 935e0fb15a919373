"""sRGB to CIE Lab and back (D65 white, 2° observer), and the gamut of sRGB.

Sources: IEC 61966-2-1 (sRGB), CIE 15 (Lab). Every function takes any leading dimensions, float32 or
float64, and is differentiable.
"""

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

# Linear sRGB to XYZ as scikit-image and most of the field round it. Dividing by the white point that these
# very numbers give (their row sums), instead of a rounded (0.95047, 1, 1.08883), makes gray exactly neutral.
_RGB_TO_XYZ = torch.tensor(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]],
    dtype=torch.float64,
    device="cpu",
)
_RGB_TO_WHITE_XYZ = _RGB_TO_XYZ / _RGB_TO_XYZ.sum(dim=1, keepdim=True)
_WHITE_XYZ_TO_RGB = torch.linalg.inv(_RGB_TO_WHITE_XYZ)

# CIE's curve, a cube root with a straight piece near black, and sRGB's, a power with a straight piece likewise.
_DELTA = 6 / 29
_CBRT_SLOPE = 1 / (3 * _DELTA**2)
# Where the two pieces of the sRGB curve truly meet; the standard rounds it to 0.04045 and 0.0031308, hence a step.
_KNEE = 0.0404482362771082
_LINEAR_KNEE = _KNEE / 12.92
_GAMUT_TOLERANCE = 1e-6
_BISECTIONS = 22
# So many pixels stay in the processor's cache through a bisection.
_SEARCHED = 1 << 13
# Enough that two neighbors lie at most a twentieth of an 8-bit step apart, even near black.
_LEVELS = 1 << 16
_CHUNK = 1 << 17

_Floats = npt.NDArray[Any]

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
    bright = rgb.clamp(min=_KNEE)
    return torch.add(_power((bright + 0.055) / 1.055, 2.4), rgb - bright, alpha=1 / 12.92)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Applies the sRGB transfer curve.

    Args:
        linear: any shape, linear light in 0..1 (values outside are carried on, not clipped).

    Returns:
        The same shape, sRGB.
    """
    bright = linear.clamp(min=_LINEAR_KNEE)
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
    bright = xyz.clamp(min=_DELTA**3)
    return torch.add(_power(bright, 1 / 3), xyz - bright, alpha=_CBRT_SLOPE)


def decode_8bit(pixels: Tensor) -> Tensor:
    """Linear light of 8-bit sRGB values, by table: the same as `srgb_to_linear(pixels / 255)`, but faster.

    Args:
        pixels: any shape, uint8.

    Returns:
        The same shape, float32 in 0..1.
    """
    return _LINEAR_OF_8BIT.index_select(0, pixels.reshape(-1).int()).view(pixels.shape)


def encode_8bit(linear: Tensor) -> Tensor:
    """8-bit sRGB of linear light, by table: `linear_to_srgb(linear) * 255` rounded, but five times as fast.

    Where that lies within 0.03 of the middle between two values, either of them may come out.

    Args:
        linear: any shape, linear light in 0..1; nothing may lie outside.

    Returns:
        The same shape, uint8.
    """
    flat = linear.reshape(-1)
    result = torch.empty(flat.shape, dtype=torch.uint8)
    table = _8bit_of_linear()
    # A chunk stays in the processor's cache.
    for start in range(0, len(flat), _CHUNK):
        level = (flat[start : start + _CHUNK] * _LEVELS).int()
        torch.index_select(table, 0, level, out=result[start : start + _CHUNK])
    return result.view(linear.shape)


def gray_8bit_to_lightness(pixels: Tensor) -> Tensor:
    """L of 8-bit gray pixels, by table.

    Args:
        pixels: any shape, uint8.

    Returns:
        The same shape, float32 in 0..100.
    """
    return _LIGHTNESS_OF_8BIT.index_select(0, pixels.reshape(-1).int()).view(pixels.shape)


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
    bright = f.clamp(min=_DELTA)
    # In place, as long as nobody wants a gradient: what stays in the processor's cache is several times as fast.
    dark = torch.sub(f, bright, out=None if f.requires_grad else f)
    cube = torch.pow(bright, 3, out=None if f.requires_grad else bright)
    return _mix(_WHITE_XYZ_TO_RGB, cube.add_(dark, alpha=1 / _CBRT_SLOPE))


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
    return (_excess(linear) > _GAMUT_TOLERANCE).nonzero(as_tuple=True)


def to_gamut(lightness: Tensor, ab: Tensor) -> Tensor:
    """Scales chroma toward neutral, at constant L and hue, until the color exists in sRGB.

    Colors that already exist come back untouched. A clamp of the RGB channels, the usual way, would change
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
    """How far `(P,)` chroma `(2, P)` may go toward its full value at L `(P,)`, by bisection."""
    gray = ((lightness.detach() + 16) / 116).cpu().numpy()
    a, b = ab.detach()
    reach = torch.stack((a / 500, torch.zeros_like(a), b / -200)).cpu().numpy()
    found = np.empty_like(gray)
    for start in range(0, len(gray), _SEARCHED):
        part = slice(start, start + _SEARCHED)
        found[part] = _bisected(gray[part], reach[:, part])
    return torch.from_numpy(found).to(lightness.device)


def _bisected(gray: _Floats, reach: _Floats) -> _Floats:
    # Pixels outside are few, mostly, so that what a step costs is its calls: with NumPy a fifth of PyTorch's.
    matrix = _WHITE_XYZ_TO_RGB.numpy().astype(gray.dtype)
    scale, step = np.full_like(gray, 0.5), 0.5
    for _ in range(_BISECTIONS):
        step /= 2
        curve = reach * scale
        curve += gray
        bright = np.maximum(curve, _DELTA)
        curve -= bright
        curve /= _CBRT_SLOPE
        cube = bright * bright
        cube *= bright
        cube += curve
        linear = matrix @ cube
        linear -= 0.5
        beyond = np.abs(linear, out=linear).max(axis=0)
        beyond -= 0.5 + _GAMUT_TOLERANCE
        scale -= step * np.sign(beyond)
    # Less twice the last step, so that it lies inside.
    return np.maximum(scale - 2 * step, 0)


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


_LINEAR_OF_8BIT = srgb_to_linear(torch.arange(256, dtype=torch.float64, device="cpu") / 255).float()
_LIGHTNESS_OF_8BIT = linear_to_lightness(_LINEAR_OF_8BIT.double().reshape(1, 1, -1)).flatten().float()


@functools.cache
def _8bit_of_linear() -> Tensor:
    """The 8-bit value of each of `_LEVELS + 1` steps of linear light.

    Not made on import: it is large enough for torch to start threads, and a process that has threads must not fork.
    """
    middles = (torch.arange(_LEVELS + 1, dtype=torch.float64) + 0.5) / _LEVELS
    return linear_to_srgb(middles).clamp(max=1).mul(255).round().byte()
