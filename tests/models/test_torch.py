"""Models under `torch.compile`, `torch.export`, autocast and half precision."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.export import Dim

import artcolor
from artcolor.color.lab import rgb_to_lightness
from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel
from tests.conftest import ROOT

SIZES = ((2, 64, 96), (3, 160, 224), (1, 96, 64), (2, 128, 64))


def light_of(size: tuple[int, int, int]) -> torch.Tensor:
    return torch.rand(size[0], 1, *size[1:], generator=torch.Generator().manual_seed(0)) * 100


@pytest.fixture(params=["cnn", "unet"], scope="module")
def model(request: pytest.FixtureRequest) -> ColorizationModel:
    return artcolor.get_model(request.param, pretrained=True)


@torch.no_grad()
def test_export_with_dynamic_sizes(model: ColorizationModel) -> None:
    stride = model.network.stride
    shapes = ({0: Dim("n"), 2: stride * Dim("h", max=64), 3: stride * Dim("w", max=64)},)
    exported = torch.export.export(model, (light_of(SIZES[0]),), dynamic_shapes=shapes).module()
    for size in SIZES:
        light = light_of(size)
        torch.testing.assert_close(exported(light), model(light), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_compiles_once_for_all_sizes(model: ColorizationModel) -> None:
    # Without code generation, which takes a minute. A break of the graph would be an error.
    compiled = torch.compile(model, dynamic=True, fullgraph=True, backend="eager")
    # PyTorch always compiles anew for a batch of one.
    for number, size in enumerate(size for size in SIZES if size[0] > 1):
        light = light_of(size)
        with torch.compiler.set_stance("fail_on_recompile" if number else "default"):
            found = compiled(light)
        torch.testing.assert_close(found, model(light), rtol=1e-4, atol=1e-4)


def test_compiled_models_are_saved_and_colorize(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = artcolor.cnn(width=16).eval()
    compiled = torch.compile(model, backend="eager")
    artcolor.save_weights(compiled, tmp_path / "a.safetensors")
    artcolor.save_weights(model, tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    gray = torch.rand(1, 40, 60)
    assert torch.equal(compiled.colorize(gray), model.colorize(gray))
    assert torch.equal(artcolor.Colorizer(compiled)(gray), artcolor.Colorizer(model)(gray))
    with pytest.raises(ConfigError, match="a name, a path or a model of artcolor, not DataParallel"):
        artcolor.Colorizer(torch.nn.DataParallel(model))


@pytest.mark.parametrize("name", artcolor.list_models())
def test_autocast_and_half_precision_predict_nearly_the_same(name: str) -> None:
    exact = artcolor.get_model(name, pretrained=True)
    image = Image.open(ROOT / "docs/pictures/bazille_aigues_mortes.jpg").convert("RGB").resize((300, 200))
    light = exact.transforms()(image)[None]
    expected = exact.predict_ab(light)
    with torch.autocast("cpu", torch.bfloat16):
        found = [exact.predict_ab(light)]
        rgb = exact.colorize(image)
    assert rgb.dtype == torch.float32
    pixels = torch.from_numpy(np.asarray(image) / np.float32(255)).permute(2, 0, 1)[None]
    kept = rgb_to_lightness(rgb[None]) - rgb_to_lightness(pixels)
    assert kept.abs().max() < 0.02, "lightness must be preserved"
    for dtype in (torch.bfloat16, torch.float16):
        half = artcolor.get_model(name, pretrained=True).to(dtype)
        found.append(half.predict_ab(light))
        assert half.colorize(image, reference=torch.rand(1, 3, 32, 32)).dtype == torch.float32
        side = half.network.fixed_size or 64
        assert torch.isfinite(half(torch.rand(1, 1, side, side) * 100)).all()
    # Networks tell real pictures clearly; a pattern without meaning may change more.
    for ab in found:
        assert ab.dtype == torch.float32
        assert (ab - expected).abs().mean() < 1.5
