import io
import itertools
import math
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import artcolor
from artcolor.color import rows, srgb
from artcolor.color.lab import lab_to_rgb_in_gamut, rgb_to_lab, rgb_to_lightness
from artcolor.errors import ConfigError, ImageError, WeightsError
from artcolor.images import decode
from tests.conftest import ROOT, make_painting


def lightness(array: np.ndarray) -> np.ndarray:
    """L in 0..1 of an array `(H, W[, 3])`, of any type."""
    scale = np.iinfo(array.dtype).max if array.dtype.kind == "u" else 1
    x = torch.from_numpy(array.astype(np.float64) / scale)
    return (rgb_to_lightness(x[None] if x.ndim == 2 else x.permute(2, 0, 1))[0] / 100).numpy()


def test_paths_give_pillow_images(tmp_path: Path, painting: Image.Image) -> None:
    path = tmp_path / "a.png"
    painting.convert("L").save(path)
    for given in (path, str(path)):
        result = artcolor.colorize(given)
        assert isinstance(result, Image.Image)
        assert (result.mode, result.size) == ("RGB", painting.size)


def test_a_real_painting_gets_plausible_colors() -> None:
    result = np.asarray(artcolor.colorize(ROOT / "examples" / "aigues_mortes.png")).astype(float)
    gray = np.asarray(Image.open(ROOT / "examples" / "aigues_mortes.png"))
    assert np.abs(lightness(result.astype(np.uint8)) - lightness(gray)).max() <= 1 / 255
    sky, sand = result[30:100, 50:550], result[320:350, 20:150]
    warmth = [float((part[..., 0] - part[..., 2]).mean()) for part in (sky, sand)]
    assert warmth[0] < warmth[1], "the sky is cooler than the sand"
    assert result.std(axis=-1).mean() > 4, "and nothing is gray"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(37, 50), (37, 50, 1), (37, 50, 3), (1, 1), (1, 90)])
def test_arrays_keep_type_size_and_lightness(dtype: type, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).random(shape)
    x = (values * np.iinfo(dtype).max).astype(dtype) if np.issubdtype(dtype, np.integer) else values.astype(dtype)
    before = x.copy()
    result = artcolor.colorize(x)
    assert result.dtype == dtype
    assert result.shape == (*shape[:2], 3)
    assert np.array_equal(x, before)
    flat = x[..., 0] if shape[-1:] == (1,) and len(shape) == 3 else x
    tolerance = 1 / 255 if dtype == np.uint8 else 3e-4
    assert np.abs(lightness(result) - lightness(flat)).max() <= tolerance


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(33, 40), (1, 33, 40), (3, 33, 40), (2, 1, 33, 40), (2, 3, 33, 40)])
def test_tensors(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    x = torch.rand(shape)
    x = (x * {torch.uint8: 255, torch.uint16: 65535}.get(dtype, 1)).to(dtype)
    result = artcolor.colorize(x)
    assert result.dtype == dtype
    assert tuple(result.shape) == ((*shape[:-3], 3, 33, 40) if len(shape) > 2 else (3, 33, 40))


def test_array_tensor_and_image_agree(painting: Image.Image) -> None:
    gray = np.asarray(painting.convert("L"))
    image = np.asarray(artcolor.colorize(painting.convert("L")))
    array = artcolor.colorize(gray)
    tensor = artcolor.colorize(torch.from_numpy(gray.copy())).permute(1, 2, 0).numpy()
    assert np.array_equal(image, array)
    assert np.abs(tensor.astype(int) - array).mean() < 1


def test_lists_keep_their_order_and_kinds(painting: Image.Image) -> None:
    gray = painting.convert("L")
    results = artcolor.colorize([gray, np.asarray(gray), torch.rand(8, 9)])
    kinds = [Image.Image, np.ndarray, torch.Tensor]
    assert all(isinstance(result, kind) for result, kind in zip(results, kinds, strict=True))
    assert artcolor.colorize([]) == []


def test_color_of_the_input_does_not_matter(painting: Image.Image) -> None:
    rgb = torch.from_numpy(np.array(painting)).permute(2, 0, 1)[None].double() / 255
    light = rgb_to_lightness(rgb)
    gray = ((light + 16) / 116).clamp(min=0)
    y = torch.where(light > 8, gray**3, light / 903.2963)
    srgb = torch.where(y <= 0.0031308, y * 12.92, 1.055 * y.clamp(min=1e-9) ** (1 / 2.4) - 0.055)
    torch.testing.assert_close(artcolor.colorize(srgb), artcolor.colorize(rgb), atol=0.02, rtol=0)


def test_the_default_model_is_kept() -> None:
    assert artcolor.Colorizer().model is artcolor.Colorizer().model


def test_knobs_change_the_picture(painting: Image.Image) -> None:
    gray = np.asarray(painting.convert("L"))
    dull = artcolor.colorize(gray, vividness=0, temperature=1).astype(int)
    vivid = artcolor.colorize(gray, vividness=1.5, temperature=0.3).astype(int)
    assert np.ptp(vivid, axis=-1).mean() > np.ptp(dull, axis=-1).mean() + 2
    assert not np.array_equal(artcolor.colorize(gray, size=96), artcolor.colorize(gray, size=256))
    for bad in ({"vividness": -1}, {"temperature": 0}, {"temperature": 2}, {"size": 3}):
        with pytest.raises(ConfigError):
            artcolor.colorize(gray, **bad)
    with pytest.raises(ConfigError, match="no weights called 'nope'"):
        artcolor.colorize(gray, model="nope")


def test_strips_leave_no_seams() -> None:
    colorizer = artcolor.Colorizer()
    flat = np.full((1300, 900), 120, np.uint8)
    result = colorizer(flat).astype(int)
    steps = np.abs(np.diff(result, axis=0)).max(axis=(1, 2))
    strip, part = rows._STRIP_PIXELS // 900, srgb.PART_PIXELS // 900
    borders = np.array([strip - 1, *range(part - 1, 1299, part)])
    assert strip < 1300
    assert len(borders) > 3
    assert steps[borders].max() <= np.delete(steps, borders).max()


def test_colorizers_can_be_pickled() -> None:
    """Worker processes that are spawned get their colorizer so."""
    gray = np.linspace(0, 255, 40 * 60).astype(np.uint8).reshape(40, 60)
    for options in ({}, {"palette": ["teal", "gold"]}, {"hints": [{"x": 0.5, "y": 0.5, "color": "teal"}]}):
        colorizer = artcolor.Colorizer("cnn", **options)
        again = pickle.loads(pickle.dumps(colorizer))
        assert np.array_equal(again(gray), colorizer(gray))
        assert again.provenance == colorizer.provenance


def test_workers_of_a_fork_server_get_a_colorizer() -> None:
    """The default on Linux from Python 3.14 on. It passes 253 file descriptors at most; a shared tensor takes one."""
    gray = np.linspace(0, 255, 40 * 60).astype(np.uint8).reshape(40, 60)
    colorizer = artcolor.Colorizer("unet")
    loader = DataLoader([gray], num_workers=1, collate_fn=colorizer, multiprocessing_context="forkserver")
    ((colored,),) = loader
    assert np.array_equal(colored, colorizer(gray))


def test_from_several_threads(painting: Image.Image) -> None:
    colorizer = artcolor.Colorizer()
    grays = [np.asarray(make_painting(seed).convert("L")) for seed in range(8)]
    expected = [colorizer(gray) for gray in grays]
    with ThreadPoolExecutor(4) as pool:
        for found, alone in zip(pool.map(colorizer, grays), expected, strict=True):
            assert np.array_equal(found, alone)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((3, 40, 50)), r"channels first.*transpose\(1, 2, 0\)"),
        (np.zeros((4, 40, 50, 3)), "give .H, W."),
        (np.zeros((0, 5)), "empty"),
        (np.full((5, 5), 7.0), "contains 7 to 7.*divide by 255"),
        (np.full((5, 5), np.nan), "holds NaN"),
        (np.zeros((5, 5), np.int32), "holds int32"),
        (np.zeros(7), r"shape \(7,\)"),
        (torch.zeros(40, 50, 3), r"shape \(40, 50, 3\)"),
        (torch.full((5, 5), -0.5), "contains -0.5"),
        (torch.zeros(5, 5, dtype=torch.int64), "int64"),
        (torch.zeros(1, 0, 5), "empty"),
        (None, "cannot colorize a NoneType"),
        (b"bytes", "bytes given are not a picture"),
        (b"", "empty"),
        (io.StringIO("text"), "binary"),
        ({"a": 1}, "cannot colorize a dict"),
        ("https://example.org/a.jpg", "https://example.org/a.jpg is an address.*download"),
        ("data:image/png;base64,AAAA", "is an address"),
        (np.zeros((5, 5), bool), "holds bool"),
        (torch.full((5, 5), float("nan")), "holds NaN"),
        ("no/such/file.png", "no file no/such/file.png"),
        (Path(), "is a folder"),
    ],
)
def test_bad_input_is_refused_with_a_reason(x: object, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        artcolor.colorize(x)


class _Path:
    """What libraries other than pathlib give for a path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


def test_any_kind_of_path_and_bytes(tmp_path: Path, painting: Image.Image) -> None:
    path = tmp_path / "a.png"
    painting.convert("L").save(path)
    expected = np.asarray(artcolor.colorize(painting.convert("L")))
    for given in (path, str(path), _Path(path), path.read_bytes(), bytearray(path.read_bytes())):
        assert np.array_equal(np.asarray(artcolor.colorize(given)), expected)
    with path.open("rb") as file:
        assert np.array_equal(np.asarray(artcolor.colorize(file)), expected)
        assert not file.closed
    assert np.array_equal(np.asarray(artcolor.colorize(io.BytesIO(path.read_bytes()))), expected)


def test_iterators_are_streamed() -> None:
    taken = []

    def endless() -> Iterator[np.ndarray]:
        for number in itertools.count():
            taken.append(number)
            yield np.full((20 + number % 2, 30), 100, np.uint8)

    stream = artcolor.colorize(endless(), batch_size=3)
    assert not taken, "nothing is read before it is asked for"
    shapes = [next(stream).shape for _ in range(4)]
    assert shapes == [(20, 30, 3), (21, 30, 3)] * 2
    assert len(taken) == 6


def test_what_comes_before_a_bad_one_in_a_stream_is_delivered() -> None:
    stream = artcolor.colorize(iter([np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.int64)]), batch_size=8)
    assert next(stream).shape == (4, 5, 3)
    with pytest.raises(ImageError, match="int64"):
        next(stream)


def test_batches_do_not_change_colors() -> None:
    pictures = [np.asarray(make_painting(seed, 60 + seed % 3 * 20, 64).convert("L")) for seed in range(7)]
    alone = artcolor.colorize(pictures, batch_size=1)
    for together, one in zip(artcolor.colorize(pictures, batch_size=4), alone, strict=True):
        assert np.abs(together.astype(int) - one).max() <= 1
    with pytest.raises(ConfigError, match="batch_size must be at least 1, not 0"):
        artcolor.colorize(pictures, batch_size=0)


def test_strength_is_a_gain_of_chroma(painting: Image.Image) -> None:
    gray = np.asarray(painting.convert("L"))
    chroma = [np.ptp(artcolor.colorize(gray, strength=s).astype(int), axis=-1).mean() for s in (0, 0.5, 1, 2)]
    assert chroma[0] == 0
    assert chroma[1] == pytest.approx(chroma[2] / 2, rel=0.1)
    assert chroma[3] > 1.5 * chroma[2]
    for bad in (-1, math.inf, math.nan):
        with pytest.raises(ConfigError, match="strength must be 0 to 100"):
            artcolor.colorize(gray, strength=bad)


def test_seeds_choose_among_the_colorings_of_a_vae(painting: Image.Image) -> None:
    torch.manual_seed(0)
    model = artcolor.vae(width=16)
    for name, parameter in model.named_parameters():
        if "encoder" not in name:
            torch.nn.init.normal_(parameter, std=0.2)
    gray = np.asarray(painting.convert("L"))
    first, again, other, typical = (artcolor.colorize(gray, model, seed=seed) for seed in (1, 1, 2, None))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, typical)
    with pytest.raises(ConfigError, match="seed=1: cnn_report is deterministic; `seed` requires `ae`, .* or `vae`"):
        artcolor.colorize(gray, "cnn_report", seed=1)


def test_colored_pictures_can_be_left_alone(painting: Image.Image) -> None:
    gray = Image.merge("RGB", [painting.convert("L")] * 3)
    left, colored = artcolor.colorize([painting, gray], skip_colored=True)
    assert np.array_equal(np.asarray(left), np.asarray(painting))
    assert not np.array_equal(np.asarray(colored), np.asarray(gray))
    assert not np.array_equal(np.asarray(artcolor.colorize(painting)), np.asarray(painting))
    tensor = torch.from_numpy(np.array(painting)).permute(2, 0, 1)
    assert torch.equal(artcolor.colorize(tensor, skip_colored=True), tensor)


def test_a_layer_of_chroma_makes_the_coloring_again(painting: Image.Image) -> None:
    gray = np.asarray(painting.convert("L"))
    layer = artcolor.colorize(gray, chroma_only=True, vividness=0)
    assert np.ptp(lightness(layer)) < 1.5 / 100
    assert lightness(layer).mean() == pytest.approx(0.6, abs=0.01)
    ab = rgb_to_lab(torch.from_numpy(layer).permute(2, 0, 1).float() / 255)[1:]
    light = rgb_to_lightness(torch.from_numpy(gray.copy())[None].float() / 255)
    laid_over = lab_to_rgb_in_gamut(light[None], ab[None])[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(laid_over - artcolor.colorize(gray, vividness=0)).max() < 4


def test_uncertainty_is_a_map_of_the_pictures_size(painting: Image.Image) -> None:
    colorizer = artcolor.Colorizer()
    found = colorizer.uncertainty(painting)
    assert (found.mode, found.size) == ("L", painting.size)
    values = np.asarray(found)
    assert 0 < values.min() < values.max() < 255
    light = rgb_to_lightness(torch.from_numpy(np.array(painting)).permute(2, 0, 1)[None].float() / 255)
    p = colorizer.model.predict_distribution(colorizer.look(decode(painting)))
    nats = -(p * p.log()).sum(1) / math.log(p.shape[1])
    assert values.mean() == pytest.approx(255 * float(nats.mean()), abs=1)
    assert light.shape[-2:] == values.shape
    with pytest.raises(ConfigError, match="cnn_report predicts colors, not a distribution"):
        artcolor.Colorizer(artcolor.cnn_report(width=8)).uncertainty(painting)
    with pytest.raises(ImageError, match="one picture, not 2"):
        colorizer.uncertainty(torch.zeros(2, 1, 8, 8))


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_devices_that_are_not_there(device: str) -> None:
    with pytest.raises(ConfigError, match=f"device {device} cannot be used here.*'cpu'"):
        artcolor.Colorizer(device=device)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_picture_is_made_of_numbers_that_are_not_finite(value: float, painting: Image.Image) -> None:
    model = artcolor.cnn(weights="DEFAULT")
    with torch.no_grad():
        model.head.project.bias[3] = value
    light = torch.rand(1, 1, 32, 32) * 100
    for run in (
        lambda: artcolor.colorize(painting, model),
        lambda: model.predict_ab(light),
        lambda: model.predict_distribution(light),
        lambda: model.colorize(light / 100),
        lambda: artcolor.Colorizer(model).uncertainty(painting),
    ):
        with pytest.raises(WeightsError, match="the network cnn returned NaN or infinity"):
            run()


def test_a_text_file_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "note.jpg"
    path.write_text("not a picture")
    with pytest.raises(ImageError, match=r"note\.jpg is not a picture"):
        artcolor.colorize(path)
