"""Writing TIFF files strip by strip, without a copy of the picture."""

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin
from tifffile import TiffFile, TiffPage, TiffWriter

from artcolor.images.color_management import SRGB
from artcolor.images.metadata import tiff_tags
from artcolor.images.notices import warn
from artcolor.images.picture import Picture, at_depth

_EXIF_IFD, _GPS_IFD, _INTEROP_IFD = 0x8769, 0x8825, 0xA005
_GROUPS = (_EXIF_IFD, _GPS_IFD)
_DESCRIPTION, _SOFTWARE, _DATE_TIME = 270, 305, 306
# Tags that describe how the original was stored, and tags that tifffile writes.
_STORAGE = frozenset(
    {*range(254, 260), *range(262, 267), *range(273, 285), *range(290, 294), 296, 301, *range(317, 326), 330}
    | {*range(332, 348), *range(512, 522), 529, 530, 531, 532, 34675}
)
_DEFLATE, _JPEG = "adobe_deflate", "jpeg"
_COMPRESSION: Mapping[str, str | None] = MappingProxyType(
    {"raw": None, "packbits": "packbits", "tiff_lzw": "lzw", "zstd": "zstd", "lzma": "lzma", "jpeg": _JPEG}
)
_ENCODERS: Mapping[str, Callable[..., bytes | bytearray]] = MappingProxyType(
    {
        "packbits": imagecodecs.packbits_encode,
        "lzw": imagecodecs.lzw_encode,
        "zstd": imagecodecs.zstd_encode,
        "lzma": imagecodecs.lzma_encode,
        # libdeflate takes a fifth of the time of zlib's usual level, and as many bytes.
        _DEFLATE: functools.partial(imagecodecs.deflate_encode, level=4),
    }
)
_PREDICTABLE = frozenset({"lzw", "zstd", _DEFLATE})
_QUALITY = 95
# The longest side of a JPEG, and the rows that strips are multiples of.
_LONGEST_OF_JPEG, _BLOCK = 65500, 16
_STRIP_BYTES = 1 << 18
# Pixels that are computed together and compressed in parallel.
_AT_ONCE = 1 << 20
# Offsets of a classic TIFF have 32 bits; this leaves some room for metadata.
_CLASSIC_BYTES = 4_000_000_000

Array = npt.NDArray[Any]


def is_jpeg(picture: Picture, depth: int) -> bool:
    """Returns whether a picture will be JPEG-compressed: its original was, and JPEG can hold the result.

    Args:
        picture: a picture in color.
        depth: 8 or 16 bits per channel.
    """
    return _compression(picture, depth) == _JPEG


def write_tiff(
    target: str | os.PathLike[str] | BinaryIO,
    pages: Iterable[tuple[Picture, bytes | None]],
    depth: int,
    *,
    big: bool,
    quality: int | None = None,
) -> None:
    """Writes a TIFF, page by page and strip by strip.

    A page that comes from a TIFF keeps its compression if that can hold RGB: none, PackBits, LZW, Deflate, ZSTD, LZMA,
    or JPEG. All others are compressed with Deflate.

    Args:
        target: path of the file to write, or a file that is open for writing and reading.
        pages: pictures in color, each with its XMP or `None`.
        depth: 8 or 16 bits per channel.
        big: whether to write BigTIFF, which may exceed 4 GB.
        quality: quality of JPEG-compressed pages, 1 to 100; `None` uses that of the original.
    """
    directories = []
    with TiffWriter(target, bigtiff=big, byteorder="<") as tiff:
        for picture, xmp in pages:
            tags = tiff_tags(picture.info, xmp)
            groups = _groups(tags)
            directories.append(groups)
            info, storage = picture.info, _Storage.of(picture, depth, quality)
            texts = {tag: tags.pop(tag, None) for tag in (_DESCRIPTION, _SOFTWARE, _DATE_TIME)}
            tiff.write(
                storage.strips(picture, depth),
                shape=(*picture.rows.shape[:2], storage.channels),
                dtype=np.uint8 if depth == 8 else np.uint16,
                photometric="rgb",
                extrasamples=None if picture.alpha is None else ["unassalpha"],
                compression=storage.compression,
                subsampling=(1, 1) if storage.compression == _JPEG else None,
                predictor=storage.compression in _PREDICTABLE,
                rowsperstrip=storage.rows,
                iccprofile=SRGB,
                resolution=info.get("dpi"),
                resolutionunit="INCH" if "dpi" in info else "NONE",
                description=_ascii(texts[_DESCRIPTION]),
                software=_ascii(texts[_SOFTWARE]) or False,
                metadata=None,
                extratags=[*_extras(tags, texts[_DATE_TIME]), *((group - 1, "I", 1, 0, True) for group in groups)],
            )
    if any(directories):
        if isinstance(target, str | os.PathLike):
            with Path(target).open("r+b") as file:
                _append_directories(file, directories, big)
        else:
            _append_directories(target, directories, big)


def needs_big(picture: Picture, depth: int) -> bool:
    """Returns whether a page may exceed the 4 GB of a classic TIFF.

    Args:
        picture: the page.
        depth: 8 or 16 bits per channel.
    """
    height, width = picture.rows.shape[:2]
    return height * width * 4 * depth // 8 > _CLASSIC_BYTES


def _compression(picture: Picture, depth: int) -> str | None:
    info, longest = picture.info, max(picture.rows.shape[:2])
    kept = _COMPRESSION.get(info.get("compression", ""), _DEFLATE) if info.get("format") == "TIFF" else _DEFLATE
    fits = depth == 8 and picture.alpha is None and longest <= _LONGEST_OF_JPEG
    return _DEFLATE if kept == _JPEG and not fits else kept


@dataclass(frozen=True)
class _Storage:
    """How the pixels of a page are stored."""

    compression: str | None
    channels: int
    rows: int
    """Rows of a strip."""
    quality: int

    @classmethod
    def of(cls, picture: Picture, depth: int, quality: int | None) -> "_Storage":
        height, width = picture.rows.shape[:2]
        compression = _compression(picture, depth)
        channels = 3 if picture.alpha is None else 4
        rows = max(1, _STRIP_BYTES // (width * channels * depth // 8))
        # Every JPEG strip carries its own tables, so strips are larger.
        rows = max(1, 4 * rows // _BLOCK) * _BLOCK if compression == _JPEG else min(height, rows)
        return cls(compression, channels, rows, quality or picture.info.get("quality") or _QUALITY)

    def strips(self, picture: Picture, depth: int) -> Iterator[bytes]:
        """Yields the strips of a page as they are stored."""
        height, width = picture.rows.shape[:2]
        several = self.rows * max(1, _AT_ONCE // (self.rows * width))
        # The codecs release the GIL.
        with ThreadPoolExecutor() as pool:
            for top in range(0, height, several):
                values = at_depth(picture.rows[top : top + several], depth)
                if picture.alpha is not None:
                    alpha = at_depth(picture.alpha[top : top + several], depth)
                    values = np.concatenate([values, alpha[..., None]], axis=-1)
                values = values.astype(values.dtype.newbyteorder("<"), copy=False)
                parts = [values[start : start + self.rows] for start in range(0, len(values), self.rows)]
                yield from pool.map(self._encoded, parts)

    def _encoded(self, strip: Array) -> bytes:
        if self.compression is None:
            return strip.tobytes()
        strip = np.ascontiguousarray(strip)
        if self.compression == _JPEG:
            jpeg = imagecodecs.jpeg8_encode(
                strip, level=self.quality, colorspace="rgb", outcolorspace="ycbcr", subsampling="444"
            )
            return bytes(jpeg)
        if self.compression in _PREDICTABLE:
            strip = imagecodecs.delta_encode(strip, axis=-2)
        return bytes(_ENCODERS[self.compression](strip))


def _groups(tags: Image.Exif) -> dict[int, dict[int, Any]]:
    """The EXIF and GPS directories that are not empty."""
    groups = {group: dict(found) for group in _GROUPS if (found := tags.get_ifd(group))}
    if _INTEROP_IFD in groups.get(_EXIF_IFD, ()):
        # The value may be an offset in the original file.
        groups[_EXIF_IFD].pop(_INTEROP_IFD)
        if inner := tags.get_ifd(_INTEROP_IFD):
            groups[_EXIF_IFD][_INTEROP_IFD] = dict(inner)
    return {group: values for group, values in groups.items() if values}


def _ascii(value: Any) -> bytes | None:
    return None if value is None else value if isinstance(value, bytes) else str(value).encode("ascii", "replace")


def _extras(tags: Image.Exif, date_time: Any) -> Iterator[tuple[int, Any, int, Any, bool]]:
    """Yields tags in the form that tifffile takes; those that cannot be written are dropped with a warning."""
    if date_time:
        yield _DATE_TIME, "s", 0, (_ascii(date_time) or b"").rstrip(b"\0") + b"\0", True
    for tag, value in tags.items():
        if tag in _STORAGE or tag in _GROUPS or value == ():
            continue
        try:
            yield _extra(tag, value)
        except (TypeError, ValueError, ZeroDivisionError) as error:
            warn(f"tag {tag} of the picture cannot be written and is dropped: {error}")


def _extra(tag: int, value: Any) -> tuple[int, Any, int, Any, bool]:
    if isinstance(value, bytes):
        return tag, "B", len(value), value, True
    if isinstance(value, str):
        return tag, "s", 0, value.encode() + b"\0", True
    values = value if isinstance(value, tuple) else (value,)
    if all(isinstance(each, int) for each in values):
        kind = "I" if min(values) >= 0 else "i"
        if not -(1 << 31) <= min(values) <= max(values) < 1 << 32:
            raise ValueError(f"{max(values, key=abs)} does not fit into 32 bits")
        return tag, kind, len(values), values if len(values) > 1 else values[0], True
    floats = [float(each) for each in values]
    return tag, "d", len(floats), floats if len(floats) > 1 else floats[0], True


def _append_directories(file: BinaryIO, directories: list[dict[int, dict[int, Any]]], big: bool) -> None:
    """Appends the EXIF and GPS directories, which tifffile does not write, and makes their tags point to them.

    tifffile refuses those tags, too, so unused tags whose numbers are one less hold their places.
    """
    header = b"II\x2b\0\x08\0\0\0" + bytes(8) if big else b"II\x2a\0\0\0\0\0"
    file.seek(0)
    with TiffFile(file) as tiff:
        for page, groups in zip(tiff.pages, directories, strict=True):
            assert isinstance(page, TiffPage)
            for group, values in groups.items():
                directory = TiffImagePlugin.ImageFileDirectory_v2(header, group=group)
                for tag, value in values.items():
                    directory[tag] = value
                file.seek(0, 2)
                offset = file.tell() + file.tell() % 2
                file.seek(offset)
                file.write(directory.tobytes(offset))
                place = page.tags[group - 1]
                place.overwrite(offset)
                file.seek(place.offset)
                file.write(group.to_bytes(2, "little"))
