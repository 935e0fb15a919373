"""Describes the pages of the site, for search engines, for where they are shared, and for language models."""

import re
from collections.abc import Iterable
from html import unescape
from urllib.parse import urljoin

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page

from sitegen.cache import ROOT

_SHORTEST, _LONGEST = 60, 200
# Headings, tables, quotes, lists, code, comments and HTML, directives and admonitions are no sentences.
_NO_PARAGRAPH = re.compile(r"#|\||>|[-*] |\d+\. |```|<|:::|!!!|===|!\[|    ")


def description(markdown: str, title: str) -> str:
    """Returns the first sentence of a page, or several if they are short, as plain text.

    Args:
        markdown: of the page.
        title: of the page, which is all there is to say if it has no paragraph.
    """
    without_code = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    for block in re.split(r"\n\s*\n", without_code):
        if block.strip() and not _NO_PARAGRAPH.match(block.lstrip("\n")):
            sentences = re.split(r"(?<=[.!?]) (?=[A-Z])", _plain(block))
            text = sentences.pop(0)
            while sentences and len(text) < _SHORTEST:
                text += f" {sentences.pop(0)}"
            return _cut(text.rstrip(":"))
    return f"{title}: documentation of artcolor"


def llms(config: MkDocsConfig, pages: Iterable[Page]) -> str:
    """Returns llms.txt: all pages of the site with their descriptions, by section.

    Args:
        config: of the site.
        pages: in the order of the navigation.
    """
    sections: dict[str, list[str]] = {}
    for page in sorted(pages, key=_place):
        top = page.ancestors[-1].title if page.ancestors else "Overview"
        address = urljoin(config.site_url or "/", page.url)
        sections.setdefault(str(top), []).append(f"- [{page.title}]({address}): {unescape(page.meta['description'])}")
    parts = [f"# {config.site_name}", f"> {config.site_description}"]
    for title, lines in sections.items():
        parts += [f"## {title}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def citation() -> str:
    """Returns how to cite artcolor, as text and as BibTeX, from CITATION.cff."""
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    authors = " and ".join(f"{{{author['name']}}}" for author in found["authors"])
    year = str(found["date-released"])[:4]
    names = ", ".join(author["name"] for author in found["authors"])
    parts = [
        f"{found['message']}\n",
        f"> {names} ({year}). *{found['title']}* (version {found['version']}). {found['license']}.\n",
        "```bibtex",
        f"@software{{artcolor{year},",
        f"  author  = {{{authors}}},",
        f"  title   = {{{found['title']}}},",
        f"  version = {{{found['version']}}},",
        f"  year    = {{{year}}},",
        f"  license = {{{found['license']}}}",
        "}\n```\n",
    ]
    return "\n".join(parts)


def _plain(block: str) -> str:
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)|!?\[([^\]]*)\]\[[^\]]*\]", r"\1\2", block)
    return " ".join(re.sub(r"<[^>]*>|[*`]", "", text).split())


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST].rsplit(" ", 1)[0].rstrip(",;") + " …"


def _place(page: Page) -> int:
    place, item = 0, page
    while item.previous_page is not None:
        place, item = place + 1, item.previous_page
    return place
