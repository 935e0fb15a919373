"""Colorize in the worker processes of a `DataLoader`, for code that needs pictures in color.

    python examples/dataloader.py [FOLDER] [--workers 2] [--model unet]

The loader then gives batches of colored pictures. A `Colorizer` in `collate_fn` colorizes a whole batch at once, and
pictures of one size go through the network together.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import DataLoader, Dataset

from artcolor import Colorizer

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")


class Pictures(Dataset):
    """The pictures of a folder, in gray, 256 × 256."""

    def __init__(self, folder):
        self.paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, number):
        with Image.open(self.paths[number]) as image:
            gray = ImageOps.fit(image.convert("L"), (256, 256))
        return torch.from_numpy(np.array(gray))[None]


class ColorBatch:
    """Makes a batch in color of gray samples. A class, because workers that are spawned cannot unpickle a lambda."""

    def __init__(self, colorizer):
        self.colorizer = colorizer

    def __call__(self, samples):
        return self.colorizer(torch.stack(samples))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).resolve().parent)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", default="unet")
    given = parser.parse_args()

    collate = ColorBatch(Colorizer(given.model, batch_size=8))
    # With device="cuda", workers need multiprocessing_context="spawn"; forked processes cannot use CUDA.
    loader = DataLoader(Pictures(given.folder), batch_size=8, num_workers=given.workers, collate_fn=collate)
    for batch in loader:
        print(tuple(batch.shape), batch.dtype, f"mean color {batch.float().mean((0, 2, 3)).round().int().tolist()}")


# Workers that are spawned import this file again.
if __name__ == "__main__":
    main()
