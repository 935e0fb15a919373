import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import artcolor
from artcolor.errors import ImageError
from artcolor.images import decode, open_picture, save_picture
from tests.conftest import make_painting


def _gray() -> Image.Image:
    return make_painting(3).convert("L")


def _i16(mode: str) -> Image.Image:
    values = np.asarray(_gray()).astype(np.uint16) * 257
    if mode == "I;16B":
        return Image.frombytes("I;16B", (96, 80), values.astype(">u2").tobytes())
    return Image.fromarray(values)


MODES = {
    "1": lambda: _gray().convert("1"),
    "L": _gray,
    "LA": lambda: _gray().convert("LA"),
    "La": lambda: _gray().convert("LA").convert("La"),
    "P": lambda: make_painting(3).quantize(200),
    "PA": lambda: make_painting(3).quantize(200).convert("PA"),
    "RGB": lambda: make_painting(3),
    "RGBA": lambda: make_painting(3).convert("RGBA"),
    "RGBa": lambda: make_painting(3).convert("RGBA").convert("RGBa"),
    "CMYK": lambda: make_painting(3).convert("CMYK"),
    "YCbCr": lambda: make_painting(3).convert("YCbCr"),
    "LAB": lambda: ImageCms.applyTransform(
        make_painting(3),
        ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"),
    ),
    "HSV": lambda: make_painting(3).convert("HSV"),
    "I": lambda: _i16("I;16").convert("I"),
    "I;16": lambda: _i16("I;16"),
    "I;16B": lambda: _i16("I;16B"),
    "F": lambda: Image.fromarray((np.asarray(_gray()) / 255).astype(np.float32)),
}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_keeps_size_and_lightness(mode: str) -> None:
    image = MODES[mode]()
    assert image.mode == mode
    picture = decode(image)
    assert picture.pixels.shape[:2] == (80, 96)
    scale = np.iinfo(picture.pixels.dtype).max if picture.pixels.dtype.kind == "u" else 1
    seen = picture.pixels / scale
    seen = seen if seen.ndim == 2 else seen @ [0.299, 0.587, 0.114]
    if mode != "1":
        assert np.abs(seen - np.asarray(_gray()) / 255).mean() < 0.03
    result = artcolor.colorize(image)
    assert result.size == (96, 80)
    assert result.mode == ("RGBA" if mode in ("LA", "La", "PA", "RGBA", "RGBa") else "RGB")


def test_sixteen_bits_are_not_white() -> None:
    result = np.asarray(artcolor.colorize(_i16("I;16")).convert("L")).astype(int)
    assert np.abs(result - np.asarray(_gray())).mean() < 12


def test_alpha_comes_back_untouched() -> None:
    alpha = np.random.default_rng(0).integers(0, 256, (80, 96), np.uint8)
    for image in (_gray(), make_painting(3)):
        image.putalpha(Image.fromarray(alpha))
        assert np.array_equal(np.asarray(artcolor.colorize(image).getchannel("A")), alpha)


def test_transparent_palette() -> None:
    image = make_painting(3).quantize(16)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=3)
    result = artcolor.colorize(Image.open(buffer))
    assert result.mode == "RGBA"
    assert ((np.asarray(result.getchannel("A")) == 0) == (np.asarray(image) == 3)).all()


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a portrait"
    path = tmp_path / "turned.jpg"
    _gray().save(path, exif=exif)
    result = artcolor.colorize(path)
    assert result.size == (80, 96)
    save_picture(result, tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as saved:
        assert saved.size == (80, 96)
        assert saved.getexif().get(0x0112, 1) == 1
        assert saved.getexif()[0x010E] == "a portrait"


def test_resolution_and_profile_survive(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = tmp_path / "scan.png"
    make_painting(3).save(path, dpi=(300, 300), icc_profile=srgb)
    save_picture(artcolor.colorize(path), tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as saved:
        assert saved.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        profile = ImageCms.ImageCmsProfile(io.BytesIO(saved.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)


def test_a_broken_profile_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "scan.png"
    make_painting(3).save(path, icc_profile=b"no profile at all")
    assert artcolor.colorize(path).size == (96, 80)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp", ".ppm"])
def test_formats_round_trip(tmp_path: Path, suffix: str) -> None:
    rgb = artcolor.colorize(_gray())
    save_picture(rgb, tmp_path / f"out{suffix}")
    with Image.open(tmp_path / f"out{suffix}") as saved:
        back = np.asarray(saved.convert("RGB")).astype(int)
    assert np.abs(back - np.asarray(rgb)).mean() < (2 if suffix in (".jpg", ".webp") else 0.01)
    assert [p.name for p in tmp_path.iterdir()] == [f"out{suffix}"]


def test_what_cannot_be_saved_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    rgba = make_painting(3).convert("RGBA")
    rgba.putpixel((3, 3), (0, 0, 0, 7))
    with pytest.raises(ImageError, match="JPEG cannot hold transparency"):
        save_picture(rgba, tmp_path / "a.jpg")
    with pytest.raises(ImageError, match="xyz is not a format"):
        save_picture(rgba, tmp_path / "a.xyz")
    with pytest.raises(ImageError, match="WEBP holds at most 16383"):
        save_picture(Image.new("RGB", (16384, 1)), tmp_path / "a.webp")
    with pytest.raises(ImageError, match="cannot be written"):
        save_picture(rgba, tmp_path / "missing" / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_several_pages_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    _gray().save(path, save_all=True, append_images=[_gray()])
    with pytest.raises(ImageError, match="2 pages"):
        open_picture(path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((4, 4), 300.0, np.float32), "contains 300 to 300; floats must be in 0..1 or 0..255"),
        (np.full((4, 4), np.nan, np.float32), "NaN"),
        (np.full((4, 4), -5, np.int32), "0..65535, but contains -5"),
    ],
)
def test_numbers_that_are_no_picture(values: np.ndarray, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        decode(Image.fromarray(values))


def test_a_truncated_file_is_an_error_not_a_gray_picture(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    make_painting(3, 400, 300).save(path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ImageError, match=r"cut\.jpg cannot be read"):
        open_picture(path)
