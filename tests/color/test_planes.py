"""Whatever the picture and the options, lightness stays: before encoding, and in files that lose nothing."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.nn import functional as F

import artcolor
from artcolor.color.lab import rgb_to_lightness
from artcolor.color.transforms import JoinChroma
from artcolor.engine.colorizer import Colorizer
from artcolor.images import Picture, decode, save_picture
from artcolor.models.base import ColorizationModel

MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "I;16",
    "I;16B",
    "F",
]
LOSSLESS = [".png", ".tif", ".webp", ".jp2", ".bmp", ".ppm"]
ONE_STEP = 1 / 255


def lightness(pixels: np.ndarray) -> np.ndarray:
    """L in 0..1 of `(H, W)` or `(H, W, 3)`, of any type."""
    scale = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    x = torch.from_numpy(pixels.astype(np.float64) / scale)
    return (rgb_to_lightness(x[None] if x.ndim == 2 else x.permute(2, 0, 1))[0] / 100).numpy()


def image_of(mode: str, width: int, height: int, rng: np.random.Generator) -> Image.Image:
    """Noise of all values that the mode can hold."""
    deep = rng.integers(0, 65536, (height, width), dtype=np.uint16)
    if mode == "1":
        return Image.fromarray(rng.random((height, width)) > 0.5)
    if mode == "I;16B":
        return Image.frombytes(mode, (width, height), deep.astype(">u2").tobytes())
    if mode in ("I", "I;16", "F"):
        values = {"I": deep.astype(np.int32), "I;16": deep, "F": (deep / 65535).astype(np.float32)}
        return Image.fromarray(values[mode])
    if mode in ("P", "PA"):
        colors = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert("P")
        return colors if mode == "P" else colors.convert("PA")
    bands = {"L": 1, "LA": 2, "La": 2, "RGB": 3, "RGBA": 4, "RGBa": 4, "CMYK": 4, "YCbCr": 3, "LAB": 3, "HSV": 3}[mode]
    noise = rng.integers(0, 256, (height, width, bands), dtype=np.uint8)
    if mode in ("La", "RGBa"):
        # Premultiplied colors are never above their alpha.
        noise[..., :-1] = np.minimum(noise[..., :-1], noise[..., -1:])
    return Image.frombytes(mode, (width, height), noise.tobytes())


@pytest.fixture(scope="module")
def model() -> ColorizationModel:
    return artcolor.unet(weights="DEFAULT")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mode=st.sampled_from(MODES),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
    vividness=st.floats(0, 3),
    temperature=st.floats(0.05, 1),
    strength=st.floats(0, 5),
)
def test_of_every_mode(
    model: artcolor.models.base.ColorizationModel,
    mode: str,
    width: int,
    height: int,
    seed: int,
    vividness: float,
    temperature: float,
    strength: float,
) -> None:
    image = image_of(mode, width, height, np.random.default_rng(seed))
    colorizer = Colorizer(model, vividness=vividness, temperature=temperature, strength=strength, size=64)
    picture = decode(image)
    (colored,) = colorizer.pictures([picture])
    assert colored.pixels.shape == (height, width, 3)
    assert colored.pixels.dtype == picture.pixels.dtype
    assert np.abs(lightness(colored.pixels) - lightness(picture.pixels)).max() <= ONE_STEP
    result = colorizer(image)
    assert np.abs(lightness(np.asarray(result.convert("RGB"))) - lightness(picture.pixels)).max() <= ONE_STEP


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(LOSSLESS),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
)
def test_in_files_that_lose_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    model: artcolor.models.base.ColorizationModel,
    suffix: str,
    dtype: type,
    width: int,
    height: int,
    seed: int,
) -> None:
    gray = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, (height, width), dtype=dtype, endpoint=True)
    info = {"format": "WEBP", "lossless": True} if suffix == ".webp" else {}
    (colored,) = Colorizer(model, size=64).pictures([Picture(gray, None, info)])
    path = tmp_path_factory.mktemp("files") / f"a{suffix}"
    save_picture(colored, path)
    with artcolor.images.open_file(path) as file:
        (found,) = file
    if found.pixels.dtype == dtype:
        assert np.array_equal(found.pixels, colored.pixels)
    assert np.abs(lightness(found.pixels) - lightness(gray)).max() <= ONE_STEP


def test_16_bits_stay_accurate_to_16_bits(model: artcolor.models.base.ColorizationModel, tmp_path: Path) -> None:
    gray = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(gray).save(tmp_path / "a.png")
    with artcolor.images.open_file(tmp_path / "a.png") as file:
        save_picture(next(Colorizer(model).pictures(file)), tmp_path / "b.tif")
    with artcolor.images.open_file(tmp_path / "b.tif") as file:
        (found,) = file
    assert found.pixels.dtype == np.uint16
    # Rounding three channels moves Y by half a step of each at most; L of the darkest moves most.
    assert np.abs(lightness(found.pixels) - lightness(gray)).max() <= 2 / 65535


def test_bytes_files_and_paths_agree(tmp_path: Path) -> None:
    image = image_of("L", 30, 20, np.random.default_rng(1))
    path = tmp_path / "a.png"
    image.save(path)
    expected = np.asarray(artcolor.colorize(image))
    with path.open("rb") as file:
        for given_ in (
            path,
            str(path),
            path.read_bytes(),
            memoryview(path.read_bytes()),
            io.BytesIO(path.read_bytes()),
            file,
        ):
            assert np.array_equal(np.asarray(artcolor.colorize(given_)), expected), type(given_)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (30, 40), (10, 90), (60, 8)])
def test_pictures_smaller_than_the_grid_get_its_reduced_chroma(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    ab = 30 * torch.randn(1, 2, 24, 32)
    found = JoinChroma(ab, *size).ab()
    down = (min(size[0], 24), min(size[1], 32))
    # One axis after the other, because reduction and enlargement differ.
    small = F.interpolate(ab, (down[0], 32), mode="bicubic", antialias=True) if down[0] < 24 else ab
    small = F.interpolate(small, (down[0], down[1]), mode="bicubic", antialias=True) if down[1] < 32 else small
    expected = F.interpolate(small, size, mode="bicubic")
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
    assert size == (1, 1) or found.std() > 1
