"""Hints, seeds and suggestions in the page's modules: in Node, compared with artcolor's session."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

import artcolor
from artcolor.color import planes
from artcolor.engine.hint_files import read_hints
from artcolor.engine.hints import along, parse_color
from artcolor.engine.observations import observe
from artcolor.engine.painting import LAYER_LIGHTNESS
from artcolor.models.base import ColorizationModel
from artcolor.models.export import metadata_of
from artcolor.models.guidance import Decoding, Guidance
from artcolor.zoo import graphs
from tests.serve.test_js import FREE, NODE, run, steps

pytestmark = pytest.mark.skipif(NODE is None, reason="needs Node.js, which runs the page's modules")

RNG = np.random.default_rng(5)
COLORS = ("#27408b", "gold", "lab(50 60 30)", [-30, 25], "#abc", "beige", "rgb(20, 120, 60)")


def point(x: float, y: float, color: Any, **more: Any) -> dict[str, Any]:
    return {"x": x, "y": y, "color": color, **more}


def scattered(count: int) -> list[dict[str, Any]]:
    places = RNG.uniform(0, 1, (count, 2)).round(4).tolist()
    return [point(x, y, COLORS[n % len(COLORS)]) for n, (x, y) in enumerate(places)]


# These take their color from the picture.
OWN: tuple[dict[str, Any], ...] = (
    {"hints": [point(0.5, 0.4, "picture"), {"polyline": [[0.2, 0.6], [0.7, 0.9]], "color": "Picture"}]},
)
CASES: tuple[dict[str, Any], ...] = (
    {"hints": [point(0.4, 0.6, "#27408b")]},
    {"hints": [point(0, 0, "gold", radius=0.05), point(1, 1, "navy", radius=0), {"x": 0.3, "y": 0.3, "keep": "gray"}]},
    {
        "hints": [
            {"polyline": [[0.1, 0.2], [0.7, 0.3], [0.7, 0.9]], "color": "crimson", "radius": 0.03},
            {"x": 0.5, "y": 0.8, "keep": "automatic", "radius": 0.2},
            point(0.2, 0.7, [12.5, -20]),
        ],
        "decoding": {"vividness": 0.6, "strength": 0.5},
    },
    # They contradict each other, in one cell and in neighbors.
    {"hints": [point(0.5, 0.5, "red"), point(0.501, 0.5, "lime"), point(0.52, 0.5, "blue"), point(0.5, 0.5, "teal")]},
    {"hints": scattered(20), "seed": 3},
    {"hints": scattered(200)},
    {"seed": 7},
    {"seed": 2**32 + 12, "decoding": {"temperature": 0.2}},
    # A large area is thinned.
    {"hints": [{"polyline": [[0.2, 0.2], [0.8, 0.7]], "color": "olive", "radius": 0.3}, point(0.9, 0.1, "skyblue")]},
    {},
)
PLACES = ((0.41, 0.6), (0.0, 1.0))
SIDE = 90


@torch.no_grad()
def from_torch(model: ColorizationModel, light: torch.Tensor) -> tuple[dict[str, Any], list[np.ndarray]]:
    """What an ONNX file of a model says and returns, without the time that exporting takes."""
    features = model.encode(light)
    raw = model.predict_raw(features)
    known = model.embedding(features, raw)
    parts = [*known.near, known.amplitude, known.shared.flatten(2), known.scale.flatten(2), known.noise[..., None]]
    embedding = torch.cat((*parts, known.mean), dim=2).mT.reshape(1, -1, *known.size)
    return metadata_of(model, hints=True), [raw.numpy(), embedding.numpy()]


def from_onnx(path: Path, light: torch.Tensor) -> tuple[dict[str, Any], list[np.ndarray]]:
    network = onnxruntime.InferenceSession(path)
    stated = json.loads(network.get_modelmeta().custom_metadata_map[graphs.METADATA])
    return stated, network.run(["logits", "embedding"], graphs.inputs_of(light.numpy(), stated, 0, 1))


def prepared(
    folder: Path, name: str, session: artcolor.Session, image: Image.Image, cases: Any, onnx: Path | None = None
) -> dict[str, Any]:
    """Writes a picture, and what the network says of it, for Node."""
    light = session.colorizer.look(session.original)
    stated, (logits, embedding) = from_torch(session.colorizer.model, light) if onnx is None else from_onnx(onnx, light)
    for what, data in (("rgba", np.asarray(image.convert("RGBA"))), ("logits", logits), ("embedding", embedding)):
        (folder / f"{name}.{what}").write_bytes(np.ascontiguousarray(data).tobytes())
    return {
        "name": name,
        "network": stated,
        "size": (image.height, image.width),
        "padded": logits.shape[2:],
        "cases": cases,
        "places": PLACES,
        "side": SIDE,
    }


def check(folder: Path, name: str, session: artcolor.Session, answers: list[dict[str, Any]], cases: Any) -> None:
    size = session.original.pixels.shape[:2]

    def pixels(what: str, shape: tuple[int, ...] = size) -> np.ndarray:
        return np.fromfile(folder / f"{name}.{what}", np.uint8).reshape(*shape, 4)[..., :3]

    for number, (case, answer) in enumerate(zip(cases, answers, strict=True)):
        hints, seed = case.get("hints", []), case.get("seed")
        guidance, decoding = Guidance(hints=hints or None, seed=seed), Decoding(**case.get("decoding", {}))
        expected = session.render(guidance, decoding)
        assert steps(pixels(f"{number}.rgba"), np.asarray(expected)) <= 1, (name, number)
        stated = json.loads(json.dumps(expected.provenance.options))
        for one, other in zip(answer["options"].get("hints", []), stated.get("hints", []), strict=True):
            if case in OWN:
                # The last digits of a computed color may differ.
                np.testing.assert_allclose(one.pop("color"), other.pop("color"), atol=0.011)
        assert answer["options"] == stated
        small = np.asarray(session.preview(SIDE).render(guidance, decoding)).astype(int)
        found = pixels(f"{number}.small", tuple(answer["size"]))
        # Pillow may reduce first along the other side, and rounds in between.
        assert steps(found, small) <= 4, (name, number)
        assert np.abs(found - small).mean() < 0.3
        session.hints = session.all_hints(Guidance(hints=hints))
        for (x, y), suggested in zip(PLACES, answer["suggestions"], strict=True):
            likely = session.suggest(x, y)
            assert len(suggested) == len(likely), (name, number, x, y)
            for one, other in zip(suggested, likely, strict=True):
                np.testing.assert_allclose(one["ab"], other.ab, atol=0.1)
                assert one["probability"] == pytest.approx(other.probability, abs=2e-3)
        session.hints = []
    assert steps(pixels("uncertainty")[..., 1], np.asarray(session.uncertainty())) <= 1


def test_hints_and_seeds_give_the_colors_of_python(tmp_path: Path, half_onnx: Path) -> None:
    gray = Image.open(FREE[0]).convert("L").resize((301, 223))
    color = Image.open(FREE[1]).convert("RGB").resize((120, 310))
    # Smaller than the grid.
    small = Image.open(FREE[2]).convert("L").resize((40, 31))
    sessions = {
        "gray": (artcolor.Session(gray), gray, CASES, None),
        "color": (artcolor.Session(color), color, (*CASES[:3], *OWN), None),
        "small": (artcolor.Session(small), small, CASES[1:5], None),
        # It has no trained kernel, and the outputs of its file include padding.
        "file": (artcolor.Session(gray, "cnn"), gray, (*CASES[3:7], {}), half_onnx),
    }
    tasks = [
        prepared(tmp_path, name, session, image, cases, onnx)
        for name, (session, image, cases, onnx) in sessions.items()
    ]
    answer = run(tmp_path, {"colorings": tasks})
    for name, (session, _, cases, _) in sessions.items():
        check(tmp_path, name, session, answer[name], cases)
    wants_kernel = [bool(case.get("hints") or "seed" in case) for case in sessions["file"][2]]
    assert [error is not None and "--hints" in error for error in answer["without"]] == wants_kernel
    layer = np.fromfile(tmp_path / "gray.layer", np.uint8).reshape(223, 301, 4)[..., :3]
    ab = planes.lab(np.fromfile(tmp_path / "gray.0.rgba", np.uint8).reshape(223, 301, 4)[..., :3])[1:]
    assert np.abs(planes.lightness(layer) - LAYER_LIGHTNESS).max() < 1
    assert np.abs(planes.lab(layer)[1:] - ab).mean() < 3


def test_random_numbers_are_those_of_pytorch(tmp_path: Path) -> None:
    calls = [
        ("normal", 48),
        ("uniform", 512),
        ("normal", 27 * 512),
        ("normal", 2),
        ("normal", 3),
        ("normal", 1021),
        ("normal", 1),
    ]
    seeds = (0, 1, 12345, 2**32 + 7, 2**53 - 1)
    run(tmp_path, {"random": [{"seed": seed, "calls": calls} for seed in seeds]})
    for number, seed in enumerate(seeds):
        generator = torch.Generator().manual_seed(seed)
        draw = {"normal": torch.randn, "uniform": torch.rand}
        expected = np.concatenate([draw[kind](count, generator=generator).numpy() for kind, count in calls])
        np.testing.assert_allclose(np.fromfile(tmp_path / f"random{number}", np.float32), expected, atol=2e-6)


MISTAKES = (
    ({"schema": 2}, "schema 2"),
    ({"colors": []}, "unknown keys: colors"),
    ({"hints": {}}, "hints must be a list"),
    ({"size": [200, 200]}, "a different aspect ratio"),
    ({"size": [200]}, "two positive integers"),
    ({"palette": ["red", "blue"]}, "`artcolor serve`"),
    ([point(2, 0, "red")], "hint 1: x must be a number from 0 to 1, not 2"),
    ([point(0.5, 0.5, "red"), point(0.5, 0.5, "reddish")], "hint 2: 'reddish' is not a color"),
    ([point(0.5, 0.5, [200, 0])], "hint 1: a and b of a color must be a number from -150 to 150, not 200"),
    ([{"x": 0.5, "color": "red"}], "hint 1: y must be a number"),
    ([{"x": 0.5, "y": 0.5}], "needs color or keep"),
    ([point(0.5, 0.5, "red", keep="gray")], "color or keep, not both"),
    ([point(0.5, 0.5, "red", radius=0.6)], "radius must be a number from 0 to 0.5, not 0.6"),
    ([point(0.5, 0.5, "red", size=3)], "hint 1 has unknown keys: size"),
    ([{"polygon": [[0, 0], [1, 0], [1, 1]], "color": "red"}], "`artcolor serve` takes polygon"),
    ([point(0, 0, "red")] * 201, "there are 201 hints; the page takes up to 200"),
    ([{"polyline": [[0, 0], [1, 1]] * 2501, "color": "red"}] * 2, "the hints have 10004 points"),
    ([{"polyline": [[0, 0], [1]], "color": "red"}], "point 2 of polyline must be [x, y]"),
    ([{"keep": "gray"}], "this one has none of them"),
    (["red"], "hint 1 must be an object, not 'red'"),
)


def test_hints_files_are_read_as_by_python(tmp_path: Path) -> None:
    colors = ["#27408b", "#fA0", "#12345678", "Rebeccapurple", " navy ", "lab(40 10 -45)", "LAB(40, 10.125, -4.5e1)"]
    colors += ["rgb(1, 200, 30)", "gray", [12.5, -20]]
    given = {"schema": 1, "size": [400, 601], "hints": [point(0.5, 0.5, color) for color in colors]}
    given["hints"].append({"x": 0.1, "y": 0.2, "keep": "automatic", "frame": 1})
    answer = run(tmp_path, {"hints": [given, *(each for each, _ in MISTAKES)]})
    assert [hint["ab"] for hint in answer["hints"][0]] == [
        pytest.approx(parse_color(each), abs=0.011) for each in colors
    ]
    assert json.loads(answer["written"][0]) == {**given, "size": [200, 300]}
    assert len(read_hints(json.loads(answer["written"][0]))) == len(colors) + 1
    for (mistake, message), found in zip(MISTAKES, answer["hints"][1:], strict=True):
        assert message in found["error"], mistake


def near(hint: dict[str, Any], grid: tuple[int, int]) -> list[int]:
    """The cells of a stroke, in the slow way: around each of its points."""
    rows, columns = grid
    found = set()
    y, x = np.indices(grid) + 0.5
    for a, b in along(np.array(hint["polyline"]) * (columns, rows), 0.5):
        found.add(min(int(b), rows - 1) * columns + min(int(a), columns - 1))
        found |= set(np.flatnonzero((x - a) ** 2 + (y - b) ** 2 <= (hint["radius"] * min(grid)) ** 2).tolist())
    return sorted(found)


def test_strokes_mark_the_cells_of_python_and_long_ones_take_no_time(tmp_path: Path) -> None:
    strokes: list[tuple[dict[str, Any], tuple[int, int]]] = []
    for number in range(60):
        corners = RNG.uniform(0, 1, (1 + number % 6, 2)).round(1 + number % 3).tolist()
        radius = (0, 0.01, 0.03125, 0.1, 0.3)[number % 5]
        strokes.append(({"polyline": corners, "radius": radius, "color": "red"}, (6, 4 + number % 5)))
    # Cell by cell, each of these would take minutes.
    there_and_back = {"polyline": [[0, 0], [1, 1]] * 5000, "radius": 0.5, "color": "red"}
    everywhere = {"polyline": RNG.uniform(0, 1, (10_000, 2)).tolist(), "radius": 0.5, "color": "red"}
    long = [(there_and_back, (64, 90)), (everywhere, (64, 90))]
    observed = [{"hints": [hint], "grid": grid} for hint, grid in (*strokes, *long)]
    answer = run(tmp_path, {"observed": observed})["observed"]
    for (hint, grid), cells in zip(strokes, answer, strict=False):
        assert cells == near(hint, grid), (hint, grid)
    for (hint, grid), cells in zip((*strokes, *long), answer, strict=True):
        found = observe(read_hints([hint]), grid)
        assert found is not None and found.cells.tolist() == cells, (hint, grid)


CORNERS = [[0, 0], [1, 0], [1, 1]]


# Contents of files, and what the page says.
FILES: tuple[tuple[Any, str], ...] = (
    ("{", "JSON"),
    *((content, "must contain a JSON object") for content in (5, True, None, "abc")),
    ({}, "the file is empty"),
    ([{"polygon": CORNERS, "color": {}}], "hint 1: a color must be a string or two numbers"),
    ([{"polygon": CORNERS, "color": "reddish"}], "'reddish' is not a color"),
    ([{"polygon": CORNERS, "radius": 2}], "radius must be"),
    ([{"polygon": [*CORNERS, [0, 2]]}], "point 4 of polygon must be a number from 0 to 1, not 2"),
    ([{"polygon": CORNERS[:2]}], "polygon must be a list of at least 3 points"),
    ([{"polygon": CORNERS, "more": 1}], "unknown keys: more"),
    ([{"polygon": CORNERS, "mask": "a.png"}], "this one has polygon and mask"),
    ([{"mask": 5}], "mask must be the path of a picture"),
    ([{"mask": "a.png", "color": "url(x)"}], "'url(x)' is not a color"),
    ({"palette": ["navy"]}, "palette must be a list of 2 to 16 colors"),
    ({"palette": ["navy", 5]}, "palette[1]: a color must be a string or two numbers"),
    ({"reference": 5}, "reference must be the path of a picture"),
)
GOOD = (
    {"x": 0.5, "y": 0.5, "polygon": None, "color": "red"},
    {"x": None, "polyline": [[0, 0]], "color": None, "keep": "gray"},
    {"polygon": CORNERS},
    {"mask": "a.png", "color": "teal", "frame": 1},
)


def test_files_with_regions_are_checked_as_by_python(tmp_path: Path) -> None:
    texts = [each if each == "{" else json.dumps(each) for each, _ in FILES]
    *mistakes, good = run(tmp_path, {"guidance": [*texts, json.dumps(GOOD)]})["guidance"]
    for (content, message), found in zip(FILES, mistakes, strict=True):
        assert message in found["error"], content
    expected = [{name: value for name, value in hint.items() if value is not None} for hint in GOOD]
    assert good["hints"] == expected
    assert read_hints(expected) == read_hints(list(GOOD))


def test_what_the_browser_kept_is_ignored_if_it_is_damaged(tmp_path: Path) -> None:
    good = {"hints": [point(0.5, 0.5, "red"), {"polygon": CORNERS}], "decoding": {"vividness": 2}, "seed": 3}
    nothing: dict[str, Any] = {"hints": [], "extras": {}, "decoding": {}, "seed": None}
    good["extras"] = {"palette": ["navy", [5, 6.5]], "reference": "b.jpg"}
    damaged = (
        *(
            {**nothing, "hints": hints}
            for hints in ([5], [None], {}, None, [point(9, 9, "zzz")], [{"polygon": [[0, 0]]}])
        ),
        *(
            {**nothing, "decoding": decoding}
            for decoding in (5, None, {"vividness": "x"}, {"temperature": 0}, {"a": 1})
        ),
        *({**nothing, "extras": extras} for extras in (None, {"palette": 5}, {"reference": [1]})),
        *({**nothing, "seed": seed} for seed in ("abc", -3, 0.5)),
        {"hints": []},
        None,
    )
    texts = [json.dumps({"state": state}) for state in (good, nothing, *damaged)]
    answer = run(tmp_path, {"kept": [*texts, "[5]", "null", "{"]})["kept"]
    assert answer[:2] == [good, nothing] and set(map(str, answer[2:])) == {"None"}
