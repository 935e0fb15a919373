"""The page with a server behind it, in Chromium: token, models, formats, and folders."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from tests.serve.browsing import TIMEOUT, add_hint, choose, move, opened, part, pixels, save, wait
from tests.serve.serving import gray, serving


def test_offers_what_the_server_can(browser: Any, tmp_path: Path) -> None:
    picture, notes, folder = tmp_path / "old.tif", tmp_path / "notes.txt", tmp_path / "two.zip"
    tifffile.imwrite(picture, np.linspace(0, 65535, 96 * 80).reshape(80, 96).astype(np.uint16))
    region = tmp_path / "region.json"
    notes.write_text("no picture")
    with zipfile.ZipFile(folder, "w") as archive:
        for number in (1, 2):
            archive.writestr(f"{number}.png", gray(seed=number))
    with serving(model="cnn", token="open sesame") as client:
        context = browser.new_context(reduced_motion="reduce", viewport={"width": 1400, "height": 900})
        context.set_default_timeout(TIMEOUT)
        tab = context.new_page()
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(str(client.base_url))
        # The dialog can be closed, and opened again.
        tab.click("#token-cancel")
        tab.click("#token-again")
        for token, message in (("wrong", "refuses this token"), ("open sesame", "Ready")):
            tab.locator("#token-dialog[open]").wait_for()
            tab.fill("#token", token)
            tab.keyboard.press("Enter")
            tab.get_by_text(message).wait_for()
        assert "on the server" in tab.inner_text("#intro")

        choose(tab, picture)
        plain = pixels(tab)
        assert plain.shape == (80, 96, 3)
        add_hint(tab, 0.5, 0.5, 1)
        tab.locator(f"{part('alternative')}:enabled").nth(3).wait_for()
        move(tab, "vividness", 1)
        assert np.abs(pixels(tab) - plain).max() > 5
        # The format of the original, with all its bits.
        assert tab.input_value(part("format")) == "tif"
        assert save(tab, tmp_path / "new.tif") == "old.color.tif"
        assert tifffile.imread(tmp_path / "new.tif").dtype == np.uint16

        # Regions, which the browser alone does not take.
        region.write_text('{"hints": [{"polygon": [[0, 0], [1, 0], [1, 1]], "color": "teal"}]}')
        before = pixels(tab)
        tab.set_input_files(part("hints-file"), region)
        tab.get_by_text("Hints in region.json: 1.", exact=True).wait_for()
        wait(tab)
        assert np.abs(pixels(tab) - before).max() > 5

        # A picture that cannot be read; the one before can still be changed.
        tab.set_input_files(part("open"), notes)
        wait(tab, "error")
        assert "notes.txt is not a picture" in tab.inner_text("#status")
        tab.click("#hints-clear")
        move(tab, "strength", 0)
        assert np.ptp(pixels(tab), axis=2).max() <= 1

        tab.select_option("#model", "splitbrain.art_v1")
        wait(tab)
        assert "splitbrain" in tab.inner_text("#guess")
        with tab.expect_download() as started:
            tab.set_input_files(part("folder"), folder)
        started.value.save_as(tmp_path / "colored.zip")
        with zipfile.ZipFile(io.BytesIO((tmp_path / "colored.zip").read_bytes())) as archive:
            assert {"1.png", "2.png"} <= {Path(name).name for name in archive.namelist()}
        assert not [url for url in asked if "model.onnx" in url or "vendor" in url]
        context.close()


def test_offers_only_what_a_model_and_a_format_can(browser: Any, tmp_path: Path) -> None:
    clear, folder, hints = tmp_path / "clear.png", tmp_path / "two.zip", tmp_path / "hints.json"
    made = Image.open(io.BytesIO(gray())).convert("LA")
    made.putalpha(Image.linear_gradient("L").resize(made.size))
    made.save(clear)
    hints.write_text('{"hints": [{"x": 0.2, "y": 0.1, "color": "#0000ff"}], "palette": ["navy", "ivory"]}')
    with zipfile.ZipFile(folder, "w") as archive:
        archive.writestr("good.png", gray())
        archive.writestr("bad.png", b"no picture")
    with serving(model="cnn") as client, opened(browser, str(client.base_url)) as tab:
        choose(tab, clear)
        tab.locator(f"{part('alternative')}:enabled").nth(3).wait_for()
        assert tab.locator(f"{part('format')} option[value=jpg]").is_disabled()
        move(tab, "vividness", 1)
        plain = pixels(tab)
        tab.set_input_files(part("hints-file"), hints)
        tab.get_by_text("sRGB cannot show '#0000ff'").wait_for()
        assert tab.inner_text("#status") == "Hints in hints.json: 1."
        tab.get_by_role("button", name="Delete: Palette: navy, ivory").click()
        wait(tab)
        assert np.abs(pixels(tab) - plain).max() > 5

        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.select_option("#model", "cnn_report.art_v1")
        wait(tab)
        assert "cnn_report" in tab.inner_text("#guess")
        for name in ("#vividness", "#temperature", "#uncertainty"):
            assert tab.locator(name).is_disabled()
        assert "does not have this setting" in tab.inner_text("#vividness-help")
        assert "only one guess" in tab.inner_text("#alternatives-help")
        move(tab, "strength", 0.5)
        tab.locator(part("hint")).click()
        tab.get_by_text("no suggestions").wait_for()
        save(tab, tmp_path / "a.png")
        assert not tab.locator("#status.failed").is_visible()
        assert not [url for url in asked if url.rpartition("/")[2].split("?")[0] in ("alternatives", "suggestions")]

        with tab.expect_download():
            tab.set_input_files(part("folder"), folder)
        tab.locator("#status", has_text="Failed pictures: 1. The file report.json").wait_for()
