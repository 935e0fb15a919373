"""A TIFF is what its tags say: every kind against values that are known by construction, and what is written."""

import io
import itertools
import logging
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from artcolor.errors import ImageError
from artcolor.images import Picture, open_file, open_picture, read_provenance, save_picture, save_pictures
from artcolor.images import tiff as reading
from artcolor.images.provenance import Provenance
from tests.conftest import make_painting

Array = npt.NDArray[Any]

HEIGHT, WIDTH = 7, 9
CODES = {"none": 1, "lzw": 5, "deflate": 8, "packbits": 32773, "old deflate": 32946, "lzma": 34925, "zstd": 50000}
ENCODE = {
    1: bytes,
    5: imagecodecs.lzw_encode,
    8: imagecodecs.zlib_encode,
    32773: imagecodecs.packbits_encode,
    32946: imagecodecs.zlib_encode,
    34925: imagecodecs.lzma_encode,
    50000: imagecodecs.zstd_encode,
}
TYPES = {"B": 1, "s": 2, "H": 3, "I": 4, "Q": 16}
GRAY_MAP = [257 * round(index * 255 / 15) for index in range(16)] * 3


def tiff(tags: dict[int, Any], strips: Sequence[bytes], order: str = "<", big: bool = False) -> bytes:
    """A TIFF of one page, written by the book: integers are LONG, or SHORT in a `bytes` of their own."""
    offset, file = (16 if big else 8), bytearray()
    places = []
    for strip in strips:
        places.append(offset + len(file))
        file += bytes(strip) + b"\0" * (len(strip) % 2)
    entries = {**tags, 273: places, 279: [len(strip) for strip in strips]}
    body = b""
    room = 8 if big else 4
    for number, value in sorted(entries.items()):
        values = list(value) if isinstance(value, list | tuple) else [value]
        kind = "B" if isinstance(value, bytes) else "H" if number in (258, 320, 339, 338, 530) else "I"
        data = value if isinstance(value, bytes) else struct.pack(f"{order}{len(values)}{kind}", *values)
        count = len(data) if isinstance(value, bytes) else len(values)
        # Coefficients are fractions, which are pairs of integers.
        code, count = (5, count // 2) if number in (282, 283, 318, 319, 529, 532) else (TYPES[kind], count)
        code = 2 if number in (270, 305) else code
        if len(data) > room:
            place = offset + len(file)
            file += data + b"\0" * (len(data) % 2)
            data = struct.pack(order + ("Q" if big else "I"), place)
        body += struct.pack(order + ("HHQ" if big else "HHI"), number, code, count) + data.ljust(room, b"\0")
    start = offset + len(file)
    head = (b"II" if order == "<" else b"MM") + (
        struct.pack(order + "HHHQ", 43, 8, 0, start) if big else struct.pack(order + "HI", 42, start)
    )
    file += struct.pack(order + ("Q" if big else "H"), len(entries)) + body + bytes(8)
    return head + bytes(file)


def packed(values: Array, bits: int, order: str) -> bytes:
    """Rows of integers or floats `(rows, ...)`, the first sample in the highest bits, each row from a new byte on."""
    if values.dtype.kind == "f" or bits in (8, 16, 32, 64):
        return values.astype(values.dtype.newbyteorder(order)).tobytes()
    rows = values.reshape(len(values), -1).astype(np.uint64)
    spread = (rows[..., None] >> np.arange(bits, dtype=np.uint64)[::-1]) & np.uint64(1)
    return np.packbits(spread.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def page(
    values: Array,
    photometric: int,
    bits: int,
    *,
    compression: int = 1,
    planar: bool = False,
    order: str = "<",
    format: int = 1,
    rows: int = 3,
    predictor: int = 1,
    big: bool = False,
    extra: Sequence[int] = (),
    fill: int = 1,
    tags: dict[int, Any] | None = None,
) -> bytes:
    """A TIFF of `(H, W, samples)` in strips of three rows."""
    planes = [values[..., [channel]] for channel in range(values.shape[2])] if planar else [values]
    strips = []
    for plane, top in itertools.product(planes, range(0, len(values), rows)):
        strip = plane[top : top + rows]
        if predictor == 2:
            strip = imagecodecs.delta_encode(np.ascontiguousarray(strip), axis=-2)
        if predictor == 3:
            data = np.asarray(imagecodecs.floatpred_encode(np.ascontiguousarray(strip), axis=-2)).tobytes()
        else:
            data = packed(strip, bits, order)
        data = bytes(ENCODE[compression](data))
        strips.append(bytes(imagecodecs.bitorder_encode(data)) if fill == 2 else data)
    head = {
        256: values.shape[1],
        257: values.shape[0],
        258: [bits] * values.shape[2],
        259: compression,
        262: photometric,
        266: fill,
        277: values.shape[2],
        278: rows,
        284: 2 if planar else 1,
        317: predictor,
        339: [format] * values.shape[2],
    }
    return tiff({**head, **({338: list(extra)} if extra else {}), **(tags or {})}, strips, order, big)


def unit(values: Array) -> Array:
    """Values in 0..1, whatever their type."""
    return values.astype(np.float64) / (1 if values.dtype.kind == "f" else np.iinfo(values.dtype).max)


def luma_of(picture: Picture) -> Array:
    """Gray in 0..1; the pictures here are neutral."""
    values = unit(picture.pixels)
    if values.ndim == 3:
        assert np.ptp(values, axis=-1).max() < 0.02
        return values.mean(axis=-1)
    return values


def numbers(bits: int) -> Array:
    """Integers of so many bits, from 0 to the largest, without order."""
    top = (1 << bits) - 1
    values = np.round(np.linspace(0, top, HEIGHT * WIDTH)).astype(np.float64)
    values = np.minimum(values, np.nextafter(2.0**bits, 0))
    return np.random.default_rng(bits).permutation(values).reshape(HEIGHT, WIDTH).astype(np.uint64)


def typed(values: Array, bits: int) -> Array:
    return values.astype(next(np.dtype(f"u{size // 8}") for size in (8, 16, 32, 64) if size >= bits))


MATRIX = [
    (photometric, bits, planar, compression, order)
    for photometric, depths in {
        "white is zero": (1, 2, 4, 8, 10, 12, 14, 16, 32),
        "black is zero": (1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 20, 32, 64),
        "rgb": (2, 4, 8, 10, 12, 14, 16, 20, 32),
        "cmyk": (8, 12, 16),
        "palette": (4,),
    }.items()
    for bits in depths
    for planar in ((False, True) if photometric in ("rgb", "cmyk") else (False,))
    for compression in (("none", "lzw", "deflate") if bits in (8, 16) else ("none", "packbits"))
    for order in "<>"
]


@pytest.mark.parametrize(("photometric", "bits", "planar", "compression", "order"), MATRIX)
def test_integers_of_every_kind(photometric: str, bits: int, planar: bool, compression: str, order: str) -> None:
    stored = numbers(bits)
    gray, top = stored.astype(np.float64) / ((1 << bits) - 1), (1 << bits) - 1
    tags: dict[int, Any] = {}
    if photometric == "white is zero":
        number, values, expected = 0, stored[..., None], 1 - gray
    elif photometric == "black is zero":
        number, values, expected = 1, stored[..., None], gray
    elif photometric == "rgb":
        number, values, expected = 2, np.stack([stored] * 3, -1), gray
    elif photometric == "cmyk":
        number, values, expected = 5, np.stack([stored * 0, stored * 0, stored * 0, stored], -1), 1 - gray
    else:
        number, values, expected, tags = (
            3,
            stored[..., None],
            np.round(stored.astype(float) * 17) / 255,
            {320: GRAY_MAP},
        )
    assert values.max() <= top
    data = page(
        typed(values, bits), number, bits, planar=planar, compression=CODES[compression], order=order, tags=tags
    )
    picture = open_picture(data)
    assert picture.pixels.dtype == (np.uint8 if bits <= 8 else np.uint16)
    assert picture.alpha is None
    assert np.abs(luma_of(picture) - expected).max() <= (0.6 / 255 if bits <= 8 else 1.1 / 65535)
    assert picture.info["compression"] == {"none": "raw", "lzw": "tiff_lzw", "deflate": "tiff_adobe_deflate"}.get(
        compression, compression
    )


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("photometric", [0, 1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("compression", "predictor"), [("none", 1), ("lzw", 1), ("zstd", 3), ("deflate", 3)])
def test_floats_of_every_kind(dtype: str, photometric: int, order: str, compression: str, predictor: int) -> None:
    gray = (numbers(16) / 65535).astype(dtype)
    values = np.stack([gray] * (3 if photometric == 2 else 1), -1)
    data = page(
        values,
        photometric,
        8 * gray.itemsize,
        format=3,
        order=order,
        compression=CODES[compression],
        predictor=predictor,
        planar=photometric == 2,
    )
    picture = open_picture(data)
    assert picture.pixels.dtype == np.float32
    expected = gray.astype(np.float64)
    assert np.abs(luma_of(picture) - (1 - expected if photometric == 0 else expected)).max() < 1e-6


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", ["lzw", "deflate", "old deflate", "lzma", "zstd"])
def test_horizontal_prediction(bits: int, order: str, compression: str) -> None:
    stored = typed(np.stack([numbers(bits)] * 3, -1), bits)
    picture = open_picture(page(stored, 2, bits, order=order, compression=CODES[compression], predictor=2))
    assert np.abs(luma_of(picture) - stored[..., 0] / ((1 << bits) - 1)).max() < 1e-4


def test_a_predictor_without_a_compression_means_nothing() -> None:
    gray = numbers(8).astype(np.uint8)
    for compression in ("none", "packbits"):
        assert np.array_equal(
            open_picture(page(gray[..., None], 1, 8, compression=CODES[compression], tags={317: 2})).pixels, gray
        )


@pytest.mark.parametrize("bits", [1, 4, 8, 12])
def test_bits_filled_from_the_other_side(bits: int) -> None:
    stored = numbers(bits)
    picture = open_picture(page(typed(stored[..., None], bits), 1, bits, fill=2))
    assert np.abs(luma_of(picture) - stored / ((1 << bits) - 1)).max() < 3e-3


def test_floats_of_24_bits() -> None:
    values = np.array([[0.0, 0.25, 0.5, 0.75, 1.0]], np.float32)
    data = bytes(imagecodecs.float24_encode(values, byteorder="<"))
    tags = {256: 5, 257: 1, 258: 24, 259: 1, 262: 1, 277: 1, 278: 1, 339: 3}
    assert np.abs(open_picture(tiff(tags, [data])).pixels - values).max() < 1e-4


ALPHA_KINDS = [(bits, planar, kind) for bits in (8, 16) for planar in (False, True) for kind in (0, 1, 2)]


@pytest.mark.parametrize(("bits", "planar", "kind"), ALPHA_KINDS)
@pytest.mark.parametrize("photometric", [0, 1, 2, 5])
def test_extra_samples(bits: int, planar: bool, kind: int, photometric: int, caplog: pytest.LogCaptureFixture) -> None:
    top = (1 << bits) - 1
    gray = numbers(bits).astype(np.float64)
    alpha = np.full_like(gray, round(0.8 * top))
    color = np.round(gray * 0.8) if kind == 1 else gray
    zero = np.zeros_like(gray)
    channels = {0: [color], 1: [color], 2: [color] * 3, 5: [zero, zero, zero, color]}[photometric]
    picture = open_picture(
        page(typed(np.stack([*channels, alpha], -1), bits), photometric, bits, planar=planar, extra=[kind])
    )
    expected = gray / top
    expected = 1 - expected if photometric in (0, 5) else expected
    assert np.abs(luma_of(picture) - expected).max() < (4e-3 if bits == 8 else 3e-5)
    if kind == 0:
        assert picture.alpha is None
        assert "channels of unspecified meaning are dropped" in caplog.text
    else:
        assert picture.alpha is not None
        assert picture.alpha.dtype == picture.pixels.dtype
        assert np.all(picture.alpha == round(0.8 * top))


def test_alpha_of_floats_and_palettes() -> None:
    gray = (numbers(16) / 65535).astype(np.float32)
    picture = open_picture(page(np.stack([gray, gray * 0 + 0.5], -1), 1, 32, format=3, extra=[2]))
    assert picture.alpha is not None
    assert np.all(picture.alpha == 32768)
    indices = np.stack([numbers(4), numbers(4) * 0 + 5], -1)
    picture = open_picture(page(typed(indices, 4), 3, 4, extra=[2], tags={320: GRAY_MAP}))
    assert picture.alpha is not None
    assert np.all(picture.alpha == 85)


def test_palettes_of_16_bits_and_of_old_writers() -> None:
    indices = typed(numbers(4)[..., None], 4)
    deep = [4369 * index for index in range(15)] + [65000]
    picture = open_picture(page(indices, 3, 4, tags={320: deep * 3}))
    assert picture.pixels.dtype == np.uint16
    assert np.array_equal(picture.pixels[..., 1], np.array(deep)[indices[..., 0]])
    picture = open_picture(page(indices, 3, 4, tags={320: [17 * index for index in range(16)] * 3}))
    assert np.array_equal(picture.pixels[..., 2], indices[..., 0] * 17)
    picture = open_picture(page(indices, 3, 4, tags={320: [256 * 17 * index for index in range(16)] * 3}))
    assert np.array_equal(picture.pixels[..., 0], indices[..., 0] * 17)
    with pytest.raises(ImageError, match="palette of the picture is missing or too short"):
        open_picture(page(indices, 3, 4, tags={320: [0] * 47}))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", [8, 9])
def test_lab(bits: int, order: str, photometric: int) -> None:
    """L = 50 is sRGB 119 (118.9), and Lab 54.29, 80.81, 69.89 is red of sRGB, both relative to D50."""
    colors = np.array([[50, 0, 0], [0, 0, 0], [100, 0, 0], [54.29, 80.81, 69.89]])
    unit_of_ab, top = (1, 255) if bits == 8 else (256, 65535 if photometric == 8 else 65280)
    light = np.round(colors[:, :1] / 100 * top)
    ab = np.round(colors[:, 1:] * unit_of_ab) + (0 if photometric == 8 else 128 * unit_of_ab)
    stored = (np.concatenate([light, ab], -1).astype(np.int64) & ((1 << bits) - 1))[None]
    pixels = unit(open_picture(page(typed(stored, bits), photometric, bits, order=order)).pixels)[0] * 255
    expected = np.array([[118.9] * 3, [0] * 3, [255] * 3, [255, 0, 0]])
    assert np.abs(pixels - expected).max() < (2.6 if bits == 8 else 1)
    signed = open_picture(page(typed(stored, bits), photometric, bits, order=order, format=1)).pixels[0]
    assert np.abs(unit(signed) * 255 - pixels).max() == 0


def test_lab_of_floats_and_of_lightness_alone() -> None:
    values = np.array([[[50, 0, 0], [100, 0, 0]]], np.float32)
    assert unit(open_picture(page(values, 8, 32, format=3)).pixels)[0, :, 1] * 255 == pytest.approx([118.9, 255], abs=1)
    picture = open_picture(page(np.array([[[128], [255]]], np.uint8), 8, 8))
    assert picture.pixels[0, :, 0] == pytest.approx([119, 255], abs=1)


@pytest.mark.parametrize("across", [1, 2, 4])
@pytest.mark.parametrize("down", [1, 2])
@pytest.mark.parametrize("compression", ["none", "lzw"])
def test_ycbcr_without_jpeg(across: int, down: int, compression: str) -> None:
    gray = numbers(8)
    high, wide = -(-HEIGHT // down), -(-WIDTH // across)
    padded = np.pad(gray, ((0, high * down - HEIGHT), (0, wide * across - WIDTH)), mode="edge")
    units = padded.reshape(high, down, wide, across).transpose(0, 2, 1, 3).reshape(high, wide, down * across)
    units = np.concatenate([units, np.full((high, wide, 2), 128)], -1).astype(np.uint8)
    tags = {256: WIDTH, 257: HEIGHT, 258: [8] * 3, 259: CODES[compression], 262: 6, 277: 3, 278: HEIGHT}
    data = tiff({**tags, 530: [across, down]}, [bytes(ENCODE[CODES[compression]](units.tobytes()))])
    assert np.array_equal(open_picture(data).pixels, np.stack([gray] * 3, -1))
    studio = {532: [16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1], 529: [2126, 10000, 7152, 10000, 722, 10000]}
    data = tiff({**tags, **studio, 530: [across, down]}, [bytes(ENCODE[CODES[compression]](units.tobytes()))])
    expected = ((gray.astype(float) - 16) * 255 / 219).round().clip(0, 255)
    assert np.abs(open_picture(data).pixels[..., 0] - expected).max() <= 1


@pytest.mark.parametrize("planar", [False, True])
def test_jpeg_by_its_tags(planar: bool) -> None:
    """JPEG data without markers of their color space: YCbCr and RGB, interleaved and in planes."""
    stored = np.full((16, 16, 3), (76, 85, 255), np.uint8)
    planes = [np.ascontiguousarray(stored[..., [channel]]) for channel in range(3)] if planar else [stored]
    strips = [
        bytes(
            imagecodecs.jpeg8_encode(
                np.squeeze(plane), level=100, **({} if planar else {"colorspace": "rgb", "outcolorspace": "rgb"})
            )
        )
        for plane in planes
    ]
    tags = {256: 16, 257: 16, 258: [8] * 3, 259: 7, 277: 3, 278: 16, 284: 2 if planar else 1, 530: [1, 1]}
    assert open_picture(tiff({**tags, 262: 2}, strips)).pixels[5, 5].astype(int) == pytest.approx([76, 85, 255], abs=1)
    red = open_picture(tiff({**tags, 262: 6}, strips)).pixels[5, 5].astype(int)
    assert red == pytest.approx([254, 0, 0], abs=2)


def test_red_in_ycbcr() -> None:
    data = page(np.array([[[76, 85, 255]]], np.uint8), 6, 8, tags={530: [1, 1]})
    assert open_picture(data).pixels[0, 0] == pytest.approx([254, 0, 0], abs=1)
    for tags, told in (({529: [0, 1] * 3}, "coefficients"), ({532: [9, 1] * 6}, "reference black and white")):
        with pytest.raises(ImageError, match=f"{told} of the picture are invalid"):
            open_picture(page(np.array([[[76, 85, 255]]], np.uint8), 6, 8, tags={530: [1, 1], **tags}))


IMAGE_CODECS = {
    "jpeg": 12.0,
    "jpeg2000": 0.0,
    "aperio_jp2000_rgb": 0.0,
    "aperio_jp2000_ycbc": 0.0,
    "jpegxl": 0.0,
    "jpegxl_dng": 0.0,
    "lerc": 0.0,
    "png": 0.0,
    "jpegxr": 0.0,
    "jpegxr_ndpi": 0.0,
    "webp": 0.0,
}


HELD = {"webp": ("RGB", "RGBA"), "jpeg": ("L", "RGB")}


@pytest.mark.parametrize("tile", [None, (16, 32)])
@pytest.mark.parametrize(
    ("compression", "mode"),
    [(codec, mode) for codec in IMAGE_CODECS for mode in HELD.get(codec, ("L", "RGB", "I;16", "RGB;16", "RGBA"))],
)
def test_compressions_that_hold_pictures(compression: str, mode: str, tile: tuple[int, int] | None) -> None:
    painting = make_painting(3, 51, 40).convert("RGBA" if mode == "RGBA" else mode[:3] if mode[0] == "R" else "L")
    values = np.asarray(painting)
    if mode == "RGBA":
        values = np.dstack([values[..., :3], np.arange(40 * 51).reshape(40, 51) % 255 + 1]).astype(np.uint8)
    values = values.astype(np.uint16) * np.uint16(257) if mode.endswith("16") else values
    exact = {"webp": {"level": 100, "lossless": True}, "jpegxr": {"level": 100}, "jpeg": {"level": 98}}
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        values,
        photometric="rgb" if values.ndim == 3 else "minisblack",
        extrasamples=["unassalpha"] if mode == "RGBA" else None,
        compression=compression,
        compressionargs=exact.get(compression.partition("_")[0]),
        tile=tile,
        rowsperstrip=None if tile else 16,
        metadata=None,
    )
    picture = open_picture(file.getvalue())
    color = values[..., :3] if mode == "RGBA" else values
    assert picture.pixels.dtype == color.dtype
    assert np.abs(picture.pixels.astype(float) - color).mean() <= IMAGE_CODECS[compression]
    assert (picture.alpha is not None) == (mode == "RGBA")
    if picture.alpha is not None:
        assert np.array_equal(picture.alpha, values[..., 3])


@pytest.mark.parametrize("second", [1, 2])
def test_lerc_inside_another_compression(second: int) -> None:
    gray = numbers(8).astype(np.uint8)
    wrap = {1: imagecodecs.zlib_encode, 2: imagecodecs.zstd_encode}[second]
    tags = {256: WIDTH, 257: HEIGHT, 258: 8, 259: 34887, 262: 1, 277: 1, 278: HEIGHT, 50674: [4, second]}
    data = tiff(tags, [bytes(wrap(bytes(imagecodecs.lerc_encode(gray))))])
    assert np.array_equal(open_picture(data).pixels, gray)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
@pytest.mark.parametrize("rows", [3, 64])
def test_fax(compression: str, rows: int) -> None:
    image = make_painting(3, 61, 47).convert("1")
    file = io.BytesIO()
    image.save(file, "TIFF", compression=compression, tiffinfo={278: rows})
    assert np.array_equal(open_picture(file.getvalue()).pixels, np.asarray(image.convert("L")))
    assert open_picture(file.getvalue()).info["compression"] == compression


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_classic_and_big(big: bool, order: str) -> None:
    stored = typed(np.stack([numbers(16)] * 3, -1), 16)
    data = page(stored, 2, 16, big=big, order=order, tags={305: b"S", 270: b"on the back: 1887", 700: b"<x/>"})
    picture = open_picture(data)
    assert np.array_equal(picture.pixels, stored)
    assert picture.info["big_tiff"] == big
    exif = Image.Exif()
    exif.load(picture.info["exif"])
    assert 270 in exif
    assert picture.info["xmp"] == b"<x/>"


def test_a_small_page_in_a_large_tile() -> None:
    gray = numbers(8).astype(np.uint8)
    file = io.BytesIO()
    tifffile.imwrite(file, gray, photometric="minisblack", tile=(256, 256), compression="lzw", metadata=None)
    assert np.array_equal(open_picture(file.getvalue()).pixels, gray)


# What cases of /work/shared/cases show, each made here.


def scene() -> Array:
    y, x = np.mgrid[0:72, 0:96] / np.array([72, 96]).reshape(2, 1, 1)
    gray = 0.85 - 0.45 * y + 0.08 * np.sin(9 * x)
    gray = np.where((x < 0.12) & (y < 0.2), 0.0, gray)
    return np.where((x > 0.88) & (y < 0.2), 1.0, gray).clip(0, 1)


SCENE = scene()
S8, S16 = np.round(SCENE * 255).astype(np.uint8), np.round(SCENE * 65535).astype(np.uint16)
CASES: dict[str, tuple[Array, dict[str, Any]]] = {
    "02 planes of 16 bits": (np.stack([S16] * 3), {"planarconfig": "separate", "photometric": "rgb"}),
    "03 floats a little over 1": ((SCENE * 1.004).astype(np.float32), {"photometric": "minisblack"}),
    "09 gray and alpha of 16 bits": (
        np.stack([S16, np.full_like(S16, 40000)], -1),
        {"photometric": "minisblack", "extrasamples": ["unassalpha"]},
    ),
    "10 floats in RGB": (np.stack([SCENE] * 3, -1).astype(np.float32), {"photometric": "rgb"}),
    "11 white is zero": (65535 - S16, {"photometric": "miniswhite", "byteorder": ">"}),
    "12 CMYK and alpha": (
        np.dstack([np.zeros((72, 96, 3), np.uint8), 255 - S8, np.full_like(S8, 255)]),
        {"photometric": "separated", "extrasamples": ["unassalpha"]},
    ),
    "13 JPEG 2000": (S8, {"photometric": "minisblack", "compression": "jpeg2000"}),
}


@pytest.mark.parametrize("name", CASES)
def test_cases_from_the_field(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    values, keywords = CASES[name]
    tifffile.imwrite(tmp_path / "a.tif", values, metadata=None, **keywords)
    picture = open_picture(tmp_path / "a.tif")
    expected = np.clip(SCENE * 1.004, 0, 1) if name.startswith("03") else SCENE
    tolerance = 0.5 / 255 + 1e-9 if values.dtype == np.uint8 else 1 / 65535
    assert np.abs(luma_of(picture) - expected).max() <= tolerance
    assert (picture.alpha is not None) == ("alpha" in name)
    assert picture.transparent == ("gray and alpha" in name)
    assert "to 1.00399995, which is clipped to 0..1" in caplog.text or not name.startswith("03")
    color = picture.pixels if picture.pixels.ndim == 3 else np.stack([picture.pixels] * 3, -1)
    save_picture(Picture(color, picture.alpha, picture.info), tmp_path / "b.tif")
    back = open_picture(tmp_path / "b.tif")
    assert back.pixels.dtype == (np.uint8 if values.dtype == np.uint8 else np.uint16)
    assert np.abs(luma_of(back) - expected).max() <= tolerance + 1 / 65535
    if "gray and alpha" in name:
        assert back.alpha is not None
        assert np.all(back.alpha == 40000)


def test_raw_files_are_refused(tmp_path: Path) -> None:
    """Case 06, and its kind: sensor data in the first directory, or below it, with a thumbnail in front."""
    version = [(50706, 1, 4, b"\1\4\0\0", True)]
    pattern = [(33421, 3, 2, (2, 2), True), (33422, 1, 4, b"\0\1\1\2", True)]
    for name, dng, below in (("a.dng", True, True), ("a.nef", False, True), ("a.pef", False, False)):
        with tifffile.TiffWriter(tmp_path / name) as file:
            thumbnail = np.stack([S8[::4, ::4]] * 3, -1)
            file.write(
                thumbnail,
                photometric="rgb",
                subfiletype=1,
                subifds=1 if below else 0,
                metadata=None,
                extratags=version if dng else [],
            )
            file.write(S16, photometric=32803, subfiletype=0, metadata=None, extratags=pattern)
        with pytest.raises(ImageError, match=rf"{name} is a raw camera file.*RawTherapee"):
            open_picture(tmp_path / name)
    canon = bytearray(page(S16[..., None], 1, 16))
    canon[8:12] = b"CR\2\0"
    with pytest.raises(ImageError, match="the bytes given are a raw camera file"):
        open_picture(canon)


@pytest.mark.parametrize("flags", [{"subfiletype": 4, "photometric": 4}, {"photometric": 4}, {"subfiletype": 4}])
def test_mask_pages_become_alpha(flags: dict[str, Any], tmp_path: Path) -> None:
    """Case 14."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(S8, photometric="minisblack", metadata=None)
        file.write(S8 > 128, **{"photometric": "minisblack", **flags}, metadata=None)
        file.write(255 - S8, photometric="minisblack", metadata=None)
        file.write(S8[::2, ::2], photometric="minisblack", subfiletype=1, metadata=None)
        file.write(S8[::2, ::2] > 0, photometric=4, subfiletype=5, metadata=None)
    with open_file(tmp_path / "a.tif") as opened:
        assert opened.frames == 2
        first, second = opened
    assert np.array_equal(first.pixels, S8)
    assert first.alpha is not None
    assert np.array_equal(first.alpha, (S8 > 128) * np.uint8(255))
    assert np.array_equal(second.pixels, 255 - S8)
    assert second.alpha is None


def test_pyramids_are_no_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif", bigtiff=True) as file:
        file.write(S16, photometric="minisblack", subifds=2, tile=(32, 32), compression="zstd", metadata=None)
        for step in (2, 4):
            file.write(S16[::step, ::step], photometric="minisblack", subfiletype=1, tile=(32, 32), metadata=None)
    picture = open_picture(tmp_path / "a.tif")
    assert np.array_equal(picture.pixels, S16)
    old = page(S8[..., None], 1, 8, tags={255: 2})
    assert np.array_equal(open_picture(old).pixels, S8)


def test_ranges_of_floats(caplog: pytest.LogCaptureFixture) -> None:
    def read(low: float, high: float) -> Array:
        values = np.array([[[low], [0.5], [high]]], np.float32)
        return open_picture(page(values, 1, 32, format=3)).pixels[0]

    assert read(-0.0009, 1.0009).tolist() == [0, 0.5, 1]
    assert not caplog.records
    assert read(-0.1, 1.25).tolist() == [0, 0.5, 1]
    assert "holds -0.100000001 to 1.25, which is clipped to 0..1" in caplog.text
    assert read(0, 255).tolist() == pytest.approx([0, 0.5 / 255, 1])
    for low, high, told in (
        (-0.3, 1, "contains -0.300000012 to 1"),
        (0, 1.3, "to 1.29999995"),
        (0, 4, "0 to 4"),
        (0, 255.5, "to 255.5"),
        (0, 65535, "to 65535"),
        (-300, 255, "-300 to 255"),
    ):
        with pytest.raises(ImageError, match=told):
            read(low, high)
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ImageError, match="NaN or infinity"):
            read(0, bad)
    with pytest.raises(ImageError, match="NaN or infinity"):
        open_picture(page(np.array([[[0], [1e300]]]), 1, 64, format=3))


def test_ranges_of_integers(caplog: pytest.LogCaptureFixture) -> None:
    def read(values: list[int], dtype: str, **more: Any) -> list[int]:
        array = np.array(values, dtype)[None, :, None]
        return (
            open_picture(page(array, 1, 8 * array.itemsize, format=2 if dtype[0] == "i" else 1, **more))
            .pixels[0]
            .tolist()
        )

    assert read([0, 127], "i1") == [0, 255]
    assert read([0, 32767], "i2") == [0, 65535]
    assert not caplog.records
    for dtype in ("i1", "i2", "i4"):
        with pytest.raises(ImageError, match="signed integers from -5"):
            read([-5, 100], dtype)
    assert read([0, 65535], "i4") == [0, 65535]
    assert "they are read as 16 bits" in caplog.text
    assert read([0, (1 << 32) - 1], "u4") == [0, 65535]
    assert read([0, 1 << 63], "u8") == [0, 32768]
    assert "of which 16 are read" in caplog.text
    with pytest.raises(ImageError, match="up to 70000, of 32 bits; it is unclear which value is white"):
        read([0, 70000], "u4")
    assert read([0, 2048, 4095], "u2", tags={281: 4095}) == [0, 32776, 65535]
    assert "too dark" not in caplog.text
    assert read([0, 60000], "u2", tags={281: 60000}) == [0, 60000]
    assert read([0, 4095], "u2") == [0, 4095]
    assert "do not exceed 4095" in caplog.text


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({259: 34661}, r"TIFF compression 34661 \(JBIG\) is not supported"),
        ({259: 6}, r"TIFF compression 6 \(old-style JPEG\)"),
        ({259: 12345}, r"TIFF compression 12345 \(unknown\)"),
        ({259: 50001, 266: 2}, r"TIFF compression 50001 \(WebP\) with reversed bits \(FillOrder 2\) is not supported"),
        ({262: 32845}, "the samples are Pixar LogLuv"),
        ({262: 10}, "the samples are ITU Lab"),
        ({262: 2}, "has 1 channels; 3 to 16 are supported"),
        ({339: [6]}, "complex numbers"),
        ({258: [7], 339: [3]}, "samples of 7 bits as floating point"),
        ({258: [48]}, "samples of 48 bits as unsigned integers"),
        ({258: [24]}, "integers of 24 bits are not supported"),
        ({317: 2, 258: [4], 259: 5}, "TIFF predictor 2 is not supported for samples of 4 bits"),
        ({317: 3, 259: 8}, "TIFF predictor 3 is not supported"),
        ({256: 0}, "the picture is empty: 0 × 7"),
        ({32997: 5}, "a volume of 5 slices"),
        ({257: 7000}, "lacks some of its|damaged or truncated"),
        ({256: 90}, "strip or tile 1 is damaged or truncated"),
        ({262: 6, 277: 3, 258: [8] * 3, 259: 5, 284: 2}, "YCbCr with subsampled chroma"),
        ({262: 6, 277: 3, 258: [8] * 3, 530: [0, 2]}, "chroma subsampling of the page is invalid"),
        ({262: 5, 277: 4, 258: [8] * 4, 332: 2}, "not CMYK"),
        ({322: 1 << 16, 323: 1 << 16}, "tiles of the page have 65536 × 65536"),
        ({277: 60000}, "60000 channels"),
    ],
)
def test_what_is_not_supported_is_named(tags: dict[int, Any], told: str) -> None:
    data = page(numbers(8).astype(np.uint8)[..., None], 1, 8, tags=tags)
    with pytest.raises(ImageError, match=f"the bytes given.*{told}"):
        open_picture(data)


def test_channels_of_different_depths() -> None:
    data = page(numbers(8).astype(np.uint8)[..., None].repeat(3, -1), 2, 8, tags={258: [8, 4, 8]})
    with pytest.raises(ImageError, match="channels of different depths"):
        open_picture(data)
    data = page(numbers(8).astype(np.uint8)[..., None].repeat(3, -1), 2, 8, tags={339: [1, 2, 2]})
    with pytest.raises(ImageError, match="different sample formats"):
        open_picture(data)


def test_a_picture_inside_that_is_larger_than_the_page() -> None:
    bomb = bytes(imagecodecs.jpeg_encode(np.zeros((4000, 4000), np.uint8)))
    tags = {256: 8, 257: 8, 258: 8, 259: 7, 262: 1, 277: 1, 278: 8}
    with pytest.raises(ImageError, match=r"not 8 × 8 pixels with 1 channels of 8 bits; TIFF compression 7 \(JPEG\)"):
        open_picture(tiff(tags, [bomb]))
    with pytest.raises(ImageError, match="strip or tile 1 is damaged"):
        open_picture(tiff({**tags, 259: 8}, [bytes(imagecodecs.zlib_encode(bytes(1 << 22)))]))


def test_chains_of_directories_that_go_in_circles() -> None:
    data = bytearray(page(numbers(8).astype(np.uint8)[..., None], 1, 8))
    start = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[start : start + 2], "little")
    place = start + 2 + 12 * count
    for following, told in ((start, "chain of directories is damaged"), (1 << 30, "directory 2 is damaged")):
        data[place : place + 4] = following.to_bytes(4, "little")
        with pytest.raises(ImageError, match=told):
            open_picture(data)


def test_tifffile_says_nothing_while_a_file_is_read(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other modules of the tests silence it for good.
    monkeypatch.setattr(logging.getLogger("tifffile"), "filters", [reading._QUIET])
    data = page(numbers(8).astype(np.uint8)[..., None], 1, 8, tags={700: b"x" * 40})
    broken = data.replace(struct.pack("<HHI", 700, 1, 40), struct.pack("<HHI", 700, 1, 1 << 30))
    assert np.array_equal(open_picture(broken).pixels, numbers(8))
    assert not [record for record in caplog.records if record.name == "tifffile"]
    with caplog.at_level(logging.WARNING, logger="tifffile"):
        logging.getLogger("tifffile").warning("somebody else's")
    assert "somebody else's" in caplog.text


@pytest.mark.parametrize("compression", ["raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "zstd", "lzma", "jpeg"])
def test_tags_of_scanners_are_written(compression: str, tmp_path: Path) -> None:
    """Case 01, and the same with every compression that is kept."""
    tags = {270: "Plate 7", 271: "Maker", 272: "Model", 305: "Scanner 1.0", 306: "2020:02:03 04:05:06", 315: "A. Name"}
    gray = make_painting(3, 60, 50).convert("L")
    gray.save(tmp_path / "a.tif", compression=compression, tiffinfo=tags, dpi=(300, 150))
    picture = open_picture(tmp_path / "a.tif")
    assert picture.info["compression"] == compression
    color = np.stack([picture.pixels] * 3, -1)
    mine = Provenance("cnn.art_v1")
    save_picture(Picture(color, None, picture.info), tmp_path / "b.tif", provenance=mine)
    back = open_picture(tmp_path / "b.tif")
    assert back.info["compression"] == compression
    assert back.info["dpi"] == pytest.approx((300, 150))
    assert read_provenance(tmp_path / "b.tif") == mine
    assert np.abs(back.pixels.astype(int) - color).max() <= (6 if compression == "jpeg" else 0)
    with Image.open(tmp_path / "b.tif") as image:
        assert image.info["compression"] == compression
        assert {number: image.getexif().get(number) for number in tags} == tags
        assert 34665 not in image.getexif()
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - color).max() <= (6 if compression == "jpeg" else 0)
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        first = file.pages.first
        assert first.tags.valueof(315) == "A. Name"
        assert first.photometric == (6 if compression == "jpeg" else 2)
        assert np.abs(first.asarray().astype(int) - color).max() <= (6 if compression == "jpeg" else 0)


def test_quality_of_jpeg_in_tiff(tmp_path: Path) -> None:
    painting = np.asarray(make_painting(3, 200, 300))
    info = {"format": "TIFF", "compression": "jpeg"}
    sizes = {}
    for quality in (30, 90):
        save_picture(Picture(painting, None, dict(info)), tmp_path / "a.tif", quality=quality)
        sizes[quality] = (tmp_path / "a.tif").stat().st_size
        found = open_picture(tmp_path / "a.tif")
        assert found.info["quality"] == quality
        save_picture(found, tmp_path / "b.tif")
        assert open_picture(tmp_path / "b.tif").info["quality"] == quality
    assert sizes[90] > 1.5 * sizes[30]
    save_picture(Picture(painting, None, dict(info)), tmp_path / "a.tif")
    assert open_picture(tmp_path / "a.tif").info["quality"] == 95
    with pytest.raises(ImageError, match="has no quality"):
        save_picture(
            Picture(painting, None, {"format": "TIFF", "compression": "tiff_lzw"}), tmp_path / "c.tif", quality=9
        )


def test_what_jpeg_cannot_hold_becomes_deflate(tmp_path: Path) -> None:
    painting = np.asarray(make_painting(3, 30, 20))
    info = {"format": "TIFF", "compression": "jpeg"}
    alpha = np.full((20, 30), 7, np.uint8)
    for picture in (Picture(painting, alpha, info), Picture(painting * np.uint16(257), None, info)):
        save_picture(picture, tmp_path / "a.tif")
        back = open_picture(tmp_path / "a.tif")
        assert back.info["compression"] == "tiff_adobe_deflate"
        assert np.array_equal(back.pixels, picture.pixels)


def test_iptc_as_photoshop_writes_it(tmp_path: Path) -> None:
    """As LONG, whatever it is, or in an image resource."""
    iptc = b"\x1c\x02\x78\0\x03x y\0"
    resource = b"8BIM\x04\x04\x00\x00" + len(iptc).to_bytes(4, "big") + iptc
    other = b"8BIM\x03\xed\x03abc" + (2).to_bytes(4, "big") + b"zz"
    gray = numbers(8).astype(np.uint8)[..., None]
    for tags in ({33723: iptc}, {33723: list(struct.unpack("<2I", iptc[:8]))}, {34377: other + resource}):
        found = open_picture(page(gray, 1, 8, tags=tags)).info["iptc"]
        assert found[:8] == iptc[:8]


def test_pages_with_exif_of_their_own(tmp_path: Path) -> None:
    pages = []
    for number in range(3):
        exif = Image.Exif()
        exif[270] = f"page {number}"
        if number != 1:
            exif.get_ifd(0x8769)[0x9003] = f"202{number}:02:03 04:05:06"
            exif.get_ifd(0x8769)[0xA005] = {1: "R98", 2: b"0100"}
            exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 12.0)})
        info = {"format": "TIFF", "compression": "tiff_lzw", "exif": exif.tobytes(), "big_tiff": True}
        pages.append(Picture(np.asarray(make_painting(number, 20, 30)), None, info))
    save_pictures(iter(pages), tmp_path / "a.tif")
    with open_file(tmp_path / "a.tif") as file:
        found = list(file)
    for number, picture in enumerate(found):
        assert np.array_equal(picture.pixels, pages[number].pixels)
        exif = Image.Exif()
        exif.load(picture.info["exif"])
        assert exif[270] == f"page {number}"
        assert exif.get_ifd(0x8769).get(0x9003) == (None if number == 1 else f"202{number}:02:03 04:05:06")
        assert (2 in exif.get_ifd(0x8825)) == (number != 1)
        assert (0xA005 in exif.get_ifd(0x8769)) == (number != 1)
        assert number == 1 or exif.get_ifd(0xA005)[1] == "R98"


def test_primaries_without_a_profile_are_named(caplog: pytest.LogCaptureFixture) -> None:
    stored = typed(np.stack([numbers(8)] * 3, -1), 8)
    for primaries, told in (([64, 33, 30, 60, 15, 6], False), ([64, 33, 21, 71, 15, 6], True)):
        pairs = [each for value in primaries for each in (value, 100)]
        assert np.array_equal(open_picture(page(stored, 2, 8, tags={319: pairs})).pixels, stored)
        assert ("primaries stated by the TIFF tags are not supported" in caplog.text) == told


def test_exif_says_adobe_rgb() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 2
    file = io.BytesIO()
    Image.new("RGB", (4, 4), (60, 200, 60)).save(file, "TIFF", exif=exif.tobytes())
    assert open_picture(file.getvalue()).pixels[0, 0].astype(int) == pytest.approx([0, 201, 37], abs=2)


def test_orientation_in_xmp_counts_where_there_is_no_tag() -> None:
    stored = numbers(8).astype(np.uint8)[..., None]
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'
    turned = open_picture(page(stored, 1, 8, tags={700: xmp})).pixels
    assert np.array_equal(turned, stored[::-1, ::-1, 0])
    assert np.array_equal(open_picture(page(stored, 1, 8, tags={700: xmp, 274: 1})).pixels, stored[..., 0])


def test_jpeg_of_another_depth_than_the_tags_say() -> None:
    stored = np.linspace(0, 4095, 16 * 16).reshape(16, 16).astype(np.uint16)
    strip = imagecodecs.jpeg8_encode(stored, level=97, bitspersample=12)
    tags = {256: 16, 257: 16, 259: 7, 262: 1, 277: 1, 278: 16}
    read = open_picture(tiff(tags | {258: [12]}, [strip])).pixels
    assert abs(read.astype(int) - np.round(stored / 4095 * 65535)).max() < 800
    with pytest.raises(ImageError, match="the JPEG data have 12 bits a sample, but the tags say 16"):
        open_picture(tiff(tags | {258: [16]}, [strip]))
