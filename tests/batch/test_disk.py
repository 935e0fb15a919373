"""Effects of the file system on a run: names, permissions, full disks, leftovers; and memory use."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import artcolor
from artcolor.batch.plan import Job, Outcome, plan_jobs
from artcolor.batch.report import Report
from artcolor.batch.run import run_job, run_jobs
from artcolor.batch.saving import Saving
from artcolor.errors import ImageError
from artcolor.files import remove_leftovers, replacing
from artcolor.images import open_picture
from tests.batch.runs import files, make_colorizer, make_gray, rows, run
from tests.conftest import ROOT, make_painting

UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


@pytest.fixture
def gray(tmp_path: Path) -> Path:
    return make_gray(tmp_path / "in")


def unprivileged(code: str, *arguments: object) -> str:
    """Runs code in a process that is subject to permissions, even if root runs the tests."""
    command = [*UNPRIVILEGED, sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_names_that_are_not_utf8(gray: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9,\xff\n.png")
    (gray / "01.png").rename(gray / name)
    with Report(tmp_path / "report.csv", model="cnn") as report:
        for outcome in run(gray, tmp_path / "out").values():
            report.add(outcome)
    assert (tmp_path / "out" / name).is_file()
    assert b"caf\xe9,\xff\n.png" in (tmp_path / "report.csv").read_bytes()
    assert {row["file"] for row in rows(tmp_path / "report.csv")} == {str(path) for path in gray.rglob("*.*")}
    with Report(tmp_path / "report.csv", resume=True, model="cnn") as report:
        for outcome in run(gray, tmp_path / "out", Saving(resume=True)).values():
            report.add(outcome)
    assert len(rows(tmp_path / "report.csv")) == 12


def test_names_that_are_too_long(gray: Path, tmp_path: Path) -> None:
    longest = "\u7d75" * 80 + ".png"
    (gray / "01.png").rename(gray / longest)
    Image.new("L", (9, 9)).save(gray / ("x" * 251 + ".pgm"))
    outcomes = run(gray, tmp_path / "out")
    assert {outcome.status for outcome in outcomes.values()} == {"colorized"}
    with pytest.raises(ImageError, match="name is too long"):
        run_job(make_colorizer(), Job(gray / "02.png", tmp_path / "out" / ("y" * 256 + ".png")))


def test_permissions(gray: Path, tmp_path: Path) -> None:
    (gray / "01.png").chmod(0)
    (gray / "locked").mkdir()
    make_painting(1).save(gray / "locked" / "x.png")
    (gray / "locked").chmod(0)
    (tmp_path / "out" / "sub").mkdir(parents=True)
    (tmp_path / "out" / "sub").chmod(0o555)
    (tmp_path / "shut").mkdir()
    (tmp_path / "shut").chmod(0o555)
    code = """
import sys, torch, artcolor
from pathlib import Path
from artcolor.batch.plan import plan_jobs
from artcolor.batch.run import run_jobs
from artcolor.batch.saving import Saving
source, out, shut = map(Path, sys.argv[1:])
colorizer = artcolor.Colorizer(artcolor.cnn(width=16), size=64)
for outcome in run_jobs(colorizer, plan_jobs([source], out), Saving()):
    print(outcome.job.source.name, outcome.status, outcome.error, sep="|")
for made in (shut, shut / "new" / "one"):
    try:
        list(run_jobs(colorizer, plan_jobs([source], made), Saving()))
    except artcolor.ArtcolorError as error:
        print(error)
try:
    plan_jobs([source / "locked"], out)
except artcolor.ArtcolorError as error:
    print(error)
"""
    try:
        lines = unprivileged(code, gray, tmp_path / "out", tmp_path / "shut").splitlines()
    finally:
        for folder in (gray / "locked", tmp_path / "out" / "sub", tmp_path / "shut"):
            folder.chmod(0o755)
    found = {line.split("|")[0]: line.split("|")[1:] for line in lines if "|" in line}
    assert found["01.png"][0] == "failed"
    assert "Permission denied" in found["01.png"][1]
    assert found["locked"][0] == "failed"
    assert "Permission denied" in found["locked"][1]
    for name in ("00.jpg", "03.jpg", "06.jpg", "09.jpg"):
        assert found[name][0] == "failed"
        assert "no permission to write there; choose another -o" in found[name][1]
    assert sum(status == "colorized" for status, _ in found.values()) == 7
    assert lines[-3].startswith(f"no result can be written into {tmp_path / 'shut'}: you have no permission")
    assert lines[-2].startswith(f"no result can be written into {tmp_path / 'shut' / 'new' / 'one'}: you have no perm")
    assert lines[-1].startswith(f"the folder {gray / 'locked'} cannot be listed: Permission denied")


def test_a_file_where_a_folder_should_be(gray: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").write_text("a file")
    outcomes = run(gray, tmp_path / "out")
    failed = {name: str(outcome.error) for name, outcome in outcomes.items() if outcome.status == "failed"}
    assert set(failed) == {"00.jpg", "03.jpg", "06.jpg", "09.jpg"}
    assert all("choose another -o" in message for message in failed.values())


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_a_file_size_limit(suffix: str, tmp_path: Path) -> None:
    """There is neither a truncated file nor an error without a reason."""
    noise = np.random.default_rng(0).integers(0, 255, (200, 200), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / f"a{suffix}")
    job, colorizer = Job(tmp_path / f"a{suffix}", tmp_path / f"out{suffix}"), make_colorizer()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(ImageError, match="cannot be written: the file would exceed the size limit there"):
            run_job(colorizer, job)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(tmp_path) == [f"a{suffix}"]
    run_job(colorizer, job)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a disk requires privileges")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_full_disk_ends_the_run(kind: str, small_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    for number in range(80):
        noise = rng.integers(0, 255, (128, 128), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "in" / f"{number:02}.{kind}", quality=95)
    jobs, colorizer, outcomes = plan_jobs([tmp_path / "in"], small_disk / "out"), make_colorizer(), []
    with pytest.raises(ImageError, match="stopped, .*the disk is full; free some space, and continue with --resume"):
        outcomes.extend(run_jobs(colorizer, jobs, Saving()))
    for outcome in run_until_error(colorizer, jobs):
        outcomes.append(outcome)
    whole = files(small_disk / "out")
    assert 0 < len(whole) < 40
    for name in whole:
        open_picture(small_disk / "out" / name)
    assert any(outcome.status == "failed" for outcome in outcomes)
    with pytest.raises(ImageError, match="no result can be written|stopped"):
        list(run_jobs(colorizer, jobs, Saving(resume=True)))


def run_until_error(colorizer: artcolor.Colorizer, jobs: list[Job]) -> Iterator[Outcome]:
    try:
        yield from run_jobs(colorizer, jobs, Saving(resume=True))
    except ImageError:
        return


def test_leftovers_of_killed_runs_are_removed_but_not_files_being_written(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    left = tmp_path / ".a.png.0123456789ab.tmp"
    for path in (left, tmp_path / ".b.png.0123456789ab.tmp", tmp_path / ".a.png.mine.tmp"):
        path.write_bytes(b"half")
    with replacing(target) as file:
        file.write(b"whole")
        assert remove_leftovers([target, tmp_path / "none" / "c.png"]) == [left]
    assert target.read_bytes() == b"whole"
    assert files(tmp_path) == [".a.png.mine.tmp", ".b.png.0123456789ab.tmp", "a.png"]


def test_large_pictures_wait_for_memory(tmp_path: Path) -> None:
    """The memory of a run is bounded by the number of workers, not of pictures."""
    (tmp_path / "in").mkdir()
    for number in range(6):
        Image.new("RGB", (2000, 1950), (number * 20, 90, 90)).save(tmp_path / "in" / f"{number}.png", compress_level=1)
    code = """
import resource, sys, artcolor, artcolor.batch.pipeline as pipeline
from artcolor.batch.plan import plan_jobs
from artcolor.batch.run import run_jobs
from artcolor.batch.saving import Saving
from pathlib import Path
pipeline._PIXELS_PER_WORKER = 4_000_000
colorizer = artcolor.Colorizer(artcolor.cnn(width=16), size=32)
jobs = plan_jobs([Path(sys.argv[1])], Path(sys.argv[2]))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
for part in (jobs[:1], jobs[1:]):
    statuses = [outcome.status for outcome in run_jobs(colorizer, part, Saving(), workers=1)]
    assert statuses == ["colorized"] * len(part), statuses
    print(peak())
"""
    command = [sys.executable, "-c", code, tmp_path / "in", tmp_path / "out"]
    # Makes glibc return free memory at once: what it retains differs from run to run by 80 MB.
    prompt_free = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | prompt_free)
    assert done.returncode == 0, done.stderr
    one, five = map(float, done.stdout.split())
    # Decoded, the five pictures take 59 MB; without a bound, 50 to 66 MB more are in use at once.
    assert five - one < 20
