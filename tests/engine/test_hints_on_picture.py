"""Hints on the picture that they are for: sizes that do not fit, colors of the picture, colors beyond sRGB."""

import io
import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import artcolor
from artcolor import Guidance, Session
from artcolor.color.lab import rgb_to_lab
from artcolor.engine.hint_files import HintFile
from artcolor.engine.hints import Hint
from artcolor.engine.hints_on_picture import HintedPicture
from artcolor.errors import ConfigError, ImageError
from artcolor.images import Picture
from tests.conftest import make_painting

WIDTH, HEIGHT = 120, 90
PAINTING = make_painting(4, WIDTH, HEIGHT)
GRAY = PAINTING.convert("L")
TEAL = {"x": 0.3, "y": 0.4, "color": "teal"}


def partly_colored() -> Image.Image:
    """Gray, with a red band on the left and a blue one at the bottom."""
    picture = Image.merge("RGB", [GRAY] * 3)
    drawn = ImageDraw.Draw(picture)
    drawn.rectangle((0, 0, 40, 60), fill="#aa4433")
    drawn.rectangle((0, 61, WIDTH, HEIGHT), fill="#334488")
    return picture


def ab_of(color: object) -> list[float]:
    rgb = torch.tensor(np.asarray(color)).float().reshape(1, 3, 1, 1) / 255
    found: list[float] = rgb_to_lab(rgb)[0, 1:].flatten().tolist()
    return found


RED, BLUE = ab_of((0xAA, 0x44, 0x33)), ab_of((0x33, 0x44, 0x88))


def ab_at(image: Image.Image, x: float, y: float) -> list[float]:
    return ab_of(np.asarray(image.convert("RGB"))[int(y * image.height), int(x * image.width)])


# Sizes


def test_hints_of_a_picture_of_another_aspect_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"size": [900, 1200], "hints": [TEAL]}))
    message = r"a\.json: made for a picture of 900 × 1200 pixels, but this one has 120 × 90"
    with pytest.raises(ConfigError, match=message):
        artcolor.colorize(GRAY, "cnn", hints=file)
    with pytest.raises(ConfigError, match=message):
        Session(GRAY, "cnn").render(Guidance(hints=file))
    with pytest.raises(ConfigError, match="the hints: made for a picture of 900 × 1200"):
        artcolor.colorize(GRAY, "cnn", hints={"size": [900, 1200], "hints": [TEAL]})


@pytest.mark.parametrize(
    ("size", "of_picture", "fits"),
    [
        ((1200, 900), (120, 90), True),
        # Reduced copies are rounded to whole pixels.
        ((1600, 1123), (16, 11), True),
        ((4000, 3000), (4000, 3100), True),
        ((4000, 3000), (4000, 3180), False),
        ((4000, 3180), (4000, 3000), False),
        ((3000, 4000), (4000, 3000), False),
    ],
)
def test_aspects_may_differ_by_five_percent(size: tuple[int, int], of_picture: tuple[int, int], fits: bool) -> None:
    given = HintFile(hints=[Hint(**TEAL)], size=size)
    picture = Picture(np.zeros(of_picture[::-1], np.uint8))
    if fits:
        assert HintedPicture(picture).hints(given) == given.hints
    else:
        with pytest.raises(ConfigError, match="a different aspect ratio"):
            HintedPicture(picture).hints(given)


def test_painted_hints_and_masks_of_another_aspect_are_refused(tmp_path: Path) -> None:
    layer = Image.new("RGBA", (90, 120))
    ImageDraw.Draw(layer).ellipse((20, 20, 40, 40), fill="#27408b")
    layer.save(tmp_path / "painted.png")
    with pytest.raises(ConfigError, match=r"painted\.png: made for a picture of 90 × 120 pixels, but this one has 120"):
        artcolor.colorize(GRAY, "cnn", hints=tmp_path / "painted.png")
    layer.resize((240, 180)).save(tmp_path / "painted.png")
    artcolor.colorize(GRAY, "cnn", hints=tmp_path / "painted.png")
    mask = Image.new("L", (90, 120), 255)
    mask.save(tmp_path / "mask.png")
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"hints": [TEAL, {"mask": "mask.png", "color": "navy"}]}))
    with pytest.raises(ConfigError, match=r"a\.json: hint 2: the mask .*mask\.png: made for .* 90 × 120"):
        artcolor.colorize(GRAY, "cnn", hints=file)
    session = Session(GRAY, "cnn")
    with pytest.raises(ConfigError, match=r"mask\.png: made for a picture of 90 × 120"):
        session.hint(mask=tmp_path / "mask.png", color="navy")
    assert session.hints == []
    # A mask that was replaced is read again.
    mask.resize((240, 180)).save(tmp_path / "mask.png")
    artcolor.colorize(GRAY, "cnn", hints=file)


# Colors of the picture


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_colors_of_the_picture_itself(dtype: type) -> None:
    pixels = np.asarray(partly_colored())
    largest = 1 if dtype is np.float32 else np.iinfo(dtype).max
    pixels = (pixels / 255 * largest).astype(dtype)
    half = [[0, 0], [0.3, 0], [0.3, 0.6], [0, 0.6]]
    given = HintFile(
        hints=[
            Hint(x=0.1, y=0.2, color="picture", radius=0.03),
            Hint(x=0.5, y=0.2, color="gray"),
            Hint(polyline=[(0.1, 0.1), (0.1, 0.95)], color=" Picture"),
            Hint(polygon=half, color="picture"),
            Hint(x=0, y=1, color="picture", frame=7),
        ]
    )
    point, plain, *stroke, region, other = HintedPicture(Picture(pixels)).hints(given)
    assert (point.x, point.y, point.radius) == (0.1, 0.2, 0.03)
    assert point.color == pytest.approx(RED, abs=0.3)
    assert plain == given.hints[1]
    assert region.polygon == given.hints[3].polygon
    assert region.color == pytest.approx(RED, abs=1)
    assert other == given.hints[4]
    assert 10 <= len(stroke) <= 48
    assert (stroke[0].x, stroke[0].y, stroke[-1].y) == (0.1, 0.1, 0.95)
    for hint in stroke:
        assert hint.y is not None
        if abs(hint.y * HEIGHT - 61) > 2:
            assert hint.color == pytest.approx(RED if hint.y * HEIGHT < 61 else BLUE, abs=0.3)


def test_the_result_keeps_colors_of_the_picture_and_states_them() -> None:
    hints = [{"x": 0.1, "y": 0.2, "color": "picture"}, {"polyline": [[0.2, 0.9], [0.8, 0.9]], "color": "picture"}]
    result = artcolor.colorize(partly_colored(), hints=hints)
    for x, y, wanted in ((0.1, 0.2, RED), (0.2, 0.9, BLUE), (0.8, 0.9, BLUE), (0.5, 0.9, BLUE)):
        # 8 bits of sRGB round a and b by up to half a unit.
        assert ab_at(result, x, y) == pytest.approx(wanted, abs=1.5)
    stated = result.provenance.options["hints"]
    assert stated[0] == {"x": 0.1, "y": 0.2, "color": pytest.approx(RED, abs=0.1)}
    # What is stated can be used again.
    np.testing.assert_array_equal(artcolor.colorize(partly_colored(), hints=stated), result)
    session = Session(partly_colored())
    for hint in hints:
        session.hint(**hint)
    rendered = session.render()
    np.testing.assert_array_equal(rendered, result)
    assert rendered.provenance.options["hints"] == stated
    assert session.hints[0].color == "picture"
    assert session.suggest(0.1, 0.21)[0].ab == pytest.approx(RED, abs=20)


def test_a_gray_or_toned_picture_has_no_color_to_take(tmp_path: Path) -> None:
    entries = [TEAL, {"x": 0.5, "y": 0.5, "color": "picture"}]
    sepia = Image.fromarray((np.asarray(GRAY)[..., None] * np.array([1, 0.9, 0.7])).astype(np.uint8))
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"hints": entries}))
    for picture in (GRAY, GRAY.convert("RGB"), sepia):
        with pytest.raises(ConfigError, match=r'^hint 2: its color is "picture", but the picture is gray or toned'):
            artcolor.colorize(picture, "cnn", hints=entries)
        with pytest.raises(ConfigError, match=r'a\.json: hint 2: its color is "picture"'):
            artcolor.colorize(picture, "cnn", hints=file)
        session = Session(picture, "cnn")
        with pytest.raises(ConfigError, match=r'hint 1: its color is "picture"'):
            session.hint(**entries[1])
        assert session.hints == []


def test_a_little_color_that_survives_is_found() -> None:
    pixels = np.array(make_painting(4, 600, 450).convert("L").convert("RGB"))
    pixels[430:442, 580:592] = (0x27, 0x40, 0x8B)
    given = HintFile(hints=[Hint(x=586 / 600, y=436 / 450, color="picture")])
    (found,) = HintedPicture(Picture(pixels)).hints(given)
    assert found.color == pytest.approx(ab_of((0x27, 0x40, 0x8B)), abs=0.1)
    with pytest.raises(ConfigError, match="gray or toned there"):
        HintedPicture(Picture(pixels)).hints(HintFile(hints=[Hint(x=0.2, y=0.2, color="picture")]))


# Colors that sRGB cannot show


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.name.startswith("artcolor")]
    caplog.clear()
    return found


def test_colors_that_cannot_be_shown_are_said(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.WARNING)
    bright = Image.new("L", (WIDTH, HEIGHT), 235)
    entries = [{"x": 0.5, "y": 0.2, "color": "ivory"}, {"x": 0.3, "y": 0.6, "color": "lab(30 40 -60)"}]
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"hints": entries}))
    result = artcolor.colorize(bright, hints=file)
    (message,) = warnings_of(caplog)
    assert message.startswith(f"{file}: hint 2: sRGB cannot show 'lab(30 40 -60)' (a 40, b -60) at lightness 93; it")
    shown = [float(part.split()[-1]) for part in message.partition("it is shown as ")[2].split(",")]
    assert ab_at(result, 0.3, 0.6) == pytest.approx(shown, abs=1)
    session = Session(bright)
    for _ in range(2):
        session.render(Guidance(hints=file))
    assert warnings_of(caplog) == [message], "once in a session"
    artcolor.colorize(Image.new("L", (WIDTH, HEIGHT), 120), hints=entries[:1])
    # As a layer, all colors have one lightness.
    artcolor.colorize(bright, hints=[{"x": 0.3, "y": 0.6, "color": "lab(30 20 -30)"}], chroma_only=True)
    assert warnings_of(caplog) == []


def test_small_differences_and_gray_are_not_mentioned() -> None:
    light = HintedPicture(Picture(np.full((HEIGHT, WIDTH), 128, np.uint8)))
    (message,) = light.unshown(HintFile(hints=[Hint(x=0.5, y=0.5, color=(-90, 0))]))
    limit = float(message.partition("it is shown as a ")[2].partition(",")[0])
    for beyond, count in ((-1.8, 0), (-2.3, 1)):
        assert len(light.unshown(HintFile(hints=[Hint(x=0.5, y=0.5, color=(limit + beyond, 0))]))) == count
    silent = [
        Hint(x=0.5, y=0.5, keep="gray"),
        Hint(x=0.5, y=0.5, keep="automatic"),
        Hint(polygon=[(0, 0), (1, 0), (1, 1)]),
        Hint(x=0.5, y=0.5, color=(-90, 0), frame=2),
    ]
    assert light.unshown(HintFile(hints=silent)) == []
    assert len(light.unshown(HintFile(hints=silent), frame=2)) == 1


def test_strokes_and_regions_are_told_by_their_worst_and_their_middle() -> None:
    ramp = np.tile(np.linspace(0, 255, 200).astype(np.uint8), (50, 1))
    stroke = Hint(polyline=[(0.5, 0.5), (0.98, 0.5), (0.6, 0.5)], color="lab(40 40 -60)")
    left, right = (
        Hint(polygon=[(x, 0), (x + 0.3, 0), (x + 0.3, 1), (x, 1)], color="lab(40 20 -40)") for x in (0.2, 0.7)
    )
    found = HintedPicture(Picture(ramp)).unshown(HintFile(hints=[stroke, left, right]))
    assert [message.partition(":")[0] for message in found] == ["hint 1", "hint 3"]
    assert "at lightness 99" in found[0]
    many = HintedPicture(Picture(ramp)).unshown(HintFile(hints=[stroke] * 40, name="a.json"))
    assert len(many) == 6
    assert many[5] == "a.json: sRGB cannot show the colors of 35 further hints either"


# Several pictures


def test_hints_are_for_one_picture(tmp_path: Path) -> None:
    colorizer = artcolor.Colorizer("cnn", hints=[TEAL])
    for several in ([GRAY, GRAY], (GRAY, PAINTING), iter([GRAY, GRAY]), torch.rand(2, 1, 64, 64)):
        with pytest.raises(ConfigError, match="hints are for one picture, but there are several; colorize them one by"):
            list(colorizer(several))
    (one,) = colorizer([GRAY])
    np.testing.assert_array_equal(one, colorizer(GRAY))
    np.testing.assert_array_equal(one, next(colorizer(iter([GRAY]))))
    assert len(artcolor.Colorizer("cnn", hints=[])([GRAY, GRAY])) == 2
    with pytest.raises(ConfigError, match="is a folder"):
        artcolor.Colorizer("cnn", hints=tmp_path)


def test_a_colorizer_with_other_hints(tmp_path: Path) -> None:
    mood = make_painting(8)
    (tmp_path / "a.json").write_text(json.dumps({"hints": [TEAL], "palette": ["navy", "ivory"]}))
    plain = artcolor.Colorizer("vae", reference=mood)
    other = plain.with_hints(tmp_path / "a.json")
    assert other.model is plain.model
    assert plain.guidance.hints is None
    assert other.provenance.options["palette"] == ["navy", "ivory"]
    assert other.provenance.options["hints"] == [TEAL]
    expected = artcolor.colorize(GRAY, "vae", reference=mood, hints=[TEAL], palette=["navy", "ivory"])
    np.testing.assert_array_equal(other(GRAY), expected)
    assert "palette" not in other.with_hints([TEAL]).provenance.options


def test_pages_follow_their_own_hints(caplog: pytest.LogCaptureFixture) -> None:
    colored = partly_colored()
    hints = [
        {"x": 0.1, "y": 0.2, "color": "picture", "frame": 1},
        {"x": 0.5, "y": 0.3, "color": "#7a4fa3", "frame": 0},
    ]
    colorizer = artcolor.Colorizer("cnn", hints=hints)
    pages = [Picture(np.asarray(picture)) for picture in (GRAY, colored)]
    first, second = (Image.fromarray(page.pixels) for page in colorizer.pictures(pages))
    assert ab_at(second, 0.1, 0.2) == pytest.approx(RED, abs=1.5)
    assert ab_at(first, 0.5, 0.3) == pytest.approx(ab_of((0x7A, 0x4F, 0xA3)), abs=1.5)
    np.testing.assert_array_equal(second, artcolor.colorize(colored, "cnn", hints=[{**hints[0], "frame": 0}]))
    # What several pages share is stated as it was given.
    assert colorizer.provenance.options["hints"] == hints
    with pytest.raises(ConfigError, match=r"hint 1: its color"):
        list(colorizer.pictures(pages[::-1]))


def test_wrong_masks_and_references_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"there is no file .*robe\.png"):
        artcolor.colorize(GRAY, "cnn", hints=[{"mask": str(tmp_path / "robe.png"), "color": "navy"}])
    with pytest.raises(ImageError, match=r"there is no file .*mood\.png"):
        artcolor.Colorizer("vae", hints={"reference": str(tmp_path / "mood.png")})
    GRAY.save(file := io.BytesIO(), "PNG")
    # Bytes are a picture, too, but not a file of hints.
    with pytest.raises(ConfigError, match="hints must be a path, a mapping or a list, not a bytes"):
        artcolor.Colorizer("cnn", hints=file.getvalue())
