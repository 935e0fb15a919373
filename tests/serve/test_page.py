"""The page in Chromium without a server's help: the same pixels as Python, sliders, download, and no other origin."""

import functools
import http.server
import io
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import artcolor
from artcolor.images import read_provenance
from artcolor.serve.guard import _HEADERS
from tests.conftest import ROOT

WEB = ROOT / "artcolor" / "serve" / "web"
CHROMIUM = shutil.which("chromium")
PICTURE = ROOT / "docs" / "pictures" / "hokusai_ejiri.jpg"
TIMEOUT = 60_000

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"),
    pytest.mark.skipif(
        not (WEB / "vendor").is_dir(), reason="needs onnxruntime-web: python scripts/fetch_onnxruntime_web.py"
    ),
]


class Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, half_onnx: Path) -> Path:
    folder = tmp_path_factory.mktemp("page") / "web"
    shutil.copytree(WEB, folder, ignore=shutil.ignore_patterns("model.onnx"))
    shutil.copy(half_onnx, folder / "model.onnx")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page, whose test fails if it asks another origin or writes errors to the console."""
    context = browser.new_context(accept_downloads=True)
    context.set_default_timeout(TIMEOUT)
    tab = context.new_page()
    wrong: list[str] = []
    tab.on("request", lambda request: request.url.startswith((address, "blob:", "data:")) or wrong.append(request.url))
    tab.on("console", lambda message: message.type in ("error", "warning") and wrong.append(message.text))
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.goto(address)
    yield tab
    context.close()
    assert not wrong


def wait(page: Any, state: str = "ready") -> None:
    page.wait_for_selector(f'[data-artcolor="result"][data-state="{state}"]')


def download(page: Any, path: Path) -> tuple[str, np.ndarray]:
    with page.expect_download() as started:
        page.click('[data-artcolor="download"]')
    started.value.save_as(path)
    return started.value.suggested_filename, np.asarray(Image.open(path).convert("RGB")).astype(int)


def move(page: Any, name: str, value: float) -> None:
    slider = page.locator(f'[data-artcolor="{name}"]')
    slider.fill(str(value))
    wait(page)


def test_colors_as_python_does(page: Any, tmp_path: Path, half_onnx: Path) -> None:
    # PNG, because browsers and Pillow decode JPEG files a little differently.
    picture = tmp_path / "Great wave.png"
    Image.open(PICTURE).convert("L").resize((420, 291)).save(picture)

    def compare(file: str, **options: Any) -> np.ndarray:
        name, found = download(page, tmp_path / file)
        assert name == "Great wave.color.png"
        colorizer = artcolor.Colorizer(half_onnx, **options)
        assert read_provenance(tmp_path / file) == colorizer.provenance
        expected = np.asarray(colorizer(picture).convert("RGB")).astype(int)
        assert found.shape == expected.shape
        gap = np.abs(found - expected)
        assert gap.max() <= 2 and gap.mean() <= 0.5
        return found

    assert page.locator('[data-artcolor="download"]').is_disabled()
    # Before the model is loaded, too.
    page.set_input_files('[data-artcolor="open"]', picture)
    wait(page)
    plain = compare("plain.png")
    assert np.ptp(plain, axis=2).mean() > 5
    move(page, "vividness", 0.5)
    muted = compare("muted.png", vividness=0.5)
    assert np.ptp(muted, axis=2).mean() < np.ptp(plain, axis=2).mean()
    move(page, "temperature", 0.6)
    move(page, "strength", 1.5)
    compare("all.png", vividness=0.5, temperature=0.6, strength=1.5)
    move(page, "strength", 0)
    assert np.ptp(download(page, tmp_path / "gray.png")[1], axis=2).max() <= 1
    page.click("#reset")
    wait(page)
    np.testing.assert_array_equal(download(page, tmp_path / "again.png")[1], plain)


def test_mistakes_are_told_and_the_picture_before_stays(page: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    page.set_input_files('[data-artcolor="open"]', tmp_path / "notes.txt")
    wait(page, "error")
    assert "notes.txt is no picture" in page.inner_text("#status")
    assert page.locator('[data-artcolor="strength"]').is_disabled()
    page.set_input_files('[data-artcolor="open"]', PICTURE)
    wait(page)
    Image.new("L", (4100, 4100)).save(tmp_path / "large.png")
    page.set_input_files('[data-artcolor="open"]', tmp_path / "large.png")
    wait(page, "error")
    assert "large.png is too large" in page.inner_text("#status")
    move(page, "strength", 0.5)
    assert download(page, tmp_path / "a.png")[0] == f"{PICTURE.stem}.color.png"


def test_works_with_the_keyboard(page: Any) -> None:
    page.set_input_files('[data-artcolor="open"]', PICTURE)
    wait(page)
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
        if reached[-1] == "strength":
            page.keyboard.press("End")
            wait(page)
    assert reached == ["compare", "open", "vividness", "temperature", "strength", "reset", "download"]
    assert page.inner_text('output[for="strength"]') == "2.00"


def test_compares_with_the_original(page: Any) -> None:
    page.set_input_files('[data-artcolor="open"]', PICTURE)
    wait(page)
    frame = page.locator(".frame")

    def shown() -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(frame.screenshot())).convert("RGB")).astype(int)

    colored = shown()
    page.fill('[data-artcolor="compare"]', "100")
    original = shown()
    page.fill('[data-artcolor="compare"]', "50")
    both = shown()
    middle = both.shape[1] // 2
    np.testing.assert_array_equal(both[:, : middle - 2], original[:, : middle - 2])
    np.testing.assert_array_equal(both[:, middle + 2 :], colored[:, middle + 2 :])
    assert np.abs(original - colored).max() > 20


TRANSFER = """([kind, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], "given.jpg", { type: "image/jpeg" }));
  const content = { bubbles: true, cancelable: true, [kind === "drop" ? "dataTransfer" : "clipboardData"]: data };
  document.body.dispatchEvent(kind === "drop" ? new DragEvent(kind, content) : new ClipboardEvent(kind, content));
}"""


def test_takes_dropped_and_pasted_pictures(page: Any) -> None:
    for kind in ("drop", "paste"):
        page.evaluate(TRANSFER, [kind, list(PICTURE.read_bytes())])
        assert page.get_attribute('[data-artcolor="result"]', "data-state") == "loading"
        wait(page)
        assert page.inner_text("#status").startswith("given.jpg, ")


@pytest.mark.parametrize("width", [390, 1400, 2560])
def test_fits_the_window(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.set_input_files('[data-artcolor="open"]', PICTURE)
    wait(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("[data-text]:empty").count() == 0


def test_says_that_the_model_is_missing(browser: Any, address: str, folder: Path) -> None:
    tab = browser.new_page()
    tab.route("**/model.onnx", lambda route: route.fulfill(status=404))
    tab.goto(address)
    wait(tab, "error")
    assert "could not be loaded (model.onnx: 404)" in tab.inner_text("#status")
    tab.set_input_files('[data-artcolor="open"]', PICTURE)
    wait(tab, "error")
    tab.close()
