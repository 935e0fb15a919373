"""From a Pillow image of any mode to upright sRGB pixels, and back."""

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from artcolor.color.rows import Rows, row_strips, strips_of
from artcolor.errors import ImageError
from artcolor.images.color_management import stated_profile, to_srgb, usable
from artcolor.images.metadata import ORIENTATION, kept, tag
from artcolor.images.notices import warn

# Floats that are at most so far outside were meant to lie in 0..1; of these, so much is rounding.
_OVERSHOOT, _ROUNDING = 0.25, 1e-3
# A peak below this is too dark for 0..255 and too bright for 0..1: who wrote it meant something else.
_LEAST_OF_255 = 16

Array = npt.NDArray[Any]

# What brings a picture of each EXIF orientation upright. All are views, so none takes memory.
_UPRIGHT: Mapping[int, Callable[[Array], Array]] = {
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x.swapaxes(0, 1)[:, ::-1],
    7: lambda x: x.swapaxes(0, 1)[::-1, ::-1],
    8: lambda x: x.swapaxes(0, 1)[::-1],
}


@dataclass
class Picture:
    """A decoded picture, upright and in sRGB, with the metadata to keep.

    Attributes:
        rows: `(H, W)` gray or `(H, W, 3)`, uint8, uint16 or float32 in 0..1: an array, or an object that
            computes it strip by strip.
        alpha: `(H, W)`, uint8 or uint16, or `None`.
        info: what saving needs to know, under Pillow's names where it has one: `exif`, `xmp`, `dpi`, `comment`, `text`,
            `iptc`, `icc_profile`; of an animation `duration`, `loop` and `default_image`; and how the file was made:
            `format`, `quality`, `subsampling`, `progressive`, `lossless`, `compression`, `big_tiff`.
    """

    rows: Rows
    alpha: Array | None = None
    info: dict[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def pixels(self) -> Array:
        """All rows as an array, kept once it is made. `rows` takes no more memory than a strip."""
        return np.asarray(self.rows)

    @property
    def transparent(self) -> bool:
        """Whether any pixel is transparent."""
        return self.alpha is not None and bool(self.alpha.min() < np.iinfo(self.alpha.dtype).max)


def decode(image: Image.Image, file: IO[bytes] | None = None) -> Picture:
    """Turns a Pillow image of any mode into upright sRGB pixels, alpha and metadata.

    Args:
        image: image of any mode.
        file: the file that it was opened from, for what Pillow leaves unread; `None` if it was made in memory.

    Raises:
        ImageError: its values are not those of a picture.

    Example:
        >>> decode(Image.new("CMYK", (5, 4))).pixels.shape
        (4, 5, 3)
    """
    if 0 in image.size:
        raise ImageError(f"the picture is empty: {image.width} × {image.height} pixels")
    # First, as reading EXIF makes Pillow decode a PNG, and forget how many bits it had.
    _scale_transparency(image)
    stored = tag(image, ORIENTATION)
    profile = stated_profile(image, file)
    image.load()
    if image.mode.startswith(("I", "F")):
        pixels, alpha = _high_depth(image)
        pixels = to_srgb(pixels, "gray", profile)
    else:
        pixels, alpha = _eight_bits(image, profile)
    # Pillow turns some files by itself, and then forgets that it did; so does pillow-heif, which notes how.
    before = image.info.get("original_orientation")
    turn = before is None and tag(image, ORIENTATION) == stored
    return upright(image, pixels, alpha, stored if before is None else before, turn=turn)


def _scale_transparency(image: Image.Image) -> None:
    """Brings the transparent gray of a PNG of 1, 2 or 4 bits to the 8 bits that Pillow gives its pixels."""
    transparent = image.info.get("transparency")
    if image.format != "PNG" or image.mode not in ("1", "L") or not isinstance(transparent, int):
        return
    for tile in getattr(image, "tile", []):
        bits = {"1": 1, "L;2": 2, "L;4": 4}.get(str(tile.args))
        if bits is not None:
            # Of one bit, recent versions of Pillow have scaled it already.
            scale = (1 << bits) - 1
            image.info["transparency"] = (transparent & scale) * 255 // scale


def upright(
    image: Image.Image, pixels: Array, alpha: Array | None, orientation: int | None, *, turn: bool = True
) -> Picture:
    """Turns decoded pixels upright by the image's EXIF orientation, and adds the metadata to keep.

    Args:
        image: where they come from.
        pixels: `(H, W)` or `(H, W, 3)`.
        alpha: `(H, W)` or `None`.
        orientation: orientation of the file, by EXIF: 1 to 8; all else is upright.
        turn: whether the pixels still lie as the file holds them, and must be turned.
    """
    towards = _UPRIGHT.get(orientation or 1) if turn else None
    if towards is not None:
        pixels = np.ascontiguousarray(towards(pixels))
        alpha = None if alpha is None else np.ascontiguousarray(towards(alpha))
    height, width = pixels.shape[:2]
    return Picture(
        pixels, alpha, kept(image, width, height, turned=orientation in (5, 6, 7, 8), moved=orientation in _UPRIGHT)
    )


def _high_depth(image: Image.Image) -> tuple[Array, Array | None]:
    """Gray of more than 8 bits, as uint16 or float32 in 0..1. `Image.convert("L")` would clip it."""
    values = _filled(image, (image.height, image.width), np.asarray(image.crop((0, 0, 1, 1))).dtype)
    if image.mode.startswith("I;16"):
        alpha = None
        if isinstance(image.info.get("transparency"), int):
            alpha = np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)
        return values.astype(np.uint16, copy=False), alpha
    if image.mode == "F":
        return in_unit_range(values), None
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ImageError(f"an integer picture must be in 0..65535, but contains {low} to {high}")
    return values.astype(np.uint16), None


def in_unit_range(values: Array, what: str = "float picture", *, bytes_allowed: bool = True) -> Array:
    """Checks pixels of floating point, and brings them into 0..1.

    What resizing and sharpening leave a little outside is clipped; beyond a thousandth with a warning.

    Args:
        values: values of any shape.
        what: names them in messages.
        bytes_allowed: whether they may lie in 0..255 instead.

    Returns:
        float32 of the same shape, in 0..1.

    Raises:
        ImageError: they hold NaN or infinity, or lie too far outside.

    Example:
        >>> in_unit_range(np.array([0.0, 0.5, 1.0005])).tolist()
        [0.0, 0.5, 1.0]
    """
    low, high = float(values.min()), float(values.max())
    limit = unit_limit(low, high, what, bytes_allowed=bytes_allowed)
    result = values.astype(np.float32)
    result /= limit
    return np.clip(result, 0, 1, out=result)


def unit_limit(low: float, high: float, what: str = "float picture", *, bytes_allowed: bool = True) -> float:
    """Finds out which value of floating point is white; `in_unit_range` without the pixels.

    Args:
        low: the smallest value.
        high: the largest value.
        what: names them in messages.
        bytes_allowed: whether they may lie in 0..255.

    Returns:
        1 or 255.

    Raises:
        ImageError: the values hold NaN or infinity, or lie too far outside.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ImageError(f"the {what} holds NaN or infinity")
    limit = 255.0 if bytes_allowed and high > 1 + _OVERSHOOT else 1.0
    above = _OVERSHOOT if limit == 1 else _ROUNDING
    if low < -_OVERSHOOT * limit or high > limit * (1 + above) or (limit == 255 and high < _LEAST_OF_255):
        allowed = "0..1 or 0..255, so scale them first" if bytes_allowed else "0..1 (divide by 255?)"
        raise ImageError(f"the {what} contains {low:.9g} to {high:.9g}; floats must be in {allowed}")
    if low < -_ROUNDING * limit or high > limit * (1 + _ROUNDING):
        warn(f"the {what} holds {low:.9g} to {high:.9g}, which is clipped to 0..{limit:g}")
    return limit


def _without_alpha(image: Image.Image) -> tuple[Image.Image, Array | None]:
    """Splits a picture of up to 8 bits into opaque pixels and alpha."""
    straight = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}
    if image.mode in straight:
        image = image.convert(straight[image.mode])
    if image.mode == "1":
        # Pillow would translate the transparent gray as if it were a color.
        transparent = image.info.get("transparency")
        image = image.convert("L")
        image.info |= {} if transparent is None else {"transparency": transparent}
    if image.mode == "P" or (image.mode in ("L", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode not in ("LA", "RGBA"):
        return image, None
    alpha = np.asarray(image.getchannel("A"))
    channels = [image.getchannel(band) for band in image.getbands()[:-1]]
    opaque = Image.merge("L" if len(channels) == 1 else "RGB", channels)
    opaque.info.update(image.info)
    return opaque, alpha


def _strips(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Parts of all columns and some rows: whole, NumPy's and LittleCMS's copies would fill three times the memory."""
    for rows in strips_of(image.height, image.width):
        box = (0, rows.start, image.width, rows.stop)
        # `crop` compares with Pillow's own limit of pixels, which is not that of this file.
        yield rows, image if box == (0, 0, *image.size) else image.crop(box)


def _filled(image: Image.Image, shape: tuple[int, ...], dtype: Any) -> Array:
    values = np.empty(shape, dtype)
    for rows, strip in _strips(image):
        values[rows] = np.asarray(strip)
    return values


def _eight_bits(image: Image.Image, profile: bytes | None) -> tuple[Array, Array | None]:
    """Pixels of up to 8 bits in sRGB, and alpha."""
    pixels = alpha = convert = None
    for rows, strip in _strips(image):
        opaque, part = _without_alpha(strip)
        convert = convert or _conversion(opaque, profile)
        seen = convert(opaque)
        if pixels is None:
            pixels = np.empty((image.height, *seen.shape[1:]), np.uint8)
            alpha = None if part is None else np.empty((image.height, image.width), np.uint8)
        pixels[rows] = seen
        if alpha is not None and part is not None:
            alpha[rows] = part
    assert pixels is not None
    return pixels, alpha


def _conversion(image: Image.Image, profile: bytes | None) -> Callable[[Image.Image], Array]:
    """How strips of an opaque image of this mode become sRGB, or gray of the same curve."""
    if image.mode == "LAB":
        return lambda strip: at_depth(to_srgb(_lab_of(strip), "lab", None), 8)
    mode = image.mode if image.mode in ("L", "CMYK") else "RGB"
    space = {"L": "gray", "CMYK": "cmyk"}.get(mode, "rgb")
    known = profile if usable(profile, space) else None
    return lambda strip: to_srgb(np.asarray(strip if strip.mode == mode else strip.convert(mode)), space, known)


def _lab_of(image: Image.Image) -> Array:
    """L in 0..100 and ab in Lab units, of an image of mode LAB."""
    stored = np.asarray(image)
    return np.dstack((stored[..., 0] * np.float32(100 / 255), stored[..., 1:].view(np.int8).astype(np.float32)))


def encode(picture: Picture, rgb: npt.NDArray[Any]) -> Image.Image:
    """Creates a Pillow image from colored pixels, with the alpha and metadata of the original.

    Args:
        picture: the original.
        rgb: `(H, W, 3)`, uint8, uint16 or float in 0..1. Pillow holds 8 bits per channel, so deeper ones are rounded.

    Returns:
        An image of mode RGB, or RGBA if there is alpha.
    """
    image = Image.fromarray(at_depth(rgb, 8))
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(at_depth(picture.alpha, 8)))
    image.info.update(picture.info)
    return image


def opaque_rgb(picture: Picture) -> Array:
    """The pixels of a picture as 8-bit RGB over white.

    Args:
        picture: picture of any depth, with or without color and alpha.

    Returns:
        `(H, W, 3)`, uint8.
    """
    rgb = Image.fromarray(at_depth(picture.pixels, 8)).convert("RGB")
    if picture.alpha is not None:
        white = Image.new("RGB", rgb.size, "white")
        white.paste(rgb, mask=Image.fromarray(at_depth(picture.alpha, 8)))
        rgb = white
    return np.asarray(rgb)


def at_depth(values: npt.NDArray[Any], depth: int) -> npt.NDArray[Any]:
    """Rounds to a number of bits per channel; values that have it already are returned unchanged.

    Args:
        values: uint8, uint16, or float in 0..1.
        depth: 8 or 16.

    Returns:
        uint8 or uint16, of the same shape.

    Example:
        >>> at_depth(np.array([0, 300, 65535], np.uint16), 8), at_depth(np.array([255], np.uint8), 16)
        (array([  0,   1, 255], dtype=uint8), array([65535], dtype=uint16))
    """
    wanted = np.dtype(np.uint8 if depth == 8 else np.uint16)
    if values.dtype == wanted:
        return values
    if values.ndim < 2:
        return _rounded(values, wanted)
    # Between the types lie wider ones, which would fill several times the memory.
    result = np.empty(values.shape, wanted)
    for rows in row_strips(values):
        result[rows] = _rounded(values[rows], wanted)
    return result


def _rounded(values: Array, wanted: np.dtype[Any]) -> Array:
    if values.dtype == np.uint8:
        return values.astype(np.uint16) * np.uint16(257)
    if values.dtype == np.uint16:
        return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    scaled: Array = np.round(values * np.iinfo(wanted).max).astype(wanted)
    return scaled
