"""Generates the HTML around pictures: the slider, contact sheets, strips."""

from collections.abc import Callable
from html import escape
from pathlib import Path

from PIL import Image

from artcolor.zoo.manifest import Entry
from sitegen import results
from sitegen.results import Painting

_SLIDER_MODEL = "unet"
_FIRST = ("bazille_aigues_mortes", "bruegel_harvesters", "cassatt_summertime", "leonardo_mona_lisa", "renoir_galette")

_GUIDED, _COUNTS = "cassatt_summertime", (0, 1, 3, 10)

Publish = Callable[[Path], str]
"""Adds a picture to the site and returns its address relative to the page."""


def slider(publish: Publish) -> str:
    """Returns a before/after slider with results of the default model and a choice of paintings."""
    entry = results.released(_SLIDER_MODEL)
    assert entry is not None, "the default model has weights"
    shown = sorted((p for p in results.paintings() if p.file.stem in _FIRST), key=lambda p: _FIRST.index(p.file.stem))
    buttons = []
    for number, painting in enumerate(shown):
        before, after = publish(results.gray(painting)), publish(results.colored(painting, entry))
        original = publish(painting.file)
        width, height = _size(painting.file)
        buttons.append(
            f'<button type="button" data-before="{before}" data-after="{after}" data-original="{original}" '
            f'data-width="{width}" data-height="{height}" data-caption="{escape(_name(painting))}" '
            f'aria-pressed="{"true" if number == 0 else "false"}" aria-label="{escape(_name(painting))}">'
            f'<img src="{after}" alt="" width="{width}" height="{height}" loading="lazy"></button>'
        )
    first = shown[0]
    before, after = publish(results.gray(first)), publish(results.colored(first, entry))
    width, height = _size(first.file)
    return (
        '<div class="ac-slider" data-slider>'
        f'<div class="ac-stage" style="aspect-ratio: {width} / {height}; --ratio: {width / height:.4f}">'
        f'<img class="ac-after" src="{after}" alt="The same painting, colorized" width="{width}" height="{height}">'
        f'<img class="ac-before" src="{before}" alt="A painting in gray" width="{width}" height="{height}">'
        '<span class="ac-line" aria-hidden="true"></span>'
        '<input type="range" min="0" max="100" value="50" step="1" aria-label="How much is shown in gray">'
        "</div>"
        f'<p class="ac-caption"><span data-caption>{escape(_name(first))}</span>. Left: the input. '
        f"Right: the result of <code>{entry.key}</code> at its defaults, "
        f'a guess. <a data-original href="{publish(first.file)}">The original</a></p>'
        f'<div class="ac-choice" role="group" aria-label="Paintings">{"".join(buttons)}</div></div>'
    )


def sheet(name: str, publish: Publish) -> str:
    """Returns all free pictures: gray, colorized by a model, original; a note if the model has no weights."""
    entry = results.released(name)
    if entry is None:
        return f"<p>The contact sheet of <code>{name}</code> appears here once it has released weights.</p>"
    figures = [
        _figure(
            painting,
            [
                ("input", publish(results.gray(painting))),
                (entry.key, publish(results.colored(painting, entry))),
                ("original", publish(painting.file)),
            ],
        )
        for painting in results.paintings()
    ]
    return f'<div class="ac-sheet">{"".join(figures)}</div>'


def samples(name: str, publish: Publish) -> str:
    """Returns several random colorings of a few paintings by a model that samples."""
    entry = results.released(name)
    if entry is None:
        return ""
    return _few(
        lambda painting: [
            (f"sample {number + 1}", publish(results.sampled(painting, entry, number)))
            for number in range(results.SAMPLES)
        ]
    )


def tour(publish: Publish) -> str:
    """Returns a painting colorized by itself and with hints, beside the original."""
    entry = results.released(_SLIDER_MODEL)
    assert entry is not None, "the default model has weights"
    painting = next(each for each in results.paintings() if each.file.stem == _GUIDED)
    guided = [(_hints(count), publish(results.guided(painting, entry, count))) for count in _COUNTS]
    pictures = [("input", publish(results.gray(painting))), *guided, ("original", publish(painting.file))]
    # Two rows of three, so that the pictures are large enough.
    rows = "".join(_figure(painting, part) for part in (pictures[:3], pictures[3:]))
    return f'<div class="ac-sheet ac-wide">{rows}</div>'


def _hints(count: int) -> str:
    return {0: "automatic", 1: "the dress, outlined"}.get(count, f"{count} hints")


def own_pictures(name: str, publish: Publish) -> str:
    """Returns the RGB output of a network of the report beside its chroma on the true lightness."""
    entry = results.released(name)
    if entry is None:
        return ""
    return _few(
        lambda painting: [
            ("its own RGB", publish(results.own_picture(painting, entry))),
            ("its chroma, true L", publish(results.colored(painting, entry))),
            ("original", publish(painting.file)),
        ]
    )


def compare(publish: Publish) -> str:
    """Returns a few paintings colorized by every released model."""
    released = _released()
    return _few(
        lambda painting: [
            ("input", publish(results.gray(painting))),
            *((entry.key, publish(results.colored(painting, entry))) for entry in released),
            ("original", publish(painting.file)),
        ]
    )


def _released() -> list[Entry]:
    names = sorted({key.partition(".")[0] for key in results.entries()})
    return [entry for name in names if (entry := results.released(name))]


def _few(of: Callable[[Painting], list[tuple[str, str]]]) -> str:
    chosen = [p for p in results.paintings() if p.file.stem in _FIRST[:4]]
    return f'<div class="ac-sheet ac-wide">{"".join(_figure(painting, of(painting)) for painting in chosen)}</div>'


def _figure(painting: Painting, pictures: list[tuple[str, str]]) -> str:
    width, height = _size(painting.file)
    cells = "".join(
        f'<span><img src="{address}" alt="{escape(painting.title)}: {escape(what)}" width="{width}" height="{height}" '
        f'loading="lazy"><small>{escape(what)}</small></span>'
        for what, address in pictures
    )
    return f'<figure><div class="ac-strip">{cells}</div><figcaption>{escape(_name(painting))}</figcaption></figure>'


def _name(painting: Painting) -> str:
    return f"{painting.painter.partition(' (')[0]}, {painting.title}"


def _size(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size
