"""More than 8 bits per channel in PNG, PPM and JPEG 2000, which Pillow holds for gray only."""

import re
from typing import IO, Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image

from artcolor.color.rows import Rows, row_strips
from artcolor.images.color_management import stated_profile, to_srgb
from artcolor.images.jp2 import jp2_depths, jp2_is_ycc
from artcolor.images.picture import at_depth

_DEEP = re.compile(r"(LA|RGB[AaX]*);16[BLN]")

# Gray of 9 bits is "L" to Pillow.
_JPEG2000_MODES = ("L", "I;16", "LA", "RGB", "RGBA")

Array = npt.NDArray[Any]


def is_deep(image: Image.Image, file: IO[bytes]) -> bool:
    """Whether an opened image has more bits a channel than Pillow would read.

    Args:
        image: opened, but not loaded.
        file: the same file.
    """
    if image.format == "JPEG2000":
        depths = set(jp2_depths(file)) if image.mode in _JPEG2000_MODES else set()
        return len(depths) == 1 and 8 < depths.pop() <= 16 and not jp2_is_ycc(file)
    if getattr(image, "n_frames", 1) > 1:
        return False
    for tile in getattr(image, "tile", []):
        arguments = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        if image.format == "PPM":
            return image.mode == "RGB" and tile.codec_name == "ppm" and arguments[1] > 255
        return bool(arguments and isinstance(arguments[0], str) and _DEEP.match(arguments[0]))
    return False


def read(image: Image.Image, file: IO[bytes]) -> tuple[Array, Array | None]:
    """Reads all 16 bits of an image for which `is_deep` is true.

    Args:
        image: opened, but not loaded.
        file: the same file.

    Returns:
        Gray `(H, W)` or RGB `(H, W, 3)` in sRGB, and alpha `(H, W)` or `None`, all uint16 in their full range.

    Raises:
        ValueError: the size of the pixels contradicts the header, or the file is truncated.
    """
    profile = stated_profile(image, file)
    if image.format == "PPM":
        values = _read_ppm(image, file)
    elif image.format == "JPEG2000":
        values = _read_jpeg2000(file)
    else:
        file.seek(0)
        values = imagecodecs.png_decode(file.read())
    if values.shape[:2] != (image.height, image.width):
        raise ValueError(
            f"the header says {image.width} × {image.height} pixels, but the file holds "
            f"{values.shape[1]} × {values.shape[0]}"
        )
    channels = 1 if values.shape[2] < 3 else 3
    alpha = np.ascontiguousarray(values[..., channels]) if values.shape[2] > channels else None
    pixels = np.ascontiguousarray(values[..., 0] if channels == 1 else values[..., :3])
    return to_srgb(pixels, "gray" if pixels.ndim == 2 else "rgb", profile), alpha


def _read_ppm(image: Image.Image, file: IO[bytes]) -> Array:
    tile = image.tile[0]  # type: ignore[attr-defined]
    file.seek(tile.offset)
    largest = tile.args[1]
    values = np.empty((image.height, image.width, 3), np.uint16)
    for rows in row_strips(values):
        strip = values[rows]
        data = file.read(strip.nbytes)
        if len(data) < strip.nbytes:
            raise ValueError("the file is truncated")
        given = np.frombuffer(data, ">u2").reshape(strip.shape).astype(np.uint32)
        if int(given.max()) > largest:
            raise ValueError(f"a sample is {given.max()}, more than the largest value {largest} in the header")
        strip[:] = (given * 65535 + largest // 2) // largest
    return values


def _read_jpeg2000(file: IO[bytes]) -> Array:
    largest = (1 << jp2_depths(file)[0]) - 1
    file.seek(0)
    values: Array = imagecodecs.jpeg2k_decode(file.read())
    if largest < 65535:
        for rows in row_strips(values):
            wide = values[rows].astype(np.uint32).clip(0, largest)
            values[rows] = (wide * 65535 + largest // 2) // largest
    return values if values.ndim == 3 else values[..., None]


def write_ppm(file: IO[bytes], pixels: Rows, depth: int) -> None:
    """Writes a PPM, or a PGM if the pixels are gray.

    Args:
        file: open for writing.
        pixels: `(H, W, 3)` or `(H, W)`, uint8, uint16, or float in 0..1.
        depth: 8 or 16 bits per channel.
    """
    kind = 5 if len(pixels.shape) == 2 else 6
    file.write(b"P%d\n%d %d\n%d\n" % (kind, pixels.shape[1], pixels.shape[0], (1 << depth) - 1))
    for rows in row_strips(pixels):
        file.write(at_depth(pixels[rows], depth).astype(f">u{depth // 8}").tobytes())
