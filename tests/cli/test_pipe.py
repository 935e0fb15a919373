"""`artcolor colorize` as a part of a pipe: `-` is standard input and standard output."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artcolor.images import open_file, open_picture, read_provenance
from tests.conftest import make_painting

COMMAND = [sys.executable, "-c", "from artcolor.cli import main; main()", "colorize"]


def pipe(*arguments: object, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [*COMMAND, *map(str, arguments), "--model", "cnn"]
    return subprocess.run(command, input=data, capture_output=True, env=os.environ | {"COLUMNS": "200"})


def gray_bytes(format: str, **params: object) -> bytes:
    make_painting(1, 60, 40).convert("L").save(file := io.BytesIO(), format, **params)
    return file.getvalue()


@pytest.mark.parametrize(("given", "made"), [("PNG", "PNG"), ("JPEG", "JPEG"), ("GIF", "PNG"), ("TIFF", "TIFF")])
def test_nothing_but_the_picture_is_on_stdout(given: str, made: str) -> None:
    done = pipe("-", "-o", "-", data=gray_bytes(given))
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    with open_file(done.stdout) as file:
        assert (file.format, file.size) == (made, (60, 40))
    colored = read_provenance(done.stdout)
    assert colored is not None
    assert colored.model.startswith("cnn")


def test_a_pipe_gives_what_a_file_gives(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(gray_bytes("PNG"))
    assert pipe(source, "-o", tmp_path / "b.png").returncode == 0
    expected = (tmp_path / "b.png").read_bytes()
    assert pipe(source, "-o", "-").stdout == expected
    into_file = pipe("-", "-o", tmp_path / "new" / "c.png", data=source.read_bytes())
    assert into_file.stdout.decode().startswith("1 of 1 colorized into ")
    assert (tmp_path / "new" / "c.png").read_bytes() == expected
    again = pipe("-", "-o", tmp_path / "new" / "c.png", data=source.read_bytes())
    assert again.returncode == 1
    assert b"c.png already exists; --force replaces it" in again.stderr
    assert pipe("-", "-o", tmp_path / "new" / "c.png", "--force", data=source.read_bytes()).returncode == 0


def test_format_and_pages() -> None:
    frames = [make_painting(number, 60, 40).convert("L") for number in (1, 2)]
    frames[0].save(file := io.BytesIO(), "TIFF", save_all=True, append_images=frames[1:])
    pages = pipe("-", "-o", "-", data=file.getvalue())
    with open_file(pages.stdout) as opened:
        assert (opened.format, opened.frames) == ("TIFF", 2)
    webp = pipe("-", "-o", "-", "--format", "webp", "--quality", "80", data=gray_bytes("PNG"))
    assert webp.stdout[8:12] == b"WEBP"
    refused = pipe("-", "-o", "-", "--format", "jpg", data=file.getvalue())
    assert refused.returncode == 1
    assert refused.stdout == b""
    assert b"standard output: JPEG holds one picture, not 2" in refused.stderr


def test_commands_in_a_row() -> None:
    first = subprocess.Popen([*COMMAND, "-", "-o", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    second = subprocess.Popen([*COMMAND, "-", "-o", "-"], stdin=first.stdout, stdout=subprocess.PIPE)
    assert first.stdin is not None
    first.stdin.write(gray_bytes("PNG"))
    first.stdin.close()
    pixels = open_picture(second.communicate()[0]).pixels
    assert (np.ptp(pixels.astype(int), axis=2) > 5).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-", "README.md", "-o", "out"), "cannot be combined with other inputs"),
        (("README.md", "LICENSE", "-o", "-"), "2 inputs may give several; give a folder"),
        ((".", "-o", "-"), "the folder . may give several; give a folder"),
        (("-", "-o", "out"), "standard input has no name; give a file as -o, such as out/out.png"),
        (("-", "-o", "-", "--format", "gif"), "gif cannot hold a coloring; use .png"),
        (("-", "-o", "a.png", "--format", "jpg"), "the suffix of a.png contradicts the format jpg"),
        (("-", "-o", "-", "--report", "a.csv"), "--report cannot be combined with -; leave it out"),
        (("-", "-o", "-", "--samples", "2"), "--samples cannot be combined with -; leave it out"),
        (("-", "-o", "-", "--skip-colored"), "--skip-colored cannot be combined with -; leave it out"),
        (("-", "-o", "-"), "standard input is empty"),
        (("missing.png", "-o", "-"), "there is no file missing.png"),
    ],
)
def test_mistakes_are_told(arguments: tuple[str, ...], message: str) -> None:
    done = pipe(*arguments)
    assert done.returncode == 1
    assert done.stdout == b""
    assert message in done.stderr.decode()


def test_damaged_input_gives_no_output() -> None:
    for data, reason in ((b"no picture", "is not a picture"), (gray_bytes("PNG")[:200], "cannot be read")):
        done = pipe("-", "-o", "-", data=data)
        assert done.returncode == 1
        assert done.stdout == b""
        assert f"standard input {reason}" in done.stderr.decode()


def test_a_terminal_is_refused(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    keyboard, terminal = pty.openpty()
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    try:
        for arguments, streams, message in (
            (["-", "-o", "-"], {"stdin": terminal, "stdout": subprocess.PIPE}, "standard input is a terminal"),
            ([str(tmp_path / "a.png"), "-o", "-"], {"stdout": terminal}, "standard output is a terminal"),
        ):
            done = subprocess.run([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True, check=False, **streams)
            assert done.returncode == 1
            assert message in done.stderr
    finally:
        os.close(keyboard)
        os.close(terminal)


def test_a_reader_that_ends_early_gives_no_traceback() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (700, 700), dtype=np.uint8)
    Image.fromarray(noise).save(file := io.BytesIO(), "PNG")
    process = subprocess.Popen(
        [*COMMAND, "-", "-o", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(file.getvalue())
    process.stdin.close()
    assert process.stdout.read(4) == b"\x89PNG"
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 1


def gray_files(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        make_painting(1, 60, 40).convert("L").save(path)
    return paths


@pytest.mark.parametrize("end", ["\n", "\r\n", "\0"])
def test_a_list_of_files(end: str, tmp_path: Path) -> None:
    paths = gray_files(tmp_path, "a.png", "sub/with space.jpg", "sub/ä.png")
    if end == "\0":
        paths += gray_files(tmp_path, "two\nlines.png")
    data = end.join(["", *map(str, paths), ""]).encode()
    done = pipe("--files-from", "-", "-o", tmp_path / "out", data=data)
    assert done.returncode == 0, done.stderr
    assert f"{len(paths)} of {len(paths)} colorized".encode() in done.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in paths}
    # In a file, as Windows PowerShell writes it; a file that is named and one that is missing.
    (other,) = gray_files(tmp_path, "b.png")
    (tmp_path / "list.txt").write_text("\n".join([*map(str, paths[:2]), "missing.png"]), "utf-16")
    done = pipe(other, "--files-from", tmp_path / "list.txt", "-o", tmp_path / "new")
    assert done.returncode == 1
    assert b"3 of 4 colorized" in done.stdout
    assert b"there is no file missing.png" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_a_list_may_hold_names_that_are_not_utf_8(tmp_path: Path) -> None:
    (path,) = gray_files(tmp_path, os.fsdecode(b"caf\xe9.png"))
    done = pipe("--files-from", "-", "-o", tmp_path / "out", data=os.fsencode(path) + b"\n")
    assert done.returncode == 0, done.stderr
    assert os.listdir(os.fsencode(tmp_path / "out")) == [b"caf\xe9.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--files-from", "-", "-o", "out"), "standard input lists no files; give one path per line"),
        (("--files-from", "missing.txt", "-o", "out"), "the list of files missing.txt cannot be read: No such file"),
        (("-", "--files-from", "-", "-o", "out.png"), "--files-from cannot be combined with -"),
        (("--files-from", "-", "-o", "-"), "--files-from cannot be combined with -"),
        (("-o", "out"), "there is nothing to colorize; give pictures or folders, or a list with --files-from"),
    ],
)
def test_mistakes_with_lists_are_told(arguments: tuple[str, ...], message: str) -> None:
    done = pipe(*arguments)
    assert done.returncode == 1
    assert message in done.stderr.decode()


def test_names_that_collide_are_said(tmp_path: Path) -> None:
    gray_files(tmp_path, "in/a.gif", "in/a.png", "in/b.png")
    arguments = (tmp_path / "in", "-o", tmp_path / "out", "--report", tmp_path / "report.csv")
    done = pipe(*arguments)
    assert done.returncode == 0, done.stderr
    summary = done.stdout.decode()
    assert "3 of 3 colorized" in summary
    assert (
        f"{tmp_path / 'in' / 'a.gif'} as a.gif.png, because the result of {tmp_path / 'in' / 'a.png'} has the same name"
        in summary
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.gif.png", "a.png", "b.png"]
    assert "renamed, because the result of" in (tmp_path / "report.csv").read_text()
    assert b"0 of 3 colorized" in pipe(*arguments, "--resume").stdout
