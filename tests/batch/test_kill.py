"""A run that is killed or interrupted at any moment leaves only complete files, and `--resume` does the rest."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from artcolor.batch.names import map_path
from artcolor.images import open_picture
from tests.batch.runs import rows
from tests.conftest import ROOT, make_painting

COUNT = 24


@pytest.fixture(scope="module")
def gray(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two shapes in two folders, large enough that writing takes a while."""
    folder = tmp_path_factory.mktemp("gray")
    (folder / "sub").mkdir()
    for number in range(COUNT):
        size = (400, 300) if number % 3 else (300, 400)
        make_painting(number, *size).convert("L").save(folder / ("sub" if number % 2 else "") / f"{number:02}.png")
    return folder


# Shells make background processes ignore Ctrl-C, and the tests and their children inherit that.
CODE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from artcolor.cli import main; main()"


def start(gray: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CODE, "colorize", gray, "-o", out]
    settings = ["--model", "unet", "--size", "32", "--uncertainty", "--report", out.with_suffix(".csv"), *options]
    return subprocess.Popen([*command, *settings], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def finish(process: subprocess.Popen[str]) -> str:
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    return stdout


def results(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def undisturbed(gray: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "out"
    assert f"{COUNT} of {COUNT} colorized" in finish(start(gray, out))
    assert {row["status"] for row in rows(out.with_suffix(".csv"))} == {"colorized"}
    return results(out)


def wait_for(process: subprocess.Popen[str], out: Path, done: int, temporary: bool) -> None:
    """Waits until `done` files are complete and, if `temporary`, another one is being written."""
    while process.poll() is None:
        names = [name for _, _, files in os.walk(out) for name in files]
        if sum(not name.endswith(".tmp") for name in names) >= done and (
            not temporary or any(name.endswith(".tmp") for name in names)
        ):
            return
        time.sleep(0.0005)
    raise AssertionError(f"it ended too early: {process.communicate()}")


def check_whole(out: Path) -> int:
    """Checks that every result is complete and has its map, and returns the number of results."""
    whole = 0
    for path in out.rglob("*.png"):
        if not path.name.startswith("."):
            open_picture(path)
            if not path.name.endswith(".uncertainty.png"):
                assert map_path(path).exists()
                whole += 1
    return whole


@pytest.mark.parametrize(("done", "temporary"), [(0, True), (25, False)])
def test_killed(done: int, temporary: bool, gray: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(gray, out)
    wait_for(process, out, done, temporary)
    process.kill()
    process.communicate()
    whole = check_whole(out)
    assert whole < COUNT
    reported = rows(out.with_suffix(".csv"))
    assert len(reported) <= whole
    # A truncated row is dropped, not continued.
    with out.with_suffix(".csv").open("a") as file:
        file.write("half a ro")
    stdout = finish(start(gray, out, "--resume"))
    assert f"{COUNT - whole} of {COUNT} colorized" in stdout
    found = results(out)
    assert found.keys() == undisturbed.keys()
    for name in found:
        assert found[name] == undisturbed[name] or differ_by_rounding(out / name, undisturbed[name])
    assert {row["file"] for row in rows(out.with_suffix(".csv"))} == {str(path) for path in gray.rglob("*.png")}
    assert len(rows(out.with_suffix(".csv"))) == COUNT


def differ_by_rounding(path: Path, other: bytes) -> bool:
    one, two = (open_picture(each).pixels.astype(int) for each in (path, other))
    return bool(np.abs(one - two).max() <= 1)


def test_interrupted(gray: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(gray, out)
    wait_for(process, out, 5, True)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    # Files that were being written are finished, so no temporary file is left.
    assert check_whole(out) < COUNT
    assert not [name for name in results(out) if name.endswith(".tmp")]
    finish(start(gray, out, "--resume"))
    assert results(out).keys() == undisturbed.keys()
    assert len(rows(out.with_suffix(".csv"))) == COUNT


def test_two_runs_at_once(gray: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = start(gray, out, "--resume")
    wait_for(first, out, 1, True)
    second = start(gray, out, "--resume", "--report", str(tmp_path / "second.csv"))
    for process in (first, second):
        finish(process)
    assert results(out).keys() == undisturbed.keys()
    check_whole(out)
