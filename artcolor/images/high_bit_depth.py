"""16 bits a channel, which Pillow holds for gray only: read and written through tifffile and imagecodecs."""

import importlib
import importlib.util
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from artcolor.color.rows import Rows, row_strips
from artcolor.images.metadata import SRGB, tiff_tags
from artcolor.images.picture import Picture, at_depth, to_srgb_16bit

EXTRA = "pip install 'artcolor[formats]'"
"""How the libraries of this module are installed."""

_DEEP = re.compile(r"(LA|RGB[AaX]*);16[BLN]")
_ASSOCIATED = 1
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_DESCRIPTION, _SOFTWARE, _DATE_TIME = 270, 305, 306
_COMPRESSION = {"raw": None, "packbits": "packbits", "tiff_lzw": "lzw", "zstd": "zstd", "lzma": "lzma"}
_CODEC = {"packbits": "packbits", "lzw": "lzw", "zstd": "zstd", "lzma": "lzma", "adobe_deflate": "zlib"}
_PREDICTABLE = frozenset({"lzw", "zstd", "adobe_deflate"})
_STRIP_BYTES = 1 << 18
# Pixels that are made at once, and compressed in parallel.
_AT_ONCE = 1 << 20

Array = npt.NDArray[Any]


def available() -> bool:
    """Whether the extra `formats` is installed, which reading PNG and TIFF of 16 bits and writing such TIFF need."""
    return all(importlib.util.find_spec(name) for name in ("tifffile", "imagecodecs"))


def is_deep(image: Image.Image) -> bool:
    """Whether an opened image has 16 bits in more than one channel, of which Pillow would read 8.

    Args:
        image: opened, but not loaded.
    """
    if getattr(image, "n_frames", 1) > 1 and image.format != "TIFF":
        return False
    for tile in getattr(image, "tile", []):
        arguments = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        if image.format == "PPM":
            return image.mode == "RGB" and tile.codec_name == "ppm" and arguments[1] > 255
        return bool(arguments and isinstance(arguments[0], str) and _DEEP.match(arguments[0]))
    return False


def read(image: Image.Image, file: IO[bytes], number: int) -> tuple[Array, Array | None] | None:
    """Reads all 16 bits of what `is_deep` says yes to.

    Args:
        image: opened, but not loaded.
        file: the same file.
        number: of the page in a TIFF.

    Returns:
        Gray `(H, W)` or RGB `(H, W, 3)` in sRGB, and alpha `(H, W)` or `None`, all uint16; `None` instead of both if
        the libraries are missing.
    """
    if image.format == "PPM":
        values = _read_ppm(image, file)
    elif not available():
        return None
    elif image.format == "PNG":
        file.seek(0)
        values = importlib.import_module("imagecodecs").png_decode(file.read())
    else:
        values = _read_tiff(file, number)
    # Pillow already gives the size of a TIFF as it is once it is turned.
    if sorted(values.shape[:2]) != sorted(image.size):
        raise ValueError(
            f"it says {image.width} × {image.height} pixels, and holds {values.shape[1]} × {values.shape[0]}"
        )
    channels = 1 if values.shape[2] < 3 else 3
    alpha = np.ascontiguousarray(values[..., channels]) if values.shape[2] > channels else None
    pixels = np.ascontiguousarray(values[..., 0] if channels == 1 else values[..., :3])
    return to_srgb_16bit(pixels, image.info.get("icc_profile")), alpha


def _read_ppm(image: Image.Image, file: IO[bytes]) -> Array:
    tile = image.tile[0]  # type: ignore[attr-defined]
    file.seek(tile.offset)
    largest = tile.args[1]
    values = np.empty((image.height, image.width, 3), np.uint16)
    for rows in row_strips(values):
        strip = values[rows]
        data = file.read(strip.nbytes)
        if len(data) < strip.nbytes:
            raise ValueError("the file is cut off")
        given = np.frombuffer(data, ">u2").reshape(strip.shape).astype(np.uint32)
        if int(given.max()) > largest:
            raise ValueError(f"it holds {given.max()}, which is more than its largest value {largest}")
        strip[:] = (given * 65535 + largest // 2) // largest
    return values


def _read_tiff(file: IO[bytes], number: int) -> Array:
    file.seek(0)
    with importlib.import_module("tifffile").TiffFile(file) as tiff:
        page = tiff.pages[number]
        # A damaged file may ask for planes or tiles that fill the memory; only its sides were looked at before.
        pixels = page.imagewidth * page.imagelength
        if page.size > 5 * pixels or page.tilewidth * page.tilelength > max(1 << 24, 4 * pixels):
            raise ValueError(f"its pixels have the shape {page.shape}, in tiles of {page.tile}")
        values: Array = page.asarray()
        extra = tuple(page.extrasamples)
        if values.ndim == 3 and page.planarconfig == 2:
            values = values.transpose(1, 2, 0)
    if values.dtype != np.uint16 or values.ndim != 3:
        raise ValueError(f"it holds {values.dtype} of shape {values.shape}")
    colors = values.shape[2] - len(extra)
    if not extra or not extra[0]:
        # A channel of unknown meaning is not taken for transparency.
        return values[..., :colors]
    values = values[..., : colors + 1]
    if extra[0] == _ASSOCIATED:
        alpha = values[..., -1:].astype(np.float32)
        straight = values[..., :-1] * (65535 / np.maximum(alpha, 1))
        values = np.concatenate([straight.round().clip(0, 65535).astype(np.uint16), values[..., -1:]], axis=-1)
    return values


def write_ppm(file: IO[bytes], pixels: Rows, depth: int) -> None:
    """Writes a PPM, or a PGM of gray.

    Args:
        file: is written to.
        pixels: `(H, W, 3)` or `(H, W)`, uint8, uint16, or float in 0..1.
        depth: 8 or 16 bits a channel.
    """
    kind = 5 if len(pixels.shape) == 2 else 6
    file.write(b"P%d\n%d %d\n%d\n" % (kind, pixels.shape[1], pixels.shape[0], (1 << depth) - 1))
    for rows in row_strips(pixels):
        file.write(at_depth(pixels[rows], depth).astype(f">u{depth // 8}").tobytes())


def write_tiff(path: str, pages: Iterable[tuple[Picture, bytes | None]], depth: int, *, big: bool) -> None:
    """Writes a TIFF, page by page and strip by strip.

    Args:
        path: of the file.
        pages: each in color, with its XMP.
        depth: 8 or 16 bits a channel.
        big: as BigTIFF, which may be larger than 4 GB.
    """
    tifffile = importlib.import_module("tifffile")
    directories = []
    with tifffile.TiffWriter(path, bigtiff=big, byteorder="<") as tiff:
        for picture, xmp in pages:
            info, height, width = picture.info, *picture.rows.shape[:2]
            tags = tiff_tags(info, xmp)
            groups = {group: dict(tags.get_ifd(group)) for group in (_EXIF_IFD, _GPS_IFD) if tags.get_ifd(group)}
            directories.append(groups)
            compression = _COMPRESSION.get(info.get("compression", ""), "adobe_deflate")
            channels = 3 if picture.alpha is None else 4
            rows = min(height, max(1, _STRIP_BYTES // (width * channels * depth // 8)))
            tiff.write(
                _encoded(picture, depth, compression, rows),
                shape=(height, width, channels),
                dtype=np.uint8 if depth == 8 else np.uint16,
                photometric="rgb",
                extrasamples=None if picture.alpha is None else ["unassalpha"],
                compression=compression,
                predictor=compression in _PREDICTABLE,
                rowsperstrip=rows,
                iccprofile=SRGB,
                resolution=info.get("dpi"),
                resolutionunit="INCH" if "dpi" in info else "NONE",
                description=_ascii(tags.pop(_DESCRIPTION, None)),
                software=_ascii(tags.pop(_SOFTWARE, None)) or False,
                datetime=tags.pop(_DATE_TIME, None),
                metadata=None,
                extratags=[_extra(tag, value) for tag, value in tags.items() if tag not in (_EXIF_IFD, _GPS_IFD)]
                + [(group - 1, "I", 1, 0, True) for group in groups],
            )
    _append_directories(path, directories, big)


def _encoded(picture: Picture, depth: int, compression: str | None, rows: int) -> Iterator[bytes]:
    """The strips of a page as they are stored; each has as many rows as is said, but the last."""
    codecs = importlib.import_module("imagecodecs")
    name = _CODEC.get(compression or "")

    def encode(strip: Array) -> bytes:
        if compression in _PREDICTABLE:
            strip = codecs.delta_encode(strip, axis=-2)
        data: bytes = getattr(codecs, f"{name}_encode")(strip) if name else strip.tobytes()
        return data

    height, width = picture.rows.shape[:2]
    several = rows * max(1, _AT_ONCE // (rows * width))
    # Libraries that compress let other threads run meanwhile.
    with ThreadPoolExecutor() as pool:
        for top in range(0, height, several):
            values = at_depth(picture.rows[top : top + several], depth)
            if picture.alpha is not None:
                alpha = at_depth(picture.alpha[top : top + several], depth)
                values = np.concatenate([values, alpha[..., None]], axis=-1)
            values = values.astype(values.dtype.newbyteorder("<"), copy=False)
            yield from pool.map(encode, [values[start : start + rows] for start in range(0, len(values), rows)])


def _ascii(value: Any) -> bytes | None:
    return None if value is None else value if isinstance(value, bytes) else str(value).encode("ascii", "replace")


def _extra(tag: int, value: Any) -> tuple[int, Any, int, Any, bool]:
    if isinstance(value, bytes):
        return tag, "B", len(value), value, True
    if isinstance(value, str):
        return tag, "s", 0, value.encode() + b"\0", True
    values = value if isinstance(value, tuple) else (value,)
    if all(isinstance(each, int) for each in values):
        return tag, "I", len(values), values if len(values) > 1 else values[0], True
    floats = [float(each) for each in values]
    return tag, "d", len(floats), floats if len(floats) > 1 else floats[0], True


def _append_directories(path: str, directories: list[dict[int, dict[int, Any]]], big: bool) -> None:
    """Puts EXIF and GPS, which tifffile does not write, behind the pages and lets their tags point there.

    It does not write those tags either, so their place is held by tags with a number of one less, which is no tag's.
    """
    if not any(directories):
        return
    header = b"II\x2b\0\x08\0\0\0" + bytes(8) if big else b"II\x2a\0\0\0\0\0"
    with open(path, "r+b") as file, importlib.import_module("tifffile").TiffFile(file) as tiff:  # noqa: PTH123
        for page, groups in zip(tiff.pages, directories, strict=True):
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
