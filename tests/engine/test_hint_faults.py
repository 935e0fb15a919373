"""Hints that went wrong once: contradictions, many of them, strange values, tiny pictures."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import artcolor
from artcolor import Guidance, Session
from artcolor.batch.plan import plan_jobs
from artcolor.color.lab import rgb_to_lab
from artcolor.engine.hint_files import read_hints
from artcolor.errors import ConfigError, ImageError, WeightsError
from artcolor.images import read_provenance
from artcolor.models.kernel import ChromaKernel
from tests.conftest import ROOT, make_painting

PICTURES = ROOT / "docs" / "pictures"
# Places in these tests are pixels of this size.
GRAY = Image.open(PICTURES / "bruegel_harvesters.jpg").convert("L").resize((480, 348))


def ab_of(image: Image.Image) -> torch.Tensor:
    pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None] / 255
    return rgb_to_lab(pixels)[0, 1:]


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(GRAY)


@pytest.mark.parametrize("apart", [1, 4, 16])
def test_different_colors_side_by_side_do_not_overshoot(session: Session, apart: int) -> None:
    y, x = 0.1, 200.5 / GRAY.width
    hints = [
        {"x": x, "y": y, "color": "lab(80 -10 -15)"},
        {"x": x + apart / GRAY.width, "y": y, "color": "lab(80 15 15)"},
    ]
    before, after = ab_of(session.render()), ab_of(session.render(Guidance(hints=hints)))
    sky = (slice(None), slice(0, 80), slice(80, 360))
    assert after[sky].norm(dim=0).max() < 36
    assert (after - before).norm(dim=0).max() < 45


@pytest.mark.parametrize("noise", [0, 3, 8])
def test_a_painted_stroke_may_be_noisy(session: Session, tmp_path: Path, noise: int) -> None:
    random = np.random.default_rng(0)
    layer = np.zeros((GRAY.height, GRAY.width, 4), np.uint8)
    layer[30:40, 150:270, :3] = np.array([159, 184, 200]) + random.integers(-noise, noise + 1, (10, 120, 3))
    layer[30:40, 150:270, 3] = 255
    Image.fromarray(layer).save(tmp_path / "painted.png")
    sky = ab_of(session.render(Guidance(hints=tmp_path / "painted.png")))[:, 10:80, 100:330]
    # The color is (-5, -11); the sky itself is between gray and blue.
    assert -12 < sky[0].min() < sky[0].max() < 6
    assert -22 < sky[1].min() < sky[1].max() < 16


def test_jpeg_keeps_its_statement_with_very_many_hints(session: Session, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    hints = [{"x": float(x), "y": float(y), "color": "lab(60 5 10)"} for x, y in random.random((1500, 2))]
    for name in ("a.jpg", "a.png"):
        session.save(tmp_path / name, Guidance(hints=hints))
    jpeg, png = (read_provenance(tmp_path / name) for name in ("a.jpg", "a.png"))
    assert jpeg is not None and png is not None
    assert jpeg.model == png.model == "unet.art_v6"
    assert jpeg.options["hints_left_out"] == len(png.options["hints"]) == 1500


def test_hints_for_pages_that_are_not_there_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    GRAY.save(tmp_path / "a.png")
    with caplog.at_level(logging.WARNING):
        artcolor.colorize(tmp_path / "a.png", hints=[{"x": 0.5, "y": 0.5, "color": "teal", "frame": 3}])
    assert "hint 1 is for frame 3, but the file has a single page" in caplog.text


def test_suggestions_agree_with_what_is_rendered() -> None:
    session = Session(Image.open(PICTURES / "arcimboldo_spring.jpg").convert("L"))
    before = session.suggest(0.42, 0.30)
    session.hint(x=0.2, y=0.63, color="#27408b")
    after = session.suggest(0.42, 0.30)
    assert np.hypot(*np.subtract(before[0].ab, after[0].ab)) < 15
    (own,) = session.suggest(0.2, 0.63)
    assert own.probability == 1
    assert own.ab == pytest.approx(session.hints[0].ab, abs=0.1)
    for x, y in session.most_uncertain(3):
        colors = [each.ab for each in session.suggest(x, y)]
        gaps = [np.hypot(*np.subtract(one, other)) for n, one in enumerate(colors) for other in colors[:n]]
        assert min(gaps, default=99) > 9, "suggestions are distinct"


@pytest.mark.parametrize(
    ("hint", "message"),
    [
        ({"x": 10**400, "y": 0.5, "color": "red"}, "x must be a number from 0 to 1, not a huge integer"),
        ({"x": 0.5, "y": 0.5, "color": "rgb(300,0,0)"}, "is not a color"),
        ({"x": 0.5, "y": 0.5, "color": "x" * 10**6}, r"'x+\.\.\. is not a color"),
        ({"mask": "a\0b", "color": "red"}, "not a valid file path"),
        ({"mask": "\ud800", "color": "red"}, "not a valid file path"),
    ],
)
def test_strange_values_are_refused(session: Session, hint: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, ImageError), match=message):
        session.render(Guidance(hints=[hint]))


def test_strange_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"size": [1' + "0" * 400 + ', 1], "hints": []}')
    with pytest.raises(ConfigError, match="two positive integers, not"):
        read_hints(tmp_path / "a.json")
    Image.new("L", (40, 30)).save(tmp_path / "black.png")
    with pytest.raises(ImageError, match="is empty: no pixel"):
        artcolor.colorize(GRAY.resize((40, 30)), hints=[{"mask": tmp_path / "black.png", "color": "red"}])
    with pytest.raises(ImageError, match="has no color; give a colored picture"):
        artcolor.colorize(GRAY, reference=GRAY)


def test_numbers_of_numpy_are_numbers(session: Session, tmp_path: Path) -> None:
    half = np.float32(0.5)
    hints = [{"x": half, "y": half, "color": [np.float32(3), np.int64(4)]}]
    session.save(tmp_path / "a.png", Guidance(hints=hints))
    stated = read_provenance(tmp_path / "a.png")
    assert stated is not None
    assert stated.options["hints"] == [{"x": 0.5, "y": 0.5, "color": [3.0, 4.0]}]
    json.dumps(stated.options)


def test_a_session_takes_hints_as_dictionaries(session: Session) -> None:
    session.hints.append({"x": 0.5, "y": 0.5, "color": "red"})  # type: ignore[arg-type]
    assert np.asarray(session.render()).std() > 0
    session.hints.clear()
    for k in (0, 1.5, "a", None, float("nan")):
        with pytest.raises(ConfigError, match="k must be an integer of at least 1"):
            session.suggest(0.5, 0.5, k)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="k must be an integer of at least 1"):
            session.most_uncertain(k)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (10, 10), (40, 30), (64, 48)])
def test_pictures_smaller_than_the_grid_follow_hints(size: tuple[int, int]) -> None:
    gray = Image.open(PICTURES / "cassatt_summertime.jpg").convert("L").resize(size)
    found = ab_of(artcolor.colorize(gray, hints=[{"x": 0.5, "y": 0.5, "color": [12, -10]}]))
    # 8 bits of sRGB round a and b by about a unit.
    assert found[:, size[1] // 2, size[0] // 2].tolist() == pytest.approx([12, -10], abs=1.5)


def test_a_kernel_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    model = artcolor.unet(weights="DEFAULT")
    model.kernel = ChromaKernel([8])
    artcolor.save_weights(model, tmp_path / "wrong.safetensors")
    with pytest.raises(WeightsError, match=r"kernel for features of \[8\] channels, but the network has \[96, 128"):
        artcolor.from_pretrained(tmp_path / "wrong.safetensors")
    model = artcolor.unet(weights="DEFAULT")
    assert model.kernel is not None
    model.kernel.mixing.data *= 1e20
    with pytest.raises(WeightsError, match="kernel of the model is damaged"):
        artcolor.colorize(GRAY, model, hints=[{"x": 0.5, "y": 0.5, "color": "red"}])


def test_hints_files_without_a_picture_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "hints").mkdir()
    make_painting(0).save(tmp_path / "in" / "a.png")
    for name in ("a", "nobody"):
        (tmp_path / "hints" / f"{name}.json").write_text('{"hints": []}')
    with caplog.at_level(logging.WARNING):
        (job,) = plan_jobs([tmp_path / "in"], tmp_path / "out", hints=tmp_path / "hints")
    assert job.hints == (tmp_path / "hints" / "a.json",)
    assert "no picture matches nobody.json" in caplog.text
