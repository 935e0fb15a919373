"""Judging and cleaning one picture: bytes in, clean bytes and what is known about them out, or a reason."""

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

# Why a picture is dropped, in the order of the steps.
REASONS = {
    "repeated": "The source lists it twice; the first stays.",
    "filtered": "Its labels are not those that `where` asks for.",
    "missing": "The source names it, but it is not there.",
    "undecodable": "It is no picture, or a damaged one.",
    "bomb": "It would need more memory than `max_pixels` allows.",
    "animated": "It has more than one frame, so it is no reproduction of a painting.",
    "too_small": "A side is shorter than `min_side`, after cropping.",
    "extreme_aspect": "It is longer than `max_aspect` times its width.",
    "gray": "Its mean chroma is below `min_chroma`.",
    "sepia": "It has one hue and no other, as sepia, prints in one ink and drawings on yellowed paper have.",
    "duplicate": "A larger copy of the same painting stays.",
    "capped": "`balance` allows no more of its kind.",
}

_SUFFIX_FORMATS = {"webp": "WEBP", "jpeg": "JPEG"}
_THUMBNAIL = 112
_MEASURED = 96
_BORDER_VIEW = 256
# A border's line has one color to within so many of 255 levels, but for 2 % of specks.
_PLAIN_LEVELS = 10
_PLAIN_SHARE = 0.98
_ABRUPT_LEVELS = 20
_NESTED_BORDERS = 4
HUES = 36
CHROMAS = 24
CHROMA_STEP = 5.0


class RejectedError(Exception):
    """A picture cannot be used.

    Args:
        reason: a key of `REASONS`.
        detail: what exactly is wrong.
        image: the picture, if it could be decoded.
    """

    def __init__(self, reason: str, detail: str, image: Image.Image | None = None) -> None:
        """See the class."""
        super().__init__(detail)
        self.reason, self.detail, self.image = reason, detail, image


@dataclass(frozen=True)
class Color:
    """What a picture's colors are like.

    Attributes:
        chroma: mean chroma, in Lab units.
        spread: standard deviation of ab, in Lab units.
        hue_spread: the same, across the mean hue only.
        hues: of `HUES` equal sectors from 0° on, the share of all chroma that lies in each.
        chromas: of `CHROMAS` steps of `CHROMA_STEP` Lab units, the share of pixels in each; the last is open.
    """

    chroma: float
    spread: float
    hue_spread: float
    hues: tuple[float, ...]
    chromas: tuple[float, ...]


@dataclass(frozen=True)
class Cleaned:
    """A picture that can be used.

    Attributes:
        data: its file, as it is to be written.
        gray: the file of its gray twin, if asked for.
        width: of the written picture.
        height: of the written picture.
        pixels: of the original, without its border.
        original: width and height of the original.
        box: left, top, right and bottom of what was kept of the original; `None` if that is all.
        color: what its colors are like.
        hashes: what it is recognized by.
        detail: the same.
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
    """Takes a picture through every cleaning step.

    Args:
        data: of its file.
        rules: what is dropped.
        output: how it is to be written.

    Returns:
        The picture as it is to be written, with what was found out about it.

    Raises:
        RejectedError: it is dropped.
    """
    image, original = decode(data, max_pixels=rules.max_pixels, side=output.side)
    box = content_box(image) if rules.crop_borders else (0, 0, *image.size)
    cropped = box != (0, 0, *image.size)
    # In pixels of the original, as JPEG files may have been decoded smaller.
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
        raise RejectedError("too_small", f"{width} × {height} pixels{after}, at least {rules.min_side} needed", image)
    aspect = max(width, height) / min(width, height)
    if aspect > rules.max_aspect:
        raise RejectedError("extreme_aspect", f"{aspect:.2f} : 1, at most {rules.max_aspect:g} : 1 allowed", image)
    color = measure_color(image)
    if color.chroma < rules.min_chroma:
        raise RejectedError("gray", f"mean chroma {color.chroma:.1f}, at least {rules.min_chroma:g} needed", image)
    if color.spread < rules.min_spread:
        raise RejectedError("sepia", f"spread {color.spread:.1f}, at least {rules.min_spread:g} needed", image)
    if color.hue_spread < rules.min_hue_spread:
        raise RejectedError(
            "sepia", f"spread of hue {color.hue_spread:.1f}, at least {rules.min_hue_spread:g} needed", image
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
    """Decodes a picture to upright sRGB; transparency becomes white.

    Args:
        data: of its file.
        max_pixels: of a picture that is still decoded.
        side: how long the short side must be at least, if less than all of it will do.

    Returns:
        The picture, mode RGB, and the width and height of the original, upright.

    Raises:
        RejectedError: it is damaged, too large, animated, or no picture.
    """
    try:
        # JPEG files decode at 1/2, 1/4 or 1/8 size when that is still enough.
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
        raise RejectedError("undecodable", str(error).removeprefix("the bytes given ")) from error
    turned = (rgb.width > rgb.height) != (size[0] > size[1])
    return rgb, size[::-1] if turned else size


def content_box(image: Image.Image) -> tuple[int, int, int, int]:
    """Finds what is inside plain frames and padding.

    A border is a run of lines of one color that ends abruptly along at least half of its length; nested ones
    are followed inwards. An even sky, a dark ground or the paper around a drawing has no such end and stays.

    Args:
        image: mode RGB.

    Returns:
        Left, top, right and bottom, in pixels; the whole picture if there is no border.
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
    """How many of the first lines are a border; `lines` is `(lines, pixels, 3)`."""
    differs = np.abs(lines - np.median(lines[0], axis=0)).max(axis=2)
    plain = (differs > _PLAIN_LEVELS).mean(axis=1) <= 1 - _PLAIN_SHARE
    run = len(plain) if plain.all() else int(np.argmin(plain))
    if run == 0 or run > 0.45 * len(lines):
        return 0
    if (differs[run : run + 3] > _ABRUPT_LEVELS).mean(axis=1).max() < 0.5:
        return 0
    # The line after it is a mixture of border and picture, as the view was made smaller.
    return run + 1


def measure_color(image: Image.Image) -> Color:
    """Measures what a picture's colors are like, on a small copy of it.

    Args:
        image: mode RGB.
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
    """Makes a picture smaller until its short side is at most `side`.

    Args:
        image: any.
        side: in pixels; `None` keeps the picture.
    """
    if side is None or min(image.size) <= side:
        return image
    scale = side / min(image.size)
    size = max(side, round(image.width * scale)), max(side, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def without_color(image: Image.Image) -> Image.Image:
    """Gives the gray picture of the same L.

    Args:
        image: mode RGB.

    Returns:
        Mode L.
    """
    lightness = rgb_to_lightness(_to_tensor(image))
    gray = lab_to_rgb(torch.cat((lightness, torch.zeros_like(lightness), torch.zeros_like(lightness))))[0]
    return Image.fromarray((gray.clamp(0, 1) * 255).round().to(torch.uint8).numpy())


def encode(image: Image.Image, output: Output) -> bytes:
    """Encodes a picture as the spec says.

    Args:
        image: mode RGB or L.
        output: format and quality.
    """
    buffer = io.BytesIO()
    image.save(buffer, _SUFFIX_FORMATS[output.format], quality=output.quality)
    return buffer.getvalue()


def thumbnail(image: Image.Image) -> bytes:
    """Makes a small JPEG file of a picture, for reports.

    Args:
        image: mode RGB or L.
    """
    small = image.convert("RGB")
    small.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=65)
    return buffer.getvalue()


def _to_tensor(image: Image.Image) -> torch.Tensor:
    pixels = np.array(image, dtype=np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1) / 255
