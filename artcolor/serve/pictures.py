"""Limits of pictures, checked by their headers; and the kinds of files that are sent back."""

import math
from pathlib import Path

from PIL import Image
from starlette.exceptions import HTTPException

from artcolor.images import FORMATS, Source, format_of, open_file, output_suffix
from artcolor.serve.settings import Settings

__all__ = ["check_picture", "media_type"]


def check_picture(source: Source, settings: Settings, *, allow_truncated: bool = False, single: bool = False) -> str:
    """Checks a picture before it is decoded.

    Args:
        source: its file.
        settings: limit the pixels.
        allow_truncated: as `open_file` takes it.
        single: refuse several pages or frames.

    Returns:
        The suffix of a file of the same format, or of the nearest that can be written.

    Raises:
        HTTPException: it has too many pixels (413), or several pages or frames (422).
        ImageError: it is not a picture that can be read.
    """
    with open_file(source, max_pixels=settings.max_pixels, allow_truncated=allow_truncated) as file:
        pixels = math.prod(file.size) * file.frames
        if pixels > settings.max_pixels:
            raise HTTPException(413, f"the picture has {pixels} pixels in all; the limit is {settings.max_pixels}")
        if single and file.frames > 1:
            raise HTTPException(422, f"the file has {file.frames} pages or frames; send it to /api/colorize instead")
        return output_suffix(FORMATS[file.format].suffixes[0])


def media_type(suffix: str) -> str:
    """Returns the media type of a picture file.

    Args:
        suffix: of the file.

    Example:
        >>> media_type(".png"), media_type("jpg")
        ('image/png', 'image/jpeg')
    """
    return Image.MIME.get(format_of(Path("a.png"), suffix).name, "application/octet-stream")
