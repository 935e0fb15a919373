"""Opening picture files: any format, every page or frame, and never more pixels than was asked for."""

import contextlib
import importlib
import logging
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
    TiffImagePlugin,
    WebPImagePlugin,
)

from artcolor.color.rows import Pixels
from artcolor.errors import ImageError
from artcolor.images import high_bit_depth
from artcolor.images.compression import webp_compression
from artcolor.images.jp2 import jp2_metadata
from artcolor.images.metadata import ORIENTATION, tag
from artcolor.images.picture import Picture, decode, opaque_rgb, upright
from artcolor.images.provenance import Provenance, provenance_in
from artcolor.images.streams import Source, being, reading, source_name

_LOG = logging.getLogger(__name__)
_READERS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_ANIMATED = frozenset({"GIF", "PNG", "WEBP", "AVIF"})
_SEVERAL = _ANIMATED | {"TIFF"}
_SUBFILE_TYPE, _REDUCED = 254, 1


class PictureFile:
    """An opened picture file; iterating decodes its pages or frames one by one.

    Thumbnails and smaller copies inside of TIFF, and the previews and depth maps that phones add to JPEG and HEIC, are
    no pages: they would stay gray.

    Args:
        name: what messages call it.
        file: that it was read from; is closed with it.
        image: as Pillow opened it.
        max_pixels: of one page or frame.
        short_side: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, if its short side stays at least this long;
            `None` decodes all of it.

    Attributes:
        name: what messages call it: its path, `the bytes given`, or the `name` of an open file.
        format: by Pillow's name, as in `FORMATS`.
        size: width and height of the first picture, in pixels, before EXIF turns it.
        frames: how many pages or frames there are.
        animated: the frames are one moving picture, not pages of their own.
    """

    def __init__(
        self, name: str, file: IO[bytes], image: Image.Image, max_pixels: float, short_side: int | None = None
    ) -> None:
        self.name = name
        self.format = "JPEG" if image.format == "MPO" else str(image.format)
        self.size = image.size
        _check_pixels(name, image.size, max_pixels)
        self._file, self._max_pixels, self._short_side = file, max_pixels, short_side
        self._image: Image.Image | None = image
        self._emptied = -1
        self._pages = self._numbers(image)
        self.frames = len(self._pages)
        self.animated = self.frames > 1 and self.format in _ANIMATED

    def _numbers(self, image: Image.Image) -> Sequence[int]:
        count = getattr(image, "n_frames", 1) if self.format in _SEVERAL else 1
        if self.format != "TIFF" or count == 1:
            # No list: a damaged file may speak of billions.
            return range(count)
        numbers = []
        for number in range(count):
            image.seek(number)
            if not int(getattr(image, "tag_v2", {}).get(_SUBFILE_TYPE, 0)) & _REDUCED:
                numbers.append(number)
        return numbers or [0]

    def __iter__(self) -> Iterator[Picture]:
        """Decodes page by page.

        Raises:
            ImageError: a page is damaged, too large, or its numbers have no meaning as a picture.
        """
        for number in self._pages:
            with explained(self.name):
                picture = self._decoded(number)
            yield picture

    def _decoded(self, number: int) -> Picture:
        if self._emptied == number:
            self._image = None
        image = self._current()
        if self.format in _SEVERAL:
            image.seek(number)
        _check_pixels(self.name, image.size, self._max_pixels)
        if self._short_side is not None:
            image.draft(None, (self._short_side, self._short_side))
        found = None
        if high_bit_depth.is_deep(image):
            found = high_bit_depth.read(image, self._file, number)
            if found is None:
                _LOG.warning(
                    "%s has 16 bits a channel, of which 8 are read; %s reads all", self.name, high_bit_depth.EXTRA
                )
        if found is None and self.format == "TIFF":
            _make_room(image)
        picture = decode(image) if found is None else upright(image, *found, tag(image, ORIENTATION))
        # Pillow would hold its own copy of the pixels all the while that they are colored and written.
        if self.frames == 1:
            self._image = None
        elif not self.animated:
            image.im, self._emptied = Image.new("1", (1, 1)).im, number
        if self.format == "WEBP":
            picture.info |= webp_compression(self._file)
        elif self.format == "JPEG2000":
            picture.info |= jp2_metadata(self._file)
        return picture

    def _current(self) -> Image.Image:
        if self._image is None:
            self._image = _opened(self.name, self._file)
        return self._image

    @property
    def xmp(self) -> bytes | None:
        """What the file says of itself in XMP."""
        if self.format == "JPEG2000":
            return jp2_metadata(self._file).get("xmp")
        found: str | bytes | None = self._current().info.get("xmp")
        return found.encode() if isinstance(found, str) else found


def _make_room(image: Image.Image) -> None:
    """Gives a TIFF the memory for its pixels; Pillow would first compare it with its own limit, whatever is allowed."""
    turned = getattr(image, "tag_v2", {}).get(ORIENTATION) in (5, 6, 7, 8)
    image.im = Image.new(image.mode, image.size[::-1] if turned else image.size, None).im


@contextlib.contextmanager
def explained(name: str) -> Iterator[None]:
    """Turns what decoders raise into errors for people, which name the file."""
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
def open_file(source: Source, *, max_pixels: int | None = None, short_side: int | None = None) -> Iterator[PictureFile]:
    """Opens a picture file of any format, told by its content and not by its suffix.

    Args:
        source: path of the file, its bytes, or a binary file that is open for reading. An open file is read from its
            beginning and stays open; one that cannot seek is read into memory from where it stands.
        max_pixels: of one page or frame. `None` is Pillow's own guard against decompression bombs, 179 million; more
            must be allowed on purpose, and holds for this file only. (Inside of WebP and GIF, Pillow's guard stays.)
        short_side: pixels of the short side that are enough; a large JPEG is then decoded faster, at part of its size.

    Raises:
        ImageError: it is missing, no picture, damaged, or too large.

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
            opened = PictureFile(name, file, _opened(name, file), limit, short_side)
        yield opened


def _check_pixels(name: str, size: tuple[int, int], limit: float) -> None:
    if size[0] * size[1] > limit:
        raise ImageError(
            f"{being(name)} too large: {size[0]} × {size[1]} are {size[0] * size[1]} pixels, and {limit:.0f} are "
            "allowed; if you trust the file, allow more with max_pixels"
        )


def _opened(name: str, file: IO[bytes]) -> Image.Image:
    # Image.open compares with a limit that is global, so raising it for one file would raise it for all threads.
    file.seek(0)
    prefix = file.read(16)
    if not prefix:
        raise ImageError(f"{being(name)} empty")
    reason: Any = ""
    for format in _READERS:
        factory, accept = Image.OPEN[format]
        accepted = not accept or accept(prefix)
        if isinstance(accepted, str) or not accepted:
            continue
        file.seek(0)
        try:
            # With a name Pillow maps the file into memory, which goes wrong for a TIFF that it has to turn.
            return factory(file, "")
        except (SyntaxError, IndexError, TypeError, KeyError, ValueError, EOFError, OSError, ArithmeticError) as error:
            reason = error
    if prefix[4:8] == b"ftyp" and prefix[8:12] in _HEIF_BRANDS:
        return _opened_heif(name, file)
    if reason:
        raise ImageError(f"{name} cannot be read: {reason}")
    raise ImageError(f"{being(name)} not a picture of a format that artcolor reads")


def _opened_heif(name: str, file: IO[bytes]) -> Image.Image:
    try:
        heif = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise ImageError(f"{being(name)} HEIC, which needs pillow-heif: {high_bit_depth.EXTRA}") from error
    file.seek(0)
    opened: Image.Image = heif.HeifImageFile(file)
    return opened


def open_picture(source: Source, *, max_pixels: int | None = None) -> Picture:
    """Decodes a file that holds one picture.

    Args:
        source: as `open_file` takes it.
        max_pixels: as `open_file` takes it.

    Raises:
        ImageError: it is missing, no picture, damaged, too large, or has several pages.
    """
    with open_file(source, max_pixels=max_pixels) as file:
        if file.frames > 1:
            raise ImageError(
                f"{file.name}: {file.frames} pages or frames, which open_file gives one by one; "
                "artcolor colorize colors them all"
            )
        return next(iter(file))


def open_rgb(source: Source, *, max_pixels: int | None = None, short_side: int | None = None) -> Pixels:
    """Decodes the first page or frame of a file to opaque 8-bit sRGB, as training and evaluation need it.

    What is transparent lies over white.

    Args:
        source: as `open_file` takes it.
        max_pixels: as `open_file` takes it.
        short_side: as `open_file` takes it.

    Returns:
        `(H, W, 3)`, uint8, upright.

    Raises:
        ImageError: the file is missing, no picture, damaged or too large.

    Example:
        >>> import io
        >>> Image.new("LA", (6, 4)).save(png := io.BytesIO(), "PNG")
        >>> open_rgb(png.getvalue())[0, 0]
        array([255, 255, 255], dtype=uint8)
    """
    with open_file(source, max_pixels=max_pixels, short_side=short_side) as file:
        return opaque_rgb(next(iter(file)))


def read_provenance(source: Source) -> Provenance | None:
    """Tells whether artcolor colored a picture file, and how.

    Args:
        source: as `open_file` takes it; its pixels are not decoded.

    Returns:
        `None` if the file does not say so.

    Raises:
        ImageError: the file is missing or no picture.
    """
    with open_file(source, max_pixels=1 << 62) as file, explained(file.name):
        return provenance_in(file.xmp)
