"""Scenes, color spaces and expected values for the files that `foreign.py` makes with other tools.

Nothing here calls artcolor or the tools: what is expected of a file follows from the numbers that were written.
"""

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms

Rng = np.random.Generator
Array = np.ndarray[Any, Any]

LOSSLESS, LOSSY, SUBSAMPLED, QUANTIZED = 0.5, 1.5, 3.0, 4.0
"""Limits of the mean difference of L: exact forms, good lossy quality, subsampled chroma, and a tool's own palette."""


class UnwritableError(Exception):
    """The tool refuses to write this combination, so it is not a form of its files."""


@dataclass
class Page:
    """What one page must look like.

    Attributes:
        pixels: `(H, W)` or `(H, W, 3)`, upright, sRGB in 0..1.
        alpha: `(H, W)` in 0..1, or `None` if opaque.
        compared: `(H, W)`, where color is compared; `None` compares it everywhere.
    """

    pixels: Array
    alpha: Array | None = None
    compared: Array | None = None


@dataclass
class Foreign:
    """A file that another tool wrote.

    Attributes:
        data: the whole file.
        suffix: its usual suffix.
        how: the command or the call that wrote it.
        pages: what must be read.
        tolerance: limit of the mean difference of L.
        alpha_tolerance: limit of the mean difference of alpha.
        alpha_optional: whether alpha may be ignored, because the format does not define its meaning.
        must_name: a regular expression that the message of a refusal must contain.
    """

    data: bytes
    suffix: str
    how: str
    pages: list[Page]
    tolerance: float = LOSSLESS
    alpha_tolerance: float = 0.006
    alpha_optional: bool = False
    must_name: str = ""


def pick(rng: Rng, choices: Sequence[Any]) -> Any:
    return choices[int(rng.integers(len(choices)))]


def chance(rng: Rng, share: float) -> bool:
    return bool(rng.random() < share)


def size(rng: Rng) -> tuple[int, int]:
    """Returns height and width in pixels."""
    height, width = rng.integers(20, 91, 2)
    return int(height), int(width)


def gray_scene(rng: Rng, shape: tuple[int, int] | None = None) -> Array:
    """Returns `(H, W)` in 0..1, with gradients, edges, pure black and pure white, and no symmetry."""
    height, width = shape or size(rng)
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    gray = 0.85 - rng.uniform(0.3, 0.5) * y + 0.08 * np.sin(rng.uniform(6, 14) * x)
    center_x, center_y = rng.uniform(0.25, 0.35, 2)
    gray = np.where((x - center_x) ** 2 + (y - center_y) ** 2 < 0.03, 0.95 - 0.3 * x, gray)
    gray = np.where((y > 0.65) & (x > 0.5), 0.15 + 0.5 * (x - 0.5) + 0.1 * np.sin(40 * y), gray)
    gray = np.where((x < 0.12) & (y < 0.2), 0.0, gray)
    return np.where((x > 0.88) & (y < 0.2), 1.0, gray).clip(0, 1)


def color_scene(rng: Rng, shape: tuple[int, int] | None = None) -> Array:
    """Returns `(H, W, 3)` in 0..1, whose channels differ clearly."""
    gray = gray_scene(rng, shape)
    y, x = np.mgrid[0 : gray.shape[0], 0 : gray.shape[1]] / np.array(gray.shape).reshape(2, 1, 1)
    tilt = np.stack([0.25 * np.sin(rng.uniform(2, 6) * x + c) * np.cos(rng.uniform(1, 4) * y) for c in range(3)], -1)
    tilt += [0.1, 0.0, -0.12]
    # Black and white stay pure, so that the range of the samples is all used.
    return np.where(((gray == 0) | (gray == 1))[..., None], gray[..., None], gray[..., None] + tilt).clip(0, 1)


def scene(rng: Rng, channels: int, shape: tuple[int, int] | None = None) -> Array:
    return gray_scene(rng, shape) if channels == 1 else color_scene(rng, shape)


def alpha_scene(rng: Rng, shape: tuple[int, ...]) -> Array:
    """Returns `(H, W)` in 0..1, partly opaque and partly transparent."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] / np.array(shape[:2]).reshape(2, 1, 1)
    alpha = (1.3 * x - 0.2 + 0.2 * np.sin(rng.uniform(4, 9) * y)).clip(0, 1)
    return np.where((x < 0.5) & (y > 0.7), 1.0, alpha)


def steps(values: Array, bits: int) -> Array:
    """Returns the integers of so many bits that are nearest to values in 0..1."""
    dtype = np.dtype(f"u{next(count for count in (1, 2, 4, 8) if 8 * count >= bits)}")
    top = (1 << bits) - 1
    # float64 holds no more than 53 bits, so the largest value of 64 bits would overflow.
    below = np.where(values < 1, values, 0).clip(0, 1)
    return np.where(values >= 1, np.uint64(top), np.round(below * top).astype(np.uint64)).astype(dtype)


def at_bits(values: Array, bits: int) -> Array:
    """Returns values in 0..1 as so many bits store them."""
    return steps(values, bits) / ((1 << bits) - 1)


def turned(pixels: Array, orientation: int) -> Array:
    """Returns stored pixels upright (EXIF 2.3, tag 274)."""
    return {
        2: lambda x: x[:, ::-1],
        3: lambda x: np.rot90(x, 2),
        4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: np.rot90(x, -1),
        7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
        8: lambda x: np.rot90(x, 1),
    }.get(orientation, lambda x: x)(pixels)


def page(pixels: Array, alpha: Array | None = None, orientation: int = 1, compared: Array | None = None) -> Page:
    rest = (None if each is None else turned(each, orientation) for each in (alpha, compared))
    return Page(turned(pixels, orientation), *rest)


# Color spaces.


def to_linear(values: Array) -> Array:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: Array) -> Array:
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def lightness(pixels: Array) -> Array:
    """Returns L of CIE Lab in 0..100 of sRGB in 0..1."""
    luminance = to_linear(pixels)
    if pixels.ndim == 3:
        luminance = luminance @ [0.2126390, 0.7151687, 0.0721923]
    return np.where(luminance > (6 / 29) ** 3, 116 * np.cbrt(luminance) - 16, luminance * (29 / 3) ** 3)


D65, D50 = (0.3127, 0.3290), (0.34567, 0.35850)
BT709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
PRIMARIES = {
    "sRGB": (D65, BT709),
    "Adobe RGB": (D65, (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)),
    "Display P3": (D65, (0.680, 0.320, 0.265, 0.690, 0.150, 0.060)),
    "BT.2020": (D65, (0.708, 0.292, 0.170, 0.797, 0.131, 0.046)),
    "ProPhoto": (D50, (0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)),
}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def _xyz_of(xy: tuple[float, float]) -> Array:
    return np.array([xy[0] / xy[1], 1, (1 - xy[0] - xy[1]) / xy[1]])


def columns(white: tuple[float, float], primaries: Sequence[float], target: tuple[float, float] = D50) -> Array:
    """Returns the matrix from linear RGB to XYZ, adapted to another white by Bradford."""
    matrix = np.stack([_xyz_of((x, y)) for x, y in zip(primaries[::2], primaries[1::2], strict=True)], -1)
    matrix = matrix * np.linalg.solve(matrix, _xyz_of(white))
    cones = (_BRADFORD @ _xyz_of(target)) / (_BRADFORD @ _xyz_of(white))
    return np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD @ matrix


_FROM_D50 = np.linalg.inv(columns(D65, BT709))


def seen_through(values: Array, gamma: float, space: str = "sRGB") -> Array:
    """Returns sRGB of values in a space of these primaries and this power law."""
    linear = values**gamma
    if values.ndim == 3 and space != "sRGB":
        linear = linear @ (_FROM_D50 @ columns(*PRIMARIES[space])).T
    return to_srgb(linear)


class Profile(NamedTuple):
    """An ICC profile, and the conversion of values in 0..1 through it."""

    name: str
    data: bytes
    to_srgb: Callable[[Array], Array]


def _icc(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    names = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78), b"cprt": b"text\0\0\0\0free\0"}
    tags = tags | {b"wtpt": _fixed([0.9642, 1, 0.8249])} | names
    offset, table, data = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        table += tag + struct.pack(">II", offset + len(data), len(content))
        data += content
    head = struct.pack(">I", 128 + len(table) + len(data)) + b"lcms" + struct.pack(">I", 0x02400000) + b"mntr" + space
    head += b"XYZ " + struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    return head + struct.pack(">iii", 63190, 65536, 54061) + bytes(48) + table + data


def _fixed(values: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(value) * 65536) for value in values))


def profile(rng: Rng, channels: int) -> Profile:
    """Draws a profile of a power law: gray, or RGB with the primaries of a well-known space."""
    gamma = round(pick(rng, (1.0, 1.4, 1.8, 2.2)) * 256) / 256
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    # Gray scans often carry the RGB profile of the scanner.
    if channels == 1 and chance(rng, 0.8):
        return Profile(f"gray {gamma:.2f}", _icc(b"GRAY", {b"kTRC": curve}), lambda x: seen_through(x, gamma))
    space = pick(rng, list(PRIMARIES))
    matrix = columns(*PRIMARIES[space]).T
    tags = {tag: _fixed(column) for tag, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), matrix, strict=True)}
    data = _icc(b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))
    return Profile(f"{space} {gamma:.2f}", data, lambda x: seen_through(x, gamma, space))


# Part of Ghostscript (Debian: libgs-common).
_CMYK = Path("/usr/share/color/icc/ghostscript/default_cmyk.icc")


def cmyk_profile() -> Profile:
    """Returns a profile of printing inks. No formula describes them, so LittleCMS computes what is expected."""
    if not _CMYK.exists():
        raise UnwritableError(f"there is no CMYK profile {_CMYK}")
    data = _CMYK.read_bytes()

    def converted(inks: Array) -> Array:
        samples = np.ascontiguousarray(steps(inks, 8))
        image = Image.frombytes("CMYK", (samples.shape[1], samples.shape[0]), samples.tobytes())
        source = ImageCms.ImageCmsProfile(io.BytesIO(data))
        seen = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        return np.asarray(seen) / 255

    return Profile("CMYK", data, converted)


# Samples of other color models.


def cmyk_of(rgb: Array) -> Array:
    """Returns inks `(H, W, 4)` in 0..1, where white is no ink and RGB is (1 - ink) · (1 - black)."""
    black = (1 - rgb.max(-1)) * 0.9
    inks = 1 - rgb / np.maximum(1 - black, 1e-9)[..., None]
    return np.dstack([inks.clip(0, 1), black])


def rgb_of_cmyk(inks: Array) -> Array:
    return (1 - inks[..., :3]) * (1 - inks[..., 3:])


def lab_of(rgb: Array) -> Array:
    """Returns CIE Lab relative to D50 of sRGB in 0..1."""
    relative = to_linear(rgb) @ columns(D65, BT709).T / _xyz_of(D50)
    f = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def ycbcr_of(rgb: Array) -> Array:
    """Returns Y, Cb and Cr of BT.601 in 0..255, full range (JFIF 1.02)."""
    weights = [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]]
    return rgb @ np.array(weights).T * 255 + [0, 128, 128]


# Pieces of files.


@dataclass
class Exif:
    """EXIF with an orientation and, sometimes, a color space.

    Attributes:
        orientation: 1 to 8.
        to_srgb: converts values in 0..1 from the color space.
        how: a description.
        image: the EXIF as Pillow writes it, or `None` for none.
    """

    orientation: int = 1
    to_srgb: Callable[[Array], Array] = field(default=lambda x: x)
    how: str = ""
    image: Image.Exif | None = None


def exif(rng: Rng, *, color_space: bool = False) -> Exif:
    """Draws EXIF, or none."""
    if chance(rng, 0.4):
        return Exif()
    made, turn = Image.Exif(), int(rng.integers(1, 9))
    made[0x0112], made[0x010E] = turn, "a scene"
    result = Exif(turn, how=f"orientation {turn}", image=made)
    if color_space and chance(rng, 0.4):
        inner = made.get_ifd(0x8769)
        kind = pick(rng, ("sRGB", "Adobe RGB", "R03", "uncalibrated"))
        inner[0xA001] = {"sRGB": 1, "Adobe RGB": 2}.get(kind, 65535)
        if kind == "R03":
            inner[0xA005] = {1: "R03", 2: b"0100"}
        result.how += f", color space {kind}"
        if kind in ("Adobe RGB", "R03"):
            result.to_srgb = lambda x: seen_through(x, 2.19921875, "Adobe RGB")
    return result


def saved(image: Image.Image, format: str, **keywords: Any) -> bytes:
    buffer = io.BytesIO()
    try:
        image.save(buffer, format, **keywords)
    except (OSError, ValueError, KeyError, RuntimeError, struct.error) as error:
        raise UnwritableError(f"Pillow, {format}: {error}") from error
    return buffer.getvalue()


def described(**what: Any) -> str:
    """Returns the options of a file in one line."""
    return ", ".join(f"{key}={value}" for key, value in what.items() if value not in (None, "", False))
