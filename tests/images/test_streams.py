"""A picture comes from a path, from bytes, or from an open file, and is the same each time."""

import gzip
import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from artcolor.errors import ImageError
from artcolor.images import (
    Picture,
    Provenance,
    is_source,
    open_file,
    open_picture,
    read_provenance,
    save_picture,
)
from tests.conftest import make_painting

pillow_heif = pytest.importorskip("pillow_heif")
pytest.importorskip("imagecodecs")

MINE = Provenance("cnn.art_v1", "ab" * 32, {"size": 192})


class Stream:
    """A download: it can be read once, from front to back."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


class Unseekable(io.BytesIO):
    """A pipe, which has `seek` but refuses it."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation("seek")


def moved(data: bytes) -> io.BytesIO:
    file = io.BytesIO(data)
    file.seek(5)
    return file


SOURCES: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "BytesIO": io.BytesIO,
    "BytesIO that was read from": moved,
    "gzip": lambda data: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(data))),
    "stream": Stream,
    "unseekable": Unseekable,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file of each format, those that say so with where their colors come from."""
    folder = tmp_path_factory.mktemp("sources")
    found = {}
    for suffix in (".jpg", ".png", ".webp", ".tif", ".bmp", ".ppm", ".avif", ".jp2", ".heic"):
        found[suffix] = folder / f"a{suffix}"
        save_picture(make_painting(3, 40, 30), found[suffix], provenance=MINE)
    found[".gif"] = folder / "a.gif"
    make_painting(3, 40, 30).save(found[".gif"])
    deep = np.random.default_rng(0).integers(0, 65536, (30, 40, 3), np.uint16)
    for suffix in (".png", ".tif", ".ppm"):
        found[f"16{suffix}"] = folder / f"16{suffix}"
        save_picture(Picture(deep), found[f"16{suffix}"], provenance=MINE)
    return found


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_of_every_format_is_the_same_picture(kind: str, files: dict[str, Path]) -> None:
    for path in files.values():
        expected = open_picture(path)
        found = open_picture(SOURCES[kind](path.read_bytes()))
        assert np.array_equal(found.pixels, expected.pixels), path
        assert found.info == expected.info
        assert read_provenance(SOURCES[kind](path.read_bytes())) == read_provenance(path)


def test_open_files_stay_open_and_name_themselves(files: dict[str, Path], tmp_path: Path) -> None:
    with files[".png"].open("rb") as file:
        assert open_picture(file).pixels.shape == (30, 40, 3)
        assert open_picture(file).pixels.shape == (30, 40, 3)
        assert not file.closed
        with open_file(file) as opened:
            assert opened.name == str(files[".png"])
    with tempfile.TemporaryFile() as unnamed:
        unnamed.write(files[".tif"].read_bytes())
        with open_file(unnamed) as opened:
            assert (opened.name, opened.format) == ("the file given", "TIFF")
    with os.fdopen(os.open(files[".jpg"], os.O_RDONLY), "rb", buffering=0) as raw, open_file(raw) as opened:
        assert [picture.pixels.shape for picture in opened] == [(30, 40, 3)]


def test_pages_come_from_memory_too() -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, bigtiff=True) as tiff:
        for bits in (8, 16):
            tiff.write(np.full((9, 7, 3), 7, f"u{bits // 8}"), photometric="rgb")
    with open_file(buffer.getbuffer()) as file:
        assert file.frames == 2
        assert [page.pixels.dtype for page in file] == [np.uint8, np.uint16]
        assert [page.pixels.dtype for page in file] == [np.uint8, np.uint16]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "^the bytes given are empty$"),
        (b"hello, this is no picture", "^the bytes given are not a picture"),
        (memoryview(b"\x89PNG\r\n\x1a\n"), "^the bytes given cannot be read"),
        (io.BytesIO(), "^the file given is empty$"),
        (Stream(b""), "^the file given is empty$"),
        (io.StringIO("text"), 'the file given is open as text; open it as binary: open.path, "rb"'),
        (7, "cannot read a picture from a int; give a path, bytes or a binary file"),
        ([b"", b""], "cannot read a picture from a list"),
        (np.zeros((5, 5), np.uint8), "cannot read a picture from a ndarray"),
    ],
)
def test_what_is_no_source_is_said(source: Any, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        open_picture(source)


def test_files_that_cannot_be_read_are_named(files: dict[str, Path], tmp_path: Path) -> None:
    path = files[".png"]
    with path.open(encoding="latin-1") as text, pytest.raises(ImageError, match=r"a\.png is open as text"):
        open_picture(text)
    with path.open("rb") as closed:
        pass
    with pytest.raises(ImageError, match=r"a\.png cannot be read: .*closed"):
        open_picture(closed)
    with (tmp_path / "b.png").open("wb") as writing, pytest.raises(ImageError, match=r"b\.png cannot be read: .*read"):
        open_picture(writing)
    with pytest.raises(
        ImageError, match="the bytes given are too large: 40 × 30 are 1200 pixels, and the limit is 1199"
    ):
        open_picture(path.read_bytes(), max_pixels=1199)


def test_pictures_are_no_sources() -> None:
    pictures = (Image.new("L", (2, 2)), np.zeros((2, 2)), None, 3.0, ["a.png"])
    assert [is_source(each) for each in pictures] == [False] * 5
    assert all(is_source(each) for each in ("a.png", Path("a.png"), b"", bytearray(), memoryview(b""), io.BytesIO()))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no files without a name")
def test_a_kill_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, painting: Image.Image) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    class Target(io.BytesIO):
        def write(self, data, /) -> int:
            assert not list((tmp_path / "temporary").iterdir())
            return super().write(data)

    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "1888:08:01 12:00:00"
    painting.info["exif"] = exif.tobytes()
    for suffix in (".tif", ".png", ".jpg", ".webp", ".jp2"):
        save_picture(painting, target := Target(), format=suffix)
        save_picture(painting, path := tmp_path / f"a{suffix}")
        assert target.getvalue() == path.read_bytes(), suffix
