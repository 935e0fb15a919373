"""The page in Chromium without a server's help: the same pixels as Python, settings, view, files, and mistakes."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import artcolor
from artcolor.engine.hint_files import HintFile
from artcolor.engine.hints import Hint
from artcolor.engine.hints_on_picture import HintedPicture
from artcolor.images import open_picture, read_provenance
from tests.conftest import ROOT
from tests.serve.browsing import PICTURE, add_hint, choose, move, opened, part, pixels, place, read, save, wait

AXE = ROOT / ".cache" / "axe-core" / "axe.min.js"


def test_colors_and_saves_as_python_does(
    browser: Any, address: str, small: Path, half_onnx: Path, tmp_path: Path
) -> None:
    def compare(file: str, **options: Any) -> np.ndarray:
        assert save(tab, tmp_path / file) == "Great wave.color.png"
        colorizer = artcolor.Colorizer(half_onnx, **options)
        assert read_provenance(tmp_path / file) == colorizer.provenance
        found, expected = read(tmp_path / file), np.asarray(colorizer(small).convert("RGB")).astype(int)
        gap = np.abs(found - expected)
        assert found.shape == expected.shape and gap.max() <= 2 and gap.mean() <= 0.5
        np.testing.assert_array_equal(found, pixels(tab))
        return found

    with opened(browser, address) as tab:
        assert tab.locator(part("download")).is_disabled()
        # Before the model is loaded, too.
        choose(tab, small)
        assert "guess by the model cnn" in tab.inner_text("#guess")
        plain = compare("plain.png")
        assert np.ptp(plain, axis=2).mean() > 5
        move(tab, "vividness", 0.5)
        assert np.ptp(pixels(tab), axis=2).mean() < np.ptp(plain, axis=2).mean()
        move(tab, "temperature", 0.6)
        move(tab, "strength", 1.5)
        settings = {"vividness": 0.5, "temperature": 0.6, "strength": 1.5}
        strong = compare("all.png", **settings)

        tab.select_option(part("format"), "jpeg")
        tab.fill(part("quality"), "100")
        assert save(tab, tmp_path / "a.jpg") == "Great wave.color.jpg"
        assert read_provenance(tmp_path / "a.jpg") == artcolor.Colorizer(half_onnx, **settings).provenance
        assert np.abs(read(tmp_path / "a.jpg") - strong).mean() < 4
        large = (tmp_path / "a.jpg").stat().st_size
        tab.fill(part("quality"), "60")
        save(tab, tmp_path / "a.jpg")
        assert (tmp_path / "a.jpg").stat().st_size < large / 2

        assert save(tab, tmp_path / "layer.png", "download-layer") == "Great wave.layer.png"
        layer = read(tmp_path / "layer.png")
        assert layer.shape == plain.shape and np.ptp(layer.mean(axis=2)) < np.ptp(plain.mean(axis=2)) / 2
        assert read_provenance(tmp_path / "layer.png").model == artcolor.Colorizer(half_onnx).provenance.model

        move(tab, "strength", 0)
        assert np.ptp(pixels(tab), axis=2).max() <= 1
        tab.click("#reset")
        wait(tab)
        np.testing.assert_array_equal(pixels(tab), plain)
        # A slider that was moved is one step.
        tab.click(part("undo"))
        wait(tab)
        assert tab.input_value(part("strength")) == "0"


def test_mistakes_are_told_and_the_picture_before_stays(
    browser: Any, address: str, small: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    Image.new("L", (4100, 4100)).save(tmp_path / "large.png")
    with opened(browser, address) as tab:
        tab.set_input_files(part("open"), tmp_path / "notes.txt")
        wait(tab, "error")
        assert "notes.txt is damaged, or in a format" in tab.inner_text("#status")
        assert tab.locator(part("strength")).is_disabled()
        choose(tab, small)
        plain = pixels(tab)
        tab.set_input_files(part("open"), tmp_path / "large.png")
        wait(tab, "error")
        assert "large.png is too large" in tab.inner_text("#status")
        np.testing.assert_array_equal(pixels(tab), plain)
        move(tab, "strength", 0.5)
        assert tab.inner_text("#status").startswith("Great wave.png, 240 × 160")
        assert save(tab, tmp_path / "a.png") == "Great wave.color.png"
        # The newest of several that are opened at once.
        tab.evaluate(OPEN_BOTH, [list(small.read_bytes()), list(PICTURE.read_bytes())])
        tab.locator("#status", has_text="second, 656 × 443").wait_for()
        assert pixels(tab).shape == (443, 656, 3)


OPEN_BOTH = """files => files.forEach((bytes, number) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], ["first", "second"][number]));
  document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
})"""


def test_says_that_the_model_is_missing(browser: Any, address: str) -> None:
    tab = browser.new_page()
    tab.route("**/model.onnx", lambda route: route.fulfill(status=404))
    tab.goto(address)
    wait(tab, "error")
    assert "could not be loaded (model.onnx: 404)" in tab.inner_text("#status")
    tab.set_input_files(part("open"), PICTURE)
    wait(tab, "error")
    tab.close()


TRANSFER = """([kind, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], `${kind}.jpg`, { type: "image/jpeg" }));
  const content = { bubbles: true, cancelable: true, [kind === "drop" ? "dataTransfer" : "clipboardData"]: data };
  document.body.dispatchEvent(kind === "drop" ? new DragEvent(kind, content) : new ClipboardEvent(kind, content));
}"""


def test_takes_dropped_and_pasted_pictures_and_paintings(browser: Any, address: str) -> None:
    with opened(browser, address, reduced_motion="no-preference") as tab:
        tab.locator(part("sample")).nth(3).wait_for()
        assert all(
            tab.locator(f"{part('sample')} img").nth(n).evaluate("each => each.decode()") is None for n in (0, 3)
        )
        tab.locator(part("sample")).nth(3).click()
        wait(tab)
        assert "hokusai_great_wave.jpg, " in tab.inner_text("#status")
        # The colors are drawn over the original, from the right to the left.
        tab.wait_for_selector(f'{part("compare")}[aria-valuetext="0% original"]')
        for kind in ("drop", "paste"):
            tab.evaluate(TRANSFER, [kind, list(PICTURE.read_bytes())])
            assert tab.get_attribute(part("result"), "data-state") == "loading"
            wait(tab)
            assert tab.inner_text("#status").startswith(f"{kind}.jpg, ")


def screen(tab: Any, selector: str = "#stage") -> np.ndarray:
    shot = tab.locator(selector).screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def test_compares_zooms_and_pans(browser: Any, address: str, small: Path) -> None:
    with opened(browser, address, has_touch=True) as tab:
        choose(tab, small)
        tab.click("#zoom-pixels")
        assert tab.inner_text("#zoom-pixels") == "100%"
        # One pixel of the picture is one of the screen; the divider hides a few.
        np.testing.assert_array_equal(screen(tab, "#sheet")[:50, 4:], pixels(tab)[:50, 4:])
        tab.click("#zoom-fit")
        colored = screen(tab, "#sheet")
        move(tab, "compare", 100)
        original = screen(tab, "#sheet")
        move(tab, "compare", 50)
        both = screen(tab, "#sheet")
        middle = both.shape[1] // 2
        np.testing.assert_array_equal(both[:50, 9 : middle - 9], original[:50, 9 : middle - 9])
        np.testing.assert_array_equal(both[:50, middle + 9 : -9], colored[:50, middle + 9 : -9])
        assert np.abs(original - colored).max() > 20
        # The handle can be dragged.
        x, y = place(tab, 0.5, 0.5)
        tab.mouse.move(x, y)
        tab.mouse.down()
        tab.mouse.move(x + colored.shape[1] / 4, y, steps=3)
        tab.mouse.up()
        assert float(tab.input_value(part("compare"))) == pytest.approx(75, abs=1)

        # The place under the pointer stays there.
        x, y = place(tab, 0.25, 0.25)
        tab.mouse.move(x, y)
        tab.mouse.wheel(0, -400)
        assert np.allclose(place(tab, 0.25, 0.25), (x, y), atol=1.5)
        wide = tab.locator("#sheet").bounding_box()["width"]
        assert wide == pytest.approx(2 * colored.shape[1], rel=0.05)
        before = place(tab, 0, 0)
        tab.mouse.down()
        tab.mouse.move(x + 40, y + 30, steps=3)
        tab.mouse.up()
        assert np.subtract(place(tab, 0, 0), before) == pytest.approx([40, 30], abs=1)
        assert tab.locator(part("draft")).count() == 0, "dragging is no click"
        # Two fingers that move apart, and one that taps.
        wide = tab.locator("#sheet").bounding_box()["width"]
        session = tab.context.new_cdp_session(tab)
        for kind, gap in (("touchStart", 40), ("touchMove", 50), ("touchMove", 60), ("touchEnd", 0)):
            points = [{"x": 500 - gap, "y": 300, "id": 0}, {"x": 500 + gap, "y": 300, "id": 1}]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points if gap else []})
        assert tab.locator("#sheet").bounding_box()["width"] == pytest.approx(1.5 * wide, rel=0.05)
        assert tab.locator(part("draft")).count() == 0
        tab.touchscreen.tap(500, 300)
        assert tab.locator(part("draft")).count() == 1
        tab.keyboard.press("Escape")
        assert tab.locator(part("draft")).count() == 0
        wide = tab.locator("#sheet").bounding_box()["width"]
        tab.focus("#stage")
        for key, change in (("+", 1.25), ("-", 1), ("0", colored.shape[1] / wide)):
            tab.keyboard.press(key)
            assert tab.locator("#sheet").bounding_box()["width"] == pytest.approx(wide * change, rel=0.02)


def test_shows_other_guesses_and_where_it_is_unsure(browser: Any, address: str, small: Path) -> None:
    with opened(browser, address) as tab:
        choose(tab, small)
        typical = pixels(tab)
        alternatives = tab.locator(f"{part('alternative')}:enabled")
        alternatives.nth(3).wait_for()
        assert alternatives.count() == 4
        alternatives.nth(1).click()
        wait(tab)
        assert alternatives.nth(1).get_attribute("aria-pressed") == "true"
        other = pixels(tab)
        assert np.abs(other - typical).max() > 5
        # The thumbnail of the typical one follows the settings although another is shown.
        look = f"document.querySelector('{part('typical')} canvas').toDataURL()"
        before = tab.evaluate(look)
        move(tab, "strength", 0)
        tab.wait_for_function(f"before => {look} !== before", arg=before)
        tab.click(part("undo"))
        tab.click(part("typical"))
        wait(tab)
        np.testing.assert_array_equal(pixels(tab), typical)
        tab.click(part("undo"))
        wait(tab)
        np.testing.assert_array_equal(pixels(tab), other)

        tab.click(part("uncertainty"))
        tab.wait_for_selector("#map[data-ready]")
        marked = screen(tab, "#sheet")[:50]
        assert tab.locator("#legend").is_visible()
        tab.click("#original-shown")
        assert tab.get_attribute(part("uncertainty"), "aria-pressed") == "false"
        tab.click("#original-shown")
        assert np.abs(screen(tab, "#sheet")[:50] - marked).max() > 50


def test_has_no_barriers_and_fits_the_window(browser: Any, address: str, small: Path) -> None:
    with opened(browser, address, has_touch=True) as tab:
        if AXE.is_file():
            tab.evaluate(AXE.read_text(encoding="utf-8"))

        def check(state: str, widths: tuple[int, ...] = (390, 1400, 2560)) -> None:
            for width in widths:
                tab.set_viewport_size({"width": width, "height": 900})
                assert tab.evaluate("document.documentElement.scrollWidth") <= width, state
                for scheme in ("light", "dark"):
                    tab.emulate_media(color_scheme=scheme)
                    if AXE.is_file() and width != 2560:
                        found = tab.evaluate("axe.run().then(({ violations }) => violations)")
                        serious = [each for each in found if each["impact"] in ("serious", "critical")]
                        assert not serious, (state, width, scheme, serious)

        tab.locator("#status", has_text="Ready").wait_for()
        check("empty")
        choose(tab, small)
        tab.locator(f"{part('alternative')}:enabled").nth(3).wait_for()
        check("ready")
        add_hint(tab, 0.3, 0.4)
        check("popover")
        assert tab.locator("[data-text]:empty").count() == 0
        sizes = tab.eval_on_selector_all(
            "button", "all => all.filter(b => b.offsetParent).map(b => Math.min(b.offsetWidth, b.offsetHeight))"
        )
        assert min(sizes) >= 24
    if not AXE.is_file():
        pytest.skip("without axe-core: python scripts/fetch_axe.py; the rest of this test has passed")


def test_works_with_the_keyboard(browser: Any, address: str, small: Path) -> None:
    def focused() -> str:
        name: str = tab.evaluate("document.activeElement.id || document.activeElement.dataset.artcolor")
        return name

    with opened(browser, address) as tab:
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.dataset.opens") == "open"
        choose(tab, small)
        plain = pixels(tab)
        reached = []
        tab.focus("#stage")
        for _ in range(16):
            tab.keyboard.press("Tab")
            reached.append(focused())
            if reached[-1] == "strength":
                tab.keyboard.press("End")
                wait(tab)
        assert reached[0] == "compare"
        assert [each for each in reached if each in ("vividness", "temperature", "strength", "reset")] == [
            "vividness",
            "temperature",
            "strength",
            "reset",
        ]
        assert tab.inner_text('output[for="strength"]') == "2.00"
        tab.keyboard.press("Control+z")
        wait(tab)
        np.testing.assert_array_equal(pixels(tab), plain)

        tab.focus("#hint-add")
        tab.keyboard.press("Enter")
        tab.locator(part("suggestion")).first.wait_for()
        assert focused() == "popover"
        tab.keyboard.press("Tab")
        tab.keyboard.press("Tab")
        assert focused() == "suggestion"
        tab.keyboard.press("Enter")
        wait(tab)
        tab.keyboard.press("Escape")
        assert focused() == "hint" and tab.locator("#popover").is_hidden()
        label = tab.get_attribute(part("hint"), "aria-label")
        tab.keyboard.press("Shift+ArrowLeft")
        wait(tab)
        assert tab.get_attribute(part("hint"), "aria-label") != label
        tab.keyboard.press("Enter")
        assert tab.locator("#popover").is_visible()
        tab.keyboard.press("Escape")
        tab.keyboard.press("Delete")
        wait(tab)
        assert tab.locator(part("hint")).count() == 0 and focused() == "stage"
        for _ in range(2):
            tab.keyboard.press("Control+z")
            wait(tab)
        assert tab.get_attribute(part("hint"), "aria-label") == label
        tab.keyboard.press("Control+Shift+z")
        wait(tab)
        assert tab.get_attribute(part("hint"), "aria-label") != label


def test_says_what_cannot_be_kept(browser: Any, address: str, small: Path, tmp_path: Path) -> None:
    clear = Image.open(small).convert("LA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    clear.save(tmp_path / "clear.png")
    (tmp_path / "blue.json").write_text('{"hints": [{"x": 0.2, "y": 0.1, "color": "#0000ff"}]}')
    with opened(browser, address) as tab:
        tab.locator(part("sample")).first.focus()
        tab.keyboard.press("Enter")
        wait(tab)
        assert tab.evaluate("document.activeElement.id") == "stage"
        tab.select_option(part("format"), "jpeg")
        choose(tab, tmp_path / "clear.png")
        assert tab.input_value(part("format")) == "png", "JPEG would make transparent places black"
        assert tab.locator(f"{part('format')} option[value=jpeg]").is_disabled()
        save(tab, tmp_path / "saved.png")
        assert Image.open(tmp_path / "saved.png").getextrema()[3] == (0, 255)

        choose(tab, small)
        assert tab.locator(f"{part('format')} option[value=jpeg]").is_enabled()
        assert tab.inner_text(part("notes")) == ""
        tab.set_input_files(part("hints-file"), tmp_path / "blue.json")
        tab.get_by_text("sRGB cannot show").wait_for()
        given = HintFile(hints=[Hint(x=0.2, y=0.1, color="#0000ff")])
        assert [tab.inner_text(part("notes"))] == HintedPicture(open_picture(small)).unshown(given)
        tab.click("#hints-clear")
        tab.get_by_text("sRGB cannot show").wait_for(state="detached")


def test_nothing_lies_over_the_controls(browser: Any, address: str, small: Path) -> None:
    with opened(browser, address) as tab:
        choose(tab, small)
        for width, height in ((1024, 700), (1400, 900), (1400, 1300)):
            tab.set_viewport_size({"width": width, "height": height})
            for part_of_panel in ("#strength", "#hints-count", "#hint-add"):
                tab.locator(part_of_panel).scroll_into_view_if_needed()
                # Fails if something else would be hit.
                tab.locator(part_of_panel).click(trial=True, timeout=2000)
        # Hints that are placed without a pointer do not lie on each other.
        for _ in range(3):
            tab.focus("#hint-add")
            tab.keyboard.press("Enter")
            tab.click(part("gray"))
            wait(tab)
        places = tab.eval_on_selector_all(part("hint"), "all => all.map(each => each.style.left + each.style.top)")
        assert len(set(places)) == 3
