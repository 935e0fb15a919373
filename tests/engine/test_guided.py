"""Hints through the function, sessions and the command: exact where they are, sensible elsewhere."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import artcolor
from artcolor import Decoding, Guidance, Session
from artcolor.color.lab import rgb_to_lab
from artcolor.engine.hints import Hint, parse_color
from artcolor.errors import ConfigError
from tests.conftest import ROOT

GRAY = Image.open(ROOT / "docs" / "pictures" / "bazille_aigues_mortes.jpg").convert("L")
WIDTH, HEIGHT = GRAY.size
SKY = {"x": 0.3, "y": 0.12, "color": "#7a4fa3"}


def ab_at(image: Image.Image, x: float, y: float) -> list[float]:
    pixel = np.asarray(image.convert("RGB"))[int(y * HEIGHT), int(x * WIDTH)]
    found: list[float] = rgb_to_lab(torch.tensor(pixel / 255).float().reshape(1, 3, 1, 1))[0, 1:].flatten().tolist()
    return found


@pytest.mark.parametrize("model", ["unet", "vae", "cnn", "cic", "ae_report"])
def test_every_model_follows_hints(model: str) -> None:
    plain = artcolor.colorize(GRAY, model)
    purple = artcolor.colorize(GRAY, model, hints=[SKY])
    # 8 bits of sRGB round a and b by up to half a unit.
    assert ab_at(purple, 0.3, 0.12) == pytest.approx(parse_color("#7a4fa3"), abs=1.5)
    before, after = (np.asarray(image.convert("RGB")).astype(int) for image in (plain, purple))
    changed = np.abs(after - before).max(2)
    around = changed[int(0.05 * HEIGHT) : int(0.2 * HEIGHT), int(0.25 * WIDTH) : int(0.35 * WIDTH)]
    assert around.mean() > 2 * changed[-60:].mean(), "the sky changes more than the beach"


def test_strength_and_gray_hints() -> None:
    gray = artcolor.colorize(GRAY, hints=[{"x": 0.5, "y": 0.7, "keep": "gray"}])
    assert ab_at(gray, 0.5, 0.7) == pytest.approx((0, 0), abs=1)


def test_keep_automatic_holds_a_place() -> None:
    far = {"x": 0.35, "y": 0.2, "keep": "automatic"}
    plain, free, held = (artcolor.colorize(GRAY, hints=hints or None) for hints in ([], [SKY], [SKY, far]))
    wanted, loose, kept = (ab_at(image, 0.35, 0.2) for image in (plain, free, held))
    assert np.hypot(*np.subtract(kept, wanted)) < 0.5 * np.hypot(*np.subtract(loose, wanted)) + 0.5


def test_a_border_confines_colors() -> None:
    half = [{"polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}, SKY]
    plain, inside = artcolor.colorize(GRAY), artcolor.colorize(GRAY, hints=half)
    changed = np.abs(np.asarray(inside).astype(int) - np.asarray(plain)).max(2)
    assert changed[:, : WIDTH // 2 - 20].max() > 20
    assert changed[:, WIDTH // 2 + 20 :].max() <= 1


def test_sessions_follow_their_hints() -> None:
    session = Session(GRAY)
    plain = np.asarray(session.render())
    hint = session.hint(**SKY)
    purple = session.render(decoding=Decoding())
    np.testing.assert_array_equal(purple, artcolor.colorize(GRAY, hints=[SKY]))
    np.testing.assert_array_equal(purple, np.asarray(Session(GRAY).render(Guidance(hints=[SKY]))))
    session.hints.remove(hint)
    np.testing.assert_array_equal(session.render(), plain)
    with pytest.raises(ConfigError, match="needs color"):
        session.hint(x=0.1, y=0.1)
    assert session.hints == []


def test_sessions_suggest_likely_colors() -> None:
    session = Session(GRAY)
    first = session.suggest(0.32, 0.14)
    assert 1 <= len(first) <= 5
    assert [each.probability for each in first] == sorted((each.probability for each in first), reverse=True)
    assert sum(each.probability for each in first) == pytest.approx(1, abs=1e-3)
    session.hint(**SKY)
    then = session.suggest(0.3, 0.12)[0]
    wanted = parse_color(SKY["color"])
    assert np.hypot(*np.subtract(then.ab, wanted)) < 15
    assert np.hypot(*np.subtract(then.ab, wanted)) < np.hypot(*np.subtract(first[0].ab, wanted))
    with pytest.raises(ConfigError, match="x must be a number from 0 to 1, not 7"):
        session.suggest(7, 0.5)
    with pytest.raises(ConfigError, match="k must be an integer of at least 1"):
        session.suggest(0.5, 0.5, k=0)
    with pytest.raises(ConfigError, match="not a distribution"):
        Session(GRAY, "cnn_report").suggest(0.5, 0.5)


def test_places_where_a_hint_helps_are_apart_and_away_from_hints() -> None:
    session = Session(GRAY)
    places = session.most_uncertain(4)
    assert len(set(places)) == 4
    x, y = places[0]
    session.hint(x=x, y=y, color="navy")
    assert (x, y) not in session.most_uncertain(4)
    assert session.most_uncertain(1)[0] != places[0]


def test_sessions_are_safe_in_threads() -> None:
    session = Session(GRAY)
    expected = np.asarray(session.render(Guidance(hints=[SKY])))
    results: list[np.ndarray] = []

    def work() -> None:
        results.append(np.asarray(session.render(Guidance(hints=[SKY]))))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_hints_of_files_and_their_provenance(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"schema": 1, "hints": [SKY]}))
    out = tmp_path / "color.png"
    result = artcolor.colorize(GRAY, hints=file)
    result.save(out)
    np.testing.assert_array_equal(result, artcolor.colorize(GRAY, hints=[Hint(**SKY)]))


def test_wrong_hints_are_refused_before_the_network_runs() -> None:
    with pytest.raises(ConfigError, match=r"hint 1: 'bluish' is not a color"):
        artcolor.Colorizer(hints=[{"x": 0.5, "y": 0.5, "color": "bluish"}])
