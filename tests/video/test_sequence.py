import dataclasses
import itertools
import json
import operator
from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from artcolor import Colorizer
from artcolor.color import planes
from artcolor.engine.sequence import AHEAD, CHUNK, Sequence
from artcolor.engine.steady import SteadyChroma
from artcolor.images import Picture
from artcolor.video.motion import Motion
from tests.conftest import ROOT
from tests.video.pans import Array, painting, pan, window

SIZE = 96


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer("unet", size=SIZE, backend="torch")


def looks_of(colorizer: Colorizer, frames: Iterable[Array]) -> list[Any]:
    return [colorizer.backend.look(each) for each in frames]


def warp_error(colors: list[Array], step: float) -> float:
    """Mean distance in ab of what is seen in two neighboring frames of a pan, at 96 × 128 pixels."""
    chroma = [planes.ChromaJoiner(each[0], 96, 128).ab_rows(0, 96).transpose(1, 2, 0) for each in colors]
    place = np.array([[1, 0, step], [0, 1, 0]], np.float32)
    found = [
        np.linalg.norm(cv2.warpAffine(a, place, (128, 96), flags=cv2.WARP_INVERSE_MAP) - b, axis=-1)[
            :, : -int(step) - 2
        ]
        for a, b in itertools.pairwise(chroma)
    ]
    return float(np.mean(found))


@pytest.mark.parametrize("step", [0, 4.5])
def test_colors_keep_along_the_motion(colorizer: Colorizer, step: float) -> None:
    looks = looks_of(colorizer, pan(14, step))
    alone = [np.asarray(each.ab) for each in colorizer.predict(looks)]
    steady = list(Sequence(colorizer, motion=Motion()).colors(looks))
    assert [each.shape for each in steady] == [each.shape for each in alone]
    assert {each.dtype for each in steady} == {np.dtype(np.float32)}
    assert warp_error(steady, step) < warp_error(alone, step) / 3
    # The colors are those of the model: neither gray nor another mood.
    chromas = [np.mean([np.linalg.norm(each[0], axis=0).mean() for each in found]) for found in (alone, steady)]
    assert 0.85 < chromas[1] / chromas[0] < 1.05


def test_long_shots_are_worked_in_windows(colorizer: Colorizer) -> None:
    frames = pan(20, 1.5)
    frames = [*frames, *frames[::-1]] * 2
    looks = looks_of(colorizer, frames)
    reading = iter(looks)
    found = []
    for number, ab in enumerate(Sequence(colorizer, motion=Motion()).colors(reading)):
        assert len(looks) - operator.length_hint(reading) <= number + CHUNK + AHEAD + colorizer.batch_size
        found.append(ab)
    assert len(found) == len(frames) > CHUNK + AHEAD
    # At the border of the windows, nothing is seen of them.
    jumps = [np.abs(a - b).mean() for a, b in itertools.pairwise(found)]
    assert jumps[CHUNK - 1] < 1.5 * max(jumps[CHUNK - 6 : CHUNK - 1])
    short = list(Sequence(colorizer, motion=Motion()).colors(looks[: CHUNK + AHEAD - 1]))
    assert max(np.abs(a - b).mean() for a, b in zip(found[:CHUNK], short, strict=False)) < 0.1


def test_shots_of_one_place_have_one_mood(colorizer: Colorizer) -> None:
    place, other = pan(6), pan(6, name="gogh_auvers")
    # Another take of the place, darker and with more contrast.
    again = [np.rint((each * 1.15 - 25.0).clip(0, 255)).astype(np.uint8) for each in pan(6, seed=1)]
    shots = [looks_of(colorizer, each) for each in (place, other, again)]

    def mean(colors: Iterator[Array]) -> Array:
        return np.mean([each.mean((0, 2, 3)) for each in colors], axis=0)

    alone = [mean(Sequence(colorizer, motion=Motion()).colors(shot)) for shot in shots]
    sequence = Sequence(colorizer, motion=Motion())
    together = []
    for shot in shots:
        # After a restart, the state goes on.
        sequence = Sequence(colorizer, motion=Motion(), state=json.loads(json.dumps(sequence.state)))
        together.append(mean(sequence.colors(shot)))
    assert together[0] == pytest.approx(alone[0])
    assert together[1] == pytest.approx(alone[1])
    apart = np.linalg.norm(alone[2] - alone[0])
    assert apart > 0.3
    assert np.linalg.norm(together[2] - together[0]) < 0.2 * apart


def test_a_shot_that_was_not_finished_leaves_no_state(colorizer: Colorizer) -> None:
    sequence = Sequence(colorizer, motion=Motion())
    next(sequence.colors(looks_of(colorizer, pan(4))))
    assert sequence.state == {"places": []}
    list(sequence.colors(looks_of(colorizer, pan(4))))
    assert len(sequence.state["places"]) == 1


def test_without_motion_what_stands_still_is_held(colorizer: Colorizer) -> None:
    looks = looks_of(colorizer, pan(3, 0))
    steady = SteadyChroma()
    expected = [
        steady(look.numpy(), each.ab.numpy()) for look, each in zip(looks, colorizer.predict(looks), strict=True)
    ]
    for ab, wanted in zip(Sequence(colorizer).colors(looks), expected, strict=True):
        assert ab == pytest.approx(wanted, abs=1e-4)


def test_animations_are_sequences_whose_frames_have_hints_of_their_own() -> None:
    hint = {"x": 0.25, "y": 0.5, "radius": 0.1, "color": [30, -40], "frame": 1}
    colorizer = Colorizer("unet", size=SIZE, backend="torch", hints=[hint])
    frames = [Picture(each) for each in pan(3, 0)]
    steady = SteadyChroma()
    for number, found in enumerate(colorizer.pictures(frames, animated=True)):
        own = colorizer.for_picture(frames[number], frame=number)
        (alone,) = own.predict([own.look(frames[number])], frame=number)
        ab: Any = steady(alone.lightness.numpy(), alone.ab.numpy())
        wanted = own.paint(frames[number], dataclasses.replace(alone, ab=ab), frame=number)
        assert (found.pixels == wanted.pixels).all()
    assert list(colorizer.pictures([], animated=True)) == []


def at(ab: Array, x: float, y: float) -> Array:
    """The color at a place of the frame, in pixels of 96 × 128, as in the full-size picture."""
    return planes.ChromaJoiner(ab[0], 96, 128).ab_rows(round(y), round(y) + 1)[:, 0, round(x)]


@pytest.mark.parametrize("shape", ["point", "polyline", "polygon"])
def test_hints_follow_what_they_are_on(shape: str) -> None:
    frames, step = pan(9), 1.5
    x, y, purple = 70.0, 48.0, (30.0, -40.0)
    place = {
        "point": {"x": (x + 0.5) / 128, "y": (y + 0.5) / 96},
        "polyline": {"polyline": [((x + dx + 0.5) / 128, (y + 0.5) / 96) for dx in (-6, 0, 6)]},
        "polygon": {
            "polygon": [((x + dx) / 128, (y + dy) / 96) for dx, dy in ((-12, -12), (12, -12), (12, 12), (-12, 12))]
        },
    }[shape]
    hint = {**place, "color": list(purple), "frame": 104}
    plain, hinted = (Colorizer("unet", size=SIZE, backend="torch", hints=hints) for hints in (None, [hint]))
    looks = looks_of(plain, frames)
    without = list(Sequence(plain, motion=Motion()).colors(looks, first=100))
    colors = list(Sequence(hinted, motion=Motion()).colors(iter(looks), first=100, size=(96, 128)))
    for number, tolerance in ((4, 1.0 if shape != "polygon" else 6.0), (0, 8.0), (8, 8.0)):
        # The camera moves to the right, and what it sees to the left.
        now = x - step * (number - 4)
        assert np.abs(at(colors[number], now, y) - purple).max() < tolerance, number
        assert np.abs(at(without[number], now, y) - purple).max() > 15


def test_hints_of_other_shots_change_nothing(colorizer: Colorizer) -> None:
    hints = [{"x": 0.5, "y": 0.5, "color": "purple", "frame": frame} for frame in (1, 500)]
    hinted = Colorizer("unet", size=SIZE, backend="torch", hints=hints)
    looks = looks_of(hinted, pan(3))
    without, elsewhere = (
        list(Sequence(each, motion=Motion()).colors(looks, first=200)) for each in (colorizer, hinted)
    )
    assert np.abs(np.stack(elsewhere) - np.stack(without)).max() < 1e-3


def test_hints_end_where_their_place_leaves_the_picture() -> None:
    frames = [window(painting(), 2 + 4 * number) for number in range(9)]
    # After four frames it is beyond the left border.
    hint = {"x": 10 / 128, "y": 0.5, "color": [30, -40], "frame": 0}
    plain, hinted = (Colorizer("unet", size=SIZE, backend="torch", hints=hints) for hints in (None, [hint]))
    looks = looks_of(plain, frames)
    without, colors = (list(Sequence(each, motion=Motion()).colors(looks)) for each in (plain, hinted))
    assert np.abs(at(colors[0], 9.5, 47.5) - (30, -40)).max() < 1
    assert np.abs(colors[0] - without[0])[..., :4].mean() > 3
    assert np.abs(colors[8] - without[8])[..., :4].mean() < 3


def test_a_mask_follows_what_it_is_on(tmp_path: Any) -> None:
    inside = np.zeros((96, 128), np.uint8)
    inside[36:60, 58:82] = 255
    Image.fromarray(inside).save(tmp_path / "mask.png")
    hint = {"mask": str(tmp_path / "mask.png"), "color": [30, -40], "frame": 0}
    hinted = Colorizer("unet", size=SIZE, backend="torch", hints=[hint])
    frames = pan(7, 3.0)
    colors = list(Sequence(hinted, motion=Motion()).colors(looks_of(hinted, frames)))
    for number in (0, 6):
        assert np.abs(at(colors[number], 70 - 3 * number, 48) - (30, -40)).max() < 8


def test_a_reference_colors_a_shot() -> None:
    reference = ROOT / "docs" / "pictures" / "gogh_auvers.jpg"
    plain, referring = (Colorizer("unet", size=SIZE, backend="torch", reference=each) for each in (None, reference))
    looks = looks_of(plain, pan(3))
    one, other = (list(Sequence(each, motion=Motion()).colors(looks)) for each in (plain, referring))
    assert np.abs(np.stack(one) - np.stack(other)).mean() > 1
