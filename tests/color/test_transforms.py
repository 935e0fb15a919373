import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from artcolor.color import planes
from artcolor.color.lab import lab_to_rgb_in_gamut, rgb_to_lightness
from artcolor.color.planes import working_size
from artcolor.color.rows import strips_of
from artcolor.color.transforms import JoinChroma, ToLightness
from tests.conftest import make_painting


@pytest.mark.parametrize("size", [(100, 100), (3000, 4000), (500, 80), (1, 1), (1, 30000), (20000, 30000), (7, 1400)])
def test_working_size(size: tuple[int, int]) -> None:
    height, width = working_size(*size, size=192, stride=32, out_stride=4)
    assert height % 4 == width % 4 == 0
    assert min(height, width) >= 64
    assert max(height, width) <= 32 * 192
    aspect = size[0] / size[1]
    if 1 / 90 < aspect < 90:
        assert height / width == pytest.approx(aspect, rel=2 / min(height, width) + 0.02)
    if 1 / 3 <= aspect <= 3:
        assert min(height, width) == 192
    elif 1 / 24 < aspect < 24:
        assert height * width == pytest.approx(3 * 192**2, rel=0.05)


def test_panoramas_of_any_length_cost_the_same() -> None:
    areas = [
        h * w for h, w in (working_size(100, 100 * aspect, size=256, stride=32, out_stride=4) for aspect in (3, 8, 20))
    ]
    assert max(areas) == pytest.approx(min(areas), rel=0.05)


def test_small_lightness_is_what_pillow_would_give() -> None:
    image = make_painting(5, 400, 300).convert("L")
    x = torch.from_numpy(np.array(image))[None, None].float() / 255
    transform = ToLightness(size=96, stride=8, out_stride=4)
    found = transform(x)
    height, width = transform.output_size(300, 400)
    small = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    expected = rgb_to_lightness(torch.from_numpy(small.copy())[None, None].float() / 255)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 0.6, "up to Pillow's rounding to 8 bits"


@pytest.mark.parametrize("size", [(37, 50), (48, 64), (5, 3), (200, 1)])
def test_joining_is_a_bicubic_enlargement(size: tuple[int, int]) -> None:
    ab = torch.randn(2, 2, 12, 16) * 10
    light = torch.rand(2, 1, *size) * 60 + 20
    grown = size[0] >= 12 and size[1] >= 16
    join = JoinChroma(ab, *size)
    if grown:
        expected = F.interpolate(ab, size, mode="bicubic")
        torch.testing.assert_close(join.ab(), expected, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(join(light), lab_to_rgb_in_gamut(light, expected), atol=1e-3, rtol=1e-3)
    rgb = join(light)
    assert rgb.shape == (2, 3, *size)
    assert (rgb_to_lightness(rgb) - light).abs().max() < 0.02


def test_strips_cover_every_row_once_and_agree_with_the_whole() -> None:
    height, width = 1300, 900
    ab = np.random.default_rng(0).normal(0, 10, (2, 6, 6)).astype(np.float32)
    join = planes.ChromaJoiner(ab, height, width)
    light = np.random.default_rng(1).random((height, width), dtype=np.float32) * 100
    strips = list(strips_of(height, width))
    assert len(strips) > 1
    assert [y for strip in strips for y in range(height)[strip]] == list(range(height))
    np.testing.assert_allclose(
        join.rows(light, 0)[:, strips[1]], join.rows(light[strips[1]], strips[1].start), atol=1e-6
    )


def test_joining_keeps_lightness_where_chroma_leaves_the_gamut() -> None:
    join = JoinChroma(torch.randn(2, 2, 12, 16) * 60, 400, 500)
    light = torch.rand(2, 1, 400, 500) * 96 + 2
    whole = lab_to_rgb_in_gamut(light, join.ab())
    rgb = join(light)
    torch.testing.assert_close(rgb, whole, atol=2e-5, rtol=0)
    assert (rgb_to_lightness(rgb) - light).abs().max() < 0.02


def test_joined_8bit_pixels_are_rounded_and_fit_the_gamut() -> None:
    rng = np.random.default_rng(0)
    ab, gray = rng.normal(0, 60, (2, 12, 16)).astype(np.float32), rng.integers(0, 256, (400, 500), dtype=np.uint8)
    found = np.asarray(planes.join(gray, ab))
    assert found.dtype == np.uint8
    exact = planes.ChromaJoiner(ab, 400, 500).rows(planes.lightness(gray), 0)
    assert np.abs(found.transpose(2, 0, 1) - exact * 255.0).max() < 0.53
    assert np.abs(planes.lightness(found) - planes.lightness(gray)).max() < 0.8, "8 bits a channel round lightness"
