"""Hooks of mkdocs: replace `<!-- site:NAME ARGUMENT -->` in pages by generated content.

Content that depends on weights, code or pictures is generated while the site is built (`scripts/sitegen`), so a new
release appears automatically. On GitHub these marks are invisible.
"""

import ast
import re
from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import figures
from jinja2 import Environment
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Link, Navigation, Section
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url
from sitegen import api, architecture, demo, describing, modulemap, plots, showing, tables
from sitegen.cache import ROOT
from sitegen.results import released

import artcolor
from artcolor.models.distribution import DistributionModel

_MARK = re.compile(r"<!-- site:([\w-]+) ?([\w-]*) -->")
# Code in blocks follows an empty <span>.
_INLINE_CODE = re.compile(r"(?<!</span>)<code>[^<]*</code>")
# mkdocstrings writes the type of a parameter in parentheses, and a line break before the closing one.
_LOOSE_PARENTHESIS = re.compile(r"(?<=</code>)\s+\)(?=\s+–)")
_OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")
# Files outside docs/ that are pages, too; links to them are rewritten to the pages.
_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "README.md": "index.md"}
_EMPTY_UNRELEASED = re.compile(r"^## Unreleased\n+(?=## )", re.MULTILINE)
_API = "api"
_DEMO = "demo/"
_published: dict[str, Path] = {}
_overview: dict[str, str] = {}


def on_config(config: MkDocsConfig) -> None:
    """Adds the API pages to the navigation."""
    _add_api(config.nav or [])


def _add_api(items: list[Any]) -> None:
    for item in items:
        for title, content in item.items() if isinstance(item, dict) else ():
            if content == f"{_API}/":
                item[title] = [f"{_API}/{name}" for name in api.pages()]
            elif isinstance(content, list):
                _add_api(content)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that have no file in docs/."""
    _published.clear()
    for name, text in api.pages().items():
        files.append(File.generated(config, f"{_API}/{name}", content=text))
    for name, uri in _PAGES.items():
        if uri not in files.src_uris:
            text = (ROOT / name).read_text(encoding="utf-8")
            files.append(File.generated(config, uri, content=_EMPTY_UNRELEASED.sub("", text)))
    files.append(File.generated(config, "examples.md", content=_examples()))
    return files


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Adds the page that colorizes in the browser, which mkdocs does not make, to the section after the home page."""
    section = nav.items[1]
    assert isinstance(section, Section), "the home page is followed by a section"
    # Not first, because a tab leads to the first page of its section.
    section.children.insert(1, Link("Color a picture", _DEMO))
    return nav


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Inserts tables, rewrites links that leave docs/ to pages of the site, and describes the page."""
    # The theme puts it into an attribute as it is.
    page.meta["description"] = escape(page.meta.get("description") or describing.description(markdown, page.title))
    makers: dict[str, Callable[[str], str]] = {
        "zoo": lambda _: tables.zoo(),
        "figures": tables.figures,
        "report-table": lambda _: tables.report(),
        "citation": lambda _: describing.citation(),
    }

    def replace(found: re.Match[str]) -> str:
        make = makers.get(found[1])
        return make(found[2]) if make else found[0]

    return _inside(_MARK.sub(replace, figures.without_markers(markdown)), page)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Inserts pictures and drawings, which are HTML and bypass Markdown."""
    publish = partial(_publish, page)
    makers: dict[str, Callable[[str], str]] = {
        "slider": lambda _: showing.slider(publish),
        "explorer": lambda _: showing.explorer(publish),
        "gallery": lambda _: showing.gallery(publish),
        "sheet": lambda name: showing.sheet(name, publish),
        "tour": lambda _: showing.tour(publish),
        "samples": lambda name: showing.samples(name, publish),
        "own": lambda name: showing.own_pictures(name, publish),
        "compare": lambda _: showing.compare(publish),
        "network": _network,
        "demo": lambda _: demo.button(get_relative_url(_DEMO, page.url)),
        "modules": lambda _: _framed(modulemap.draw()),
        "plot": lambda name: _framed(plots.draw(name)),
    }

    def replace(found: re.Match[str]) -> str:
        if found[1] not in makers:
            raise ValueError(f"{page.file.src_uri}: there is no generator for {found[0]}")
        return makers[found[1]](found[2])

    # GitHub requires `|` in code to be escaped in tables; Python-Markdown keeps the backslash.
    html = re.sub(r"<td.*?</td>", lambda cell: cell[0].replace("\\|", "|"), html, flags=re.DOTALL)
    html = _LOOSE_PARENTHESIS.sub(")", html)
    return _MARK.sub(replace, _INLINE_CODE.sub(_unbroken, html))


def _unbroken(code: re.Match[str]) -> str:
    """Keeps browsers from breaking `--force` after its hyphens."""
    return _OPTION.sub(r'<span class="ac-option">\g<0></span>', code[0])


def on_env(env: Environment, config: MkDocsConfig, files: Files) -> None:
    """Writes the overview for language models, when all pages are described."""
    pages = [file.page for file in files.documentation_pages() if file.page and file.inclusion.is_in_nav()]
    _overview["llms.txt"] = describing.llms(config, pages)


def on_post_build(config: MkDocsConfig) -> None:
    """Copies generated pictures, the overview and the page that colorizes in the browser into the site."""
    for name, text in _overview.items():
        (Path(config.site_dir) / name).write_text(text, encoding="utf-8")
    for address, path in _published.items():
        target = Path(config.site_dir) / address
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    demo.build(Path(config.site_dir) / _DEMO)


def _publish(page: Page, path: Path) -> str:
    address = f"assets/results/{path.name}"
    _published[address] = path
    return get_relative_url(address, page.url)


def _network(name: str) -> str:
    model = artcolor.get_model(name)
    legend = (
        "Each box is a layer, in the order of execution. Its height shows the side of its features in pixels (below), "
        "its width the number of channels (above); the slanted labels are kernel sizes, 3² for 3 × 3. Drawn from a run "
        "of the untrained model at its default size (<code>scripts/sitegen/architecture.py</code>)."
    )
    entry = released(name)
    if isinstance(model, DistributionModel) and entry and entry.config["head"]["bins"] < model.head.codebook.bins:
        legend += " Its bins are those of all sRGB; the released weights have only those of their training pictures."
    return f"{_framed(architecture.draw(model))}<p>{legend}</p>"


def _framed(svg: str) -> str:
    # Wide drawings scroll in their frame, not with the page; tabindex makes the frame scrollable by keyboard.
    return f'<div class="ac-frame" tabindex="0">{svg}</div>'


def _inside(markdown: str, page: Page) -> str:
    up = "../" * page.file.src_uri.count("/")

    def turn(found: re.Match[str]) -> str:
        target = found[1].rpartition("../")[2] if found[1].startswith("../") else found[1]
        name = target.partition("#")[0]
        if name in _PAGES:
            return f"]({up}{_PAGES[name]})"
        if target.startswith("docs/"):
            return f"]({up}{target.removeprefix('docs/')})"
        if name.startswith("examples/"):
            return f"]({up}examples.md)"
        return found[0]

    return re.sub(r"\]\(([^)\s]+)\)", turn, markdown)


def _examples() -> str:
    rows, parts = ["| example | what it does | needs, besides artcolor |\n|---|---|---|"], []
    for path in sorted((ROOT / "examples").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        docstring = ast.get_docstring(ast.parse(text)) or ""
        needs = re.search(r"^ *(pip install .*)$", docstring, re.MULTILINE)
        what = docstring.partition("\n")[0]
        # As Python-Markdown derives them.
        anchor = path.name.replace(".", "")
        rows.append(f"| [`{path.name}`](#{anchor}) | {what} | {f'`{needs[1]}`' if needs else 'nothing'} |")
        parts.append(f"## {path.name}\n\n```python\n{text}```\n")
    intro = (
        "The programs in `examples/` run without arguments, except `photographs.py`, which others use. The tests run "
        "each of them with only what the table lists."
    )
    # The table leads to the programs, so that their long lines get the room of the table of contents.
    wide = "---\nhide:\n  - toc\n---\n\n"
    return "\n".join((f"{wide}# Examples\n\n{intro}\n", *rows, "", *parts))
