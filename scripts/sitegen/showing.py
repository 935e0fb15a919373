"""Generates the HTML around pictures: the slider, and grids of pictures that enlarge."""

import json
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from PIL import Image

from artcolor.zoo.manifest import Entry
from sitegen import results
from sitegen.results import Painting

_SLIDER_MODEL = "unet"
# None of these is in the training data.
_FIRST = (
    "bruegel_harvesters",
    "hokusai_great_wave",
    "bazille_aigues_mortes",
    "renoir_galette",
    "hiroshige_prawns",
    "cassatt_summertime",
    "leonardo_mona_lisa",
    "arcimboldo_spring",
    "gogh_starry_night",
)
_FEW = ("bazille_aigues_mortes", "bruegel_harvesters", "cassatt_summertime", "leonardo_mona_lisa")
_GUIDED, _COUNTS = "cassatt_summertime", (0, 1, 3, 10)
_INPUT, _ORIGINAL = "input", "original"

Publish = Callable[[Path], str]
"""Adds a picture to the site and returns its address relative to the page."""
Pictures = Sequence[tuple[str, Path]]
"""Labels and files of pictures of one painting."""


def slider(publish: Publish) -> str:
    """Returns a before/after slider with results of the default model and a choice of paintings."""
    entry = _entry(_SLIDER_MODEL)
    return _slider(publish, [results.named(stem) for stem in _FIRST], [entry], choose_models=False)


def explorer(publish: Publish) -> str:
    """Returns a slider with all paintings, that compares any two of the input, the models and the original."""
    first = results.named(_FIRST[0])
    rest = [painting for painting in results.paintings() if painting != first]
    return _slider(publish, [first, *rest], _released(), choose_models=True)


def sheet(name: str, publish: Publish) -> str:
    """Returns all free pictures: gray, colorized by a model, original; a note if the model has no weights."""
    entry = results.released(name)
    if entry is None:
        return f"<p>The contact sheet of <code>{name}</code> appears here once it has released weights.</p>"
    return grid(publish, results.paintings(), lambda painting: _beside(painting, [entry]), kind="ac-three")


def samples(name: str, publish: Publish) -> str:
    """Returns several random colorings of a few paintings by a model that samples."""
    entry = results.released(name)
    if entry is None:
        return ""

    def several(painting: Painting) -> Pictures:
        numbers = range(results.SAMPLES)
        return [(f"sample {number + 1}", results.sampled(painting, entry, number)) for number in numbers]

    return grid(publish, _few(), several)


def tour(publish: Publish) -> str:
    """Returns a painting colorized by itself and with hints, beside the original."""
    entry, painting = _entry(_SLIDER_MODEL), results.named(_GUIDED)
    guided = [(_hints(count), results.guided(painting, entry, count)) for count in _COUNTS]
    pictures = [(_INPUT, results.gray(painting)), *guided, (_ORIGINAL, painting.file)]
    return grid(publish, [painting], lambda _: pictures, kind="ac-six")


def own_pictures(name: str, publish: Publish) -> str:
    """Returns the RGB output of a network of the report beside its chroma on the true lightness."""
    entry = results.released(name)
    if entry is None:
        return ""

    def both(painting: Painting) -> Pictures:
        own = ("its own RGB", results.own_picture(painting, entry))
        return [own, ("its chroma, true L", results.colored(painting, entry)), (_ORIGINAL, painting.file)]

    return grid(publish, _few(), both, kind="ac-three")


def compare(publish: Publish) -> str:
    """Returns a few paintings colorized by every released model."""
    return grid(publish, _few(), lambda painting: _beside(painting, _released()))


def gallery(publish: Publish) -> str:
    """Returns all paintings colorized by every released model."""
    return grid(publish, results.paintings(), lambda painting: _beside(painting, _released()))


def grid(
    publish: Publish, paintings: Sequence[Painting], of: Callable[[Painting], Pictures], *, kind: str = "ac-many"
) -> str:
    """Returns a figure for each painting, with small pictures that a click enlarges.

    Args:
        publish: adds a picture to the site.
        paintings: what to show.
        of: returns the pictures of a painting.
        kind: class that says how many pictures stand in a row.
    """
    return f'<div class="ac-sheet {kind}">{"".join(_figure(publish, each, of(each)) for each in paintings)}</div>'


def _slider(publish: Publish, paintings: Sequence[Painting], entries: Sequence[Entry], *, choose_models: bool) -> str:
    shown = entries[[entry.model for entry in entries].index(_SLIDER_MODEL)].key
    buttons = []
    for number, painting in enumerate(paintings):
        views = {label: publish(file) for label, file in _beside(painting, entries)}
        width, height = _size(painting.file)
        small = publish(results.thumbnail(results.colored(painting, _entry(_SLIDER_MODEL))))
        buttons.append(
            f'<button type="button" data-views="{escape(json.dumps(views))}" data-width="{width}" '
            f'data-height="{height}" data-caption="{escape(_name(painting))}" title="{escape(_name(painting))}" '
            f'aria-pressed="{"true" if number == 0 else "false"}" aria-label="{escape(_name(painting))}">'
            f'<img src="{small}" alt="" width="{width}" height="{height}" loading="lazy"></button>'
        )
    first = paintings[0]
    views = dict(_beside(first, entries))
    width, height = _size(first.file)
    choice = _choice(list(views), shown) if choose_models else ""
    note = f"Left: the input. Right: the result of <code>{shown}</code> at its defaults, a guess."
    return (
        f'<div class="ac-slider" data-slider data-left="{_INPUT}" data-right="{escape(shown)}">{choice}'
        f'<div class="ac-stage" style="aspect-ratio: {width} / {height}; --ratio: {width / height:.4f}; '
        f'--width: {width}px">'
        f'<img class="ac-after" src="{publish(views[shown])}" alt="{escape(_name(first))}: {escape(shown)}" '
        f'width="{width}" height="{height}">'
        f'<img class="ac-before" src="{publish(views[_INPUT])}" alt="{escape(_name(first))}: {_INPUT}" '
        f'width="{width}" height="{height}">'
        '<span class="ac-line" aria-hidden="true"></span>'
        '<input type="range" min="0" max="100" value="50" step="1" aria-label="Part that shows the left picture">'
        "</div>"
        f'<p class="ac-caption"><span data-caption>{escape(_name(first))}</span>. {"" if choose_models else note} '
        f'<a data-original href="{publish(first.file)}">The original</a></p>'
        f'<div class="ac-choice" role="group" aria-label="Paintings">{"".join(buttons)}</div></div>'
    )


def _choice(labels: Sequence[str], shown: str) -> str:
    parts = []
    for side, chosen in (("left", _INPUT), ("right", shown)):
        options = "".join(f"<option{' selected' if each == chosen else ''}>{escape(each)}</option>" for each in labels)
        parts.append(f'<label>{side.capitalize()} <select data-side="{side}">{options}</select></label>')
    return f'<p class="ac-sides">{"".join(parts)}</p>'


def _beside(painting: Painting, entries: Sequence[Entry]) -> Pictures:
    colored = [(entry.key, results.colored(painting, entry)) for entry in entries]
    return [(_INPUT, results.gray(painting)), *colored, (_ORIGINAL, painting.file)]


def _hints(count: int) -> str:
    return {0: "automatic", 1: "1 hint: the dress, outlined"}.get(count, f"{count} hints")


def _entry(model: str) -> Entry:
    entry = results.released(model)
    assert entry is not None, f"{model} has weights"
    return entry


def _released() -> list[Entry]:
    """Returns the released models, ours before those of the report, the default first."""
    names = {key.partition(".")[0] for key in results.entries()}
    ordered = sorted(names, key=lambda name: (name.endswith("_report"), name != _SLIDER_MODEL, name))
    return [entry for name in ordered if (entry := results.released(name))]


def _few() -> list[Painting]:
    return [results.named(stem) for stem in _FEW]


def _figure(publish: Publish, painting: Painting, pictures: Pictures) -> str:
    width, height = _size(painting.file)
    cells = "".join(
        f'<a class="ac-zoom" href="{publish(file)}" data-label="{escape(what)}">'
        f'<img src="{publish(results.thumbnail(file))}" alt="{escape(painting.title)}: {escape(what)}" '
        f'width="{width}" height="{height}" loading="lazy"><small>{escape(what)}</small></a>'
        for what, file in pictures
    )
    name = escape(_name(painting))
    return f'<figure data-caption="{name}"><figcaption>{name}</figcaption><div class="ac-strip">{cells}</div></figure>'


def _name(painting: Painting) -> str:
    return f"{painting.painter.partition(' (')[0]}, {painting.title}"


def _size(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size
