"""Fits artcolor/evaluate/reference.safetensors to the training paintings.

Run from a checkout: python scripts/make_reference.py ../shared/art
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

import artcolor.evaluate
from artcolor.color.lab import rgb_to_lab
from artcolor.data.dataset import list_pictures
from artcolor.evaluate.protocol import protocol_of
from artcolor.evaluate.reference import fit_reference, save_reference

_TARGET = Path(artcolor.evaluate.__file__).with_name("reference.safetensors")


def _pictures(data: Path) -> Iterator[tuple[Tensor, Tensor]]:
    for batch in protocol_of("paintings-256").batches(list_pictures(data, "train"), 16):
        lab = rgb_to_lab(batch)
        yield lab[:, :1], lab[:, 1:]


def main() -> None:
    """Fits the constants and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the data set, whose train split is used")
    data: Path = parser.parse_args().data
    reference = fit_reference(_pictures(data))
    save_reference(reference, _TARGET)
    a, b = reference.constant.tolist()
    print(f"{_TARGET}: {reference.codebook.bins} bins, mean ab ({a:.2f}, {b:.2f})")


if __name__ == "__main__":
    main()
