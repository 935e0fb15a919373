"""Trains a small model in one or more processes: `python -m tests.train.train_in_processes ART OUT PROCESSES`.

A separate program because debug_launcher forks, and a process that has used compute threads must not be forked.
"""

import sys

import torch
from accelerate import debug_launcher

import artcolor
from artcolor.data.dataset import ArtDataset
from artcolor.train.config import TrainConfig
from artcolor.train.trainer import Trainer


def train(art: str, out: str) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = TrainConfig(
        steps=6,
        batch_size=8,
        size=32,
        warmup_steps=2,
        # Each process computes statistics of its own half of a batch, so they are frozen.
        freeze_norms=True,
        workers=0,
        device="cpu",
        validate_every=3,
        validate_pictures=4,
    )
    data = ArtDataset(art, "train")
    Trainer(artcolor.cnn(width=16), config, data, ArtDataset(art, "val", augmentation=None), out=out).fit()


if __name__ == "__main__":
    processes = int(sys.argv[3])
    if processes == 1:
        train(*sys.argv[1:3])
    else:
        debug_launcher(train, args=tuple(sys.argv[1:3]), num_processes=processes)
