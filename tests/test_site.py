"""The documentation site: it builds without warnings, nothing in it is broken, and it works in a browser.

Links and pictures are checked without a browser. What needs one runs in Debian's Chromium, if it is installed.
"""

import functools
import http.server
import importlib
import json
import os
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
SITE_URL = "https://artcolor.example/docs/"
AXE = ROOT / ".cache" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(out)]
    environment = os.environ | {"ARTCOLOR_SITE_URL": SITE_URL}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
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
        self.described: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.targets += [value for name in ("href", "src") if (value := given.get(name))]
        self.targets += json.loads(given.get("data-views") or "{}").values()
        if tag == "meta" and (name := given.get("name") or given.get("property")):
            self.described[name] = given.get("content") or ""
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


def test_the_reference_begins_with_what_is_used_most(site: Path) -> None:
    text = (site / "api" / "index.html").read_text()
    names = re.findall(r"<td><a[^>]*><code>(\w+)</code>", text)
    assert names[:3] == ["colorize", "Session", "Colorizer"]
    assert names.index("unet") < min(number for number, name in enumerate(names) if name.endswith("_Weights"))
    assert re.findall(r'id="(artcolor[\w.]*)" class="doc doc-heading"', (site / "api/engine/index.html").read_text())[
        0
    ].startswith("artcolor.engine.colorizer")


def test_tabs_are_few(site: Path) -> None:
    assert (site / "index.html").read_text().count('class="md-tabs__item') <= 7


def test_pages_are_described(site: Path) -> None:
    texts = {}
    for page in site.rglob("index.html"):
        if page.parent == site / DEMO:
            continue
        meta = references(page).described
        assert 20 <= len(meta["description"]) <= 220, page
        assert meta["og:description"] == meta["twitter:description"] == meta["description"]
        assert meta["og:title"] and meta["twitter:card"] == "summary_large_image"
        assert (site / meta["og:image"].removeprefix(SITE_URL)).is_file()
        texts[page] = meta["description"]
    assert len(set(texts.values())) == len(texts), "two pages have the same description"


def test_overviews_list_all_pages(site: Path) -> None:
    listed = re.findall(r"<loc>([^<]*)</loc>", (site / "sitemap.xml").read_text())
    here = {SITE_URL + page.lstrip("/") for page in pages(site) if page != DEMO}
    assert set(listed) == here
    linked = re.findall(r"^- \[[^\]]+\]\(([^)]+)\): .{10,}$", (site / "llms.txt").read_text(), re.MULTILINE)
    assert set(linked) == here - {SITE_URL + "pictures/SOURCES/"}


def test_a_wrong_address_leads_on(site: Path) -> None:
    targets = [urlparse(target).path.removeprefix("/docs/") for target in references(site / "404.html").targets]
    for page in ("quickstart/", "gallery/", "models/", "api/", "howto/"):
        assert page in targets
        assert (site / page / "index.html").is_file()


def test_the_citation_is_shown(site: Path) -> None:
    title = re.search(r'^title: "(.*)"$', (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert title and (site / "citation" / "index.html").read_text().count(title[1]) >= 2


def test_the_pictures_may_be_shown(site: Path) -> None:
    listed = re.findall(r"\| `([\w.]+\.jpg)`", (ROOT / "docs" / "pictures" / "SOURCES.md").read_text())
    files = sorted((ROOT / "docs" / "pictures").glob("*.jpg"))
    assert sorted(listed) == [file.name for file in files]
    assert len(files) >= 24
    assert max(file.stat().st_size for file in files) <= 150e3
    # All else that the site shows is made of these.
    stems = [file.stem for file in files]
    for shown in (site / "assets" / "results").iterdir():
        assert any(stem in shown.name for stem in stems), shown


def quickstart(site: Path) -> tuple[str, re.RegexFlag]:
    return (site / "quickstart" / "index.html").read_text(), re.DOTALL


def test_the_page_that_colorizes_is_there_and_small(site: Path) -> None:
    folder = site / DEMO
    assert re.search(rf'href="{DEMO}"[^>]*>[^<]*Color a picture', (site / "index.html").read_text())
    assert re.search(rf'href="../{DEMO}" class="md-nav__link">.{{,99}}Color a picture', *quickstart(site))
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
    # Long pages take a while on a busy machine.
    context.set_default_timeout(120_000)
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
        assert (
            tab.evaluate(
                "[...document.images].filter(image => image.src && !image.naturalWidth).map(image => image.src)"
            )
            == []
        )
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


def test_two_models_are_compared(browser: Any, address: str) -> None:
    tab = browser.new_page(viewport={"width": 1400, "height": 900})
    tab.goto(urljoin(address, "gallery/"))
    left, right = tab.locator(".ac-before"), tab.locator(".ac-after")
    assert "gray-" in left.get_attribute("src") and "unet" in right.get_attribute("src")
    tab.locator("select[data-side=left]").select_option("original")
    tab.locator("select[data-side=right]").select_option(index=3)
    tab.locator(".ac-choice button").nth(4).click()
    name = tab.locator(".ac-choice button").nth(4).get_attribute("aria-label")
    assert left.get_attribute("alt") == f"{name}: original"
    assert right.get_attribute("alt").startswith(f"{name}: ") and "unet" not in right.get_attribute("src")
    assert tab.locator("span[data-caption]").inner_text() == name
    for image in (left, right):
        # No picture is blown up.
        shown, real = image.evaluate("image => image.decode().then(() => [image.clientWidth, image.naturalWidth])")
        assert shown <= real
    tab.close()


def test_pictures_are_enlarged(browser: Any, address: str) -> None:
    tab = browser.new_page(viewport={"width": 1400, "height": 900})
    tab.goto(urljoin(address, "models/"))
    row = tab.locator(".ac-strip").first.locator("a.ac-zoom")
    assert row.first.locator("img").evaluate("image => image.clientWidth") >= 150
    dialog, picture, caption = (tab.locator(f"dialog.ac-large{part}") for part in ("", " img", " figcaption"))
    row.nth(1).focus()
    tab.keyboard.press("Enter")
    assert dialog.is_visible()
    assert picture.get_attribute("src").endswith(row.nth(1).get_attribute("href").rpartition("/")[2])
    assert row.nth(1).get_attribute("data-label") in caption.inner_text()
    tab.keyboard.press("ArrowRight")
    assert row.nth(2).get_attribute("data-label") in caption.inner_text()
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("ArrowLeft")
    tab.get_by_label("Previous picture").click()
    assert "original" in caption.inner_text()
    assert picture.evaluate("image => image.decode().then(() => image.clientWidth > 400)")
    tab.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert row.nth(1).evaluate("link => link === document.activeElement")
    tab.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pages_have_no_barriers(browser: Any, address: str, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip("without axe-core: python scripts/fetch_axe.py")
    for width in WIDTHS:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        tab = context.new_page()
        for page in ("", "gallery/", "models/unet/", "api/", "hints/"):
            tab.goto(urljoin(address, page))
            tab.evaluate(AXE.read_text(encoding="utf-8"))
            found = tab.evaluate("axe.run().then(({ violations }) => violations)")
            serious = [
                (each["id"], [node["html"][:200] for node in each["nodes"]][:5], len(each["nodes"]))
                for each in found
                if each["impact"] in ("serious", "critical")
            ]
            assert not serious, (page, width, serious)
        tab.locator("a.ac-zoom").first.click()
        found = tab.evaluate("axe.run('dialog').then(({ violations }) => violations)")
        assert not found
        context.close()


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
