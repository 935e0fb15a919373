"""Opens picture files of any format, page by page or frame by frame, up to a limit of pixels."""

import contextlib
import importlib
import io
from collections.abc import Iterator, Sequence
from typing import IO, Any

from PIL import (  # noqa: F401 (each registers how its format is opened)
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    WebPImagePlugin,
)

from artcolor.color.rows import Pixels
from artcolor.errors import ImageError, UnsupportedError, install_extra
from artcolor.images import high_bit_depth
from artcolor.images.compression import webp_compression
from artcolor.images.formats import unsupported
from artcolor.images.jp2 import jp2_metadata
from artcolor.images.jpeg import completed, unsupported_kind
from artcolor.images.metadata import ORIENTATION, tag
from artcolor.images.notices import about, warn
from artcolor.images.picture import Picture, decode, opaque_rgb, upright
from artcolor.images.provenance import Provenance, provenance_in
from artcolor.images.streams import Source, being, reading, source_name
from artcolor.images.tiff import TiffReader, is_tiff

READERS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "PPM", "JPEG2000", "AVIF")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_ANIMATED = frozenset({"GIF", "PNG", "WEBP", "AVIF"})


class PictureFile:
    """An opened picture file; iterating decodes its pages or frames one by one.

    Thumbnails, smaller copies and masks inside TIFF, and the previews and depth maps that phones add to JPEG and HEIC,
    are not pages.

    Args:
        name: name of the file in messages.
        file: the open file; it must stay open while pages are decoded.
        opened: the same file, opened by Pillow or as a TIFF.
        max_pixels: maximum number of pixels of a page or frame.
        short_side: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, if its short side keeps at least this many
            pixels; `None` decodes it at full size.
        allow_truncated: whether a truncated JPEG is decoded as far as possible.

    Attributes:
        name: name of the file in messages: its path, `the bytes given`, or the `name` of an open file.
        format: Pillow's name of the format, as in `FORMATS`.
        size: width and height of the first picture in pixels, before its orientation is applied.
        frames: the number of pages or frames.
        animated: whether the frames are one moving picture instead of separate pages.

    Raises:
        ImageError: the first page or frame is too large.
    """

    def __init__(
        self,
        name: str,
        file: IO[bytes],
        opened: Image.Image | TiffReader,
        max_pixels: float,
        short_side: int | None = None,
        *,
        allow_truncated: bool = False,
    ) -> None:
        self.name = name
        self._file, self._max_pixels, self._short_side = file, max_pixels, short_side
        self._allow_truncated = allow_truncated
        self._pages: Sequence[int]
        self._tiff = opened if isinstance(opened, TiffReader) else None
        self._image = opened if isinstance(opened, Image.Image) else None
        if isinstance(opened, TiffReader):
            self.format, self._pages = "TIFF", opened.pages
            self.size = opened.page_size(self._pages[0])
        else:
            self.format = "JPEG" if opened.format == "MPO" else str(opened.format)
            # No list: a damaged file may claim billions of frames.
            self._pages = range(getattr(opened, "n_frames", 1) if self.format in _ANIMATED else 1)
            self.size = opened.size
        _check_pixels(name, self.size, max_pixels)
        self.frames = len(self._pages)
        self.animated = self.frames > 1 and self.format in _ANIMATED

    def __iter__(self) -> Iterator[Picture]:
        """Decodes page by page.

        Raises:
            ImageError: a page is damaged, too large, or its samples have no meaning as a picture.
        """
        for number in self._pages:
            with explained(self.name), about(self.name):
                if self._tiff is None:
                    picture = self._decoded(number)
                else:
                    _check_pixels(self.name, self._tiff.page_size(number), self._max_pixels)
                    picture = self._tiff.read(number)
            yield picture

    def _decoded(self, number: int) -> Picture:
        image = self._current()
        if self.format in _ANIMATED:
            image.seek(number)
        _check_pixels(self.name, image.size, self._max_pixels)
        if self._short_side is not None:
            image.draft(None, (self._short_side, self._short_side))
        if self.format == "JPEG2000":
            # As if Pillow had read it: what EXIF and XMP say of the pixels is then honored and removed.
            image.info.update(jp2_metadata(self._file))
        if high_bit_depth.is_deep(image, self._file):
            picture = upright(image, *high_bit_depth.read(image, self._file), tag(image, ORIENTATION))
        elif self.format == "JPEG":
            picture = self._jpeg(image)
        else:
            picture = decode(image, self._file)
        # Pillow would hold its own copy of the pixels while they are colored and written.
        if self.frames == 1:
            self._image = None
        if self.format == "WEBP":
            picture.info |= webp_compression(self._file)
        return picture

    def _jpeg(self, image: Image.Image) -> Picture:
        try:
            return decode(image, self._file)
        except OSError as error:
            self._file.seek(0)
            try:
                data, lacks_end_only = completed(self._file.read())
            except Exception:
                # It is damaged in another way.
                raise error from None
        if lacks_end_only:
            warn("the end marker is missing; all pixels are present")
        elif self._allow_truncated:
            warn("the file is truncated; the missing part is gray")
        else:
            raise ImageError(
                f"{self.name} cannot be read: it is truncated; allow_truncated (--allow-truncated) reads the "
                "intact part"
            )
        whole = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
        if self._short_side is not None:
            whole.draft(None, (self._short_side, self._short_side))
        return decode(whole)

    def _current(self) -> Image.Image:
        if self._image is None:
            opened = _opened(self.name, self._file)
            assert isinstance(opened, Image.Image)
            self._image = opened
        return self._image

    @property
    def xmp(self) -> bytes | None:
        """The XMP of the file; in a TIFF, that of the first page."""
        if self._tiff is not None:
            return self._tiff.xmp
        if self.format == "JPEG2000":
            return jp2_metadata(self._file).get("xmp")
        found: str | bytes | None = self._current().info.get("xmp")
        return found.encode() if isinstance(found, str) else found


@contextlib.contextmanager
def explained(name: str) -> Iterator[None]:
    """Converts exceptions of decoders into an `ImageError` that names the file."""
    try:
        yield
    except ImageError as error:
        if name in str(error):
            raise
        raise ImageError(f"{name}: {error}") from error
    except FileNotFoundError:
        raise ImageError(f"there is no file {name}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{being(name)} too large: {error}") from error
    except MemoryError as error:
        raise ImageError(f"{being(name)} too large for the memory of this machine") from error
    except Exception as error:
        # Decoders of damaged files raise almost anything.
        raise ImageError(f"{name} cannot be read: {error or type(error).__name__}") from error


@contextlib.contextmanager
def open_file(
    source: Source, *, max_pixels: int | None = None, short_side: int | None = None, allow_truncated: bool = False
) -> Iterator[PictureFile]:
    """Opens a picture file of any format, recognized by its content and not by its suffix.

    Args:
        source: path of the file, its bytes, or a binary file that is open for reading. An open file is read from its
            beginning and stays open; one that cannot seek is read into memory from its current position.
        max_pixels: maximum number of pixels of a page or frame. `None` is Pillow's guard against decompression bombs,
            179 million. The limit applies to this file only. (In WebP and GIF, Pillow's guard stays.)
        short_side: pixels of the short side that are enough; a large JPEG is then decoded faster, at a fraction of its
            size.
        allow_truncated: whether a truncated JPEG is decoded as far as possible, with a warning. One that lacks
            nothing but its end marker always is.

    Raises:
        ImageError: the file is missing, not a picture, damaged, or too large.

    Example:
        >>> import io
        >>> Image.new("L", (6, 4)).save(png := io.BytesIO(), "PNG")
        >>> with open_file(png.getvalue()) as file:
        ...     file.format, file.size, [picture.pixels.shape for picture in file]
        ('PNG', (6, 4), [(4, 6)])
    """
    name = source_name(source)
    with contextlib.ExitStack() as stack:
        with explained(name):
            file = stack.enter_context(reading(source))
            limit = max_pixels if max_pixels is not None else 2 * (Image.MAX_IMAGE_PIXELS or float("inf"))
            opened = PictureFile(name, file, _opened(name, file), limit, short_side, allow_truncated=allow_truncated)
        yield opened


def _check_pixels(name: str, size: tuple[int, int], limit: float) -> None:
    if size[0] * size[1] > limit:
        raise ImageError(
            f"{being(name)} too large: {size[0]} × {size[1]} are {size[0] * size[1]} pixels, and the limit is "
            f"{limit:.0f}; if you trust the file, raise max_pixels (--max-pixels)"
        )


def _opened(name: str, file: IO[bytes]) -> Image.Image | TiffReader:
    # Image.open compares with a limit that is global, so raising it for one file would raise it for all threads.
    file.seek(0)
    prefix = file.read(16)
    if not prefix:
        raise ImageError(f"{being(name)} empty")
    if why := unsupported(prefix):
        raise UnsupportedError(f"{being(name)} {why.removeprefix('is ')}")
    if is_tiff(prefix):
        return TiffReader(file, name)
    reason: Any = ""
    for format in READERS:
        factory, accept = Image.OPEN[format]
        accepted = not accept or accept(prefix)
        if isinstance(accepted, str) or not accepted:
            continue
        file.seek(0)
        try:
            return factory(file, "")
        except (SyntaxError, IndexError, TypeError, KeyError, ValueError, EOFError, OSError, ArithmeticError) as error:
            reason = error
    if is_heif(prefix):
        return _opened_heif(name, file)
    if prefix.startswith(b"\xff\xd8") and (kind := unsupported_kind(file)):
        raise UnsupportedError(f"{being(name)} {kind}, which is not supported; convert it to TIFF or PNG first")
    if reason:
        raise ImageError(f"{name} cannot be read: {reason}")
    raise ImageError(f"{being(name)} not a picture in a format that artcolor reads")


def is_heif(prefix: bytes) -> bool:
    """Returns whether a file is HEIF, such as HEIC.

    Args:
        prefix: the first bytes of the file, at least 12.
    """
    return prefix[4:8] == b"ftyp" and prefix[8:12] in _HEIF_BRANDS


def _opened_heif(name: str, file: IO[bytes]) -> Image.Image:
    try:
        heif = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise ImageError(f"{being(name)} HEIC, which needs pillow-heif: {install_extra('heif')}") from error
    file.seek(0)
    opened: Image.Image = heif.HeifImageFile(file)
    return opened


def open_picture(source: Source, *, max_pixels: int | None = None, allow_truncated: bool = False) -> Picture:
    """Decodes a file that holds one picture.

    Args:
        source: see `open_file`.
        max_pixels: see `open_file`.
        allow_truncated: see `open_file`.

    Raises:
        ImageError: the file is missing, is not a picture, is damaged or too large, or has several pages.
    """
    with open_file(source, max_pixels=max_pixels, allow_truncated=allow_truncated) as file:
        if file.frames > 1:
            raise ImageError(
                f"{file.name}: {file.frames} pages or frames; read them one by one with open_file, or "
                "colorize all of them with artcolor colorize"
            )
        return next(iter(file))


def open_rgb(source: Source, *, max_pixels: int | None = None, short_side: int | None = None) -> Pixels:
    """Decodes the first page or frame of a file to opaque 8-bit sRGB, as training and evaluation need it.

    Transparent pixels are blended with white.

    Args:
        source: see `open_file`.
        max_pixels: see `open_file`.
        short_side: see `open_file`.

    Returns:
        `(H, W, 3)`, uint8, upright.

    Raises:
        ImageError: the file is missing, not a picture, damaged, or too large.

    Example:
        >>> import io
        >>> Image.new("LA", (6, 4)).save(png := io.BytesIO(), "PNG")
        >>> open_rgb(png.getvalue())[0, 0]
        array([255, 255, 255], dtype=uint8)
    """
    with open_file(source, max_pixels=max_pixels, short_side=short_side) as file:
        return opaque_rgb(next(iter(file)))


def read_provenance(source: Source) -> Provenance | None:
    """Reads the provenance of a picture file: whether and how artcolor colored it. Pixels are not decoded.

    Args:
        source: see `open_file`.

    Returns:
        The provenance; `None` if the file states none.

    Raises:
        ImageError: the file is missing or not a picture.
    """
    with open_file(source, max_pixels=1 << 62) as file, explained(file.name):
        return provenance_in(file.xmp)
