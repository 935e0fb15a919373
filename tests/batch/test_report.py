"""The report of a run over a folder."""

import resource
from pathlib import Path

import pytest

from artcolor.batch.plan import Job, Outcome
from artcolor.batch.report import COLUMNS, Report
from artcolor.errors import ImageError
from tests.batch.runs import rows
from tests.conftest import make_painting


def outcome(name: str, status: str = "colorized", **options: object) -> Outcome:
    return Outcome(Job(Path("in", name), Path("out", name)), status, **options)  # type: ignore[arg-type]


def test_a_second_name_is_explained(tmp_path: Path) -> None:
    with Report(tmp_path / "report.csv", model="cnn") as report:
        job = Job(Path("in/a.gif"), Path("out/a.gif.png"), usual_name_of=Path("in/a.png"))
        report.add(Outcome(job, "colorized"))
        report.add(Outcome(job, "failed", error=ImageError("in/a.gif is empty")))
    found = [(row["result"], row["message"]) for row in rows(tmp_path / "report.csv")]
    message = "renamed, because the result of in/a.png has the same name"
    assert found == [("out/a.gif.png", message), ("", "in/a.gif is empty")]


def test_the_report(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.csv"
    with Report(path, model="unet.art_v6") as report:
        assert path.read_text(encoding="utf-8-sig").splitlines() == [",".join(COLUMNS)]
        report.add(outcome("a.png", seconds=0.5, measure=0.25))
        # Each row is written immediately.
        assert rows(path)[0] == {
            "file": "in/a.png",
            "result": "out/a.png",
            "status": "colorized",
            "seconds": "0.500",
            "model": "unet.art_v6",
            "color": "0.25",
            "message": "",
        }
        report.add(outcome("b.png", "failed", error=ImageError('in/b.png: "bad",\nvery')))
        report.add(outcome("c.png", "already_colored", measure=9.0))
    assert [row["message"] for row in rows(path)] == ["", 'in/b.png: "bad", very', ""]
    assert [row["result"] for row in rows(path)] == ["out/a.png", "", ""]
    with Report(path, model="cnn") as report:
        report.add(outcome("d.png"))
    assert [row["file"] for row in rows(path)] == ["in/d.png"]


@pytest.mark.parametrize("cut", [1, 2, 9, 30])
def test_a_report_is_resumed(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    with Report(path, model="unet") as report:
        report.add(outcome("a.png"))
        report.add(outcome("b.png", "failed", error=ImageError("bad")))
        report.add(outcome("c.png", "already_colored", measure=9.0))
        report.add(outcome('d\n"\u00e9.png'))
    path.write_bytes(path.read_bytes()[:-cut])
    with Report(path, resume=True, model="unet") as report:
        report.add(outcome("a.png", "exists"))
        report.add(outcome("b.png"))
        report.add(outcome("c.png", "already_colored", measure=9.0))
        report.add(outcome('d\n"\u00e9.png', "exists"))
    found = [(row["file"], row["status"]) for row in rows(path)]
    assert found == [
        ("in/a.png", "colorized"),
        ("in/b.png", "failed"),
        ("in/c.png", "already_colored"),
        ("in/b.png", "colorized"),
        ('in/d\n"\u00e9.png', "exists"),
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_report_that_was_edited_is_resumed(newline: str, tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    with Report(path, model="unet") as report:
        report.add(outcome("a.png"))
    # Editors may drop the byte order mark.
    path.write_text(path.read_text(encoding="utf-8-sig"), encoding="utf-8", newline=newline)
    with Report(path, resume=True, model="unet") as report:
        report.add(outcome("a.png", "exists"))
        report.add(outcome("b.png"))
    assert b"\0" not in path.read_bytes()
    assert [row["file"] for row in rows(path)] == ["in/a.png", "in/b.png"]


def test_a_report_replaces_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    make_painting(1).save(path)
    before = path.read_bytes()
    for resume in (False, True):
        with pytest.raises(ImageError, match="is not a report"):
            Report(path, resume=resume, model="cnn")
    assert path.read_bytes() == before
    for bad in (tmp_path, Path("/proc/report.csv")):
        with pytest.raises(ImageError, match="cannot be written"):
            Report(bad, model="cnn")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Report(tmp_path / "full.csv", model="cnn") as report:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            with pytest.raises(ImageError, match="full.csv cannot be written: File too large"):
                report.add(outcome("a" * 100))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
