"""The rooms of the package: arrows point down, files stay short, and each step of the road exists once (DESIGN)."""

import ast
import re
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from sitegen.modulemap import imports

PACKAGE = ROOT / "artcolor"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# Room → the rooms that it may import from.
FOUNDATION = {"errors", "files"}
PICTURES = FOUNDATION | {"color", "images"}
MODELS = PICTURES | {"zoo", "models"}
ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "color": FOUNDATION,
    "images": FOUNDATION | {"color"},
    "zoo": FOUNDATION,
    "models": PICTURES | {"zoo"},
    "engine": MODELS,
    "batch": MODELS | {"engine"},
    "data": MODELS,
    "evaluate": MODELS | {"engine", "data"},
    "train": MODELS | {"data", "evaluate"},
    "video": MODELS | {"engine"},
    "iiif": MODELS | {"engine", "batch"},
    "serve": MODELS | {"engine", "batch"},
    "scale": MODELS | {"engine", "batch"},
    "cli": MODELS | {"engine", "batch", "iiif", "video", "scale", "serve", "data", "evaluate", "train"},
    "hubconf": MODELS,
}
FAMILIES = {path.stem for path in (PACKAGE / "models").glob("*.py") if "@register_model(" in path.read_text()}


def test_arrows_point_down() -> None:
    found = imports()
    assert set(found) == set(ALLOWED)
    upward = {room: sorted(others - ALLOWED[room] - {room}) for room, others in found.items()}
    assert not {room: others for room, others in upward.items() if others}


def test_the_map_finds_imports(tmp_path: Path) -> None:
    found = imports()
    assert "models" in found["engine"]
    assert "images" in found["data"]
    assert "torch" not in set().union(*found.values())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 410


def test_no_family_is_known_outside_of_models() -> None:
    assert {"unet", "vae", "student_report"} <= FAMILIES
    for path in SOURCES:
        if path.parent.name == "models":
            continue
        text = path.read_text()
        assert not re.search(rf"artcolor\.models\.({'|'.join(FAMILIES)})\b", text), path
        assert not re.search(r"isinstance\([^)]*\b(VAE|UNet|CNN|AE|CIC|SplitBrain)\w*\)", text), path


def calls(path: Path) -> set[str]:
    """Names of functions and methods that a file calls."""
    tree = ast.parse(path.read_text())
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {getattr(function, "attr", getattr(function, "id", "")) for function in functions}


def callers(*names: str) -> set[str]:
    return {str(path.relative_to(PACKAGE)) for path in SOURCES if set(names) & calls(path)}


def test_each_step_of_the_road_exists_once() -> None:
    """Whoever needs a colored picture calls the step; nobody writes it again."""
    # Files become pixels.
    decoding = callers("HeifImageFile", "TiffFile", "png_decode", "JpegImageFile")
    assert {path for path in decoding if not path.startswith("images/")} == set()
    assert "Image.open(" not in "".join(path.read_text() for path in SOURCES)
    # Pixels become L, and chroma becomes pixels.
    color = {f"color/{name}.py" for name in ("planes", "srgb", "lab", "yuv")}
    assert callers("lightness_of", "linear_of", "linear_to_lightness") <= color
    assert callers("lab_to_linear_in_gamut", "outside_gamut", "largest_scale") <= color
    # A network runs.
    assert callers("_complete") == {"models/base.py"}
    assert callers("inference_copy") <= {"engine/predict.py", "engine/session.py", "train/objectives/distillation.py"}
