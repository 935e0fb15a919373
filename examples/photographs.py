"""Make a small data set in color for examples that run without one: tiles of photographs.

    pip install ".[evaluate]"
    python examples/photographs.py OUT

The photographs come with scikit-image; they are in the public domain (NASA, SpaceX) or CC0 (Stéfan van der Walt's cat,
Rachel Michetti's coffee). In `metadata.csv` the photograph is the artist, so that "more of the same artist" means other
tiles of the same photograph.
"""

import sys
from pathlib import Path

import skimage.data
from PIL import Image

NAMES = ("astronaut", "chelsea", "coffee", "rocket")
SPLITS = ("train", "test", "train", "val")


def save_tiles(folder, rows=4, columns=4):
    """Cuts each photograph into tiles, half of them for training, and returns the folder."""
    folder = Path(folder)
    lines = ["file_name,split,artist"]
    for name in NAMES:
        photograph = Image.fromarray(getattr(skimage.data, name)())
        width, height = photograph.width // columns, photograph.height // rows
        for number in range(rows * columns):
            row, column = divmod(number, columns)
            # Shifted from row to row, so that no split consists of whole columns.
            split = SPLITS[(row + column) % len(SPLITS)]
            x, y = column * width, row * height
            file = folder / split / f"{name}_{number:02d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            photograph.crop((x, y, x + width, y + height)).save(file)
            lines.append(f"{split}/{file.name},{split},{name}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


if __name__ == "__main__":
    print(save_tiles(*sys.argv[1:]))
