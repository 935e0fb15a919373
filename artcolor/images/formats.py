"""The capabilities of each file format, and the format to write where one cannot hold the result."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from artcolor.errors import ImageError


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: Pillow's name of the format.
        suffixes: suffixes of its files, the usual one first.
        largest: the longest side in pixels that it can hold.
        writes: whether it can hold 8-bit RGB, so that results are written in it.
        alpha: whether it can hold transparency beside RGB.
        frames: whether it can hold several pictures in one file.
        deep: whether it can hold 16-bit RGB.
        profile: whether it can hold an ICC profile; the others mean sRGB.
        exif: whether it can hold EXIF.
        xmp: whether it can hold XMP, and thus provenance.
        resolution: whether it can hold a resolution in DPI.
        comment: whether it can hold a comment or captions.
    """

    name: str
    suffixes: tuple[str, ...]
    largest: int = 2**31 - 1
    writes: bool = True
    alpha: bool = True
    frames: bool = False
    deep: bool = False
    profile: bool = True
    exif: bool = True
    xmp: bool = True
    resolution: bool = False
    comment: bool = False


_PLAIN = {"alpha": False, "profile": False, "exif": False, "xmp": False}

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        each.name: each
        for each in (
            Format(
                "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".jif"), 65500, alpha=False, resolution=True, comment=True
            ),
            Format("PNG", (".png", ".apng"), frames=True, deep=True, resolution=True, comment=True),
            Format("WEBP", (".webp",), 16383, frames=True),
            Format("TIFF", (".tif", ".tiff"), frames=True, deep=True, resolution=True),
            Format("GIF", (".gif",), 65535, writes=False, frames=True, comment=True, **_PLAIN),
            Format("BMP", (".bmp", ".dib"), resolution=True, **_PLAIN),
            Format("PPM", (".ppm", ".pgm", ".pbm", ".pnm"), deep=True, **_PLAIN),
            Format("AVIF", (".avif", ".avifs"), 65535, frames=True),
            Format("JPEG2000", (".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"), comment=True),
            Format("HEIF", (".heic", ".heif", ".hif"), 16384),
        )
    }
)
"""The formats that are read, and written where they can hold the result, by Pillow's name."""

SUFFIXES = frozenset(suffix for each in FORMATS.values() for suffix in each.suffixes)
"""The suffixes of files that are read."""

_RAW = "is a raw camera file; develop it to TIFF first, for example with darktable, RawTherapee or Lightroom"
UNSUPPORTED: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys((".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".raf", ".rw2", ".orf"), _RAW),
        **dict.fromkeys((".pef", ".srw", ".3fr", ".fff", ".iiq", ".mrw", ".x3f", ".erf", ".mef", ".mos", ".kdc"), _RAW),
        **dict.fromkeys((".psd", ".psb"), "is a Photoshop document; save a flat copy as TIFF first"),
        ".xcf": "is a GIMP document; export it as TIFF or PNG first",
        ".jxl": "is a JPEG XL file, which is not supported; convert it to PNG or TIFF first, for example with djxl",
        **dict.fromkeys((".exr", ".hdr"), "is a high dynamic range picture; convert it to a 16-bit TIFF first"),
        ".jls": "is a JPEG-LS file, which is not supported; convert it to PNG first",
        **{
            f".{name}": f"is a {name.upper()} file, which is not supported; convert it to PNG first"
            for name in ("tga", "pam", "pcx", "sgi", "dds", "mng", "fits")
        },
    }
)
"""Suffixes of pictures that are not read → what such a file is, and what to do."""

# The first bytes of pictures that are not read: place, bytes, and a suffix in `UNSUPPORTED`.
_SIGNATURES = (
    (0, b"8BPS", ".psd"),
    (0, b"gimp xcf", ".xcf"),
    (0, b"\xff\x0a", ".jxl"),
    (0, b"P7\n", ".pam"),
    (0, b"\x8aMNG", ".mng"),
    (0, b"DDS ", ".dds"),
    (0, b"SIMPLE  =", ".fits"),
    (0, b"\0\0\0\x0cJXL ", ".jxl"),
    (0, b"\x76\x2f\x31\x01", ".exr"),
    (0, b"#?RADIANCE", ".hdr"),
    (4, b"ftypcrx ", ".cr3"),
    (0, b"FUJIFILMCCD-RAW", ".raf"),
    (0, b"IIU\0", ".rw2"),
    (0, b"IIRO", ".orf"),
    (0, b"IIRS", ".orf"),
    (0, b"MMOR", ".orf"),
    (0, b"FOVb", ".x3f"),
    (0, b"\0MRM", ".mrw"),
    (8, b"CR\x02", ".cr2"),
)


def unsupported(prefix: bytes) -> str | None:
    """Recognizes unsupported pictures by their content.

    Args:
        prefix: the first 16 bytes of a file.

    Returns:
        What such a file is, and what to do; `None` if it is none of them.

    Example:
        >>> unsupported(b"8BPS" + bytes(12))
        'is a Photoshop document; save a flat copy as TIFF first'
    """
    suffix = next((suffix for place, magic, suffix in _SIGNATURES if prefix[place:].startswith(magic)), None)
    return None if suffix is None else UNSUPPORTED[suffix]


# What cannot hold a coloring, and what is written in its place.
_INSTEAD = {
    ".gif": ".png",
    **dict.fromkeys((".pgm", ".pbm", ".pnm"), ".ppm"),
    **dict.fromkeys((".j2k", ".j2c", ".jpc", ".jpx", ".jpf"), ".jp2"),
    ".avifs": ".avif",
}


def output_suffix(suffix: str) -> str:
    """Returns the suffix of a result: that of the input, unless its format cannot hold the result.

    GIF becomes PNG, and an animated one an animated PNG: a palette of 256 colors is too small for paintings, and would
    change lightness. PGM and PBM, which are gray, become PPM. A bare codestream of JPEG 2000, which has no room for
    metadata, becomes JP2.

    Args:
        suffix: suffix of the input, with its dot.

    Example:
        >>> output_suffix(".JPG"), output_suffix(".pgm"), output_suffix(".gif")
        ('.JPG', '.ppm', '.png')
    """
    return _INSTEAD.get(suffix.lower(), suffix)


def format_of(path: str | Path, format: str | None = None) -> Format:
    """Returns the format in which a picture is written.

    Args:
        path: path of the file to write; its suffix decides.
        format: a suffix or a name (`"webp"`, `".tif"`, `"JPEG"`) that decides instead.

    Raises:
        ImageError: it is none of `FORMATS`, or cannot hold color.

    Example:
        >>> format_of("a.TIF").name, format_of("a.png", "webp").name
        ('TIFF', 'WEBP')
    """
    path = Path(path)
    if format is not None and not isinstance(format, str):
        raise ImageError(f'format must be a name or suffix such as "png", not {format!r}')
    wanted = format or path.suffix
    suffix = f".{wanted.lower().removeprefix('.')}"
    found = FORMATS.get(wanted.upper()) or next((each for each in FORMATS.values() if suffix in each.suffixes), None)
    if found is None:
        known = ", ".join(each.suffixes[0] for each in FORMATS.values() if each.writes)
        what = f"{wanted} is not a format that pictures can be saved in" if wanted else "the name has no suffix"
        raise ImageError(f"{path}: {what}; use {known}")
    if not found.writes or suffix in _INSTEAD:
        raise ImageError(f"{path}: {wanted} cannot hold a coloring; use {_INSTEAD[suffix]}")
    return found


def check_target(
    path: str | Path, width: int, height: int, *, alpha: bool = False, frames: int = 1, format: str | None = None
) -> Format:
    """Checks in advance whether a result can be written.

    Args:
        path: path of the file to write.
        width: width of the picture, in pixels.
        height: height of the picture, in pixels.
        alpha: whether any pixel is transparent.
        frames: number of pages or frames.
        format: a suffix or a name that decides instead of the path's suffix.

    Returns:
        The format of the file.

    Raises:
        ImageError: the format is unknown, or cannot hold this; the message states why, and which format can.

    Example:
        >>> check_target("wall.webp", 20000, 300)
        Traceback (most recent call last):
            ...
        artcolor.errors.ImageError: wall.webp: WEBP holds at most 16383 pixels a side, not 20000; use .png or .tif
    """
    found = format_of(path, format)
    if max(width, height) > found.largest:
        raise ImageError(
            f"{path}: {found.name} holds at most {found.largest} pixels a side, not {max(width, height)}; "
            "use .png or .tif"
        )
    if alpha and not found.alpha:
        raise ImageError(f"{path}: {found.name} cannot hold transparency; use .png, .webp or .tif")
    if frames > 1 and not found.frames:
        raise ImageError(
            f"{path}: {found.name} holds one picture, not {frames}; use .tif for pages, .png or .webp for animations"
        )
    return found
