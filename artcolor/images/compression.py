"""Finds out how a file was compressed, so that its result is compressed in the same way."""

import functools
from typing import IO, Any

from PIL import Image, JpegImagePlugin

# Luminance table of Annex K of the JPEG standard (ITU-T T.81), from which nearly all encoders scale theirs.
_STANDARD = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29),
    *(51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121),
    *(120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)


def how_made(image: Image.Image) -> dict[str, Any]:
    """Returns format and compression of an opened file.

    Args:
        image: an opened image; nothing is known about images created in memory.

    Returns:
        `format`, and where they mean something `quality`, `subsampling`, `progressive`, `lossless`, `compression`,
        `big_tiff`, `loop` (how often an animation plays; 0 is for ever), `duration` (of this frame, in milliseconds).
    """
    info: dict[str, Any] = {}
    name = "JPEG" if image.format == "MPO" else image.format
    if name:
        info["format"] = name
    if name == "JPEG":
        info |= _jpeg(image)
    elif name == "TIFF":
        if isinstance(image.info.get("compression"), str):
            info["compression"] = image.info["compression"]
        info["big_tiff"] = bool(getattr(getattr(image, "tag_v2", None), "_bigtiff", False))
    elif name == "JPEG2000":
        info["lossless"] = True
    if name in ("GIF", "PNG", "WEBP", "AVIF") and getattr(image, "n_frames", 1) > 1:
        loop = image.info.get("loop")
        if name == "GIF":
            # Without the extension a GIF plays once; with it, so often again.
            loop = 1 if loop is None else loop + 1 if loop else 0
        info["loop"] = loop or 0
        info["duration"] = float(image.info.get("duration") or 0)
        if image.info.get("default_image"):
            info["default_image"] = True
    return info


def _jpeg(image: Image.Image) -> dict[str, Any]:
    info: dict[str, Any] = {"progressive": bool(image.info.get("progressive"))}
    tables = getattr(image, "quantization", None)
    if tables:
        info["quality"] = jpeg_quality(tables[min(tables)])
    if image.mode != "L" and isinstance(image, JpegImagePlugin.JpegImageFile):
        sampling = JpegImagePlugin.get_sampling(image)
        if sampling >= 0:
            info["subsampling"] = sampling
    return info


def jpeg_quality(table: list[int]) -> int:
    """Estimates the quality (1..100) that an encoder was asked for.

    Encoders scale the standard's table by the quality, so the one whose table has the nearest sum is taken.

    Args:
        table: 64 steps of luminance, in any order.

    Example:
        >>> jpeg_quality([1] * 64)
        100
    """
    seen = sum(table)
    return min(range(100, 0, -1), key=lambda quality: abs(_sum_of_steps(quality) - seen))


@functools.cache
def _sum_of_steps(quality: int) -> int:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return sum(min(255, max(1, (step * scale + 50) // 100)) for step in _STANDARD)


def webp_compression(file: IO[bytes]) -> dict[str, Any]:
    """Returns how the first picture of a WebP file was compressed.

    Args:
        file: open for reading; read from its beginning.

    Returns:
        `lossless`, or an estimate of `quality`, or nothing if the file is damaged.
    """
    file.seek(12)
    for _ in range(64):
        header = file.read(8)
        if len(header) < 8:
            break
        kind, size = header[:4], int.from_bytes(header[4:], "little")
        if kind == b"VP8L":
            return {"lossless": True}
        if kind == b"VP8 ":
            return _vp8_quality(file.read(min(size, 64)))
        # The pictures of an animation lie inside its frames.
        file.seek(16 if kind == b"ANMF" else size + size % 2, 1)
    return {}


class _Bits:
    """The arithmetic decoder of VP8 (RFC 6386, section 7), for bits that are as likely 0 as 1."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._value, self._range, self._count, self._next = int.from_bytes(data[:2], "big"), 255, 0, 2

    def bit(self) -> int:
        split = 1 + ((self._range - 1) >> 1)
        found = int(self._value >= split << 8)
        if found:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:
            self._value <<= 1
            self._range <<= 1
            self._count += 1
            if self._count == 8:
                self._count = 0
                if self._next >= len(self._data):
                    raise ValueError("the header of the picture is truncated")
                self._value |= self._data[self._next]
                self._next += 1
        return found

    def number(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | self.bit()
        return value

    def optional(self, bits: int) -> int:
        """A number with a sign, if the bit before it says that there is one, else 0."""
        if not self.bit():
            return 0
        value = self.number(bits)
        return -value if self.bit() else value


def _vp8_quality(data: bytes) -> dict[str, Any]:
    """Reads the quantizer index from a key frame's header (RFC 6386, section 9), and inverts libwebp's curve for it."""
    if len(data) < 16 or data[0] & 1 or data[3:6] != b"\x9d\x01\x2a":
        return {}
    bits = _Bits(data[10:])
    try:
        bits.number(2)
        steps: list[int] = []
        absolute = 0
        if bits.bit():
            update_map, update_data = bits.bit(), bits.bit()
            if update_data:
                absolute = bits.bit()
                steps = [bits.optional(7) for _ in range(4)]
                for _ in range(4):
                    bits.optional(6)
            if update_map:
                for _ in range(3):
                    if bits.bit():
                        bits.number(8)
        bits.number(1 + 6 + 3)
        if bits.bit() and bits.bit():
            for _ in range(8):
                bits.optional(6)
        bits.number(2)
        base = bits.number(7)
    except ValueError:
        return {}
    index = sum(steps) / 4 if steps and absolute else base + sum(steps) / 4 if steps else base
    compression = (1 - min(127.0, max(0.0, index)) / 127) ** 3
    quality = compression * 150 if compression < 0.5 else (compression + 1) * 50
    return {"quality": min(100, max(1, round(quality)))}
