"""Every mode in every format that holds it, through the public functions; pages, frames, 16 bits, limits, damage."""

import os
import struct
import threading
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import torch
from PIL import Image, ImageOps

import artcolor
from artcolor.batch.plan import Job
from artcolor.batch.run import run_job
from artcolor.color.lab import rgb_to_lightness
from artcolor.errors import ImageError
from artcolor.images import (
    FORMATS,
    Picture,
    check_target,
    open_file,
    open_picture,
    output_suffix,
    read_provenance,
    save_picture,
    save_pictures,
)
from tests.conftest import make_painting

pillow_heif = pytest.importorskip("pillow_heif")
imagecodecs = pytest.importorskip("imagecodecs")

WIDTH, HEIGHT = 26, 20
HOLDS = {
    ".jpg": "L RGB CMYK YCbCr",
    ".png": "1 L LA P RGB RGBA I;16",
    ".webp": "L RGB RGBA",
    ".tif": "1 L LA P PA RGB RGBA CMYK YCbCr LAB I I;16 I;16B F",
    ".gif": "1 L P RGB RGBA",
    ".bmp": "1 L P RGB",
    ".ppm": "L RGB",
    ".pgm": "L I;16",
    ".pbm": "1",
    ".avif": "L LA RGB RGBA",
    ".jp2": "L LA RGB RGBA I;16",
    ".heic": "L LA RGB RGBA I;16",
}
LOSSY = {".jpg", ".webp", ".avif", ".heic"}


def small(mode: str) -> Image.Image:
    painting = make_painting(3, WIDTH, HEIGHT)
    gray = np.asarray(painting.convert("L"))
    deep = gray.astype(np.uint16) * 257 + np.arange(WIDTH, dtype=np.uint16)
    if mode == "I;16":
        return Image.fromarray(deep.clip(0, 65535))
    if mode == "I;16B":
        return Image.frombytes("I;16B", (WIDTH, HEIGHT), deep.astype(">u2").tobytes())
    if mode == "I":
        return Image.fromarray(deep.astype(np.int32))
    if mode == "F":
        return Image.fromarray((gray / 255).astype(np.float32))
    if mode in ("LA", "RGBA", "PA"):
        ramp = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
        painting.putalpha(Image.fromarray(ramp))
        return painting.convert(mode) if mode != "PA" else painting.convert("RGB").convert("P").convert("PA")
    return painting.convert(mode) if mode != "LAB" else Image.merge("LAB", painting.convert("YCbCr").split())


def write(image: Image.Image, path: Path) -> None:
    if path.suffix == ".heic":
        pillow_heif.from_pillow(image).save(path, quality=95)
    else:
        image.save(path)


def lightness(picture: Picture) -> npt.NDArray[np.float64]:
    values = torch.from_numpy(picture.pixels.astype(np.float64))
    values = values / (1 if picture.pixels.dtype.kind == "f" else np.iinfo(picture.pixels.dtype).max)
    values = values.expand(3, -1, -1) if values.ndim == 2 else values.permute(2, 0, 1)
    return rgb_to_lightness(values[None])[0, 0].numpy() / 100


@pytest.mark.parametrize(
    ("suffix", "mode"), [(suffix, mode) for suffix, modes in HOLDS.items() for mode in modes.split()]
)
def test_every_mode_in_every_format(suffix: str, mode: str, tmp_path: Path) -> None:
    source = tmp_path / f"in{suffix}"
    write(small(mode), source)
    target = tmp_path / f"out{output_suffix(suffix)}"
    colorizer = artcolor.Colorizer(size=32)
    run_job(colorizer, Job(source, target))
    before, after = open_picture(source), open_picture(target)
    assert after.pixels.shape == (HEIGHT, WIDTH, 3)
    # Black and white leave no room for color.
    assert mode == "1" or np.ptp(after.pixels.astype(float), axis=-1).max() > 0
    image = artcolor.colorize(source, size=32)
    assert image.size == (WIDTH, HEIGHT)
    assert image.has_transparency_data == (before.alpha is not None)
    shown = Picture(np.asarray(image.convert("RGB")))
    assert np.abs(lightness(shown) - lightness(before)).max() <= 1 / 255
    error = np.abs(lightness(after) - lightness(before))
    if suffix in LOSSY:
        assert error.mean() < 0.04
    else:
        deep = before.pixels.dtype != np.uint8 and FORMATS[after.info["format"]].deep
        assert after.pixels.dtype == (np.uint16 if deep else np.uint8)
        assert error.max() <= (2 / 65535 if deep else 1 / 255)
        if before.alpha is not None:
            assert after.alpha is not None
            assert np.array_equal(after.alpha, before.alpha)
    assert after.transparent == before.transparent
    written = FORMATS[after.info["format"]]
    assert ("icc_profile" in after.info) == (written.profile and written.name != "JPEG2000")
    assert read_provenance(target) == (colorizer.provenance if written.xmp else None)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, target.name])


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_sixteen_bits_of_color_and_alpha(suffix: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rgb, alpha = rng.integers(0, 65536, (7, 9, 3), np.uint16), rng.integers(0, 65536, (7, 9), np.uint16)
    given = Picture(rgb, None if suffix == ".ppm" else alpha, {"dpi": (300.0, 150.0)})
    save_picture(given, tmp_path / f"a{suffix}")
    back = open_picture(tmp_path / f"a{suffix}")
    assert np.array_equal(back.pixels, rgb)
    assert back.alpha is None if suffix == ".ppm" else np.array_equal(back.alpha, alpha)
    save_picture(given, tmp_path / f"b{suffix}", depth=8)
    eight = open_picture(tmp_path / f"b{suffix}").pixels
    assert eight.dtype == np.uint8
    assert np.abs(eight * 257.0 - rgb).max() <= 129
    save_picture(Picture(eight), tmp_path / f"c{suffix}", depth=16)
    third = open_picture(tmp_path / f"c{suffix}")
    assert np.array_equal(third.pixels, eight * np.uint16(257))
    assert "dpi" not in third.info


def test_deep_pixels_in_a_shallow_format_are_rounded_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rgb = np.random.default_rng(0).integers(0, 65536, (5, 6, 3), np.uint16)
    save_picture(Picture(rgb), tmp_path / "a.jpg")
    assert "JPEG cannot hold more" in caplog.text
    with pytest.raises(ImageError, match="JPEG cannot be written with 16 bits"):
        save_picture(Picture(rgb), tmp_path / "b.jpg", depth=16)
    caplog.clear()
    for name in ("a.png", "a.tif", "a.ppm"):
        save_picture(Picture(rgb), tmp_path / name)
        assert open_picture(tmp_path / name).pixels.dtype == np.uint16
    assert not caplog.records
    first = (tmp_path / "a.png").read_bytes()
    save_picture(Picture(rgb), tmp_path / "b.png")
    assert first == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_deep_gray_tiff_of_all_kinds(bits: int, photometric: str, tmp_path: Path) -> None:
    values = np.linspace(0, 65535, WIDTH * HEIGHT).astype(np.uint16).reshape(HEIGHT, WIDTH)
    stored = 65535 - values if photometric == "miniswhite" else values
    if bits == 12:
        stored = stored & 0xFFF0
        tifffile.imwrite(tmp_path / "a.tif", stored >> 4, photometric=photometric, bitspersample=12)
    else:
        tifffile.imwrite(tmp_path / "a.tif", stored, photometric=photometric)
    pixels = open_picture(tmp_path / "a.tif").pixels
    assert np.abs(pixels.astype(int) - values).max() <= (16 if bits == 12 else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_every_orientation(orientation: int, suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = small("L")
    image.save(tmp_path / f"a{suffix}", exif=exif, dpi=(300, 200))
    with Image.open(tmp_path / f"a{suffix}") as stored:
        content = Image.fromarray(np.asarray(small("L"))) if suffix != ".jpg" else Image.fromarray(np.asarray(stored))
    content.getexif()[0x0112] = orientation
    expected = ImageOps.exif_transpose(content)
    picture = open_picture(tmp_path / f"a{suffix}")
    assert np.array_equal(picture.pixels, np.asarray(expected))
    assert picture.info["dpi"] == pytest.approx((200, 300) if orientation > 4 else (300, 200), abs=0.1)


def test_all_pages_of_a_tiff_but_not_its_thumbnails(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "in.tif", bigtiff=True) as tiff:
        for seed, size in ((1, (20, 30)), (2, (33, 21))):
            gray = np.asarray(make_painting(seed, *size).convert("L"))
            tiff.write(gray, photometric="minisblack", compression="lzw", description=f"page {seed}", metadata=None)
            tiff.write(gray[::4, ::4], photometric="minisblack", subfiletype=1)
    with open_file(tmp_path / "in.tif") as file:
        assert (file.frames, file.animated) == (2, False)
    run_job(artcolor.Colorizer(size=32), Job(tmp_path / "in.tif", tmp_path / "out.tif"))
    assert (tmp_path / "out.tif").read_bytes()[2] == 43
    with open_file(tmp_path / "out.tif") as file:
        pages = list(file)
    assert [page.pixels.shape for page in pages] == [(30, 20, 3), (21, 33, 3)]
    assert all(page.info["compression"] == "tiff_lzw" for page in pages)
    with Image.open(tmp_path / "out.tif") as image:
        image.seek(1)
        assert image.getexif()[270] == "page 2"
    with pytest.raises(ImageError, match="2 pages"):
        artcolor.colorize(tmp_path / "in.tif")
    with pytest.raises(ImageError, match="holds one picture"):
        save_pictures(pages, tmp_path / "out.jpg")


def test_pages_keep_what_each_says(tmp_path: Path) -> None:
    pages = [Picture(np.asarray(small("RGB")), None, {"format": "TIFF", "compression": "packbits"}) for _ in range(3)]
    for number, page in enumerate(pages):
        exif = Image.Exif()
        exif[270] = f"page {number}"
        exif.get_ifd(0x8769)[0x9003] = "2020:02:03 04:05:06"
        page.info["exif"] = exif.tobytes()
    save_pictures(iter(pages), tmp_path / "a.tif", provenance=artcolor.Colorizer().provenance)
    with Image.open(tmp_path / "a.tif") as image:
        for number in range(3):
            image.seek(number)
            assert image.getexif()[270] == f"page {number}"
            assert image.info["compression"] == "packbits"
            assert 0x9003 in image.getexif().get_ifd(0x8769)
            assert b"algorithmicallyEnhanced" in image.info["xmp"]
    with pytest.raises(ImageError, match="no picture to write"):
        save_pictures([], tmp_path / "b.tif")


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".avif"])
def test_animations_keep_time_and_do_not_flicker(suffix: str, tmp_path: Path) -> None:
    frames = []
    for step in range(4):
        frame = make_painting(5, 64, 48).convert("L")
        frame.paste(255 - 40 * step, (50, 30 + step * 3, 60, 36 + step * 3))
        frames.append(frame.convert("RGB") if suffix == ".avif" else frame)
    durations = [100, 200, 300, 400]
    kind = {"lossless": True} if suffix == ".webp" else {"quality": 100} if suffix == ".avif" else {}
    frames[0].save(
        tmp_path / f"in{suffix}", save_all=True, append_images=frames[1:], duration=durations, loop=0, **kind
    )
    target = tmp_path / f"out{output_suffix(suffix)}"
    run_job(artcolor.Colorizer(size=64), Job(tmp_path / f"in{suffix}", target))
    with open_file(target) as file:
        assert (file.frames, file.animated) == (4, True)
        found = list(file)
    assert [frame.info["duration"] for frame in found] == durations
    assert {frame.info["loop"] for frame in found} == {0}
    still = np.stack([frame.pixels[:20, :30].astype(int) for frame in found])
    assert np.ptp(still, axis=0).max() <= (12 if suffix == ".avif" else 1)
    moving = np.stack([frame.pixels[30:46, 50:60].astype(int) for frame in found])
    assert np.ptp(moving, axis=0).max() > 20


@pytest.mark.parametrize(
    ("name", "size", "keywords", "message"),
    [
        ("a.webp", (16384, 1), {}, "WEBP holds at most 16383 pixels a side, not 16384; use"),
        ("a.jpg", (1, 65501), {}, "JPEG holds at most 65500"),
        ("a.heic", (20000, 1), {}, "HEIF holds at most"),
        ("a.jpg", (5, 5), {"alpha": True}, "JPEG cannot hold transparency"),
        ("a.gif", (5, 5), {}, r"\.gif cannot hold a coloring; use \.png"),
        ("a.pgm", (5, 5), {}, r"use \.ppm"),
        ("a.bmp", (5, 5), {"frames": 2}, "BMP holds one picture, not 2"),
        ("a", (5, 5), {}, "the name has no suffix"),
        ("a.png", (5, 5), {"format": "nope"}, "nope is not a format"),
    ],
)
def test_limits_are_told_before_the_work(name: str, size: tuple[int, int], keywords: dict, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        check_target(name, *size, **keywords)
    assert check_target("a.png", 100_000, 1, alpha=True, frames=3).name == "PNG"


def test_a_job_that_cannot_be_written_is_not_begun(tmp_path: Path) -> None:
    Image.new("L", (16400, 1)).save(tmp_path / "in.png")
    small("LA").save(tmp_path / "alpha.png")
    with pytest.raises(ImageError, match="WEBP holds at most"):
        run_job(artcolor.Colorizer(), Job(tmp_path / "in.png", tmp_path / "out.webp"))
    with pytest.raises(ImageError, match="JPEG cannot hold transparency"):
        run_job(artcolor.Colorizer(), Job(tmp_path / "alpha.png", tmp_path / "out.jpg"))
    assert not list(tmp_path.glob("*out*"))


def test_the_bomb_guard_is_raised_for_one_call_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (200, 150)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    with pytest.raises(ImageError, match="200 × 150 are 30000 pixels, and the limit is 20000; .*max_pixels"):
        open_picture(path)
    seen = []
    with open_file(path, max_pixels=30_000) as file:
        thread = threading.Thread(target=lambda: seen.append(Image.MAX_IMAGE_PIXELS))
        thread.start()
        thread.join()
        assert next(iter(file)).pixels.shape == (150, 200)
    assert seen == [10_000]
    with pytest.raises(ImageError, match="and the limit is 29999"):
        open_picture(path, max_pixels=29_999)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png() -> bytes:
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.png", b"", "empty.png is empty"),
        ("text.jpg", b"hello, this is no picture", "text.jpg is not a picture"),
        ("nul.tif", bytes(500), "nul.tif is not a picture"),
        ("stub.png", b"\x89PNG\r\n\x1a\n", "stub.png cannot be read"),
        ("stub.heic", b"\0\0\0\x18ftypheic" + bytes(40), "stub.heic cannot be read|not a picture"),
        ("stub.avif", b"\0\0\0\x18ftypavif" + bytes(40), "stub.avif cannot be read"),
        ("stub.webp", b"RIFF\x10\0\0\0WEBPVP8 " + bytes(8), "stub.webp cannot be read"),
        ("bomb.png", huge_png(), "bomb.png is too large"),
    ],
)
def test_what_is_no_picture_is_said(name: str, data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ImageError, match=message):
        open_picture(tmp_path / name)


@pytest.mark.parametrize("suffix", [*HOLDS, "16.png", "16.tif"])
def test_cut_and_scratched_files_are_errors_or_pictures(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix if suffix.startswith('.') else '.' + suffix.partition('.')[2]}"
    if suffix.startswith("16"):
        save_picture(Picture(np.random.default_rng(0).integers(0, 65536, (40, 50, 3), np.uint16)), path)
    else:
        image = make_painting(3, 50, 40)
        write(image.convert({".pgm": "L", ".pbm": "1"}.get(suffix, "RGB")), path)
    data = path.read_bytes()
    for part in (0.02, 0.3, 0.7):
        path.write_bytes(data[: int(len(data) * part)])
        with pytest.raises(ImageError, match=path.name):
            open_picture(path)
    rng = np.random.default_rng(len(data))
    for _ in range(12):
        scratched = bytearray(data)
        for place in rng.integers(0, len(data), 8):
            scratched[place] = rng.integers(256)
        path.write_bytes(scratched)
        try:
            assert open_picture(path, max_pixels=10**6).pixels.size > 0
        except ImageError as error:
            assert path.name in str(error)


def test_content_decides_and_not_the_suffix(tmp_path: Path) -> None:
    small("RGB").save(tmp_path / "a.png", "JPEG")
    assert open_picture(tmp_path / "a.png").info["format"] == "JPEG"
    save_picture(open_picture(tmp_path / "a.png"), tmp_path / "b.xyz", format="webp")
    assert open_picture(tmp_path / "b.xyz").info["format"] == "WEBP"
    with pytest.raises(ImageError, match="is a folder"):
        open_picture(tmp_path)
    if os.geteuid():
        (tmp_path / "a.png").chmod(0)
        with pytest.raises(ImageError, match="cannot be read"):
            open_picture(tmp_path / "a.png")


def test_decoding_holds_little_more_than_the_picture() -> None:
    image = Image.new("RGB", (2000, 1500))
    tracemalloc.start()
    artcolor.images.decode(image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.1 * 4 * 2000 * 1500
