import operator

import cv2
import numpy as np
import pytest

from artcolor.color import planes
from artcolor.video.shots import starts
from tests.video.pans import Array, old, painting, pan, window

NAMES = ("bruegel_harvesters", "gogh_auvers", "renoir_galette", "hokusai_ejiri", "cassatt_summertime")


def found(frames: list[Array]) -> list[int]:
    small = (cv2.resize(each, (96, 72), interpolation=cv2.INTER_AREA) for each in frames)
    return [number for number, each in enumerate(starts(planes.lightness(each) for each in small)) if each]


def test_hard_cuts_are_found_where_they_are() -> None:
    lengths = [12, 7, 20, 5, 15]
    frames = [
        each
        for number, (length, name) in enumerate(zip(lengths, NAMES, strict=True))
        for each in pan(length, step=(1.5, 4.5)[number % 2], seed=number, name=name)
    ]
    assert found(frames) == [0, 12, 19, 39, 44]


@pytest.mark.parametrize("step", [0, 1.5, 8])
def test_neither_grain_nor_exposure_nor_motion_is_a_cut(step: float) -> None:
    assert found(pan(14, step)) == [0]


def test_fades_through_black_have_one_cut() -> None:
    one, other = (window(painting(name), 20).astype(float) for name in NAMES[:2])
    down = np.linspace(1, 0, 12)
    shots = [*[one] * 8, *(one * share for share in down), *[one * 0] * 5, *(other * share for share in down[::-1])]
    frames = old([*shots, *[other] * 8])
    beginnings = found(frames)
    assert beginnings[0] == 0
    assert len(beginnings) == 2
    assert 19 <= beginnings[1] <= 27


def test_dissolves_do_not_shatter() -> None:
    one, other = (window(painting(name), 20).astype(float) for name in NAMES[:2])
    mixed = [one * (1 - share) + other * share for share in np.linspace(0, 1, 14)]
    assert len(found(old([*[one] * 8, *mixed, *[other] * 8]))) <= 2


@pytest.mark.parametrize("flash", [255, 0, None])
def test_flashes_and_black_frames_do_not_cut_a_shot(flash: int | None) -> None:
    frames = pan(16)
    # Overexposed, or blank.
    frames[8] = frames[8] // 4 + 190 if flash is None else np.full_like(frames[8], flash)
    assert found(frames) == [0]


def test_one_answer_a_frame_soon() -> None:
    assert list(starts([])) == []
    assert found(pan(1)) == [0]
    reading = iter([planes.lightness(each) for each in pan(12)])
    for told, _ in enumerate(starts(reading), start=1):
        assert 12 - operator.length_hint(reading) <= told + 4
    assert told == 12
