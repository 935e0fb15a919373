"""How the command behaves in terminals, folders and spreadsheets of others."""

import contextlib
import csv
import functools
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artcolor.images import open_picture
from artcolor.zoo.card import PURPOSES
from artcolor.zoo.manifest import entries
from tests.conftest import make_painting

COMMAND = [sys.executable, "-c", "from artcolor.cli import main; main()"]


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = os.environ | {"COLUMNS": "80", "TERM": "dumb"} | environment
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, env=settings, errors="replace"
    )


def gray_folder(folder: Path, count: int = 3, suffix: str = ".png") -> Path:
    folder.mkdir()
    for number in range(count):
        make_painting(number, 40, 30).convert("L").save(folder / f"{number}{suffix}")
    return folder


def test_every_picture_of_a_folder_is_colorized_or_named(tmp_path: Path) -> None:
    folder = gray_folder(tmp_path / "in", 1, ".jpg")
    gray = make_painting(5, 40, 30).convert("L")
    for name in ("b.jfif", "c.jpe", "d.JPG"):
        gray.save(folder / name, "JPEG")
    gray.save(folder / "e.pnm", "PPM")
    gray.save(folder / "f.jpx", "JPEG2000")
    gray.save(folder / "g.scan", "PNG")
    (folder / "h.dng").write_bytes(b"II*\0" + bytes(20))
    (folder / "i.bin").write_bytes(b"8BPS" + bytes(40))
    (folder / "notes.txt").write_text("no picture")
    (folder / "@eaDir").mkdir()
    gray.save(folder / "@eaDir" / "thumbnail.png")
    done = run("colorize", folder, "-o", tmp_path / "out", "--model", "cnn", "--report", tmp_path / "report.csv")
    assert done.returncode == 1, "the file that is named .dng is damaged"
    assert "7 of 9 colorized" in done.stdout
    assert "1 not supported" in done.stdout
    assert "i.bin is a Photoshop document; save a flat copy as TIFF first" in done.stderr
    assert "h.dng" in done.stderr
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["0.jpg", "b.jfif", "c.jpe", "d.JPG", "e.ppm", "f.jp2", "g.png"]
    for name in written:
        assert open_picture(tmp_path / "out" / name).pixels.shape[2] == 3


def test_a_picture_that_is_named_and_not_supported_fails(tmp_path: Path) -> None:
    (tmp_path / "a.psd").write_bytes(b"8BPS" + bytes(40))
    done = run("colorize", tmp_path / "a.psd", "-o", tmp_path / "a.png")
    assert done.returncode == 1
    assert done.stderr.count("a.psd") == 1
    assert "Photoshop document" in done.stderr


def test_results_of_another_run_are_no_originals(tmp_path: Path) -> None:
    folder = gray_folder(tmp_path / "in", 2)
    assert run("colorize", folder, "-o", folder / "first", "--model", "cnn").returncode == 0
    done = run("colorize", folder, "-o", folder / "second", "--model", "cnn")
    assert "2 of 4 colorized" in done.stdout
    assert "2 already colored" in done.stdout
    assert not (folder / "second" / "first").exists()
    # A file that is named is colorized all the same.
    again = run("colorize", folder / "first" / "0.png", "-o", tmp_path / "again.png", "--model", "cnn")
    assert again.returncode == 0


def test_many_warnings_of_one_kind_are_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(5):
        Image.fromarray(np.full((20, 30), 9000 * number, np.uint16)).save(folder / f"{number}.png")
    done = run("colorize", folder, "-o", tmp_path / "out", "--model", "cnn", "--format", "jpg")
    assert done.stderr.count("written with 8 bits per channel") == 1
    assert "5 files, for example" in done.stderr


def test_a_second_run_says_once_that_results_exist(tmp_path: Path) -> None:
    folder = gray_folder(tmp_path / "in")
    assert run("colorize", folder, "-o", tmp_path / "out", "--model", "cnn").returncode == 0
    done = run("colorize", folder, "-o", tmp_path / "out", "--model", "cnn")
    assert done.returncode == 1
    assert "all 3 results already exist" in done.stderr
    assert "--force replaces them, and --resume skips them" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    (tmp_path / "out" / "0.png").unlink()
    done = run("colorize", folder, "-o", tmp_path / "out", "--model", "cnn")
    assert done.returncode == 1
    assert "1 of 3 colorized" in done.stdout
    assert "2 results already exist" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_models_fit_a_terminal_and_take_a_row_each() -> None:
    lines = run("models", COLUMNS="80").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines if re.search(r"\d MB", line)]
    assert rows[0][0].startswith("unet.")
    assert {row[0] for row in rows} == set(entries())
    assert [row[0] for row in rows if row[-1] == "yes"] == [rows[0][0]]
    assert {entry.model for entry in entries().values()} == set(PURPOSES)


def test_figures_of_models_are_complete_in_narrow_terminals_and_pipes() -> None:
    piped = run("models", "--long").stdout
    terminal = run("models", "--long", FORCE_COLOR="1", COLUMNS="80").stdout
    for shown in (piped, terminal):
        assert "…" not in shown
        for entry in entries().values():
            assert entry.key in shown
            assert f"{entry.metrics['paintings-256']['default']['psnr']['mean']:.2f} dB" in shown
    assert "\n  parameters: " in terminal


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_json_goes_to_standard_output_while_a_bar_is_on_the_terminal(tmp_path: Path) -> None:
    import pty

    ours, terminal = pty.openpty()
    command = [*COMMAND, "colorize", gray_folder(tmp_path / "in", 1), "-o", tmp_path / "out", "-m", "cnn", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, env=os.environ | {"TERM": "xterm"})
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):
        while part := os.read(ours, 1 << 16):
            shown += part
    os.close(ours)
    assert b"100%" in shown
    assert b"{" not in shown
    assert json.loads(done.stdout)["status"] == "colorized"


def test_inspect_goes_on_after_a_bad_file(tmp_path: Path) -> None:
    make_painting(1, 40, 30).convert("L").save(tmp_path / "a.png")
    done = run("inspect", tmp_path / "missing.png", tmp_path / "a.png")
    assert done.returncode == 1
    assert "there is no file" in done.stderr
    assert "a.png has no artcolor provenance" in done.stdout


def test_results_of_a_folder_need_a_folder(tmp_path: Path) -> None:
    done = run("colorize", gray_folder(tmp_path / "in"), "-o", tmp_path / "x.png")
    assert done.returncode == 1
    assert "x.png is the name of a picture, but the results need a folder" in done.stderr.replace("\n", " ")
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_runs_say_how_far_they_got(sent: signal.Signals, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    picture = make_painting(1, 700, 500).convert("L")
    for number in range(150):
        picture.save(folder / f"{number:03}.png", compress_level=1)
    command = [*COMMAND, "colorize", folder, "-o", tmp_path / "out", "--model", "cnn", "--workers", "1"]
    # Shells let what they run in the background ignore Ctrl-C, tests included.
    heeding = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heeding)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list((tmp_path / "out").glob("*.png"))) < 2:
        time.sleep(0.05)
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + sent, err
    assert "interrupted: " in out
    assert "of 150 colorized" in out
    assert "--resume continues" in out
    assert "Traceback" not in err
    assert not [path for path in (tmp_path / "out").iterdir() if path.suffix == ".tmp"]


def test_output_that_is_not_utf_8(tmp_path: Path) -> None:
    for arguments in (["models"], ["--help"]):
        done = run(*arguments, PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
    path = tmp_path / "Bücherei.png"
    make_painting(1, 40, 30).convert("L").save(path)
    done = run("inspect", path, PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
    assert done.returncode == 1
    assert "has no artcolor provenance" in done.stdout
    assert "Traceback" not in done.stderr


def test_reports_open_in_spreadsheets(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    make_painting(1, 40, 30).convert("L").save(folder / "Dürer.png")
    report = tmp_path / "report.csv"
    run("colorize", folder, "-o", tmp_path / "out", "--model", "cnn", "--report", report)
    assert report.read_bytes().startswith(b"\xef\xbb\xbf")
    run("colorize", folder, "-o", tmp_path / "out2", "--model", "cnn", "--report", report, "--resume")
    data = report.read_bytes()
    assert data.count(b"\xef\xbb\xbf") == 1
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert [Path(row["file"]).name for row in rows] == ["Dürer.png", "Dürer.png"]


def test_truncated_pictures_on_request(tmp_path: Path) -> None:
    picture = Image.fromarray((np.random.default_rng(0).random((60, 80)) * 255).astype(np.uint8))
    picture.save(file := io.BytesIO(), "JPEG", quality=95)
    (tmp_path / "cut.jpg").write_bytes(file.getvalue()[:-500])
    (tmp_path / "end.jpg").write_bytes(file.getvalue()[:-2])
    done = run("colorize", tmp_path / "cut.jpg", "-o", tmp_path / "a.png", "--model", "cnn")
    assert done.returncode == 1
    assert "--allow-truncated" in done.stderr
    assert not (tmp_path / "a.png").exists()
    done = run("colorize", tmp_path / "cut.jpg", "-o", tmp_path / "a.png", "--model", "cnn", "--allow-truncated")
    assert done.returncode == 0
    assert "truncated" in done.stderr
    done = run("colorize", tmp_path / "end.jpg", "-o", tmp_path / "b.png", "--model", "cnn")
    assert done.returncode == 0
    assert "end marker is missing" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["colorize", "a.png", "-o", "b.png", "--model", "no/weights.safetensors"], "there is no weights file"),
        (["train", "cnn", "--data", ".", "--out", "x", "--set", "stepz=3"], "did you mean 'steps'?"),
        (["train", "cnn", "--data", "art", "--out", "x"], "ARTCOLOR_CACHE"),
    ],
)
def test_errors_are_one_line_in_words(arguments: list[str], message: str, tmp_path: Path) -> None:
    make_painting(1, 40, 30).save(tmp_path / "a.png")
    (tmp_path / "art" / "train").mkdir(parents=True)
    make_painting(1, 40, 30).save(tmp_path / "art" / "train" / "a.png")
    settings = os.environ | {"ARTCOLOR_CACHE": "/proc/nowhere"}
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, cwd=tmp_path, env=settings)
    assert done.returncode == 1
    assert message in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert "Errno" not in done.stderr
