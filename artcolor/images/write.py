"""Writes pictures atomically, with the metadata and compression of the original."""

import contextlib
import importlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

import numpy as np
from PIL import Image

from artcolor.errors import ImageError, install_extra
from artcolor.files import replacing, unnamed
from artcolor.images import high_bit_depth
from artcolor.images.formats import Format, check_target, format_of
from artcolor.images.jp2 import jp2_boxes
from artcolor.images.jpeg import write_jpeg
from artcolor.images.metadata import SRGB, iptc_segment, to_png_info, with_resolution
from artcolor.images.notices import about, warn
from artcolor.images.picture import Picture, at_depth
from artcolor.images.png import write_png
from artcolor.images.provenance import Provenance
from artcolor.images.tiff_write import is_jpeg, needs_big, write_tiff

_QUALITY = {"JPEG": 95, "WEBP": 95, "AVIF": 90, "HEIF": 90}
_SEGMENT = {"exif": 65533, "xmp": 65504, "comment": 65533}
# Pixels of a JPEG that is encoded in strips.
_LARGE = 1 << 25


@dataclass(frozen=True)
class _Options:
    path: Path
    """For messages only."""
    format: Format
    quality: int | None
    depth: int | None
    provenance: Provenance | None


Target = str | os.PathLike[str] | IO[bytes]
"""Where a picture is written: a path, or a binary file that is open for writing."""


def save_picture(
    picture: Picture | Image.Image,
    path: Target,
    *,
    format: str | None = None,
    quality: int | None = None,
    depth: int | None = None,
    provenance: Provenance | None = None,
) -> None:
    """Writes one picture atomically.

    Args:
        picture: a picture in color, or a Pillow image with metadata in its `info`.
        path: path of the file; an existing file is replaced. Its suffix decides the format. A binary file that is open
            for writing gets all bytes at once, and only if nothing failed.
        format: overrides the suffix: `"png"`, `".webp"`; required for an open file without a name.
        quality: 1..100 for JPEG, WebP, AVIF, HEIC. `None` is about the original's, or 95 (90 for AVIF and HEIC).
        depth: 8 or 16 bits per channel. `None` is 16 where the picture has more than 8 and the format can hold them.
        provenance: origin of the colors, to be recorded in the file.

    Raises:
        ImageError: the format is unknown or cannot hold the picture, or the file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_picture(Image.new("RGB", (6, 4), "teal"), f"{folder}/a.png")
    """
    save_pictures([picture], path, format=format, quality=quality, depth=depth, provenance=provenance)


def save_pictures(
    pictures: Iterable[Picture | Image.Image],
    path: Target,
    *,
    format: str | None = None,
    quality: int | None = None,
    depth: int | None = None,
    provenance: Provenance | None = None,
) -> None:
    """Writes pages or frames into one file atomically. TIFF pages are written one by one.

    Args:
        pictures: one or more; the frames of an animation have one size.
        path: see `save_picture`.
        format: see `save_picture`.
        quality: see `save_picture`.
        depth: see `save_picture`; that of the first page holds for all.
        provenance: see `save_picture`.

    Raises:
        ImageError: the format is unknown or cannot hold the pictures, or the file cannot be written.
    """
    file = None if isinstance(path, str | os.PathLike) else path
    path = Path(path) if isinstance(path, str | os.PathLike) else Path(_name_of(path, format))
    options = _Options(path, format_of(path, format), quality, depth, provenance)
    _check(options)
    several = iter(pictures)
    first = next(several, None)
    if first is None:
        raise ImageError(f"{path}: there is no picture to write")
    second = next(several, None)
    rest = several if second is None else itertools.chain([second], several)
    frames = 1 if second is None else 2
    checked = _checked(itertools.chain([first], rest), options, frames)
    try:
        with about(str(path)), _whole(path, file) as opened:
            if provenance is not None and not options.format.xmp:
                warn(
                    f"{options.format.name} cannot store provenance; the file does not say that its colors are computed"
                )
            _write(opened, checked, frames, options)
    except ImageError:
        raise
    except FileNotFoundError as error:
        if path.parent.is_dir():
            raise ImageError(f"{path} cannot be written: {error.strerror}") from error
        raise ImageError(f"{path} cannot be written: there is no folder {path.parent}") from error
    except (OSError, ValueError, RuntimeError, TypeError, KeyError, OverflowError) as error:
        raise ImageError(f"{path} cannot be written: {error}") from error


class Writable(Protocol):
    """An open binary file or a similar object."""

    def write(self, data: bytes, /) -> Any:
        """Writes all of `data`."""
        ...


def _name_of(file: object, format: str | None) -> str:
    """What messages call an open file; its suffix decides the format."""
    name = getattr(file, "name", None)
    if isinstance(name, str) and name:
        return name
    if format is None:
        raise ImageError('the format cannot be derived from the name of the file to write; give one: format="png"')
    return "the file"


@contextlib.contextmanager
def _whole(path: Path, file: Writable | None) -> Iterator[BinaryIO]:
    """A file whose bytes reach `path`, or the open `file`, once all is written."""
    if file is None:
        with replacing(path) as opened:
            yield opened
        return
    # Some encoders go to and fro.
    with unnamed() as temporary:
        yield temporary
        temporary.seek(0)
        while chunk := temporary.read(1 << 20):
            file.write(chunk)


def check_settings(
    path: str | Path, *, format: str | None = None, quality: int | None = None, depth: int | None = None
) -> None:
    """Checks that the format of a file supports the requested quality and depth.

    Args:
        path: path of the file to write.
        format: see `save_picture`.
        quality: see `save_picture`.
        depth: see `save_picture`.

    Raises:
        ImageError: the format is unknown, or a setting is invalid for it.

    Example:
        >>> check_settings("a.jpg", quality=90)
    """
    _check(_Options(Path(path), format_of(path, format), quality, depth, None))


def _check(options: _Options) -> None:
    name = options.format.name
    if options.quality is not None:
        if not isinstance(options.quality, int) or not 1 <= options.quality <= 100:
            raise ImageError(f"quality must be an integer from 1 to 100, not {options.quality!r}")
        if name not in (*_QUALITY, "TIFF"):
            raise ImageError(f"{options.path}: {name} is lossless and has no quality setting")
    if options.depth not in (None, 8, 16):
        raise ImageError(f"depth must be 8 or 16 bits, not {options.depth!r}")
    if options.depth == 16 and not options.format.deep:
        raise ImageError(f"{options.path}: {name} cannot be written with 16 bits; use .png or .tif")


def _checked(pictures: Iterable[Picture | Image.Image], options: _Options, frames: int) -> Iterator[Picture]:
    for given in pictures:
        picture = given if isinstance(given, Picture) else _from_pillow(given)
        height, width = picture.rows.shape[:2]
        check_target(
            options.path,
            width,
            height,
            alpha=picture.transparent,
            frames=frames,
            format=options.format.name,
        )
        # What nobody can see through needs no alpha in a format that has none.
        yield picture if options.format.alpha else Picture(picture.rows, None, picture.info)


def _from_pillow(image: Image.Image) -> Picture:
    alpha = None
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"))
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    return Picture(np.asarray(rgb), alpha, {str(key): value for key, value in image.info.items()})


def _depth(picture: Picture, options: _Options) -> int:
    if options.depth is not None:
        return options.depth
    if picture.rows.dtype == np.uint8:
        return 8
    if options.format.deep:
        return 16
    warn(f"written with 8 bits per channel; {options.format.name} cannot hold more")
    return 8


def _write(file: BinaryIO, pictures: Iterator[Picture], frames: int, options: _Options) -> None:
    first = next(pictures)
    depth = _depth(first, options)
    if options.format.name == "TIFF":
        _write_tiff(file, itertools.chain([first], pictures), first, depth, options)
    elif frames > 1:
        _write_animation(file, [first, *pictures], options)
    elif options.format.name == "PNG":
        write_png(file, first.rows, first.alpha, depth, first.info, _xmp(first, options))
    elif options.format.name == "PPM":
        high_bit_depth.write_ppm(file, first.rows, depth)
    else:
        _write_one(file, first, options)


def _image(picture: Picture) -> Image.Image:
    image = Image.fromarray(at_depth(np.asarray(picture.rows), 8))
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(at_depth(picture.alpha, 8)))
    return image


def _write_one(file: BinaryIO, picture: Picture, options: _Options) -> None:
    keywords = _keywords(picture, options)
    height, width = picture.rows.shape[:2]
    if options.format.name == "JPEG" and height * width > _LARGE and not keywords["progressive"]:
        write_jpeg(file, picture.rows, keywords)
        return
    image = _image(picture)
    if options.format.name == "HEIF":
        _write_heif(file, image, keywords)
    else:
        image.save(file, format=options.format.name, **keywords)
    if options.format.name == "JPEG2000":
        file.seek(0, 2)
        file.write(jp2_boxes(picture.info.get("exif"), _xmp(picture, options)))


def _write_heif(file: BinaryIO, image: Image.Image, keywords: dict[str, Any]) -> None:
    try:
        heif = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise ImageError(f"HEIC needs pillow-heif: {install_extra('heif')}") from error
    image.info["icc_profile"] = keywords.pop("icc_profile")
    heif.from_pillow(image).save(file, **keywords)


def _write_animation(file: BinaryIO, pictures: list[Picture], options: _Options) -> None:
    see_through = any(picture.alpha is not None for picture in pictures)
    images = [image.convert("RGBA") if see_through else image for image in map(_image, pictures)]
    durations = [picture.info.get("duration", 0) for picture in pictures]
    keywords = _keywords(pictures[0], options) | {"loop": pictures[0].info.get("loop", 0)}
    if options.format.name == "PNG":
        # A picture shown by programs that cannot move it has no duration, so a list of them would be one off.
        for image, duration in zip(images, durations, strict=True):
            image.info["duration"] = duration
        keywords["default_image"] = pictures[0].info.get("default_image", False)
    else:
        keywords["duration"] = [round(duration) for duration in durations]
    images[0].save(file, format=options.format.name, save_all=True, append_images=images[1:], **keywords)


def _write_tiff(file: BinaryIO, pictures: Iterator[Picture], first: Picture, depth: int, options: _Options) -> None:
    if options.quality is not None and not is_jpeg(first, depth):
        raise ImageError(f"{options.path}: TIFF is written losslessly and has no quality setting")
    pages = ((picture, _xmp(picture, options)) for picture in pictures)
    big = needs_big(first, depth) or bool(first.info.get("big_tiff"))
    # It is read again, too.
    write_tiff(file if file.readable() else file.name, pages, depth, big=big, quality=options.quality)


def _xmp(picture: Picture, options: _Options) -> bytes | None:
    """The XMP of the result, with where its colors come from."""
    xmp: bytes | None = picture.info.get("xmp")
    return xmp if options.provenance is None else options.provenance.into(xmp)


def _keywords(picture: Picture, options: _Options) -> dict[str, Any]:
    """What Pillow is to write beside the pixels, and how."""
    format, info = options.format, picture.info
    same = info if info.get("format") == format.name else {}
    keywords: dict[str, Any] = {}
    if format.profile and format.name != "JPEG2000":
        keywords["icc_profile"] = SRGB
    if format.exif and "exif" in info:
        keywords["exif"] = info["exif"]
    if format.xmp:
        keywords["xmp"] = _xmp(picture, options)
    if "dpi" in info:
        if format.resolution:
            keywords["dpi"] = info["dpi"]
        elif format.exif:
            keywords["exif"] = with_resolution(info.get("exif"), info["dpi"])
    adapt = _ADAPT.get(format.name)
    return adapt(keywords, same, picture, options) if adapt else keywords


def _for_jpeg(keywords: dict[str, Any], same: dict[str, Any], picture: Picture, options: _Options) -> dict[str, Any]:
    text = picture.info.get("text", {})
    comment = picture.info.get("comment") or text.get("Comment", text.get("Description", "")).encode()
    keywords |= {
        "quality": options.quality or same.get("quality") or _QUALITY["JPEG"],
        "subsampling": same.get("subsampling", 0),
        "progressive": same.get("progressive", False),
        "comment": comment,
        "extra": iptc_segment(picture.info["iptc"]) if "iptc" in picture.info else b"",
    }
    if len(keywords["xmp"] or b"") > _SEGMENT["xmp"] and options.provenance is not None:
        keywords["xmp"] = options.provenance.into(None)
        if len(keywords["xmp"]) <= _SEGMENT["xmp"]:
            warn("the XMP of the picture is too long for JPEG and is dropped")
        else:
            warn(
                "JPEG metadata cannot hold this many hints, so the result records only their number; "
                "PNG and TIFF record all of them"
            )
            keywords["xmp"] = options.provenance.shortened().into(picture.info.get("xmp"))
    for key, longest in _SEGMENT.items():
        if len(keywords.get(key) or b"") > longest:
            warn(f"the {key} of the picture is too long for JPEG and is dropped")
            del keywords[key]
    return keywords


def _for_png(keywords: dict[str, Any], same: dict[str, Any], picture: Picture, options: _Options) -> dict[str, Any]:
    keywords["pnginfo"] = to_png_info(picture.info, keywords.pop("xmp"))
    return keywords


def _for_webp(keywords: dict[str, Any], same: dict[str, Any], picture: Picture, options: _Options) -> dict[str, Any]:
    if options.quality is None and same.get("lossless"):
        # `exact` keeps the colors under what is fully transparent.
        return keywords | {"lossless": True, "exact": True, "xmp": keywords["xmp"] or b""}
    quality = options.quality or same.get("quality") or _QUALITY["WEBP"]
    return keywords | {"quality": quality, "xmp": keywords["xmp"] or b""}


def _for_jp2(keywords: dict[str, Any], same: dict[str, Any], picture: Picture, options: _Options) -> dict[str, Any]:
    return {"comment": picture.info["comment"]} if "comment" in picture.info else {}


def _for_avif(keywords: dict[str, Any], same: dict[str, Any], picture: Picture, options: _Options) -> dict[str, Any]:
    return keywords | {"quality": options.quality or _QUALITY[options.format.name]}


_ADAPT: dict[str, Callable[[dict[str, Any], dict[str, Any], Picture, _Options], dict[str, Any]]] = {
    "JPEG": _for_jpeg,
    "PNG": _for_png,
    "WEBP": _for_webp,
    "JPEG2000": _for_jp2,
    "AVIF": _for_avif,
    "HEIF": _for_avif,
}
