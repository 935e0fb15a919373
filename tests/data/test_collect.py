import sys
from pathlib import Path
from typing import Any

import pytest

from artcolor.data.build import build
from artcolor.data.collect import collect, compile_layout, tidy_label
from artcolor.data.spec import CsvSource, DatasetSpec, FolderSource, HuggingFaceSource, load_spec
from artcolor.errors import DataError
from tests.data.paintings import make_artwork, to_bytes


def stream(root: Path, **changes: Any) -> Path:
    """A data set with the features of huggan/wikiart, as a local folder."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "artist": datasets.ClassLabel(names=["Unknown Artist", "claude-monet", "vincent-van-gogh"]),
            "genre": datasets.ClassLabel(names=["landscape", "portrait", "Unknown Genre"]),
            "style": datasets.ClassLabel(names=["Impressionism", "Post_Impressionism"]),
        }
    )
    images = [{"bytes": to_bytes(make_artwork(n)), "path": f"{n}.jpg" if n % 2 else None} for n in range(80, 86)]
    images += [
        {"bytes": b"broken", "path": "broken.jpg"},
        {"bytes": to_bytes(make_artwork(80), quality=40), "path": None},
    ]
    columns = {
        "image": images,
        "artist": [0, 1, 2, 1, 2, 2, 1, 2],
        "genre": [0, 1, 2, 0, 0, 0, 0, 0],
        "style": [0, 0, 1, 0, 1, 1, 0, 1],
    }
    (root / "data").mkdir(parents=True)
    data = datasets.Dataset.from_dict(columns, features=features)
    data.to_parquet(root / "data" / "train-00000-of-00001.parquet")
    return root


def test_the_wikiart_spec_reads_the_features_of_the_data_set(tmp_path: Path) -> None:
    spec = load_spec("wikiart")
    local = spec.sources[0].model_copy(update={"repo": str(stream(tmp_path / "hub"))})
    spec = spec.model_copy(update={"sources": (local,)})
    steps = []
    summary = build(spec, tmp_path / "out", progress=lambda *step: steps.append(step))
    assert summary.labels == {
        # The picture without an artist takes it from its copy.
        "artist": {"vincent-van-gogh": 4, "claude-monet": 2},
        "style": {"Impressionism": 3, "Post Impressionism": 3},
        "genre": {"landscape": 4, "portrait": 1, "": 1},
    }
    assert [(each["path"], each["reason"]) for each in summary.dropped_pictures] == [
        ("train/0000006/broken.jpg", "undecodable"),
        ("train/0000007", "duplicate"),
    ]
    assert ("clean", 8, None) in steps


def test_a_stream_can_be_limited_and_filtered(tmp_path: Path) -> None:
    source = load_spec("wikiart").sources[0].model_copy(update={"repo": str(stream(tmp_path / "hub")), "limit": 5})
    values = {"name": "few", "sources": (source,), "where": {"genre": ("landscape",)}, "split": {"val": 1, "test": 0}}
    summary = build(DatasetSpec.model_validate(values), tmp_path / "out")
    assert summary.collected == 5 and summary.labels["genre"] == {"landscape": 3}


def test_load_dataset_reads_a_build(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    source = FolderSource(kind="folder", name="in", path=tmp_path / "in", layouts=("{artist}/*",))
    for number in range(8):
        (tmp_path / "in" / f"a{number % 2}").mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / f"a{number % 2}" / f"{number}.jpg").write_bytes(to_bytes(make_artwork(number)))
    values = {
        "name": "pairs",
        "sources": (source,),
        "split": {"val": 2, "test": 1},
        "output": {"gray": True},
    }
    build(DatasetSpec.model_validate(values), tmp_path / "out")
    read = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in read.items()} == {"train": 5, "validation": 2, "test": 1}
    first = read["validation"][0]
    assert first["artist"] in ("a0", "a1") and first["image"].size == (200, 160)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="pip install datasets"):
        list(collect(HuggingFaceSource(kind="huggingface", name="x", repo="a/b")))


def test_a_missing_column_lists_the_existing_ones(tmp_path: Path) -> None:
    root = stream(tmp_path)
    with pytest.raises(DataError, match=r"no column \['painter'\].*'artist'"):
        list(collect(HuggingFaceSource(kind="huggingface", name="x", repo=str(root), columns={"artist": "painter"})))
    (root / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="lacks the columns file_name"):
        list(collect(CsvSource(kind="csv", name="x", path=root, table=Path("t.csv"))))
    with pytest.raises(DataError, match=r"nowhere\.csv cannot be read"):
        list(collect(CsvSource(kind="csv", name="x", path=root, table=Path("nowhere.csv"))))


def test_a_layout_that_matches_nothing_is_an_error_with_an_example(tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(b"")
    source = FolderSource(kind="folder", name="x", path=tmp_path, layouts=("{artist}/*", "{style}/{artist}/*"))
    with pytest.raises(DataError, match=r"of 1 pictures.*none matches.*one\.jpg"):
        list(collect(source))
    with pytest.raises(DataError, match="there is no folder"):
        list(collect(source.model_copy(update={"path": tmp_path / "nowhere"})))


def test_the_first_matching_layout_is_used(tmp_path: Path) -> None:
    for name in ("big/Ann/1.jpg", "big/Ann/2.JPG", "small/Ann_1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    layouts = ("huge/{artist}/*", "big/{artist}/*", "small/{artist}_*")
    found = list(collect(FolderSource(kind="folder", name="x", path=tmp_path, layouts=layouts)))
    assert [picture.path for picture in found] == ["big/Ann/1.jpg", "big/Ann/2.JPG"]
    assert all(picture.labels["artist"] == "Ann" for picture in found)


@pytest.mark.parametrize(
    ("layout", "path", "labels"),
    [
        ("{style}/{artist}_*", "Pop_Art/Roy_L_12.jpg", {"style": "Pop_Art", "artist": "Roy_L"}),
        ("**/{genre}/*", "landscape/a.jpg", {"genre": "landscape"}),
        ("**/{genre}/*", "x/y/landscape/a.jpg", {"genre": "landscape"}),
        ("Images/**", "images/a/b.jpg", {}),
        ("{artist}/*", "a/b/c.jpg", None),
        ("a+b/*", "aab/c.jpg", None),
    ],
)
def test_layouts(layout: str, path: str, labels: dict[str, str] | None) -> None:
    match = compile_layout(layout).fullmatch(path)
    assert (match and match.groupdict()) == labels


@pytest.mark.parametrize(
    ("found", "tidy"),
    [
        ("Vincent_van__Gogh ", "Vincent van Gogh"),
        ("Albrecht_Du╠êrer", "Albrecht Dürer"),
        ("Albrecht_DuΓòá├¬rer", "Albrecht Dürer"),
        ("Albrecht Du\u0308rer", "Albrecht D\u00fcrer"),
        ("Илья Репин", "Илья Репин"),
        ("Éugene Delacroix", "Éugene Delacroix"),
        ("no┼way", "no┼way"),
    ],
)
def test_labels_are_cleaned(found: str, tidy: str) -> None:
    assert tidy_label(found) == tidy


def test_file_names_that_are_not_unicode_are_supported(tmp_path: Path) -> None:
    name = b"D\xfcrer_1.jpg".decode("utf-8", "surrogateescape")
    try:
        (tmp_path / name).write_bytes(to_bytes(make_artwork(1)))
    except OSError:
        pytest.skip("this file system supports Unicode names only")
    (tmp_path / "2.jpg").write_bytes(to_bytes(make_artwork(2)))
    values = {
        "name": "old",
        "sources": [{"kind": "folder", "name": "in", "path": tmp_path}],
        "split": {"val": 0, "test": 0},
    }
    summary = build(DatasetSpec.model_validate(values), tmp_path.parent / f"{tmp_path.name}-out")
    assert summary.kept == 2
