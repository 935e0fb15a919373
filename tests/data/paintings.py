"""Generated pictures for tests of data sets and evaluation: colorful, detailed, and all different."""

import io
import struct
import zlib
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image, ImageDraw


def make_artwork(seed: int, width: int = 200, height: int = 160) -> Image.Image:
    """Soft color fields with strokes, ellipses and polygons on them, and a little canvas texture."""
    rng = np.random.default_rng(seed)
    fields = Image.fromarray(rng.integers(20, 236, (5, 6, 3), dtype=np.uint8))
    picture = fields.resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(28):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        reach = rng.uniform(0.05, 0.22) * width
        color = tuple(int(value) for value in rng.integers(10, 246, 3))
        kind = rng.integers(3)
        if kind == 0:
            draw.ellipse((x - reach, y - reach * 0.6, x + reach, y + reach * 0.6), fill=color)
        elif kind == 1:
            points = np.add(rng.uniform(-reach, reach, (4, 2)), (x, y))
            draw.polygon([(float(a), float(b)) for a, b in points], fill=color)
        else:
            dx, dy = rng.uniform(-2 * reach, 2 * reach, 2)
            draw.line((x, y, x + dx, y + dy), fill=color, width=int(rng.integers(3, 9)))
    canvas = rng.normal(0, 5, (height, width, 1))
    return Image.fromarray((np.asarray(picture) + canvas).clip(0, 255).astype(np.uint8))


def cropped(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """The picture without these fractions of its width and height."""
    width, height = image.size
    return image.crop(
        (round(left * width), round(top * height), round((1 - right) * width), round((1 - bottom) * height))
    )


def framed(image: Image.Image, color: str, share: float = 0.1) -> Image.Image:
    """The picture with a plain border on all sides."""
    border = round(share * min(image.size))
    result = Image.new("RGB", (image.width + 2 * border, image.height + 2 * border), color)
    result.paste(image, (border, border))
    return result


def sepia(image: Image.Image) -> Image.Image:
    """The picture as an old photograph: one hue, strongest in the midtones."""
    gray = np.asarray(image.convert("L"), dtype=np.float64)[..., None]
    return Image.fromarray((gray * [1.2, 0.98, 0.75]).clip(0, 255).astype(np.uint8))


ADOBE_GREEN = (0, 201, 37)
"""The color of `adobe_green` in sRGB; without its profile, it would be read as (60, 200, 60)."""


def adobe_green(side: int = 32) -> bytes:
    """A PNG file of (60, 200, 60) everywhere, with an AdobeRGB profile."""
    profile = bytes(imagecodecs.cms_profile("adobergb"))
    return to_bytes(Image.new("RGB", (side, side), (60, 200, 60)), "PNG", icc_profile=profile)


def hidden_red(side: int = 32) -> bytes:
    """A PNG file of red, transparent in its left half and opaque in its right half."""
    image = Image.new("RGBA", (side, side), (255, 0, 0, 255))
    image.paste((255, 0, 0, 0), (0, 0, side // 2, side))
    return to_bytes(image, "PNG")


def to_bytes(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """The bytes of a picture file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **({"quality": 92} if kind == "JPEG" else {}) | options)
    return buffer.getvalue()


def animation(kind: str, seed: int) -> bytes:
    """An animation of three frames."""
    frames = [make_artwork(seed + number) for number in range(3)]
    return to_bytes(frames[0], kind, save_all=True, append_images=frames[1:])


def bomb(side: int = 12_000) -> bytes:
    """A PNG file of a few kilobytes that decompresses to side² pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress(bytes((side // 8 + 1) * side))
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
