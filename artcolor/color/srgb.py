"""sRGB and CIE Lab in NumPy, and the sRGB gamut: from pixels to L and back, without torch.

Sources: IEC 61966-2-1 (sRGB), CIE 15 (Lab). `artcolor.color.lab` has the same conversions for tensors, differentiable.
"""

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]
"""Floating-point numbers; functions keep float32 and float64."""

# Linear sRGB to XYZ as scikit-image and most of the field round it. Dividing by the white point that these
# very numbers give (their row sums), instead of a rounded (0.95047, 1, 1.08883), makes gray exactly neutral.
_RGB_TO_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
RGB_TO_WHITE_XYZ: Floats = _RGB_TO_XYZ / _RGB_TO_XYZ.sum(axis=1, keepdims=True)
"""Linear sRGB to XYZ relative to white."""
WHITE_XYZ_TO_RGB: Floats = np.linalg.inv(RGB_TO_WHITE_XYZ)
"""Its inverse; rows sum to 1."""

# CIE's curve, a cube root with a straight piece near black, and sRGB's, a power with a straight piece likewise.
DELTA = 6 / 29
"""Below this value, the inverse of the curve of Lab is straight."""
CBRT_SLOPE = 1 / (3 * DELTA**2)
"""Slope of the straight piece of the curve of Lab."""
_STRAIGHT_ZERO = 4 / 29
KNEE = 0.0404482362771082
"""Where the two pieces of the sRGB curve truly meet; the standard rounds it to 0.04045, which leaves a step."""
LINEAR_KNEE = KNEE / 12.92
"""The same in linear light."""
GAMUT_TOLERANCE = 1e-6
"""What lies outside of 0..1 by no more is rounding."""

PART_PIXELS = 7 << 12
"""Pixels that are best computed at once.

Their planes stay in the processor's cache, and OpenBLAS multiplies so few of them by a small matrix without starting
threads, which would get in the way of those that read, write and run the network.
"""

_BISECTIONS = 22
# So many pixels stay in the processor's cache through a bisection.
_SEARCHED = 1 << 13
# Enough that two neighbors lie at most a twentieth of an 8-bit step apart, even near black.
_LEVELS = (1 << 16) - 1

# Both curves below are written as (curved piece of the clamped value) + (straight piece of the rest): choosing between
# two pieces costs more than both.


def _power(x: Floats, exponent: float) -> Floats:
    # NumPy has vector code for logarithm and exponential, but not for powers. x must be positive.
    x = np.log(x)
    x *= exponent
    return np.exp(x, out=x)


def srgb_to_linear(rgb: Floats) -> Floats:
    """Undoes the sRGB transfer curve.

    Args:
        rgb: any shape, sRGB in 0..1.

    Returns:
        The same shape, linear light in 0..1.

    Example:
        >>> srgb_to_linear(np.array([0.0, 1.0])).tolist()
        [0.0, 1.0]
    """
    bright = np.maximum(rgb, KNEE)
    return _power((bright + 0.055) / 1.055, 2.4) + (rgb - bright) / 12.92


def linear_to_srgb(linear: Floats) -> Floats:
    """Applies the sRGB transfer curve.

    Args:
        linear: any shape, linear light; what lies outside of 0..1 counts as 0 or 1.

    Returns:
        The same shape, sRGB in 0..1.

    Example:
        >>> linear_to_srgb(np.array([0.0, 1.0])).round(6).tolist()
        [0.0, 1.0]
    """
    bright = np.maximum(linear, LINEAR_KNEE)
    found = 1.055 * _power(bright, 1 / 2.4) - 0.055 + (linear - bright) * 12.92
    # Rounding takes black and white a little outside.
    return np.clip(found, 0, 1, out=found)


def linear_to_lightness(linear: Floats) -> Floats:
    """Computes L.

    Args:
        linear: `(1, ...)` gray or `(3, ...)`, linear light in 0..1.

    Returns:
        `(...)`, L in 0..100.
    """
    y = linear[0] if len(linear) == 1 else _mix(RGB_TO_WHITE_XYZ[1:2], linear)[0]
    return 116 * _lab_curve(y) - 16


def linear_to_lab(linear: Floats) -> Floats:
    """Converts linear sRGB to CIE Lab.

    Args:
        linear: `(3, ...)`, linear light in 0..1.

    Returns:
        `(3, ...)`: L in 0..100, a and b in Lab units.
    """
    fx, fy, fz = _lab_curve(_mix(RGB_TO_WHITE_XYZ, linear))
    return np.stack((116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)))


def _mix(matrix: Floats, x: Floats) -> Floats:
    flat, matrix = x.reshape(len(x), -1), matrix.astype(x.dtype)
    mixed = np.empty((len(matrix), flat.shape[1]), x.dtype)
    for start in range(0, flat.shape[1], PART_PIXELS):
        part = slice(start, start + PART_PIXELS)
        np.matmul(matrix, flat[:, part], out=mixed[:, part])
    return mixed.reshape(len(matrix), *x.shape[1:])


def _lab_curve(xyz: Floats) -> Floats:
    bright = np.maximum(xyz, DELTA**3)
    return _power(bright, 1 / 3) + (xyz - bright) * CBRT_SLOPE


def curve_to_linear(f: Floats, cube: Floats | None = None) -> Floats:
    """Undoes the curve of Lab.

    Args:
        f: `(3, P)`, values of the curve for X, Y and Z; the result replaces them.
        cube: memory of the same shape and type for what is computed in between; `None` allocates it.

    Returns:
        `f`, linear sRGB; within 0..1 where the color exists in sRGB.
    """
    # In place: what stays in the processor's cache is several times as fast.
    dark = np.flatnonzero(f < DELTA)
    if 12 * len(dark) < f.size:
        cube = np.multiply(f, f, out=cube)
        cube *= f
        np.put(cube, dark, (np.take(f, dark) - _STRAIGHT_ZERO) / CBRT_SLOPE)
    else:
        # Where the straight piece near black is common: the curved piece of the clamped value and the rest of it.
        bright = np.maximum(f, DELTA, out=cube)
        f -= bright
        f *= 1 / CBRT_SLOPE
        for straight, curved in zip(f, bright, strict=True):
            square = curved * curved
            curved *= square
            curved += straight
        cube = bright
    return np.matmul(WHITE_XYZ_TO_RGB.astype(f.dtype), cube, out=f)


def excess(linear: Floats, centered: Floats | None = None) -> Floats:
    """Computes how far colors lie outside of 0..1.

    Args:
        linear: `(3, P)`, linear sRGB.
        centered: memory of the same shape and type for what is computed in between; `None` allocates it.

    Returns:
        `(P,)`: the distance from 0..1 of the channel that lies farthest outside; negative inside, the distance from
        the border.
    """
    centered = np.subtract(linear, 0.5, out=centered)
    red, green, blue = np.abs(centered, out=centered)
    beyond: Floats = np.maximum(red, green, out=red)
    np.maximum(beyond, blue, out=beyond)
    beyond -= 0.5
    return beyond


def largest_scale(lightness: Floats, ab: Floats) -> Floats:
    """Finds how far chroma may go toward its full value within the gamut of sRGB, at constant L and hue.

    Args:
        lightness: `(P,)`, L in 0..100.
        ab: `(2, P)` in Lab units, outside of the gamut at full value.

    Returns:
        `(P,)`, factors in 0..1, by bisection to about a millionth.

    Example:
        >>> bool(largest_scale(np.array([50.0]), np.array([[90.0], [90.0]]))[0] < 1)
        True
    """
    gray = (lightness + 16) / 116
    reach = np.stack((ab[0] / 500, np.zeros_like(ab[0]), ab[1] / -200))
    found = np.empty_like(gray)
    for start in range(0, len(gray), _SEARCHED):
        part = slice(start, start + _SEARCHED)
        found[part] = _bisected(gray[part], reach[:, part])
    return found


def _bisected(gray: Floats, reach: Floats) -> Floats:
    scale, step = np.full_like(gray, 0.5), 0.5
    for _ in range(_BISECTIONS):
        step /= 2
        curve = reach * scale
        curve += gray
        scale -= step * np.sign(excess(curve_to_linear(curve)) - GAMUT_TOLERANCE)
    # Less twice the last step, so that it lies inside.
    return np.maximum(scale - 2 * step, 0)


@functools.cache
def linear_of(dtype: np.dtype[Any]) -> Floats:
    """Linear light of every value of an integer type, float32 in 0..1, by table."""
    largest = np.iinfo(dtype).max
    return srgb_to_linear(np.arange(largest + 1) / largest).astype(np.float32)


@functools.cache
def lightness_of(dtype: np.dtype[Any]) -> Floats:
    """L of every gray value of an integer type, float32 in 0..100, by table."""
    return linear_to_lightness(linear_of(dtype).astype(np.float64)[None]).astype(np.float32)


def encode_8bit(linear: Floats) -> npt.NDArray[np.uint8]:
    """Computes 8-bit sRGB of linear light, by table.

    Where that lies within 0.03 of the middle between two values, either of them may come out.

    Args:
        linear: any shape, linear light; what lies outside of 0..1 counts as 0 or 1.

    Returns:
        The same shape.

    Example:
        >>> encode_8bit(np.array([0.0, 0.5, 1.0], np.float32)).tolist()
        [0, 188, 255]
    """
    level = np.empty(linear.shape, np.int32)
    np.multiply(linear, _LEVELS, out=level, casting="unsafe")
    return np.take(_8bit_of_linear(), level, mode="clip")


@functools.cache
def _8bit_of_linear() -> npt.NDArray[np.uint8]:
    """The 8-bit value of each of `_LEVELS + 1` steps of linear light."""
    middles = (np.arange(_LEVELS + 1) + 0.5) / (_LEVELS + 1)
    return np.round(linear_to_srgb(middles).clip(max=1) * 255).astype(np.uint8)
