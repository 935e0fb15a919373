import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch.utils.data import DataLoader

from artcolor.color.lab import lab_to_rgb, rgb_to_lab
from artcolor.data.dataset import ArtDataset, Augmentation, Sample, list_pictures
from artcolor.data.stream import SampleStream
from artcolor.errors import DataError
from artcolor.images import open_rgb
from tests.conftest import make_painting
from tests.data.paintings import ADOBE_GREEN, adobe_green, hidden_red


def test_splits_of_metadata(art: Path) -> None:
    assert len(list_pictures(art, "train")) == 24
    assert len(list_pictures(art, "val")) == 6
    assert len(list_pictures(art)) == 30
    with pytest.raises(DataError, match="no pictures of split 'test'"):
        list_pictures(art, "test")
    with pytest.raises(DataError, match="no folder"):
        list_pictures(art / "missing")


def test_plain_folders(tmp_path: Path) -> None:
    for number in range(60):
        folder = tmp_path / f"artist{number % 3}"
        folder.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / f"{number}.png")
    parts = [list_pictures(tmp_path, split) for split in ("train", "val", "test")]
    assert sum(map(len, parts)) == 60 == len(set().union(*parts))
    assert len(parts[0]) > 40
    (tmp_path / "train").mkdir()
    make_painting(0).save(tmp_path / "train" / "one.png")
    assert [p.name for p in list_pictures(tmp_path, "train")] == ["one.png"]
    with pytest.raises(DataError, match="split 'val'"):
        list_pictures(tmp_path, "val")


def test_metadata_without_required_columns(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="lacks the columns file_name, split"):
        list_pictures(tmp_path)


def test_integer_keys_return_whole_pictures(art: Path) -> None:
    data = ArtDataset(art, "val")
    light, ab = data[2]
    rgb = torch.from_numpy(np.array(Image.open(data.paths[2]))).permute(2, 0, 1).float() / 255
    torch.testing.assert_close(torch.cat((light, ab)), rgb_to_lab(rgb), atol=1e-3, rtol=0)


def test_color_profiles_are_honored_as_by_images(tmp_path: Path) -> None:
    file = tmp_path / "green.png"
    file.write_bytes(adobe_green())
    data = ArtDataset(tmp_path, None, cache=tmp_path / "cache")
    pixels = data.pictures[0]
    assert np.abs(pixels.astype(int) - ADOBE_GREEN).max() <= 1
    np.testing.assert_array_equal(pixels, open_rgb(file))
    rgb = 255 * lab_to_rgb(torch.cat(data[0]))
    assert (rgb - torch.tensor(ADOBE_GREEN).reshape(3, 1, 1)).abs().max() <= 1.01


def test_a_16_bit_ramp_stays_a_ramp(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16)
    tifffile.imwrite(tmp_path / "ramp.tif", np.tile(ramp, (64, 1)), photometric="minisblack")
    data = ArtDataset(tmp_path, None, cache=tmp_path / "cache")
    assert np.abs(data.pictures[0].astype(int) - np.arange(256)[:, None]).max() <= 1
    lightness, ab = data[0]
    gray = torch.arange(256).expand(3, 1, 256) / 255
    torch.testing.assert_close(lightness[:, :1], rgb_to_lab(gray)[:1], atol=0.5, rtol=0)
    assert (lightness[0, 0].diff() > 0).all()
    assert ab.abs().max() < 0.1


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(hidden_red(32))
    lightness, ab = ArtDataset(tmp_path, None, cache=tmp_path / "cache")[0]
    torch.testing.assert_close(lightness[..., :16], torch.full((1, 32, 16), 100.0), atol=0.05, rtol=0)
    assert ab[..., :16].abs().max() < 0.1
    assert ab[0, :, 16:].min() > 70


def test_pictures_are_cached_by_content(art: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(art, copy)
    cache = tmp_path / "cache"
    first = ArtDataset(copy, "val", cache=cache).pictures.path
    assert ArtDataset(copy, "val", cache=cache).pictures.path == first
    assert ArtDataset(copy, "val", side=32, cache=cache).pictures.path != first
    make_painting(99).save(copy / "val" / "024.png")
    changed = ArtDataset(copy, "val", cache=cache)
    assert changed.pictures.path != first
    assert changed.pictures[0].shape == (80, 96, 3)
    assert min(ArtDataset(copy, "val", side=32, cache=cache).pictures[1].shape[:2]) == 32


def test_two_processes_at_once(art: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from artcolor.data.dataset import ArtDataset; from pathlib import Path\n"
        "d = ArtDataset(sys.argv[1], 'train', cache=Path(sys.argv[2])); print(sum(int(p.sum()) for p in d.pictures))"
    )
    command = [sys.executable, "-c", code, str(art), str(tmp_path / "cache")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sums = [process.communicate()[0] for process in running]
    assert all(process.returncode == 0 for process in running)
    assert sums[0] == sums[1] != ""
    assert len(os.listdir(tmp_path / "cache" / "pictures")) == 1


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    make_painting(1).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes((tmp_path / "good.png").read_bytes()[:300])
    with pytest.raises(DataError, match=r"bad\.png cannot be read.*dataset build"):
        ArtDataset(tmp_path, None, cache=tmp_path / "cache")
    assert [p for p in (tmp_path / "cache" / "pictures").iterdir()] == []


def test_samples_are_a_function_of_seed_epoch_and_index(art: Path) -> None:
    data = ArtDataset(art, "train", seed=1)
    again = ArtDataset(art, "train", seed=1)
    light, ab = data[Sample(3, 2, 48)]
    assert light.shape == (1, 48, 48)
    assert ab.shape == (2, 48, 48)
    assert torch.equal(again[Sample(3, 2, 48)][0], light)
    for other in (data[Sample(3, 3, 48)], data[Sample(4, 2, 48)], ArtDataset(art, "train", seed=2)[Sample(3, 2, 48)]):
        assert not torch.equal(other[0], light)


def test_flip_crop_and_jitter(art: Path) -> None:
    plain = ArtDataset(art, "train", augmentation=Augmentation(crop=1, flip=False, lightness=0))
    # Full crops of square pictures have no offset, so only mirroring can differ.
    flipped = ArtDataset(art, "train", augmentation=Augmentation(crop=1, flip=True, lightness=0))
    square = next(i for i, p in enumerate(plain.paths) if Image.open(p).size[0] == 65)
    seen = set()
    for epoch in range(12):
        one, other = plain[Sample(square, epoch, 64)][0], flipped[Sample(square, epoch, 64)][0]
        mirrored = torch.allclose(one.flip(-1), other, atol=3)
        assert mirrored != torch.allclose(one, other, atol=3)
        seen.add(mirrored)
    assert seen == {True, False}
    jittered = ArtDataset(art, "train", augmentation=Augmentation(crop=1, flip=False, lightness=0.5))
    a, b = plain[Sample(0, 0, 32)], jittered[Sample(0, 0, 32)]
    assert torch.equal(a[1], b[1]), "chroma stays"
    assert (a[0] - b[0]).abs().mean() > 1


def test_validation_takes_the_central_crop(art: Path) -> None:
    data = ArtDataset(art, "val", augmentation=None)
    light, ab = data[Sample(1, 0, 64)]
    width, height = Image.open(data.paths[1]).size
    left = (width - height) / 2
    crop = Image.open(data.paths[1]).resize((64, 64), Image.Resampling.BICUBIC, box=(left, 0, left + height, height))
    rgb = lab_to_rgb(torch.cat((light, ab)))
    expected = torch.from_numpy(np.array(crop)).permute(2, 0, 1) / 255
    torch.testing.assert_close(rgb, expected, atol=1e-3, rtol=0)


def _stream(**keywords: object) -> list[list[Sample]]:
    options = {"seed": 3, "start": 0, "stop": 9, "size_at": lambda step: 32 + step}
    return list(SampleStream(10, 4, **{**options, **keywords}))  # type: ignore[arg-type]


def test_the_stream_covers_all_pictures_and_starts_at_any_step() -> None:
    whole = _stream()
    flat = [sample for batch in whole for sample in batch]
    for epoch in range(3):
        assert sorted(s.index for s in flat if s.epoch == epoch) == list(range(10))
    assert [s.index for s in flat[:10]] != [s.index for s in flat[10:20]]
    assert _stream(start=5) == whole[5:]
    assert [batch[0].size for batch in whole] == list(range(32, 41))


def test_processes_and_accumulation_share_the_same_batches() -> None:
    whole = [sample for batch in _stream() for sample in batch]
    halves = [_stream(parts=2, rank=rank, world=2) for rank in (0, 1)]
    assert [s for a, b in zip(*halves, strict=True) for s in (*a, *b)] == whole
    assert [s for batch in _stream(parts=4) for s in batch] == whole


def test_balanced_sampling_gives_each_label_an_equal_share(art: Path) -> None:
    labels = ["rare"] * 2 + ["common"] * 18
    stream = SampleStream(20, 10, seed=0, start=0, stop=100, size_at=lambda step: 8, labels=labels)
    drawn = [labels[sample.index] for batch in stream for sample in batch]
    assert 0.45 < drawn.count("rare") / len(drawn) < 0.55
    assert ArtDataset(art, "train").labels("artist") == ["nobody"] * 24
    with pytest.raises(DataError, match="lacks the columns style"):
        ArtDataset(art, "train").labels("style")


def test_hugging_face_data_sets(art: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    rows = datasets.load_dataset("imagefolder", data_dir=str(art / "val"), split="train", cache_dir=str(tmp_path))
    data = ArtDataset(rows)
    assert len(data) == 6
    assert torch.equal(data[0][0], ArtDataset(art, "val")[0][0])
    assert data[Sample(1, 0, 32)][1].shape == (2, 32, 32)
    with pytest.raises(DataError, match="one column of images"):
        ArtDataset(datasets.Dataset.from_dict({"text": ["a"]}))


def test_with_a_loader(art: Path) -> None:
    data = ArtDataset(art, "train")
    stream = SampleStream(len(data), 8, seed=0, start=0, stop=2, size_at=lambda step: 32)
    for workers in (0, 2):
        batches = list(DataLoader(data, batch_sampler=stream, num_workers=workers))  # type: ignore[arg-type]
        assert [tuple(b[0].shape) for b in batches] == [(8, 1, 32, 32)] * 2


@pytest.mark.parametrize(
    ("encoding", "separator"), [("utf-8-sig", ","), ("utf-8", ";"), ("utf-16", "\t"), ("cp1252", ";"), ("utf-8", "\t")]
)
def test_tables_as_spreadsheets_save_them(
    encoding: str, separator: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = "Dürer.png"
    make_painting(1).save(tmp_path / name)
    rows = [("file_name", " split", "artist"), (name, "Train ", "Dürer")]
    text = "\n".join(separator.join(row) for row in rows)
    (tmp_path / "metadata.csv").write_text(text, encoding=encoding)
    data = ArtDataset(tmp_path, "train")
    assert len(data) == 1
    assert data.labels("artist") == ["Dürer"]
    assert ("Windows-1252" in caplog.text) == (encoding == "cp1252")


def test_tables_that_lack_a_column_name_it(tmp_path: Path) -> None:
    make_painting(1).save(tmp_path / "a.png")
    (tmp_path / "metadata.csv").write_text("file;split\na.png;train\n")
    with pytest.raises(DataError, match="lacks the columns file_name; its columns are file, split"):
        ArtDataset(tmp_path, "train")


@pytest.mark.parametrize("name", ["train", "Train", "TRAIN"])
def test_split_folders_in_any_case(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    make_painting(1).save(tmp_path / name / "a.JFIF", "JPEG")
    assert len(ArtDataset(tmp_path, "train")) == 1
    with pytest.raises(DataError, match="no pictures of split 'val'"):
        ArtDataset(tmp_path, "val")


def test_folders_are_walked_as_for_colorizing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for folder in (".ipynb_checkpoints", "@eaDir", "__MACOSX", "sub"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        make_painting(1).save(tmp_path / "in" / folder / "a.png")
    (tmp_path / "elsewhere").mkdir()
    make_painting(2).save(tmp_path / "elsewhere" / "b.png")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "sub" / "back").symlink_to(tmp_path / "in")
    make_painting(3).save(tmp_path / "in" / "picture.dat", "PNG")
    (tmp_path / "in" / "c.dng").write_bytes(b"II*\0")
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    found = [str(path.relative_to(tmp_path / "in")) for path in list_pictures(tmp_path / "in")]
    assert found == ["link/b.png", "picture.dat", "sub/a.png"]
    assert "c.dng" in caplog.text


def test_a_cache_that_cannot_be_written_is_named(art: Path) -> None:
    with pytest.raises(DataError, match=r"the cache /proc/nowhere/pictures cannot be written.*ARTCOLOR_CACHE"):
        ArtDataset(art, "train", cache=Path("/proc/nowhere"))
