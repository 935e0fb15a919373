"""A picture that is opened once and rendered often."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import artcolor
from artcolor import Decoding, Guidance
from artcolor.errors import ConfigError, ImageError
from artcolor.images import open_picture, read_provenance
from artcolor.models.base import ColorizationModel
from tests.conftest import ROOT, make_painting

PICTURE = ROOT / "examples" / "aigues_mortes.png"


@pytest.fixture(scope="module")
def session() -> artcolor.Session:
    return artcolor.Session(PICTURE)


@pytest.mark.parametrize("options", [{}, {"vividness": 0.0, "temperature": 1.0}, {"strength": 0.5}])
def test_renders_what_colorize_returns(session: artcolor.Session, options: dict[str, float]) -> None:
    found = session.render(decoding=Decoding(**options))
    expected = artcolor.colorize(PICTURE, **options)
    # The fixture may have computed on more threads.
    assert np.abs(np.asarray(found).astype(int) - np.asarray(expected)).max() <= 1
    assert found.provenance == expected.provenance


def test_runs_the_network_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    encode = ColorizationModel.encode
    monkeypatch.setattr(ColorizationModel, "encode", lambda self, light: calls.append(1) or encode(self, light))
    session = artcolor.Session(PICTURE)
    dull, vivid = (session.render(decoding=Decoding(vividness=value)) for value in (0.0, 1.0))
    assert len(calls) == 1
    assert np.ptp(np.asarray(vivid).astype(int), axis=-1).mean() > np.ptp(np.asarray(dull).astype(int), axis=-1).mean()


def test_samples_of_a_model_that_has_them() -> None:
    session = artcolor.Session(PICTURE, "vae")
    samples = session.render_samples(Guidance(samples=3, seed=5))
    together = artcolor.colorize(PICTURE, "vae", samples=3, seed=5)
    assert len(samples) == len(together) == 3
    for number, (one, other) in enumerate(zip(samples, together, strict=True), 1):
        assert np.abs(np.asarray(one).astype(int) - np.asarray(other)).max() <= 1
        assert one.provenance == other.provenance
        assert one.provenance.options["sample"] == number
    with pytest.raises(ConfigError, match="3 samples; use render_samples"):
        session.render(Guidance(samples=3))


def test_a_reference_may_be_anything_that_is_a_picture(tmp_path: Path) -> None:
    session, mood = artcolor.Session(PICTURE, "vae"), make_painting(8)
    mood.save(tmp_path / "mood.png")
    tensor = torch.from_numpy(np.array(mood)).permute(2, 0, 1)[None] / 255
    expected = np.asarray(session.render(Guidance(reference=tmp_path / "mood.png"))).astype(int)
    assert np.abs(expected - np.asarray(session.render())).max() > 5
    for reference in (mood, np.asarray(mood), tensor, (tmp_path / "mood.png").read_bytes()):
        found = np.asarray(session.render(Guidance(reference=reference))).astype(int)
        assert np.abs(found - expected).max() <= 1
    with pytest.raises(ImageError, match="no file nowhere.png"):
        session.render(Guidance(reference="nowhere.png"))


def test_refuses_what_the_model_does_not_accept(session: artcolor.Session) -> None:
    report = artcolor.Session(make_painting(0), "cnn_report")
    with pytest.raises(ConfigError, match="seed=1: cnn_report is deterministic; `seed` requires `ae`, .* or `vae`"):
        report.render(Guidance(seed=1))
    with pytest.raises(ConfigError, match="palette: cnn_report takes no palette; `palette` requires `ae`, .* or `vae`"):
        report.render(Guidance(palette=["red", "blue"]))
    with pytest.raises(ImageError, match="a single picture, not 2"):
        artcolor.Session(torch.zeros(2, 1, 8, 8))


@pytest.mark.parametrize(("suffix", "alone"), [(".png", False), (".tif", False), (".jpg", False), (".png", True)])
def test_saves_as_the_command_does(suffix: str, alone: bool, tmp_path: Path) -> None:
    deep = np.linspace(0, 65535, 60 * 80).astype(np.uint16).reshape(60, 80)
    Image.fromarray(deep).save(tmp_path / "in.png", dpi=(300, 300))
    session, decoding = artcolor.Session(tmp_path / "in.png"), Decoding(vividness=0.5)
    session.save(tmp_path / f"a{suffix}", decoding=decoding, chroma_only=alone)
    with artcolor.images.open_file(tmp_path / "in.png") as file:
        colorizer = artcolor.Colorizer(vividness=0.5, chroma_only=alone)
        artcolor.images.save_pictures(
            colorizer.pictures(file), tmp_path / f"b{suffix}", provenance=colorizer.provenance
        )
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    assert read_provenance(tmp_path / f"a{suffix}").options["vividness"] == 0.5
    assert open_picture(tmp_path / f"a{suffix}").info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_from_several_threads(session: artcolor.Session) -> None:
    values = [0.0, 0.4, 0.8, 1.2]
    expected = [np.asarray(session.render(decoding=Decoding(vividness=value))) for value in values]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda value: np.asarray(session.render(decoding=Decoding(vividness=value))), values)
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_wrong_arguments_say_what_to_do(session: artcolor.Session, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"guidance must be a Guidance, not a Decoding; pass it as decoding=\.\.\."):
        session.render(Decoding())
    with pytest.raises(ConfigError, match=r"decoding must be a Decoding, not a str; give artcolor.Decoding"):
        session.render(decoding="vivid")
    with pytest.raises(ConfigError, match="guidance must be a Guidance"):
        session.save(tmp_path / "a.png", "blue")
    with pytest.raises(ImageError, match="quality must be an integer from 1 to 100, not 'x'"):
        session.save(tmp_path / "a.jpg", quality="x")
    with pytest.raises(ImageError, match="format must be a name"):
        session.save(tmp_path / "a.jpg", format=3)
    with pytest.raises(ImageError, match="there is no folder"):
        session.save(tmp_path / "none" / "a.jpg")
    assert not list(tmp_path.iterdir())


def test_the_original_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    make_painting(1, 60, 40).convert("L").save(path)
    before = path.read_bytes()
    (tmp_path / "link.png").symlink_to(path)
    session, image = artcolor.Session(path, "cnn"), artcolor.colorize(path, "cnn")
    for save in (session.save, session.render().save, image.save, lambda to: artcolor.save(image, to)):
        for target in (path, str(tmp_path / "link.png")):
            with pytest.raises(ImageError, match=r"would replace the original .*a\.png; choose another name"):
                save(target)
    with pytest.raises(ImageError, match="would replace the original"):
        image.save(path, optimize=True)
    assert path.read_bytes() == before
    image.save(tmp_path / "b.png")
    image.save(tmp_path / "b.png")
