"""EXIF and XMP in the boxes of JPEG 2000 files, which Pillow leaves alone."""

import os
from typing import IO, Any

_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF = b"JpgTiffExif->JP2"
_EXIF_HEADER = b"Exif\0\0"


def jp2_metadata(file: IO[bytes]) -> dict[str, Any]:
    """Reads `exif` and `xmp` from a JP2 file; a bare codestream has none.

    Args:
        file: is read from its beginning.
    """
    info: dict[str, Any] = {}
    end = file.seek(0, os.SEEK_END)
    start = 0
    while start + 8 <= end:
        file.seek(start)
        header = file.read(8)
        size, kind = int.from_bytes(header[:4], "big"), header[4:]
        body = start + 8
        if size == 1:
            size, body = int.from_bytes(file.read(8), "big"), body + 8
        stop = end if size == 0 else start + size
        if stop <= body or stop > end:
            break
        if kind == b"uuid":
            file.seek(body)
            uuid, data = file.read(16), file.read(max(0, stop - body - 16))
            if uuid == _XMP:
                info["xmp"] = data
            elif uuid == _EXIF:
                info["exif"] = _EXIF_HEADER + data.removeprefix(_EXIF_HEADER)
        start = stop
    return info


def jp2_boxes(exif: bytes | None, xmp: bytes | None) -> bytes:
    """Makes the boxes with `exif` and `xmp` that go to the end of a JP2 file.

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
