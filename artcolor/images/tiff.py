"""Reads TIFF files; the tags decide what the samples mean."""

import logging
import re
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import COMPRESSION_INFO
from tifffile import TiffFile, TiffPage

from artcolor.color.rows import row_strips
from artcolor.errors import ImageError, UnsupportedError
from artcolor.images.color_management import stated_profile, to_srgb
from artcolor.images.compression import jpeg_quality
from artcolor.images.formats import UNSUPPORTED
from artcolor.images.notices import warn
from artcolor.images.picture import Picture, at_depth, upright
from artcolor.images.tiff_layout import (
    CIELAB,
    CMYK,
    ICCLAB,
    JPEG,
    MASK,
    PALETTE,
    RGB,
    WHITE_IS_ZERO,
    YCBCR,
    Layout,
    layout_of,
)
from artcolor.images.tiff_samples import Array, Samples
from artcolor.images.tiff_values import (
    alpha_alone,
    fractions,
    in_unit_range,
    lab,
    looked_up,
    of_full_range,
    rgb_of_ycbcr,
    straight,
)

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_CFA, _LINEAR_RAW, _DNG_VERSION = 32803, 34892, 50706
_REDUCED, _IS_MASK = 1, 4
_EXIF_IFD, _ASCII = 0x8769, 2
_WHITE_POINT, _PRIMARIES = 318, 319
_WHITE, _BT709 = (0.3127, 0.329), (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_ORIENTATION, _XMP, _IPTC, _PHOTOSHOP, _ICC = 274, 700, 33723, 34377, 34675
_ORIENTATION_IN_XMP = re.compile(rb"tiff:Orientation(?:=[\"']|>)([1-8])")
_COLOR_MAP, _COEFFICIENTS, _REFERENCE = 320, 529, 532
_STRIPS = (273, 279, 324, 325)
_IPTC_RESOURCE = 0x0404
_MOST_PAGES = 1 << 16
_MOST_SUBDIRECTORIES = 64
# Pillow has no names for these.
_COMPRESSIONS = COMPRESSION_INFO | {
    22610: "jpegxr",
    33003: "jpeg2000",
    33005: "jpeg2000",
    34712: "jpeg2000",
    34887: "lerc",
    34933: "png",
    34934: "jpegxr",
    50002: "jpegxl",
    52546: "jpegxl",
}


class _Quiet(logging.Filter, threading.local):
    """Silences tifffile in threads that read here: its complaints become an `ImageError`, or do not matter."""

    reading = False

    def filter(self, record: logging.LogRecord) -> bool:
        return not self.reading

    def __enter__(self) -> None:
        self.reading = True

    def __exit__(self, *_: object) -> None:
        self.reading = False


_QUIET = _Quiet()
logging.getLogger("tifffile").addFilter(_QUIET)


def is_tiff(prefix: bytes) -> bool:
    """Returns whether a file is a TIFF.

    Args:
        prefix: the first bytes of the file, at least 4.
    """
    return prefix.startswith(_MAGIC)


@dataclass(frozen=True)
class _Directory:
    offset: int
    size: tuple[int, int]
    subfile: int
    photometric: int

    @property
    def is_mask(self) -> bool:
        return bool(self.subfile & _IS_MASK) or self.photometric == MASK


class _Described(Image.Image):
    """The metadata of a directory as a Pillow image without pixels, which is what `metadata.kept` takes."""

    format = "TIFF"

    def __init__(self, exif: Image.Exif, info: dict[str | tuple[int, int], Any], tags: dict[int, Any]) -> None:
        super().__init__()
        self.info, self.tag_v2, self._described = info, tags, exif

    def getexif(self) -> Image.Exif:
        return self._described


class TiffReader:
    """Reads the pages of a TIFF.

    Thumbnails, smaller copies and transparency masks are not pages. A mask that follows a page becomes its alpha.

    Args:
        file: an open file, read from its beginning. It must stay open while pages are read.
        name: name of the file in messages.

    Attributes:
        pages: indices of the directories that are pages.

    Raises:
        UnsupportedError: the file is a raw camera file.
        ImageError: its directories are damaged.

    Example:
        >>> import io
        >>> Image.new("L", (6, 4)).save(file := io.BytesIO(), "TIFF")
        >>> reader = TiffReader(file, "a.tif")
        >>> reader.pages, reader.page_size(0), reader.read(0).pixels.shape
        ([0], (6, 4), (4, 6))
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name = file, name
        file.seek(0)
        with _QUIET:
            try:
                # tifffile treats names that end in .ndpi as a microscopy format.
                self._tiff = TiffFile(file, name="a.tif")
            except TypeError as error:
                raise ImageError(f"{name} cannot be read: its channels have different sample formats") from error
            except Exception as error:
                # Damaged directories raise almost anything.
                raise ImageError(f"{name} cannot be read: its first directory is damaged or missing") from error
            self._directories = list(self._walk())
        shown = [number for number, each in enumerate(self._directories) if not each.subfile & (_REDUCED | _IS_MASK)]
        self.pages = [number for number in shown if not self._directories[number].is_mask] or shown or [0]

    def _walk(self) -> Iterator[_Directory]:
        """Follows the chain of directories, which may be circular in a damaged file."""
        if not self._tiff.pages:
            raise ImageError(f"{self._name} cannot be read: it contains no picture")
        offset, seen = self._tiff.pages[0].offset, set[int]()
        while offset:
            if offset in seen or len(seen) >= _MOST_PAGES:
                raise ImageError(f"{self._name} cannot be read: its chain of directories is damaged")
            seen.add(offset)
            page = self._page(offset, len(seen) - 1)
            if page.photometric in (_CFA, _LINEAR_RAW) or page.tags.get(_DNG_VERSION) or self._is_raw_below(page):
                raise UnsupportedError(f"{self._name} {UNSUPPORTED['.dng']}")
            yield _Directory(offset, (page.imagewidth, page.imagelength), int(page.subfiletype), int(page.photometric))
            offset = self._after(offset)

    def _page(self, offset: int, number: int) -> TiffPage:
        self._tiff.filehandle.seek(offset)
        try:
            return TiffPage(self._tiff, index=number)
        except Exception as error:
            raise ImageError(f"{self._name} cannot be read: directory {number + 1} is damaged or truncated") from error

    def _after(self, offset: int) -> int:
        """Offset of the next directory; 0 after the last."""
        form, file = self._tiff.tiff, self._tiff.filehandle
        try:
            file.seek(offset)
            (count,) = struct.unpack(form.tagnoformat, file.read(form.tagnosize))
            file.seek(offset + form.tagnosize + count * form.tagsize)
            following = file.read(form.offsetsize)
            # Some writers end the file where the offset of the next directory should be.
            return struct.unpack(form.offsetformat, following)[0] if any(following) else 0
        except struct.error as error:
            raise ImageError(f"{self._name} cannot be read: its chain of directories is truncated") from error

    def _is_raw_below(self, page: TiffPage) -> bool:
        """Whether a directory below a page holds sensor data, as in NEF and ARW."""
        for offset in tuple(page.subifds or ())[:_MOST_SUBDIRECTORIES]:
            try:
                below = self._page(int(offset), page.index)
            except (ImageError, ValueError, OSError):
                continue
            if below.photometric in (_CFA, _LINEAR_RAW):
                return True
        return False

    def page_size(self, index: int) -> tuple[int, int]:
        """Returns the width and height of a page in pixels, before its orientation is applied.

        Args:
            index: a member of `pages`.
        """
        return self._directories[index].size

    @property
    def xmp(self) -> bytes | None:
        """The XMP of the first page, or `None`."""
        with _QUIET:
            first = self.pages[0]
            return self._bytes(self._page(self._directories[first].offset, first), _XMP)

    def read(self, index: int) -> Picture:
        """Decodes a page.

        Args:
            index: a member of `pages`.

        Returns:
            The page, upright and in sRGB: uint8 for up to 8 bits, float32 for floating point, otherwise uint16.

        Raises:
            ImageError: the page is damaged, not a picture, or of an unsupported kind, which the message names.
        """
        with _QUIET:
            page = self._page(self._directories[index].offset, index)
            layout = layout_of(page)
            described = self._described(page)
            profile = stated_profile(described, None)
            if profile is None:
                self._warn_of_primaries(page)
            samples = Samples(self._file, page, layout)
            pixels, alpha = _in_srgb(page, layout, samples, profile)
            if alpha is None:
                alpha = self._mask(index)
            orientation = self._orientation(page)
        picture = upright(described, pixels, alpha, orientation)
        picture.info["big_tiff"] = self._tiff.is_bigtiff
        if layout.compression == JPEG and (quality := self._quality(page)):
            picture.info["quality"] = quality
        return picture

    def _orientation(self, page: TiffPage) -> int | None:
        """The orientation by the tag; where there is none, by XMP, as other readers have it."""
        if page.tags.get(_ORIENTATION) is not None:
            stated = page.tags.valueof(_ORIENTATION)
            return stated if isinstance(stated, int) else None
        found = _ORIENTATION_IN_XMP.search(self._bytes(page, _XMP) or b"")
        return int(found[1]) if found else None

    def _mask(self, index: int) -> Array | None:
        """Alpha from the transparency mask of a page, which lies between it and the next page."""
        for number in range(index + 1, len(self._directories)):
            directory = self._directories[number]
            if not directory.is_mask and not directory.subfile & _REDUCED:
                return None
            if directory.is_mask and directory.size == self._directories[index].size and number not in self.pages:
                page = self._page(directory.offset, number)
                layout = layout_of(page)
                if layout.colors == 1 and layout.kind == "u" and layout.bits <= 8:
                    mask, _ = _scaled(layout, Samples(self._file, page, layout), page)
                    return mask
        return None

    def _described(self, page: TiffPage) -> _Described:
        exif = self._exif(page)
        info: dict[str | tuple[int, int], Any] = {
            "compression": _COMPRESSIONS.get(int(page.compression), str(int(page.compression)))
        }
        for key, number in (("xmp", _XMP), ("icc_profile", _ICC)):
            if found := self._bytes(page, number):
                info[key] = found
        iptc = self._bytes(page, _IPTC) or _resource(self._bytes(page, _PHOTOSHOP) or b"", _IPTC_RESOURCE)
        return _Described(exif, info, {_IPTC: iptc} if iptc else {})

    @staticmethod
    def _warn_of_primaries(page: TiffPage) -> None:
        """Warns of primaries that differ from those of sRGB and come without a profile."""
        for number, expected in ((_WHITE_POINT, _WHITE), (_PRIMARIES, _BT709)):
            stated = fractions(page.tags.valueof(number), len(expected))
            if stated and not np.allclose(stated, expected, atol=0.003):
                warn("the color primaries stated by the TIFF tags are not supported; sRGB is assumed")
                return

    def _exif(self, page: TiffPage) -> Image.Exif:
        exif = Image.Exif()
        if self._tiff.is_bigtiff and self._tiff.byteorder == ">":
            # Pillow mistakes big-endian BigTIFF for classic TIFF.
            exif.update({tag.code: tag.value for tag in page.tags if tag.dtype == _ASCII})
            if page.tags.get(_EXIF_IFD):
                warn("EXIF of camera and location is dropped: it cannot be read from big-endian BigTIFF")
            return exif
        exif.endian, exif.bigtiff = self._tiff.byteorder, self._tiff.is_bigtiff
        try:
            exif.load_from_fp(self._file, page.offset)
            for number in set(_STRIPS) & set(exif):
                # Decoding them may take megabytes.
                del exif[number]
        except Exception as error:
            warn(f"the EXIF of the picture is damaged and is dropped: {error}")
            return Image.Exif()
        return exif

    def _bytes(self, page: TiffPage, number: int) -> bytes | None:
        """The bytes of a tag, whatever its type."""
        tag = page.tags.get(number)
        if tag is None:
            return None
        self._file.seek(tag.valueoffset)
        return self._file.read(tag.valuebytecount) or None

    def _quality(self, page: TiffPage) -> int | None:
        """Estimates the JPEG quality of a page; `None` if there is no quantization table."""
        data: bytes = page.jpegtables or b""
        if b"\xff\xdb" not in data:
            self._file.seek(page.dataoffsets[0])
            data = self._file.read(4096)
        place = data.find(b"\xff\xdb")
        table = data[place + 5 : place + 69]
        # The first table is that of luma; its steps have 8 bits.
        return jpeg_quality(list(table)) if place >= 0 and len(table) == 64 and data[place + 4] == 0 else None


def _resource(data: bytes, wanted: int) -> bytes | None:
    """An image resource of Photoshop, by its number."""
    place = 0
    while data[place : place + 4] == b"8BIM" and len(data) >= place + 12:
        number, named = int.from_bytes(data[place + 4 : place + 6], "big"), data[place + 6] + 1
        place += 6 + named + named % 2
        size = int.from_bytes(data[place : place + 4], "big")
        if number == wanted:
            return data[place + 4 : place + 4 + size]
        place += 4 + size + size % 2
    return None


def _scaled(layout: Layout, samples: Samples, page: TiffPage) -> tuple[Array, Array | None]:
    """Color and alpha in the full range of their type, or floating point in 0..1; black is zero."""
    if layout.kind == "f":
        color, alpha = in_unit_range(samples.color, samples.alpha, samples.low, samples.high)
    else:
        color, alpha = of_full_range(layout, samples, page)
    if alpha is not None and layout.associated:
        straight(color, alpha)
    if layout.photometric == WHITE_IS_ZERO:
        full = 1 if color.dtype.kind == "f" else np.iinfo(color.dtype).max
        np.subtract(color.dtype.type(full), color, out=color)
    return color, alpha if alpha is None or alpha.dtype.kind == "u" else at_depth(alpha, 16)


def _in_srgb(page: TiffPage, layout: Layout, samples: Samples, profile: bytes | None) -> tuple[Array, Array | None]:
    if layout.samples > layout.colors + (layout.alpha is not None):
        warn("channels of unspecified meaning are dropped")
    if layout.photometric in (CIELAB, ICCLAB):
        return _lab_in_srgb(layout, samples)
    if layout.photometric == PALETTE:
        colors = looked_up(samples.color, layout, page.tags.valueof(_COLOR_MAP))
        return to_srgb(colors, "rgb", profile), alpha_alone(samples.alpha, layout)
    color, alpha = _scaled(layout, samples, page)
    # The JPEG decoder converts three interleaved channels itself.
    decoded = layout.compression == JPEG and layout.samples == 3 and int(page.planarconfig) == 1
    if layout.photometric == YCBCR and not decoded:
        rgb_of_ycbcr(color, layout, page.tags.valueof(_COEFFICIENTS), page.tags.valueof(_REFERENCE))
    space = {RGB: "rgb", YCBCR: "rgb", CMYK: "cmyk"}.get(layout.photometric, "gray")
    return to_srgb(color, space, profile), alpha


def _lab_in_srgb(layout: Layout, samples: Samples) -> tuple[Array, Array | None]:
    stored, depth = samples.color, {8: 8, 16: 16}.get(layout.bits)
    result = np.empty((layout.height, layout.width, 3), np.float32 if depth is None else f"u{depth // 8}")
    for rows in row_strips(result):
        seen = to_srgb(lab(stored[rows], layout), "lab", None)
        result[rows] = seen if depth is None else at_depth(seen, depth)
    return result, alpha_alone(samples.alpha, layout)
