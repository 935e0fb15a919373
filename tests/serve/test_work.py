"""Memory and time of the network, as they are estimated before it runs."""

from typing import Any

import pytest

from artcolor.errors import ConfigError
from artcolor.serve.work import work_of, working_pixels
from tests.serve.serving import gray, serving

POINT = {"x": 0.5, "y": 0.5, "color": "red"}


def stroke(count: int, radius: float) -> dict[str, Any]:
    return {"polyline": [[0, 0], [1, 1]] * count, "radius": radius, "color": "red"}


def test_common_requests_are_answered() -> None:
    for width, height in ((400, 300), (900, 300)):
        working = working_pixels(width, height, 224)
        for hints in (None, [], {"hints": [POINT] * 200}, [POINT] * 1000, [stroke(20, 0.5)]):
            assert work_of(working, hints, draws=True) < 64_000_000
    assert work_of(working_pixels(1000, 1000, 1024), draws=True)
    assert work_of(working_pixels(3000, 2000, 1024))
    assert work_of(working_pixels(9000, 10, 256), draws=True)


@pytest.mark.parametrize(
    ("size", "hints", "said"),
    [
        (1024, [POINT] * 20, "a smaller size, or fewer hints"),
        (2048, None, "a smaller size$"),
        (256, [stroke(2500, 0.5)], "too long and too wide"),
        (256, [stroke(2500, 10**400)], "too long and too wide"),
        (512, [stroke(200, 0.3)], "too long and too wide"),
    ],
)
def test_what_needs_too_much_is_refused(size: int, hints: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        work_of(working_pixels(800, 700, size), hints)


@pytest.mark.parametrize("hints", [5, [5], {"hints": 5}, [{"polyline": [[0], 5, [0, "a"], [True, 10**400]]}]])
def test_nonsense_is_left_to_others(hints: Any) -> None:
    assert work_of(65_536, hints) >= work_of(65_536)


def test_requests() -> None:
    with serving(model="cnn") as client:
        picture = gray(60, 50)
        answer = client.post("/api/sessions?size=1024", content=picture)
        assert answer.status_code == 422
        assert "too much memory" in answer.text
        hints = {"hints": [stroke(2500, 0.5)]}
        session = client.post("/api/sessions", content=picture).json()["id"]
        answer = client.put(f"/api/sessions/{session}/guidance", json=hints)
        assert answer.status_code == 422
        assert "too long" in answer.text
        answer = client.post(
            "/api/colorize",
            files={"picture": picture},
            data={"hints": '[{"polyline": ' + str([[0, 0], [1, 1]] * 2500) + ', "radius": 0.5, "color": "red"}]'},
        )
        assert answer.status_code == 422
        assert client.get(f"/api/sessions/{session}/result").status_code == 200


def test_pictures_without_a_side_need_no_special_work() -> None:
    assert working_pixels(0, 5, 256) == working_pixels(1, 5, 256)
