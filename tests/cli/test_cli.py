"""The `artcolor` command, run as a process of its own."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import artcolor as artcolor_package
from tests.conftest import ROOT, make_painting


def artcolor(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from artcolor.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=None,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three good pictures, one of them in a sub-folder, two bad ones, and a note."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    make_painting(1).convert("L").save(folder / "a.png")
    make_painting(2).save(folder / "b.jpg")
    make_painting(3).convert("L").save(folder / "sub" / "a.png")
    (folder / "bad.jpg").write_text("no picture")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:500])
    (folder / "note.txt").write_text("hello")
    return folder


def test_one_file(tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    source = ROOT / "examples" / "aigues_mortes.png"
    done = artcolor("colorize", source, "-o", out)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 colorized" in done.stdout
    with Image.open(out) as image, Image.open(source) as original:
        assert image.size == original.size
        assert image.mode == "RGB"
    again = artcolor("colorize", source, "-o", out)
    assert again.returncode == 1
    assert "already exists; --force replaces it, and --resume skips it" in again.stderr
    before = out.read_bytes()
    assert artcolor("colorize", source, "-o", out, "--force", "--vividness", "0").returncode == 0
    assert out.read_bytes() != before


def test_a_folder_with_bad_files(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    originals = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    done = artcolor("colorize", folder, "-o", out)
    assert done.returncode == 1
    assert "3 of 5 colorized" in done.stdout
    assert "bad.jpg is not a picture" in done.stderr
    assert "cut.png cannot be read" in done.stderr
    made = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert made == ["a.png", "b.jpg", "sub/a.png"]
    assert {p: p.read_bytes() for p in originals} == originals
    for name in made:
        with Image.open(out / name) as image:
            assert np.ptp(np.asarray(image).astype(int), axis=-1).mean() > 1


def test_options_of_color_and_file(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    gray = make_painting(1).convert("L")
    gray.save(source)
    deep = np.asarray(gray).astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    options = ["--model", "cnn", "--strength", "0.5", "--vividness", "0", "--size", "64", "--device", "cpu"]
    done = artcolor("colorize", source, "-o", tmp_path / "out", "--format", "jpg", "--quality", "40", *options)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out" / "a.jpg") as image:
        assert image.format == "JPEG"
        assert image.quantization[0][0] > 10, "a low quality"
    half = {"vividness": 0.0, "size": 64, "strength": 0.5}
    asked = artcolor("inspect", tmp_path / "out" / "a.jpg", "--json")
    found = json.loads(asked.stdout)["coloring"]
    assert (asked.returncode, found["model"], found["options"]) == (0, "cnn.art_v1", half)
    assert "released as cnn.art_v1" in artcolor("inspect", tmp_path / "out" / "a.jpg").stdout

    done = artcolor("colorize", tmp_path / "deep.png", "-o", tmp_path / "b.png", "--depth", "8", "--no-provenance")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "b.png") as image:
        assert image.mode == "RGB"
    silent = artcolor("inspect", tmp_path / "b.png")
    assert (silent.returncode, "has no artcolor provenance" in silent.stdout) == (1, True)


def test_maps_and_layers(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    make_painting(1).convert("L").save(source)
    done = artcolor("colorize", source, "-o", tmp_path / "out", "--uncertainty", "--chroma-only", "--model", "cnn")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    with Image.open(out / "a.png") as layer, Image.open(out / "a.png.uncertainty.png") as unsure:
        assert unsure.mode == "L"
        assert layer.size == unsure.size == (96, 80)
        assert np.ptp(np.asarray(layer.convert("LAB"))[..., 0]) <= 4


def test_samples_with_a_reference(tmp_path: Path) -> None:
    source, reference = tmp_path / "a.png", tmp_path / "mood.jpg"
    make_painting(1).convert("L").save(source)
    make_painting(7).save(reference)
    run = ["colorize", source, "-o", tmp_path / "b.png", "--samples", "4", "--reference", reference, "--seed", "1"]
    done = artcolor(*run, "--model", "vae")
    assert done.returncode == 0, done.stderr
    results = [tmp_path / f"b.{number}.png" for number in range(1, 5)]
    sheet = tmp_path / "b.sheet.jpg"
    assert sorted(tmp_path.glob("b*")) == [*results, sheet]
    assert f"1 of 1 colorized into {results[0]} to b.4.png; also written: contact sheet b.sheet.jpg" in done.stdout
    with Image.open(sheet) as shown:
        assert shown.width > 2 * 96
        assert shown.height > 2 * 80
    told = artcolor("inspect", sheet)
    assert "was colorized by artcolor" in told.stdout
    assert len({path.read_bytes() for path in results}) == 4
    colors = [np.asarray(Image.open(path)).astype(int) for path in results]
    for number, color in enumerate(colors):
        assert np.ptp(color, axis=-1).mean() > 1
        assert all(np.abs(color - other).max() > 2 for other in colors[:number])
    told = [json.loads(line) for line in artcolor("inspect", *results, "--json").stdout.splitlines()]
    assert [entry["file"] for entry in told] == list(map(str, results))
    for number, entry in enumerate(told, 1):
        found = entry["coloring"]
        assert found["model"].startswith("vae.")
        options = {key: found["options"][key] for key in ("reference", "samples", "seed", "sample")}
        assert options == {"reference": "mood.jpg", "samples": 4, "seed": 1, "sample": number}

    again = artcolor(*run, "--model", "vae", "--resume")
    assert (again.returncode, "0 of 1 colorized, 1 already existed" in again.stdout) == (0, True)
    refused = artcolor(*run, "--model", "vae")
    assert (refused.returncode, "b.1.png already exists" in refused.stderr) == (1, True)
    for path in (*results, sheet):
        path.unlink()
    other = artcolor(*run, "--model", "cnn_report")
    assert other.returncode == 1
    assert "--samples requires a model that predicts a distribution of colors" in other.stderr
    assert "Traceback" not in other.stderr
    assert not list(tmp_path.glob("b*"))


def test_unknown_options_suggest_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="no option 'vividnes'; did you mean 'vividness'"):
        artcolor_package.colorize(make_painting(1), vividnes=1)
    with pytest.raises(TypeError, match="did you mean 'samples'"):
        artcolor_package.Colorizer("vae", sample=2)
    with pytest.raises(TypeError, match="no option 'xyzzy'.*vividness.*reference.*device"):
        artcolor_package.colorize(make_painting(1), xyzzy=1)
    done = artcolor("colorize", "a.png", "-o", "b.png", "--vividnes", "1")
    assert done.returncode == 2
    assert "--vividness" in done.stderr


def test_what_has_color_is_left_alone_and_reported(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    make_painting(1).save(folder / "color.png")
    make_painting(1).convert("L").save(folder / "gray.png")
    report = tmp_path / "report.csv"
    run = ["colorize", folder, "-o", tmp_path / "out", "--model", "cnn", "--skip-colored", "--report", report]
    done = artcolor(*run)
    assert done.returncode == 0, done.stderr
    assert "1 of 2 colorized" in done.stdout
    assert "1 already colored" in done.stdout
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["gray.png"]
    rows = {Path(row["file"]).name: row for row in csv.DictReader(report.open(encoding="utf-8-sig"))}
    assert {name: row["status"] for name, row in rows.items()} == {
        "color.png": "already_colored",
        "gray.png": "colorized",
    }
    assert float(rows["color.png"]["color"]) > float(rows["gray.png"]["color"]) == 0
    assert rows["gray.png"]["model"] == "cnn.art_v1"
    assert float(rows["gray.png"]["seconds"]) > 0
    again = artcolor(*run, "--resume")
    assert "1 already existed" in again.stdout
    assert artcolor(*run, "--resume", "--force").returncode == 1


def test_results_inside_the_input_folder_are_not_colorized_again(folder: Path) -> None:
    (folder / "bad.jpg").unlink()
    (folder / "cut.png").unlink()
    for _ in range(2):
        done = artcolor("colorize", folder, "-o", folder / "color", "--force")
        assert done.returncode == 0, done.stderr
        assert "3 of 3" in done.stdout


def test_the_original_is_never_replaced(folder: Path) -> None:
    before = (folder / "a.png").read_bytes()
    done = artcolor("colorize", folder / "a.png", "-o", folder, "--force")
    assert done.returncode == 1
    assert "would replace the original" in done.stderr
    assert (folder / "a.png").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["colorize", "missing.png", "-o", "x.png"], "no file missing.png"),
        (["colorize", ".", "-o", "out", "--model", "nope"], "no weights called 'nope'"),
        (["colorize", "empty", "-o", "out"], "no pictures in empty"),
        (
            ["colorize", "a.png", "-o", "b", "--model", "cnn_report", "--seed", "3"],
            "but cnn_report predicts one color",
        ),
        (["colorize", "a.png", "-o", "b.png", "--device", "gpu"], "no device 'gpu'; choose cuda, mps or cpu, or auto"),
        (["colorize", "a.png", "-o", "b.png", "--depth", "12"], "depth must be 8 or 16"),
        (["colorize", "a.png", "-o", "b.png", "--quality", "50"], "no quality"),
        (["colorize", "a.png", "-o", "out", "--format", "gif"], "gif cannot hold a coloring"),
        (["colorize", "a.png", "-o", "b.png", "--max-pixels", "100"], "the limit is 100"),
        (["inspect", "missing.png"], "no file missing.png"),
        (["train", "nope", "--data", ".", "--out", "x"], "no recipe nope"),
        (["train", "cnn", "--data", "empty", "--out", "x"], "contains no pictures"),
        (["train", "cnn", "--data", ".", "--out", "x", "--set", "sise=3"], "sise"),
    ],
)
def test_errors_are_one_line_without_traceback(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    make_painting(1).save(tmp_path / "a.png")
    done = artcolor(*arguments)
    assert done.returncode == 1
    assert message in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


def test_dry_run_forecasts_and_leaves_nothing(art: Path, tmp_path: Path) -> None:
    settings = ["options={width: 16}", "size=32", "final_size=48", "batch_size=4", "device=cpu"]
    flags = [part for setting in settings for part in ("--set", setting)]
    done = artcolor("train", "cnn", "--data", art, "--out", tmp_path / "x", "--dry-run", "--max-steps", "100", *flags)
    assert done.returncode == 0, done.stderr
    for size in ("32 px", "48 px"):
        assert f"{size}: " in done.stdout
    for part in ("loading", "forward", "backward", "optimizer", "waiting", "memory", "forecast: 100 steps"):
        assert part in done.stdout
    assert not (tmp_path / "x").exists()


def test_build_a_data_set(art: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(f"name: mine\nsources:\n  - {{kind: folder, name: all, path: {art}}}\nclean: {{min_side: 32}}\n")
    done = artcolor("dataset", "build", spec, "--out", tmp_path / "built")
    assert done.returncode == 0, done.stderr
    assert "of 30 pictures kept" in done.stdout
    assert (tmp_path / "built" / "report.html").exists()
    assert "already" in done.stdout or artcolor("dataset", "build", spec, "--out", tmp_path / "built").returncode == 0


def test_the_zoo_as_a_table() -> None:
    done = artcolor("models")
    assert done.returncode == 0, done.stderr
    assert "cnn.art_v1" in done.stdout
    assert artcolor("--version").stdout.strip() == __import__("artcolor").__version__
