"""Helpers for the tests of `artcolor.scale`."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet

from artcolor.images import read_provenance
from tests.conftest import ROOT, make_painting

COUNT, BAD = 40, ("07.png", "sub/20.jpg")
MAIN = "from artcolor.cli import main; main()"


def make_scans(folder: Path, bad: tuple[str, ...] = BAD) -> Path:
    """40 gray pictures of three sizes in two folders, of which some are none."""
    (folder / "sub").mkdir(parents=True)
    for number in range(COUNT):
        path = folder / (f"sub/{number:02}.jpg" if number % 4 == 0 else f"{number:02}.png")
        make_painting(number, 60 + number % 3 * 30, 64).convert("L").save(path)
    for name in bad:
        (folder / name).write_bytes(b"no picture")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def journal_rows(folder: Path) -> list[dict[str, Any]]:
    """All rows, also those of a key that was tried again; each file must be whole."""
    tables = [pa.parquet.read_table(path) for path in sorted(folder.glob("*.parquet"))]
    return pa.concat_tables(tables).to_pylist()


def check_complete(scans: Path, out: Path, journal: Path) -> None:
    """Nothing is lost, torn or there twice."""
    rows = journal_rows(journal)
    colorized = [row for row in rows if row["status"] == "colorized"]
    assert len({row["key"] for row in colorized}) == len(colorized)
    assert {row["key"] for row in rows} == set(names(scans))
    assert sorted(row["key"] for row in colorized) == names(out)
    for row in colorized:
        data = Path(row["result"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        assert read_provenance(out / row["key"]) is not None


def command(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", MAIN, "colorize", "-m", "cnn", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, env=environment, **pipes, **options)


def workers() -> list[psutil.Process]:
    """Processes in which pictures are colorized, of all of this user."""
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        with contextlib.suppress(psutil.Error):
            if "ray::MapWorker" in " ".join(process.info["cmdline"] or [process.info["name"]]):
                found.append(process)
    return found


def mine(processes: list[psutil.Process], driver: int) -> list[psutil.Process]:
    """Those that descend from a process."""
    with contextlib.suppress(psutil.Error):
        family = {child.pid for child in psutil.Process(driver).children(recursive=True)}
        return [process for process in processes if process.pid in family]
    return []


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
