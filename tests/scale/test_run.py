"""Collections on a local Ray with two cores: the same bytes as `artcolor colorize`, whatever is killed meanwhile."""

import csv
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from artcolor.batch.saving import Saving
from artcolor.errors import ConfigError, ImageError
from artcolor.models.guidance import Decoding
from artcolor.scale import Summary, colorize_dataset
from tests.scale.collections import BAD, COUNT, check_complete, command, journal_rows, kill, mine, names, workers


def run(scans: Path, place: Path, **options: object) -> Summary:
    given = {"journal": place / "journal", "model": "cnn", "actors": 2, **options}
    return colorize_dataset(scans, place / "out", **given)


def test_same_files_as_the_command(cluster: None, scans: Path, tmp_path: Path) -> None:
    alone = command(scans, "-o", tmp_path / "alone")
    seen: list[dict[str, int]] = []

    def progress(counts: Mapping[str, int], total: int) -> None:
        seen.append(dict(counts))
        assert total == COUNT

    summary = run(scans, tmp_path, report=tmp_path / "report.csv", progress=progress)
    assert (summary.total, summary.before, summary.actors) == (COUNT, 0, 2)
    assert summary.counts == {"colorized": COUNT - len(BAD), "failed": len(BAD)} == seen[-1]
    alone.communicate()
    assert names(tmp_path / "out") == names(tmp_path / "alone")
    for name in names(tmp_path / "out"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes(), name
    check_complete(scans, tmp_path / "out", tmp_path / "journal")
    rows = {row["key"]: row for row in journal_rows(tmp_path / "journal")}
    assert rows["07.png"]["error"] == f"{scans}/07.png is not a picture in a format that artcolor reads"
    assert (rows["07.png"]["sha256"], rows["07.png"]["status"]) == ("", "failed")
    assert (rows["sub/04.jpg"]["weights"], rows["sub/04.jpg"]["uri"]) == ("cnn.art_v1", f"{scans}/sub/04.jpg")
    with (tmp_path / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        report = {row["key"]: row for row in csv.DictReader(file)}
    assert report.keys() == rows.keys()
    assert report["01.png"]["sha256"] == rows["01.png"]["sha256"]

    # A second run tries again what failed, and nothing else.
    before = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in names(tmp_path / "out")}
    again = run(scans, tmp_path)
    assert (again.before, again.counts) == (COUNT - len(BAD), {"failed": len(BAD)})
    assert before == {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in names(tmp_path / "out")}
    with pytest.raises(ConfigError, match="has 38 of the pictures with other settings"):
        run(scans, tmp_path, decoding=Decoding(strength=0.5))
    with pytest.raises(ImageError, match="38 of 40 results exist and the journal does not know them"):
        run(scans, tmp_path, journal=tmp_path / "another")


def test_a_manifest_with_options(cluster: None, scans: Path, tmp_path: Path) -> None:
    hints = tmp_path / "hints.json"
    hints.write_text(json.dumps({"hints": [{"x": 0.5, "y": 0.5, "color": "teal"}]}))
    rows: list[tuple[str, Path, object]] = [
        ("box 1/001", scans / "01.png", {}),
        ("box 1/002.tif", scans / "02.png", {"strength": 0}),
        ("b", scans / "03.png", {"hints": str(hints)}),
        ("c", scans / "03.png", {"hints": [{"x": 0.5, "y": 0.5, "color": "teal"}]}),
        ("d", scans / "05.png", {"reference": "nowhere.png"}),
        ("missing", scans / "no.png", {}),
    ]
    with (tmp_path / "all.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("key", "uri", "title", "options")])
        csv.writer(file).writerows([(key, uri, "x", json.dumps(each) if each else "") for key, uri, each in rows])
    place = {"journal": tmp_path / "journal", "model": "cnn", "actors": 1}
    done = colorize_dataset(tmp_path / "all.csv", tmp_path / "out", **place)
    found = {row["key"]: row for row in journal_rows(tmp_path / "journal")}
    assert names(tmp_path / "out") == ["b.png", "box 1/001.png", "box 1/002.tif", "c.png"]
    assert done.counts == {"colorized": 4, "failed": 2}
    assert "no.png" in found["missing"]["error"]
    assert "nowhere.png" in found["d"]["error"]
    # A hints file, and the same hints in the manifest.
    from artcolor.images import open_picture, read_provenance

    assert (open_picture(tmp_path / "out/b.png").pixels == open_picture(tmp_path / "out/c.png").pixels).all()
    for name in ("b", "c"):
        provenance = read_provenance(tmp_path / f"out/{name}.png")
        assert provenance is not None
        assert provenance.options["hints"] == [{"x": 0.5, "y": 0.5, "color": "teal"}]
    gray = open_picture(tmp_path / "out/box 1/002.tif").pixels
    assert (gray[..., 0] == gray[..., 1]).all()
    # What has other options is made again when that is asked for.
    (tmp_path / "all.csv").write_text((tmp_path / "all.csv").read_text().replace('""strength"": 0', '""strength"": 1'))
    with pytest.raises(ConfigError, match="has 1 of the pictures with other settings"):
        colorize_dataset(tmp_path / "all.csv", tmp_path / "out", **place)
    forced = colorize_dataset(tmp_path / "all.csv", tmp_path / "out", **place, saving=Saving(force=True))
    assert (forced.before, forced.counts["colorized"]) == (3, 1)


def test_a_worker_is_killed(cluster: None, scans: Path, tmp_path: Path) -> None:
    killed: list[int] = []

    def progress(counts: Mapping[str, int], total: int) -> None:
        if not killed:
            killed.extend(process.pid for process in mine(workers(), os.getpid()))
            kill(mine(workers(), os.getpid()))

    summary = run(scans, tmp_path, progress=progress)
    assert killed
    assert summary.counts == {"colorized": COUNT - len(BAD), "failed": len(BAD)}
    assert len(journal_rows(tmp_path / "journal")) == COUNT
    check_complete(scans, tmp_path / "out", tmp_path / "journal")


def test_a_picture_that_kills_its_workers_fails_alone(
    cluster: None, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artcolor.scale import run as module
    from tests.scale.fragile import FragileWorker

    monkeypatch.setattr(module, "Worker", FragileWorker)
    summary = run(scans, tmp_path)
    assert summary.counts == {"colorized": COUNT - len(BAD) - 1, "failed": len(BAD) + 1}
    (row,) = [row for row in journal_rows(tmp_path / "journal") if row["key"] == "09.png"]
    assert "the worker died each of 3 times that it was tried" in row["error"]
    check_complete(scans, tmp_path / "out", tmp_path / "journal")


def test_weights_that_a_worker_does_not_have_end_the_run() -> None:
    from artcolor.images import Provenance
    from artcolor.scale.rows import ROWS
    from artcolor.scale.worker import Worker

    row = {"key": "a", "uri": "/a.png", "result": "/out/a.png", "found": False, "hints": [], "options": ""}
    rows = pa.Table.from_pylist([row], schema=ROWS).append_column("number", pa.array([0]))
    for model, found in (("cnn", "cnn.art_v1 .* install the same artcolor on all machines"), ("/no.onnx", "no.onnx")):
        worker = Worker(model, {}, Saving(), Provenance("cnn.art_v0", "00" * 32), 1, None)
        (made,) = worker(rows).to_pylist()
        assert made["status"] == "failed"
        assert re.search(found, made["stop"])
