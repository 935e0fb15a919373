"""Sample several colorings of one picture with `vae`: the most typical, random ones, and some in a reference's mood.

    python examples/vae_samples.py [PICTURE] [--reference PICTURE] [--samples 3] [--seed 0] [--spread 0.6]
                                   [--out runs/vae_samples.png]

The upper row is the typical coloring and the samples, the lower row the reference and the same samples in its mood.
"""

import argparse
from pathlib import Path

import torch
from PIL import Image
from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image
from torchvision.utils import make_grid

import artcolor


def read(path, mode, longest=480):
    """Returns a picture as a tensor `(1, C, H, W)`, sRGB in 0..1."""
    with Image.open(path) as image:
        image.thumbnail((longest, longest))
        return pil_to_tensor(image.convert(mode))[None] / 255


def evening(day):
    """Returns the default reference: the same picture in the light of an evening, as another version of it might be."""
    return day * torch.tensor([1.0, 0.95, 0.7]).reshape(1, 3, 1, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path, nargs="?", default=Path(__file__).with_name("aigues_mortes.png"))
    parser.add_argument("--reference", type=Path, help="a color picture; default: this one, in the light of an evening")
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--spread",
        type=float,
        default=0.6,
        help="distance of samples from the typical coloring, in standard deviations",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/vae_samples.png"))
    given = parser.parse_args()

    model = artcolor.vae(weights="DEFAULT")
    gray = read(given.picture, "L")
    how = {"samples": given.samples, "seed": given.seed, "spread": given.spread}
    typical = model.colorize(gray)
    reference = evening(typical) if given.reference is None else read(given.reference, "RGB")
    samples = model.colorize(gray, **how)
    in_mood = model.colorize(gray, reference=reference, **how)

    shown = torch.nn.functional.interpolate(reference, gray.shape[-2:], mode="bilinear", antialias=True)
    cells = torch.cat([typical, samples, shown, in_mood])
    given.out.parent.mkdir(parents=True, exist_ok=True)
    to_pil_image(make_grid(cells, nrow=1 + given.samples, padding=4, pad_value=1)).save(given.out)
    print(f"typical, {given.samples} samples; reference, {given.samples} samples in its mood: {given.out}")


if __name__ == "__main__":
    main()
