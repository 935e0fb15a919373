"""The boxes of JPEG 2000 files, and of HEIF and AVIF, that Pillow leaves unread: EXIF, XMP and color space."""

import os
import struct
from collections.abc import Iterator
from typing import IO, Any

from artcolor.images.notices import warn

_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF = b"JpgTiffExif->JP2"
_EXIF_HEADER = b"Exif\0\0"
_ENUMERATED, _RESTRICTED, _ANY_ICC = 1, 2, 3
# sRGB, gray with its curve, and sYCC, which OpenJPEG converts.
_LIKE_SRGB = (16, 17, 18)
# A box that claims to be larger than this holds no metadata.
_LARGEST = 64 << 20
_MOST_BOXES = 4096
_CODESTREAM = b"\xff\x4f\xff\x51"
_SYCC = 18


def boxes(file: IO[bytes], start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Walks over boxes (ISO/IEC 15444-1, annex I; ISO/IEC 14496-12).

    Args:
        file: open for reading; must be seekable.
        start: where the first box begins.
        end: where the last one ends; `None` is the end of the file.

    Yields:
        The type of each box, and where its content begins and ends.
    """
    end = file.seek(0, os.SEEK_END) if end is None else end
    for _ in range(_MOST_BOXES):
        if start + 8 > end:
            return
        file.seek(start)
        header = file.read(8)
        size, kind = int.from_bytes(header[:4], "big"), header[4:]
        body = start + 8
        if size == 1:
            size, body = int.from_bytes(file.read(8), "big"), body + 8
        stop = end if size == 0 else start + size
        if stop < body or stop > end:
            return
        yield kind, body, stop
        start = stop


def jp2_metadata(file: IO[bytes]) -> dict[str, Any]:
    """Reads `exif` and `xmp` of a JP2 file; a bare codestream has none.

    Args:
        file: open for reading; must be seekable.
    """
    info: dict[str, Any] = {}
    for kind, body, stop in boxes(file):
        if kind == b"uuid" and stop - body <= _LARGEST:
            file.seek(body)
            uuid, data = file.read(16), file.read(max(0, stop - body - 16))
            if uuid == _XMP:
                info["xmp"] = data
            elif uuid == _EXIF:
                info["exif"] = _EXIF_HEADER + data.removeprefix(_EXIF_HEADER)
    return info


def jp2_depths(file: IO[bytes]) -> tuple[int, ...]:
    """Reads how many bits each channel of a JPEG 2000 file has, from the SIZ segment (ISO/IEC 15444-1, annex A.5.1).

    Args:
        file: open for reading; must be seekable.

    Returns:
        Bits by channel; empty if there is no codestream, or channels are signed or smaller than the picture.
    """
    file.seek(0)
    start: int | None = 0 if file.read(4) == _CODESTREAM else None
    if start is None:
        start = next((body for kind, body, _ in boxes(file) if kind == b"jp2c"), None)
    if start is None:
        return ()
    file.seek(start)
    head = file.read(42)
    if len(head) < 42 or not head.startswith(_CODESTREAM):
        return ()
    channels = file.read(3 * min(int.from_bytes(head[40:42], "big"), 16))
    if any(depth > 127 or (across, down) != (1, 1) for depth, across, down in zip(*[iter(channels)] * 3, strict=False)):
        return ()
    return tuple(depth + 1 for depth in channels[::3])


def jp2_is_ycc(file: IO[bytes]) -> bool:
    """Returns whether a JP2 file states the color space sYCC, which the decoder must convert.

    Args:
        file: open for reading; must be seekable.
    """
    return _color_box(file)[:1] == bytes([_ENUMERATED]) and int.from_bytes(_color_box(file)[3:7], "big") == _SYCC


def jp2_profile(file: IO[bytes]) -> bytes | None:
    """Reads the ICC profile of a JP2 file; `None` if it states an enumerated color space or nothing.

    Args:
        file: open for reading; must be seekable.
    """
    content = _color_box(file)
    if content and content[0] in (_RESTRICTED, _ANY_ICC):
        return content[3:]
    if content and content[0] == _ENUMERATED and (space := int.from_bytes(content[3:7], "big")) not in _LIKE_SRGB:
        warn(f"the enumerated color space {space} of the JPEG 2000 file is not supported")
    return None


def _color_box(file: IO[bytes]) -> bytes:
    """The content of the first `colr` box of a JP2 file; empty if there is none."""
    for kind, body, stop in boxes(file):
        for inner, start, end in boxes(file, body, stop) if kind == b"jp2h" else ():
            if inner == b"colr" and 3 < end - start <= _LARGEST:
                file.seek(start)
                return file.read(end - start)
    return b""


def code_points(file: IO[bytes]) -> tuple[int, int] | None:
    """Reads color primaries and transfer characteristics (ITU-T H.273) of a HEIF or AVIF file.

    Args:
        file: open for reading; must be seekable.

    Returns:
        Those of the first `colr` box of type `nclx`; `None` if there is none.
    """
    for kind, body, stop in boxes(file):
        if kind != b"meta":
            continue
        # `meta` and `iprp` lead to the properties of all items; the first ones belong to the picture itself.
        for properties, start, end in boxes(file, body + 4, stop):
            for container, first, last in boxes(file, start, end) if properties == b"iprp" else ():
                for inner, inside, until in boxes(file, first, last) if container == b"ipco" else ():
                    file.seek(inside)
                    content = file.read(min(until - inside, 11)) if inner == b"colr" else b""
                    if content[:4] == b"nclx" and len(content) >= 8:
                        primaries, transfer = struct.unpack(">HH", content[4:8])
                        return primaries, transfer
    return None


def jp2_boxes(exif: bytes | None, xmp: bytes | None) -> bytes:
    """Makes the boxes with EXIF and XMP that go to the end of a JP2 file.

    Args:
        exif: EXIF with or without its header, or `None`.
        xmp: an XMP packet, or `None`.

    Example:
        >>> import io
        >>> jp2_metadata(io.BytesIO(jp2_boxes(None, b"<x/>")))
        {'xmp': b'<x/>'}
    """
    parts = []
    for uuid, data in ((_EXIF, exif and exif.removeprefix(_EXIF_HEADER)), (_XMP, xmp)):
        if data:
            parts.append((len(data) + 24).to_bytes(4, "big") + b"uuid" + uuid + data)
    return b"".join(parts)
