"""Writes a card of a result: a self-contained HTML page that documents how a picture was colorized."""

import base64
import dataclasses
import html
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from artcolor import __version__
from artcolor.engine.drawing import RGB, color_of, draw_hints, hints_of, place_of
from artcolor.engine.hints import Hint
from artcolor.engine.inputs import read_guidance
from artcolor.engine.layers import in_gray
from artcolor.engine.targets import CARD_SUFFIXES, opened_for_writing
from artcolor.errors import ImageError
from artcolor.files import sha256_of
from artcolor.images import encode
from artcolor.images.write import Target
from artcolor.models.guidance import Decoding, Guidance
from artcolor.models.heads import DistributionHead

if TYPE_CHECKING:
    from artcolor.engine.session import Session

__all__ = ["save_card"]

# Long sides in pixels, which keep the page below 5 MB.
_SIDE, _ALTERNATIVE_SIDE = 1000, 600
_ALTERNATIVES = 4
# Rows of the table of hints; hints painted with a brush may be thousands.
_ROWS = 100
_BORDER = 1
_EDGE = 0.9
# Longer side in CSS pixels of a picture that stands alone.
_SHOWN = 700

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 1100px; }}
h1, h2 {{ line-height: 1.2; margin: 2rem 0 .6rem; overflow-wrap: anywhere; }}
p {{ max-width: 45rem; }}
.note {{ border-left: 4px solid #c77d00; padding-left: .8rem; }}
.pictures {{ display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); }}
.small {{ grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }}
figure {{ margin: 0; break-inside: avoid; }}
img {{ display: block; width: 100%; height: auto; }}
figcaption {{ font-size: 14px; opacity: .85; }}
.single {{ position: relative; margin-bottom: .8rem; }}
.single b {{ position: absolute; translate: 6px -100%; padding: 0 .25em; border-radius: .5em;
  font: 12px/1.3 system-ui, sans-serif; color: #fff; background: #000b; }}
.single b.right {{ translate: calc(-100% - 6px) -100%; }}
.single b.top {{ translate: 6px 3px; }}
.single b.right.top {{ translate: calc(-100% - 6px) 3px; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .25rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid #8884; }}
tbody th {{ font-weight: normal; white-space: nowrap; }}
.facts td {{ overflow-wrap: anywhere; }}
code {{ font-size: 13px; }}
.swatch {{ display: inline-block; width: 1.1em; height: 1.1em; vertical-align: -.15em; margin-right: .4em;
  border: 1px solid #8888; }}
.hints td {{ white-space: nowrap; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def save_card(
    session: "Session", path: Target, guidance: Guidance = Guidance(), decoding: Decoding = Decoding()
) -> None:
    """Colorizes the picture of a session and documents it on one HTML page.

    The page shows the original in gray, the result, the hints, the map of the model's uncertainty, and four other
    colorings if the model samples; and it states all settings, the version of artcolor and the SHA-256 of the original
    and of the weights. It is self-contained. Pictures on it are reduced to 1000 pixels or less.

    Args:
        session: the session, which holds the picture.
        path: path of the page, which ends in `.html`; an existing file is replaced. Or a binary file that is open for
            writing.
        guidance: hints, palette, reference and sampling.
        decoding: how the output becomes chroma.

    Raises:
        ConfigError: as for `Session.render`.
        ImageError: the suffix is wrong, the page cannot be written or is the original, or hints or the original cannot
            be read.

    Example:
        >>> import artcolor, tempfile
        >>> session = artcolor.Session(Image.new("L", (50, 30), 128))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_card(session, f"{folder}/a.html")
        ...     "SHA-256" in Path(f"{folder}/a.html").read_text()
        True
    """
    name = session.name or "Picture"
    body = "\n".join(_body(session, name, guidance, decoding))
    page = _PAGE.format(title=html.escape(f"{name}, colorized"), body=body)
    with opened_for_writing(path, CARD_SUFFIXES, session.source) as file:
        # File names may contain bytes that are not UTF-8.
        file.write(page.encode(errors="backslashreplace"))


def _body(session: "Session", name: str, guidance: Guidance, decoding: Decoding) -> Iterator[str]:
    model, preview = session.colorizer.model, session.preview(_SIDE)
    hints = hints_of(session, guidance)
    result = _opaque(preview.render(guidance, decoding))
    plain = in_gray(preview.original)
    gray = _opaque(encode(plain, plain.pixels))
    yield f"<h1>{html.escape(name)}</h1>"
    guided = f" and {_count(len(hints), 'hint')}" if hints else ""
    yield (
        f'<p class="note">The colors are a guess. A statistical model computed them from the gray picture{guided}; '
        "they are not evidence of what the original looked like.</p>"
    )
    yield _pictures([(gray, "Original, in gray"), (result, "Result")])
    if hints:
        yield from _hints(hints, gray, result)
    if isinstance(model.head, DistributionHead):
        yield "<h2>Uncertainty</h2>"
        yield (
            "<p>Black: the model is certain of the color. White: it considers all colors equally likely. "
            "Hints do not change this map.</p>"
        )
        yield _single(preview.uncertainty(guidance), "Uncertainty")
    if "samples" in model.accepts:
        yield "<h2>Alternatives</h2>"
        yield "<p>Other colorings that the model considers plausible, drawn at random.</p>"
        several = dataclasses.replace(guidance, samples=_ALTERNATIVES)
        drawn = session.preview(_ALTERNATIVE_SIDE).render_samples(several, decoding)
        yield _pictures([(_opaque(each), f"Alternative {n}") for n, each in enumerate(drawn, 1)], kind="small")
    yield "<h2>Settings</h2>"
    yield _facts(_settings(session, guidance, decoding))
    yield "<h2>Files</h2>"
    yield _facts(_files(session, name, guidance, decoding))


def _hints(hints: Sequence[Hint], gray: Image.Image, result: Image.Image) -> Iterator[str]:
    listed = hints[:_ROWS]
    marked = gray.copy()
    drawn = draw_hints(hints, marked.size, border=_BORDER)
    marked.paste(drawn, mask=drawn)
    places = [place_of(hint) for hint in listed]
    labels = "".join(_label(number, place) for number, place in enumerate(places, 1))
    yield f"<h2>{_count(len(hints), 'hint')}</h2>"
    yield _single(marked, "Original with hints", labels)
    rows = []
    for number, (hint, (x, y)) in enumerate(zip(listed, places, strict=True), 1):
        pixel = min(int(x * result.width), result.width - 1), min(int(y * result.height), result.height - 1)
        shown: Any = result.getpixel(pixel)
        ab = "" if hint.ab is None else "{:.1f}, {:.1f}".format(*hint.ab)
        cells = [_kind(hint), _given(hint), ab, "" if hint.is_region else _swatch(shown)]
        place = f"{100 * x:.1f}%, {100 * y:.1f}%"
        rows.append(f'<tr><th scope="row">{number}</th>{"".join(f"<td>{cell}</td>" for cell in (place, *cells))}</tr>')
    heads = ("", "position from left, top", "kind", "color given", "a, b", "color in the result")
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    # A scrollable region must be reachable by keyboard.
    yield (
        f'<div class="wide" tabindex="0"><table class="hints"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
    if len(hints) > len(listed):
        yield f"<p>{len(hints) - len(listed)} more hints are drawn but not listed.</p>"


def _label(number: int, place: tuple[float, float]) -> str:
    # Near the edge, labels would lie outside of the picture.
    x, y = place
    where = " ".join(name for name, beyond in (("right", x > _EDGE), ("top", y < 1 - _EDGE)) if beyond)
    return f'<b class="{where}" style="left:{100 * x:.2f}%;top:{100 * y:.2f}%">{number}</b>'


def _kind(hint: Hint) -> str:
    if hint.mask is not None:
        return f"mask {html.escape(Path(hint.mask).name)}"
    if hint.polygon is not None:
        return f"polygon of {len(hint.polygon)} corners"
    return "point" if hint.polyline is None else "stroke"


def _given(hint: Hint) -> str:
    color = color_of(hint)
    if hint.keep == "gray":
        return "stays gray"
    if color is None:
        return "border, no color" if hint.keep is None else "as the model predicts"
    return _swatch(color, hint.color if isinstance(hint.color, str) else "")


def _swatch(color: RGB, text: str = "") -> str:
    code = "#{:02x}{:02x}{:02x}".format(*color)
    return f'<span class="swatch" style="background:{code}"></span>{html.escape(text or code)}'


def _settings(session: "Session", guidance: Guidance, decoding: Decoding) -> Iterator[tuple[str, str]]:
    head = session.colorizer.model.head
    # A hints file may hold a palette and a reference, too.
    stated = read_guidance(guidance, session.colorizer.backend.check).stated
    given = dict(session.colorizer.provenance_of(dataclasses.replace(stated, hints=None), decoding).options)
    yield "working size", f"{given.pop('size')} px"
    if decoding.vividness is None and isinstance(head, DistributionHead):
        given["vividness"] = f"{head.vividness:g}, the default of the weights"
    if decoding.temperature is None and isinstance(head, DistributionHead):
        given["temperature"] = (
            f"{head.temperature:g}, the default of the weights" if decoding.vividness is None else "follows vividness"
        )
    given.setdefault("strength", decoding.strength)
    for setting, value in given.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        yield setting, html.escape(shown)


def _files(session: "Session", name: str, guidance: Guidance, decoding: Decoding) -> Iterator[tuple[str, str]]:
    height, width = session.original.pixels.shape[:2]
    provenance = session.colorizer.provenance_of(dataclasses.replace(guidance, hints=None), decoding)
    yield "original", f"{html.escape(name)}, {width} × {height} px"
    if session.source is not None:
        yield "SHA-256 of the original", f"<code>{_hash_of(session.source)}</code>"
    yield "model", html.escape(provenance.model)
    weights = f"<code>{html.escape(provenance.weights_sha256)}</code>" if provenance.weights_sha256 else "unknown"
    yield "SHA-256 of the weights", weights
    yield "artcolor", __version__


def _hash_of(source: Path) -> str:
    try:
        return sha256_of(source)
    except OSError as error:
        raise ImageError(f"{source} cannot be read: {error.strerror}") from error


def _facts(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f'<tr><th scope="row">{html.escape(name)}</th><td>{value}</td></tr>' for name, value in rows)
    return f'<table class="facts"><tbody>{cells}</tbody></table>'


def _pictures(pictures: Iterable[tuple[Image.Image, str]], kind: str = "") -> str:
    figures = "".join(
        f"<figure>{_image(image, caption)}<figcaption>{caption}</figcaption></figure>" for image, caption in pictures
    )
    return f'<div class="pictures {kind}">{figures}</div>'


def _single(image: Image.Image, what: str, labels: str = "") -> str:
    width = round(_SHOWN * min(1.0, image.width / image.height))
    return f'<figure class="single" style="max-width:{width}px">{_image(image, what)}{labels}</figure>'


def _image(image: Image.Image, what: str) -> str:
    file = io.BytesIO()
    # Colors are what the page is about, so they keep their resolution.
    image.save(file, "JPEG", quality=85, subsampling=0, optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    size = f'width="{image.width}" height="{image.height}"'
    return f'<img alt="{what}" {size} src="data:image/jpeg;base64,{data}">'


def _opaque(image: Image.Image) -> Image.Image:
    """A copy in RGB without metadata, over white where the picture is transparent."""
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
    return white


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
