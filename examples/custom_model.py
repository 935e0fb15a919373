"""Train a custom network and a custom head without changing the library.

    pip install ".[train,evaluate]"
    python examples/custom_model.py [DATA] [--steps 40] [--out runs/custom_model]

DATA is a folder of color pictures (see docs/training.md); the default is tiles of photographs from scikit-image. The
network has two convolutions; the head regresses ab with a Huber loss.
"""

import argparse
from pathlib import Path

from photographs import save_tiles
from torch import nn
from torch.nn import functional as F

import artcolor
from artcolor.models.base import ColorizationModel
from artcolor.models.heads import Head
from artcolor.models.network import Network


class TwoLayers(Network):
    channels, stride, out_stride, config = 32, 4, 4, {}

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 9, stride=4, padding=4), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()
        )

    def forward(self, lightness):
        return self.layers(lightness / 50 - 1)


class HuberHead(Head):
    config = {}

    def __init__(self, channels):
        super().__init__()
        self.project = nn.Conv2d(channels, 2, 1)

    def forward(self, features, lightness):
        return self.project(features)

    def loss(self, raw, lightness, ab):
        return {"loss": F.huber_loss(raw, F.interpolate(ab, raw.shape[-2:], mode="area") / 50)}

    def chroma(self, raw, lightness, decoding):
        return raw * 50


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path("runs/custom_model"))
    given = parser.parse_args()

    data = given.data or save_tiles(given.out / "photographs")
    model = ColorizationModel("mine", TwoLayers(), HuberHead(32))
    config = artcolor.TrainConfig(steps=given.steps, size=64, batch_size=16, warmup_steps=10)
    train, val = artcolor.ArtDataset(data, "train"), artcolor.ArtDataset(data, "val", augmentation=None)
    trainer = artcolor.Trainer(model, config, train, val, out=given.out)
    print("finished:", trainer.fit())
    print(trainer.evaluate())


if __name__ == "__main__":
    main()
