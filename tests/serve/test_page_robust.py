"""The page in Chromium: transparent and long pictures, hints for the next one, and what old visits left behind."""

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import artcolor
from tests.serve.browsing import PICTURE, choose, opened, part, pixels, save, wait

RED = {"x": 0.5, "y": 0.5, "color": "red"}


def test_transparent_pictures_keep_the_colors_that_are_hidden(
    browser: Any, address: str, small: Path, half_onnx: Path, tmp_path: Path
) -> None:
    gray = Image.open(small)
    alpha = Image.fromarray(np.tile(np.clip(np.arange(240) * 2 - 120, 0, 255).astype(np.uint8), (160, 1)))
    Image.merge("LA", (gray, alpha)).save(tmp_path / "la.png")
    color = Image.open(PICTURE).convert("RGB").resize((240, 160))
    color.putalpha(alpha)
    color.save(tmp_path / "color.png")
    colorizer = artcolor.Colorizer(half_onnx)
    with opened(browser, address) as tab:
        for name in ("la.png", "color.png"):
            choose(tab, tmp_path / name)
            save(tab, tmp_path / "out.png")
            with Image.open(tmp_path / "out.png") as image:
                found = np.asarray(image).astype(int)
            gap = np.abs(found - np.asarray(colorizer(tmp_path / name).convert("RGBA")))
            assert gap.max() <= 2 and gap.mean() <= 0.5 and gap[..., 3].max() == 0


# Drops a picture, and at once hints for it.
DROP = """files => files.forEach(([name, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name));
  document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
})"""


def test_hints_are_for_the_picture_that_is_being_opened(browser: Any, address: str, small: Path) -> None:
    hints = [["hints.json", list(json.dumps([RED]).encode())]]
    with opened(browser, address) as tab:
        # Before the model is loaded, too.
        for number, picture in enumerate((small, PICTURE)):
            tab.evaluate(DROP, [[picture.name, list(picture.read_bytes())], *hints])
            tab.locator("#status", has_text="Hints in hints.json: 1.").wait_for()
            wait(tab)
            assert tab.locator(part("hint")).count() == 1, number
        tab.click("#hints-clear")
        wait(tab)
        choose(tab, small)
        assert tab.locator(part("hint")).count() == 1


def answer(body: str, route: Any) -> None:
    route.fulfill(body=body)


def test_what_cannot_be_drawn_does_not_stay(browser: Any, address: str, small: Path, tmp_path: Path) -> None:
    Image.new("L", (16_385, 2)).save(tmp_path / "long.png")
    with opened(browser, address) as tab:
        tab.set_input_files(part("open"), tmp_path / "long.png")
        wait(tab, "error")
        assert "long.png is too large for the browser (16385 × 2 pixels" in tab.inner_text("#status")
        choose(tab, small)
        plain = pixels(tab)
        tab.fill(part("strength"), "0")
        wait(tab)
        [key] = tab.evaluate("Object.keys(localStorage)")
        for hints, message in (
            # The picture is gray.
            ([{**RED, "color": "picture"}], "The work saved on your last visit cannot be used (hint 1: its color"),
            ([5], "Great wave.png, 240 × 160"),
        ):
            kept = json.dumps({"state": {"hints": hints, "decoding": {}, "seed": None}})
            tab.evaluate("content => localStorage.setItem(...content)", [key, kept])
            tab.set_input_files(part("open"), small)
            tab.locator("#status", has_text=message).wait_for()
            wait(tab)
            np.testing.assert_array_equal(pixels(tab), plain)
            assert tab.evaluate("Object.keys(localStorage)") == []
            assert tab.locator(part("strength")).is_enabled()
        for samples in ("nonsense", '[null, {"file": 5}]'):
            tab.route("**/samples.json", functools.partial(answer, samples))
            tab.reload()
            tab.locator("#status", has_text="Ready").wait_for()
            assert tab.locator(part("sample")).count() == 0
