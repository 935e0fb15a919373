"""What is written strip by strip is what Pillow would write whole, and no copy of the picture is held beside it."""

import io
import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from artcolor.color import rows as strips
from artcolor.color.rows import LazyRows
from artcolor.errors import ImageError
from artcolor.images import Picture, Provenance, jpeg, open_file, open_picture, png, save_picture, tiff_write
from artcolor.images import write as writing
from artcolor.images.picture import at_depth
from artcolor.images.png import write_png
from tests.conftest import ROOT, make_painting

MINE = Provenance("cnn.art_v1")


@pytest.fixture
def _small_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of a few rows, so that a small picture has many."""
    monkeypatch.setattr(strips, "_STRIP_PIXELS", 300)
    monkeypatch.setattr(jpeg, "_STRIP_PIXELS", 300)
    monkeypatch.setattr(writing, "_LARGE", 100)
    monkeypatch.setattr(png, "_AT_ONCE", 0)


@pytest.mark.usefixtures("_small_strips")
@pytest.mark.parametrize("width", [1, 2, 47, 400])
@pytest.mark.parametrize("shape", [(), (3,)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("see_through", [False, True])
def test_png_of_every_shape(width: int, shape: tuple[int, ...], kind: type, see_through: bool) -> None:
    rng = np.random.default_rng(width)
    ramp = np.arange(21 * width).reshape(21, width, *[1] * len(shape)) * np.ones(shape)
    pixels = (ramp * np.iinfo(kind).max / (21 * width) + rng.integers(0, 3, (21, width, *shape))).astype(kind)
    alpha = rng.integers(0, np.iinfo(kind).max, (21, width), kind) if see_through else None
    buffer = io.BytesIO()
    write_png(buffer, pixels, alpha, 8 * np.dtype(kind).itemsize, {}, None)
    expected = np.dstack([pixels] if alpha is None else [pixels, alpha])
    assert np.array_equal(np.atleast_3d(imagecodecs.png_decode(buffer.getvalue())), expected)
    with Image.open(buffer) as image:
        image.load()
        assert image.size == (width, 21)


@pytest.mark.usefixtures("_small_strips")
@pytest.mark.parametrize("compression", ["raw", "packbits", "tiff_lzw", "zstd", "lzma", "tiff_adobe_deflate"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("see_through", [False, True])
def test_tiff_of_every_compression(
    compression: str, kind: type, see_through: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff_write, "_STRIP_BYTES", 3000)
    monkeypatch.setattr(tiff_write, "_AT_ONCE", 500)
    painting = np.asarray(make_painting(3, 47, 61))
    pixels = (
        painting if kind is np.uint8 else (painting / 255).astype(kind) if kind is np.float32 else painting * kind(257)
    )
    alpha = np.asarray(make_painting(4, 47, 61).convert("L")) if see_through else None
    rows = LazyRows(pixels.shape, pixels.dtype, lambda start, stop: pixels[start:stop])
    save_picture(Picture(rows, alpha, {"format": "TIFF", "compression": compression}), tmp_path / "a.tif")
    deep_or_not = painting if kind is np.uint8 else painting * np.uint16(257)
    expected = [deep_or_not] if alpha is None else [deep_or_not, at_depth(alpha, 8 * deep_or_not.itemsize)]
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert len(tiff.pages[0].dataoffsets) > 2
        assert np.array_equal(tiff.asarray(), np.dstack(expected))
    found = open_picture(tmp_path / "a.tif")
    assert found.info["compression"] == compression
    assert np.array_equal(found.pixels, deep_or_not)


def test_rows_of_lazy_rows() -> None:
    values = np.arange(28).reshape(7, 4)
    rows = LazyRows(values.shape, values.dtype, lambda start, stop: values[start:stop])
    for part in (slice(2, 5), slice(None), slice(-3, None), slice(5, 99), slice(4, 2), slice(0, 7, 3)):
        assert np.array_equal(rows[part], values[part])
    assert np.array_equal(np.asarray(rows), values)
    assert np.asarray(rows, np.float32).dtype == np.float32


@pytest.mark.usefixtures("_small_strips")
@pytest.mark.parametrize("at_once", [0, 200 * 150 * 3])
def test_png_is_as_small_as_that_of_pillow(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_AT_ONCE", at_once)
    painting = make_painting(4, 200, 150)
    own, theirs = io.BytesIO(), io.BytesIO()
    write_png(own, np.asarray(painting), None, 8, {}, None)
    painting.save(theirs, "PNG")
    assert len(own.getvalue()) < 1.1 * len(theirs.getvalue())
    with Image.open(own) as image:
        assert np.array_equal(np.asarray(image), np.asarray(painting))


@pytest.mark.usefixtures("_small_strips")
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("size", [(48, 64), (61, 83), (5, 97), (301, 9)])
def test_jpeg_in_strips_has_the_same_pixels(size: tuple[int, int], subsampling: int, tmp_path: Path) -> None:
    painting = make_painting(2, *size)
    info = {"format": "JPEG", "quality": 83, "subsampling": subsampling, "dpi": (300.0, 200.0), "comment": b"back"}
    save_picture(Picture(np.asarray(painting), None, info), tmp_path / "a.jpg", provenance=MINE)
    assert b"\xff\xdd\0\4" in (tmp_path / "a.jpg").read_bytes()
    painting.save(tmp_path / "b.jpg", quality=83, subsampling=subsampling)
    found, expected = open_picture(tmp_path / "a.jpg"), open_picture(tmp_path / "b.jpg")
    assert np.array_equal(found.pixels, expected.pixels)
    assert found.info.items() >= info.items()
    assert b"algorithmicallyEnhanced" in found.info["xmp"]
    # Another decoder, which complains about markers that are out of order.
    assert np.array_equal(imagecodecs.jpeg8_decode((tmp_path / "a.jpg").read_bytes()), expected.pixels)


@pytest.mark.usefixtures("_small_strips")
def test_a_progressive_jpeg_stays_one(tmp_path: Path) -> None:
    info = {"format": "JPEG", "progressive": True, "quality": 90, "subsampling": 0}
    save_picture(Picture(np.asarray(make_painting(2)), None, info), tmp_path / "a.jpg")
    assert open_picture(tmp_path / "a.jpg").info["progressive"]


@pytest.mark.usefixtures("_small_strips")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".ppm", ".tif"])
def test_deep_pixels_are_rounded_strip_by_strip(suffix: str, tmp_path: Path) -> None:
    deep = np.asarray(make_painting(2)).astype(np.uint16) * np.uint16(257)
    save_picture(Picture(deep), tmp_path / f"a{suffix}", depth=8)
    save_picture(Picture((deep >> 8).astype(np.uint8)), tmp_path / f"b{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".gif", ".bmp", ".ppm", ".avif", ".jp2"])
def test_a_file_is_read_as_often_as_one_likes(suffix: str, tmp_path: Path) -> None:
    make_painting(2, 30, 20).convert("L" if suffix == ".gif" else "RGB").save(tmp_path / f"a{suffix}")
    with open_file(tmp_path / f"a{suffix}") as file:
        first, second = (next(iter(file)) for _ in range(2))
        third = list(file)
    assert len(third) == 1
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.pixels, third[0].pixels)
    assert first.info == second.info == third[0].info
    assert np.ptp(first.pixels) > 50


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp", ".ppm", ".avif", ".jp2"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_more_pixels_than_pillow_allows(
    suffix: str, orientation: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = make_painting(2, 30, 20).convert("L")
    image.save(tmp_path / f"a{suffix}", exif=exif, **({"compression": "tiff_lzw"} if suffix == ".tif" else {}))
    expected = open_picture(tmp_path / f"a{suffix}")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    found = open_picture(tmp_path / f"a{suffix}", max_pixels=600)
    assert np.array_equal(found.pixels, expected.pixels)
    with pytest.raises(ImageError, match="too large"):
        open_picture(tmp_path / f"a{suffix}")


def test_pages_are_read_as_often_as_one_likes(tmp_path: Path) -> None:
    pages = [make_painting(number, 30, 20).convert("L") for number in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with open_file(tmp_path / "a.tif") as file:
        one, other = iter(file), iter(file)
        for page in pages:
            assert np.array_equal(next(one).pixels, np.asarray(page))
            assert np.array_equal(next(other).pixels, np.asarray(page))
        assert np.array_equal(next(iter(file)).pixels, np.asarray(pages[0]))
        assert np.array_equal(next(iter(file)).pixels, np.asarray(pages[0]))


def test_a_page_beside_its_thumbnail_is_the_page(tmp_path: Path) -> None:
    gray = np.asarray(make_painting(2, 40, 30).convert("L"))
    for name, pages in (("a.tif", (gray, gray[::4, ::4])), ("b.tif", (gray[::4, ::4], gray))):
        with tifffile.TiffWriter(tmp_path / name) as tiff:
            for page in pages:
                tiff.write(page, photometric="minisblack", subfiletype=int(len(page) < 30))
        for _ in range(2):
            assert np.array_equal(open_picture(tmp_path / name).pixels, gray)


def test_frames_that_are_not_there_take_no_memory(tmp_path: Path) -> None:
    frames = [make_painting(number, 12, 10) for number in range(2)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    data = bytearray((tmp_path / "a.png").read_bytes())
    place = data.index(b"acTL")
    chunk = b"acTL" + (1 << 30).to_bytes(4, "big") + data[place + 8 : place + 12]
    data[place : place + 16] = chunk + imagecodecs.zlib_crc32(chunk).to_bytes(4, "big")
    with open_file(data) as file, pytest.raises(ImageError, match="the bytes given cannot be read"):
        for picture in file:
            assert picture.pixels.shape == (10, 12, 3)


def test_memory_stays_near_that_of_the_pixels() -> None:
    command = [sys.executable, ROOT / "benchmarks" / "memory.py", "--megapixels", "40", "--cases", "gray JPEG"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    name, _, _, _, ratio, _, kept, _ = (cell.strip() for cell in done.stdout.splitlines()[-1].split("|")[1:-1])
    assert (name, kept) == ("gray JPEG", "yes")
    # Gray is a byte a pixel; some strips come on top. A copy in color would be three more.
    assert 1 < float(ratio) < 3
