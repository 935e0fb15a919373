import csv
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from artcolor.data.build import build
from artcolor.data.dataset import ArtDataset, list_pictures
from artcolor.data.spec import DatasetSpec, load_spec
from artcolor.data.summary import BuildSummary
from artcolor.errors import DataError
from tests.conftest import ROOT
from tests.data.paintings import animation, bomb, cropped, framed, make_artwork, sepia, to_bytes

_STYLES = ("Baroque", "Rococo", "Realism")


def write(root: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def planted(root: Path) -> dict[tuple[str, str], str]:
    """Writes four sources below `root`; returns which pictures must be dropped, and why."""
    art = make_artwork
    write(
        root / "folders",
        {f"{('Ada', 'Bo', 'Cy')[n % 3]}/{n}.jpg": to_bytes(art(n)) for n in range(10)}
        | {
            "Ada/smaller.jpg": to_bytes(art(0).resize((170, 136))),
            "Bo/recompressed.jpg": to_bytes(art(1), quality=25),
            "Bo/text.jpg": b"This is not a picture.\n",
            "Bo/empty.png": b"",
            "Cy/truncated.jpg": to_bytes(art(90))[:-4000],
            "Cy/notes.txt": b"not a picture, and not named like one",
            "Cy/._9.jpg": b"macOS metadata",
        },
    )
    write(
        root / "names",
        {f"{_STYLES[n % 3]}/Dora_Maar_{n}.png": to_bytes(art(n), "PNG") for n in range(10, 20)}
        | {
            "Rococo/Dora_Maar_100.png": to_bytes(cropped(art(2), 0.02, 0.02, 0.02, 0.02), "PNG"),
            "Rococo/Dora_Maar_101.png": to_bytes(cropped(art(11), 0.02, 0, 0, 0.01), "PNG"),
            "Rococo/Dora_Maar_102.png": to_bytes(Image.new("RGB", (1, 1), "red"), "PNG"),
            "Rococo/Dora_Maar_103.png": bomb(),
            "Rococo/Dora_Maar_104.png": to_bytes(art(91).resize((600, 160)), "PNG"),
            "Rococo/Dora_Maar_105.gif": animation("GIF", 300),
            "Rococo/Dora_Maar_106.webp": animation("WEBP", 310),
            "Rococo/Dora_Maar_107.gif": to_bytes(art(20), "GIF"),
        },
    )
    rows = {f"{n}.jpg": to_bytes(art(n)) for n in range(21, 29)}
    rows |= {
        "gray.jpg": to_bytes(art(92).convert("L")),
        "gray-as-rgb.jpg": to_bytes(art(93).convert("L").convert("RGB")),
        "gray16.png": to_bytes(Image.new("I;16", (200, 160), 40_000), "PNG"),
        "sepia.jpg": to_bytes(sepia(art(94))),
        "framed.png": to_bytes(framed(art(29), "white"), "PNG"),
        "framed-copy.png": to_bytes(framed(art(21).resize((170, 136)), "black"), "PNG"),
    }
    write(root / "table" / "files", rows)
    lines = ["picture;painter", *(f"files/{name};Émile Noël" for name in rows), "files/nowhere.jpg;", "files/21.jpg;"]
    (root / "table" / "list.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    write(
        root / "plain",
        {f"{n}.webp": to_bytes(art(n), "WEBP", quality=95) for n in range(30, 36)}
        | {
            "larger.webp": to_bytes(art(12).resize((300, 240)), "WEBP", quality=90),
            "cmyk.jpg": to_bytes(art(36).convert("CMYK")),
            "alpha.png": to_bytes(art(37).convert("RGBA"), "PNG"),
            "palette.png": to_bytes(art(38).quantize(200), "PNG"),
        },
    )
    return {
        ("folders", "Ada/smaller.jpg"): "duplicate",
        ("folders", "Bo/recompressed.jpg"): "duplicate",
        ("folders", "Bo/text.jpg"): "undecodable",
        ("folders", "Bo/empty.png"): "undecodable",
        ("folders", "Cy/truncated.jpg"): "undecodable",
        ("names", "Rococo/Dora_Maar_100.png"): "duplicate",
        ("names", "Rococo/Dora_Maar_101.png"): "duplicate",
        ("names", "Rococo/Dora_Maar_102.png"): "too_small",
        ("names", "Rococo/Dora_Maar_103.png"): "bomb",
        ("names", "Rococo/Dora_Maar_104.png"): "extreme_aspect",
        ("names", "Rococo/Dora_Maar_105.gif"): "animated",
        ("names", "Rococo/Dora_Maar_106.webp"): "animated",
        # The larger copy is kept, whichever source it is in.
        ("names", f"{_STYLES[0]}/Dora_Maar_12.png"): "duplicate",
        ("table", "files/gray.jpg"): "gray",
        ("table", "files/gray-as-rgb.jpg"): "gray",
        ("table", "files/gray16.png"): "gray",
        ("table", "files/sepia.jpg"): "sepia",
        ("table", "files/framed-copy.png"): "duplicate",
        ("table", "files/nowhere.jpg"): "missing",
        ("table", "files/21.jpg"): "repeated",
    }


def spec_of(root: Path, **changes: Any) -> DatasetSpec:
    sources = [
        {"kind": "folder", "name": "folders", "path": root / "folders", "layouts": ["{artist}/*"]},
        {"kind": "folder", "name": "names", "path": root / "names", "layouts": ["{style}/{artist}_*"]},
        {
            "kind": "csv",
            "name": "table",
            "path": root / "table",
            "table": "list.csv",
            "file": "picture",
            "columns": {"artist": "painter"},
            "delimiter": ";",
            "labels": {"genre": "still life"},
        },
        {"kind": "folder", "name": "plain", "path": root / "plain"},
    ]
    values = {"name": "planted", "sources": sources, "split": {"val": 0.2, "test": 4}, "output": {"side": 140}}
    return DatasetSpec.model_validate(values | changes)


def table_of(out: Path) -> list[dict[str, str]]:
    with (out / "metadata.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, str]:
    """Path → hash of each file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(files)}


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("four")
    planted(root)
    return root


@pytest.fixture(scope="module")
def built(four: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BuildSummary]:
    out = tmp_path_factory.mktemp("built") / "art"
    return out, build(spec_of(four), out, workers=2)


def test_every_planted_case_is_dropped_for_its_reason_and_nothing_else(
    four: Path, built: tuple[Path, BuildSummary], tmp_path: Path
) -> None:
    out, summary = built
    # A repeated row has the same path as the row that is kept.
    dropped = {(each["source"], each["path"]): each["reason"] for each in summary.dropped_pictures}
    expected = planted(tmp_path)
    assert dropped == expected
    kept = {(row["source"], row["path"]) for row in table_of(out)}
    everything = {
        (source, path.relative_to(four / source).as_posix())
        for source in ("folders", "names", "table", "plain")
        for path in (four / source).rglob("*.*")
        if path.suffix not in {".txt", ".csv"} and not path.name.startswith(".")
    }
    assert kept == everything - {key for key, reason in expected.items() if reason not in ("missing", "repeated")}
    assert summary.dropped == dict(Counter(expected.values())) | {
        reason: 0 for reason in summary.dropped if reason not in expected.values()
    }
    assert summary.kept == len(kept) and summary.collected == len(kept) + len(expected)


def test_a_frame_is_cropped_and_reported(built: tuple[Path, BuildSummary]) -> None:
    out, summary = built
    (only,) = summary.cropped_pictures
    assert (only["path"], only["original"]) == ("files/framed.png", [232, 192])
    assert all(abs(found - true) <= 1 for found, true in zip(only["box"], [16, 16, 216, 176], strict=True))
    row = next(row for row in table_of(out) if row["path"] == "files/framed.png")
    with Image.open(out / row["file_name"]) as image:
        near = make_artwork(29).resize(image.size)
        corner = [image.convert("RGB").getpixel((2, 2)), near.getpixel((2, 2))]
    assert max(abs(a - b) for a, b in zip(*corner, strict=True)) < 60


def test_the_table_describes_the_files(built: tuple[Path, BuildSummary]) -> None:
    out, summary = built
    rows = table_of(out)
    header = "file_name,split,width,height,artist,style,genre,source,path,sha256"
    assert (out / "metadata.csv").read_text().splitlines()[0] == header
    for row in rows:
        data = (out / row["file_name"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        with Image.open(out / row["file_name"]) as image:
            assert (str(image.width), str(image.height)) == (row["width"], row["height"])
            assert image.format == "WEBP" and min(image.size) <= 140
        assert row["file_name"].startswith(row["split"] + "/")
    pictures = {path.relative_to(out).as_posix() for path in out.rglob("*.webp")}
    assert pictures == {row["file_name"] for row in rows}
    counts = Counter(row["split"] for row in rows)
    assert summary.splits == counts and counts["test"] == 4 and counts["val"] == round(0.2 * len(rows))
    by_path = {(row["source"], row["path"]): row for row in rows}
    assert by_path["names", "Rococo/Dora_Maar_10.png"]["artist"] == "Dora Maar"
    assert by_path["names", "Rococo/Dora_Maar_10.png"]["style"] == "Rococo"
    assert by_path["table", "files/22.jpg"]["artist"] == "Émile Noël"
    assert by_path["table", "files/22.jpg"]["genre"] == "still life"
    assert by_path["plain", "30.webp"]["artist"] == ""
    # Labels that the larger copy lacks come from the smaller one.
    assert by_path["plain", "larger.webp"]["artist"] == "Dora Maar"


def test_the_result_is_read_by_art_dataset(built: tuple[Path, BuildSummary]) -> None:
    out, summary = built
    assert len(list_pictures(out, "val")) == summary.splits["val"]
    lightness, ab = ArtDataset(out, "test")[0]
    assert lightness.shape[0] == 1 and ab.shape[0] == 2


def test_the_report_lists_dropped_pictures_and_is_self_contained(built: tuple[Path, BuildSummary]) -> None:
    out, summary = built
    assert BuildSummary.load(out / "report.json") == summary
    page = (out / "report.html").read_text(encoding="utf-8")
    for each in summary.dropped_pictures:
        assert each["path"] in page
    assert not re.search(r"(src|href)=(?!\"data:)", page)
    assert page.count("<img") > summary.dropped["duplicate"] * 2
    with Image.open(out / "statistics.png") as image:
        assert image.width > 800
    assert not (out / ".build").exists()


def test_names_are_escaped_in_the_report(tmp_path: Path) -> None:
    write(tmp_path / "in", {"<script>alert(1)<script> x.jpg": b"no picture"})
    write(tmp_path / "in", {f"$x^${n}$ {n}.jpg": to_bytes(make_artwork(n)) for n in range(3)})
    spec = DatasetSpec.model_validate(
        {
            "name": "<b> $\\frac$",
            "sources": [{"kind": "folder", "name": "in", "path": tmp_path / "in", "layouts": ["{artist} *", "*"]}],
            "split": {"val": 0, "test": 0},
        }
    )
    build(spec, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<script" not in page and "<b></" not in page and "&lt;script&gt;" in page


def test_the_same_seed_produces_the_same_bytes_and_another_seed_other_splits(
    four: Path, built: tuple[Path, BuildSummary], tmp_path: Path
) -> None:
    spec = spec_of(four)
    build(spec, tmp_path / "again", workers=5)
    assert contents(tmp_path / "again") == contents(built[0])
    other = build(spec, tmp_path / "other", seed=1)
    assert other.splits == built[1].splits
    splits = [{row["path"]: row["split"] for row in table_of(folder)} for folder in (built[0], tmp_path / "other")]
    assert splits[0] != splits[1]


def test_sources_are_not_modified(tmp_path: Path) -> None:
    planted(tmp_path / "in")
    before = contents(tmp_path / "in")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "in").rglob("*")}
    for path in (tmp_path / "in").rglob("*.*"):
        path.chmod(0o444)
    build(spec_of(tmp_path / "in"), tmp_path / "out")
    assert contents(tmp_path / "in") == before
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "in").rglob("*")} == times


_CHILD = """
import sys
from artcolor.data.build import build
from tests.data.test_build import spec_of
from pathlib import Path

step, at = sys.argv[3], int(sys.argv[4])

def progress(name, done, total):
    if name == step and done >= at:
        print("here", flush=True)
        sys.stdin.read()

build(spec_of(Path(sys.argv[1])), Path(sys.argv[2]), workers=2, progress=progress)
"""


@pytest.mark.parametrize(("step", "at"), [("clean", 17), ("write", 20)])
def test_a_killed_build_resumes_with_the_same_result(
    four: Path, built: tuple[Path, BuildSummary], tmp_path: Path, step: str, at: int
) -> None:
    out = tmp_path / "art"
    arguments = [sys.executable, "-c", _CHILD, str(four), str(out), step, str(at)]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert [path.name for path in out.iterdir()] == [".build"]
    # As if the process had been killed while writing a line.
    with (out / ".build" / "cleaned" / "journal.jsonl").open("ab") as file:
        file.write(b'{"source": "folders", "pa')
    done = {path.stat().st_ino for path in (out / ".build" / "cleaned" / "pictures").iterdir()}
    assert done
    build(spec_of(four), out)
    assert contents(out) == contents(built[0])
    # Files cleaned before are moved, not cleaned again.
    kept = {path.stat().st_ino for path in out.rglob("*.webp")}
    assert len(kept & done) > len(done) / 2


def test_a_changed_file_is_cleaned_again(tmp_path: Path) -> None:
    write(tmp_path / "in", {f"{n}.png": to_bytes(make_artwork(n), "PNG") for n in range(6)})
    values = {
        "name": "small",
        "sources": [{"kind": "folder", "name": "in", "path": tmp_path / "in"}],
        "split": {"val": 0, "test": 0},
    }
    spec = DatasetSpec.model_validate(values)

    def stop(step: str, done: int, total: int | None) -> None:
        if step == "compare":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(spec, tmp_path / "out", progress=stop)
    (tmp_path / "in" / "3.png").write_bytes(to_bytes(make_artwork(50, 300, 200), "PNG"))
    (tmp_path / "in" / "4.png").unlink()
    build(spec, tmp_path / "out")
    build(spec, tmp_path / "fresh")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_other_rules_repeat_the_cleaning_but_other_splits_do_not(tmp_path: Path) -> None:
    write(tmp_path / "in", {f"{n}.png": to_bytes(make_artwork(n), "PNG") for n in range(6)})
    values = {"name": "small", "sources": [{"kind": "folder", "name": "in", "path": tmp_path / "in"}]}

    def interrupted(**changes: Any) -> set[int]:
        spec = DatasetSpec.model_validate(values | changes)

        def stop(step: str, done: int, total: int | None) -> None:
            if step == "compare":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            build(spec, tmp_path / "out", progress=stop)
        pictures = tmp_path / "out" / ".build" / "cleaned" / "pictures"
        return {path.stat().st_mtime_ns for path in pictures.iterdir()}

    first = interrupted()
    assert interrupted(split={"val": 1, "test": 1}) == first
    assert interrupted(output={"side": 150}).isdisjoint(first)


def test_a_finished_build_is_left_alone(built: tuple[Path, BuildSummary], four: Path) -> None:
    out, summary = built
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert build(spec_of(four), out) == summary
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == times
    with pytest.raises(DataError, match="different spec or seed"):
        build(spec_of(four), out, seed=3)


def test_a_folder_with_other_files_is_rejected(four: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(DataError, match="not empty"):
        build(spec_of(four), tmp_path)
    with pytest.raises(DataError, match="must not change"):
        build(spec_of(four), four / "plain" / "out")
    assert (tmp_path / "mine.txt").read_text() == "precious"
    assert not (four / "plain" / "out").exists()


def test_where_keeps_only_matching_pictures(four: Path, tmp_path: Path) -> None:
    summary = build(spec_of(four, where={"style": ["ROCOCO", "Realism"]}), tmp_path / "out")
    assert set(summary.labels["style"]) == {"Rococo", "Realism"}
    assert set(summary.sources) == {"folders", "names", "table", "plain"}
    assert summary.sources["plain"]["kept"] == 0
    with pytest.raises(DataError, match="style: Baroque"):
        build(spec_of(four, where={"style": ["Cubism"]}), tmp_path / "none")


def test_balance_caps_every_value_and_depends_on_the_seed(four: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"balance": {"by": "artist", "cap": 3}, "split": {"val": 0, "test": 0}}
    summary = build(spec_of(four, **changes), tmp_path / "a")
    assert set(summary.labels["artist"].values()) == {3}
    assert set(summary.labels["artist"]) == {"Ada", "Bo", "Cy", "Dora Maar", "Émile Noël", ""}
    assert summary.dropped["capped"] > 0
    build(spec_of(four, **changes), tmp_path / "b", seed=5)
    chosen = [{row["path"] for row in table_of(tmp_path / name)} for name in "ab"]
    assert chosen[0] != chosen[1]


def test_a_split_by_artist_keeps_artists_apart(four: Path, tmp_path: Path) -> None:
    build(spec_of(four, split={"val": 4, "test": 4, "by": "artist"}), tmp_path / "out")
    rows = table_of(tmp_path / "out")
    homes: dict[str, set[str]] = {}
    for row in rows:
        homes.setdefault(row["artist"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in homes.values())
    assert homes[""] == {"train"}
    assert {row["split"] for row in rows} == {"train", "val", "test"}


def test_gray_twins_have_the_same_lightness_and_no_color(tmp_path: Path) -> None:
    write(tmp_path / "in", {f"{n}.png": to_bytes(make_artwork(n), "PNG") for n in range(4)})
    spec = DatasetSpec.model_validate(
        {
            "name": "pairs",
            "sources": [{"kind": "folder", "name": "in", "path": tmp_path / "in"}],
            "split": {"val": 1, "test": 0},
            "output": {"gray": True, "format": "jpeg", "quality": 98},
        }
    )
    build(spec, tmp_path / "out")
    dataset = ArtDataset(tmp_path / "out", None)
    twins = ArtDataset(tmp_path / "out" / "gray", None)
    assert [path.name for path in sorted(dataset.paths, key=lambda p: p.name)] == [p.name for p in twins.paths]
    for number, path in enumerate(sorted(range(4), key=lambda n: dataset.paths[n].name)):
        lightness, ab = dataset[path]
        gray, none = twins[number]
        assert (lightness - gray).abs().mean() < 1 and none.abs().max() < 0.1 < ab.abs().mean()


def test_too_few_pictures_for_the_splits(tmp_path: Path) -> None:
    write(tmp_path / "in", {f"{n}.png": to_bytes(make_artwork(n), "PNG") for n in range(2)})
    values = {"name": "few", "sources": [{"kind": "folder", "name": "in", "path": tmp_path / "in"}]}
    with pytest.raises(DataError, match="leave none of 2"):
        build(DatasetSpec.model_validate(values), tmp_path / "out")
    summary = build(DatasetSpec.model_validate(values | {"split": {"val": 1, "test": 0}}), tmp_path / "out")
    assert summary.splits == {"train": 1, "val": 1, "test": 0}


def kaggle(root: Path, *folders: str) -> None:
    durer = "Albrecht_Du\u2560\u00earer"
    artists = [(durer, 60), ("Albrecht_Du\u0393\u00f2\u00e1\u251c\u00acrer", 62), ("Vincent_van_Gogh", 64)]
    for artist, first in artists:
        for number in (1, 2):
            picture = make_artwork(first + number)
            write(root, {f"{folder}/{artist}/{artist}_{number}.jpg": to_bytes(picture) for folder in folders})
            small = to_bytes(picture.resize((160, 128)))
            name = artist if artist.startswith("V") else "Albrecht_D\u00fcrer"
            write(root, {f"resized/resized/{name}_{number + first}.jpg": small})
    (root / "artists.csv").write_text(
        "id,name,years,genre,nationality,bio,wikipedia,paintings\n"
        '3,Vincent van Gogh,1853 - 1890,Post-Impressionism,Dutch,"He was, and\npainted",w,877\n'
        '19,Albrecht D\u00fcrer,1471 - 1528,"Northern Renaissance,Gothic",German,b,w,328\n',
        encoding="utf-8",
    )


@pytest.mark.parametrize("folders", [("images/images",), ("images",), ()])
def test_the_kaggle_data_set_as_unzipped(tmp_path: Path, folders: tuple[str, ...]) -> None:
    kaggle(tmp_path / "best-artworks-of-all-time", *folders)
    summary = build(load_spec("best-artworks", root=tmp_path), tmp_path / "out")
    assert summary.labels["artist"] == {"Albrecht Dürer": 4, "Vincent van Gogh": 2}
    assert summary.labels["style"] == {"Northern Renaissance": 4, "Post-Impressionism": 2}
    assert summary.collected == summary.kept == 6
    assert {row["width"] for row in table_of(tmp_path / "out")} == {"200" if folders else "160"}


def mendeley(root: Path) -> None:
    inside = "Portrait_Painting_Dataset_For_Different_Movements/orgImg"
    movements = ("NorthernRenaiss", "highRenaiss", "impress", "postImpress", "rococo", "Ukiyo")
    for number, movement in enumerate(movements):
        write(root, {f"{inside}/{movement}/lady-{number}.jpg": to_bytes(make_artwork(70 + number, 160, 200))})


def test_the_mendeley_portraits_as_unzipped(tmp_path: Path) -> None:
    mendeley(tmp_path / "portrait-movements")
    summary = build(load_spec("mendeley-portraits", root=tmp_path), tmp_path / "out")
    styles = "High Renaissance,Impressionism,Northern Renaissance,Post-Impressionism,Rococo,Ukiyo-e"
    assert sorted(summary.labels["style"]) == styles.split(",")
    assert summary.labels["genre"] == {"portrait": 6}


def test_the_student_report_data_set_has_a_gray_twin_of_every_picture(tmp_path: Path) -> None:
    kaggle(tmp_path / "best-artworks-of-all-time", "images/images")
    mendeley(tmp_path / "portrait-movements")
    # The same painting is in both sources.
    copy = "portrait-movements/Portrait_Painting_Dataset_For_Different_Movements/orgImg/postImpress/copy.jpg"
    write(tmp_path, {copy: to_bytes(make_artwork(65), quality=60)})
    summary = build(load_spec("report", root=tmp_path), tmp_path / "out")
    assert summary.kept == 12 and summary.dropped["duplicate"] == 1
    gray = {path.name for path in (tmp_path / "out" / "gray").iterdir()}
    assert gray == {Path(row["file_name"]).name for row in table_of(tmp_path / "out")}
    with Image.open(next((tmp_path / "out" / "gray").iterdir())) as image:
        # WebP has no gray mode, and rounds.
        assert np.ptp(np.asarray(image.convert("RGB"), dtype=int), axis=2).max() <= 2
    row = next(row for row in table_of(tmp_path / "out") if row["path"].endswith("Vincent_van_Gogh_1.jpg"))
    # The genre comes from the copy.
    assert (row["style"], row["genre"]) == ("Post-Impressionism", "portrait")
    assert json.loads((tmp_path / "out" / "report.json").read_text())["splits"]["train"] == 10
