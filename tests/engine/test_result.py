"""What `colorize` returns can be saved whole."""

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import artcolor
from artcolor.errors import ImageError
from artcolor.images import open_picture, read_provenance
from tests.conftest import make_painting


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A gray JPEG with EXIF and a resolution."""
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "shelf 3", 6
    make_painting(3).convert("L").save(tmp_path / "scan.jpg", exif=exif, dpi=(300, 300), quality=90)
    return tmp_path / "scan.jpg"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_metadata_resolution_and_provenance_survive(suffix: str, scan: Path, tmp_path: Path) -> None:
    image = artcolor.colorize(scan)
    image.save(tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as saved:
        assert saved.size == (80, 96)
        assert saved.getexif()[0x010E] == "shelf 3"
        assert saved.getexif().get(0x0112, 1) == 1
    assert open_picture(tmp_path / f"a{suffix}").info["dpi"] == pytest.approx((300, 300), abs=0.2)
    assert read_provenance(tmp_path / f"a{suffix}") == artcolor.Colorizer().provenance == image.provenance


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_survive_unless_somebody_draws(suffix: str, tmp_path: Path) -> None:
    deep = np.linspace(0, 65535, 60 * 80).astype(np.uint16).reshape(60, 80)
    Image.fromarray(deep).save(tmp_path / "in.png")
    image = artcolor.colorize(tmp_path / "in.png")
    image.save(tmp_path / f"a{suffix}")
    found = open_picture(tmp_path / f"a{suffix}").pixels
    assert found.dtype == np.uint16
    assert len(np.unique(found)) > 1000
    image.save(tmp_path / f"b{suffix}", depth=8)
    assert open_picture(tmp_path / f"b{suffix}").pixels.dtype == np.uint8
    ImageDraw.Draw(image).rectangle((0, 0, 9, 9), "red")
    image.save(tmp_path / f"c{suffix}")
    drawn = open_picture(tmp_path / f"c{suffix}").pixels
    assert drawn[5, 5].tolist() == [255, 0, 0]
    assert np.array_equal(drawn[20:], np.asarray(image)[20:])


def test_open_files_take_all_or_nothing(scan: Path) -> None:
    image = artcolor.colorize(scan)
    image.save(file := io.BytesIO(), "PNG")
    assert read_provenance(file.getvalue()) == image.provenance
    image.save(tiff := io.BytesIO(), "TIFF")
    assert np.array_equal(open_picture(tiff.getvalue()).pixels, np.asarray(image))
    with pytest.raises(ImageError, match='give one: format="png"'):
        image.save(io.BytesIO())
    empty = io.BytesIO()
    with pytest.raises(ImageError, match="nope is not a format"):
        image.save(empty, "nope")
    assert not empty.getvalue()


def test_it_is_a_pillow_image(scan: Path, tmp_path: Path) -> None:
    image = artcolor.colorize(scan)
    assert isinstance(image, Image.Image)
    half = image.resize((40, 48))
    assert type(half) is Image.Image
    assert image.crop((0, 0, 5, 5)).size == (5, 5)
    assert image.copy().tobytes() == image.tobytes()
    # Other parameters are Pillow's own.
    image.save(tmp_path / "a.gif", optimize=True)
    assert Image.open(tmp_path / "a.gif").format == "GIF"
    image.save(tmp_path / "low.jpg", quality=10)
    image.save(tmp_path / "high.jpg", quality=95)
    assert (tmp_path / "low.jpg").stat().st_size < (tmp_path / "high.jpg").stat().st_size / 2


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("copied", [lambda image: pickle.loads(pickle.dumps(image)), copy.deepcopy])
def test_it_survives_pickling(copied: Callable[[Any], Any], depth: int, scan: Path, tmp_path: Path) -> None:
    """Worker processes return what they colorized."""
    if depth == 16:
        scan = tmp_path / "scan.png"
        Image.fromarray(np.linspace(0, 65535, 60 * 80).astype(np.uint16).reshape(60, 80)).save(scan)
    image = artcolor.colorize(scan)
    again = copied(image)
    assert again.to_bytes("tif") == image.to_bytes("tif")
    with pytest.raises(ImageError, match="would replace the original"):
        again.save(scan)


def test_notebooks_show_it(scan: Path) -> None:
    image = artcolor.colorize(scan)
    with Image.open(io.BytesIO(image._repr_png_())) as shown:
        assert shown.format == "PNG"
        assert shown.tobytes() == image.tobytes()


def test_alpha_survives(tmp_path: Path) -> None:
    gray, alpha = make_painting(4).convert("L"), Image.linear_gradient("L").resize((96, 80))
    Image.merge("LA", (gray, alpha)).save(tmp_path / "in.png")
    image = artcolor.colorize(tmp_path / "in.png")
    assert image.mode == "RGBA"
    image.save(tmp_path / "out.webp")
    assert np.array_equal(open_picture(tmp_path / "out.webp").alpha, np.asarray(alpha))
