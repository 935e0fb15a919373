import itertools

import numpy as np
import pytest

from artcolor.color import planes
from artcolor.errors import ConfigError
from artcolor.video.motion import Motion
from tests.video.pans import old, painting, pan, window

NAMES = ("bruegel_harvesters", "gogh_auvers")


@pytest.mark.parametrize("step", [1.5, 4.5])
def test_a_pan_is_followed_through_grain_and_flickering_exposure(step: float) -> None:
    first, second = (planes.lightness(each) for each in pan(2, step))
    flow = Motion().between(first, second)
    inner = np.s_[8:-8, 8:-8]
    for found, true in ((flow.fore, [-step, 0]), (flow.back, [step, 0])):
        assert np.median(np.linalg.norm(found - np.array(true), axis=-1)[inner]) < 0.25
    assert flow.fore_sure[inner].mean() > 0.85


def test_values_move_with_the_picture_and_keep_their_contrast() -> None:
    first, second = (planes.lightness(window(painting(), x)) for x in (10, 14))
    step = Motion().between(first, second).on_grid((24, 32))
    values = np.random.default_rng(0).normal(size=(24, 32, 2)).astype(np.float32)
    moved, sure = step.to_later(values)
    # The camera moves by four pixels, one cell, to the right, and the picture to the left.
    assert np.abs(moved[2:-2, 2:-3] - values[2:-2, 3:-2]).mean() < 0.2
    back, _ = step.to_earlier(moved)
    assert back[4:-4, 4:-4].std() > 0.9 * values[4:-4, 4:-4].std()
    assert sure.shape == (24, 32, 1)


def test_what_is_covered_or_leaves_is_not_sure() -> None:
    behind, before = painting(), painting("gogh_auvers")[40:80, 60:100]
    frames = []
    for x in (30, 38):
        frame = window(behind, 20)
        frame[30:70, x : x + 40] = before
        frames.append(frame)
    flow = Motion().between(*(planes.lightness(each) for each in old(frames)))
    covered = flow.fore_sure[34:66, 71:77].mean()
    still = flow.fore_sure[4:24, 4:100].mean()
    assert covered < 0.6 * still
    left = Motion().between(*(planes.lightness(window(painting(), x)) for x in (10, 22)))
    assert left.fore_sure[:, :8].mean() < 0.2 < 0.8 < left.fore_sure[8:-8, 40:100].mean()


def test_frames_without_contrast_do_not_move() -> None:
    black = np.zeros((64, 80), np.float32)
    flow = Motion().between(black, black)
    assert np.abs(flow.fore).max() < 0.1
    assert flow.fore_sure.min() > 0.9


def test_a_white_frame_is_not_what_the_others_show() -> None:
    frame = planes.lightness(window(painting(), 20))
    flow = Motion().between(frame, np.full_like(frame, 99))
    assert flow.fore_sure.mean() < 0.4


def test_outlines_surround_areas() -> None:
    inside = np.zeros((40, 60), bool)
    inside[10:20, 30:45] = inside[30, 5] = True
    found = sorted(Motion().outlines(inside), key=len)
    assert len(found) == 2
    corners = np.array(max(found, key=lambda each: np.ptp(each, axis=0).sum()))
    assert corners.min(0) * (60, 40) == pytest.approx([30.125, 10.125])
    assert corners.max(0) * (60, 40) == pytest.approx([44.875, 19.875])


def test_motion_does_not_depend_on_what_was_seen_before() -> None:
    one, other = ([planes.lightness(each[:64, :84]) for each in pan(4, 1.5, name=name)] for name in NAMES)
    used = Motion()
    for pair in itertools.pairwise(one):
        used.between(*pair)
    for pair in itertools.pairwise(other):
        assert (used.between(*pair).fore == Motion().between(*pair).fore).all()


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ConfigError, match="ultrafast, fast, medium, not 'slow'"):
        Motion("slow")
