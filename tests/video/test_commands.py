"""The command with films, numbered frames and raw frames."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from artcolor.cli.app import app
from artcolor.cli.app import main as run_main
from artcolor.images import open_picture, read_provenance
from tests.conftest import ROOT
from tests.video.clips import frames_of, gray, make, plane

SIZE = (96, 64)
COLORING = ("--model", "cnn", "--size", "64")

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs the command within this process, as importing torch takes seconds."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["artcolor", *map(str, arguments)])
        try:
            run_main()
        except SystemExit as stop:
            status = stop.code
        out, err = capfd.readouterr()
        return int(status or 0), out, " ".join(err.split())

    return run


def test_films(command: Command, tmp_path: Path) -> None:
    first = make(tmp_path / "a.mkv", frames=3, size=SIZE)
    second = make(tmp_path / "b.mp4", "libx264", frames=3, size=SIZE, sound="aac")
    status, out, err = command("colorize", first, second, *COLORING, "--json")
    assert status == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["status"] for line in lines] == ["colorized"] * 2
    target = tmp_path / "b.color.mp4"
    assert lines[1]["results"] == [str(target)]
    status, out, _ = command("inspect", target, "--json")
    assert status == 0
    assert json.loads(out)["coloring"]["model"] == "cnn.art_v1"
    assert command("inspect", second)[0] == 1
    # All of *.*, as shells expand it the second time: results are no originals.
    status, out, _ = command("colorize", *sorted(tmp_path.iterdir()), *COLORING, "--resume")
    assert (status, "0 of 2 colorized, 2 already existed" in out) == (0, True)
    status, out, _ = command("colorize", first, *COLORING, "--force", "--no-provenance", "--report", tmp_path / "r.csv")
    assert (status, f"1 of 1 colorized into {tmp_path / 'a.color.mkv'}" in out) == (0, True)
    assert command("inspect", tmp_path / "a.color.mkv")[0] == 1
    assert "a.color.mkv,colorized" in (tmp_path / "r.csv").read_text()


def test_mistakes_are_told(command: Command, tmp_path: Path) -> None:
    film = make(tmp_path / "a.mkv", frames=2, size=SIZE)
    picture = tmp_path / "p.png"
    Image.new("L", (8, 8)).save(picture)
    (tmp_path / "empty").mkdir()
    (tmp_path / "c.mkv").write_bytes(film.read_bytes())
    for arguments, message in (
        ((film, picture), f"colorize films and pictures with separate commands; {picture} is not a film"),
        ((film, "-o", tmp_path / "x.png"), "x.png is not the name of a film; use one of .mp4, .mkv, .mov, .webm, .avi"),
        ((film, tmp_path / "c.mkv", "-o", tmp_path / "x.mkv"), "2 results need a folder; choose another -o"),
        ((film, "-o", film, "--force"), f"would replace the original {film}"),
        ((film, "-o", "-"), "films cannot be combined with -; name files, or see `artcolor pipe` for raw frames"),
        ((tmp_path, "--sequence", "-o", "-"), "--sequence cannot be combined with -"),
        ((film, "--quality", 80), "--quality cannot be combined with films; leave it out"),
        ((film, "--samples", 2, "--model", "vae"), "--samples cannot be combined with films"),
        ((picture, "--crf", 0), "--crf cannot be combined with pictures; leave it out"),
        ((film, "--codec", "nosuch"), "there is no codec 'nosuch'"),
        ((film, "--sequence"), f"--sequence takes folders of numbered frames, but {film} is not a folder"),
        ((tmp_path / "empty",), "there are no pictures in"),
        ((picture, "--reference-at", f"0={picture}"), "--reference-at cannot be combined with pictures; leave it out"),
        ((film, "--reference-at", picture), f"--reference-at {picture} has no frame; write it like 120=mood.jpg"),
        ((film, "--reference-at", "1=no.jpg"), "--reference-at: there is no file no.jpg"),
        ((film, "--reference-at", f"1={picture}", "--reference-at", f"01={picture}"), "names frame 1 twice"),
        (
            (film, tmp_path / "c.mkv", "--reference-at", f"0={picture}"),
            "--reference-at is for one film, but there are 2; colorize them one by one",
        ),
    ):
        status, out, err = command("colorize", *arguments)
        assert status == 1, arguments
        assert message in err, arguments
        assert out == ""


def test_films_in_folders_are_colorized_like_pictures(command: Command, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "sub").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    Image.new("L", (8, 8)).save(folder / "p.png")
    film = make(folder / "sub" / "a.mkv", frames=2, size=SIZE)
    for left_out in (folder / ".hidden" / "a.mkv", folder / "._a.mkv"):
        left_out.write_bytes(film.read_bytes())
    # Both are in the report, and a film that cannot be read does not stop the rest.
    (folder / "bad.mp4").write_bytes(b"no film")
    status, said, err = command("colorize", folder, "-o", out, *COLORING, "--codec", "ffv1", "--report", out / "r.csv")
    assert status == 1
    assert f"2 of 3 colorized into {out}, 1 failed" in said
    assert f"failed: {folder / 'bad.mp4'} cannot be read" in err
    results = sorted(str(path.relative_to(out)) for path in out.rglob("*"))
    assert results == ["p.png", "r.csv", "sub", str(Path("sub", "a.mkv"))]
    assert len((out / "r.csv").read_text().splitlines()) == 4
    with av.open(str(out / "sub" / "a.mkv")) as container:
        assert container.streams.video[0].codec_context.name == "ffv1"
    (folder / "bad.mp4").unlink()
    changed = (out / "sub" / "a.mkv").stat().st_mtime_ns
    status, said, _ = command("colorize", folder, "-o", out, *COLORING)
    assert (status, (out / "sub" / "a.mkv").stat().st_mtime_ns) == (1, changed)
    status, said, _ = command("colorize", folder, "-o", out, *COLORING, "--resume")
    assert (status, "0 of 2 colorized, 2 already existed" in said) == (0, True)
    # A folder of films alone, and a film with hints of its own.
    (tmp_path / "hints").mkdir()
    blue = {"x": 0.5, "y": 0.5, "radius": 0.3, "color": "#2040ff"}
    (tmp_path / "hints" / "a.json").write_text(json.dumps({"hints": [blue]}))
    status, said, err = command("colorize", folder / "sub", *COLORING, "--hints", tmp_path / "hints")
    assert status == 0, err
    # Beside pictures, its hints file is none that belongs to nothing.
    (tmp_path / "hints" / "sub").mkdir()
    (tmp_path / "hints" / "a.json").rename(tmp_path / "hints" / "sub" / "a.json")
    status, said, err = command("colorize", folder, "-o", tmp_path / "b", *COLORING, "--hints", tmp_path / "hints")
    assert (status, "hints has no hints" in err, "no picture has the name" in err) == (0, False, False)
    hinted, plain = (frames_of(path)[0] for path in (folder / "sub.color" / "a.mkv", out / "sub" / "a.mkv"))
    assert (plane(hinted, 1).astype(int) - plane(plain, 1))[12:20, 20:28].mean() > 8


def test_films_in_folders_that_are_left_out_are_named(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("L", (8, 8)).save(folder / "p.png")
    (folder / "a.mkv").write_bytes(b"")
    status, _, err = command("colorize", folder, "-o", tmp_path / "out", *COLORING, "--chroma-only")
    assert status == 0
    why = "--chroma-only applies to pictures only; colorize the films with a separate command"
    assert f"warning: films are skipped, because {why}: {folder / 'a.mkv'}" in err


def test_a_film_that_is_cut_off_is_a_failure(command: Command, tmp_path: Path) -> None:
    film = make(tmp_path / "a.mkv", frames=54, size=SIZE, shots=1)
    data = film.read_bytes()
    film.write_bytes(data[: len(data) // 3])
    status, out, err = command("colorize", film, *COLORING)
    assert status == 1
    assert "1 of 1 colorized" in out
    assert "it is truncated; the readable part is colorized" in err
    assert 8 < len(frames_of(tmp_path / "a.color.mkv")) < 30
    assert command("colorize", film, *COLORING, "--force", "--allow-truncated")[0] == 0


def test_numbered_frames(command: Command, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(8, 12):
        Image.fromarray(gray(number, SIZE, number // 10)).save(folder / f"f{number}.png")
    status, said, err = command("colorize", folder, "--sequence", "-o", out, *COLORING)
    assert status == 0, err
    assert f"1 of 1 colorized into {out}" in said
    assert sorted(path.name for path in out.iterdir()) == ["f10.png", "f11.png", "f8.png", "f9.png"]
    assert [path.name for path in tmp_path.glob(".*")] == []
    assert np.ptp(open_picture(out / "f9.png").pixels.astype(int), axis=2).max() > 5
    assert read_provenance(out / "f9.png") is not None
    status, _, err = command("colorize", folder, "--sequence", "-o", out, *COLORING)
    assert status == 1
    assert "already exists; --force replaces it, and --resume skips it" in err
    Image.new("L", (9, 9)).save(folder / "f12.png")
    status, _, err = command("colorize", folder, "--sequence", "-o", out, *COLORING, "--force")
    assert status == 1
    assert "f12.png is 9x9, but those before it are 96x64; resize it, or omit --sequence" in err


def test_raw_frames(tmp_path: Path) -> None:
    frames = [gray(number, SIZE, number // 3) for number in range(5)]
    data = b"".join(map(np.ndarray.tobytes, frames))
    code = [sys.executable, "-c", "from artcolor.cli import main; main()", "pipe", "--size", "96x64", "-m", "cnn"]
    done = subprocess.run(code, input=data + b"more", capture_output=True, check=False)
    assert done.returncode == 1
    assert b"standard input ends within frame 6: 4 of 6144 bytes; check the size (96x64)" in done.stderr.replace(
        b"\n", b" "
    )
    colored = np.frombuffer(done.stdout, np.uint8).reshape(5, 64, 96, 3)
    luma = colored @ [0.2126, 0.7152, 0.0722]
    assert np.abs(luma - np.stack(frames)).mean() < 6
    assert np.ptp(colored.astype(int), axis=3).max() > 5
    empty = subprocess.run(code, input=b"", capture_output=True, check=False)
    assert (empty.returncode, empty.stdout) == (1, b"")
    assert b"standard input is empty" in empty.stderr
    in_color = colored.tobytes()
    again = subprocess.run([*code, "--pix-fmt", "rgb24"], input=in_color, capture_output=True, check=True)
    assert len(again.stdout) == len(in_color)


def test_raw_frames_follow_hints_and_references(tmp_path: Path) -> None:
    frames = [gray(number, SIZE, number // 3) for number in range(5)]
    # A place in the second shot, which begins with frame 3, and one for a frame that does not come.
    hints = [{"x": 0.5, "y": 0.5, "radius": 0.2, "color": "#2040ff", "frame": frame} for frame in (4, 9)]
    (tmp_path / "hints.json").write_text(json.dumps({"hints": hints}))
    code = [sys.executable, "-c", "from artcolor.cli import main; main()", "pipe", "--size", "96x64", "-m", "cnn"]
    code += ["--working-size", "64", "--vividness", "1", "--reference", str(ROOT / "docs/pictures/gogh_auvers.jpg")]
    found = []
    for more in ([], ["--hints", str(tmp_path / "hints.json")]):
        data = b"".join(map(np.ndarray.tobytes, frames))
        done = subprocess.run([*code, *more], input=data, capture_output=True, check=True)
        found.append(np.frombuffer(done.stdout, np.uint8).reshape(5, 64, 96, 3).astype(int))
    bluer = [(b - r).mean((1, 2)) for r, b in ((each[:, 28:36, 44:52, 0], each[:, 28:36, 44:52, 2]) for each in found)]
    assert (found[0][:3] == found[1][:3]).all()
    assert (bluer[1] - bluer[0])[3:].min() > 10
    assert "hint 2 is for frame 9, but" in " ".join(done.stderr.decode().split())


def test_without_the_extra_the_message_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    code = (
        f"import sys\nsys.modules['av'] = None\nsys.argv = ['artcolor', 'colorize', {str(tmp_path / 'a.mp4')!r}]\n"
        "from artcolor.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'pip install ".[video]"' in done.stderr


def test_help_lists_pipe() -> None:
    assert "--size" in CliRunner().invoke(app, ["pipe", "--help"]).output
