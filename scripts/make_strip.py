"""Draws the picture of the README, docs/assets/strip.webp, and the card that is shown where the site is shared.

Run it from a checkout after a release of weights: python scripts/make_strip.py
"""

from PIL import Image, ImageDraw, ImageFont
from sitegen.cache import ROOT
from sitegen.strip import strip, webp

from artcolor.files import write_atomically

_ASSETS = ROOT / "docs" / "assets"
_CARD = (1200, 630)
_TEAL, _TITLE, _LINE = "#00695c", 84, 34


def card(pictures: Image.Image) -> Image.Image:
    """Draws the card: the name, a line about it, and three paintings in gray and in color."""
    sheet = Image.new("RGB", _CARD, _TEAL)
    draw = ImageDraw.Draw(sheet)
    draw.text((48, 34), "artcolor", "white", ImageFont.load_default(_TITLE))
    draw.text(
        (50, 136), "Colorizes grayscale art. Offline, measured, guided by you.", "white", ImageFont.load_default(_LINE)
    )
    sheet.paste(pictures, ((_CARD[0] - pictures.width) // 2, 208))
    return sheet


def main() -> None:
    """Writes both pictures."""
    write_atomically(_ASSETS / "strip.webp", webp(strip()))
    three = strip(("bazille_aigues_mortes", "hokusai_great_wave", "bruegel_harvesters"), (360, 192))
    # Only the input and the automatic result.
    card(three.crop((0, 0, three.width, 2 * 192 + 6))).save(_ASSETS / "card.jpg", quality=88)


if __name__ == "__main__":
    main()
