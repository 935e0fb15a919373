"""`artcolor colorize --layers` and `--card`."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from artcolor.cli.app import app
from tests.conftest import make_painting


@pytest.fixture
def gray(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    make_painting(1).convert("L").save(path)
    return path


def colorize(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["colorize", "--model", "cnn", *map(str, arguments)])


def test_are_written_beside_the_result(gray: Path, tmp_path: Path) -> None:
    out, layers, card = tmp_path / "out" / "a.png", tmp_path / "new" / "a.ora", tmp_path / "out" / "a.html"
    (tmp_path / "a.json").write_text('{"hints": [{"x": 0.5, "y": 0.5, "color": "purple"}]}')
    done = colorize(
        gray,
        "-o",
        out,
        "--layers",
        layers,
        "--card",
        card,
        "--hints",
        tmp_path / "a.json",
        "--vividness",
        1,
        "--size",
        64,
    )
    assert done.exit_code == 0, done.output
    merged = np.asarray(Image.open(io.BytesIO(zipfile.ZipFile(layers).read("mergedimage.png"))))
    assert np.abs(merged.astype(int) - np.asarray(Image.open(out))).max() <= 1
    assert "purple" in card.read_text()
    assert "64 px" in card.read_text()
    assert f"1 of 1 colorized into {out}; also written: layers a.ora, card a.html\n" == done.stdout


def test_existing_ones_are_not_replaced_without_force(gray: Path, tmp_path: Path) -> None:
    card, layers, out = tmp_path / "a.html", tmp_path / "a.ora", tmp_path / "out.png"
    card.write_text("mine")
    done = colorize(gray, "-o", out, "--card", card)
    assert "a.html already exists; --force replaces it, and --resume skips it" in str(done.exception)
    assert not out.exists()
    # What is there is skipped, and what is missing is written.
    assert colorize(gray, "-o", out, "--card", card, "--layers", layers, "--resume").exit_code == 0
    assert card.read_text() == "mine"
    layers.unlink()
    done = colorize(gray, "-o", out, "--card", card, "--layers", layers, "--resume", "--json")
    assert json.loads(done.stdout)["other_files"] == {"layers": str(layers)}
    assert card.read_text() == "mine"
    assert layers.exists()
    assert colorize(gray, "-o", out, "--card", card, "--force").exit_code == 0
    assert "SHA-256" in card.read_text()


@pytest.mark.parametrize(
    "options, message",
    [
        (["--layers", "a.png"], r"a\.png must end in \.ora"),
        (["--card", "a.ora"], r"a\.ora must end in \.html or \.htm"),
        (["--card", "a.html", "--chroma-only"], "--chroma-only cannot be combined with --card"),
        (["--card", "a.html", "--max-pixels", "9"], "--max-pixels cannot be combined with --card"),
        (
            ["--card", "a.html", "--layers", "a.ora", "--samples", "2"],
            "--layers and --card take a single coloring, not 2",
        ),
    ],
)
def test_refuses_before_anything_is_written(gray: Path, tmp_path: Path, options: list[str], message: str) -> None:
    done = colorize(gray, "-o", tmp_path / "out.png", *options)
    assert done.exit_code == 1
    with pytest.raises(type(done.exception), match=message):
        raise done.exception
    assert list(tmp_path.iterdir()) == [gray]


def test_only_of_a_single_picture(gray: Path, tmp_path: Path) -> None:
    make_painting(2).save(tmp_path / "b.png")
    done = colorize(gray, tmp_path / "b.png", "-o", tmp_path / "out", "--card", tmp_path / "c.html")
    assert "--card takes a single picture, not 2" in str(done.exception)
    frames = [make_painting(number).convert("L") for number in range(2)]
    frames[0].save(tmp_path / "c.tif", save_all=True, append_images=frames[1:])
    done = colorize(tmp_path / "c.tif", "-o", tmp_path / "c2.tif", "--card", tmp_path / "c.html")
    assert "one page, but" in str(done.exception)
    assert not (tmp_path / "c.html").exists()
    assert not (tmp_path / "c2.tif").exists()


def test_a_document_that_fails_fails_alone(gray: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    done = colorize(gray, "-o", tmp_path / "out.png", "--card", tmp_path / "file" / "a.html")
    assert done.exit_code == 1
    assert "1 of 1 colorized" in done.output
    assert "1 failed" in done.output
    assert (tmp_path / "out.png").exists()
