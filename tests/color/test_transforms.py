import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from artcolor.color.lab import encode_8bit, lab_to_rgb_in_gamut, rgb_to_lightness
from artcolor.color.planes import JoinChroma, ToLightness, working_size
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
        torch.testing.assert_close(join.ab_rows(0, size[0]), expected, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(join(light), lab_to_rgb_in_gamut(light, expected), atol=1e-3, rtol=1e-3)
    rgb = join(light)
    assert rgb.shape == (2, 3, *size)
    assert (rgb_to_lightness(rgb) - light).abs().max() < 0.02


def test_strips_cover_every_row_once_and_agree_with_the_whole() -> None:
    height, width = 1300, 900
    join = JoinChroma(torch.randn(1, 2, 6, 6) * 10, height, width)
    light = torch.rand(1, 1, height, width) * 100
    strips = join.strips()
    assert len(strips) > 1
    assert [y for a, b in strips for y in range(a, b)] == list(range(height))
    a, b = strips[1]
    torch.testing.assert_close(join(light)[..., a:b, :], join.rows(light[..., a:b, :], a))


def test_joining_keeps_lightness_where_chroma_leaves_the_gamut() -> None:
    join = JoinChroma(torch.randn(2, 2, 12, 16) * 60, 400, 500)
    light = torch.rand(2, 1, 400, 500) * 96 + 2
    whole = lab_to_rgb_in_gamut(light, join.ab_rows(0, 400))
    rgb = join(light)
    torch.testing.assert_close(rgb, whole, atol=1e-5, rtol=0)
    assert (rgb_to_lightness(rgb) - light).abs().max() < 0.02
    bytes_ = join.rows(light, 0, encode_8bit)
    assert bytes_.dtype == torch.uint8
    assert (bytes_ - whole * 255).abs().max() < 0.53
