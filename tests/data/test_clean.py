import io
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from artcolor.data.clean import RejectedError, clean, content_box, decode
from artcolor.data.spec import CleanRules, Output
from tests.data.paintings import ADOBE_GREEN, adobe_green, cropped, framed, make_artwork, sepia, to_bytes

RULES, OUTPUT = CleanRules(), Output()


def reason(data: bytes, rules: CleanRules = RULES) -> str:
    with pytest.raises(RejectedError) as caught:
        clean(data, rules, OUTPUT)
    return caught.value.reason


@pytest.mark.parametrize("color", ["white", "black", "#a08060"])
@pytest.mark.parametrize("size", [(200, 160), (700, 900)])
def test_plain_frames_are_found(color: str, size: tuple[int, int]) -> None:
    picture = framed(make_artwork(3, *size), color, 0.08)
    border = round(0.08 * min(size))
    found = content_box(picture)
    true = (border, border, border + size[0], border + size[1])
    slack = 3 * max(1, max(picture.size) // 256)
    inwards = np.subtract(found, true) * [1, 1, -1, -1]
    assert (inwards >= 0).all() and (inwards <= slack).all()


def test_nested_frames_and_one_sided_padding_are_found() -> None:
    inner = make_artwork(4)
    nested = framed(framed(inner, "white", 0.1), "black", 0.05)
    left, top, right, bottom = content_box(nested)
    assert right - left <= inner.width and bottom - top <= inner.height
    assert right - left >= inner.width - 6 and bottom - top >= inner.height - 6
    padded = Image.new("RGB", (200, 240), "gray")
    padded.paste(inner, (0, 0))
    assert content_box(padded)[:3] == (0, 0, 200) and abs(content_box(padded)[3] - 160) <= 2


def test_skies_and_paper_are_not_frames() -> None:
    assert content_box(make_artwork(5)) == (0, 0, 200, 160)
    sky = np.zeros((160, 200, 3))
    sky[..., 2] = np.linspace(250, 90, 160)[:, None]
    sky[100:, :, 1] = np.random.default_rng(0).uniform(0, 250, (60, 200))
    assert content_box(Image.fromarray(sky.astype(np.uint8)))[1] == 0
    drawing = Image.new("RGB", (200, 160), "ivory")
    drawing.paste(make_artwork(6, 60, 60), (70, 50))
    assert content_box(drawing) == (0, 0, 200, 160)
    assert content_box(Image.new("RGB", (200, 160), "navy")) == (0, 0, 200, 160)


def test_reasons() -> None:
    art = make_artwork(7)
    assert reason(to_bytes(art.convert("L"))) == "gray"
    assert reason(to_bytes(sepia(art))) == "sepia"
    assert reason(to_bytes(Image.new("RGB", (200, 160), "navy"), "PNG")) == "sepia"
    assert reason(to_bytes(art.resize((127, 300)), "PNG")) == "too_small"
    assert reason(to_bytes(framed(make_artwork(7, 120, 120), "white", 0.3), "PNG")) == "too_small"
    assert reason(to_bytes(art.resize((400, 150)), "PNG")) == "extreme_aspect"
    assert reason(to_bytes(art), RULES.model_copy(update={"max_pixels": 31_999})) == "bomb"
    assert reason(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 200 200\n") == "undecodable"


def test_text_that_decompresses_to_far_more_is_rejected() -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(30_000_000)))
    assert reason(to_bytes(make_artwork(8), "PNG", pnginfo=notes)) == "undecodable"


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
def test_truncated_files_are_undecodable(kind: str, cut: float) -> None:
    data = to_bytes(make_artwork(9), kind)
    assert reason(data[: int(cut * len(data))]) == "undecodable"


def test_pictures_are_upright_and_report_their_original_size() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = to_bytes(make_artwork(10, 2000, 1600), exif=exif)
    image, original = decode(data, max_pixels=RULES.max_pixels, side=200)
    assert original == (1600, 2000) and image.width < image.height < 2000
    found = clean(data, RULES, Output(side=200))
    assert (found.width, found.height, found.original, found.pixels) == (200, 250, (1600, 2000), 3_200_000)


def test_transparent_pixels_become_white() -> None:
    art = make_artwork(11).convert("RGBA")
    art.putalpha(Image.new("L", art.size, 0))
    image, _ = decode(to_bytes(art, "PNG"), max_pixels=10**6)
    assert image.getextrema() == ((255, 255),) * 3


def test_color_profiles_are_honored() -> None:
    image, _ = decode(adobe_green(), max_pixels=10**6)
    assert np.abs(np.asarray(image, dtype=int) - ADOBE_GREEN).max() <= 1


def test_small_pictures_are_not_enlarged_and_quality_is_respected() -> None:
    art = make_artwork(12)
    found = clean(to_bytes(art, "PNG"), RULES, Output(side=None, format="jpeg", quality=95))
    with Image.open(io.BytesIO(found.data)) as image:
        assert image.size == art.size and image.format == "JPEG"
        error = np.abs(np.asarray(image, dtype=float) - np.asarray(art, dtype=float)).mean()
    assert error < 8
    assert len(found.data) > len(clean(to_bytes(art, "PNG"), RULES, Output(side=None, format="jpeg", quality=40)).data)


def test_without_the_rule_the_frame_is_kept() -> None:
    picture = to_bytes(framed(cropped(make_artwork(13), 0, 0, 0.1, 0), "white"), "PNG")
    kept = clean(picture, RULES.model_copy(update={"crop_borders": False}), OUTPUT)
    assert kept.box is None and (kept.width, kept.height) == (212, 192)
