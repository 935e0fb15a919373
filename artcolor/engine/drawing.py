"""Draws hints: as a separate layer, or as marks on a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageColor, ImageDraw, ImageFilter

from artcolor.color.lab import lab_to_rgb_in_gamut
from artcolor.engine.hints import Hint, region_of
from artcolor.models.guidance import Guidance

if TYPE_CHECKING:
    from artcolor.engine.session import Session

__all__ = ["color_of", "draw_hints", "hints_of", "place_of"]

RGB = tuple[int, int, int]

# L of colors that are given by a and b alone: there sRGB has room for most of them.
_LIGHTNESS = 60.0
_NEUTRAL = (128, 128, 128)
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
# Width of outlines, as a fraction of the short side.
_OUTLINE = 0.003
# Long side in pixels at which outlines of masks are found.
_MASK_SIDE = 1000


def hints_of(session: "Session", guidance: Guidance) -> list[Hint]:
    """Returns all hints that a rendering with this guidance follows.

    Args:
        session: the session, which may have hints of its own.
        guidance: may add hints.

    Raises:
        ConfigError: a hint is invalid or does not fit the picture.
        ImageError: the hints cannot be read.
    """
    return [hint for hint in session.all_hints(guidance) if hint.frame in (None, 0)]


def color_of(hint: Hint) -> RGB | None:
    """Returns a hint's color; `None` if it has none.

    Args:
        hint: the hint; the color `"picture"` must be resolved already (`Session.all_hints`).

    Returns:
        sRGB in 0..255. Lab colors outside sRGB lose chroma; colors given as a and b are shown at L = 60.

    Example:
        >>> color_of(Hint(x=0.5, y=0.5, color="#27408b")), color_of(Hint(x=0.5, y=0.5, keep="automatic"))
        ((39, 64, 139), None)
    """
    if hint.keep == "gray":
        return _NEUTRAL
    if hint.color is None or hint.ab is None:
        return None
    lightness = _LIGHTNESS
    if isinstance(hint.color, str):
        text = hint.color.strip()
        if not text.lower().startswith("lab("):
            red, green, blue, *_ = ImageColor.getrgb(text)
            return red, green, blue
        lightness = float(text[4:].replace(",", " ").split()[0])
    ab = torch.tensor(hint.ab).reshape(1, 2, 1, 1)
    rgb = lab_to_rgb_in_gamut(torch.full((1, 1, 1, 1), lightness), ab)
    red, green, blue = (255 * rgb).round().int().flatten().tolist()
    return red, green, blue


def place_of(hint: Hint) -> tuple[float, float]:
    """Returns the position of a hint's label: the point, the first corner of a stroke or polygon, or a mask's center.

    Args:
        hint: the hint.

    Returns:
        `(x, y)` as fractions of width and height.

    Raises:
        ImageError: a mask cannot be read.

    Example:
        >>> place_of(Hint(polyline=[(0.1, 0.2), (0.3, 0.4)], color="teal"))
        (0.1, 0.2)
    """
    if hint.points:
        return hint.points[0]
    rows, columns = np.nonzero(region_of(hint, (100, 100)))
    # The middle of a ring lies outside of it; the pixel nearest to the middle does not.
    nearest = int(np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2))
    return (int(columns[nearest]) + 0.5) / 100, (int(rows[nearest]) + 0.5) / 100


def draw_hints(hints: Sequence[Hint], size: tuple[int, int], *, border: int = 0) -> Image.Image:
    """Draws hints in their colors: points as disks, strokes as lines, regions as outlines.

    Hints without a color are white. Of those that keep the model's color, points are rings and strokes are thin.

    Args:
        hints: the hints; later ones lie on top.
        size: width and height in pixels.
        border: width in pixels of a white and a black border around each, which makes them visible on any picture.

    Returns:
        An image of mode RGBA, transparent where there is no hint.

    Raises:
        ImageError: a mask cannot be read.

    Example:
        >>> draw_hints([Hint(x=0.5, y=0.5, radius=0.2, color="navy")], (40, 30)).getpixel((20, 15))
        (0, 0, 128, 255)
    """
    image = Image.new("RGBA", size)
    around = [(2 * border, _BLACK), (border, _WHITE)] if border else []
    for hint in hints:
        outline = None if hint.mask is None else _outline_of(hint, size)
        for extra, color in (*around, (0, color_of(hint) or _WHITE)):
            if outline is None:
                _draw(ImageDraw.Draw(image), hint, size, (*color, 255), extra)
            else:
                wider = outline.filter(ImageFilter.MaxFilter(2 * extra + 1)) if extra else outline
                image.paste((*color, 255), mask=wider)
    return image


def _draw(
    draw: ImageDraw.ImageDraw, hint: Hint, size: tuple[int, int], color: tuple[int, int, int, int], extra: int
) -> None:
    """Draws a point, stroke or polygon. Not antialiased: half-transparent pixels would have no clean colors."""
    line = max(1, round(_OUTLINE * min(size)))
    if hint.polygon is not None:
        corners = [_pixel(corner, size) for corner in hint.points]
        draw.line([*corners, corners[0], corners[1]], fill=color, width=line + 2 * extra, joint="curve")
        return
    automatic = hint.keep == "automatic"
    radius = hint.radius * min(size) + extra
    if len(hint.points) > 1:
        width = line + 2 * extra if automatic else max(1, round(2 * radius))
        draw.line([_pixel(corner, size) for corner in hint.points], fill=color, width=width, joint="curve")
        radius = min(radius, width / 2)
        automatic = False
    for x, y in (_pixel(place, size) for place in hint.points):
        box = (x - radius, y - radius, x + radius, y + radius)
        if automatic:
            draw.ellipse(box, outline=color, width=line + 2 * extra)
        else:
            draw.ellipse(box, fill=color)
            # An ellipse smaller than a pixel may miss all of them.
            draw.point((x, y), fill=color)


def _pixel(place: tuple[float, float], size: tuple[int, int]) -> tuple[int, int]:
    x, y = (min(int(at * side), side - 1) for at, side in zip(place, size, strict=True))
    return x, y


def _outline_of(hint: Hint, size: tuple[int, int]) -> Image.Image:
    """The pixels of a mask that are near its border, or that of the picture."""
    # Filters of the width that a large picture needs take minutes.
    scale = min(1.0, _MASK_SIDE / max(size))
    width, height = (max(1, round(side * scale)) for side in size)
    inside = region_of(hint, (height, width)).astype(np.uint8) * 255
    line = max(1, round(_OUTLINE * min(width, height)))
    inner = Image.fromarray(np.pad(inside, line)).filter(ImageFilter.MinFilter(2 * line + 1))
    outline = Image.fromarray(inside - np.asarray(inner)[line:-line, line:-line])
    return outline.resize(size, Image.Resampling.NEAREST)
