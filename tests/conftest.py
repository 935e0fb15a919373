"""What tests share: pictures, which are generated, a model, and a browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent


def make_painting(seed: int, width: int = 96, height: int = 80) -> Image.Image:
    """A picture of soft color fields, with blue above, green below, and a few warm spots."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    sky, ground = rng.uniform([60, 90, 140], [150, 170, 230]), rng.uniform([40, 70, 20], [120, 150, 80])
    horizon = rng.uniform(0.3, 0.5)
    mix = 1 / (1 + np.exp(-(y - horizon) * 40))[..., None]
    picture = sky * (1 - mix) + ground * mix
    for _ in range(4):
        cx, cy, radius = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.05, 0.2)
        spot = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / radius**2)[..., None]
        picture = picture * (1 - spot) + rng.uniform([150, 40, 20], [240, 140, 90]) * spot
    noise = rng.normal(0, 4, (height, width, 1))
    return Image.fromarray((picture + noise).clip(0, 255).astype(np.uint8))


@pytest.fixture(autouse=True)
def _few_threads() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def art(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set: 24 pictures to train, 6 to validate, with metadata.csv."""
    root = tmp_path_factory.mktemp("art")
    lines = ["file_name,split,artist,genre"]
    for split, numbers in (("train", range(24)), ("val", range(24, 30))):
        (root / split).mkdir()
        for number in numbers:
            name = f"{split}/{number:03d}.png"
            make_painting(number, 60 + number % 7 * 5, 64).save(root / name)
            lines.append(f"{name},{split},nobody,{('portrait', 'landscape', '')[number % 3]}")
    (root / "metadata.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTCOLOR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def half_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model `cnn` in an ONNX file that follows hints, with its kernels in float16."""
    import artcolor
    from artcolor.models.export import export_onnx

    path = tmp_path_factory.mktemp("half") / "cnn.onnx"
    path.write_bytes(export_onnx(artcolor.cnn(weights="DEFAULT"), half=True, hints=True))
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright; the test is skipped without them."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def painting() -> Image.Image:
    """One generated picture of 96 × 80 pixels."""
    return make_painting(1)
