"""Writes golden input and output of released weights into the manifest, without training or measuring them again.

Run it from a checkout: python scripts/make_golden.py cnn.art_v1
"""

from typing import Annotated

import torch
import typer

from artcolor.models.registry import from_pretrained
from artcolor.models.verify import make_golden
from artcolor.zoo.manifest import update


def main(keys: Annotated[list[str], typer.Argument(help="model.tag")]) -> None:
    """Writes `golden` of these entries."""
    torch.set_num_threads(1)
    for key in keys:
        update(key, {"golden": make_golden(from_pretrained(key))})
        print(f"{key}: written")


if __name__ == "__main__":
    typer.run(main)
