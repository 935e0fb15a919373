"""Pages that document a result."""

import base64
import hashlib
import io
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import artcolor
from artcolor import Decoding, Guidance
from artcolor.errors import ConfigError, ImageError
from artcolor.models.registry import get_weight
from tests.conftest import ROOT, make_painting

PICTURE = ROOT / "examples" / "aigues_mortes.png"
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """A page's tags, attributes, texts and pictures; checks that tags are closed in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.pictures: dict[str, Image.Image] = {}
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)
        if tag == "img":
            found = dict(attrs)
            data = base64.b64decode(found["src"].removeprefix("data:image/jpeg;base64,"))
            image = Image.open(io.BytesIO(data))
            assert (found["width"], found["height"]) == (str(image.width), str(image.height))
            self.pictures[found["alt"]] = image

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f" {data}" if self._open[-1:] != ["style"] else ""


def card(session: artcolor.Session, path: Path, *options: object) -> Page:
    session.save_card(path, *options)
    return Page(path)


def test_shows_everything_about_a_result(tmp_path: Path) -> None:
    session = artcolor.Session(PICTURE)
    session.hint(x=0.25, y=0.2, color="#27408b", radius=0.03)
    hints = [
        {"polyline": [[0.1, 0.9], [0.3, 0.8]], "color": "lab(40 30 20)"},
        {"polygon": [[0.6, 0.6], [0.9, 0.6], [0.9, 0.9]]},
        {"x": 0.9, "y": 0.1, "keep": "gray"},
    ]
    page = card(
        session, tmp_path / "a.html", Guidance(hints=hints, palette=["#27408b", "ivory"]), Decoding(vividness=1.5)
    )
    assert "The colors are a guess." in page.text
    assert "from the gray picture and 4 hints" in page.text
    for expected in (
        "#27408b",
        "lab(40 30 20)",
        "border, no color",
        "stays gray",
        "polygon of 3 corners",
        "25.0%, 20.0%",
    ):
        assert expected in page.text, expected
    assert re.search(r"vividness\s+1\.5\s", page.text)
    assert re.search(r"palette\s+#27408b, ivory", page.text)
    assert hashlib.sha256(PICTURE.read_bytes()).hexdigest() in page.text
    weights = get_weight("unet").entry
    assert weights.sha256 in page.text
    assert weights.key in page.text
    assert re.search(rf"artcolor\s+{re.escape(artcolor.__version__)}", page.text)
    alternatives = [f"Alternative {number}" for number in range(1, 5)]
    assert list(page.pictures) == ["Original, in gray", "Result", "Original with hints", "Uncertainty", *alternatives]

    shown = np.asarray(page.pictures["Result"]).astype(int)
    result = session.render(Guidance(hints=hints, palette=["#27408b", "ivory"]), Decoding(vividness=1.5))
    assert np.abs(shown - np.asarray(result)).mean() < 4
    gray = np.asarray(page.pictures["Original, in gray"].convert("L")).astype(int)
    assert np.abs(gray - np.asarray(Image.open(PICTURE).convert("L"))).mean() < 4
    red, _, blue = page.pictures["Original with hints"].getpixel((150, 71))
    assert blue - red > 70
    drawn = [np.asarray(page.pictures[name]).astype(int) for name in alternatives]
    assert np.abs(drawn[0] - drawn[1]).mean() > 2


def test_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    page = card(artcolor.Session(PICTURE, "cnn"), tmp_path / "a.html")
    assert not {"script", "link", "iframe", "object", "base"} & set(page.tags)
    for name, value in page.attributes:
        assert name not in ("href", "srcset", "action") and not name.startswith("on")
        assert name != "src" or value.startswith("data:image/jpeg;base64,")
    assert not re.search(r"url\(|@import|https?:", page.source)
    assert ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in page.attributes
    assert "color-scheme: light dark" in page.source


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such file names")
def test_names_are_text(tmp_path: Path) -> None:
    name = "<script>alert(1)<!-- & \"'.png"
    make_painting(1).save(tmp_path / name, "PNG")
    mask = Image.new("L", (96, 80))
    mask.paste(255, (20, 20, 60, 60))
    mask.save(tmp_path / "<b onclick=x>.png")
    page = card(
        artcolor.Session(tmp_path / name, "cnn"),
        tmp_path / "a.html",
        Guidance(hints=[{"mask": str(tmp_path / "<b onclick=x>.png"), "color": "teal"}]),
    )
    assert name in page.text
    assert "mask <b onclick=x>.png" in page.text
    assert "script" not in page.tags
    assert str(tmp_path) not in page.source
    # Linux allows names that are no text.
    strange = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
    (tmp_path / name).rename(strange)
    assert r"\udcff.png" in card(artcolor.Session(strange, "cnn"), tmp_path / "b.html").text


def test_a_page_stays_small(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000), dtype=np.uint8)
    session = artcolor.Session(np.kron(noise, np.ones((1, 2), np.uint8)), "vae")
    page = card(session, tmp_path / "a.html", Guidance(hints=[{"x": 0.5, "y": 0.5, "color": "red"}]))
    assert page.pictures["Result"].size == (1000, 500)
    assert page.pictures["Alternative 1"].size == (600, 300)
    noise = artcolor.Session(noise, "vae")
    noise.save_card(tmp_path / "b.html", Guidance(hints=[{"x": 0.5, "y": 0.5, "color": "red"}]))
    assert (tmp_path / "b.html").stat().st_size < 5e6


def test_many_hints_are_drawn_but_not_all_listed(tmp_path: Path) -> None:
    places = np.random.default_rng(0).uniform(size=(130, 2))
    hints = [{"x": float(x), "y": float(y), "color": "teal"} for x, y in places]
    page = card(artcolor.Session(make_painting(1), "cnn"), tmp_path / "a.html", Guidance(hints=hints))
    assert page.tags.count("b") == 100
    assert "30 more hints are drawn but not listed" in page.text


def test_leaves_out_what_a_model_or_picture_does_not_have(tmp_path: Path) -> None:
    session = artcolor.Session(make_painting(1), artcolor.get_model("ae_report", weights="DEFAULT"))
    page = card(session, tmp_path / "a.html")
    assert list(page.pictures) == ["Original, in gray", "Result"]
    assert "SHA-256 of the original" not in page.text
    assert re.search(r"SHA-256 of the weights\s+unknown", page.text)
    assert "hint" not in page.text


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    image = make_painting(3).convert("RGBA")
    image.putalpha(0)
    page = card(artcolor.Session(image, "cnn"), tmp_path / "a.html")
    assert np.asarray(page.pictures["Result"]).min() == 255


def test_refuses_before_anything_is_written(tmp_path: Path) -> None:
    session = artcolor.Session(make_painting(1), "cnn")
    with pytest.raises(ImageError, match=r"a\.pdf must end in \.html or \.htm; for example .*a\.html"):
        session.save_card(tmp_path / "a.pdf")
    with pytest.raises(ImageError, match="there is no folder"):
        session.save_card(tmp_path / "none" / "a.html")
    with pytest.raises(ConfigError, match="samples; use render_samples"):
        session.save_card(tmp_path / "a.html", Guidance(samples=3))
    assert not list(tmp_path.iterdir())
