"""Limits of pictures, checked by their headers; and the kinds of files that are sent back."""

import importlib.util
import math
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from starlette.exceptions import HTTPException

from artcolor.images import FORMATS, Source, format_of, open_file, output_suffix
from artcolor.serve.settings import Settings

__all__ = ["Checked", "check_picture", "media_type", "written_formats"]

_LOSSY = ("JPEG", "WEBP", "AVIF", "HEIF")
_LABELS = {"WEBP": "WebP", "HEIF": "HEIC", "JPEG2000": "JPEG 2000"}


class Checked(NamedTuple):
    """Facts from the header of a picture file.

    Attributes:
        suffix: suffix of a file of the same format, or of the nearest that can be written.
        pixels: their number, of all pages or frames together.
        width: width of a page, in pixels.
        height: height of a page, in pixels.
        frames: number of pages or frames.
    """

    suffix: str
    pixels: int
    width: int
    height: int
    frames: int


def check_picture(
    source: Source, settings: Settings, *, allow_truncated: bool = False, single: bool = False
) -> Checked:
    """Checks a picture before it is decoded.

    Args:
        source: its file.
        settings: settings of the server, which limit the pixels.
        allow_truncated: see `open_file`.
        single: reject several pages or frames.

    Returns:
        Facts from its header.

    Raises:
        HTTPException: it has too many pixels (413), or several pages or frames (422).
        ImageError: it is not a picture that can be read.
    """
    with open_file(source, max_pixels=settings.max_pixels, allow_truncated=allow_truncated) as file:
        pixels = math.prod(file.size) * file.frames
        if pixels > settings.max_pixels:
            raise HTTPException(413, f"the picture has {pixels} pixels in total; the limit is {settings.max_pixels}")
        if single and file.frames > 1:
            raise HTTPException(
                422,
                f"the file has {file.frames} pages or frames, but only one can be worked on here; save one as a file "
                "of its own, or colorize all of them with the command or POST /api/colorize",
            )
        return Checked(output_suffix(FORMATS[file.format].suffixes[0]), pixels, *file.size, file.frames)


def written_formats() -> list[dict[str, Any]]:
    """Lists the formats in which results can be written here: suffix, name, and what they hold."""
    heif = importlib.util.find_spec("pillow_heif") is not None
    return [
        {
            "format": each.suffixes[0].removeprefix("."),
            "label": _LABELS.get(each.name, each.name),
            "lossless": each.name not in _LOSSY,
            "deep": each.deep,
            "provenance": each.xmp,
        }
        for each in FORMATS.values()
        if each.writes and (each.name != "HEIF" or heif)
    ]


def media_type(suffix: str) -> str:
    """Returns the media type of a picture file.

    Args:
        suffix: suffix of the file.

    Example:
        >>> media_type(".png"), media_type("jpg")
        ('image/png', 'image/jpeg')
    """
    return Image.MIME.get(format_of(Path("a.png"), suffix).name, "application/octet-stream")
