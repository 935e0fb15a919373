"""A run that is killed or interrupted loses no finished shot, and leaves no half film."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from artcolor.engine.colorizer import Colorizer
from artcolor.errors import ImageError
from artcolor.video.film import FilmReport, Progress, colorize_film
from tests.batch.test_kill import CODE
from tests.conftest import ROOT
from tests.video.clips import frames_of, make, packets_of, plane

SHOTS = 8


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("film") / "a.mkv", frames=48, shots=SHOTS, sound="libopus")


def start(source: Path, target: Path, *options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CODE, "colorize", source, "-o", target, "--model", "cnn", "--size", "64", *options]
    environment = os.environ | {"COLUMNS": "200"}
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )


def work(target: Path) -> Path:
    return target.with_name(f".{target.name}.artcolor")


def finished(target: Path) -> list[Path]:
    return sorted(work(target).glob("shot*.packets"))


def wait_for(process: subprocess.Popen[str], target: Path, shots: int) -> None:
    while process.poll() is None:
        if len(finished(target)) >= shots:
            return
        time.sleep(0.001)
    raise AssertionError(f"it ended too early: {process.communicate()}")


@pytest.fixture(scope="module")
def undisturbed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("whole") / "b.mkv"
    process = start(source, target)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert f"1 of 1 colorized into {target}" in stdout
    assert not work(target).exists()
    return target


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_ended(number: signal.Signals, source: Path, undisturbed: Path, tmp_path: Path) -> None:
    target = tmp_path / "b.mkv"
    process = start(source, target)
    wait_for(process, target, 3)
    with pytest.raises(ImageError, match="another run is writing .*b.mkv; wait for it, or choose another -o"):
        colorize_film(Colorizer("cnn", size=64), source, target)
    process.send_signal(number)
    stdout, stderr = process.communicate()
    assert not target.exists()
    assert "Traceback" not in stderr
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert "finished shots are kept, and the same command with --resume continues" in stdout
        assert not list(work(target).glob(".*.tmp"))
    else:
        # Its lock is gone with it.
        assert (work(target) / "lock").exists()
    kept = {path: path.stat().st_mtime_ns for path in finished(target)}
    assert 3 <= len(kept) < SHOTS
    again = start(source, target, "--resume")
    wait_for(again, target, len(kept) + 1)
    # All but the last, which may have been finished without having been noted.
    assert [path.stat().st_mtime_ns for path in finished(target)[: len(kept) - 1]] == list(kept.values())[:-1]
    _, stderr = again.communicate()
    assert again.returncode == 0, stderr
    assert os.listdir(tmp_path) == ["b.mkv"]
    for one, other in zip(frames_of(target), frames_of(undisturbed), strict=True):
        assert one.pts == other.pts
        assert all((plane(one, each) == plane(other, each)).all() for each in range(3))
    assert packets_of(target, "audio") == packets_of(undisturbed, "audio")


class Ended(BaseException):
    pass


def test_other_settings_begin_anew(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "b.mkv"

    def end(stage: str, done: int, total: int) -> None:
        if stage == "colorizing" and done == 20:
            raise Ended

    def colorize(strength: float, **options: Progress) -> FilmReport:
        return colorize_film(Colorizer("cnn", size=64, strength=strength), source, target, **options)

    with pytest.raises(Ended):
        colorize(1, progress=end)
    assert len(finished(target)) == 3
    with pytest.raises(Ended):
        colorize(0.5, progress=end)
    assert len(finished(target)) == 3
    assert colorize(0.5).resumed == 3
    assert os.listdir(tmp_path) == ["b.mkv"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_full_disk_is_told(source: Path, tmp_path: Path) -> None:
    import resource

    target = tmp_path / "b.mkv"
    limit = source.stat().st_size // 2
    command = [sys.executable, "-c", CODE, "colorize", source, "-o", target, "--model", "cnn", "--size", "64"]
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "cannot be written: the file would exceed the size limit there" in done.stderr.replace("\n", " ")
    assert not target.exists()
    assert len(finished(target)) == SHOTS
