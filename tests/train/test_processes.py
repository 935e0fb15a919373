"""Two processes give the same result as one, with the same batch."""

from pathlib import Path

import pytest
import torch
from accelerate import debug_launcher
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

import artcolor
from artcolor.data.dataset import ArtDataset
from artcolor.train.config import TrainConfig
from artcolor.train.trainer import Trainer


def _train(art: str, out: str) -> None:
    # A forked process inherits what accelerate found out in its parent.
    AcceleratorState._reset_state(reset_partial_state=True)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = artcolor.cnn(width=16)
    for layer in model.modules():
        # A process sees half of a batch, so batch statistics differ; frozen ones do not.
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.eval()
            layer.train = lambda mode=True, self=layer: self  # type: ignore[method-assign,misc]
    config = TrainConfig(
        steps=6, batch_size=8, size=32, warmup_steps=2, workers=0, device="cpu", validate_every=3, validate_pictures=4
    )
    data = ArtDataset(art, "train")
    Trainer(model, config, data, ArtDataset(art, "val", augmentation=None), out=out).fit()


def test_two_gloo_processes_equal_one(art: Path, tmp_path: Path) -> None:
    _train(str(art), str(tmp_path / "one"))
    debug_launcher(_train, args=(str(art), str(tmp_path / "two")), num_processes=2)
    for name in ("model", "ema"):
        folder = "checkpoints/step-00000006"
        one, two = (load_file(tmp_path / run / folder / f"{name}.safetensors") for run in ("one", "two"))
        assert one.keys() == two.keys()
        for key, tensor in one.items():
            torch.testing.assert_close(two[key], tensor, atol=1e-5, rtol=1e-4, msg=key)
    logs = [(tmp_path / run / "log.csv").read_text().splitlines() for run in ("one", "two")]
    assert len(logs[0]) == len(logs[1]) > 1
    for a, b in zip(*logs, strict=True):
        if a[0].isdigit():
            values = [[float(x) for x in line.split(",") if x] for line in (a, b)]
            assert values[0] == pytest.approx(values[1], rel=1e-3)
