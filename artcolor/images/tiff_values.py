"""Converting TIFF samples: ranges, palettes, YCbCr and Lab. Large arrays are changed in place where possible."""

from typing import Any

import numpy as np
from tifffile import TiffPage

from artcolor.color.rows import row_strips
from artcolor.errors import ImageError
from artcolor.images.notices import warn
from artcolor.images.picture import at_depth, unit_limit
from artcolor.images.tiff_layout import CIELAB, Layout
from artcolor.images.tiff_samples import Array, Samples

_MAX_SAMPLE_VALUE, _S_MAX_SAMPLE_VALUE = 281, 341
# Shares of the range: what resizing and sharpening may overshoot it by, and what is rounding.
# A picture with a smaller maximum would be black in 0..255; it is more likely to be high dynamic range.
_LUMA = (0.299, 0.587, 0.114)


def in_unit_range(color: Array, alpha: Array | None, low: float, high: float) -> tuple[Array, Array | None]:
    """Scales and clips floats to 0..1, in place.

    Args:
        color: float32 samples in 0..1 or 0..255.
        alpha: float32 samples in the same range, or `None`.
        low: the smallest color sample.
        high: the largest color sample.

    Returns:
        The color and alpha that were passed.

    Raises:
        ImageError: the samples lie too far outside of both ranges.

    Example:
        >>> in_unit_range(np.array([[0, 51, 255]], np.float32), None, 0, 255)[0].round(2).tolist()
        [[0.0, 0.20000000298023224, 1.0]]
    """
    limit = unit_limit(low, high)
    for values in (color, alpha):
        if values is not None:
            for rows in row_strips(values):
                np.clip(values[rows] / np.float32(limit), 0, 1, out=values[rows])
    return color, alpha


def of_full_range(layout: Layout, samples: Samples, page: TiffPage) -> tuple[Array, Array | None]:
    """Scales integers to the full range of 8 or 16 bits, in place if they have up to 16 bits.

    Args:
        layout: the layout of the samples.
        samples: the decoded samples.
        page: the directory of the page, which may state the largest possible sample.

    Returns:
        Color and alpha (or `None`), uint8 or uint16.

    Raises:
        ImageError: samples are negative, or so small that their range is unclear.
    """
    if samples.low < 0:
        raise ImageError(f"its samples are signed integers from {samples.low}; negative colors have no meaning")
    top = _largest(layout, samples, page)
    color, alpha = (None if each is None else _stretched(each, top) for each in (samples.color, samples.alpha))
    assert color is not None
    return color, alpha


def _largest(layout: Layout, samples: Samples, page: TiffPage) -> int:
    """The sample that means full intensity."""
    bits = layout.bits - (layout.kind == "i")
    top: int = (1 << bits) - 1
    high = int(samples.high)
    if layout.bits > 16:
        if high <= 65535:
            warn(f"its samples have {layout.bits} bits, but do not exceed {high}; they are read as 16 bits")
            return 65535
        if high < top >> 8:
            raise ImageError(
                f"its samples are integers up to {high}, of {layout.bits} bits; it is unclear which value is white; "
                "scale them to 16 bits first"
            )
        warn(f"its samples have {layout.bits} bits, of which 16 are read")
    elif layout.bits == 16 and (stated := _stated(page)) and high <= stated < top:
        return stated
    elif layout.bits == 16 and 0 < high <= 4095:
        warn(
            f"its samples have 16 bits, but do not exceed {high}; if they were meant to have fewer bits, the picture "
            "is too dark: state the largest in MaxSampleValue (TIFF tag 281)"
        )
    return top


def _stated(page: TiffPage) -> int | None:
    """The largest possible sample that the file states. Other values are statistics of the picture, not a scale."""
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
    """Scales alpha to the full range of 8 or 16 bits, independently of color.

    Args:
        alpha: stored samples `(H, W)`, or `None`.
        layout: the layout of the samples.

    Returns:
        uint8 or uint16 of the same shape, or `None`.
    """
    if alpha is None:
        return None
    if layout.kind == "f":
        return at_depth(alpha.clip(0, 1), 16)
    return _stretched(alpha, (1 << layout.bits) - 1)


def straight(color: Array, alpha: Array) -> None:
    """Divides premultiplied color by its alpha, in place.

    Args:
        color: `(H, W)` or `(H, W, C)`, integers in their full range or floats in 0..1.
        alpha: `(H, W)`, of the type of color.
    """
    full = 1 if color.dtype.kind == "f" else np.iinfo(color.dtype).max
    for rows in row_strips(color):
        share = alpha[rows].astype(np.float32) / full
        share = share if color.ndim == 2 else share[..., None]
        divided = np.divide(color[rows], share, out=np.zeros(color[rows].shape, np.float32), where=share > 0)
        color[rows] = (divided if full == 1 else divided.round()).clip(0, full)


def looked_up(indices: Array, layout: Layout, color_map: Any) -> Array:
    """Replaces the indices of a palette by its colors.

    Args:
        indices: stored samples `(H, W)`.
        layout: the layout of the samples.
        color_map: the value of tag 320: all reds, then all greens, then all blues, each of 16 bits.

    Returns:
        `(H, W, 3)`, uint8 if the palette has no more than 8 bits, otherwise uint16.

    Raises:
        ImageError: the palette is missing or too short.
    """
    if layout.kind != "u" or layout.bits > 16 or np.size(color_map) % 3 or np.size(color_map) < 3 << layout.bits:
        raise ImageError("the palette of the picture is missing or too short")
    table = np.array(color_map, np.uint16).reshape(3, -1)[:, : 1 << layout.bits].T
    if not (table % 257).any():
        table = (table // 257).astype(np.uint8)
    elif not (table % 256).any():
        # Pillow and others shift 8 bits up.
        table = (table >> 8).astype(np.uint8)
    elif table.max() < 256:
        # Some old writers store 8 bits.
        table = table.astype(np.uint8)
    result = np.empty((*indices.shape, 3), table.dtype)
    for rows in row_strips(indices):
        result[rows] = table[indices[rows]]
    return result


def rgb_of_ycbcr(color: Array, layout: Layout, coefficients: Any, reference: Any) -> None:
    """Converts YCbCr to RGB, in place (TIFF 6.0, section 21).

    Args:
        color: `(H, W, 3)`, integers in their full range or floats in 0..1.
        layout: the layout of the samples.
        coefficients: the value of tag 529: shares of red, green and blue in luma, as numerators and denominators;
            `None` for those of ITU-R BT.601.
        reference: the value of tag 532: black and white of each channel, as numerators and denominators; `None` for the
            full range.

    Raises:
        ImageError: the coefficients or the reference values are invalid.
    """
    red, green, blue = fractions(coefficients, 3) or _LUMA
    if not min(red, green, blue) > 0:
        raise ImageError("the YCbCr coefficients of the picture are invalid; the file is damaged")
    full = 1.0 if color.dtype.kind == "f" else float(np.iinfo(color.dtype).max)
    stored = 1.0 if layout.kind == "f" else float((1 << layout.bits) - 1)
    half = (stored + 1) / 2 if stored > 1 else 0.5
    bounds = fractions(reference, 6) or (0, stored, half, stored, half, stored)
    luma0, luma1, cb0, cb1, cr0, cr1 = (bound * full / stored for bound in bounds)
    if min(luma1 - luma0, cb1 - cb0, cr1 - cr0) <= 0:
        raise ImageError("the reference black and white of the picture are invalid; the file is damaged")
    # Chroma reaches from its reference black to its white in 127 steps where luma takes 255.
    chroma = full * (stored - half) / stored
    for rows in row_strips(color):
        luma, cb, cr = np.moveaxis(color[rows].astype(np.float32), -1, 0)
        luma = (luma - luma0) * (full / (luma1 - luma0))
        cb = (cb - cb0) * (chroma / (cb1 - cb0))
        cr = (cr - cr0) * (chroma / (cr1 - cr0))
        r, b = luma + cr * (2 - 2 * red), luma + cb * (2 - 2 * blue)
        rgb = np.stack((r, (luma - blue * b - red * r) / green, b), axis=-1).clip(0, full)
        color[rows] = rgb if color.dtype.kind == "f" else rgb.round()


def fractions(value: Any, count: int) -> tuple[float, ...] | None:
    """Returns the fractions in a tag as floats.

    Args:
        value: the value of the tag: numerators and denominators in turn.
        count: the number of fractions needed.

    Returns:
        `count` numbers; `None` if the tag is missing or too short.

    Example:
        >>> fractions((1, 2, 3, 4), 2)
        (0.5, 0.75)
    """
    if not isinstance(value, tuple) or len(value) < 2 * count:
        return None
    pairs = zip(value[0 : 2 * count : 2], value[1 : 2 * count : 2], strict=True)
    return tuple(above / below if below else 0.0 for above, below in pairs)


def lab(stored: Array, layout: Layout) -> Array:
    """Decodes CIELab and ICCLab (TIFF 6.0, section 23; Adobe Photoshop TIFF Technical Notes).

    Args:
        stored: samples `(H, W, 3)`, or `(H, W)` for lightness only.
        layout: the layout of the samples.

    Returns:
        float32 `(H, W, 3)`: L in 0..100, a and b in Lab units.

    Raises:
        ImageError: the number of bits is not supported for Lab.
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
