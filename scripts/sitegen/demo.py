"""Puts the page that colorizes in the browser into the site, or says there why it is missing."""

import logging
from html import escape
from pathlib import Path

from artcolor.errors import ArtcolorError
from sitegen import page

_LOG = logging.getLogger(__name__)
_MISSING = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>artcolor: color a picture</title>
    <link rel="icon" href="data:,">
  </head>
  <body>
    <h1>Color a picture</h1>
    <p>This copy of the site was built without the page that colorizes in the browser: {reason}.</p>
    <p><a href="../howto/page/">How the page is built</a>, and <a href="../">the other pages</a>.</p>
  </body>
</html>
"""


def build(folder: Path) -> None:
    """Writes the page into a folder.

    Without what it needs, such as files from npm, the site is built all the same, and this page says what is missing.
    """
    try:
        page.build(folder)
    except ArtcolorError as error:
        _LOG.info("the page that colorizes in the browser was left out: %s", error)
        folder.mkdir(parents=True, exist_ok=True)
        # Paths of the machine that builds the site are of no use to its readers.
        reason = str(error).replace(f"{page.ROOT}/", "")
        (folder / "index.html").write_text(_MISSING.format(reason=escape(reason)), encoding="utf-8")


def button(address: str) -> str:
    """Returns a link to the page."""
    return (
        f'<p><a class="md-button md-button--primary" href="{escape(address)}">Color a picture in your browser</a></p>'
    )
