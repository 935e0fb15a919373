"""JPEG files: large ones are encoded strip by strip, and those that end early are completed."""

import io
from typing import IO, Any

import numpy as np
from PIL import Image, JpegImagePlugin

from artcolor.color.rows import Rows
from artcolor.images.picture import at_depth

# How many rows of pixels one row of blocks has, by Pillow's number of the subsampling.
_BLOCK = {0: (8, 8), 1: (16, 8), 2: (16, 16)}
# What one interval between restart markers may hold.
_LONGEST = 65535
_HEIGHT_OF_FRAME = 3
_STRIP_PIXELS = 1 << 21
# Markers of frames: all of C0 to CF but tables (C4, CC) and an extension (C8).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_LS = 0xF7
_END = b"\xff\xd9"
# More coded data than the last row of blocks can need.
_FILLING = b"\xaa\x55" * (1 << 15)


def write_jpeg(file: IO[bytes], pixels: Rows, keywords: dict[str, Any]) -> None:
    """Writes a baseline JPEG with the pixels that Pillow would write, and restart markers between strips.

    What lies between two restart markers does not depend on what was before (ITU-T T.81, E.1.4), so each strip is a
    small JPEG of Pillow's, of which the scan is kept; of the first also the headers.

    Args:
        file: open for writing.
        pixels: `(H, W, 3)`, uint8, uint16, or float in 0..1.
        keywords: see `Image.save`; `subsampling` is 0, 1 or 2, and `progressive` is not set.
    """
    height, width = pixels.shape[:2]
    across, down = _BLOCK[keywords["subsampling"]]
    wide = -(-width // across)
    blocks = max(1, min(_LONGEST // wide, _STRIP_PIXELS // (width * down)))
    same = {"quality": keywords["quality"], "subsampling": keywords["subsampling"], "restart_marker_rows": blocks}
    rows = blocks * down
    for number, top in enumerate(range(0, height, rows)):
        buffer = io.BytesIO()
        strip = Image.fromarray(np.ascontiguousarray(at_depth(pixels[top : top + rows], 8)))
        strip.save(buffer, "JPEG", **(keywords if number == 0 else {}) | same)
        data = memoryview(buffer.getvalue())
        start, frame = _parts(data)
        if number == 0:
            head = bytearray(data[:start])
            place = frame + 2 + _HEIGHT_OF_FRAME
            head[place : place + 2] = height.to_bytes(2, "big")
            file.write(head)
        else:
            file.write(bytes((0xFF, 0xD0 + (number - 1) % 8)))
        file.write(data[start:-2])
    file.write(b"\xff\xd9")


def _parts(data: memoryview) -> tuple[int, int]:
    """Where the scan of a JPEG begins, and where the segment that holds its size."""
    place, frame = 2, 0
    while True:
        kind, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if kind == 0xC0:
            frame = place
        place += 2 + length
        if kind == 0xDA:
            return place, frame


def unsupported_kind(file: IO[bytes]) -> str | None:
    """Recognizes the kinds of JPEG that the decoder does not know (ITU-T T.81, annex B.2.2).

    Args:
        file: open for reading; must be seekable.

    Returns:
        What it is, as `"a 12-bit JPEG"`; `None` if it is none of these kinds.
    """
    marker, bits = frame(file)
    if marker == _JPEG_LS:
        return "a JPEG-LS file"
    if marker is None:
        return None
    kind = "lossless" if marker & 3 == 3 else "hierarchical" if marker & 7 > 4 else f"{bits}-bit"
    return None if kind == "8-bit" else f"a {kind} JPEG"


def frame(file: IO[bytes]) -> tuple[int | None, int]:
    """Finds the frame header of JPEG data.

    Args:
        file: can seek; the data begin at its start.

    Returns:
        The second byte of its marker, and the bits of a sample; `None` and 0 if there is no frame header.
    """
    place = 2
    while True:
        file.seek(place)
        head = file.read(5)
        if len(head) < 5 or head[0] != 0xFF:
            return None, 0
        if head[1] in _FRAMES or head[1] == _JPEG_LS:
            return head[1], head[4]
        place += 2 + int.from_bytes(head[2:4], "big")


def completed(data: bytes) -> tuple[bytes, bool]:
    """Completes a JPEG that ends early by an end marker, with which decoders fill what is missing with gray.

    If no pixel is missing, further coded data before the marker changes nothing; that is how to tell.

    Args:
        data: content of the file.

    Returns:
        The completed file, and whether only the end marker was missing.

    Raises:
        OSError: it cannot be decoded all the same.
    """
    whole = data + _END
    # Not `Image.open`, which compares with a limit of pixels that is global.
    one, other = (JpegImagePlugin.JpegImageFile(io.BytesIO(each)) for each in (whole, data + _FILLING + _END))
    return whole, one.tobytes() == other.tobytes()
