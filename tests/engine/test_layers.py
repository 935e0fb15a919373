"""Results as layers for image editors."""

import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import artcolor
from artcolor import Decoding, Guidance
from artcolor.color import planes
from artcolor.engine.drawing import draw_hints, place_of
from artcolor.engine.hint_files import read_hints
from artcolor.engine.hints import Hint
from artcolor.errors import ConfigError, ImageError
from artcolor.images import open_picture, read_provenance
from tests.conftest import ROOT, make_painting

PICTURE = ROOT / "examples" / "aigues_mortes.png"


@pytest.fixture(scope="module")
def session() -> artcolor.Session:
    return artcolor.Session(PICTURE)


def written(session: artcolor.Session, path: Path, *options: object) -> zipfile.ZipFile:
    session.save_layers(path, *options)
    return zipfile.ZipFile(path)


def pixels(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(archive.read(name))))


def stack(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    return [layer.attrib for layer in ElementTree.fromstring(archive.read("stack.xml")).iter("layer")]


def test_is_an_openraster_file(session: artcolor.Session, tmp_path: Path) -> None:
    archive = written(session, tmp_path / "a.ora")
    first = archive.infolist()[0]
    assert (first.filename, first.compress_type, first.header_offset) == ("mimetype", zipfile.ZIP_STORED, 0)
    assert archive.read("mimetype") == b"image/openraster"
    assert archive.testzip() is None
    root = ElementTree.fromstring(archive.read("stack.xml"))
    assert (root.tag, root.attrib["w"], root.attrib["h"]) == ("image", "601", "356")
    assert [child.tag for child in root] == ["stack"]
    found = [(each["name"], each["composite-op"], each["visibility"]) for each in stack(archive)]
    assert found == [
        ("Hints", "svg:src-over", "hidden"),
        ("Uncertainty", "svg:src-over", "hidden"),
        ("Color", "svg:color", "visible"),
        ("Gray", "svg:src-over", "visible"),
    ]
    for layer in stack(archive):
        assert layer["src"].startswith("data/")
        assert pixels(archive, layer["src"]).shape[:2] == (356, 601)
    assert max(pixels(archive, "Thumbnails/thumbnail.png").shape) == 256


def test_an_open_file_gets_the_same_bytes(session: artcolor.Session, tmp_path: Path) -> None:
    for save, name in ((session.save_layers, "a.ora"), (session.save_card, "a.html")):
        save(tmp_path / name)
        save(file := io.BytesIO())
        assert file.getvalue() == (tmp_path / name).read_bytes()


def test_layers_are_what_the_session_renders(session: artcolor.Session, tmp_path: Path) -> None:
    decoding = Decoding(vividness=0.5)
    archive = written(session, tmp_path / "a.ora", Guidance(), decoding)
    result = np.asarray(session.render(decoding=decoding))
    assert np.array_equal(pixels(archive, "mergedimage.png"), result)
    assert np.array_equal(pixels(archive, "data/color.png"), result)
    assert np.array_equal(pixels(archive, "data/gray.png")[..., 1], np.asarray(Image.open(PICTURE).convert("L")))
    assert np.array_equal(pixels(archive, "data/uncertainty.png")[..., 0], np.asarray(session.uncertainty()))
    assert read_provenance(archive.read("mergedimage.png")).options["vividness"] == 0.5
    before = (tmp_path / "a.ora").read_bytes()
    session.save_layers(tmp_path / "a.ora", decoding=decoding)
    assert (tmp_path / "a.ora").read_bytes() == before


def test_uncertainty_is_that_of_the_colorizer(session: artcolor.Session) -> None:
    found, expected = (
        np.asarray(each).astype(int) for each in (session.uncertainty(), artcolor.Colorizer().uncertainty(PICTURE))
    )
    assert found.shape == (356, 601)
    assert np.ptp(found) > 20
    assert np.abs(found - expected).max() <= 1


def test_a_model_without_a_distribution_has_no_uncertainty(tmp_path: Path) -> None:
    session = artcolor.Session(make_painting(1), "ae_report")
    assert [each["name"] for each in stack(written(session, tmp_path / "a.ora"))] == ["Hints", "Color", "Gray"]
    with pytest.raises(ConfigError, match="uncertainty, palettes, samples"):
        session.uncertainty()


def test_depth_resolution_and_color_of_the_original(tmp_path: Path) -> None:
    deep = np.linspace(0, 65535, 60 * 80).astype(np.uint16).reshape(60, 80)
    Image.fromarray(deep).save(tmp_path / "deep.png", dpi=(300, 300))
    archive = written(artcolor.Session(tmp_path / "deep.png", "cnn"), tmp_path / "deep.ora")
    root = ElementTree.fromstring(archive.read("stack.xml"))
    assert (root.attrib["xres"], root.attrib["yres"]) == ("300", "300")
    assert open_picture(archive.read("mergedimage.png")).pixels.dtype == np.uint16
    assert np.array_equal(open_picture(archive.read("data/gray.png")).pixels[..., 2], deep)

    painting = make_painting(2)
    archive = written(artcolor.Session(painting, "cnn"), tmp_path / "color.ora")
    gray = pixels(archive, "data/gray.png")
    assert np.ptp(gray, axis=-1).max() == 0
    assert np.abs(planes.lightness(gray) - planes.lightness(np.asarray(painting))).max() < 0.3


def test_alpha_stays(tmp_path: Path) -> None:
    image = make_painting(3).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    archive = written(artcolor.Session(image, "cnn"), tmp_path / "a.ora")
    for name in ("mergedimage.png", "data/color.png", "data/gray.png"):
        assert np.array_equal(pixels(archive, name)[..., 3], np.asarray(image)[..., 3])


def test_hints_are_painted_at_their_places(tmp_path: Path) -> None:
    session = artcolor.Session(PICTURE, "cnn")
    archive = written(session, tmp_path / "a.ora")
    assert not pixels(archive, "data/hints.png")[..., 3].any()
    session.hint(x=0.25, y=0.5, color="#27408b", radius=0.02)
    added = [
        {"x": 0.75, "y": 0.5, "color": "lab(50 20 -30)", "radius": 0},
        {"x": 0.1, "y": 0.1, "color": "red", "frame": 1},
    ]
    archive = written(session, tmp_path / "a.ora", Guidance(hints=added))
    painted = pixels(archive, "data/hints.png")
    assert painted[178, 150].tolist() == [0x27, 0x40, 0x8B, 255]
    assert painted[178, 150 - 7, 3] == 255
    assert painted[178, 150 - 9, 3] == 0
    assert painted[178, 450, 3] == 255
    assert painted[35, 60, 3] == 0
    # The layer can be given back as hints.
    (tmp_path / "hints.png").write_bytes(archive.read("data/hints.png"))
    found = {hint.ab for hint in read_hints(tmp_path / "hints.png")}
    assert sorted(found) == [pytest.approx((17.49, -44.64), abs=0.01), pytest.approx((20, -30), abs=0.6)]


def test_shapes_of_hints(tmp_path: Path) -> None:
    def drawn(size: tuple[int, int] = (200, 100), border: int = 0, **hint: object) -> np.ndarray:
        return np.asarray(draw_hints([Hint(**hint)], size, border=border))

    stroke = drawn(polyline=[(0.1, 0.5), (0.9, 0.5)], color="teal", radius=0.05)
    assert stroke[50, 100].tolist() == [0, 128, 128, 255]
    assert stroke[..., 3].any(1).sum() in (10, 11)
    corners = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)]
    outline = drawn(polygon=corners)
    assert outline[20, 40].tolist() == outline[50, 160].tolist() == [255, 255, 255, 255]
    assert not outline[50, 100].any()
    ring = drawn(x=0.5, y=0.5, radius=0.2, keep="automatic")
    assert ring[50, 80].tolist() == [255, 255, 255, 255]
    assert not ring[50, 100].any()
    assert drawn(x=1.0, y=1.0, radius=0, keep="gray")[99, 199].tolist() == [128, 128, 128, 255]
    framed = drawn(x=0.5, y=0.5, radius=0.1, color="black", border=2)
    assert [framed[50, 100 + distance, 0] for distance in (0, 11, 13)] == [0, 255, 0]
    assert framed[50, 113, 3] == 255

    mask = Image.new("L", (2000, 1000))
    mask.paste(255, (500, 250, 1500, 1000))
    mask.save(tmp_path / "robe.png")
    outline = drawn((2000, 1000), mask=tmp_path / "robe.png", color="navy")
    assert outline[252, 1000].tolist() == outline[998, 1000].tolist() == [0, 0, 128, 255]
    assert not outline[600, 1000].any()
    assert not outline[100, 100].any()
    x, y = place_of(Hint(mask=tmp_path / "robe.png"))
    assert (x, y) == pytest.approx((0.5, 0.625), abs=0.01)


def test_refuses_before_anything_is_written(session: artcolor.Session, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"a\.psd must end in \.ora; for example .*a\.ora"):
        session.save_layers(tmp_path / "a.psd")
    with pytest.raises(ImageError, match="there is no folder"):
        session.save_layers(tmp_path / "none" / "a.ora")
    with pytest.raises(ConfigError, match="samples; use render_samples"):
        artcolor.Session(PICTURE, "vae").save_layers(tmp_path / "a.ora", Guidance(samples=2))
    assert not list(tmp_path.iterdir())
    make_painting(1).save(tmp_path / "original.ora", "PNG")
    before = (tmp_path / "original.ora").read_bytes()
    with pytest.raises(ImageError, match="would replace the original"):
        artcolor.Session(tmp_path / "original.ora", "cnn").save_layers(tmp_path / "original.ora")
    assert (tmp_path / "original.ora").read_bytes() == before


def test_what_fails_midway_leaves_the_old_file(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no limit on the size of files")
    noise = np.random.default_rng(0).integers(0, 256, (300, 300), dtype=np.uint8)
    session, path = artcolor.Session(noise, "cnn"), tmp_path / "a.ora"
    path.write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
    try:
        with pytest.raises(ImageError, match=r"a\.ora cannot be written: File too large"):
            session.save_layers(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    session.save_layers(path)
    assert zipfile.ZipFile(path).testzip() is None


def test_a_preview_has_the_same_colors(session: artcolor.Session) -> None:
    preview = session.preview(150)
    assert preview.original.pixels.shape[:2] == (89, 150)
    small = np.asarray(preview.render()).astype(int)
    reduced = np.asarray(session.render().resize((150, 89), Image.Resampling.BICUBIC))
    assert np.abs(small - reduced).mean() < 2
    assert session.preview(5000).render().size == (601, 356)
    assert session.render().size == (601, 356)
    session.hint(x=0.5, y=0.5, color="purple")
    assert len(preview.all_hints()) == 1
    session.hints.clear()
    with pytest.raises(ConfigError, match="side must be at least 1 pixel, not 0"):
        session.preview(0)
