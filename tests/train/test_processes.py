"""Two processes compute the same result as one process with the same batch."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from artcolor.errors import TrainingError
from artcolor.train import processes as together
from artcolor.train.precision import accelerator_for
from artcolor.train.processes import Processes
from tests.conftest import ROOT

STEPS = 24


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


class Launch:
    """`accelerate launch` of two processes on the CPU, which train the kernel of `unet` by hints."""

    def __init__(self, art: Path, out: Path) -> None:
        self.out, self._log = out, out.with_suffix(".txt")
        # --multi_gpu also starts several processes on the CPU; --cpu would start only one.
        launch = ["--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
        train = ["train", "unet_kernel", "--init", "unet", "--data", art, "--out", out, "--max-steps", STEPS]
        settings = {
            "device": "cpu", "workers": 0, "size": 32, "batch_size": 4, "warmup_steps": 2, "precision": "fp32",
            "validate_every": 8, "validate_pictures": 2, "checkpoint_every": 4, "keep_checkpoints": 100,
        }  # fmt: skip
        self.command = [sys.executable, "-m", "accelerate.commands.launch", *launch, "-m", "artcolor", *map(str, train)]
        self.command += [word for pair in settings.items() for word in ("--set", "=".join(map(str, pair)))]

    def start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        with self._log.open("wb") as log:
            return subprocess.Popen(self.command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=environment)

    def stop_at(self, step: int, sign: int) -> int:
        process = self.start()
        while not (self.out / f"checkpoints/step-{step:08d}").exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(sign)
        return process.wait(timeout=200)

    def finish(self) -> str:
        status = self.start().wait(timeout=300)
        output = self._log.read_text()
        assert status == 0, output
        return output


def test_accelerate_launch_resumes_after_a_kill(art: Path, tmp_path: Path) -> None:
    whole, killed = Launch(art, tmp_path / "whole"), Launch(art, tmp_path / "killed")
    whole.finish()
    # The processes outlive a launcher that is killed: they notice, save and end. The next launch waits for that.
    assert killed.stop_at(8, signal.SIGKILL) == -signal.SIGKILL
    assert not (killed.out / "DONE").exists()
    output = killed.finish()
    resumed = re.findall(r"resuming from\s+\S*step-(\d+)", output)
    assert len(resumed) == 2, output
    assert len(set(resumed)) == 1, "both processes resume from the same step"
    assert 8 <= int(resumed[0]) < STEPS
    for name in ("model.safetensors", "log.csv", "DONE"):
        assert (whole.out / name).read_bytes() == (killed.out / name).read_bytes(), name


def test_two_trainings_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "_PATIENCE_SECONDS", 0.0)
    alone = Processes(accelerator_for("fp32", cpu=True))
    with alone.alone_in(tmp_path), pytest.raises(TrainingError, match="another training is running in"):
        alone.alone_in(tmp_path).__enter__()
    with alone.alone_in(tmp_path):
        pass
