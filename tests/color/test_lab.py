import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import color

from artcolor.color.lab import (
    lab_to_rgb,
    lab_to_rgb_in_gamut,
    rgb_to_lab,
    rgb_to_lightness,
    to_gamut,
)


@pytest.fixture(scope="module")
def cube() -> torch.Tensor:
    """A grid over all of sRGB, `(3, 41², 41)`."""
    axis = torch.linspace(0, 1, 41, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis, axis).T.reshape(3, -1, 41)


def test_agrees_with_scikit_image(cube: torch.Tensor) -> None:
    expected = color.rgb2lab(cube.movedim(0, -1).numpy())
    for dtype in (torch.float64, torch.float32):
        found = rgb_to_lab(cube.to(dtype)).movedim(0, -1).double().numpy()
        assert np.abs(found - expected).max() < 0.01


def test_gray_is_neutral() -> None:
    gray = torch.linspace(0, 1, 1001).expand(3, 1, 1001)
    assert rgb_to_lab(gray)[1:].abs().max() < 1e-4


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-10)])
def test_round_trip(cube: torch.Tensor, dtype: torch.dtype, tolerance: float) -> None:
    rgb = cube.to(dtype)
    back = lab_to_rgb(rgb_to_lab(rgb))
    assert back.dtype == dtype
    assert (back - rgb).abs().max() < tolerance


@pytest.mark.parametrize("leading", [(), (2,), (2, 1, 3)])
def test_any_leading_dimensions(leading: tuple[int, ...]) -> None:
    rgb = torch.rand(*leading, 3, 4, 5)
    lab = rgb_to_lab(rgb)
    assert lab.shape == rgb.shape
    torch.testing.assert_close(lab.reshape(-1, 3, 4, 5)[0], rgb_to_lab(rgb.reshape(-1, 3, 4, 5)[0]), rtol=0, atol=1e-3)
    torch.testing.assert_close(lab[..., :1, :, :], rgb_to_lightness(rgb), rtol=0, atol=1e-3)
    assert to_gamut(lab[..., :1, :, :], 3 * lab[..., 1:, :, :]).shape == (*leading, 2, 4, 5)


def test_gray_lightness_equals_that_of_three_equal_channels() -> None:
    gray = torch.rand(2, 1, 5, 5)
    torch.testing.assert_close(rgb_to_lightness(gray), rgb_to_lightness(gray.expand(-1, 3, -1, -1)))


def test_differentiable_even_at_black_and_white() -> None:
    rgb = torch.tensor([0.0, 0.02, 0.5, 1.0], dtype=torch.float64).repeat(3, 1).reshape(1, 3, 4, 1)
    rgb += torch.tensor([0.0, 1e-3, -1e-3], dtype=torch.float64).reshape(1, 3, 1, 1) * (rgb > 0)
    rgb.requires_grad_()
    assert torch.autograd.gradcheck(rgb_to_lab, (rgb,), atol=1e-4)
    lab = rgb_to_lab(rgb.detach()).requires_grad_()
    assert torch.autograd.gradcheck(lab_to_rgb, (lab,), atol=1e-4)


def test_gamut_leaves_real_colors_alone(cube: torch.Tensor) -> None:
    lab = rgb_to_lab(cube.float())
    assert torch.equal(to_gamut(lab[:1], lab[1:]), lab[1:])


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 100), st.floats(-180, 180), st.floats(0, 250))
def test_gamut_keeps_lightness_and_hue(lightness: float, hue: float, chroma: float) -> None:
    angle = torch.tensor(hue).deg2rad()
    ab = (chroma * torch.stack((angle.cos(), angle.sin()))).reshape(2, 1, 1)
    light = torch.full((1, 1, 1), lightness)
    inside = to_gamut(light, ab)
    rgb = lab_to_rgb_in_gamut(light, ab)
    assert rgb.min() >= 0
    assert rgb.max() <= 1
    lab = rgb_to_lab(rgb)
    assert abs(float(lab[0]) - lightness) < 0.02
    scale = float(inside.norm() / ab.norm().clamp(min=1e-9))
    torch.testing.assert_close(inside, ab * scale, rtol=1e-4, atol=1e-4)
    if chroma > 1 and scale < 1 - 1e-4:
        # A little more chroma would already leave sRGB.
        beyond = lab_to_rgb(torch.cat((light, inside * 1.02 + 1e-3 * ab)))
        assert beyond.min() < 1e-4 or beyond.max() > 1 - 1e-4
