"""Opening picture files: any format, every page or frame, and never more pixels than was asked for."""

import contextlib
import importlib
import logging
from collections.abc import Iterator
from pathlib import Path
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

from artcolor.errors import ImageError
from artcolor.images import deep
from artcolor.images.boxes import jp2_metadata
from artcolor.images.decoding import Picture, decode, upright
from artcolor.images.metadata import ORIENTATION, tag
from artcolor.images.provenance import Provenance, provenance_in
from artcolor.images.quality import webp_compression

_LOG = logging.getLogger(__name__)
_READERS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_ANIMATED = frozenset({"GIF", "PNG", "WEBP", "AVIF"})
_SUBFILE_TYPE, _REDUCED = 254, 1


class PictureFile:
    """An opened picture file; iterating decodes its pages or frames one by one.

    Thumbnails and smaller copies inside of TIFF, and the previews and depth maps that phones add to JPEG and HEIC, are
    no pages: they would stay gray.

    Attributes:
        path: of the file.
        format: by Pillow's name, as in `FORMATS`.
        size: width and height of the first picture, in pixels, before EXIF turns it.
        frames: how many pages or frames there are.
        animated: the frames are one moving picture, not pages of their own.
    """

    def __init__(self, path: Path, file: IO[bytes], image: Image.Image, max_pixels: float) -> None:
        self.path = path
        self.format = "JPEG" if image.format == "MPO" else str(image.format)
        self.size = image.size
        self._file, self._image, self._max_pixels = file, image, max_pixels
        self._pages = self._numbers()
        self.frames = len(self._pages)
        self.animated = self.frames > 1 and self.format in _ANIMATED

    def _numbers(self) -> list[int]:
        count = getattr(self._image, "n_frames", 1) if self.format in _ANIMATED | {"TIFF"} else 1
        if self.format != "TIFF" or count == 1:
            return list(range(count))
        numbers = []
        for number in range(count):
            self._image.seek(number)
            if not int(getattr(self._image, "tag_v2", {}).get(_SUBFILE_TYPE, 0)) & _REDUCED:
                numbers.append(number)
        return numbers or [0]

    def __iter__(self) -> Iterator[Picture]:
        """Decodes page by page.

        Raises:
            ImageError: a page is damaged, too large, or its numbers have no meaning as a picture.
        """
        for number in self._pages:
            with explained(self.path):
                picture = self._decoded(number)
            yield picture

    def _decoded(self, number: int) -> Picture:
        image = self._image
        if len(self._pages) > 1:
            image.seek(number)
        _check_pixels(self.path, image.size, self._max_pixels)
        found = None
        if deep.is_deep(image):
            found = deep.read(image, self._file, number)
            if found is None:
                _LOG.warning("%s has 16 bits a channel, of which 8 are read; %s reads all", self.path, deep.EXTRA)
        picture = decode(image) if found is None else upright(image, *found, tag(image, ORIENTATION))
        if self.format == "WEBP":
            picture.info |= webp_compression(self._file)
        elif self.format == "JPEG2000":
            picture.info |= jp2_metadata(self._file)
        return picture

    @property
    def xmp(self) -> bytes | None:
        """What the file says of itself in XMP."""
        if self.format == "JPEG2000":
            return jp2_metadata(self._file).get("xmp")
        found: str | bytes | None = self._image.info.get("xmp")
        return found.encode() if isinstance(found, str) else found


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns what decoders raise into errors for people, which name the file."""
    try:
        yield
    except ImageError as error:
        if str(path) in str(error):
            raise
        raise ImageError(f"{path}: {error}") from error
    except FileNotFoundError:
        raise ImageError(f"there is no file {path}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{path} is too large: {error}") from error
    except MemoryError as error:
        raise ImageError(f"{path} is too large for the memory of this machine") from error
    except Exception as error:
        # Decoders of damaged files raise almost anything.
        raise ImageError(f"{path} cannot be read: {error or type(error).__name__}") from error


@contextlib.contextmanager
def open_file(path: str | Path, *, max_pixels: int | None = None) -> Iterator[PictureFile]:
    """Opens a picture file of any format, told by its content and not by its suffix.

    Args:
        path: of the file.
        max_pixels: of one page or frame. `None` is Pillow's own guard against decompression bombs, 179 million; more
            must be allowed on purpose, and holds for this file only. (Inside of WebP and GIF, Pillow's guard stays.)

    Raises:
        ImageError: it is missing, no picture, damaged, or too large.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("L", (6, 4)).save(f"{folder}/a.png")
        ...     with open_file(f"{folder}/a.png") as file:
        ...         file.format, file.size, [picture.pixels.shape for picture in file]
        ('PNG', (6, 4), [(4, 6)])
    """
    path = Path(path)
    if path.is_dir():
        raise ImageError(f"{path} is a folder, not a picture")
    with contextlib.ExitStack() as stack:
        with explained(path):
            file = stack.enter_context(path.open("rb"))
            image = _opened(path, file)
            limit = max_pixels if max_pixels is not None else 2 * (Image.MAX_IMAGE_PIXELS or float("inf"))
            _check_pixels(path, image.size, limit)
            opened = PictureFile(path, file, image, limit)
        yield opened


def _check_pixels(path: Path, size: tuple[int, int], limit: float) -> None:
    if size[0] * size[1] > limit:
        raise ImageError(
            f"{path} is too large: {size[0]} × {size[1]} are {size[0] * size[1]} pixels, and {limit:.0f} are allowed; "
            "if you trust the file, allow more with max_pixels"
        )


def _opened(path: Path, file: IO[bytes]) -> Image.Image:
    # Image.open compares with a limit that is global, so raising it for one file would raise it for all threads.
    prefix = file.read(16)
    if not prefix:
        raise ImageError(f"{path} is empty")
    reason: Any = ""
    for name in _READERS:
        factory, accept = Image.OPEN[name]
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
        return _opened_heif(path, file)
    if reason:
        raise ImageError(f"{path} cannot be read: {reason}")
    raise ImageError(f"{path} is not a picture of a format that artcolor reads")


def _opened_heif(path: Path, file: IO[bytes]) -> Image.Image:
    try:
        heif = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise ImageError(f"{path} is HEIC, which needs pillow-heif: {deep.EXTRA}") from error
    file.seek(0)
    opened: Image.Image = heif.HeifImageFile(file)
    return opened


def open_picture(path: str | Path, *, max_pixels: int | None = None) -> Picture:
    """Decodes a file that holds one picture.

    Args:
        path: of the file.
        max_pixels: as `open_file` takes it.

    Raises:
        ImageError: it is missing, no picture, damaged, too large, or has several pages.
    """
    with open_file(path, max_pixels=max_pixels) as file:
        if file.frames > 1:
            raise ImageError(
                f"{path} has {file.frames} pages or frames, which open_file gives one by one; "
                "artcolor colorize colours them all"
            )
        return next(iter(file))


def read_provenance(path: str | Path) -> Provenance | None:
    """Tells whether artcolor coloured a picture file, and how.

    Args:
        path: of the file; its pixels are not decoded.

    Returns:
        `None` if the file does not say so.

    Raises:
        ImageError: the file is missing or no picture.
    """
    with open_file(path, max_pixels=1 << 62) as file, explained(Path(path)):
        return provenance_in(file.xmp)
