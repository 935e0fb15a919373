"""Nothing that a result says of its pixels contradicts them: as artcolor, Pillow and ExifTool read it."""

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

import artcolor
from artcolor.images import open_picture
from artcolor.images.color_management import adobe_rgb
from artcolor.images.jp2 import jp2_boxes
from tests.conftest import make_painting

pillow_heif = pytest.importorskip("pillow_heif")
SUFFIXES = [".jpg", ".png", ".webp", ".tif", ".avif", ".jp2", ".heic"]
XMP = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" tiff:Orientation="6" tiff:ImageWidth="128" tiff:ImageLength="64"
 exif:ColorSpace="65535" exif:PixelXDimension="128" exif:PixelYDimension="64" crs:Exposure2012="+1.00"
 photoshop:ICCProfile="Adobe RGB (1998)" photoshop:Credit="the museum" dc:format="image/x-original" xmlns:exifEX="http://cipa.jp/exif/1.0/"
 exifEX:Gamma="2.2" xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" GPano:CroppedAreaImageWidthPixels="128"/>
</rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def stated_by_original() -> bytes:
    """EXIF of a turned photograph in Adobe RGB, with a thumbnail."""
    tags = Image.Exif()
    tags[0x0112], tags[0x010E] = 6, "a portrait"
    inner = {0xA001: 65535, 0xA002: 128, 0xA003: 64, 0xA500: 2.2, 0x9214: (60, 30, 8, 8)}
    tags.get_ifd(0x8769).update(inner | {0xA005: {1: "R03", 2: b"0100"}})
    return tags.tobytes()


def write_original(path: Path) -> None:
    image = make_painting(2, 128, 64).convert("L").convert("RGB").resize((128, 64))
    options: dict[str, Any] = {"exif": stated_by_original(), "icc_profile": adobe_rgb(), "xmp": XMP}
    if path.suffix == ".png":
        chunks = PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", XMP.decode())
        image.save(path, pnginfo=chunks, exif=options["exif"], icc_profile=options["icc_profile"])
    elif path.suffix == ".jp2":
        image.save(data := io.BytesIO(), "JPEG2000", irreversible=False)
        path.write_bytes(data.getvalue() + jp2_boxes(options["exif"], XMP))
    elif path.suffix == ".tif":
        tags = Image.Exif()
        tags.load(options["exif"])
        tags[700] = XMP
        image.save(path, exif=tags, icc_profile=options["icc_profile"])
    elif path.suffix == ".heic":
        pillow_heif.from_pillow(image).save(path, quality=100, **options)
    else:
        image.save(path, quality=95, **options)


def opened_by_pillow(path: Path) -> Image.Image:
    if path.suffix == ".heic":
        return pillow_heif.open_heif(path).to_pillow()
    return ImageOps.exif_transpose(Image.open(path))


def tags_by_exiftool(path: Path) -> dict[str, Any]:
    """Every tag, with its group; numbers instead of words."""
    done = subprocess.run(["exiftool", "-j", "-n", "-a", "-G1", path], capture_output=True, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_metadata_agree_with_the_pixels(suffix: str, tmp_path: Path) -> None:
    write_original(original := tmp_path / f"a{suffix}")
    read = open_picture(original)
    height, width = read.pixels.shape[:2]
    result = artcolor.colorize(original)
    result.save(path := tmp_path / f"b{suffix}")

    again = open_picture(path)
    assert again.pixels.shape == (height, width, 3)
    light, wanted = (np.asarray(Image.fromarray(each).convert("L"), int) for each in (again.pixels, np.asarray(result)))
    assert abs(light - wanted).mean() < 3
    seen = opened_by_pillow(path).convert("L")
    assert seen.size == (width, height)
    assert abs(np.asarray(seen, int) - light).mean() < 3

    if not shutil.which("exiftool"):
        pytest.skip("exiftool is missing")
    before, after = tags_by_exiftool(original), tags_by_exiftool(path)
    assert any(key.endswith(":Orientation") and value == 6 for key, value in before.items())
    for key, value in after.items():
        group, _, name = key.partition(":")
        assert name != "Orientation" or value == 1, key
        # JPEG 2000 numbers color spaces differently: 16 is sRGB.
        assert name != "ColorSpace" or value == (16 if group == "Jpeg2000" else 1), key
        assert name not in ("ExifImageWidth", "ImageWidth", "PixelXDimension") or value == width, key
        assert name not in ("ExifImageHeight", "ImageHeight", "ImageLength", "PixelYDimension") or value == height, key
        assert name != "InteropIndex" or value == "R98", key
        assert name != "ProfileDescription" or "sRGB" in value, key
        assert name not in ("ThumbnailImage", "ThumbnailOffset", "Gamma", "SubjectArea", "ICCProfileName"), key
        assert group not in ("XMP-crs", "XMP-GPano"), key
        assert value != "image/x-original", key
    assert "the museum" in after.values()
    assert "Warning" not in " ".join(after), after
