"""Hints: parsing, files, painted layers, and the grid."""

import inspect
import json
from dataclasses import fields
from importlib import resources
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import artcolor
from artcolor.color.transforms import JoinChroma
from artcolor.engine.hint_files import open_hints, read_hints
from artcolor.engine.hints import Hint, parse_color
from artcolor.engine.observations import enforce, observe
from artcolor.errors import ConfigError, ImageError
from tests.conftest import make_painting

BLUE = (17.49, -44.64)


@pytest.mark.parametrize(
    ("color", "ab"),
    [
        ("#27408b", BLUE),
        ("RoyalBlue4", None),
        ("white", (0, 0)),
        ("lab(50 20 -30)", (20, -30)),
        ("LAB(50, 20.5, -30)", (20.5, -30)),
        ([12, -7.25], (12, -7.25)),
    ],
)
def test_colors(color: str, ab: tuple[float, float] | None) -> None:
    if ab is None:
        with pytest.raises(ConfigError, match="is not a color"):
            parse_color(color)
    else:
        assert parse_color(color) == pytest.approx(ab, abs=0.02)


WRONG = [
    ({}, "one of x and y, polyline, polygon and mask; this one has none"),
    ({"x": 0.5, "y": 0.5, "polyline": [[0, 0]], "color": "red"}, "this one has x and y and polyline"),
    ({"x": 0.5, "color": "red"}, "y must be a number from 0 to 1, not None"),
    ({"x": 120, "y": 0.5, "color": "red"}, "x must be a number from 0 to 1, not 120"),
    ({"x": True, "y": 0.5, "color": "red"}, "x must be a number from 0 to 1, not True"),
    ({"x": 0.5, "y": float("nan"), "color": "red"}, "y must be a number"),
    ({"x": 0.5, "y": 0.5}, "needs color or keep"),
    ({"x": 0.5, "y": 0.5, "color": "bluish"}, "'bluish' is not a color"),
    ({"x": 0.5, "y": 0.5, "color": "lab(50 20)"}, "is not a color"),
    ({"x": 0.5, "y": 0.5, "color": [1, 900]}, "a and b of a color must be a number from -150 to 150"),
    ({"x": 0.5, "y": 0.5, "keep": "warm"}, "keep must be 'automatic' or 'gray', not 'warm'"),
    ({"x": 0.5, "y": 0.5, "keep": "gray", "color": "red"}, "color or keep, not both"),
    ({"polygon": [[0, 0], [1, 1]]}, "polygon must be a list of at least 3 points"),
    ({"polyline": [[0, 0], [1, 2]], "color": "red"}, "point 2 of polyline must be a number from 0 to 1, not 2"),
    ({"polyline": "here", "color": "red"}, "polyline must be a list"),
    ({"x": 0.5, "y": 0.5, "color": "red", "radius": 3}, "radius must be a number from 0 to 0.5, not 3"),
    ({"x": 0.5, "y": 0.5, "color": "red", "frame": -1}, "frame must be an integer of at least 0"),
    ({"x": 0.5, "y": 0.5, "colour": "red"}, "unknown keys: colour"),
    ({"mask": 3, "color": "red"}, "mask must be the path of a picture, not 3"),
    ("red", "must be an object"),
]


@pytest.mark.parametrize(("entry", "message"), WRONG)
def test_wrong_entries_are_named(entry: object, message: str, tmp_path: Path) -> None:
    good = {"x": 0.1, "y": 0.1, "color": "teal"}
    with pytest.raises(ConfigError, match=message) as raised:
        read_hints([good, entry])
    assert "hint 2" in str(raised.value)
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"schema": 1, "hints": [good, entry]}))
    with pytest.raises(ConfigError, match=message) as raised:
        read_hints(file)
    assert f"{file}: hint 2" in str(raised.value)


def test_a_file_of_every_kind_is_read_and_written(tmp_path: Path) -> None:
    Image.new("L", (8, 6), 255).save(tmp_path / "robe.png")
    entries = [
        {"x": 0.41, "y": 0.63, "radius": 0.02, "color": "#27408b"},
        {"polyline": [[0.1, 0.1], [0.5, 0.2]], "color": "lab(40 10 -45)", "frame": 120},
        {"polygon": [[0, 0], [1, 0], [1, 1]]},
        {"mask": "robe.png", "color": "navy"},
        {"x": 0.9, "y": 0.1, "keep": "gray"},
        {"x": 0.8, "y": 0.1, "keep": "automatic"},
    ]
    file = tmp_path / "a.json"
    # As Windows editors save it.
    file.write_text(json.dumps({"schema": 1, "size": [8, 6], "hints": entries}), encoding="utf-8-sig")
    hints = read_hints(str(file))
    assert [hint.ab for hint in hints] == [BLUE, (10, -45), None, parse_color("navy"), (0, 0), None]
    assert hints[3].mask == str(tmp_path / "robe.png")
    again = json.loads(json.dumps([hint.to_json() for hint in hints]))
    entries[3]["mask"] = str(tmp_path / "robe.png")
    assert again == entries
    assert read_hints(again) == hints


SCHEMA = jsonschema.Draft202012Validator(
    json.loads(resources.files("artcolor.engine").joinpath("hints.schema.json").read_text(encoding="utf-8"))
)


def test_the_schema_accepts_what_the_reader_accepts(tmp_path: Path) -> None:
    SCHEMA.check_schema(SCHEMA.schema)
    test_a_file_of_every_kind_is_read_and_written(tmp_path)
    SCHEMA.validate(json.loads((tmp_path / "a.json").read_text(encoding="utf-8-sig")))
    # The example in the documentation has an entry of each kind.
    documented = inspect.getdoc(read_hints) or ""
    example = json.loads(documented[documented.index("{") : documented.index("All entries are")])
    SCHEMA.validate(example)
    assert open_hints(example).size == (1200, 900)
    assert {name for hint in example["hints"] for name in hint} == {field.name for field in fields(Hint)}
    assert set(example) == set(SCHEMA.schema["properties"])


def test_the_schema_refuses_what_the_reader_refuses() -> None:
    for entry, message in WRONG:
        # A schema does not know the names of colors, and JSON has no NaN.
        if "is not a color" not in message and message != "y must be a number":
            assert not SCHEMA.is_valid({"hints": [entry]}), entry
    for content, _ in WRONG_CONTENT:
        assert not SCHEMA.is_valid(json.loads(content)), content


WRONG_CONTENT = [
    ("[]", "must contain a JSON object"),
    ('{"schema": 2, "hints": []}', "has schema 2"),
    ('{"hint": []}', "unknown keys: hint; the keys are schema, size, hints, palette, reference"),
    ('{"hints": "all"}', "hints must be a list"),
    ('{"size": [0, 5]}', r"size must be width and height of the picture, two positive integers, not \[0, 5\]"),
    ('{"size": [8]}', "two positive integers"),
    ('{"size": [8.5, 5]}', "two positive integers"),
    ('{"size": "8x5"}', "two positive integers"),
    ('{"palette": ["navy"]}', "palette must be 2 to 16 colors"),
    ('{"palette": ["navy", "picture"]}', "'picture' is not a color"),
    ('{"reference": 7}', "reference must be the path of a picture, not 7"),
    ('{"reference": ""}', "reference must be the path"),
]


@pytest.mark.parametrize(
    ("text", "message"),
    [*WRONG_CONTENT, ("{", "is not JSON"), ("[" * 100_000, "is not JSON")],
)
def test_wrong_files(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ConfigError, match=message) as raised:
        read_hints(tmp_path / "a.json")
    assert str(tmp_path / "a.json") in str(raised.value)
    with pytest.raises(ImageError, match="missing"):
        read_hints(tmp_path / "missing.json")
    with pytest.raises(ConfigError, match="must be a path, a mapping or a list"):
        read_hints(3)
    with pytest.raises(ConfigError, match="is a folder; give the hints file of the picture"):
        read_hints(tmp_path)


def test_palette_and_reference_of_a_file_count_as_options(tmp_path: Path) -> None:
    gray, mood, other = (make_painting(seed, 64, 48) for seed in (1, 8, 9))
    (tmp_path / "moods").mkdir()
    mood.save(tmp_path / "moods" / "mood.png")
    content = {"palette": ["#7a4fa3", "ivory"], "reference": "moods/mood.png"}
    file = tmp_path / "a.json"
    file.write_text(json.dumps(content))
    options = {"palette": ["#7a4fa3", "ivory"], "reference": tmp_path / "moods" / "mood.png"}
    found, expected = artcolor.colorize(gray, "vae", hints=file), artcolor.colorize(gray, "vae", **options)
    np.testing.assert_array_equal(found, expected)
    assert np.abs(np.asarray(found).astype(int) - artcolor.colorize(gray, "vae")).max() > 5
    assert found.provenance == expected.provenance
    assert found.provenance.options["reference"] == "mood.png"
    assert found.provenance.options["palette"] == content["palette"]
    # An option that is given wins.
    options["reference"] = other
    found, expected = (
        artcolor.colorize(gray, "vae", **given) for given in ({"hints": file, "reference": other}, options)
    )
    np.testing.assert_array_equal(found, expected)
    rendered = artcolor.Session(gray, "vae").render(artcolor.Guidance(hints=file, reference=other))
    assert np.abs(np.asarray(rendered).astype(int) - np.asarray(found)).max() <= 1
    assert rendered.provenance.options["palette"] == content["palette"]


def test_what_a_model_does_not_accept_is_said_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"palette": ["navy", "ivory"]}))
    message = r"a\.json: palette: cnn_report takes no palette; `palette` requires"
    with pytest.raises(ConfigError, match=message):
        artcolor.Colorizer("cnn_report", hints=file)
    with pytest.raises(ConfigError, match=message):
        artcolor.Session(make_painting(1), "cnn_report").render(artcolor.Guidance(hints=file))
    with pytest.raises(ConfigError, match="^palette: cnn_report takes no palette"):
        artcolor.Colorizer("cnn_report", palette=["navy", "ivory"])


def test_painted_hints_survive_any_size(tmp_path: Path) -> None:
    layer = Image.new("RGBA", (3000, 2000), (0, 0, 0, 0))
    drawn = ImageDraw.Draw(layer)
    drawn.point((1500, 500), "#27408b")
    drawn.ellipse((300, 300, 420, 420), fill="#aa3311")
    drawn.point((10, 10), (0, 255, 0, 100))
    layer.save(tmp_path / "hints.png")
    hints = read_hints(tmp_path / "hints.png")
    assert len(hints) <= 2000
    colors = {hint.color for hint in hints}
    assert colors == {"#27408b", "#aa3311"}, "what is less than half opaque does not count"
    found = observe(hints, (36, 54))
    assert found is not None
    assert 9 * 54 + 27 in found.cells.tolist(), "a single painted pixel is not lost"
    Image.new("RGB", (20, 20)).save(tmp_path / "opaque.png")
    with pytest.raises(ConfigError, match="has no transparency"):
        read_hints(tmp_path / "opaque.png")
    Image.new("RGBA", (20, 20)).save(tmp_path / "empty.png")
    with pytest.raises(ConfigError, match="nothing is painted"):
        read_hints(tmp_path / "empty.png")


def test_points_strokes_and_regions_on_the_grid(tmp_path: Path) -> None:
    def cells(**hint: object) -> set[tuple[int, int]]:
        found = observe(read_hints([{"color": "navy", **hint}]), (10, 20))
        assert found is not None
        return {divmod(cell, 20) for cell in found.cells.tolist()}

    assert cells(x=0, y=0, radius=0) == {(0, 0)}
    assert cells(x=1, y=1, radius=0) == {(9, 19)}
    assert cells(x=0.525, y=0.55, radius=0.1) == {(5, 10), (4, 10), (6, 10), (5, 9), (5, 11)}
    assert cells(polyline=[[0, 0.05], [1, 0.05]], radius=0) == {(0, column) for column in range(20)}
    assert cells(polygon=[[0, 0], [0.1, 0], [0.1, 0.2], [0, 0.2]]) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    mask = Image.new("L", (40, 20))
    mask.paste(255, (0, 0, 4, 4))
    mask.save(tmp_path / "mask.png")
    assert cells(mask=str(tmp_path / "mask.png")) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    tiny = [[0.5, 0.5], [0.501, 0.5], [0.501, 0.501]]
    assert len(cells(polygon=tiny)) == 1, "a region smaller than a cell is not lost"


def test_later_hints_win_and_frames_are_told_apart() -> None:
    hints = [
        Hint(x=0.5, y=0.5, color="red", radius=0),
        Hint(x=0.5, y=0.5, color="navy", radius=0),
        Hint(x=0.1, y=0.1, color="red", radius=0, frame=3),
    ]
    first = observe(hints, (10, 20))
    assert first is not None
    assert first.cells.tolist() == [5 * 20 + 10]
    assert first.ab[0].tolist() == pytest.approx(parse_color("navy"), abs=1e-4)
    third = observe(hints, (10, 20), frame=3)
    assert third is not None
    assert len(third.cells) == 2
    assert observe(hints[2:], (10, 20)) is None


def test_many_hints_are_thinned() -> None:
    rng = np.random.default_rng(0)
    hints = [Hint(x=float(x), y=float(y), color="teal") for x, y in rng.random((2000, 2))]
    found = observe(hints, (56, 75))
    assert found is not None
    assert 300 <= len(found.cells) <= 600
    assert len(set(found.cells.tolist())) == len(found.cells)


@pytest.mark.parametrize("size", [(500, 700), (97, 131), (40, 60)])
def test_the_full_size_picture_has_the_colors_of_hints(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    height, width = size
    hints = [
        Hint(x=float(x), y=float(y), color=[float(a), float(b)])
        for (x, y), (a, b) in zip(torch.rand(12, 2), 40 * torch.randn(12, 2).clamp(-2, 2), strict=True)
    ]
    ab = enforce(10 * torch.randn(1, 2, 24, 32), hints, size)
    full = JoinChroma(ab, height, width).ab()
    for hint in hints:
        assert hint.x is not None
        assert hint.y is not None
        found = full[0, :, int(hint.y * height), int(hint.x * width)].tolist()
        assert found == pytest.approx(hint.ab, abs=0.5)
    assert torch.equal(enforce(ab, [Hint(x=0.5, y=0.5, keep="automatic")], size), ab)


def test_very_many_places_are_thinned_where_they_are_exact() -> None:
    points = np.random.default_rng(0).random((9000, 2))
    stroke = Hint(polyline=points.tolist(), color="teal")
    ab = enforce(torch.zeros(1, 2, 24, 32), [stroke], (300, 400))
    assert ab.flatten(2).mean(2)[0].tolist() == pytest.approx(parse_color("teal"), abs=1)
