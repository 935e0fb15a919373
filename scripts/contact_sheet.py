"""Draws a contact sheet of gray, each model, and truth, for a fixed random set of pictures.

Run from a checkout: python scripts/contact_sheet.py ../shared/art OUT.png unet unet:vividness=0,temperature=1 cnn
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torchvision.utils import save_image

from artcolor.color.lab import lab_to_rgb_in_gamut, rgb_to_lab
from artcolor.color.transforms import JoinChroma
from artcolor.evaluate.predictors import predictor_of
from artcolor.evaluate.protocol import choose, protocol_of
from artcolor.evaluate.reference import load_reference


@torch.no_grad()
def main(
    data: Annotated[Path, typer.Argument(help="Folder of color pictures.")],
    out: Annotated[Path, typer.Argument(help="PNG file to write.")],
    models: Annotated[list[str], typer.Argument(help="Models, as for `artcolor evaluate`.")],
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    count: Annotated[int, typer.Option(help="Number of pictures.")] = 40,
    seed: Annotated[int, typer.Option(help="Random seed that selects the pictures.")] = 1,
) -> None:
    """Draws the contact sheet, two pictures per row."""
    paths = choose(data, split, None)
    chosen = [paths[i] for i in np.random.default_rng(seed).permutation(len(paths))[:count]]
    reference = load_reference()
    predictors = [predictor_of(name, reference) for name in models]
    rows = []
    for truth in protocol_of("paintings-256").batches(chosen, 10):
        lab = rgb_to_lab(truth)
        gray = lab_to_rgb_in_gamut(lab[:, :1], torch.zeros_like(lab[:, 1:]))
        colored = [JoinChroma(each.predict(lab).ab, *truth.shape[-2:])(lab[:, :1]) for each in predictors]
        rows.append(torch.stack((gray, *colored, truth), dim=1))
    pictures = torch.nn.functional.interpolate(torch.cat(rows).flatten(0, 1), scale_factor=0.75, mode="area")
    save_image(pictures, out, nrow=2 * (len(predictors) + 2), padding=3, pad_value=1.0)


if __name__ == "__main__":
    typer.run(main)
