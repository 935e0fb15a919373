"""What a file says beside its pixels comes back, and where the colors come from is added."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

import artcolor
from artcolor.images import (
    FORMATS,
    Picture,
    Provenance,
    decode,
    open_file,
    open_picture,
    output_suffix,
    read_provenance,
    save_picture,
    save_pictures,
)
from artcolor.images.metadata import SRGB
from artcolor.images.provenance import ALGORITHMICALLY_ENHANCED, provenance_in
from tests.conftest import ROOT, make_painting

pillow_heif = pytest.importorskip("pillow_heif")

MINE = Provenance("cnn.art_v1", "ab" * 32, {"vividness": 1.0, "size": 192})
XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="uuid:7"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
    '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Mädchen &amp; Krug</rdf:li></rdf:Alt></dc:title>'
    "<e:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/print</e:DigitalSourceType>"
    '</rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
).encode()


def exif(**more: Any) -> bytes:
    tags = Image.Exif()
    tags[0x010E], tags[0x8298] = "a portrait", "© Müller".encode()
    tags.get_ifd(0x8769).update({0x9003: "2020:02:03 04:05:06", 0xA001: 65535, 0xA002: 1, 0xA003: 1})
    tags.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 12.0)})
    return tags.tobytes()


def rewritten(info: dict[str, Any], path: Path, deep: bool = False, **options: Any) -> Picture:
    """Writes a painting with this metadata, and reads it again."""
    pixels = np.asarray(make_painting(2, 30, 24))
    save_picture(Picture(pixels.astype(np.uint16) * 257 if deep else pixels, None, info), path, **options)
    return open_picture(path)


@pytest.mark.parametrize("name", [*(each.suffixes[0] for each in FORMATS.values() if each.writes), "16.tif", "16.png"])
def test_everything_that_a_format_holds_comes_back(name: str, tmp_path: Path) -> None:
    format = next(each for each in FORMATS.values() if name.removeprefix("16") in each.suffixes)
    info = {
        "exif": exif(),
        "xmp": XMP,
        "dpi": (300.0, 150.0),
        "comment": b"on the back: 1887",
        "iptc": b"\x1c\x02\x78\0\1x",
    }
    back = rewritten(info, tmp_path / f"a{name}", deep=name.startswith("16"), provenance=MINE).info
    assert ("exif" in back) == format.exif
    if format.exif:
        tags = Image.Exif()
        tags.load(back["exif"])
        assert tags[0x010E] == "a portrait"
        assert tags[0x8298].encode("latin-1").decode() == "© Müller"
        assert tags.get_ifd(0x8769)[0x9003] == "2020:02:03 04:05:06"
        assert tags.get_ifd(0x8825)[2] == (48.0, 8.0, 12.0)
    if format.xmp:
        assert "Mädchen &amp; Krug" in back["xmp"].decode()
        assert b"digitalsourcetype/print" not in back["xmp"]
    assert read_provenance(tmp_path / f"a{name}") == (MINE if format.xmp else None)
    if format.resolution or (format.exif and format.name != "JPEG2000"):
        assert back["dpi"] == pytest.approx((300, 150), abs=0.1)
    if format.comment:
        text = back.get("comment") or back["text"]["Comment"].encode()
        assert text == b"on the back: 1887"
    if format.name in ("JPEG", "TIFF"):
        assert back["iptc"] == info["iptc"]
    if format.profile and format.name != "JPEG2000":
        with (
            Image.open(tmp_path / f"a{name}")
            if format.name != "HEIF"
            else pillow_heif.HeifImageFile(tmp_path / f"a{name}") as image
        ):
            assert image.info["icc_profile"] == SRGB
    again = tmp_path / f"b{name}"
    rewritten(info, again, deep=name.startswith("16"), provenance=MINE)
    assert again.read_bytes() == (tmp_path / f"a{name}").read_bytes()


def test_exif_of_the_result_fits_it(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags.load(exif())
    tags[0x0112] = 6
    make_painting(2, 30, 24).save(tmp_path / "a.jpg", exif=tags)
    back = Image.Exif()
    back.load(open_picture(tmp_path / "a.jpg").info["exif"])
    assert 0x0112 not in back
    assert "dpi" not in open_picture(tmp_path / "a.jpg").info
    assert {key: back.get_ifd(0x8769)[key] for key in (0xA001, 0xA002, 0xA003)} == {0xA001: 1, 0xA002: 24, 0xA003: 30}
    make_painting(2, 30, 24).save(tmp_path / "a.tif", exif=tags)
    kept = Image.Exif()
    kept.load(open_picture(tmp_path / "a.tif").info["exif"])
    assert set(kept) <= {0x010E, 0x8298, 0x8769, 0x8825}


@pytest.mark.parametrize(
    "damaged", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(90)]
)
def test_damaged_exif_does_not_cost_the_picture(damaged: bytes, tmp_path: Path) -> None:
    make_painting(2).save(tmp_path / "a.jpg", exif=damaged)
    picture = open_picture(tmp_path / "a.jpg")
    save_picture(picture, tmp_path / "b.jpg")
    assert open_picture(tmp_path / "b.jpg").pixels.shape == picture.pixels.shape


def test_xmp_is_merged_once_and_hostile_xmp_left_out(caplog: pytest.LogCaptureFixture) -> None:
    once = MINE.into(XMP)
    assert once == MINE.into(once)
    assert provenance_in(once) == MINE
    assert MINE.source_type == ALGORITHMICALLY_ENHANCED
    assert provenance_in(XMP) is None
    assert provenance_in(None) is None
    assert not caplog.records
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'
    for bad in (bomb, b"<x", b"\xff\xfe<", b"<a>" * 5000, b"plain"):
        caplog.clear()
        assert provenance_in(MINE.into(bad)) == MINE
        assert "cannot be read" in caplog.text
        assert provenance_in(bad) is None


def test_metadata_that_is_too_long_for_jpeg(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    long = XMP.replace(b"Krug", b"K" * 70_000)
    back = rewritten({"xmp": long, "comment": b"c" * 70_000}, tmp_path / "a.jpg", provenance=MINE)
    assert "comment" not in back.info
    assert provenance_in(back.info["xmp"]) == MINE
    assert "too long for JPEG" in caplog.text


@pytest.mark.parametrize("suffix", [".bmp", ".ppm"])
def test_formats_without_a_place_for_provenance_say_so(
    suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rewritten({}, tmp_path / f"a{suffix}", provenance=MINE)
    assert "cannot store provenance" in caplog.text
    assert read_provenance(tmp_path / f"a{suffix}") is None


@pytest.mark.parametrize("quality", [30, 60, 80, 92])
@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_quality_is_near_the_original(suffix: str, quality: int, tmp_path: Path) -> None:
    image = make_painting(4, 160, 120)
    image.save(tmp_path / f"a{suffix}", quality=quality)
    seen = open_picture(tmp_path / f"a{suffix}").info["quality"]
    assert abs(seen - quality) <= (1 if suffix == ".jpg" else 12)
    image.convert("L").save(tmp_path / f"g{suffix}", quality=quality)
    gray = open_picture(tmp_path / f"g{suffix}")
    assert abs(gray.info["quality"] - quality) <= (1 if suffix == ".jpg" else 12)
    back = rewritten(gray.info, tmp_path / f"b{suffix}", quality=20).info["quality"]
    assert abs(back - 20) <= (1 if suffix == ".jpg" else 12)


def test_how_a_file_was_made_is_kept(tmp_path: Path) -> None:
    painting = make_painting(4)
    painting.save(tmp_path / "a.jpg", subsampling=1, progressive=True)
    info = rewritten(open_picture(tmp_path / "a.jpg").info, tmp_path / "b.jpg").info
    assert (info["subsampling"], info["progressive"]) == (1, True)
    assert rewritten(info, tmp_path / "c.tif").info["compression"] == "tiff_adobe_deflate"
    painting.save(tmp_path / "a.webp", lossless=True)
    assert rewritten(open_picture(tmp_path / "a.webp").info, tmp_path / "b.webp").info["lossless"]
    for compression, kept in {
        "raw": "raw",
        "tiff_lzw": "tiff_lzw",
        "packbits": "packbits",
        "jpeg": "jpeg",
        "group4": "tiff_adobe_deflate",
    }.items():
        image = painting.convert("1") if compression == "group4" else painting.convert("L")
        image.save(tmp_path / "a.tif", compression=compression)
        assert rewritten(open_picture(tmp_path / "a.tif").info, tmp_path / "b.tif").info["compression"] == kept


def gray_profile(gamma: float) -> bytes:
    codecs = pytest.importorskip("imagecodecs")
    return bytes(codecs.cms_profile("gray", gamma=gamma))


@pytest.mark.parametrize("deep", [False, True])
def test_profiles_of_gray_pictures(deep: bool, tmp_path: Path) -> None:
    gray = np.tile(np.linspace(0, 255, 52).astype(np.uint8), (4, 1))
    image = Image.fromarray(gray.astype(np.uint16) * 257) if deep else Image.fromarray(gray)
    linear = (gray / 255.0) ** 1.8
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clip(1e-9) ** (1 / 2.4) - 0.055)
    image.save(tmp_path / "a.png", icc_profile=gray_profile(1.8))
    pixels = open_picture(tmp_path / "a.png").pixels
    assert np.abs(pixels / np.iinfo(pixels.dtype).max - expected).max() < (2e-4 if deep else 0.006)
    image.save(tmp_path / "b.png", icc_profile=SRGB)
    same = open_picture(tmp_path / "b.png").pixels
    assert np.abs(same.astype(int) - np.asarray(image)).max() <= (2 if deep else 1)


def test_lab_and_cmyk_through_profiles() -> None:
    painting = make_painting(3)
    lab = ImageCms.profileToProfile(
        painting, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    buffer = io.BytesIO()
    lab.save(buffer, "TIFF")
    back = decode(Image.open(buffer)).pixels.astype(int)
    assert np.abs(back - np.asarray(painting)).mean() < 1.5


def test_the_table_of_the_documentation_is_true() -> None:
    rows = re.findall(r"^\| ([A-Z0-9]+) \| (.*) \|$", (ROOT / "docs" / "formats.md").read_text(), re.MULTILINE)
    told = {name: cells.split(" | ") for name, cells in rows if name in FORMATS and cells.count(" | ") == 10}
    assert list(told) == list(FORMATS)
    for name, format in FORMATS.items():
        flags = (format.alpha, format.frames, format.deep, format.profile, format.exif, format.xmp)
        flags = (*flags, format.resolution, format.comment)
        words = ["yes" if flag else "no" for flag in flags]
        assert told[name] == ["yes", "yes" if format.writes else "no", str(format.largest), *words]
        for suffix in format.suffixes:
            assert output_suffix(suffix) in {suffix, ".png", ".ppm", ".jp2", ".avif"}


def test_the_shape_that_tifffile_notes_does_not_outlive_the_gray_picture(tmp_path: Path) -> None:
    gray = np.asarray(make_painting(1).convert("L"))
    tifffile.imwrite(tmp_path / "a.tif", gray)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.pages[0].description.startswith('{"shape":')
    with open_file(tmp_path / "a.tif") as file:
        save_pictures(artcolor.Colorizer("cnn").pictures(file), tmp_path / "b.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert "shape" not in tiff.pages[0].description
        assert tiff.asarray().shape == (*gray.shape, 3)
