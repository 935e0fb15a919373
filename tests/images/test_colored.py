import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from artcolor.color.lab import lab_to_rgb_in_gamut
from artcolor.errors import ImageError
from artcolor.images import colored
from artcolor.images.colored import COLORED, color_measure, is_colored
from tests.conftest import make_painting

SIZES = ((96, 80), (300, 200), (900, 700))


def jpeg(pixels: np.ndarray, quality: int = 75, subsampling: int = 2) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(file))


def gray(seed: int, size: tuple[int, int] = (300, 200)) -> np.ndarray:
    return np.asarray(ImageOps.autocontrast(make_painting(seed, *size).convert("L")))


def as_rgb(plane: np.ndarray) -> np.ndarray:
    return np.stack([plane] * 3, axis=-1)


def mapped(plane: np.ndarray, *stops: tuple[int, int, int]) -> np.ndarray:
    places = np.linspace(0, 255, len(stops))
    return np.stack([np.interp(plane, places, channel) for channel in zip(*stops, strict=True)], axis=-1)


def yellowed(plane: np.ndarray) -> np.ndarray:
    amount = np.linspace(0.3, 0.8, plane.shape[1])[:, None]
    return as_rgb(plane) * np.array([1, 0.9, 0.7]) ** amount


TONES = {
    "sepia": lambda plane: np.minimum(as_rgb(plane) * [1.351, 1.203, 0.937], 255),
    "cyanotype": lambda plane: mapped(plane, (15, 35, 80), (80, 125, 165), (240, 238, 225)),
    "split": lambda plane: mapped(plane, (20, 30, 60), (128, 128, 128), (250, 240, 205)),
    "yellowed": yellowed,
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(3))
def test_a_painting_is_colored_and_its_gray_is_not(seed: int, size: tuple[int, int]) -> None:
    pixels = np.asarray(make_painting(seed, *size))
    assert is_colored(pixels) and is_colored(jpeg(pixels, 60))
    plane = gray(seed, size)
    assert color_measure(plane) == 0
    assert color_measure(as_rgb(plane)) == 0
    assert color_measure(jpeg(as_rgb(plane), 60)) == 0


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tone", TONES)
@pytest.mark.parametrize("quality", [60, 95])
def test_a_toned_picture_is_not_colored(tone: str, quality: int, size: tuple[int, int]) -> None:
    pixels = TONES[tone](gray(0, size)).round().astype(np.uint8)
    assert np.ptp(pixels.astype(int), axis=-1).max() > 25
    assert not is_colored(pixels)
    assert not is_colored(jpeg(pixels, quality))


def test_chroma_noise_is_not_color() -> None:
    noise = np.random.default_rng(0).normal(0, 4, (200, 300, 3))
    pixels = (as_rgb(gray(1)) + noise).round().clip(0, 255).astype(np.uint8)
    assert 0 < color_measure(pixels) < COLORED
    assert not is_colored(jpeg(pixels))


def test_muted_colors_are_color() -> None:
    plane = as_rgb(gray(1)).astype(float)
    # A quarter of the painting's chroma, about what a browned one has.
    muted = plane + (np.asarray(make_painting(1, 300, 200)) - plane) / 4
    assert is_colored(jpeg(muted.round().astype(np.uint8)))


@pytest.mark.parametrize("tone", ["gray", *TONES])
def test_a_small_tint_on_a_gray_or_toned_picture_is_color(tone: str) -> None:
    plane = gray(2)
    pixels = TONES[tone](plane) if tone in TONES else as_rgb(plane).astype(float)
    assert not is_colored(pixels.astype(np.uint8))
    # A hand-tinted rose: half a per cent of the picture.
    pixels[100:116, 150:170] = pixels[100:116, 150:170] * 0.5 + np.array([200, 20, 60]) * 0.5
    assert is_colored(jpeg(pixels.round().astype(np.uint8)))


def test_two_colors_of_the_same_lightness_are_measured_in_lab_units() -> None:
    lab = torch.zeros(3, 256, 256)
    lab[0] = 50
    # A checkerboard in whole cells, so that neither a tone nor a slow change explains any of it.
    sign = (torch.arange(256)[:, None] // 8 + torch.arange(256) // 8) % 2 * 2 - 1
    lab[1] = 5.0 * sign
    pixels = lab_to_rgb_in_gamut(lab[:1], lab[1:]).movedim(0, -1).numpy()
    assert color_measure(pixels) == pytest.approx(5, abs=0.1)


def test_depths_agree() -> None:
    eight = np.asarray(make_painting(3, 300, 200))
    expected = color_measure(eight)
    assert color_measure(eight.astype(np.uint16) * 257) == pytest.approx(expected, rel=1e-4)
    for kind in (np.float16, np.float32, np.float64):
        assert color_measure((eight / 255).astype(kind)) == pytest.approx(expected, rel=1e-2)
    assert color_measure(as_rgb(gray(3)).astype(np.uint16) * 257) == 0
    assert color_measure(as_rgb(gray(3)).astype(np.float32) / 255) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2), (3, 2000), (9, 8), (4000, 3)])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_any_size(shape: tuple[int, int], kind: str) -> None:
    full = 1 if kind == "float32" else np.iinfo(kind).max
    pixels = (np.random.default_rng(0).uniform(0, full, (*shape, 3))).astype(kind)
    assert np.isfinite(color_measure(pixels))
    assert color_measure(pixels[..., 0]) == 0
    assert color_measure(as_rgb(pixels[..., 0])) == 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (40, 30), (300, 200)])
def test_one_color_is_a_tone(shape: tuple[int, int]) -> None:
    assert not is_colored(np.full((*shape, 3), (200, 30, 90), dtype=np.uint8))


def test_a_narrow_strip_of_many_hues_is_colored() -> None:
    hue = np.linspace(0, 6 * np.pi, 300)
    strip = 128 + 60 * np.stack([np.sin(hue), np.sin(hue + 2), np.sin(hue + 4)], axis=-1)[None]
    assert is_colored(strip.astype(np.uint8))
    assert is_colored(strip.astype(np.uint8).swapaxes(0, 1))


def test_a_large_picture_measures_as_its_small_version() -> None:
    small = make_painting(4, 250, 200)
    large = np.asarray(small.resize((4000, 3200), Image.Resampling.BICUBIC))
    assert color_measure(large) == pytest.approx(color_measure(np.asarray(small)), rel=0.05)


def test_nothing_is_written_to_and_views_are_read() -> None:
    pixels = np.asarray(make_painting(5, 300, 200))
    pixels.flags.writeable = False
    turned = pixels[::-1, ::-1]
    assert color_measure(turned) == pytest.approx(color_measure(np.ascontiguousarray(turned)), rel=1e-6)


def test_only_what_lies_above_the_limit_is_colored(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.asarray(make_painting(6))
    measure = color_measure(pixels)
    monkeypatch.setattr(colored, "COLORED", measure)
    assert not is_colored(pixels)
    monkeypatch.setattr(colored, "COLORED", np.nextafter(measure, 0))
    assert is_colored(pixels)


@pytest.mark.parametrize("shape", [(4,), (4, 4, 4), (4, 4, 1), (0, 4), (0, 4, 3), (1, 3, 4, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="shape"):
        color_measure(np.zeros(shape, dtype=np.uint8))


@pytest.mark.parametrize("kind", ["int64", "bool", "complex64"])
def test_other_types_are_refused(kind: str) -> None:
    with pytest.raises(ImageError, match=kind):
        color_measure(np.zeros((4, 4, 3), dtype=kind))
