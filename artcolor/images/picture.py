"""From a Pillow image of any mode to upright sRGB pixels, and back."""

import functools
import importlib
import io
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from artcolor.color.rows import Rows, row_strips, strips_of
from artcolor.errors import ImageError
from artcolor.images.metadata import ORIENTATION, SRGB, kept, tag

_LOG = logging.getLogger(__name__)
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0

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
    """A decoded picture, upright and in sRGB, and what of it must survive.

    Attributes:
        rows: `(H, W)` gray or `(H, W, 3)`, uint8, uint16 or float32 in 0..1: an array, or what makes it strip by strip.
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
        """Whether it can be seen through anywhere."""
        return self.alpha is not None and bool(self.alpha.min() < np.iinfo(self.alpha.dtype).max)


def decode(image: Image.Image) -> Picture:
    """Turns a Pillow image of any mode into upright sRGB pixels, alpha and metadata.

    Args:
        image: of any mode.

    Raises:
        ImageError: its numbers have no meaning as a picture.

    Example:
        >>> decode(Image.new("CMYK", (5, 4))).pixels.shape
        (4, 5, 3)
    """
    if 0 in image.size:
        raise ImageError(f"the picture is empty: {image.width} × {image.height} pixels")
    stored = tag(image, ORIENTATION)
    image.load()
    if image.mode.startswith(("I", "F")):
        pixels, alpha = _high_depth(image)
        if image.mode != "F":
            pixels = to_srgb_16bit(pixels, image.info.get("icc_profile"))
    else:
        pixels, alpha = _eight_bits(image)
    # Pillow turns TIFF by itself, and then forgets that it did.
    return upright(image, pixels, alpha, stored, turn=tag(image, ORIENTATION) == stored)


def upright(
    image: Image.Image, pixels: Array, alpha: Array | None, orientation: int | None, *, turn: bool = True
) -> Picture:
    """Turns decoded pixels as the image's EXIF says, and adds what must survive of it.

    Args:
        image: where they come from.
        pixels: `(H, W)` or `(H, W, 3)`.
        alpha: `(H, W)` or `None`.
        orientation: of the file, by EXIF: 1 to 8; all else is upright.
        turn: the pixels still lie as the file holds them.
    """
    towards = _UPRIGHT.get(orientation or 1) if turn else None
    if towards is not None:
        pixels = np.ascontiguousarray(towards(pixels))
        alpha = None if alpha is None else np.ascontiguousarray(towards(alpha))
    height, width = pixels.shape[:2]
    return Picture(pixels, alpha, kept(image, width, height, turned=orientation in (5, 6, 7, 8)))


def _high_depth(image: Image.Image) -> tuple[Array, Array | None]:
    """Gray of more than 8 bits, as uint16 or float32 in 0..1. `Image.convert("L")` would clip it."""
    values = _filled(image, (image.height, image.width), np.asarray(image.crop((0, 0, 1, 1))).dtype)
    tags = getattr(image, "tag_v2", {})
    inverted = tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    if image.mode.startswith("I;16"):
        alpha = None
        if isinstance(image.info.get("transparency"), int):
            alpha = np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)
        pixels: Array = values.astype(np.uint16, copy=False)
        if tags.get(_BITS) in (12, (12,)):
            # Pillow hands 12 bits over as they are.
            pixels = pixels << 4 | pixels >> 8
        return 65535 - pixels if inverted else pixels, alpha
    if not np.isfinite(values).all():
        raise ImageError("the picture holds NaN or infinity")
    low, high = float(values.min()), float(values.max())
    if image.mode == "F":
        limit = 1.0 if high <= 1 else 255.0
        if low < 0 or high > limit:
            raise ImageError(f"a float picture must lie in 0..1 or 0..255, but holds {low:g} to {high:g}")
        pixels = (values / limit).astype(np.float32)
        return 1 - pixels if inverted else pixels, None
    if low < 0 or high > 65535:
        raise ImageError(f"an integer picture must lie in 0..65535, but holds {low:g} to {high:g}")
    return values.astype(np.uint16), None


def _without_alpha(image: Image.Image) -> tuple[Image.Image, Array | None]:
    """Splits a picture of up to 8 bits into opaque pixels and alpha."""
    straight = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}
    if image.mode in straight:
        image = image.convert(straight[image.mode])
    elif image.mode == "P" or (image.mode in ("1", "L", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
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
        yield rows, image.crop((0, rows.start, image.width, rows.stop))


def _filled(image: Image.Image, shape: tuple[int, ...], dtype: Any) -> Array:
    values = np.empty(shape, dtype)
    for rows, strip in _strips(image):
        values[rows] = np.asarray(strip)
    return values


def _eight_bits(image: Image.Image) -> tuple[Array, Array | None]:
    """Pixels of up to 8 bits in sRGB, and alpha."""
    pixels = alpha = convert = None
    for rows, strip in _strips(image):
        opaque, part = _without_alpha(strip)
        convert = convert or _conversion(opaque)
        seen = np.asarray(convert(opaque))
        if pixels is None:
            pixels = np.empty((image.height, *seen.shape[1:]), np.uint8)
            alpha = None if part is None else np.empty((image.height, image.width), np.uint8)
        pixels[rows] = seen
        if alpha is not None and part is not None:
            alpha[rows] = part
    assert pixels is not None
    return pixels, alpha


def _conversion(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """How an opaque image of this mode and profile becomes sRGB, or gray of the same curve."""
    mode = image.mode if image.mode in ("L", "CMYK", "LAB") else "RGB"
    target = "L" if mode == "L" else "RGB"
    profile = image.info.get("icc_profile")
    if profile or mode == "LAB":
        try:
            source = ImageCms.ImageCmsProfile(
                ImageCms.createProfile("LAB") if mode == "LAB" else io.BytesIO(profile or b"")
            )
            if mode == "L":
                # LittleCMS has no gray sRGB to go to, so what the profile makes of gray is looked up in a table.
                table = _gray_table(source)
                return lambda strip: strip.point(table)
            transform = ImageCms.buildTransform(source, _srgb_profile(), mode, "RGB")
            return lambda strip: _applied(transform, strip if strip.mode == mode else strip.convert(mode))
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            _ignore_profile(error)
    return lambda strip: strip if strip.mode == target else strip.convert(target)


def _srgb_profile() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(SRGB))


def _applied(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None
    return converted


def _gray_table(profile: ImageCms.ImageCmsProfile) -> list[int]:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    # Gray files often carry the profile of the color scan that they were made from.
    ramp = ramp if profile.profile.xcolor_space.strip() == "GRAY" else ramp.convert("RGB")
    transform = ImageCms.buildTransform(profile, _srgb_profile(), ramp.mode, "RGB")
    return list(_applied(transform, ramp).getchannel("G").tobytes())


def to_srgb_16bit(pixels: Array, profile: bytes | None) -> Array:
    """Converts 16-bit gray or RGB through the profile it came with.

    Args:
        pixels: `(H, W)` or `(H, W, 3)`, uint16.
        profile: ICC, or `None`.

    Returns:
        The same shape and type, in sRGB.
    """
    if not profile:
        return pixels
    try:
        if pixels.ndim == 2:
            table = _gray_table_16bit(profile)
            seen: Array = table[pixels]
            return seen
        codecs = importlib.import_module("imagecodecs")
        converted = np.empty_like(pixels)
        for rows in row_strips(pixels):
            converted[rows] = codecs.cms_transform(
                np.ascontiguousarray(pixels[rows]),
                profile,
                SRGB,
                colorspace="rgb",
                outcolorspace="rgb",
                outdtype="uint16",
                flags=codecs.CMS.FLAGS.NOOPTIMIZE,
            )
        return converted
    except (ImageCms.PyCMSError, OSError, ValueError, RuntimeError) as error:
        _ignore_profile(error)
        return pixels


def _gray_table_16bit(profile: bytes) -> Array:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    ramp = np.arange(65536, dtype=np.uint16)[None]
    try:
        codecs = importlib.import_module("imagecodecs")
    except ImportError:
        # Results then have 8 bits, for which a table made of 8 bits is enough.
        table: Array = np.interp(ramp[0] / 257, np.arange(256), _gray_table(source)) * 257
        table = np.round(table).astype(np.uint16)
        return table
    gray = source.profile.xcolor_space.strip() == "GRAY"
    converted: Array = codecs.cms_transform(
        ramp if gray else np.repeat(ramp[..., None], 3, axis=-1),
        profile,
        SRGB,
        colorspace="gray" if gray else "rgb",
        outcolorspace="rgb",
        outdtype="uint16",
        # Its shortcuts are off by 350 of 65535 in the shadows.
        flags=codecs.CMS.FLAGS.NOOPTIMIZE,
    )
    return converted[0, :, 1]


def _ignore_profile(error: Exception) -> None:
    _LOG.warning("the color profile of the picture is ignored: %s", error)


def encode(picture: Picture, rgb: npt.NDArray[Any]) -> Image.Image:
    """Makes a Pillow image of colored pixels, with the alpha and metadata of the picture they came from.

    Args:
        picture: the original.
        rgb: `(H, W, 3)`, uint8, uint16 or float in 0..1. Pillow holds 8 bits a channel, so deeper ones are rounded.

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
        picture: of any depth, with or without color and alpha.

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
    """Rounds to so many bits a channel; what has them already comes back itself.

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
