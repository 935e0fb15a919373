"""What the numbers of a TIFF page mean: ranges, palettes, YCbCr and Lab. Pages are changed in place where possible."""

import logging
from typing import Any

import numpy as np
from tifffile import TiffPage

from artcolor.color.rows import row_strips
from artcolor.errors import ImageError
from artcolor.images.picture import at_depth
from artcolor.images.tiff_layout import CIELAB, Layout
from artcolor.images.tiff_samples import Array, Samples

_LOG = logging.getLogger(__name__)

_MAX_SAMPLE_VALUE, _S_MAX_SAMPLE_VALUE = 281, 341
# Resizing and sharpening overshoot 0..1 by up to this much; so much is rounding.
_OVERSHOOT, _ROUNDING = 0.5, 1e-3
# With a smaller maximum, a picture in 0..255 would be black: it is more likely to be high dynamic range.
_LEAST_OF_255 = 16
_LUMA = (0.299, 0.587, 0.114)


def in_unit_range(color: Array, alpha: Array | None, low: float, high: float) -> tuple[Array, Array | None]:
    """Brings floating point into 0..1, in place.

    Args:
        color: float32, in 0..1 or 0..255.
        alpha: float32 in the same range, or `None`.
        low: the least value of color.
        high: the largest value of color.

    Raises:
        ImageError: the values lie elsewhere.

    Example:
        >>> in_unit_range(np.array([[0, 51, 255]], np.float32), None, 0, 255)[0].round(2).tolist()
        [[0.0, 0.20000000298023224, 1.0]]
    """
    limit = 1 if high <= 1 + _OVERSHOOT else 255
    above = _OVERSHOOT if limit == 1 else _ROUNDING
    if low < -_OVERSHOOT * limit or high > limit * (1 + above) or (limit == 255 and high < _LEAST_OF_255):
        raise ImageError(
            f"the float picture holds {low:.9g} to {high:.9g}; floats must lie in 0..1 or 0..255, so scale them first"
        )
    if low < -_ROUNDING * limit or high > limit * (1 + _ROUNDING):
        _LOG.warning("the float picture holds %.9g to %.9g, which is clipped to 0..%d", low, high, limit)
    for values in (color, alpha):
        if values is not None:
            for rows in row_strips(values):
                np.clip(values[rows] / np.float32(limit), 0, 1, out=values[rows])
    return color, alpha


def of_full_range(layout: Layout, samples: Samples, page: TiffPage) -> tuple[Array, Array | None]:
    """Scales integers to all of 8 or 16 bits, in place if they have no more.

    Args:
        layout: of the page.
        samples: as they were decoded.
        page: its directory, which may say how large a sample can be.

    Raises:
        ImageError: they are negative, or so small that their range cannot be told.
    """
    if samples.low < 0:
        raise ImageError(
            f"its samples are signed integers from {samples.low}; negative ones have no meaning as a color"
        )
    top = _largest(layout, samples, page)
    color, alpha = (None if each is None else _stretched(each, top) for each in (samples.color, samples.alpha))
    assert color is not None
    return color, alpha


def _largest(layout: Layout, samples: Samples, page: TiffPage) -> int:
    """The value that means full intensity."""
    bits = layout.bits - (layout.kind == "i")
    top: int = (1 << bits) - 1
    high = int(samples.high)
    if layout.bits > 16:
        if high <= 65535:
            _LOG.warning("its samples have %d bits, but are no larger than %d: read as 16 bits", layout.bits, high)
            return 65535
        if high < top >> 8:
            raise ImageError(
                f"its samples are integers up to {high}, of {layout.bits} bits; it is unclear which value is white, so "
                "scale them to 16 bits first"
            )
        _LOG.warning("its samples have %d bits, of which 16 are read", layout.bits)
    elif layout.bits == 16 and (stated := _stated(page)) and high <= stated < top:
        return stated
    elif layout.bits == 16 and 0 < high <= 4095:
        _LOG.warning(
            "its samples have 16 bits, but are no larger than %d; if they were meant to have fewer bits, the picture "
            "is read too dark: let MaxSampleValue (TIFF tag 281) say so",
            high,
        )
    return top


def _stated(page: TiffPage) -> int | None:
    """What the file says is the largest sample. Many writers note the largest that occurs, which is no scale."""
    for number in (_MAX_SAMPLE_VALUE, _S_MAX_SAMPLE_VALUE):
        value: Any = page.tags.valueof(number)
        value = max(value) if isinstance(value, tuple) and value else value
        if isinstance(value, int | float) and value in (511, 1023, 2047, 4095, 8191, 16383, 32767):
            return int(value)
    return None


def _stretched(values: Array, top: int) -> Array:
    if values.dtype.itemsize > 2:
        result = np.empty(values.shape, np.uint16)
        for rows in row_strips(values):
            result[rows] = (np.minimum(values[rows], top) * (65535 / top)).round()
        return result
    full = np.iinfo(values.dtype).max
    if top != full:
        stored = np.minimum(np.arange(int(full) + 1), top)
        table = ((stored * full + top // 2) // top).astype(values.dtype)
        for rows in row_strips(values):
            values[rows] = table[values[rows]]
    return values


def alpha_alone(alpha: Array | None, layout: Layout) -> Array | None:
    """Scales the alpha of a page whose colors have a scale of their own, in place if it has 8 or 16 bits.

    Args:
        alpha: `(H, W)`, as stored, or `None`.
        layout: of the page.

    Returns:
        uint8 or uint16, or `None`.
    """
    if alpha is None:
        return None
    if layout.kind == "f":
        return at_depth(alpha.clip(0, 1), 16)
    return _stretched(alpha, (1 << layout.bits) - 1)


def straight(color: Array, alpha: Array) -> None:
    """Divides color by the alpha that it was multiplied with, in place.

    Args:
        color: `(H, W)` or `(H, W, C)`.
        alpha: `(H, W)`, of the same type.
    """
    full = 1 if color.dtype.kind == "f" else np.iinfo(color.dtype).max
    for rows in row_strips(color):
        share = alpha[rows].astype(np.float32) / full
        share = share if color.ndim == 2 else share[..., None]
        divided = np.divide(color[rows], share, out=np.zeros(color[rows].shape, np.float32), where=share > 0)
        color[rows] = (divided if full == 1 else divided.round()).clip(0, full)


def looked_up(indices: Array, layout: Layout, color_map: Any) -> Array:
    """The colors of a picture with a palette.

    Args:
        indices: `(H, W)`, as stored.
        layout: of the page.
        color_map: tag 320: all reds, then all greens, then all blues, of 16 bits.

    Returns:
        `(H, W, 3)`, uint8 if that is all that the palette has, otherwise uint16.

    Raises:
        ImageError: there is no palette, or it is too short.
    """
    if layout.kind != "u" or layout.bits > 16 or np.size(color_map) % 3 or np.size(color_map) < 3 << layout.bits:
        raise ImageError("the palette of the picture is missing or too short")
    table = np.array(color_map, np.uint16).reshape(3, -1)[:, : 1 << layout.bits].T
    if not (table % 257).any():
        table = (table // 257).astype(np.uint8)
    elif not (table % 256).any():
        # Pillow, among others, shifts 8 bits up.
        table = (table >> 8).astype(np.uint8)
    elif table.max() < 256:
        # Some old writers store 8 bits.
        table = table.astype(np.uint8)
    result = np.empty((*indices.shape, 3), table.dtype)
    for rows in row_strips(indices):
        result[rows] = table[indices[rows]]
    return result


def rgb_of_ycbcr(color: Array, layout: Layout, coefficients: Any, reference: Any) -> None:
    """Turns YCbCr into RGB, in place (TIFF 6.0, section 21).

    Args:
        color: `(H, W, 3)`, in the full range of its type, or float32 in 0..1.
        layout: of the page.
        coefficients: tag 529, shares of red, green and blue in luma, as pairs of integers; `None` for those of BT.601.
        reference: tag 532, what black and white are stored as in each channel, as pairs; `None` for the full range.
    """
    red, green, blue = _fractions(coefficients, 3) or _LUMA
    if not min(red, green, blue) > 0:
        raise ImageError("the YCbCr coefficients of the picture make no sense")
    full = 1.0 if color.dtype.kind == "f" else float(np.iinfo(color.dtype).max)
    stored = 1.0 if layout.kind == "f" else float((1 << layout.bits) - 1)
    half = (stored + 1) / 2 if stored > 1 else 0.5
    bounds = _fractions(reference, 6) or (0, stored, half, stored, half, stored)
    luma0, luma1, cb0, cb1, cr0, cr1 = (bound * full / stored for bound in bounds)
    if min(luma1 - luma0, cb1 - cb0, cr1 - cr0) <= 0:
        raise ImageError("the reference black and white of the picture make no sense")
    # White of chroma is 127 steps from its black, where luma has 255.
    chroma = full * (stored - half) / stored
    for rows in row_strips(color):
        luma, cb, cr = np.moveaxis(color[rows].astype(np.float32), -1, 0)
        luma = (luma - luma0) * (full / (luma1 - luma0))
        cb = (cb - cb0) * (chroma / (cb1 - cb0))
        cr = (cr - cr0) * (chroma / (cr1 - cr0))
        r, b = luma + cr * (2 - 2 * red), luma + cb * (2 - 2 * blue)
        rgb = np.stack((r, (luma - blue * b - red * r) / green, b), axis=-1).clip(0, full)
        color[rows] = rgb if color.dtype.kind == "f" else rgb.round()


def _fractions(value: Any, count: int) -> tuple[float, ...] | None:
    if not isinstance(value, tuple) or len(value) < 2 * count:
        return None
    pairs = zip(value[0 : 2 * count : 2], value[1 : 2 * count : 2], strict=True)
    return tuple(above / below if below else 0.0 for above, below in pairs)


def lab(stored: Array, layout: Layout) -> Array:
    """L in 0..100, and a and b in Lab units, from what a TIFF stores (TIFF 6.0, section 23; Technical Note 4).

    Args:
        stored: `(H, W, 3)`, or `(H, W)` for lightness alone.
        layout: of the page.

    Returns:
        `(H, W, 3)`, float32.

    Raises:
        ImageError: Lab is not stored like this in so many bits.
    """
    if layout.kind != "f" and layout.bits not in (8, 16):
        raise ImageError(f"Lab of {layout.bits} bits is not supported")
    color = stored if stored.ndim == 3 else stored[..., None]
    result = np.zeros((*color.shape[:2], 3), np.float32)
    if layout.kind == "f":
        result[..., : color.shape[2]] = color
        return result
    small = 1 if layout.bits == 8 else 256
    # CIELab stores a and b signed; ICCLab adds 128 to them, and in 16 bits reaches L = 100 at 65280.
    if layout.photometric == CIELAB:
        result[..., 0] = color[..., 0] * np.float32(100 / (256 * small - 1))
        signed = np.ascontiguousarray(color[..., 1:]).view(f"i{layout.bits // 8}")
        result[..., 1 : color.shape[2]] = signed / np.float32(small)
    else:
        result[..., 0] = color[..., 0] * np.float32(100 / (255 * small))
        result[..., 1 : color.shape[2]] = color[..., 1:] / np.float32(small) - 128
    return result
