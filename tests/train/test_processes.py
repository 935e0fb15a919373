"""Two processes compute the same result as one process with the same batch."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import ROOT


def test_two_gloo_processes_equal_one(art: Path, tmp_path: Path) -> None:
    runs = {1: tmp_path / "one", 2: tmp_path / "two"}
    for processes, out in runs.items():
        command = [sys.executable, "-m", "tests.train.train_in_processes", str(art), str(out), str(processes)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    for name in ("model", "ema"):
        one, two = (load_file(out / "checkpoints/step-00000006" / f"{name}.safetensors") for out in runs.values())
        assert one.keys() == two.keys()
        for key, tensor in one.items():
            torch.testing.assert_close(two[key], tensor, atol=1e-5, rtol=1e-4, msg=key)
    logs = [(out / "log.csv").read_text().splitlines() for out in runs.values()]
    assert len(logs[0]) == len(logs[1]) == 3
    for a, b in zip(logs[0][1:], logs[1][1:], strict=True):
        values = [[float(x) for x in line.split(",") if x] for line in (a, b)]
        assert values[0] == pytest.approx(values[1], rel=1e-3)
