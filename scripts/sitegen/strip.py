"""Draws six paintings in one picture: the gray input, the automatic result, three hints, the original."""

import io

import numpy as np
from PIL import Image, ImageOps

import artcolor
from sitegen.results import Painting, gray, named

SHOWN = (
    "bruegel_harvesters",
    "hokusai_great_wave",
    "bazille_aigues_mortes",
    "gogh_starry_night",
    "hiroshige_prawns",
    "cassatt_summertime",
)
"""Paintings of the strip, from left to right; none of them is in the training data."""
HINTS = 3
_CELL, _GAP = (256, 192), 6
_RADIUS = 2
_QUALITY = 72


def strip(shown: tuple[str, ...] = SHOWN, cell: tuple[int, int] = _CELL) -> Image.Image:
    """Draws paintings as columns, and their states as rows, with the weights of the default model.

    Args:
        shown: names of the files in docs/pictures.
        cell: width and height of one picture; the rest is cut off.
    """
    columns = [states(named(stem)) for stem in shown]
    width, height = cell
    size = (len(columns) * (width + _GAP) - _GAP, len(columns[0]) * (height + _GAP) - _GAP)
    sheet = Image.new("RGB", size, "white")
    for column, pictures in enumerate(columns):
        for row, picture in enumerate(pictures):
            fitted = ImageOps.fit(picture, cell, Image.Resampling.LANCZOS)
            sheet.paste(fitted, (column * (width + _GAP), row * (height + _GAP)))
    return sheet


def states(painting: Painting) -> list[Image.Image]:
    """Returns a painting in gray, colorized automatically, colorized with hints, and as it is.

    The hints are at the places that the model asks for, with the colors of the original.
    """
    with Image.open(painting.file) as image:
        truth = image.convert("RGB")
    session = artcolor.Session(gray(painting), "unet")
    automatic = session.render().convert("RGB")
    for x, y in session.most_uncertain(HINTS):
        session.hint(x=x, y=y, color=_color(truth, x, y))
    with Image.open(gray(painting)) as image:
        return [image.convert("RGB"), automatic, session.render().convert("RGB"), truth]


def webp(picture: Image.Image) -> bytes:
    """Returns a picture as a small WebP file."""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=_QUALITY, method=6)
    return buffer.getvalue()


def _color(truth: Image.Image, x: float, y: float) -> str:
    column, row = round(x * (truth.width - 1)), round(y * (truth.height - 1))
    box = (column - _RADIUS, row - _RADIUS, column + _RADIUS + 1, row + _RADIUS + 1)
    red, green, blue = np.asarray(truth.crop(box)).reshape(-1, 3).mean(0).round().astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"
