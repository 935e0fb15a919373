"""A slice of benchmarks/fuzz.py, and whether it would see harm at all."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

FUZZ = ROOT / "benchmarks" / "fuzz.py"
BAD = f"""
import os, sys, time
sys.path.insert(0, {str(FUZZ.parent)!r})
import fuzz

def examine(data, number, *_):
    if number == 1:
        os.abort()
    if number == 3:
        time.sleep(60)
    if number == 5:
        raise KeyError("five")
    if number == 7:
        b"x" * (300 << 20)
    return "pictures" if number % 2 else "refused"

fuzz.examine = examine
if __name__ == "__main__":
    sys.exit(fuzz.main())
"""


def rows(table: str) -> dict[str, list[str]]:
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    return {line[0]: line[1:] for line in lines}


def test_damaged_files_are_pictures_or_errors(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, FUZZ, "--count", "60", "--workers", "1", "--out", tmp_path / "found"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(done.stdout)
    assert list(found) == ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "AVIF", "JPEG2000", "HEIF"]
    for files, pictures, refused, *harm, _ in found.values():
        assert (files, harm) == ("60", ["0"] * 4)
        assert int(pictures) > 3
        assert int(refused) > 3


def test_harm_is_seen_and_its_file_kept(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(BAD)
    out = tmp_path / "found"
    options = ["--formats", "BMP", "--count", "12", "--workers", "1", "--seconds", "2", "--memory", "100"]
    done = subprocess.run([sys.executable, tmp_path / "bad.py", *options, "--out", out], capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert rows(done.stdout)["BMP"][:7] == ["12", "2", "6", "1", "1", "1", "1"]
    kept = {"BMP-1-crashes", "BMP-3-hangs", "BMP-5-exceptions", "BMP-7-memory"}
    assert {path.name for path in out.iterdir()} == kept
    assert "KeyError: 'five'" in done.stderr
