"""The conversions of arrays agree with those of tensors, and the tables with the curves."""

import numpy as np
import pytest
import torch

from artcolor.color import lab, planes, srgb


@pytest.fixture(scope="module")
def cube() -> np.ndarray:
    """A grid over all of sRGB, `(3, 33³)`, float32."""
    axis = np.linspace(0, 1, 33, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis)).reshape(3, -1)


def test_arrays_and_tensors_have_the_same_colors(cube: np.ndarray) -> None:
    tensor = torch.from_numpy(cube)[:, None]
    linear = srgb.srgb_to_linear(cube)
    np.testing.assert_allclose(linear, lab.srgb_to_linear(tensor)[:, 0], atol=2e-7)
    np.testing.assert_allclose(srgb.linear_to_srgb(linear), cube, atol=1e-6)
    light, a, b = srgb.linear_to_lab(linear)
    np.testing.assert_allclose(np.stack((light, a, b)), lab.rgb_to_lab(tensor)[:, 0], atol=5e-4)
    np.testing.assert_allclose(srgb.linear_to_lightness(linear), light, atol=1e-4)
    y = (light + 16) / 116
    back = srgb.curve_to_linear(np.stack((y + a / 500, y, y - b / 200)))
    np.testing.assert_allclose(srgb.linear_to_srgb(back), cube, atol=2e-5)
    assert srgb.excess(back).max() < srgb.GAMUT_TOLERANCE


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tables_are_the_curves(dtype: type[np.unsignedinteger]) -> None:
    kind = np.dtype(dtype)
    largest = np.iinfo(kind).max
    linear = srgb.srgb_to_linear(np.arange(largest + 1) / largest)
    np.testing.assert_allclose(srgb.linear_of(kind), linear, atol=1e-7)
    np.testing.assert_allclose(srgb.lightness_of(kind), srgb.linear_to_lightness(linear[None]), atol=1e-4)
    pixels = np.arange(256).astype(kind).reshape(16, 16) * (largest // 255)
    expected = planes.lightness(pixels / np.float64(largest))
    for each in (pixels, pixels.astype(kind.newbyteorder(">")), np.stack([pixels] * 3, axis=-1)):
        np.testing.assert_allclose(planes.lightness(each), expected, atol=1e-4)


def test_8_bits_are_encoded_as_the_curve_rounds() -> None:
    linear = np.concatenate((np.linspace(0, 1, 100_001), np.linspace(0, 0.004, 10_001))).astype(np.float32)
    exact = srgb.linear_to_srgb(linear.astype(np.float64)) * 255
    assert np.abs(srgb.encode_8bit(linear) - exact).max() < 0.53
    assert srgb.encode_8bit(srgb.linear_of(np.dtype(np.uint8))).tolist() == list(range(256))
    assert srgb.encode_8bit(np.array([-1e-9, -0.5, 1.5], np.float32)).tolist() == [0, 0, 255]
