"""What people who come from torchvision hand to `weights.transforms()` and `model.colorize`."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import artcolor
from artcolor.errors import ImageError
from artcolor.models.base import ColorizationModel
from tests.conftest import make_painting


@pytest.fixture(scope="module")
def model() -> ColorizationModel:
    return artcolor.cnn(weights="DEFAULT")


@pytest.fixture(scope="module")
def image() -> Image.Image:
    return make_painting(3, 60, 40)


@pytest.fixture(scope="module")
def batch(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]


def test_transforms_take_what_those_of_torchvision_take(image: Image.Image, batch: Tensor) -> None:
    transform = artcolor.CNN_Weights.DEFAULT.transforms()
    expected = transform(batch.float() / 255)
    assert expected.shape[:2] == (1, 1)
    assert torch.equal(transform(batch), expected)
    for single in (image, batch[0], batch[0].float() / 255):
        assert torch.equal(transform(single), expected[0])
    found = transform([image, batch[0, :, :20], batch])
    assert [tuple(each.shape[:-2]) for each in found] == [(1,), (1,), (1, 1)]
    assert torch.equal(found[0], expected[0])
    assert artcolor.cnn(width=16).eval().predict_ab(transform(image)[None]).shape[:2] == (1, 2)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_transforms_take_images_of_any_mode(image: Image.Image, mode: str) -> None:
    gray = image.convert("1" if mode == "1" else "L")
    if mode == "F":
        given = Image.fromarray(np.asarray(gray, np.float32) / 255)
    elif mode == "I;16":
        given = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    else:
        given = gray.convert(mode)
    assert given.mode == mode
    transform = artcolor.CNN_Weights.DEFAULT.transforms()
    torch.testing.assert_close(transform(given), transform(gray.convert("L")), atol=0.01, rtol=0)


def test_colorize_takes_images_and_single_tensors(model: ColorizationModel, image: Image.Image, batch: Tensor) -> None:
    expected = model.colorize(batch.float() / 255)
    assert expected.shape == (1, 3, 40, 60)
    assert torch.equal(model.colorize(batch), expected)
    for single in (image, batch[0], batch[0].float() / 255):
        assert torch.equal(model.colorize(single), expected[0])
    assert torch.equal(model.colorize(batch.to(torch.uint16) * 257), expected)
    assert model.colorize(image.convert("L")).shape == (3, 40, 60)
    assert model.colorize(image, samples=2).shape == (2, 3, 40, 60)
    assert model.colorize(batch.repeat(2, 1, 1, 1)).shape == (2, 3, 40, 60)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.rand(1, 1, 8, 8) * 255, r"floating point in 0\.\.1, but is torch\.float32 from .* divide 8-bit pixels"),
        (torch.full((1, 1, 8, 8), torch.nan), "from nan to nan"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.int64), "is torch.int64 from 0 to 0"),
        (torch.rand(8, 8), r"has shape \(8, 8\); give \(1\|3, H, W\)"),
        (torch.rand(8, 8, 3), r"has shape \(8, 8, 3\)"),
        (torch.rand(1, 1, 0, 8), r"has shape \(1, 1, 0, 8\)"),
        (np.zeros((8, 8)), "not a ndarray; artcolor.colorize also takes files, arrays and lists"),
        ("portrait.jpg", "not a str"),
    ],
)
def test_what_is_no_picture_is_refused(model: ColorizationModel, given: Any, message: str) -> None:
    for call in (model.colorize, model.transforms()):
        with pytest.raises(ImageError, match=message):
            call(given)
