"""A training that is stopped at any point and resumed ends bit-identical to an uninterrupted one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

STEPS = 60
OPTIONS = {
    "cnn": "options: {width: 16}",
    # With frozen first stages, encoder BatchNorms in evaluation mode, a classifier and a teacher.
    "unet": "options: {width: 12, dropout: 0.2}\nclassify: [genre]\nteacher: cnn",
}
RECIPE = f"""
fit_head: true
steps: {STEPS}
batch_size: 4
size: 32
final_size: 64
warmup_steps: 5
validate_every: 20
validate_pictures: 4
checkpoint_every: 7
picture_every: 1000
device: cpu
"""


def _start(art: Path, out: Path, workers: int, model: str = "cnn") -> subprocess.Popen[str]:
    recipe = out.parent / "recipe.yaml"
    recipe.write_text(f"model: {model}\n{OPTIONS[model]}\n{RECIPE}")
    arguments = ["train", recipe, "--data", art, "--out", out, "--set", f"workers={workers}"]
    return subprocess.Popen(
        [sys.executable, "-c", "from artcolor.cli import main; main()", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _finish(art: Path, out: Path, workers: int, model: str = "cnn") -> str:
    process = _start(art, out, workers, model)
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    return output


def _stop_when(process: subprocess.Popen[str], condition: Callable[[], bool], sign: int) -> None:
    deadline = time.monotonic() + 300
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.0005)
    if process.poll() is None:
        if sign == signal.SIGKILL:
            # Including its loader workers, as at the end of a session.
            os.killpg(process.pid, sign)
        else:
            process.send_signal(sign)
    process.communicate(timeout=300)


def _assert_identical(one: Path, other: Path) -> None:
    for name in ("model.safetensors", "log.csv", "DONE"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    last = f"checkpoints/step-{STEPS:08d}"
    names = {path.name for path in (one / last).glob("*.safetensors")}
    assert names >= {"model.safetensors", "ema.safetensors"}
    for name in names:
        assert (one / last / name).read_bytes() == (other / last / name).read_bytes(), name
    states = [torch.load(run / last / "optimizer.pt", weights_only=True) for run in (one, other)]
    assert states[0]["schedule"] == states[1]["schedule"]
    for key, moments in states[0]["optimizer"]["state"].items():
        for name, value in moments.items():
            assert torch.equal(value, states[1]["optimizer"]["state"][key][name]), (key, name)


@pytest.fixture(scope="module")
def uninterrupted(art: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    _finish(art, out, workers=0)
    return out


@pytest.mark.parametrize(("model", "workers"), [("cnn", 0), ("cnn", 2), ("unet", 0), ("unet", 2)])
def test_resume_after_kill_at_a_step_and_during_a_save(
    art: Path, tmp_path: Path, uninterrupted: Path, model: str, workers: int
) -> None:
    out = tmp_path / "run"
    if model != "cnn":
        uninterrupted = tmp_path / "whole" / "run"
        uninterrupted.parent.mkdir()
        _finish(art, uninterrupted, 0, model)
    checkpoints = out / "checkpoints"

    def saved(step: int) -> Callable[[], bool]:
        return lambda: (checkpoints / f"step-{step:08d}").exists()

    def saving() -> bool:
        return any(checkpoints.glob(".step-*.tmp/model.safetensors")) and not any(
            checkpoints.glob(".step-*.tmp/state.json")
        )

    _stop_when(_start(art, out, workers, model), saved(14), signal.SIGKILL)
    assert checkpoints.exists()
    assert not (out / "DONE").exists()
    _stop_when(_start(art, out, workers, model), saving, signal.SIGKILL)
    _stop_when(_start(art, out, workers, model), saved(35), signal.SIGKILL)
    _finish(art, out, workers, model)
    _assert_identical(uninterrupted, out)
    assert (checkpoints / f"step-{STEPS:08d}" / "classifier.safetensors").exists() == (model == "unet")
    assert not list(checkpoints.glob(".*"))


@pytest.mark.parametrize(("sign", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_save_and_exit(
    art: Path, tmp_path: Path, uninterrupted: Path, sign: int, status: int
) -> None:
    out = tmp_path / "run"
    process = _start(art, out, workers=0)
    _stop_when(process, lambda: (out / "checkpoints" / "step-00000014").exists(), sign)
    assert process.returncode == status
    assert not (out / "DONE").exists()
    _finish(art, out, workers=0)
    _assert_identical(uninterrupted, out)


def test_finished_training_changes_nothing(art: Path, uninterrupted: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in uninterrupted.rglob("*")}
    assert "finished; nothing to do" in " ".join(_finish(art, uninterrupted, workers=0).split())
    assert {p: p.stat().st_mtime_ns for p in uninterrupted.rglob("*")} == before


def test_output_files(uninterrupted: Path) -> None:
    names = {p.name for p in uninterrupted.iterdir()}
    assert {"model.safetensors", "log.csv", "timings.csv", "config.yaml", "pictures", "checkpoints", "DONE"} <= names
    header, *rows = (uninterrupted / "log.csv").read_text().splitlines()
    assert header.split(",")[0] == "step"
    assert [row.split(",")[0] for row in rows] == ["20", "40", "50", "60"]
    losses = [float(row.split(",")[4]) for row in rows if row.split(",")[4]]
    assert losses[-1] < losses[0], "the validation loss falls"
    assert len(list((uninterrupted / "checkpoints").iterdir())) == 2
    assert (uninterrupted / "pictures" / f"step-{STEPS:08d}.png").exists()
