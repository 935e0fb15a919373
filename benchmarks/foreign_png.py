"""Chunks that state the color space of a PNG."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
from foreign_files import (
    D65,
    PRIMARIES,
    Array,
    Rng,
    columns,
    pick,
    seen_through,
    to_linear,
    to_srgb,
)


def color_chunks(rng: Rng) -> tuple[list[tuple[bytes, bytes]], Callable[[Array], Array], str]:
    """Draws chunks that state the color space of a PNG. Returns them, the conversion they define, and a description."""
    kind = pick(rng, ("none", "none", "sRGB", "gAMA", "gAMA", "gAMA and cHRM", "cICP", "sRGB and gAMA"))
    space = pick(rng, list(PRIMARIES))
    white, primaries = PRIMARIES[space]
    gamma = pick(rng, (1.0, 1 / 1.8, 1 / 2.2, 1 / 1.4))
    said_gamma = (b"gAMA", struct.pack(">I", round(gamma * 100000)))
    chromaticities = (b"cHRM", struct.pack(">8I", *(round(value * 100000) for value in (*white, *primaries))))
    if kind == "sRGB":
        return [(b"sRGB", b"\0")], lambda x: x, kind
    if kind == "sRGB and gAMA":
        # sRGB comes first, whatever gAMA says (PNG specification, third edition, section 4.3).
        return [(b"sRGB", b"\0"), said_gamma], lambda x: x, kind
    if kind.startswith("gAMA"):
        chunks = [said_gamma] + [chromaticities] * (kind != "gAMA")
        # Decoders may take 1/2.2 for the curve of sRGB, from which it differs by up to 2 of L in the shadows.
        power = 1 / gamma
        return (
            chunks,
            lambda x: seen_through(x, power, space if kind != "gAMA" else "sRGB"),
            f"{kind} {gamma:.3f} {space}",
        )
    if kind == "cICP":
        number = {"sRGB": 1, "Display P3": 12, "BT.2020": 9}.get(space, 1)
        space = {1: "sRGB", 12: "Display P3", 9: "BT.2020"}[number]
        transfer = pick(rng, (13, 13, 8, 4, 1, 16))
        words = f"cICP {number} {transfer}"
        chunk = (b"cICP", bytes((number, transfer, 0, 1)))
        if transfer in (13, 1):
            # The curve of BT.709 is shown as that of sRGB, by browsers too.
            return [chunk], lambda x: to_srgb(_matrixed(to_linear(x), space)), words
        if transfer == 16:
            return [chunk], lambda x: to_srgb(_matrixed(_perceptual_quantizer(x), space)), words
        return [chunk], lambda x: seen_through(x, {8: 1.0, 4: 2.2}[transfer], space), words
    return [], lambda x: x, ""


def _matrixed(linear: Array, space: str) -> Array:
    if linear.ndim == 2:
        return linear
    return linear @ (np.linalg.inv(columns(*PRIMARIES["sRGB"], D65)) @ columns(*PRIMARIES[space], D65)).T


def _perceptual_quantizer(values: Array) -> Array:
    """Returns light relative to a white of 203 cd/m² (ITU-R BT.2100, BT.2408)."""
    power = values ** (1 / 78.84375)
    return 10000 / 203 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)


def with_chunks(png: bytes, chunks: list[tuple[bytes, bytes]]) -> bytes:
    """Puts chunks behind the header, in place of those that say something about color."""
    result, at, made = png[:8], 8, b""
    for name, data in chunks:
        made += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big") + 12
        kind = png[at + 4 : at + 8]
        if kind not in (b"sRGB", b"gAMA", b"cHRM", b"iCCP", b"cICP"):
            result += png[at : at + length]
        if kind == b"IHDR":
            result += made
        at += length
    return result
