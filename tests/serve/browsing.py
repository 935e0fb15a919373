"""Opens the page in Chromium, and does there what people do."""

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from artcolor.serve.guard import _HEADERS
from tests.conftest import ROOT

PICTURE = ROOT / "docs" / "pictures" / "hokusai_ejiri.jpg"
TIMEOUT = 60_000
# Playwright says this of the service worker, and Chromium that the user's name is missing.
_EXPECTED = ("Service Worker registration blocked", "Password forms should have")


class _Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def hosted(folder: Path) -> Iterator[str]:
    """The address of a folder, which is answered with the headers of `artcolor serve`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def opened(browser: Any, address: str, **options: Any) -> Iterator[Any]:
    """The page in a browser without history; asking another origin or an error in the console fails the test."""
    usual = {"service_workers": "block", "reduced_motion": "reduce", "viewport": {"width": 1400, "height": 900}}
    context = browser.new_context(**usual | options)
    context.set_default_timeout(TIMEOUT)
    tab = context.new_page()
    wrong: list[str] = []

    def hear(message: Any) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_EXPECTED):
            wrong.append(message.text)

    tab.on("request", lambda request: request.url.startswith((address, "blob:", "data:")) or wrong.append(request.url))
    tab.on("console", hear)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.goto(address)
    yield tab
    context.close()
    assert wrong == []


def part(name: str) -> str:
    """Selects parts of the page by their name."""
    return f'[data-artcolor="{name}"]'


def wait(tab: Any, state: str = "ready") -> None:
    tab.wait_for_selector(f'{part("result")}[data-state="{state}"]')


def choose(tab: Any, picture: Path) -> None:
    """Opens a picture, and waits until it is colored."""
    tab.set_input_files(part("open"), picture)
    wait(tab)


def move(tab: Any, name: str, value: float) -> None:
    """Moves a slider."""
    tab.fill(part(name), str(value))
    wait(tab)


def place(tab: Any, x: float, y: float, selector: str = "#sheet") -> tuple[float, float]:
    """Where a place of the picture is in the window."""
    box = tab.locator(selector).bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def add_hint(tab: Any, x: float, y: float, number: int = 0) -> str:
    """Places a hint with one of the suggestions; returns its color."""
    tab.mouse.click(*place(tab, x, y))
    suggestion = tab.locator(f"#suggestions:not([aria-busy]) {part('suggestion')}").nth(number)
    suggestion.click()
    wait(tab)
    color: str = suggestion.get_attribute("data-color")
    return color


def pixels(tab: Any) -> np.ndarray:
    """The result as it is on the page, `(H, W, 3)`."""
    width, height, values = tab.evaluate(
        """() => {
          const canvas = document.querySelector('[data-artcolor="result"]');
          // A copy, because reading a canvas makes Chromium draw it in another way from then on.
          const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
          copy.drawImage(canvas, 0, 0);
          const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
          let text = "";
          for (let at = 0; at < data.length; at += 8192) text += String.fromCharCode(...data.subarray(at, at + 8192));
          return [canvas.width, canvas.height, text];
        }"""
    )
    return np.frombuffer(values.encode("latin-1"), np.uint8).reshape(height, width, 4)[..., :3].astype(int)


def save(tab: Any, path: Path, button: str = "download") -> str:
    """Saves a file of the page; returns the name that the page gives it."""
    with tab.expect_download() as started:
        tab.click(part(button))
    started.value.save_as(path)
    name: str = started.value.suggested_filename
    return name


def read(path: Path) -> np.ndarray:
    """The pixels of a picture, `(H, W, 3)`."""
    return np.asarray(Image.open(path).convert("RGB")).astype(int)
