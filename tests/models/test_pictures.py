"""What people who come from torchvision hand to `weights.transforms()` and `model.colorize`."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image
from torch import Tensor

import artcolor
from artcolor.errors import ImageError
from artcolor.images import decode
from artcolor.models.base import ColorizationModel
from tests.conftest import ROOT, make_painting


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
    expected = transform(batch)
    assert expected.shape[:2] == (1, 1)
    # The network sees what it sees of files.
    assert torch.equal(expected, artcolor.Colorizer("cnn").look(decode(image)))
    for single in (image, batch[0]):
        assert torch.equal(transform(single), expected[0])
    for same in (batch.float() / 255, batch.double() / 255, batch.to(torch.uint16) * 257):
        torch.testing.assert_close(transform(same), expected, atol=0.5, rtol=0)
    assert torch.equal(transform(batch[0, 0]), transform(batch[0, :1]))
    found = transform([image, batch[0, :, :20], batch])
    assert [tuple(each.shape[:-2]) for each in found] == [(1,), (1,), (1, 1)]
    assert torch.equal(found[0], expected[0])
    assert artcolor.cnn(width=16).eval().predict_ab(transform(image)[None]).shape[:2] == (1, 2)


EIGHT_BITS = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")


@pytest.mark.parametrize("mode", [*EIGHT_BITS, "I", "I;16", "I;16B", "F"])
def test_transforms_take_images_of_any_mode(image: Image.Image, mode: str) -> None:
    gray = image.convert("1" if mode == "1" else "L")
    if mode == "F":
        given = Image.fromarray(np.asarray(gray, np.float32) / 255)
    elif mode.startswith("I"):
        dtype = {"I": np.int32, "I;16": "<u2", "I;16B": ">u2"}[mode]
        given = Image.fromarray((np.asarray(gray).astype(np.uint16) * 257).astype(dtype))
    else:
        given = gray.convert(mode)
    assert given.mode == mode
    transform = artcolor.CNN_Weights.DEFAULT.transforms()
    torch.testing.assert_close(
        transform(given), transform(gray.convert("L")), atol=0.01 if given.mode in EIGHT_BITS else 0.5, rtol=0
    )


def test_colorize_takes_images_and_single_tensors(model: ColorizationModel, image: Image.Image, batch: Tensor) -> None:
    expected = model.colorize(batch)
    assert expected.shape == (1, 3, 40, 60)
    for single in (image, batch[0]):
        assert torch.equal(model.colorize(single), expected[0])
    # As Colorizer does, of which the result has 8 bits.
    whole = torch.from_numpy(np.array(artcolor.colorize(image, "cnn"))).permute(2, 0, 1) / 255
    torch.testing.assert_close(expected[0], whole, atol=1.1 / 255, rtol=0)
    floats = batch.float() / 255
    for same in (floats, floats.double(), floats.half(), floats.requires_grad_(), batch.to(torch.uint16) * 257):
        found = model.colorize(same)
        assert found.dtype == torch.float32
        # Of 8 bits, the network sees a picture of 8 bits, which differs in the last one.
        assert (found - expected).abs().mean() < 0.005
    # Resizing leaves values a little outside, which are clipped.
    beyond = torch.tensor([-0.1, 0.5, 1.1]).reshape(1, 1, 3)
    assert torch.equal(model.colorize(beyond), model.colorize(beyond.clamp(0, 1)))
    assert model.colorize(batch[0, 0]).shape == (3, 40, 60)
    assert model.colorize(image.convert("L")).shape == (3, 40, 60)
    assert model.colorize(image, samples=2).shape == (2, 3, 40, 60)
    assert model.colorize(batch.repeat(2, 1, 1, 1)).shape == (2, 3, 40, 60)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.rand(1, 1, 8, 8) * 255, r"floats must be in 0\.\.1 \(divide by 255\?\)"),
        (torch.full((1, 1, 8, 8), torch.nan), "NaN or infinity"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.int64), "holds torch.int64; give uint8, uint16, or floats"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.uint32), "holds torch.uint32"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.complex64), "holds torch.complex64"),
        (torch.zeros(8, 8, dtype=torch.bool), "holds torch.bool"),
        (torch.rand(8), r"has shape \(8,\); give \(H, W\), \(1\|3, H, W\)"),
        (torch.rand(8, 8, 3), r"has shape \(8, 8, 3\)"),
        (torch.rand(2, 8, 8), r"has shape \(2, 8, 8\)"),
        (torch.rand(1, 1, 0, 8), r"is empty: its shape is \(1, 1, 0, 8\)"),
        (Image.new("L", (0, 8)), "the picture is empty: 0 × 8 pixels"),
    ],
)
def test_what_is_no_picture_is_refused(model: ColorizationModel, given: Any, message: str) -> None:
    # One check serves both ways.
    for call in (model.colorize, model.transforms(), artcolor.Colorizer("cnn")):
        with pytest.raises(ImageError, match=message):
            call(given)


@pytest.mark.parametrize(("given", "message"), [(np.zeros((8, 8)), "not ndarray; art.* files"), ("a.jpg", "not str")])
def test_files_and_arrays_are_for_colorizers(model: ColorizationModel, given: Any, message: str) -> None:
    for call in (model.colorize, model.transforms()):
        with pytest.raises(ImageError, match=message):
            call(given)


def test_a_turned_image_is_colorized_upright(model: ColorizationModel, image: Image.Image) -> None:
    turned = image.copy()
    turned.getexif()[ExifTags.Base.Orientation] = 6
    assert torch.equal(model.colorize(turned), model.colorize(image.transpose(Image.Transpose.ROTATE_270)))


WITHOUT_READERS = """
import sys
sys.modules |= {"imagecodecs": None, "tifffile": None}
import torch
from PIL import ExifTags, Image
import artcolor
model = artcolor.cnn(width=16)
assert model.colorize(torch.rand(1, 40, 60)).shape == (3, 40, 60)
for given in (Image.new("L", (60, 40)), torch.rand(40, 60) * 255):
    try:
        model.colorize(given)
    except artcolor.ArtcolorError as error:
        print(error)
"""


def test_tensors_need_no_readers_of_files() -> None:
    """As with torch.hub, which installs nothing."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_READERS], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.count("needs imagecodecs, which is not installed: install artcolor") == 2, done.stderr
