"""Reads and writes the metadata of picture files."""

import io
import math
from typing import Any

from PIL import Image, PngImagePlugin, TiffImagePlugin

from artcolor.images.color_management import SRGB as SRGB
from artcolor.images.compression import how_made
from artcolor.images.notices import warn
from artcolor.images.xmp import fitted

ORIENTATION = 274
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
_DESCRIPTION = 270
_XMP, _IPTC, _PHOTOSHOP, _ICC = 700, 33723, 34377, 34675
_EXIF_IFD, _GPS_IFD, _INTEROP_IFD = 0x8769, 0x8825, 0xA005
_COLOR_SPACE, _WIDTH, _HEIGHT = 0xA001, 0xA002, 0xA003
_IPTC_RESOURCE = 0x0404

# Gamma and thumbnail of the original, and with them what would contradict the sRGB result.
_OF_THE_ORIGINAL = {0xA500}
# Places within the picture, as the original lay: SubjectArea and SubjectLocation.
_PLACES = {0x9214, 0xA214}
_FOCAL_PLANE = (0xA20E, 0xA20F)

# How a TIFF stores its pixels is no description of the picture. 37724 holds Photoshop's layers, which are gray still.
_STORAGE = frozenset(
    {*range(254, 260), 262, 263, 264, 265, 266, 273, ORIENTATION, 277, 278, 279, 280, 281, 284, 290, 291, 292, 293, 301}
    | {*range(317, 326), 330, *range(332, 348), *range(512, 522), 529, 530, 531, 532, 37724}
    # Tags of DNG: with them, programs would take the result for a raw picture.
    | {*range(50706, 50742), *range(50778, 50782), *range(50827, 50835), *range(50931, 50976), *range(51008, 51010)}
    | {_XMP, _IPTC, _PHOTOSHOP, _ICC}
)


def tag(image: Image.Image, number: int) -> Any:
    """The tag `number` of the EXIF of `image`, or `None` if there is none or it cannot be read."""
    try:
        return image.getexif().get(number)
    except Exception:
        # EXIF of damaged files raises almost anything; the picture is still good.
        return None


def kept(image: Image.Image, width: int, height: int, *, turned: bool, moved: bool) -> dict[str, Any]:
    """Gathers what must survive, and how the file was made.

    Args:
        image: an opened image.
        width: width of the upright picture.
        height: height of the upright picture.
        turned: whether its EXIF orientation swapped width and height.
        moved: whether the pixels were turned or mirrored.

    Returns:
        As `Picture.info` explains.
    """
    info: dict[str, Any] = {}
    tags = getattr(image, "tag_v2", {})
    resolution = _resolution(image)
    if resolution:
        info["dpi"] = resolution[::-1] if turned else resolution
    exif = _exif(image, (width, height), turned=turned, moved=moved)
    if exif:
        info["exif"] = exif
    for key in ("xmp", "comment"):
        found = image.info.get(key)
        if found and isinstance(found, str | bytes):
            info[key] = found.encode() if isinstance(found, str) else found
    if "xmp" in info:
        info["xmp"] = fitted(info["xmp"], moved=moved)
    if image.format == "PNG" and (text := _text(image)):
        info["text"] = text
    resources = image.info.get("photoshop")
    iptc = tags.get(_IPTC) or (resources.get(_IPTC_RESOURCE) if isinstance(resources, dict) else None)
    if isinstance(iptc, bytes) and iptc:
        info["iptc"] = iptc
    if image.info.get("icc_profile"):
        # Pixels leave in sRGB, whatever the profile they came with.
        info["icc_profile"] = SRGB
    return info | how_made(image)


def _resolution(image: Image.Image) -> tuple[float, float] | None:
    given: Any = image.info.get("dpi")
    if image.format in ("JPEG", "MPO") and image.info.get("jfif_unit") not in (1, 2):
        # Pillow says 72 where EXIF says nothing.
        given = None
    if given is None:
        unit = {2: 1.0, 3: 2.54}.get(tag(image, _RESOLUTION_UNIT) or 2)
        pair = tag(image, _X_RESOLUTION), tag(image, _Y_RESOLUTION)
        if unit is None or None in pair:
            return None
        given = [unit * value if isinstance(value, int | float) else float(value) * unit for value in pair if value]
    try:
        across, down = (float(value) for value in given)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    sensible = all(math.isfinite(value) and 0 < value < 1e6 for value in (across, down))
    return (across, down) if sensible else None


def _text(image: Image.Image) -> dict[str, str]:
    found = {key: str(value) for key, value in getattr(image, "text", {}).items()}
    return {
        key: value
        for key, value in found.items()
        if key != "XML:com.adobe.xmp" and not key.startswith("Raw profile type") and 0 < len(key) < 80
    }


def _exif(image: Image.Image, size: tuple[int, int], *, turned: bool, moved: bool) -> bytes | None:
    """EXIF that fits the upright result: no orientation, no gray thumbnail, no storage tags, colors in sRGB."""
    try:
        old, new = image.getexif(), Image.Exif()
        storage = _STORAGE | ({_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT} if image.format == "TIFF" else set())
        for number, value in old.items():
            if number not in storage and number not in (_EXIF_IFD, _GPS_IFD) and not _is_shape(number, value):
                new[number] = _as_written(value)
        for group in (_EXIF_IFD, _GPS_IFD):
            for number, value in old.get_ifd(group).items():
                new.get_ifd(group)[number] = _as_written(value)
        inner = new.get_ifd(_EXIF_IFD)
        if _INTEROP_IFD in inner:
            # R98 is sRGB; R03, which cameras write for Adobe RGB, would make programs convert the result once more.
            inner[_INTEROP_IFD] = dict(old.get_ifd(_INTEROP_IFD)) | {1: "R98"}
        for number in _OF_THE_ORIGINAL | (_PLACES if moved else set()):
            inner.pop(number, None)
        if turned and _FOCAL_PLANE[0] in inner and _FOCAL_PLANE[1] in inner:
            inner[_FOCAL_PLANE[0]], inner[_FOCAL_PLANE[1]] = inner[_FOCAL_PLANE[1]], inner[_FOCAL_PLANE[0]]
        for number, value in ((_COLOR_SPACE, 1), (_WIDTH, size[0]), (_HEIGHT, size[1])):
            if number in inner:
                inner[number] = value
        return new.tobytes() if len(new) or inner or new.get_ifd(_GPS_IFD) else None
    except Exception as error:
        # EXIF of damaged files raises almost anything; the picture is still good.
        warn(f"the EXIF of the picture is damaged and is dropped: {error}")
        return None


def _is_shape(number: int, value: Any) -> bool:
    # tifffile describes pictures by the shape of their arrays, and colored ones have another.
    return number == _DESCRIPTION and isinstance(value, str) and value.startswith('{"shape":')


def _as_written(value: Any) -> Any:
    """The bytes of a text: EXIF means ASCII, people write UTF-8, and Pillow would write question marks."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("latin-1", "replace")
    return value


def with_resolution(exif: bytes | None, dpi: tuple[float, float]) -> bytes:
    """Puts the resolution into EXIF, for formats that have no other place for it.

    Args:
        exif: existing EXIF, or `None`.
        dpi: horizontal and vertical resolution in DPI.

    Returns:
        EXIF with it.
    """
    new = load_exif(exif)
    new[_X_RESOLUTION], new[_Y_RESOLUTION], new[_RESOLUTION_UNIT] = (*map(TiffImagePlugin.IFDRational, dpi), 2)
    return new.tobytes()


def load_exif(exif: bytes | None) -> Image.Exif:
    """Reads EXIF that `kept` has gathered."""
    loaded = Image.Exif()
    if exif:
        loaded.load(exif)
        for group in (loaded, loaded.get_ifd(_EXIF_IFD), loaded.get_ifd(_GPS_IFD)):
            for number, value in list(group.items()):
                if value is not (written := _as_written(value)):
                    group[number] = written
    return loaded


def tiff_tags(info: dict[str, Any], xmp: bytes | None) -> Image.Exif:
    """EXIF, IPTC and XMP as the tags of a TIFF.

    Args:
        info: metadata from `kept`.
        xmp: XMP to write, with the provenance of the colors.
    """
    tags = load_exif(info.get("exif"))
    for number in (_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT):
        tags.pop(number, None)
    if xmp:
        tags[_XMP] = xmp
    if info.get("iptc"):
        tags[_IPTC] = info["iptc"]
    return tags


def iptc_segment(iptc: bytes) -> bytes:
    """IPTC captions as a segment of a JPEG file; empty if they are too long for one.

    Example:
        >>> iptc_segment(b"abc")[:17]
        b'\\xff\\xed\\x00 Photoshop 3.0'
    """
    block = io.BytesIO()
    block.write(b"Photoshop 3.0\x008BIM" + _IPTC_RESOURCE.to_bytes(2, "big") + b"\0\0")
    block.write(len(iptc).to_bytes(4, "big") + iptc + b"\0" * (len(iptc) % 2))
    data = block.getvalue()
    return b"" if len(data) > 65533 else b"\xff\xed" + (len(data) + 2).to_bytes(2, "big") + data


def to_png_info(info: dict[str, Any], xmp: bytes | None) -> PngImagePlugin.PngInfo:
    """Text and XMP as the chunks of a PNG.

    Args:
        info: metadata from `kept`.
        xmp: XMP to write, with the provenance of the colors.
    """
    chunks = PngImagePlugin.PngInfo()
    text = dict(info.get("text", {}))
    if "comment" in info:
        text.setdefault("Comment", info["comment"].decode("utf-8", "replace").replace("\0", " "))
    for key, value in text.items():
        chunks.add_text(key, value)
    if xmp:
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
    return chunks
