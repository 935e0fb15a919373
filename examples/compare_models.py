"""Colorize a picture with every released model, and save a grid with gray and, if it has color, the original.

python examples/compare_models.py [PICTURE] [--out runs/compare_models.png] [--width 400]
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import artcolor
from artcolor.images import open_picture
from artcolor.images.colored import is_colored

COLUMNS = 3
LABEL = 24


def grid(cells, width):
    """Returns one image of labeled images of the same shape."""
    height = round(width * cells[0][1].height / cells[0][1].width)
    rows = -(-len(cells) // COLUMNS)
    whole = Image.new("RGB", (COLUMNS * width, rows * (height + LABEL)), "white")
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(15)
    for number, (label, picture) in enumerate(cells):
        x, y = number % COLUMNS * width, number // COLUMNS * (height + LABEL)
        whole.paste(picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS), (x, y + LABEL))
        draw.text((x + 4, y + 3), label, fill="black", font=font)
    return whole


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path, nargs="?", default=Path(__file__).with_name("aigues_mortes.png"))
    parser.add_argument("--out", type=Path, default=Path("runs/compare_models.png"))
    parser.add_argument("--width", type=int, default=400, help="of each picture in the grid")
    given = parser.parse_args()

    original = open_picture(given.picture)
    gray = artcolor.colorize(given.picture, strength=0)
    cells = [("gray", gray)]
    for name in artcolor.list_models():
        for weights in artcolor.get_model_weights(name):
            cells.append((weights.value, artcolor.colorize(gray, model=weights.value)))
    if is_colored(original.pixels):
        cells.append(("original", Image.fromarray(np.asarray(original.pixels))))

    given.out.parent.mkdir(parents=True, exist_ok=True)
    grid(cells, given.width).save(given.out)
    print(f"{', '.join(label for label, _ in cells)}: {given.out}")


if __name__ == "__main__":
    main()
