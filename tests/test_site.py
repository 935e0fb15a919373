"""The documentation site: it builds without warnings, nothing in it is broken, and it works in a browser.

Links and pictures are checked without a browser. What needs one runs in Debian's Chromium, if it is installed.
"""

import functools
import http.server
import importlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest

from tests.conftest import ROOT

WIDTHS = (390, 1400)
SCHEMES = ("light", "dark")
DEMO = "demo/"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def pages(site: Path) -> list[str]:
    """Addresses of all pages, relative to the site."""
    return sorted(str(path.relative_to(site).parent).strip(".").rstrip("/") + "/" for path in site.rglob("index.html"))


class References(HTMLParser):
    """Collects what a page points to, and what can be pointed to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.images_without_text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.targets += [
            value
            for name in ("href", "src", "data-before", "data-after", "data-original")
            if (value := given.get(name))
        ]
        if identity := given.get("id"):
            self.anchors.add(identity)
        if tag == "img" and given.get("alt") is None:
            self.images_without_text.append(str(given.get("src")))


@functools.cache
def references(page: Path) -> References:
    parser = References()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def test_links_and_pictures_lead_somewhere(site: Path) -> None:
    broken = []
    for page in sorted(site.rglob("index.html")):
        here = "http://site/" + page.relative_to(site).as_posix()
        for target in references(page).targets:
            address, anchor = urldefrag(urljoin(here, target))
            parts = urlparse(address)
            if parts.scheme not in ("http", "https") or parts.netloc != "site":
                continue
            file = site / unquote(parts.path).lstrip("/")
            file = file / "index.html" if file.is_dir() else file
            if not file.is_file() or (
                anchor and file.suffix == ".html" and unquote(anchor) not in references(file).anchors | {"__toc"}
            ):
                broken.append(f"{page.relative_to(site)}: {target}")
    assert not broken


def test_pictures_say_what_they_show(site: Path) -> None:
    assert not [each for page in site.rglob("index.html") for each in references(page).images_without_text]


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = re.findall(r"<(?:script|img|iframe)[^>]*\bsrc=\"?(https?:[^\" >]+)", page.read_text())
        loaded += re.findall(r"<link[^>]*rel=\"?stylesheet\"?[^>]*href=\"?(https?:[^\" >]+)", page.read_text())
        assert not loaded, page


def test_every_model_has_a_page_with_its_figures(site: Path) -> None:
    import artcolor
    from artcolor.zoo.manifest import entries

    released = {entry.model for entry in entries().values()}
    for name in artcolor.list_models():
        html = (site / "models" / name / "index.html").read_text()
        assert ("Not trained yet" in html) == (name not in released), name
        assert ("ac-sheet" in html) == (name in released), name
        assert "ac-drawing" in html


def test_every_public_name_is_in_the_reference(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import artcolor

    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    homes = importlib.import_module("sitegen.api").homes()
    assert set(homes) == set(artcolor.__all__)
    anchors = set().union(*(references(page).anchors for page in (site / "api").rglob("index.html")))
    for name, module in homes.items():
        assert f"{module}.{name}" in anchors, name


def test_the_pictures_may_be_shown(site: Path) -> None:
    listed = re.findall(r"\| `([\w.]+\.jpg)`", (ROOT / "docs" / "pictures" / "SOURCES.md").read_text())
    files = sorted((ROOT / "docs" / "pictures").glob("*.jpg"))
    assert sorted(listed) == [file.name for file in files]
    assert len(files) >= 12
    assert sum(file.stat().st_size for file in files) < 2**20
    # All else that the site shows is made of these.
    stems = [file.stem for file in files]
    for shown in (site / "assets" / "results").iterdir():
        assert any(stem in shown.name for stem in stems), shown


def test_the_page_that_colorizes_is_there_and_small(site: Path) -> None:
    folder = site / DEMO
    assert re.search(rf'href="{DEMO}"[^>]*>\s*Color a picture', (site / "index.html").read_text())
    if not (ROOT / "artcolor" / "serve" / "web" / "vendor").is_dir():
        assert "was built without the page" in (folder / "index.html").read_text()
        pytest.skip("needs onnxruntime-web: python scripts/fetch_onnxruntime_web.py")
    sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    assert sizes[folder / "model.onnx"] <= 11e6
    assert sum(size for path, size in sizes.items() if path.suffix != ".wasm") <= 16e6
    assert "md-" not in (folder / "index.html").read_text(), "the theme wraps it"


def test_the_site_says_what_the_page_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    demo, page = (importlib.import_module(f"sitegen.{name}") for name in ("demo", "page"))
    monkeypatch.setattr(page, "WEB", tmp_path)
    demo.build(tmp_path / "out" / "demo")
    (written,) = (tmp_path / "out" / "demo").iterdir()
    assert "python scripts/fetch_onnxruntime_web.py" in written.read_text()


def test_arrows_of_the_map_point_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    graph = importlib.import_module("sitegen.modulemap").imports()
    done: set[str] = set()
    while len(done) < len(graph):
        ready = {room for room, others in graph.items() if others <= done} - done
        assert ready, f"a circle among {sorted(set(graph) - done)}"
        done |= ready


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_load_and_fit(browser: Any, address: str, site: Path, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab = context.new_page()
    wrong: list[str] = []
    tab.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 else None)
    tab.on("requestfailed", lambda request: wrong.append(request.url))
    for page in pages(site):
        # It is not of this theme; tests/serve tests it.
        if page == DEMO:
            continue
        # Pictures that load when they are scrolled to are asked for at once.
        tab.goto(urljoin(address, page.lstrip("/")))
        tab.evaluate("document.querySelectorAll('img[loading]').forEach(image => image.removeAttribute('loading'))")
        tab.wait_for_function("[...document.images].every(image => image.complete)")
        assert tab.evaluate("[...document.images].filter(image => !image.naturalWidth).map(image => image.src)") == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, f"{page} is wider than {width} px"
        shown = tab.evaluate("document.body.dataset.mdColorScheme")
        assert shown == {"light": "default", "dark": "slate"}[scheme]
        assert not wrong, page
    context.close()


def test_the_slider_moves(browser: Any, address: str) -> None:
    tab = browser.new_page(viewport={"width": 1400, "height": 900})
    tab.goto(address)
    stage, handle = tab.locator(".ac-stage"), tab.locator(".ac-stage input")

    def shown() -> float:
        return float(stage.evaluate("stage => parseFloat(stage.style.getPropertyValue('--shown'))"))

    assert shown() == 50
    box = stage.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] / 2, steps=5)
    tab.mouse.up()
    assert 15 < shown() < 25
    handle.focus()
    tab.keyboard.press("End")
    assert shown() == 100
    tab.keyboard.press("ArrowLeft")
    assert shown() == 99
    before = tab.locator(".ac-before").get_attribute("src")
    second = tab.locator(".ac-choice button").nth(1)
    second.focus()
    tab.keyboard.press("Enter")
    assert tab.locator(".ac-before").get_attribute("src") != before
    assert second.get_attribute("aria-pressed") == "true"
    tab.close()


def test_search_finds_colorize(browser: Any, address: str) -> None:
    tab = browser.new_page(viewport={"width": 1400, "height": 900})
    tab.goto(address)
    tab.locator("input.md-search__input").click()
    tab.keyboard.type("colorize")
    found = tab.locator(".md-search-result__item")
    found.first.wait_for()
    assert found.count() > 1
    assert "colorize" in found.first.inner_text().lower()
    tab.close()
