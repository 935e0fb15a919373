"""The page as it is put on a host of static files."""

import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.serve.browsing import PICTURE, hosted

WEB = ROOT / "artcolor" / "serve" / "web"


@pytest.fixture(scope="session")
def page_maker() -> Any:
    """The module that `scripts/make_page.py` calls; the test is skipped without what it needs."""
    if not (WEB / "vendor").is_dir():
        pytest.skip("needs onnxruntime-web: python scripts/fetch_onnxruntime_web.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "scripts"))
        return importlib.import_module("sitegen.page")


@pytest.fixture(scope="session")
def built_page(tmp_path_factory: pytest.TempPathFactory, half_onnx: Path, page_maker: Any) -> Path:
    """The page with the model `cnn`; tests change a copy of it."""
    folder: Path = tmp_path_factory.mktemp("page") / "demo"
    page_maker.build(folder, half_onnx)
    return folder


@pytest.fixture
def own_page(tmp_path: Path, built_page: Path) -> Path:
    """A copy of the page that the test may change, in a folder as on GitHub Pages."""
    folder = tmp_path / "host" / "artcolor" / "demo"
    shutil.copytree(built_page, folder)
    return folder


@pytest.fixture(scope="module")
def address(built_page: Path) -> Iterator[str]:
    """Where the page is."""
    with hosted(built_page) as address:
        yield address


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gray PNG, because browsers and Pillow decode JPEG files a little differently."""
    path = tmp_path_factory.mktemp("picture") / "Great wave.png"
    Image.open(PICTURE).convert("L").resize((240, 160)).save(path)
    return path
