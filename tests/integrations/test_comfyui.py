"""The nodes, loaded and called as ComfyUI does it, with released weights."""

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import artcolor
from artcolor.color import planes
from tests.conftest import ROOT, make_painting


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The file in a folder of its own, imported under the name that ComfyUI gives it: its path."""
    path = tmp_path_factory.mktemp("custom_nodes") / "artcolor_nodes.py"
    shutil.copy(ROOT / "integrations" / "comfyui" / "artcolor_nodes.py", path)
    name = str(path.with_suffix(""))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules[name]


def call(nodes: ModuleType, node: str, **given: Any) -> Any:
    """Runs a node with its defaults where nothing is given."""
    made = nodes.NODE_CLASS_MAPPINGS[node]()
    inputs = made.INPUT_TYPES()
    defaults = {
        name: how[1]["default"] for name, how in inputs["required"].items() if "default" in (how[1:] or [{}])[0]
    }
    assert set(given) <= {*inputs["required"], *inputs["optional"]}
    with torch.inference_mode():
        results = getattr(made, made.FUNCTION)(**defaults | given)
    assert len(results) == len(made.RETURN_TYPES) == len(made.RETURN_NAMES)
    return results


def image(*seeds: int, width: int = 96, height: int = 80) -> torch.Tensor:
    """Gray pictures as ComfyUI loads them."""
    gray = [np.asarray(make_painting(seed, width, height).convert("L").convert("RGB")) for seed in seeds]
    return torch.from_numpy(np.stack(gray).astype(np.float32) / 255)


def arrays(batch: torch.Tensor) -> np.ndarray:
    return batch.numpy()


def test_what_comfyui_reads(nodes: ModuleType) -> None:
    assert set(nodes.NODE_CLASS_MAPPINGS) == set(nodes.NODE_DISPLAY_NAME_MAPPINGS)
    for node in nodes.NODE_CLASS_MAPPINGS.values():
        assert node.CATEGORY == "image/artcolor"
        assert callable(getattr(node(), node.FUNCTION))
    inputs = nodes.ArtcolorColorize.INPUT_TYPES()["required"]
    assert inputs["model"][0] == artcolor.list_models(pretrained=True)
    assert inputs["seed"][1]["control_after_generate"] is False


@pytest.mark.parametrize("model", ["unet", "ae_report"])
def test_gives_what_artcolor_gives(nodes: ModuleType, model: str) -> None:
    batch = image(1, 2)
    colored, uncertain = call(nodes, "ArtcolorColorize", image=batch, model=model)
    assert colored.shape == batch.shape
    assert colored.dtype == torch.float32
    assert uncertain.shape == batch.shape[:3]
    for one, gray in zip(colored, batch, strict=True):
        expected = artcolor.colorize(arrays(gray), model=model)
        assert np.abs(arrays(one) - expected).max() < 1 / 255
    if model == "unet":
        expected = artcolor.Colorizer(model).uncertainty(arrays(batch[1]))
        assert np.abs(arrays(uncertain[1]) * 255 - np.asarray(expected)).max() <= 1
    else:
        assert not uncertain.any()


def test_options(nodes: ModuleType) -> None:
    batch = image(3)
    options = {"vividness": 1.0, "temperature": 0.5, "strength": 1.3, "seed": 5}
    colored, _ = call(nodes, "ArtcolorColorize", image=batch, **options)
    assert np.abs(arrays(colored[0]) - artcolor.colorize(arrays(batch[0]), **options)).max() < 1 / 255
    gray, _ = call(nodes, "ArtcolorColorize", image=batch, strength=0.0)
    assert (gray - batch).abs().max() < 1 / 255


def test_other_images(nodes: ModuleType) -> None:
    batch = image(3)
    with_alpha = torch.cat([batch, torch.full_like(batch[..., :1], 0.5)], -1)
    plain, _ = call(nodes, "ArtcolorColorize", image=batch)
    colored, _ = call(nodes, "ArtcolorColorize", image=with_alpha)
    assert torch.equal(colored, plain)
    single, _ = call(nodes, "ArtcolorColorize", image=batch[..., :1])
    assert (single - plain).abs().max() < 1 / 255
    outside, _ = call(nodes, "ArtcolorColorize", image=batch * 1.2 - 0.1)
    assert outside.shape == batch.shape


def test_hints_are_met_and_chained(nodes: ModuleType, tmp_path: Path) -> None:
    batch = image(4, 5)
    left, right = torch.zeros(1, 80, 96), torch.zeros(2, 80, 96)
    left[:, 20:40, 10:30] = 1
    right[0, 20:40, 60:90] = 1
    right[1, 50:70, 60:90] = 1
    (first,) = call(nodes, "ArtcolorHint", mask=left[0], color="lab(50 12 -14)")
    (both,) = call(nodes, "ArtcolorHint", mask=right, color="lab(50 10 12)", hints=first)
    assert len(first) == 1
    colored, _ = call(nodes, "ArtcolorColorize", image=batch, hints=both)
    for number, one in enumerate(colored):
        ab = np.moveaxis(planes.lab(arrays(one)), 0, -1)[..., 1:]
        # Regions are met within a few Lab units (docs/hints.md).
        assert np.abs(ab[left[0] > 0] - (12, -14)).mean() < 2
        assert np.abs(ab[right[number] > 0] - (10, 12)).mean() < 2
        hints = []
        for mask, color in ((left[0], "lab(50 12 -14)"), (right[number], "lab(50 10 12)")):
            path = tmp_path / f"{number}-{len(hints)}.png"
            Image.fromarray((arrays(mask) * 255).astype(np.uint8)).save(path)
            hints.append({"mask": str(path), "color": color})
        expected = artcolor.colorize(arrays(batch[number]), hints=hints)
        assert np.abs(arrays(one) - expected).max() < 1 / 255


def test_mistakes_are_told_in_sentences(nodes: ModuleType) -> None:
    batch, mask = image(6, 7), torch.ones(1, 80, 96)
    check = nodes.ArtcolorHint.VALIDATE_INPUTS
    assert check(color="navy") is True
    assert check() is True
    assert "is not a color" in check(color="nosuch")
    for given, message in (
        (torch.zeros(1, 64, 64), r"hint 1 \(navy\) has 64 × 64 pixels, the image 96 × 80; resize"),
        (torch.zeros(1, 80, 96), "marks nothing; paint the place"),
        (torch.ones(3, 80, 96), "is a batch of 3, but there are 2 images; give 1 or 2"),
    ):
        (hints,) = call(nodes, "ArtcolorHint", mask=given, color="navy")
        with pytest.raises(ValueError, match=message):
            call(nodes, "ArtcolorColorize", image=batch, hints=hints)
    (hints,) = call(nodes, "ArtcolorHint", mask=mask, color="nosuch")
    with pytest.raises(artcolor.ArtcolorError, match="is not a color"):
        call(nodes, "ArtcolorColorize", image=batch, hints=hints)
    with pytest.raises(artcolor.ArtcolorError, match="deterministic"):
        call(nodes, "ArtcolorColorize", image=batch, model="ae_report", seed=1)
