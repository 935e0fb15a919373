"""`--watch`: pictures are colorized as they appear, never half of one, and it ends cleanly."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artcolor.batch.plan import Outcome
from artcolor.batch.saving import Saving
from artcolor.batch.watch import Watch
from artcolor.errors import ConfigError, ImageError
from artcolor.images import open_picture
from tests.batch.runs import rows
from tests.batch.test_disk import UNPRIVILEGED
from tests.batch.test_kill import CODE
from tests.conftest import ROOT, make_painting


def names(watch: Watch) -> list[str]:
    return [job.source.name for job in watch.look()]


def put(path: Path, number: int = 1) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    make_painting(number, 60, 40).convert("L").save(path)
    return path.read_bytes()


def test_a_picture_counts_once_and_again_when_it_changes(tmp_path: Path) -> None:
    watch = Watch([tmp_path], tmp_path / "out", Saving(resume=True), rest=0)
    assert names(watch) == []
    put(tmp_path / "sub" / "a.png")
    put(tmp_path / ".hidden.png")
    put(tmp_path / "out" / "b.png")
    (tmp_path / "note.txt").write_text("no picture")
    assert names(watch) == []
    (job,) = watch.look()
    assert job.target == tmp_path / "out" / "sub" / "a.png"
    assert names(watch) == []
    assert watch.rounds([job]) == [([job], Saving(resume=True))]
    watch.add(Outcome(job, "colorized"))
    put(job.source, 2)
    assert names(watch) == []
    assert watch.look() == [job]
    # Its own result is replaced; existing results of others are not.
    put(tmp_path / "c.png")
    assert watch.look() == []
    (other,) = watch.look()
    assert watch.rounds([job, other]) == [([other], Saving(resume=True)), ([job], Saving(force=True))]


def test_a_file_that_grows_or_is_touched_does_not_rest(tmp_path: Path) -> None:
    watch = Watch([tmp_path], tmp_path / "out", Saving(), rest=0)
    data = put(tmp_path / "whole.png")
    with (tmp_path / "a.png").open("wb") as file:
        for start in range(0, len(data), len(data) // 4 + 1):
            file.write(data[start : start + len(data) // 4 + 1])
            file.flush()
            assert "a.png" not in names(watch)
    os.utime(tmp_path / "a.png", ns=(1, 1))
    assert names(watch) == []
    assert names(watch) == ["a.png"]
    # With a rest that never ends, nothing counts.
    patient = Watch([tmp_path], tmp_path / "out", Saving(), rest=float("inf"))
    assert [names(patient) for _ in range(3)] == [[], [], []]


def test_many_pictures_come_in_portions(tmp_path: Path) -> None:
    for number in range(70):
        (tmp_path / f"{number:02}.png").touch()
    watch = Watch([tmp_path], tmp_path / "out", Saving(), rest=0)
    assert [len(names(watch)) for _ in range(4)] == [0, 64, 6, 0]
    # Of more, the portions are larger: 1/32 of all.
    for number in range(70, 32 * 80):
        (tmp_path / f"{number:02}.png").touch()
    assert [len(names(watch)) for _ in range(3)] == [0, 80, 80]


@pytest.mark.parametrize("stalled", [False, True])
def test_temporary_files_take_no_names(stalled: bool, tmp_path: Path) -> None:
    """Some programs write `a.tmp`, and rename it to `a.png` when it is complete."""
    data, source = put(tmp_path / "a.png"), tmp_path / "in"
    source.mkdir()
    watch = Watch([source], tmp_path / "out", Saving(), rest=0)
    part = source / "a.tmp"
    part.write_bytes(data[:100])
    assert names(watch) == []
    if stalled:
        (job,) = watch.look()
        assert job.source == part
        watch.add(Outcome(job, "failed", error=ImageError("the file is truncated")))
    part.write_bytes(data)
    assert names(watch) == []
    part.rename(source / "a.png")
    assert names(watch) == []
    (job,) = watch.look()
    assert job.target == tmp_path / "out" / "a.png"
    assert job.usual_name_of is None


def test_a_colorized_picture_keeps_its_name(tmp_path: Path) -> None:
    source = tmp_path / "in"
    put(source / "a.gif")
    watch = Watch([source], tmp_path / "out", Saving(), rest=0)
    assert names(watch) == []
    (job,) = watch.look()
    watch.add(Outcome(job, "colorized"))
    # Even if it is damaged later, and removed.
    job.source.write_bytes(b"GIF89a")
    assert names(watch) == []
    assert watch.look() == [job]
    watch.add(Outcome(job, "failed", error=ImageError("the file is truncated")))
    job.source.unlink()
    put(source / "a.png")
    assert names(watch) == []
    (other,) = watch.look()
    assert other.target.name == "a.png.png"
    assert other.usual_name_of == job.source


READABLE = """
import sys
from pathlib import Path
from artcolor.batch.saving import Saving
from artcolor.batch.watch import Watch

source = Path(sys.argv[1])
watch = Watch([source], source / "out", Saving(), rest=0)
source.joinpath("a.png").chmod(0)
print([len(watch.look()) for _ in range(3)])
source.joinpath("a.png").chmod(0o600)
print([len(watch.look()) for _ in range(3)])
"""


def test_a_picture_that_becomes_readable_counts_again(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    command = [*UNPRIVILEGED, sys.executable, "-c", READABLE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines() == ["[0, 1, 0]"] * 2, done.stderr


def test_mistakes(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.png")
    for folder, message in (("in/a.png", "a.png is not a folder; only"), ("gone", "gone does not exist; only")):
        with pytest.raises(ConfigError, match=message):
            Watch([tmp_path / folder], tmp_path / "out", Saving())
    with pytest.raises(ConfigError, match=r"a\.png is not a folder; with --watch"):
        Watch([tmp_path / "in"], tmp_path / "out", Saving(), hints=tmp_path / "in" / "a.png")
    with pytest.raises(ImageError, match="both the input and -o"):
        Watch([tmp_path / "in"], tmp_path / "in", Saving())
    with pytest.raises(ImageError, match="is the name of a picture"):
        Watch([tmp_path / "in"], tmp_path / "out.png", Saving())
    watch = Watch([tmp_path / "in"], tmp_path / "out", Saving())
    (tmp_path / "in" / "a.png").unlink()
    (tmp_path / "in").rmdir()
    with pytest.raises(ImageError, match="in no longer exists"):
        watch.look()


class Process:
    """A watching command; its lines are read as they come."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-u", "-c", CODE, "colorize", *map(str, arguments), "--watch", "--model", "cnn"]
        self.popen = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=os.environ | {"COLUMNS": "400"},
        )
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.lines.put(line)

    def line(self) -> str:
        return self.lines.get(timeout=120)

    def end(self, number: int) -> tuple[int, list[str]]:
        self.popen.send_signal(number)
        code = self.popen.wait(timeout=120)
        self.reader.join()
        return code, [self.lines.get() for _ in range(self.lines.qsize())]


@pytest.fixture
def watching() -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(*arguments: object) -> Process:
        started.append(Process(*arguments))
        assert "watching" in started[-1].line()
        return started[-1]

    yield start
    for process in started:
        process.popen.kill()
        process.popen.wait()
        process.reader.join()


def test_the_command(watching: Callable[..., Process], tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    put(source / "first.png")
    (source / "film.mp4").write_bytes(b"")
    process = watching(source, "-o", out, "--report", tmp_path / "report.csv")
    assert "films are skipped, because --watch applies to pictures" in process.line()
    assert "first.png colorized into" in process.line()
    # A file that is written slowly, in a new sub-folder.
    data = put(tmp_path / "whole.png", 2)
    (source / "sub").mkdir()
    with (source / "sub" / "slow.png").open("wb") as file:
        for start in range(0, len(data), len(data) // 6 + 1):
            file.write(data[start : start + len(data) // 6 + 1])
            file.flush()
            time.sleep(0.7)
    assert "slow.png colorized into" in process.line()
    assert open_picture(out / "sub" / "slow.png").pixels.shape == (40, 60, 3)
    # Another name, if the usual one is taken; and a damaged picture, which is repaired.
    put(source / "first.gif")
    assert "first.gif colorized into" in process.line()
    assert (out / "first.gif.png").exists()
    (source / "bad.png").write_bytes(data[:300])
    assert "bad.png" in process.line()
    (source / "bad.png").write_bytes(data)
    assert "bad.png colorized into" in process.line()
    code, lines = process.end(signal.SIGINT)
    assert code == 130
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"stopped: 4 colorized into {out} (")
    assert sorted(path.name for path in out.rglob("*.*")) == ["bad.png", "first.gif.png", "first.png", "slow.png"]
    statuses = [(Path(row["file"]).name, row["status"]) for row in rows(tmp_path / "report.csv")]
    assert [status for name, status in statuses if name == "bad.png"] == ["failed", "colorized"]


def test_killed_and_continued(watching: Callable[..., Process], tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    for number in range(30):
        put(source / f"{number:02}.png", number)
    process = watching(source, "-o", out)
    process.line()
    code, _ = process.end(signal.SIGKILL)
    assert code == -signal.SIGKILL
    whole = [path for path in out.iterdir() if not path.name.startswith(".")]
    for path in whole:
        assert open_picture(path).pixels.shape == (40, 60, 3)
    again = watching(source, "-o", out, "--resume")
    put(source / "new.png")
    for _ in range(31 - len(whole)):
        assert "colorized into" in again.line()
    code, lines = again.end(signal.SIGINT)
    assert code == 130
    assert f"{len(whole)} already existed" in lines[-1]
    assert len(list(out.iterdir())) == 31


def test_interrupted_while_it_works(watching: Callable[..., Process], tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    for number in range(30):
        put(source / f"{number:02}.png", number)
    process = watching(source, "-o", out)
    process.line()
    # As `docker stop` and `systemctl stop` do.
    code, lines = process.end(signal.SIGTERM)
    assert code == 143
    assert lines[-1].startswith("stopped: ")
    assert "Traceback" not in "".join(lines)
    for path in out.iterdir():
        assert open_picture(path).pixels.shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layers", "a.ora"], "--layers cannot be combined with --watch"),
        (["--files-from", "a.txt"], "--files-from cannot be combined with --watch"),
        (["missing"], "there is no file or folder missing"),
        (["README.md"], "README.md is not a folder; only folders can be watched"),
        ([], "there is nothing to watch; give a folder"),
    ],
)
def test_mistakes_of_the_command(arguments: list[str], message: str) -> None:
    command = [sys.executable, "-c", CODE, "colorize", *arguments, "-o", "out", "--watch"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"COLUMNS": "200"})
    assert done.returncode == 1
    assert message in done.stderr
