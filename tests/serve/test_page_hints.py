"""Hints on the page in Chromium: placed, moved, changed, undone, kept, and taken out and in; colored as Python does."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import artcolor
from artcolor.engine.hint_files import open_hints
from artcolor.images import read_provenance
from tests.serve.browsing import PICTURE, add_hint, choose, opened, part, pixels, place, read, save, wait


def hints_of(tab: Any, path: Path) -> list[dict[str, Any]]:
    """The hints, by way of their file."""
    save(tab, path, "download-hints")
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["hints"]
    return found


def test_hints_are_placed_changed_kept_and_saved(browser: Any, address: str, small: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    with opened(browser, address) as tab:
        choose(tab, small)
        plain = pixels(tab)
        color = add_hint(tab, 0.3, 0.7, 1)
        probabilities = tab.locator(part("suggestion")).all_inner_texts()
        assert 1 < len(probabilities) <= 5 and all(text.endswith("%") for text in probabilities)
        assert np.abs(pixels(tab) - plain).max() > 5
        [hint] = hints_of(tab, file)
        assert hint == {"x": pytest.approx(0.3, abs=0.01), "y": pytest.approx(0.7, abs=0.01), "color": color}
        assert open_hints(file).size == (240, 160)

        # Drag, radius, hexadecimal color.
        tab.mouse.move(*place(tab, hint["x"], hint["y"]))
        tab.mouse.down()
        tab.mouse.move(*place(tab, 0.6, 0.4), steps=4)
        tab.mouse.up()
        wait(tab)
        tab.fill("#hint-radius", "5")
        wait(tab)
        tab.fill("#hint-hex", "blue")
        tab.keyboard.press("Enter")
        assert tab.locator("#hint-hex-error").is_visible()
        tab.fill("#hint-hex", "#b03020")
        tab.keyboard.press("Enter")
        wait(tab)
        near = pytest.approx(0.6, abs=0.01), pytest.approx(0.4, abs=0.01)
        assert hints_of(tab, file) == [{"x": near[0], "y": near[1], "radius": 0.05, "color": "#b03020"}]

        # A second one without color; then each step back and forth.
        add_hint(tab, 0.1, 0.1)
        tab.click(part("gray"))
        wait(tab)
        last = hints_of(tab, file)
        assert last[1]["keep"] == "gray" and "color" not in last[1]
        colored = pixels(tab)
        for left in (2, 1, 1, 1, 1, 0):
            tab.click(part("undo"))
            wait(tab)
            assert tab.locator(part("hint")).count() == left
        assert tab.locator(part("undo")).is_disabled()
        np.testing.assert_array_equal(pixels(tab), plain)
        for _ in range(6):
            tab.keyboard.press("Control+y")
            wait(tab)
        np.testing.assert_array_equal(pixels(tab), colored)

        save(tab, tmp_path / "a.png")
        colorizer = artcolor.Colorizer("cnn", hints=last)
        expected = np.asarray(colorizer(small).convert("RGB")).astype(int)
        assert np.abs(read(tmp_path / "a.png") - expected).max() <= 2
        made = read_provenance(tmp_path / "a.png")
        assert made is not None and made.options == colorizer.provenance.options

        # Kept for this picture: also after the page was closed, and not for another one.
        tab.reload()
        choose(tab, PICTURE)
        assert tab.locator(part("hint")).count() == 0
        choose(tab, small)
        assert "Hints from your last visit: 2" in tab.inner_text("#status")
        np.testing.assert_array_equal(pixels(tab), colored)
        tab.locator(part("hint")).first.click()
        tab.click("#hint-delete")
        wait(tab)
        assert hints_of(tab, file) == last[1:]
        tab.click("#hints-clear")
        wait(tab)
        np.testing.assert_array_equal(pixels(tab), plain)


def test_hints_files_are_opened(browser: Any, address: str, small: Path, tmp_path: Path) -> None:
    def give(content: Any) -> None:
        file = tmp_path / "hints.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        tab.set_input_files(part("hints-file"), file)

    stroke = {"polyline": [[0.1, 0.2], [0.8, 0.2]], "color": "lab(40 10 -45)"}
    region = {"polygon": [[0, 0.5], [1, 0.5], [1, 1]], "color": "teal"}
    hints = [
        {"x": 0.5, "y": 0.5, "radius": 0.02, "color": [20, 30]},
        stroke,
        region,
        {"x": 0.9, "y": 0.1, "keep": "automatic"},
    ]
    with opened(browser, address) as tab:
        choose(tab, small)
        plain = pixels(tab)
        for content, message in (
            ("{", "hints.json is not a hints file"),
            ({"hints": [{"x": 2, "y": 0, "color": "red"}]}, "hint 1: x must be a number from 0 to 1, not 2"),
            ({"hints": [region, {"polygon": [[0, 0]]}]}, "hint 2: polygon must be a list of at least 3 points"),
            ({"size": [100, 400], "hints": []}, "a different aspect ratio"),
        ):
            give(content)
            tab.locator("#status.failed", has_text=message).wait_for()
        give({"schema": 1, "size": [480, 320], "hints": hints, "palette": ["navy", "ivory"]})
        tab.locator("#status", has_text="Hints in hints.json: 4.").wait_for()
        wait(tab)
        assert tab.inner_text("#status") == (
            "Hints in hints.json: 4. Hints that are not used on this page: 1. "
            "Kept in the hints file, but not used here: palette."
        )
        assert tab.locator(part("hint")).count() == 2
        assert tab.locator("#outlines > .stroke").count() == 1 and tab.locator("#outlines > .region").count() == 1
        assert np.abs(pixels(tab) - plain).max() > 5
        assert hints_of(tab, tmp_path / "a.json") == hints
        assert json.loads((tmp_path / "a.json").read_text())["palette"] == ["navy", "ivory"]
        tab.locator(part("shape")).first.get_by_role("button").click()
        wait(tab)
        assert hints_of(tab, tmp_path / "a.json") == [hints[0], region, hints[3]]


def test_colors_are_taken_from_the_picture_and_a_reference(
    browser: Any, address: str, small: Path, tmp_path: Path
) -> None:
    reference = Image.new("RGB", (40, 20), "#c04010")
    reference.paste("#2040a0", (20, 0, 40, 20))
    reference.save(tmp_path / "reference.png")
    with opened(browser, address) as tab:
        choose(tab, small)
        shown = pixels(tab)[40, 180]
        tab.mouse.click(*place(tab, 0.25, 0.75))
        tab.locator(part("suggestion")).first.wait_for()
        tab.click(part("pick-picture"))
        tab.mouse.click(*place(tab, 180.5 / 240, 40.5 / 160))
        wait(tab)
        [hint] = hints_of(tab, tmp_path / "a.json")
        assert hint["color"] == "#{:02x}{:02x}{:02x}".format(*shown)

        tab.set_input_files(part("reference-file"), tmp_path / "reference.png")
        tab.locator(part("reference")).click(position={"x": 5, "y": 5})
        wait(tab)
        [hint] = hints_of(tab, tmp_path / "a.json")
        assert hint["color"] == "#c04010"
        # Without a hint that is edited, the color is for the next one; by keyboard.
        tab.keyboard.press("Escape")
        tab.focus(part("reference"))
        for _ in range(30):
            tab.keyboard.press("ArrowRight")
        tab.keyboard.press("Enter")
        assert "#2040a0" in tab.inner_text("#status")
        tab.mouse.click(*place(tab, 0.6, 0.2))
        wait(tab)
        assert [each["color"] for each in hints_of(tab, tmp_path / "a.json")] == ["#c04010", "#2040a0"]
        tab.click("#reference-close")
        assert not tab.locator(part("reference")).is_visible()
