"""A picture is read by the color space that its file states, whatever the format."""

import io
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from artcolor.errors import ImageError, UnsupportedError
from artcolor.images import open_picture
from artcolor.images.color_management import adobe_rgb, profile_of_code_points, to_srgb
from artcolor.images.picture import in_unit_range

pillow_heif = pytest.importorskip("pillow_heif")

RAMP = np.tile(np.linspace(0, 1, 64), (20, 1))
GREEN = np.full((24, 32, 3), (60, 200, 60), np.uint8)


def linear_of(encoded: np.ndarray) -> np.ndarray:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def encoded(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels: np.ndarray, *chunks: bytes, depth: int = 8) -> bytes:
    """A PNG with chunks before its pixels."""
    values = pixels.astype(">u2") if depth == 16 else pixels
    color = {1: 0, 3: 2}[values.shape[2] if values.ndim == 3 else 1]
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], depth, color, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    parts = [chunk(b"IHDR", head), *chunks, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def gama(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(value * 100000)))


def in_depth(values: np.ndarray, depth: int) -> np.ndarray:
    return np.round(values * (2**depth - 1)).astype(np.uint8 if depth == 8 else np.uint16)


def found(data: bytes | Path) -> np.ndarray:
    """Pixels in 0..1."""
    pixels = open_picture(data).pixels
    return pixels / (np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.6])
def test_gamma_of_a_png(gamma: float, channels: int, depth: int) -> None:
    stored = in_depth(RAMP, depth)
    exact = stored / (2**depth - 1)
    pixels = np.repeat(stored[..., None], 3, -1) if channels == 3 else stored
    error = np.abs(
        found(png(pixels, gama(1 / gamma), depth=depth)).reshape(20, 64, -1) - encoded(exact**gamma)[..., None]
    )
    assert error.max() <= (1.5 / 255 if depth == 8 else 3e-4)


def test_the_usual_gamma_of_a_png_is_that_of_srgb(caplog: pytest.LogCaptureFixture) -> None:
    # libpng takes 0.45455 for sRGB, and so do browsers.
    stored = in_depth(RAMP, 8)
    assert np.array_equal(open_picture(png(stored, gama(0.45455))).pixels, stored)
    assert np.array_equal(open_picture(png(stored, chunk(b"sRGB", b"\0"), gama(1.0))).pixels, stored)
    assert not caplog.records


def test_primaries_of_a_png() -> None:
    wide = (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
    chrm = chunk(b"cHRM", struct.pack(">8I", *(round(value * 100000) for value in wide)))
    pixels = open_picture(png(GREEN, gama(1 / 2.19921875), chrm)).pixels
    assert np.abs(pixels[0, 0].astype(int) - (0, 201, 37)).max() <= 2


def test_cicp_comes_before_all_else() -> None:
    p3 = chunk(b"cICP", bytes((12, 13, 0, 1)))
    pixels = open_picture(png(GREEN, p3, chunk(b"sRGB", b"\0"), gama(1.0))).pixels[0, 0].astype(int)
    # Display P3 is wider than sRGB: its green has less red in sRGB.
    assert pixels[0] < 30
    assert abs(pixels[1] - 202) <= 3
    linear = chunk(b"cICP", bytes((1, 8, 0, 1)))
    assert np.abs(found(png(in_depth(RAMP, 8), linear)) - encoded(in_depth(RAMP, 8) / 255)).max() < 1.5 / 255


def test_what_is_not_supported_is_a_warning_that_names_it(caplog: pytest.LogCaptureFixture) -> None:
    stored = in_depth(RAMP, 8)
    assert np.array_equal(open_picture(png(stored, chunk(b"cICP", bytes((1, 16, 0, 1))))).pixels, stored)
    assert "transfer function 16" in caplog.text
    assert profile_of_code_points(77, 13) is None
    assert "color primaries 77" in caplog.text
    assert np.array_equal(open_picture(png(stored, gama(0))).pixels, stored)
    assert "gAMA chunk of the picture has the invalid value 0" in caplog.text
    bad = io.BytesIO()
    Image.fromarray(stored).save(bad, "PNG", icc_profile=b"no profile")
    assert np.array_equal(open_picture(bad.getvalue()).pixels, stored)
    assert "color profile of the picture is ignored" in caplog.text


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif", ".heic", ".jp2"])
def test_profiles_of_every_format_that_holds_them(suffix: str, tmp_path: Path) -> None:
    path, image = tmp_path / f"a{suffix}", Image.fromarray(GREEN)
    if suffix == ".heic":
        pillow_heif.from_pillow(image).save(path, quality=100, icc_profile=adobe_rgb())
    elif suffix == ".jp2":
        path.write_bytes(jp2_with_profile(image, adobe_rgb()))
    else:
        lossless = {".webp": {"lossless": True}, ".jpg": {"quality": 100}, ".avif": {"quality": 100}}.get(suffix, {})
        image.save(path, icc_profile=adobe_rgb(), **lossless)
    pixels = open_picture(path).pixels
    assert np.abs(pixels.astype(int) - (0, 201, 37)).max() <= (3 if suffix in (".jpg", ".avif", ".heic") else 1)


def jp2_with_profile(image: Image.Image, profile: bytes) -> bytes:
    """A JP2 whose color space is an ICC profile (method 2 of `colr`)."""
    image.save(file := io.BytesIO(), "JPEG2000", irreversible=False)
    data = file.getvalue()
    colr = data.index(b"colr") - 4
    length = int.from_bytes(data[colr : colr + 4], "big")
    box = struct.pack(">I", 11 + len(profile)) + b"colr\2\0\0" + profile
    start = data.index(b"jp2h") - 4
    size = int.from_bytes(data[start : start + 4], "big") + len(box) - length
    return data[:start] + struct.pack(">I", size) + data[start + 4 : colr] + box + data[colr + length :]


def test_color_primaries_of_heif(tmp_path: Path) -> None:
    image = pillow_heif.from_pillow(Image.fromarray(GREEN))
    image.save(tmp_path / "a.heic", quality=100, color_primaries=12, transfer_characteristics=13)
    assert open_picture(tmp_path / "a.heic").pixels[5, 5, 0] < 35


@pytest.mark.parametrize(
    ("space", "index", "wide"), [(65535, "R03", True), (2, "", True), (65535, "", False), (1, "R98", False)]
)
def test_exif_of_cameras(space: int, index: str, wide: bool, tmp_path: Path) -> None:
    exif = Image.Exif()
    inner = exif.get_ifd(0x8769)
    inner[0xA001] = space
    if index:
        inner[0xA005] = {1: index, 2: b"0100"}
    gray = in_depth(RAMP, 8)
    Image.fromarray(gray).convert("RGB").save(tmp_path / "a.jpg", quality=100, exif=exif)
    expected = encoded((gray / 255) ** 2.19921875) if wide else gray / 255
    assert np.abs(found(tmp_path / "a.jpg") - expected[..., None]).max() < 3 / 255


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("space", ["gray", "rgb", "cmyk", "lab"])
def test_every_space_and_depth(space: str, dtype: type, caplog: pytest.LogCaptureFixture) -> None:
    full = 1 if dtype is np.float32 else np.iinfo(dtype).max
    ramp = (RAMP * full).astype(dtype)
    if space == "lab":
        light = np.dstack([RAMP * 100, RAMP * 0, RAMP * 0]).astype(np.float32)
        gray = encoded(np.where(RAMP > 0.08, ((RAMP * 100 + 16) / 116) ** 3, RAMP * 100 / 903.2963))
        result = to_srgb(light, "lab", None)
        assert np.abs(result - gray[..., None]).max() < 1e-4
        return
    given = {"gray": ramp, "rgb": np.dstack([ramp] * 3), "cmyk": np.dstack([ramp * 0] * 3 + [full - ramp])}[space]
    plain = to_srgb(given, space, None)
    assert plain.dtype == dtype
    assert np.abs(plain.reshape(20, 64, -1) / full - ramp[..., None] / full).max() <= 1 / 255
    if space != "cmyk":
        wide = to_srgb(given, space, adobe_rgb())
        assert wide.dtype == dtype
        expected = encoded((ramp / full) ** 2.19921875)
        assert np.abs(wide.reshape(20, 64, -1) / full - expected[..., None]).max() < (
            1.5 / 255 if dtype is np.uint8 else 1e-3
        )
    assert not caplog.records


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_transparent_gray_of_few_bits(bits: int) -> None:
    top = (1 << bits) - 1
    values = (np.arange(48).reshape(6, 8) % (top + 1)).astype(np.uint8)
    packed = np.packbits(((values[..., None] >> np.arange(bits)[::-1]) & 1).reshape(6, -1).astype(np.uint8), axis=1)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    head = struct.pack(">IIBBBBB", 8, 6, bits, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"tRNS", struct.pack(">H", top)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    picture = open_picture(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    assert np.array_equal(picture.alpha, np.where(values == top, 0, 255))
    gray = picture.pixels if picture.pixels.ndim == 2 else picture.pixels[..., 0]
    assert np.array_equal(gray, values * (255 // top))


@pytest.mark.parametrize(
    ("low", "high", "warns"),
    [(0, 1, False), (0, 1.0009, False), (-0.0005, 1, False), (0, 1.004, True), (-0.05, 1.2, True)],
)
def test_floats_a_little_outside_are_clipped(
    low: float, high: float, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    values = np.linspace(low, high, 50)
    assert np.allclose(in_unit_range(values), values.clip(0, 1), atol=1e-6)
    assert ("is clipped" in caplog.text) == warns
    if warns:
        assert f"{high:.9g}" in caplog.text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, np.nan], "NaN or infinity"),
        ([0, np.inf], "NaN or infinity"),
        ([-0.3, 1], "contains -0.3 to 1"),
        ([0, 255.3], "contains 0 to 255.3"),
        ([0, 1000.25], "contains 0 to 1000.25; floats must be in 0..1 or 0..255"),
    ],
)
def test_floats_too_far_outside_are_refused(values: list[float], message: str) -> None:
    with pytest.raises(ImageError, match=message):
        in_unit_range(np.array(values))


def test_bytes_as_floats_are_scaled() -> None:
    assert in_unit_range(np.array([0.0, 51.0, 255.0])).tolist() == pytest.approx([0, 0.2, 1])
    with pytest.raises(ImageError, match="divide by 255"):
        in_unit_range(np.array([0.0, 51.0, 255.0]), bytes_allowed=False)


def test_a_jpeg_without_its_end_is_read_and_a_cut_one_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    image = Image.fromarray((np.random.default_rng(0).random((72, 96)) * 255).astype(np.uint8))
    image.save(file := io.BytesIO(), "JPEG", quality=95)
    data = file.getvalue()
    whole = open_picture(data).pixels
    assert np.array_equal(open_picture(data[:-2]).pixels, whole)
    assert "end marker is missing" in caplog.text
    with pytest.raises(ImageError, match="truncated"):
        open_picture(data[:-200])
    cut = open_picture(data[:-200], allow_truncated=True).pixels
    assert np.array_equal(cut[:40], whole[:40])
    assert "is truncated" in caplog.text


def test_the_profile_of_tiff_with_floats(tmp_path: Path) -> None:
    gray = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    linear = imagecodecs.cms_profile("gray", gamma=1.0)
    tifffile.imwrite(tmp_path / "a.tif", gray, photometric="minisblack", iccprofile=linear, metadata=None)
    assert np.abs(found(tmp_path / "a.tif") - encoded(gray)).max() < 2e-4


@pytest.mark.parametrize("bits", [9, 10, 12, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", ["jp2", "j2k"])
def test_all_bits_of_jpeg_2000_are_read(suffix: str, channels: int, bits: int) -> None:
    values = np.random.default_rng(bits).integers(0, 1 << bits, (24, 32, channels)).astype(np.uint16)
    values[0, 0] = (1 << bits) - 1
    data = imagecodecs.jpeg2k_encode(values, level=0, codecformat=suffix, bitspersample=bits, reversible=True)
    picture = open_picture(data)
    wanted = np.round(values / (2**bits - 1) * 65535).astype(np.uint16)
    if channels < 3:
        assert (picture.pixels == wanted[..., 0]).all()
    else:
        assert (picture.pixels == wanted[..., :3]).all()
    if channels in (2, 4):
        assert picture.alpha is not None
        assert (picture.alpha == wanted[..., -1]).all()


def test_exif_of_a_png_counts_if_no_chunk_states_a_color_space() -> None:
    tags = Image.Exif()
    tags.get_ifd(0x8769)[0xA001] = 2
    statement = chunk(b"eXIf", tags.tobytes().removeprefix(b"Exif\0\0"))
    wide = to_srgb(GREEN, "rgb", adobe_rgb()) / 255
    assert np.allclose(found(png(GREEN, statement)), wide, atol=1 / 255)
    assert np.allclose(found(png(GREEN.astype(np.uint16) * 257, statement, depth=16)), wide, atol=1 / 255)
    assert (found(png(GREEN, chunk(b"sRGB", b"\0"), statement)) == GREEN / 255).all()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (imagecodecs.jpeg8_encode(GREEN.astype(np.uint16) * 16, bitspersample=12), "a 12-bit JPEG"),
        (imagecodecs.jpeg8_encode(GREEN.astype(np.uint16), lossless=True, bitspersample=16), "a lossless JPEG"),
        (imagecodecs.jpegls_encode(GREEN), "a JPEG-LS file"),
    ],
)
def test_unusual_jpeg_is_refused_by_name(data: bytes, kind: str) -> None:
    with pytest.raises(UnsupportedError, match=f"the bytes given are {kind}, which is not supported; convert it"):
        open_picture(data)
