"""Several colorings of each picture: numbered results, and how they combine with the other options."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import artcolor
from artcolor.batch.names import map_path, result_paths
from artcolor.batch.plan import Job, Outcome, plan_jobs
from artcolor.batch.report import Report
from artcolor.batch.run import run_job, run_jobs
from artcolor.batch.saving import Saving
from artcolor.errors import ConfigError, ImageError
from artcolor.images import open_picture, read_provenance
from tests.batch.runs import files, rows
from tests.conftest import make_painting


@pytest.fixture(scope="module")
def colorizer() -> artcolor.Colorizer:
    return artcolor.Colorizer("vae", size=64, samples=2)


@pytest.fixture
def gray(tmp_path: Path) -> Path:
    """Two pictures whose names differ by the number that a sample gets."""
    folder = tmp_path / "in"
    folder.mkdir()
    make_painting(1).convert("L").save(folder / "a.png")
    make_painting(2).convert("L").save(folder / "a.1.png")
    return folder


def run(colorizer: artcolor.Colorizer, source: Path, out: Path, saving: Saving | None = None) -> dict[str, Outcome]:
    outcomes = run_jobs(colorizer, plan_jobs([source], out), saving or Saving())
    return {outcome.job.source.name: outcome for outcome in outcomes}


def test_numbered_names(colorizer: artcolor.Colorizer, gray: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcomes = run(colorizer, gray, out)
    assert files(out) == ["a.1.1.png", "a.1.2.png", "a.1.png", "a.2.png"]
    assert {outcome.status for outcome in outcomes.values()} == {"colorized"}
    assert outcomes["a.png"].results == [out / "a.1.png", out / "a.2.png"]
    assert outcomes["a.1.png"].results == [out / "a.1.1.png", out / "a.1.2.png"]
    for name, outcome in outcomes.items():
        gray_values = np.asarray(Image.open(gray / name)).astype(int)
        one, two = (open_picture(path).pixels.astype(int) for path in outcome.results)
        assert np.abs(one - two).max() > 2
        for number, path in enumerate(outcome.results, 1):
            found = read_provenance(path)
            assert found is not None
            assert (found.options["samples"], found.options["sample"]) == (2, number)
            assert np.abs(np.asarray(Image.open(path).convert("L")).astype(int) - gray_values).mean() < 5


def test_existing_samples(colorizer: artcolor.Colorizer, gray: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (gray / "a.1.png").unlink()
    run(colorizer, gray, out)
    before = {name: (out / name).read_bytes() for name in files(out)}
    (out / "a.1.png").write_bytes(b"mine")
    (out / "a.2.png").unlink()

    refused = run(colorizer, gray, out)["a.png"]
    assert refused.status == "failed"
    assert refused.results == []
    assert "a.1.png already exists; --force replaces it, and --resume skips it" in str(refused.error)
    assert files(out) == ["a.1.png"]

    # Only the missing sample is written; once all exist, the picture is skipped.
    assert run(colorizer, gray, out, Saving(resume=True))["a.png"].status == "colorized"
    assert (out / "a.1.png").read_bytes() == b"mine"
    assert (out / "a.2.png").read_bytes() == before["a.2.png"]
    assert run(colorizer, gray, out, Saving(resume=True))["a.png"].status == "exists"

    assert run(colorizer, gray, out, Saving(force=True))["a.png"].status == "colorized"
    assert {name: (out / name).read_bytes() for name in files(out)} == before


def test_a_resumed_report_names_the_first_sample(colorizer: artcolor.Colorizer, gray: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "report.csv", tmp_path / "out"
    for _ in range(2):
        with Report(path, resume=True, model="vae") as report:
            for outcome in run(colorizer, gray, out, Saving(resume=True)).values():
                report.add(outcome)
    found = {Path(row["file"]).name: row["result"] for row in rows(path)}
    assert len(rows(path)) == 2
    assert found == {"a.png": str(out / "a.1.png"), "a.1.png": str(out / "a.1.1.png")}


def test_pages(colorizer: artcolor.Colorizer, tmp_path: Path) -> None:
    source, target = tmp_path / "pages.tif", tmp_path / "out.tif"
    pages = [make_painting(seed, 70, 50).convert("L") for seed in (1, 2, 3)]
    pages[0].save(source, save_all=True, append_images=pages[1:])
    outcome = run_job(colorizer, Job(source, target), Saving())
    assert (outcome.status, outcome.results) == ("colorized", result_paths(target, 2))
    assert files(tmp_path) == ["out.1.tif", "out.2.tif", "pages.tif"]
    with Image.open(outcome.results[0]) as one, Image.open(outcome.results[1]) as two:
        assert one.n_frames == two.n_frames == 3
        for number, page in enumerate(pages):
            one.seek(number)
            two.seek(number)
            first, second = (np.asarray(each.convert("RGB")).astype(int) for each in (one, two))
            assert np.abs(first - second).max() > 2
            # Each page is what the picture alone becomes.
            alone = [np.asarray(sample).astype(int) for sample in colorizer(page)]
            assert np.abs(first - alone[0]).max() <= 1
            assert np.abs(second - alone[1]).max() <= 1
    # The second sample is written without the first.
    second = outcome.results[1].read_bytes()
    outcome.results[1].unlink()
    outcome.results[0].write_bytes(b"mine")
    assert run_job(colorizer, Job(source, target), Saving(resume=True)).status == "colorized"
    assert outcome.results[0].read_bytes() == b"mine"
    assert outcome.results[1].read_bytes() == second


def test_one_map_for_all_samples(colorizer: artcolor.Colorizer, gray: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "a.png"
    run_job(colorizer, Job(gray / "a.png", target), Saving(uncertainty=True))
    assert files(tmp_path / "out") == ["a.1.png", "a.2.png", "a.png.uncertainty.png"]
    with Image.open(map_path(target)) as image:
        assert (image.mode, image.size) == ("L", (96, 80))


def test_samples_never_replace_originals(colorizer: artcolor.Colorizer, gray: Path) -> None:
    before = {name: (gray / name).read_bytes() for name in files(gray)}
    link = gray.parent / "link"
    link.symlink_to(gray)
    for out in (gray, link):
        jobs = plan_jobs([gray / "a.png", gray / "a.1.png"], out)
        for saving in (Saving(), Saving(force=True), Saving(resume=True)):
            with pytest.raises(ImageError, match=r"a result of .*a\.png would replace the original .*a\.1\.png"):
                list(run_jobs(colorizer, jobs, saving))
    assert {name: (gray / name).read_bytes() for name in files(gray)} == before
    # Beside the original is fine where no name is taken.
    run_job(colorizer, Job(gray / "a.1.png", gray / "a.1.png"), Saving())
    assert files(gray) == ["a.1.1.png", "a.1.2.png", "a.1.png", "a.png"]
    assert (gray / "a.1.png").read_bytes() == before["a.1.png"]


def test_jobs_with_one_target_are_refused(colorizer: artcolor.Colorizer, gray: Path, tmp_path: Path) -> None:
    jobs = [Job(gray / name, tmp_path / "out.png") for name in files(gray)]
    with pytest.raises(ImageError, match=r"a\.png and .*a\.1\.png would both become .*out\.1\.png; rename"):
        list(run_jobs(colorizer, jobs, Saving()))
    assert files(tmp_path) == ["in/a.1.png", "in/a.png"]


@pytest.mark.parametrize("name", ["ae_report", "cnn_report", "vae_report"])
def test_models_without_a_distribution_refuse_samples_and_palettes(name: str) -> None:
    with pytest.raises(ConfigError, match=r"samples=4: .* is deterministic; `samples` requires `ae`, .* or `vae`"):
        artcolor.Colorizer(name, samples=4)
    with pytest.raises(ConfigError, match=r"takes no palette; `palette` requires `ae`, .* or `vae`"):
        artcolor.Colorizer(name, palette=["red", "blue"])
