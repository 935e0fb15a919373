"""Converts from the color space that a file states to sRGB: one path for ICC, cICP, gAMA, cHRM and EXIF.

Every statement becomes an ICC profile, and LittleCMS converts through it. A statement that cannot be honored is a
warning that names it; the pixels are then taken as sRGB.
"""

import functools
import io
import struct
from collections.abc import Iterator
from typing import IO, Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from artcolor.color.rows import row_strips
from artcolor.images.jp2 import code_points, jp2_profile
from artcolor.images.notices import warn

Array = npt.NDArray[Any]
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_EXIF_IFD, _INTEROP_IFD, _COLOR_SPACE = 0x8769, 0xA005, 0xA001
_ADOBE_RGB, _UNCALIBRATED = 2, 65535
# Chromaticities as CIE xy: white, red, green, blue.
_D65 = (0.3127, 0.3290)
_BT709 = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES = {
    1: _BT709,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
"""Color primaries by their number in ITU-T H.273; 2 is unspecified."""
_UNSPECIFIED = 2
# From XYZ relative to D50, the white of ICC's Lab, to linear sRGB, adapted by Bradford (Lindbloom, "RGB/XYZ matrices").
_LAB_TO_LINEAR = np.array(
    [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]]
)
# Dividing by the white that these very numbers give makes gray exactly neutral.
_LAB_TO_LINEAR = np.linalg.inv(_LAB_TO_LINEAR)
_LAB_TO_LINEAR = np.linalg.inv(_LAB_TO_LINEAR / _LAB_TO_LINEAR.sum(axis=1, keepdims=True))
_SRGB_CURVE = 13
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_BT709_CURVES = (1, 6, 14, 15)
# libpng takes gammas that differ by less than this share for the same.
_GAMMA_THRESHOLD = 0.05
_SRGB_GAMMA = 0.45455
_TABLE = 4096


def _srgb() -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # LittleCMS writes the time of day, with which the same picture would never make the same file twice.
    profile[24:36] = bytes.fromhex("07e0 0001 0001 0000 0000 0000")
    return bytes(profile)


SRGB = _srgb()
"""The ICC profile of sRGB, always the same bytes."""


def to_srgb(pixels: Array, space: str, profile: bytes | None) -> Array:
    """Converts pixels to sRGB, or gray pixels to gray with the curve of sRGB.

    Args:
        pixels: uint8, uint16, or float32 in 0..1. `(H, W)` for `"gray"`, `(H, W, 3)` for `"rgb"`, `(H, W, 4)` for
            `"cmyk"` (0 is no ink). For `"lab"` float32 `(H, W, 3)`: L in 0..100, a and b in Lab units, relative to D50.
        space: `"gray"`, `"rgb"`, `"cmyk"` or `"lab"`.
        profile: ICC; `None` means sRGB. One that does not fit is ignored with a warning.

    Returns:
        `(H, W)` for gray, otherwise `(H, W, 3)`; of the same type.

    Example:
        >>> wide = imagecodecs.cms_profile("adobergb")
        >>> to_srgb(np.array([[[60, 200, 60]]], np.uint8), "rgb", wide).tolist()
        [[[0, 201, 37]]]
    """
    if space == "lab":
        return _lab_to_srgb(pixels)
    if usable(profile, space):
        assert profile is not None
        return _gray_through(pixels, profile) if space == "gray" else _through(pixels, space, profile)
    return _without_ink(pixels) if space == "cmyk" else pixels


def usable(profile: bytes | None, space: str) -> bool:
    """Returns whether pixels can be converted through a profile; logs a warning if not.

    Args:
        profile: ICC, or `None`.
        space: `"gray"`, `"rgb"` or `"cmyk"`.
    """
    if not profile:
        return False
    try:
        if space == "gray":
            _gray_table(profile)
        else:
            for kind in (np.uint8, np.uint16):
                _through(np.zeros((1, 1, 4 if space == "cmyk" else 3), kind), space, profile)
    except (ImageCms.PyCMSError, imagecodecs.CmsError, OSError, ValueError, RuntimeError) as error:
        warn(f"the color profile of the picture is ignored: {error}")
        return False
    return True


def _through(pixels: Array, space: str, profile: bytes) -> Array:
    converted = np.empty((*pixels.shape[:2], 3), pixels.dtype)
    convert = _in_8_bits(space, profile) if pixels.dtype == np.uint8 else _in_16_bits(space, profile, pixels.dtype)
    for rows in row_strips(pixels):
        converted[rows] = convert(np.ascontiguousarray(pixels[rows]))
    return converted


def _in_8_bits(space: str, profile: bytes) -> Any:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    mode = space.upper()
    transform = ImageCms.buildTransform(source, _srgb_profile(), mode, "RGB")

    def convert(strip: Array) -> Array:
        image = ImageCms.applyTransform(
            Image.frombytes(mode, (strip.shape[1], strip.shape[0]), strip.tobytes()), transform
        )
        assert image is not None
        return np.asarray(image)

    return convert


def _in_16_bits(space: str, profile: bytes, dtype: np.dtype[Any]) -> Any:
    def convert(strip: Array) -> Array:
        # LittleCMS counts ink of floating point in percent.
        strip = strip * 100 if space == "cmyk" and dtype.kind == "f" else strip
        converted: Array = imagecodecs.cms_transform(
            strip,
            profile,
            SRGB,
            colorspace=space,
            outcolorspace="rgb",
            outdtype=str(dtype),
            # Its shortcuts are off by 350 of 65535 in the shadows.
            flags=imagecodecs.CMS.FLAGS.NOOPTIMIZE,
        )
        return converted.clip(0, 1) if dtype.kind == "f" else converted

    return convert


def _gray_through(pixels: Array, profile: bytes) -> Array:
    """LittleCMS has no gray sRGB to go to, so what the profile makes of gray is looked up in a table."""
    table = _gray_table(profile)
    if pixels.dtype == np.uint8:
        eight: Array = _gray_table_8bit(profile)[pixels]
        return eight
    if pixels.dtype == np.uint16:
        found: Array = table[pixels]
        return found
    values: Array = np.interp(pixels, np.arange(65536) / 65535, table / 65535).astype(pixels.dtype)
    return values


@functools.lru_cache(maxsize=4)
def _gray_table(profile: bytes) -> Array:
    ramp = np.arange(65536, dtype=np.uint16)[None]
    # Gray files often carry the profile of the color scan that they were made from.
    if not _is_gray(profile):
        ramp = np.repeat(ramp[..., None], 3, axis=-1)
    converted: Array = _in_16_bits("gray" if _is_gray(profile) else "rgb", profile, ramp.dtype)(ramp)
    return converted[0, :, 1]


@functools.lru_cache(maxsize=4)
def _gray_table_8bit(profile: bytes) -> Array:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    ramp = ramp if _is_gray(profile) else ramp.convert("RGB")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.buildTransform(source, _srgb_profile(), ramp.mode, "RGB")
    converted = ImageCms.applyTransform(ramp, transform)
    assert converted is not None
    table: Array = np.asarray(converted.getchannel("G"))[0]
    return table


def _is_gray(profile: bytes) -> bool:
    return bool(ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip() == "GRAY")


def _srgb_profile() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(SRGB))


def _without_ink(pixels: Array) -> Array:
    """CMYK without a profile, as Pillow and most programs show it: each ink takes away its share of light."""
    if pixels.dtype == np.uint8:
        image = Image.frombytes("CMYK", (pixels.shape[1], pixels.shape[0]), np.ascontiguousarray(pixels).tobytes())
        return np.asarray(image.convert("RGB"))
    result = np.empty((*pixels.shape[:2], 3), pixels.dtype)
    full = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    for rows in row_strips(pixels):
        light = 1 - pixels[rows].astype(np.float32) / full
        rgb = light[..., :3] * light[..., 3:] * full
        result[rows] = rgb.round() if pixels.dtype.kind == "u" else rgb
    return result


def _lab_to_srgb(pixels: Array) -> Array:
    result = np.empty(pixels.shape, np.float32)
    for rows in row_strips(pixels):
        light, a, b = np.moveaxis(pixels[rows].astype(np.float32), -1, 0)
        fy = (light + 16) / 116
        f = np.stack((fy + a / 500, fy, fy - b / 200), axis=-1)
        xyz = np.where(f > 6 / 29, f**3, (f - 4 / 29) * (108 / 841))
        linear = (xyz @ _LAB_TO_LINEAR.T).clip(0, 1)
        result[rows] = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return result


def stated_profile(image: Image.Image, file: IO[bytes] | None) -> bytes | None:
    """The color space that a file states, as an ICC profile.

    In a PNG, cICP comes before iCCP, sRGB, and gAMA with cHRM (PNG specification, third edition, section 13.14). In
    files that state nothing else, EXIF counts: DCF writes Adobe RGB as color space 65535 with the interoperability
    index R03.

    Args:
        image: opened by Pillow, not loaded.
        file: the same file; `None` if the picture was made in memory.

    Returns:
        ICC; `None` is sRGB.
    """
    profile: bytes | None = image.info.get("icc_profile") or None
    if image.format == "PNG" and file is not None:
        chunks = dict(_png_chunks(file))
        if "cICP" in chunks:
            return (
                profile_of_code_points(*struct.unpack("BBBB", chunks["cICP"])[:2]) if len(chunks["cICP"]) == 4 else None
            )
        if profile is None and not chunks.keys() & {"sRGB", "gAMA", "cHRM"}:
            return _exif_profile(image)
        return profile or (None if "sRGB" in chunks else _png_profile(chunks))
    if profile is None and file is not None and image.format == "JPEG2000":
        return jp2_profile(file)
    if profile is None and file is not None and image.format in ("AVIF", "HEIF"):
        points = code_points(file)
        return None if points is None else profile_of_code_points(*points)
    return profile or _exif_profile(image)


def _png_chunks(file: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """The chunks of a PNG that state its color space; they come before the pixels."""
    place = file.tell()
    file.seek(len(_SIGNATURE))
    while len(head := file.read(8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind in (b"IDAT", b"IEND"):
            break
        if kind in (b"cICP", b"sRGB", b"gAMA", b"cHRM"):
            yield kind.decode(), file.read(min(length, 64))
            file.seek(length - min(length, 64) + 4, 1)
        else:
            file.seek(length + 4, 1)
    file.seek(place)


def _png_profile(chunks: dict[str, bytes]) -> bytes | None:
    gamma = int.from_bytes(chunks["gAMA"][:4], "big") / 100000 if "gAMA" in chunks else _SRGB_GAMMA
    if not 0.01 <= gamma <= 10:
        warn(f"the gAMA chunk of the picture has the invalid value {gamma:g} and is ignored")
        gamma = _SRGB_GAMMA
    primaries = _BT709
    if len(chunks.get("cHRM", b"")) == 32:
        primaries = tuple(value / 100000 for value in struct.unpack(">8I", chunks["cHRM"]))
    like_srgb = abs(gamma / _SRGB_GAMMA - 1) <= _GAMMA_THRESHOLD
    if like_srgb and np.allclose(primaries, _BT709, atol=0.003):
        return None
    return _made_profile(primaries, 1 / gamma if "gAMA" in chunks else None, "gAMA and cHRM chunks")


def _exif_profile(image: Image.Image) -> bytes | None:
    try:
        inner = image.getexif().get_ifd(_EXIF_IFD)
        space = inner.get(_COLOR_SPACE)
        if space not in (_ADOBE_RGB, _UNCALIBRATED):
            return None
        # Pillow before 13 raises KeyError for a directory that is not there.
        interop = image.getexif().get_ifd(_INTEROP_IFD) if _INTEROP_IFD in inner else {}
        index = str(interop.get(1, "")).strip("\0 ")
    except Exception:
        # EXIF of damaged files raises almost anything; the picture is still good.
        return None
    return adobe_rgb() if space == _ADOBE_RGB or index == "R03" else None


@functools.cache
def adobe_rgb() -> bytes:
    """The ICC profile of Adobe RGB (1998)."""
    profile: bytes = imagecodecs.cms_profile("adobergb")
    return profile


def profile_of_code_points(primaries: int, transfer: int) -> bytes | None:
    """The color space of ITU-T H.273 code points, as cICP of PNG and nclx of HEIF and AVIF state them.

    Args:
        primaries: color primaries, for example 1 for BT.709 or 12 for Display P3.
        transfer: transfer characteristics, for example 13 for sRGB or 8 for linear light.

    Returns:
        ICC; `None` is sRGB, or what is not supported (HDR, for example), with a warning.
    """
    xy = _PRIMARIES.get(_BT709_NUMBER if primaries == _UNSPECIFIED else primaries)
    gamma: Any = _GAMMAS.get(transfer)
    if transfer in (_SRGB_CURVE, _UNSPECIFIED, *_BT709_CURVES):
        # What is coded with the curve of BT.709 is shown as sRGB is, by browsers and by image viewers.
        gamma = None
    elif gamma is None:
        warn(f"the transfer function {transfer} of the picture (ITU-T H.273) is not supported; sRGB is assumed")
    if xy is None:
        warn(f"the color primaries {primaries} of the picture (ITU-T H.273) are not supported; sRGB is assumed")
        xy = _BT709
    if gamma is None and xy == _BT709:
        return None
    return _made_profile(xy, gamma, "color code points")


_BT709_NUMBER = 1


def _made_profile(xy: tuple[float, ...], gamma: float | None, what: str) -> bytes | None:
    """An ICC profile of primaries and a power law; `None` for the gamma is the curve of sRGB."""
    try:
        primaries = tuple(value for x, y in zip(xy[2::2], xy[3::2], strict=True) for value in (x, y, 1.0))
        curve = {"transferfunction": _srgb_curve()} if gamma is None else {"gamma": gamma}
        profile: bytes = imagecodecs.cms_profile("rgb", whitepoint=(xy[0], xy[1], 1.0), primaries=primaries, **curve)
        ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return profile
    except (ImageCms.PyCMSError, imagecodecs.CmsError, OSError, ValueError, RuntimeError) as error:
        warn(f"the {what} of the picture are invalid and are ignored: {error}")
        return None


@functools.cache
def _srgb_curve() -> Array:
    encoded = np.linspace(0, 1, _TABLE)
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return np.round(linear * 65535).astype(np.uint16)
