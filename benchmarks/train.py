"""Measure the overhead of the trainer over a bare PyTorch loop with the same network.

    python benchmarks/train.py DATA [MODEL] [ROUNDS]

Both take the same pictures from the same loader and do the same arithmetic; they run alternately within one process.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from artcolor.data.dataset import ArtDataset
from artcolor.data.stream import SampleStream
from artcolor.models.registry import get_model
from artcolor.train.callbacks import Callback
from artcolor.train.config import TrainConfig
from artcolor.train.trainer import Trainer

BATCH, STEPS, SKIPPED = 32, 24, 6


class Clock(Callback):
    """Records when each step ends."""

    def __init__(self):
        self.ends = []

    def on_step(self, trainer, losses):
        self.ends.append(time.perf_counter())


def bare_loop(name, data, size):
    """Returns milliseconds per picture of a loop with nothing but the arithmetic."""
    torch.manual_seed(0)
    model = get_model(name).to(memory_format=torch.channels_last).train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters)
    stream = SampleStream(len(data), BATCH, seed=0, start=0, stop=STEPS, size_at=lambda step: size)
    ends = []
    for lightness, ab in DataLoader(data, batch_sampler=stream, num_workers=1, prefetch_factor=8):
        with torch.autocast("cpu", torch.bfloat16):
            raw = model(lightness)
        loss = model.head.loss(raw.float(), lightness, ab)["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        ends.append(time.perf_counter())
    return ms_per_picture(ends)


def trainer_loop(name, data, size):
    """Returns milliseconds per picture of the trainer, with its EMA, log and checks."""
    torch.manual_seed(0)
    clock = Clock()
    config = TrainConfig(
        steps=STEPS, batch_size=BATCH, size=size, precision="bf16", checkpoint_minutes=60, picture_every=10**6
    )
    with tempfile.TemporaryDirectory() as out:
        Trainer(get_model(name), config, data, None, [clock], out=out).fit()
    return ms_per_picture(clock.ends[:-1])


def ms_per_picture(ends):
    """Returns milliseconds per picture from the ends of steps, without the first few."""
    return 1000 * (ends[-1] - ends[SKIPPED]) / (len(ends) - 1 - SKIPPED) / BATCH


def main(data, name="cnn", rounds=3):
    """Prints both, and their ratio, at 128 and 192 px."""
    pictures = ArtDataset(Path(data), "train", limit=2000)
    for size in (128, 192):
        pairs = [(bare_loop(name, pictures, size), trainer_loop(name, pictures, size)) for _ in range(int(rounds))]
        ratios = [b / a for a, b in pairs]
        bare, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
        print(
            f"{name} at {size} px: bare loop {bare:.1f} ms/picture, trainer {ours:.1f}; "
            f"ratio min {min(ratios):.3f}, median {statistics.median(ratios):.3f}, max {max(ratios):.3f}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
