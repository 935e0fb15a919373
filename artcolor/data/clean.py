"""Checks and cleans one picture: takes the bytes of a file, returns a cleaned file or raises the reason to drop it."""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from artcolor import images
from artcolor.color.lab import lab_to_rgb, rgb_to_lab, rgb_to_lightness
from artcolor.data.duplicates import Detail, Hashes, fingerprint
from artcolor.data.spec import CleanRules, Output
from artcolor.errors import ImageError
from artcolor.images.streams import source_name

REASONS = {
    "repeated": "The source lists the picture more than once; the first entry is kept.",
    "filtered": "The labels do not match `where`.",
    "missing": "The source lists the picture, but the file does not exist.",
    "undecodable": "The file is damaged or not a picture.",
    "bomb": "The picture has more pixels than `max_pixels` allows.",
    "animated": "The picture has several frames, so it does not reproduce a painting.",
    "too_small": "A side is shorter than `min_side` after cropping.",
    "extreme_aspect": "The long side is more than `max_aspect` times the short side.",
    "gray": "The mean chroma is below `min_chroma`.",
    "sepia": "The picture has a single hue, like a sepia photograph, a one-ink print or a drawing on yellowed paper.",
    "duplicate": "A larger copy of the same painting is kept.",
    "capped": "`balance` allows no more pictures with this label.",
}
"""Explanation of each reason for dropping a picture, in the order of the steps."""

_SUFFIX_FORMATS = {"webp": "WEBP", "jpeg": "JPEG"}
_THUMBNAIL = 112
_MEASURED = 96
_BORDER_VIEW = 256
# At least this share of a border line lies within so many of 255 levels of one color.
_PLAIN_LEVELS = 10
_PLAIN_SHARE = 0.98
_ABRUPT_LEVELS = 20
_NESTED_BORDERS = 4
HUES = 36
CHROMAS = 24
CHROMA_STEP = 5.0


class RejectedError(Exception):
    """A picture that cannot be used.

    Args:
        reason: a key of `REASONS`.
        detail: the measured value and the limit, or the decoder's message.
        image: the decoded picture, if decoding succeeded.
    """

    def __init__(self, reason: str, detail: str, image: Image.Image | None = None) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.image = reason, detail, image


@dataclass(frozen=True)
class Color:
    """Color statistics of a picture.

    Attributes:
        chroma: mean chroma, in Lab units.
        spread: standard deviation of ab, in Lab units.
        hue_spread: standard deviation of ab perpendicular to the mean hue, in Lab units.
        hues: share of the total chroma in each of `HUES` equal sectors of hue, starting at 0°.
        chromas: share of pixels in each of `CHROMAS` bins of chroma, `CHROMA_STEP` Lab units wide; the last bin has no
            upper limit.
    """

    chroma: float
    spread: float
    hue_spread: float
    hues: tuple[float, ...]
    chromas: tuple[float, ...]


@dataclass(frozen=True)
class Cleaned:
    """A cleaned picture.

    Attributes:
        data: encoded file of the cleaned picture.
        gray: encoded file of its gray twin; `None` if not requested.
        width: width of the cleaned picture, in pixels.
        height: height of the cleaned picture, in pixels.
        pixels: number of pixels of the original inside its border.
        original: width and height of the original, in pixels.
        box: left, top, right and bottom of the part of the original that was kept; `None` if not cropped.
        color: color statistics of the picture.
        hashes: perceptual hashes `(7,)`, from `fingerprint`.
        detail: local detail `(576,)`, from `fingerprint`.
    """

    data: bytes
    gray: bytes | None
    width: int
    height: int
    pixels: int
    original: tuple[int, int]
    box: tuple[int, int, int, int] | None
    color: Color
    hashes: Hashes
    detail: Detail


def clean(data: bytes, rules: CleanRules, output: Output) -> Cleaned:
    """Decodes, crops, checks, measures, resizes and encodes a picture.

    Args:
        data: bytes of the picture file.
        rules: limits beyond which a picture is dropped.
        output: size and format of the cleaned file.

    Returns:
        The cleaned picture with its measurements.

    Raises:
        RejectedError: the picture breaks a rule or cannot be decoded.
    """
    image, original = decode(data, max_pixels=rules.max_pixels, side=output.side)
    box = content_box(image) if rules.crop_borders else (0, 0, *image.size)
    cropped = box != (0, 0, *image.size)
    # The decoded picture may be smaller than the original, because JPEG can be decoded at a reduced size.
    scale = original[0] / image.width, original[1] / image.height
    kept = (
        round(box[0] * scale[0]),
        round(box[1] * scale[1]),
        round(box[2] * scale[0]),
        round(box[3] * scale[1]),
    )
    width, height = kept[2] - kept[0], kept[3] - kept[1]
    if cropped:
        image = image.crop(box)
    if min(width, height) < rules.min_side:
        after = " after cropping" if cropped else ""
        raise RejectedError("too_small", f"{width} × {height} pixels{after}; the minimum is {rules.min_side}", image)
    aspect = max(width, height) / min(width, height)
    if aspect > rules.max_aspect:
        raise RejectedError("extreme_aspect", f"{aspect:.2f} : 1; the maximum is {rules.max_aspect:g} : 1", image)
    color = measure_color(image)
    if color.chroma < rules.min_chroma:
        raise RejectedError("gray", f"mean chroma {color.chroma:.1f}; the minimum is {rules.min_chroma:g}", image)
    if color.spread < rules.min_spread:
        raise RejectedError("sepia", f"spread {color.spread:.1f}; the minimum is {rules.min_spread:g}", image)
    if color.hue_spread < rules.min_hue_spread:
        raise RejectedError(
            "sepia", f"hue spread {color.hue_spread:.1f}; the minimum is {rules.min_hue_spread:g}", image
        )
    hashes, detail = fingerprint(image)
    image = fit(image, output.side)
    return Cleaned(
        data=encode(image, output),
        gray=encode(without_color(image), output) if output.gray else None,
        width=image.width,
        height=image.height,
        pixels=width * height,
        original=original,
        box=kept if cropped else None,
        color=color,
        hashes=hashes,
        detail=detail,
    )


def decode(data: bytes, *, max_pixels: int, side: int | None = None) -> tuple[Image.Image, tuple[int, int]]:
    """Decodes a picture to upright 8-bit sRGB; transparent pixels become white.

    Args:
        data: bytes of the picture file.
        max_pixels: number of pixels above which a picture is rejected.
        side: short side that is needed, in pixels; a JPEG may be decoded at a reduced size that is at least twice
            this. `None` decodes at full size.

    Returns:
        The picture in mode RGB, and the width and height of the upright original in pixels.

    Raises:
        RejectedError: the file is damaged, too large, animated, or not a picture.
    """
    try:
        with images.open_file(data, max_pixels=1 << 62, short_side=None if side is None else 2 * side) as file:
            size = file.size
            if size[0] * size[1] > max_pixels:
                raise RejectedError("bomb", f"{size[0]} × {size[1]} pixels from {len(data)} bytes")
            if file.animated:
                raise RejectedError("animated", f"{file.frames} frames")
            rgb = Image.fromarray(images.opaque_rgb(next(iter(file))))
    except ImageError as error:
        if isinstance(error.__cause__, Image.DecompressionBombError | Image.DecompressionBombWarning):
            raise RejectedError("bomb", str(error.__cause__)) from error
        raise RejectedError("undecodable", str(error).removeprefix(f"{source_name(data)} ")) from error
    turned = (rgb.width > rgb.height) != (size[0] > size[1])
    return rgb, size[::-1] if turned else size


def content_box(image: Image.Image) -> tuple[int, int, int, int]:
    """Finds the content inside plain frames and padding.

    A border is a run of lines of one color that ends abruptly along at least half of its length. Nested borders are
    removed one by one. An even sky, a dark background or the paper around a drawing has no abrupt end and is kept.

    Args:
        image: picture in mode RGB.

    Returns:
        Left, top, right and bottom of the content, in pixels; the whole picture if there is no border.
    """
    factor = max(1, max(image.size) // _BORDER_VIEW)
    pixels = np.asarray(image.reduce(factor), dtype=np.int16)
    height, width = pixels.shape[:2]
    left, top, right, bottom = 0, 0, width, height
    for _ in range(_NESTED_BORDERS):
        inside = pixels[top:bottom, left:right]
        sides = (
            _border(inside.swapaxes(0, 1)),
            _border(inside),
            _border(inside.swapaxes(0, 1)[::-1]),
            _border(inside[::-1]),
        )
        if not any(sides):
            break
        if left + sides[0] >= right - sides[2] or top + sides[1] >= bottom - sides[3]:
            break
        left, top, right, bottom = left + sides[0], top + sides[1], right - sides[2], bottom - sides[3]
    return (
        left * factor,
        top * factor,
        right * factor if right < width else image.width,
        bottom * factor if bottom < height else image.height,
    )


def _border(lines: npt.NDArray[np.int16]) -> int:
    """Counts the leading lines of `(lines, pixels, 3)` that form a border."""
    differs = np.abs(lines - np.median(lines[0], axis=0)).max(axis=2)
    plain = (differs > _PLAIN_LEVELS).mean(axis=1) <= 1 - _PLAIN_SHARE
    run = len(plain) if plain.all() else int(np.argmin(plain))
    if run == 0 or run > 0.45 * len(lines):
        return 0
    if (differs[run : run + 3] > _ABRUPT_LEVELS).mean(axis=1).max() < 0.5:
        return 0
    # Reducing the picture mixed border and content in the next line.
    return run + 1


def measure_color(image: Image.Image) -> Color:
    """Measures the color statistics of a picture on a reduced copy.

    Args:
        image: picture in mode RGB.

    Returns:
        The statistics, rounded to 3 or 4 decimals.
    """
    small = image.reduce(max(1, max(image.size) // _MEASURED))
    a, b = rgb_to_lab(_to_tensor(small))[1:].flatten(1).double().numpy()
    chroma = np.hypot(a, b)
    spread = float(np.sqrt(a.var() + b.var()))
    angle = np.arctan2(b.mean(), a.mean())
    across = b * np.cos(angle) - a * np.sin(angle)
    hue = np.degrees(np.arctan2(b, a)) % 360
    hues = np.bincount((hue * HUES / 360).astype(int) % HUES, weights=chroma, minlength=HUES)
    chromas = np.bincount(np.minimum(chroma / CHROMA_STEP, CHROMAS - 1).astype(int), minlength=CHROMAS)
    return Color(
        chroma=round(float(chroma.mean()), 3),
        spread=round(spread, 3),
        hue_spread=round(float(across.std()), 3),
        hues=tuple(round(float(share), 4) for share in hues / max(float(chroma.sum()), 1e-9)),
        chromas=tuple(round(float(share), 4) for share in chromas / chroma.size),
    )


def fit(image: Image.Image, side: int | None) -> Image.Image:
    """Reduces a picture to a short side of at most `side`; a smaller picture is returned as it is.

    Args:
        image: picture in any mode.
        side: longest short side, in pixels; `None` returns the picture unchanged.

    Returns:
        The picture, in the same mode.
    """
    if side is None or min(image.size) <= side:
        return image
    scale = side / min(image.size)
    size = max(side, round(image.width * scale)), max(side, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def without_color(image: Image.Image) -> Image.Image:
    """Converts a picture to gray with the same L.

    Args:
        image: picture in mode RGB.

    Returns:
        The picture in mode L.
    """
    lightness = rgb_to_lightness(_to_tensor(image))
    gray = lab_to_rgb(torch.cat((lightness, torch.zeros_like(lightness), torch.zeros_like(lightness))))[0]
    return Image.fromarray((gray.clamp(0, 1) * 255).round().to(torch.uint8).numpy())


def encode(image: Image.Image, output: Output) -> bytes:
    """Encodes a picture in the format of the spec.

    Args:
        image: picture in mode RGB or L.
        output: format and quality of the file.

    Returns:
        The bytes of the file.
    """
    buffer = io.BytesIO()
    image.save(buffer, _SUFFIX_FORMATS[output.format], quality=output.quality)
    return buffer.getvalue()


def thumbnail(image: Image.Image) -> bytes:
    """Encodes a thumbnail for `report.html`.

    Args:
        image: picture in any mode that converts to RGB.

    Returns:
        The bytes of a JPEG file of at most 112 pixels a side.
    """
    small = image.convert("RGB")
    small.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=65)
    return buffer.getvalue()


def _to_tensor(image: Image.Image) -> torch.Tensor:
    pixels = np.array(image, dtype=np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1) / 255
