"""Runs over many files: which are found, where results go, and their outcomes."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import artcolor
from artcolor.batch.names import map_path
from artcolor.batch.plan import Job, plan_jobs
from artcolor.batch.run import run_job, run_jobs
from artcolor.batch.saving import Saving
from artcolor.errors import ConfigError, ImageError
from artcolor.images import open_picture, read_provenance
from tests.batch.runs import files, make_colorizer, make_gray, run
from tests.conftest import make_painting


@pytest.fixture
def gray(tmp_path: Path) -> Path:
    return make_gray(tmp_path / "in")


def make_png(width: int) -> bytes:
    file = io.BytesIO()
    make_painting(1, width, 60).convert("L").save(file, "PNG")
    return file.getvalue()


def planned(inputs: list[Path], out: Path, **options: str) -> dict[str, str]:
    jobs = plan_jobs(inputs, out, **options)
    return {job.source.name: str(job.target.relative_to(out)) for job in jobs}


# Planning


def test_names_and_folders_are_kept(gray: Path, tmp_path: Path) -> None:
    (gray / "note.txt").write_text("no picture")
    (gray / ".hidden.png").write_bytes((gray / "01.png").read_bytes())
    (gray / ".thumbnails").mkdir()
    (gray / ".thumbnails" / "a.png").write_bytes((gray / "01.png").read_bytes())
    (gray / "sub" / "b.pgm").touch()
    os.mkfifo(gray / "pipe.png")
    plan = planned([gray], tmp_path / "out")
    assert len(plan) == 13
    assert (plan["01.png"], plan["00.jpg"], plan["b.pgm"]) == ("01.png", "sub/00.jpg", "sub/b.ppm")
    assert list(plan) == sorted(plan, key=lambda name: str(next(gray.rglob(name))))
    assert set(map(lambda name: Path(name).suffix, planned([gray], tmp_path / "out", format="webp").values())) == {
        ".webp"
    }


def test_a_single_file_may_name_its_result(gray: Path, tmp_path: Path) -> None:
    source = gray / "01.png"
    assert plan_jobs([source], tmp_path / "x.tif") == [Job(source, tmp_path / "x.tif")]
    assert plan_jobs([source], tmp_path / "new") == [Job(source, tmp_path / "new" / "01.png")]
    assert plan_jobs([source, source], tmp_path / "new") == [Job(source, tmp_path / "new" / "01.png")]
    with pytest.raises(ImageError, match="contradicts the format png"):
        plan_jobs([source], tmp_path / "x.tif", format="png")
    with pytest.raises(ImageError, match="cannot hold a coloring"):
        plan_jobs([source], tmp_path / "x", format="gif")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("a.JPG", "a.jpg", ("a.JPG", "a.jpg.jpg")),
        ("a.pgm", "a.ppm", ("a.pgm.ppm", "a.ppm")),
        ("a.gif", "A.png", ("a.gif.png", "A.png")),
        ("a.gif", "a.png", ("a.gif.png", "a.png")),
        ("cafe\u0301.png", "caf\u00e9.png", ("cafe\u0301.png", "caf\u00e9.png.png")),
    ],
)
def test_of_names_that_collide_one_is_a_second_name(
    first: str, second: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for name in (first, second):
        (tmp_path / "in" / name).touch()
    jobs = {job.source.name: job for job in plan_jobs([tmp_path / "in"], tmp_path / "out")}
    assert (jobs[first].target.name, jobs[second].target.name) == expected
    renamed, usual = (second, first) if expected[0] == first else (first, second)
    assert jobs[renamed].usual_name_of == tmp_path / "in" / usual
    assert jobs[usual].usual_name_of is None
    # A third name, where the second is taken, too.
    (tmp_path / "in" / jobs[renamed].target.name).touch()
    again = {job.source.name: job.target.name for job in plan_jobs([tmp_path / "in"], tmp_path / "out")}
    assert len({name.casefold() for name in again.values()}) == 3
    assert again[jobs[renamed].target.name] == jobs[renamed].target.name
    assert again[usual] == usual


def test_inputs_that_collide(gray: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "01.png").write_bytes((gray / "01.png").read_bytes())
    first, second = plan_jobs([gray / "01.png", other / "01.png"], tmp_path / "out")
    assert (first.target.name, second.target.name) == ("01.png", "01.png.png")
    both = plan_jobs([gray, other], tmp_path / "out")
    assert len({job.target for job in both}) == len(both) == 13
    # One file that is named in two ways is one job.
    link = tmp_path / "link"
    link.symlink_to(gray)
    assert len(plan_jobs([gray, link], tmp_path / "out")) == 12
    with pytest.raises(ImageError, match="both the input and -o"):
        plan_jobs([gray], gray / "sub" / "..")


def test_names_of_earlier_plans_stay(tmp_path: Path) -> None:
    (tmp_path / "a.gif").touch()
    taken: dict[str, Path] = {}
    (job,) = plan_jobs([tmp_path], tmp_path / "out", taken=taken)
    assert job.target.name == "a.png"
    (tmp_path / "a.png").touch()
    for _ in range(2):
        names = [job.target.name for job in plan_jobs([tmp_path], tmp_path / "out", taken=taken)]
        assert names == ["a.png", "a.png.png"]


def test_links_are_followed_but_not_in_circles(gray: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    make_painting(1).save(elsewhere / "far.png")
    (gray / "link").symlink_to(elsewhere)
    (gray / "sub" / "up").symlink_to(gray)
    (elsewhere / "back").symlink_to(gray / "sub")
    (gray / "self.png").symlink_to("self.png")
    (gray / "gone.png").symlink_to("nothing.png")
    (gray / "out").mkdir()
    make_painting(2).save(gray / "out" / "earlier.png")
    targets = {str(job.target.relative_to(gray / "out")) for job in plan_jobs([gray], gray / "out")}
    assert {"link/far.png", "link/back/00.jpg", "self.png", "gone.png"} <= targets
    assert not any("earlier" in target or "up/" in target for target in targets)
    outcomes = run(gray, tmp_path / "color")
    failed = {name: str(outcome.error) for name, outcome in outcomes.items() if outcome.status == "failed"}
    assert set(failed) == {"self.png", "gone.png"}
    assert "there is no file" in failed["gone.png"]
    assert "symbolic links" in failed["self.png"]


# Running


def test_a_folder(gray: Path, tmp_path: Path) -> None:
    outcomes = run(gray, tmp_path / "out")
    assert files(tmp_path / "out") == files(gray)
    for outcome in outcomes.values():
        assert (outcome.status, outcome.error) == ("colorized", None)
        assert 0 < outcome.seconds < 60
        assert outcome.measure is not None
        assert outcome.measure < 1.6
        assert read_provenance(outcome.job.target) is not None


def test_results_do_not_depend_on_batches(gray: Path, tmp_path: Path) -> None:
    """Batches contain whatever is ready, so results must not depend on them by more than rounding."""
    run(gray, tmp_path / "together", Saving(format="png"), batch_size=8)
    run(gray, tmp_path / "alone", Saving(format="png"), batch_size=1)
    for name in files(tmp_path / "alone"):
        one, other = (open_picture(tmp_path / place / name).pixels.astype(int) for place in ("alone", "together"))
        assert np.ptp(one, axis=-1).max() > 0
        assert np.abs(one - other).max() <= 1


def test_bad_files_fail_alone(gray: Path, tmp_path: Path) -> None:
    (gray / "empty.png").touch()
    (gray / "text.jpg").write_text("no picture")
    (gray / "cut.png").write_bytes(make_png(40)[:700])
    Image.merge("LA", [Image.new("L", (9, 9), 99)] * 2).save(gray / "clear.png")
    outcomes = run(gray, tmp_path / "out", Saving(max_pixels=60 * 64, format=None))
    failed = {name: str(outcome.error) for name, outcome in outcomes.items() if outcome.status == "failed"}
    assert "is empty" in failed["empty.png"]
    assert "not a picture" in failed["text.jpg"]
    assert "cut.png cannot be read" in failed["cut.png"]
    assert "too large" in failed["01.png"]
    assert {name for name, each in outcomes.items() if each.status == "colorized"} == {
        *(f"{number:02}.jpg" for number in (0, 3, 6, 9)),
        "clear.png",
    }
    assert len(files(tmp_path / "out")) == 5


def test_existing_results(gray: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(gray, out)
    before = {name: (out / name).read_bytes() for name in files(out)}
    (out / "01.png").write_bytes(b"mine")
    assert {outcome.status for outcome in run(gray, out).values()} == {"failed"}
    (out / "02.png").unlink()
    resumed = run(gray, out, Saving(resume=True))
    assert {name for name, outcome in resumed.items() if outcome.status == "colorized"} == {"02.png"}
    assert {outcome.status for name, outcome in resumed.items() if name != "02.png"} == {"exists"}
    assert (out / "01.png").read_bytes() == b"mine"
    assert (out / "02.png").read_bytes() == before["02.png"]
    run(gray, out, Saving(force=True))
    assert {name: (out / name).read_bytes() for name in files(out)} == before
    for saving in (Saving(force=True), Saving(resume=True)):
        with pytest.raises(ImageError, match="would replace the original"):
            run_job(make_colorizer(), Job(gray / "01.png", gray / "01.png"), saving)


def test_skip_colored(gray: Path, tmp_path: Path) -> None:
    bright = [make_painting(seed) for seed in (50, 51)]
    plain = [picture.convert("L") for picture in bright]
    bright[0].save(gray / "color.png")
    bright[0].save(gray / "color.tif", save_all=True, append_images=bright[1:])
    plain[0].save(gray / "part.tif", save_all=True, append_images=bright[1:])
    plain[0].convert("RGB").save(gray / "late.webp", save_all=True, append_images=bright[1:], lossless=True)
    outcomes = run(gray, tmp_path / "out", skip_colored=True)
    alone = {name for name, outcome in outcomes.items() if outcome.status == "already_colored"}
    assert alone == {"color.png", "color.tif", "late.webp"}
    assert all((outcomes[name].measure or 0) > 1.6 for name in (*alone, "part.tif"))
    assert not any((tmp_path / "out" / name).exists() for name in alone)
    with Image.open(tmp_path / "out" / "part.tif") as image:
        first = np.asarray(image).astype(int)
        image.seek(1)
        assert np.array_equal(np.asarray(image), np.asarray(bright[1]))
    assert np.ptp(first, axis=-1).max() > 0


def test_maps_of_uncertainty(gray: Path, tmp_path: Path) -> None:
    pages = [make_painting(seed, 70, 50).convert("L") for seed in (50, 51)]
    pages[0].save(gray / "pages.tif", save_all=True, append_images=pages[1:])
    colorizer = artcolor.Colorizer("unet", size=64)
    outcomes = list(run_jobs(colorizer, plan_jobs([gray], tmp_path / "out"), Saving(uncertainty=True)))
    assert {outcome.status for outcome in outcomes} == {"colorized"}
    for job in (outcome.job for outcome in outcomes):
        with Image.open(map_path(job.target)) as found, Image.open(job.source) as source:
            assert (found.mode, found.size) == ("L", source.size)
            page = pages[0] if job.source.name == "pages.tif" else job.source
            expected = np.asarray(colorizer.uncertainty(page)).astype(int)
            assert np.abs(np.asarray(found).astype(int) - expected).max() <= 1
            assert expected.max() > 0
    map_path(tmp_path / "new" / "01.png").parent.mkdir()
    map_path(tmp_path / "new" / "01.png").touch()
    job = Job(gray / "01.png", tmp_path / "new" / "01.png")
    with pytest.raises(ImageError, match="uncertainty.png already exists; --force replaces it"):
        run_job(colorizer, job, Saving(uncertainty=True))
    run_job(colorizer, job, Saving(uncertainty=True, resume=True))
    assert map_path(job.target).stat().st_size > 0
    (gray / "01.png.uncertainty.png").write_bytes((gray / "01.png").read_bytes())
    with pytest.raises(ImageError, match="uncertainty map of .*01.png and .* would both become"):
        list(run_jobs(colorizer, plan_jobs([gray], tmp_path / "x"), Saving(uncertainty=True)))


def test_models_without_uncertainty_raise_one_error(gray: Path, tmp_path: Path) -> None:
    colorizer = artcolor.Colorizer(artcolor.get_model("ae_report"))
    with pytest.raises(ConfigError, match="not a distribution over them; uncertainty, "):
        list(run_jobs(colorizer, plan_jobs([gray], tmp_path / "out"), Saving(uncertainty=True)))
    assert not (tmp_path / "out").exists()
