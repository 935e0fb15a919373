"""Colorize with torch.hub, from a clone: artcolor's dependencies must be installed, but not artcolor.

    python examples/hub_load.py [PICTURE] [--model unet] [--out runs/hub_load.png]

What works without a clone after publication: docs/installation.md.
"""

import argparse
from pathlib import Path

import torch
from PIL import Image
from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image

ROOT = Path(__file__).resolve().parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path, nargs="?", default=ROOT / "examples" / "aigues_mortes.png")
    parser.add_argument("--model", default="unet")
    parser.add_argument("--out", type=Path, default=Path("runs/hub_load.png"))
    given = parser.parse_args()

    model = torch.hub.load(str(ROOT), given.model, source="local", pretrained=True)
    with Image.open(given.picture) as image:
        gray = pil_to_tensor(image.convert("L"))[None] / 255  # (1, 1, H, W), sRGB in 0..1
    rgb = model.colorize(gray)  # (1, 3, H, W), sRGB in 0..1

    given.out.parent.mkdir(parents=True, exist_ok=True)
    to_pil_image(rgb[0]).save(given.out)
    print(f"{given.picture}, colorized by {given.model}: {given.out}")


if __name__ == "__main__":
    main()
