"""The page with a server behind it, in Chromium: token, models, formats, and folders."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from tests.serve.browsing import TIMEOUT, add_hint, choose, move, part, pixels, save, wait
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
        assert "notes.txt could not be colored" in tab.inner_text("#status")
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
