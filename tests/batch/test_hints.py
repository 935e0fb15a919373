"""Hints for many files: which belong to which, and what wrong ones do."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from artcolor.batch.plan import Job, Outcome, plan_jobs
from artcolor.batch.report import Report
from artcolor.batch.run import run_job, run_jobs
from artcolor.batch.saving import Saving
from artcolor.cli.app import app
from artcolor.color.lab import rgb_to_lab
from artcolor.engine.hints import parse_color
from artcolor.errors import ConfigError, ImageError
from artcolor.images import open_picture, read_provenance
from tests.batch.runs import files, make_colorizer, rows
from tests.conftest import make_painting

WIDTH, HEIGHT = 96, 80
PURPLE = {"x": 0.3, "y": 0.2, "color": "#7a4fa3"}


def write(path: Path, *hints: object, **entries: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"schema": 1, "hints": hints, **entries}))
    return path


@pytest.fixture
def gray(tmp_path: Path) -> Path:
    """Four gray pictures, one of them in a sub-folder."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.png", "sub/a.png", "plain.png")):
        make_painting(number, WIDTH, HEIGHT).convert("L").save(folder / name)
    return folder


@pytest.fixture
def hints(tmp_path: Path) -> Path:
    """Hints for three of them."""
    folder = tmp_path / "hints"
    write(folder / "a.json", PURPLE)
    write(folder / "sub" / "a.json", {**PURPLE, "color": "teal"})
    layer = Image.new("RGBA", (2 * WIDTH, 2 * HEIGHT))
    ImageDraw.Draw(layer).rectangle((40, 20, 50, 30), fill="#aa3311")
    layer.save(folder / "b.png")
    return folder


def run(source: Path, out: Path, hints: Path, saving: Saving | None = None) -> dict[str, Outcome]:
    outcomes = run_jobs(make_colorizer(), plan_jobs([source], out, hints=hints), saving or Saving(), workers=2)
    return {str(outcome.job.source.relative_to(source)): outcome for outcome in outcomes}


def ab_at(pixels: np.ndarray, x: float, y: float) -> list[float]:
    pixel = torch.tensor(pixels[int(y * len(pixels)), int(x * pixels.shape[1])]).float() / 255
    found: list[float] = rgb_to_lab(pixel.reshape(1, 3, 1, 1))[0, 1:].flatten().tolist()
    return found


def stated(path: Path) -> object:
    found = read_provenance(path)
    assert found is not None
    return found.options.get("hints")


def test_each_picture_has_its_own_hints(gray: Path, hints: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcomes = run(gray, out, hints)
    assert {name: each.status for name, each in outcomes.items()} == dict.fromkeys(outcomes, "colorized")
    assert {name: [path.relative_to(hints) for path in each.job.hints] for name, each in outcomes.items()} == {
        "a.png": [Path("a.json")],
        "b.png": [Path("b.png")],
        "sub/a.png": [Path("sub/a.json")],
        "plain.png": [],
    }
    assert stated(out / "a.png") == [PURPLE]
    assert stated(out / "sub" / "a.png") == [{**PURPLE, "color": "teal"}]
    assert stated(out / "plain.png") is None
    painted = stated(out / "b.png")
    assert isinstance(painted, list)
    assert {hint["color"] for hint in painted} == {"#aa3311"}
    for name, x, y, color in (
        ("a.png", 0.3, 0.2, "#7a4fa3"),
        ("sub/a.png", 0.3, 0.2, "teal"),
        ("b.png", 45 / 192, 25 / 160, "#aa3311"),
    ):
        # 8 bits of sRGB round a and b by up to half a unit.
        assert ab_at(open_picture(out / name).pixels, x, y) == pytest.approx(parse_color(color), abs=2)
    # Pictures without hints are what they are without hints of others.
    run_job(make_colorizer(), Job(gray / "plain.png", tmp_path / "alone.png"))
    assert (out / "plain.png").read_bytes() == (tmp_path / "alone.png").read_bytes()


def test_wrong_hints_fail_alone(gray: Path, hints: Path, tmp_path: Path) -> None:
    write(hints / "a.json", PURPLE, {"x": 0.1, "y": 0.2, "color": "bluish"})
    write(hints / "b.json", PURPLE)
    write(hints / "sub" / "a.json", PURPLE, size=[HEIGHT, WIDTH])
    for number, content in enumerate(
        (
            {"hints": [{"x": 0.5, "y": 0.5, "color": "picture"}]},
            {"hints": [{"mask": "no.png", "color": "navy"}]},
            {"reference": "mood.png"},
            {"schema": 7},
        )
    ):
        shutil.copy(gray / "plain.png", gray / f"{number}.png")
        write(hints / f"{number}.json", **content)
    (hints / "4.json").write_text("{")
    shutil.copy(gray / "plain.png", gray / "4.png")
    with Report(tmp_path / "report.csv", model="cnn") as report:
        for outcome in run(gray, tmp_path / "out", hints).values():
            report.add(outcome)
    assert files(tmp_path / "out") == ["plain.png"]
    found = {Path(row["file"]).relative_to(gray).as_posix(): row for row in rows(tmp_path / "report.csv")}
    assert {row["status"] for name, row in found.items() if name != "plain.png"} == {"failed"}
    for name, message in (
        ("a.png", f"{hints / 'a.json'}: hint 2: 'bluish' is not a color"),
        ("b.png", f"there are hints in {hints / 'b.json'} and {hints / 'b.png'}; remove one of them"),
        ("sub/a.png", f"{hints / 'sub' / 'a.json'}: made for a picture of 80 × 96 pixels, but this one has 96 × 80"),
        ("0.png", f'{hints / "0.json"}: hint 1: its color is "picture", but the picture is gray'),
        ("1.png", f"there is no file {hints / 'no.png'}"),
        ("2.png", f"there is no file {hints / 'mood.png'}"),
        ("3.png", f"{hints / '3.json'} has schema 7"),
        ("4.png", f"{hints / '4.json'} is not JSON"),
    ):
        assert message in found[name]["message"]
    with pytest.raises(ImageError, match="'bluish' is not a color"):
        run_job(make_colorizer(), Job(gray / "a.png", tmp_path / "a.png", hints=(hints / "a.json",)))


def test_resumed_runs_do_what_is_missing(gray: Path, hints: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(gray, out, hints)
    before = {name: (out / name).read_bytes() for name in files(out)}
    (out / "a.png").unlink()
    # The hints of a result that exists are not read again.
    (hints / "sub" / "a.json").write_text("{")
    resumed = run(gray, out, hints, Saving(resume=True))
    assert {name: each.status for name, each in resumed.items()} == {
        "a.png": "colorized",
        "b.png": "exists",
        "sub/a.png": "exists",
        "plain.png": "exists",
    }
    assert {name: (out / name).read_bytes() for name in files(out)} == before


def test_pages_and_frames(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    pages = [make_painting(seed, WIDTH, HEIGHT).convert("L") for seed in (1, 2, 3)]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    # As a still picture, each frame would be the same.
    frames = [pages[0].convert("RGB")] * 3
    for number, frame in enumerate(frames):
        frames[number] = frame.copy()
        frames[number].putpixel((90, 70 + number), (0, 0, 0))
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:], lossless=True)
    hint = {**PURPLE, "frame": 1}
    write(tmp_path / "hints" / "pages.json", hint, {**PURPLE, "color": "teal", "frame": 2})
    write(tmp_path / "hints" / "moving.json", hint)
    for outcome in run_jobs(make_colorizer(), plan_jobs([folder], out, hints=tmp_path / "hints"), Saving()):
        assert outcome.error is None
    with Image.open(out / "pages.tif") as image:
        colored = []
        for page in range(3):
            image.seek(page)
            colored.append(np.asarray(image.convert("RGB")))
    plain = np.asarray(make_colorizer()(pages[0]))
    assert np.abs(colored[0].astype(int) - plain).max() <= 1
    for page, color in ((1, "#7a4fa3"), (2, "teal")):
        assert ab_at(colored[page], 0.3, 0.2) == pytest.approx(parse_color(color), abs=2)
    assert stated(out / "pages.tif") == [hint, {**PURPLE, "color": "teal", "frame": 2}]
    with Image.open(out / "moving.webp") as image:
        image.seek(1)
        assert ab_at(np.asarray(image.convert("RGB")), 0.3, 0.2) == pytest.approx(parse_color("#7a4fa3"), abs=2)
        image.seek(0)
        first = ab_at(np.asarray(image.convert("RGB")), 0.3, 0.2)
        assert np.hypot(*np.subtract(first, parse_color("#7a4fa3"))) > 10
    # A page that the hints do not fit fails the file, and leaves nothing behind.
    write(tmp_path / "hints" / "pages.json", {**hint, "color": "picture"})
    jobs = plan_jobs([folder / "pages.tif"], tmp_path / "new", hints=tmp_path / "hints")
    (outcome,) = run_jobs(make_colorizer(), jobs, Saving())
    assert outcome.status == "failed"
    assert 'pages.json: hint 1: its color is "picture"' in str(outcome.error)
    assert files(tmp_path / "new") == []


def test_one_hints_file_is_for_one_picture(gray: Path, hints: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    message = r"a\.json is a single hints file, but there are 4 pictures; give a folder .*: a\.json for a\.png"
    with pytest.raises(ConfigError, match=message):
        plan_jobs([gray], out, hints=hints / "a.json")
    with pytest.raises(ConfigError, match="nowhere is not a folder, but there are 2 pictures"):
        plan_jobs([gray / "a.png", gray / "b.png"], out, hints=tmp_path / "nowhere")
    file = hints / "a.json"
    assert plan_jobs([gray / "plain.png"], out, hints=file) == [
        Job(gray / "plain.png", out / "plain.png", hints=(file,))
    ]
    assert plan_jobs([gray / "sub"], out, hints=file)[0].hints == (file,)
    # In a folder of hints, a single picture is looked up by its name.
    assert plan_jobs([gray / "sub" / "a.png"], out / "x.png", hints=hints)[0].hints == (file,)
    colorizer = make_colorizer(hints=file)
    with pytest.raises(ConfigError, match="hints are for a single picture, but there are 4"):
        list(run_jobs(colorizer, plan_jobs([gray], out), Saving()))
    run_job(colorizer, Job(gray / "a.png", tmp_path / "a.png"))
    assert stated(tmp_path / "a.png") == [PURPLE]


def test_hints_beside_the_pictures(gray: Path, hints: Path, tmp_path: Path) -> None:
    write(gray / "a.json", PURPLE)
    make_painting(7, WIDTH, HEIGHT).convert("L").save(gray / "a.jpg")
    (gray / "a.png").rename(gray / "c.png")
    jobs = {job.source.name: job.hints for job in plan_jobs([gray], tmp_path / "out", hints=gray)}
    assert jobs["a.jpg"] == (gray / "a.json",)
    assert jobs["b.png"] == jobs["c.png"] == (), "a picture is not its own hints"
    # Painted hints in a folder below are not colorized.
    shutil.copytree(hints, gray / "hints")
    found = {
        str(job.source.relative_to(gray)): job.hints
        for job in plan_jobs([gray], tmp_path / "out", hints=gray / "hints")
    }
    assert set(found) == {"a.jpg", "b.png", "c.png", "plain.png", "sub/a.png"}
    assert found["b.png"] == (gray / "hints" / "b.png",)


def test_a_folder_without_any_hints_is_mentioned(gray: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "empty").mkdir()
    caplog.set_level(logging.WARNING)
    jobs = plan_jobs([gray], tmp_path / "out", hints=tmp_path / "empty")
    assert not any(job.hints for job in jobs)
    (record,) = caplog.records
    assert record.getMessage().endswith(
        "empty has no hints for any of the pictures; those for a.png would be named a.json"
    )


def test_the_command(gray: Path, hints: Path, tmp_path: Path) -> None:
    write(hints / "sub" / "a.json", {**PURPLE, "color": "bluish"})
    write(hints / "a.json", PURPLE, {"x": 0.9, "y": 0.9, "color": "lab(50 90 90)"})
    out = tmp_path / "out"
    command = ["colorize", str(gray), "-o", str(out), "--model", "cnn", "--report", str(tmp_path / "r.csv")]
    done = CliRunner().invoke(app, [*command, "--hints", str(hints)], terminal_width=200)
    assert done.exit_code == 1
    assert "3 of 4 colorized" in done.output
    assert {row["status"] for row in rows(tmp_path / "r.csv")} == {"colorized", "failed"}
    assert stated(out / "a.png") == [PURPLE, {"x": 0.9, "y": 0.9, "color": "lab(50 90 90)"}]
    again = CliRunner().invoke(app, ["inspect", "--hints", str(out / "a.png")])
    (tmp_path / "again.json").write_text(again.output)
    single = ["colorize", str(gray / "a.png"), "-o", str(tmp_path / "a.png"), "--model", "cnn"]
    assert CliRunner().invoke(app, [*single, "--hints", str(tmp_path / "again.json")]).exit_code == 0
    assert (tmp_path / "a.png").read_bytes() == (out / "a.png").read_bytes()
