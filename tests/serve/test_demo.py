"""The page on a host of static files, below a folder: it needs no special headers, and no network once it is loaded."""

import contextlib
import functools
import http.server
import importlib
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.serve.browsing import TIMEOUT, add_hint, choose, part, pixels, wait
from tests.serve.conftest import WEB

PAINTINGS = ROOT / "docs" / "pictures"
# The page looks for updates, too, when it is loaded.
UPDATE = """async () => {
  const found = await navigator.serviceWorker.getRegistration();
  await found.update().catch(() => {});
  while (found.installing) await new Promise(done => setTimeout(done, 20));
  return Boolean(found.waiting);
}"""
KEPT = "Promise.race([navigator.serviceWorker.ready, new Promise(done => setTimeout(done, 60_000))]).then(Boolean)"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


class Host:
    """`python -m http.server`, which can be stopped and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, 0
        self.start()

    def start(self) -> None:
        handler = functools.partial(Quiet, directory=str(self._folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self._port}/artcolor/demo/"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def host(own_page: Path) -> Iterator[Host]:
    started = Host(own_page.parent.parent)
    yield started
    started.stop()


@pytest.fixture
def tab(browser: Any, host: Host) -> Iterator[Any]:
    """A tab with the page, kept for use without a network."""
    context = browser.new_context()
    context.set_default_timeout(TIMEOUT)
    opened = context.new_page()
    # The browser's own cache could hide that a file is missing in that of the page.
    context.new_cdp_session(opened).send("Network.setCacheDisabled", {"cacheDisabled": True})
    opened.goto(host.address)
    assert opened.evaluate(KEPT)
    yield opened
    context.close()


def wait_for_title(tab: Any, title: str) -> None:
    from playwright.sync_api import expect

    expect(tab).to_have_title(title, timeout=TIMEOUT)


def caches(tab: Any) -> list[str]:
    found: list[str] = tab.evaluate("caches.keys()")
    return found


def test_works_without_a_network_once_it_is_loaded(tab: Any, host: Host) -> None:
    choose(tab, PAINTINGS / "hokusai_ejiri.jpg")
    host.stop()
    answers: list[tuple[str, bool]] = []
    tab.on("response", lambda answer: answers.append((answer.url, answer.from_service_worker)))
    tab.reload()
    choose(tab, PAINTINGS / "bellini_pesaro.jpg")
    assert all(kept for address, kept in answers if address.startswith("http"))
    assert pixels(tab).shape == (361, 674, 3)
    plain = pixels(tab)
    assert np.ptp(plain, axis=2).mean() > 5
    add_hint(tab, 0.5, 0.5, number=4)
    assert np.abs(pixels(tab) - plain).max() > 0
    tab.reload()
    tab.locator(part("sample")).first.click()
    wait(tab)
    # Nothing but the page itself is answered.
    reached = "paths => Promise.all(paths.map(path => fetch(path).then(() => true, () => false)))"
    assert tab.evaluate(reached, ["index.html?a=b", "suggest.js"]) == [True] * 2
    assert tab.evaluate(reached, ["api/models", "../", "vendor/LICENSE"]) == [False] * 3


def test_a_new_version_replaces_the_old_one_as_a_whole(tab: Any, host: Host, own_page: Path, page_maker: Any) -> None:
    old, before = tab.title(), caches(tab)
    assert not tab.evaluate(UPDATE)
    strings = own_page / "strings.js"
    older, newer = strings.read_bytes(), strings.read_bytes().replace(old.encode(), b"The next version")
    strings.write_bytes(newer)
    page_maker.list_files(own_page)
    # While files are copied to the host, not all of them are new.
    strings.write_bytes(older)
    assert not tab.evaluate(UPDATE)
    assert caches(tab) == before
    tab.reload()
    assert tab.title() == old
    strings.write_bytes(newer)
    assert tab.evaluate(UPDATE)
    host.stop()
    # This fails if the page loads itself anew at the same time.
    with contextlib.suppress(importlib.import_module("playwright.sync_api").Error):
        tab.reload()
    wait_for_title(tab, "The next version")
    assert len(caches(tab)) == 1 and caches(tab) != before
    choose(tab, PAINTINGS / "bellini_pesaro.jpg")


@pytest.mark.parametrize("told_by", ["backend.json", "service-worker.js"])
def test_a_server_takes_over_from_the_page_that_was_kept(tab: Any, own_page: Path, told_by: str) -> None:
    if told_by == "backend.json":
        (own_page / told_by).write_text('{"api": "api"}')
    else:
        # As it is in the package.
        shutil.copyfile(WEB / told_by, own_page / told_by)
    (own_page / "index.html").write_text("<title>server</title>")
    tab.reload()
    wait_for_title(tab, "server")
    # The browser lets go of the old page and its worker a little later.
    for _ in range(100):
        left = tab.evaluate("navigator.serviceWorker.getRegistrations().then(found => found.length)")
        if not left:
            break
        tab.wait_for_timeout(50)
    assert left == 0


def test_the_paintings_are_there_and_say_where_they_are_from() -> None:
    listed = json.loads((WEB / "samples" / "samples.json").read_text(encoding="utf-8"))
    files = {path.name for path in (WEB / "samples").iterdir()}
    assert files == {"samples.json", *(row["file"] for row in listed)}
    assert len(listed) == 4
    for row in listed:
        assert all(row[key] for key in ("title", "artist", "year", "license"))
        assert Image.open(WEB / "samples" / row["file"]).mode == "L"
    assert sum(path.stat().st_size for path in (WEB / "samples").iterdir()) < 400_000


def test_make_page_says_what_is_wrong(
    tmp_path: Path, own_page: Path, page_maker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    main = importlib.import_module("make_page").main
    notes, large = tmp_path / "mine" / "notes.txt", tmp_path / "large.onnx"
    notes.parent.mkdir()
    notes.write_text("keep")
    large.write_bytes(bytes(11_000_001))
    for out, message in ((notes.parent, "holds no page"), (own_page, "11,000,001 bytes")):
        with pytest.raises(SystemExit, match=message):
            main(out, large)
    assert notes.exists() and (own_page / "app.js").exists()
    monkeypatch.setattr(page_maker, "WEB", tmp_path)
    with pytest.raises(SystemExit, match="vendor is missing; fetch it from npm: python scripts/fetch_onnx"):
        main(tmp_path / "out", large)
