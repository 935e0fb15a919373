"""Telling what a build did: report.json, report.html with pictures of what was dropped, statistics.png."""

import base64
import dataclasses
import html
import importlib
import io
import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch
from PIL import Image

from artcolor.color.lab import lab_to_rgb_in_gamut
from artcolor.data.clean import CHROMA_STEP, CHROMAS, HUES, REASONS, thumbnail
from artcolor.data.journal import Candidate, Dropped
from artcolor.data.selection import SPLITS, Chosen
from artcolor.data.spec import LABELS, DatasetSpec
from artcolor.files import write_atomically

_LOG = logging.getLogger(__name__)
FINISHED = "report.json"
_PAGE = "report.html"
_STATISTICS = "statistics.png"
# In the order in which they are to appear: the last one marks a finished build.
FILES = (_STATISTICS, _PAGE, FINISHED)
_SHOWN = 60
_BARS = 15
_LONGEST = 26


@dataclass(frozen=True)
class Report:
    """What a build did.

    Attributes:
        identity: the same for the same spec and seed.
        name: of the data set.
        seed: of the build.
        spec: the whole spec.
        collected: pictures that the sources hold.
        dropped: reason → how many, in the order of the steps.
        cropped: how many lost a frame or padding.
        kept: pictures in the data set.
        splits: split → how many.
        sources: source → how many were collected and kept.
        labels: label → value → how many were kept, most frequent first; `""` is unknown.
        dropped_pictures: source, path, reason, detail of each.
        cropped_pictures: source, path, original size and box of each.
    """

    identity: str
    name: str
    seed: int
    spec: dict[str, Any]
    collected: int
    dropped: dict[str, int]
    cropped: int
    kept: int
    splits: dict[str, int]
    sources: dict[str, dict[str, int]]
    labels: dict[str, dict[str, int]]
    dropped_pictures: list[dict[str, str]]
    cropped_pictures: list[dict[str, Any]]

    @classmethod
    def load(cls, path: Path) -> "Report | None":
        """Reads a `report.json`; gives `None` if it is something else of that name.

        Args:
            path: of the file.
        """
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError):
            return None


def write_report(
    folder: Path,
    spec: DatasetSpec,
    seed: int,
    identity: str,
    chosen: Sequence[Chosen],
    dropped: Sequence[Dropped],
) -> Report:
    """Writes the three reports.

    Args:
        folder: where to.
        spec: it was built from.
        seed: of the build.
        identity: of spec and seed.
        chosen: the pictures in it.
        dropped: the others.

    Returns:
        What they say.
    """
    order = list(REASONS)
    dropped = sorted(dropped, key=lambda each: order.index(each.reason))
    pictures = [each.picture for each in chosen]
    cropped = [picture for picture in pictures if picture.box is not None]
    all_of, kept_of = (
        Counter([*(p.source for p in pictures), *(d.source for d in dropped)]),
        Counter(p.source for p in pictures),
    )
    report = Report(
        identity=identity,
        name=spec.name,
        seed=seed,
        spec=spec.model_dump(mode="json"),
        collected=len(pictures) + len(dropped),
        dropped={reason: sum(each.reason == reason for each in dropped) for reason in order},
        cropped=len(cropped),
        kept=len(pictures),
        splits={name: sum(each.split == name for each in chosen) for name in SPLITS},
        sources={s.name: {"collected": all_of[s.name], "kept": kept_of[s.name]} for s in spec.sources},
        labels={
            label: dict(
                sorted(Counter(p.labels[label] for p in pictures).items(), key=lambda item: (-item[1], item[0]))
            )
            for label in LABELS
        },
        dropped_pictures=[
            {"source": each.source, "path": each.path, "reason": each.reason, "detail": each.detail} for each in dropped
        ],
        cropped_pictures=[
            {"source": p.source, "path": p.path, "original": list(p.original), "box": list(p.box or ())}
            for p in cropped
        ],
    )
    statistics = draw_statistics(report, pictures)
    if statistics is not None:
        write_atomically(folder / _STATISTICS, statistics)
    write_atomically(folder / _PAGE, page(report, dropped, cropped, statistics).encode())
    text = json.dumps(dataclasses.asdict(report), indent=1, ensure_ascii=False)
    write_atomically(folder / FINISHED, text.encode())
    return report


def draw_statistics(report: Report, pictures: Sequence[Candidate]) -> bytes | None:
    """Draws counts, sizes, chroma and hues of the kept pictures.

    Args:
        report: of the build.
        pictures: the kept ones.

    Returns:
        A PNG file; `None` without matplotlib.
    """
    try:
        canvas: Any = importlib.import_module("matplotlib.figure")
    except ImportError:
        _LOG.warning("no %s was drawn, as this needs matplotlib: pip install 'artcolor[evaluate]'", _STATISTICS)
        return None
    figure = canvas.Figure(figsize=(13, 8))
    figure.subplots_adjust(left=0.06, right=0.97, bottom=0.08, top=0.9, wspace=0.6, hspace=0.35)
    figure.suptitle(_plain(f"{report.name}: {report.kept} pictures"))
    counts, styles, sizes, means, chromas = (figure.add_subplot(2, 3, place) for place in range(1, 6))
    hues = figure.add_subplot(2, 3, 6, projection="polar")

    counts.bar(list(report.splits), list(report.splits.values()), color="0.4")
    counts.set_title("pictures per split")
    # Of the labels that most pictures have, style says most about color.
    ranked = ("style", "genre", "artist")
    label = max(ranked, key=lambda label: sum(number for text, number in report.labels[label].items() if text))
    most = list(report.labels[label].items())[:_BARS][::-1]
    names = [_plain(text[:_LONGEST]) or "unknown" for text, _ in most]
    styles.barh(range(len(most)), [number for _, number in most], tick_label=names, color="0.4")
    styles.set_title(f"pictures per {label}" + (f", first {_BARS}" if len(report.labels[label]) > _BARS else ""))
    sizes.scatter([p.width for p in pictures], [p.height for p in pictures], s=4, alpha=0.3, color="0.2")
    sizes.set(title="sizes", xlabel="width, pixels", ylabel="height, pixels", aspect="equal")
    means.hist([p.color.chroma for p in pictures], bins=40, color="0.4")
    means.set(title="mean chroma of pictures", xlabel="Lab units", ylabel="pictures")
    share = np.mean([p.color.chromas for p in pictures], axis=0)
    chromas.bar((np.arange(CHROMAS) + 0.5) * CHROMA_STEP, share, width=0.9 * CHROMA_STEP, color="0.4")
    chromas.set(title="chroma of pixels", xlabel="Lab units", ylabel="share")
    angles = (np.arange(HUES) + 0.5) * 2 * np.pi / HUES
    hues.bar(
        angles,
        np.mean([p.color.hues for p in pictures], axis=0),
        width=2 * np.pi / HUES,
        color=_wheel(angles),
    )
    hues.set(title="hues, by chroma", yticks=[], xticks=np.arange(4) * np.pi / 2)
    buffer = io.BytesIO()
    # Without the library's version, equal builds have equal files.
    figure.savefig(buffer, format="png", dpi=80, metadata={"Software": None})
    return buffer.getvalue()


def _plain(text: str) -> str:
    # Between dollar signs, matplotlib reads formulas.
    return text.replace("$", r"\$")


def _wheel(angles: Any) -> list[tuple[float, float, float]]:
    """The color of each hue of Lab, at one lightness and chroma that all of them have in sRGB."""
    ab = torch.tensor(np.stack([np.cos(angles), np.sin(angles)]) * 40, dtype=torch.float32).unsqueeze(1)
    rgb = lab_to_rgb_in_gamut(torch.full((1, 1, len(angles)), 70.0), ab)
    return [(float(r), float(g), float(b)) for r, g, b in rgb.squeeze(1).T]


def page(report: Report, dropped: Sequence[Dropped], cropped: Sequence[Candidate], statistics: bytes | None) -> str:
    """Makes of the report one HTML page that needs no other file.

    Args:
        report: of the build.
        dropped: what was dropped, in the order of the steps.
        cropped: what lost a frame or padding.
        statistics: a PNG file; `None` if there is none.
    """
    left, steps = report.collected, [("collected", "", report.collected)]
    for reason, number in report.dropped.items():
        left -= number
        steps.append((f"{reason.replace('_', ' ')}: {REASONS[reason]}", f"−{number}" if number else "0", left))
    sections = []
    for reason, number in report.dropped.items():
        # Those filtered out were never opened.
        if number and reason != "filtered":
            some = [each for each in dropped if each.reason == reason][:_SHOWN]
            title = f"Dropped: {reason.replace('_', ' ')} ({number})"
            sections.append(_section(title, REASONS[reason], number, [_dropped_figure(each) for each in some]))
    if cropped:
        why = "A plain frame or padding was cut off; this is what stayed."
        figures = [_cropped_figure(each) for each in cropped[:_SHOWN]]
        sections.append(_section(f"Cropped ({len(cropped)})", why, len(cropped), figures))
    return _HTML.substitute(
        title=html.escape(report.name),
        summary=html.escape(
            f"{report.kept} of {report.collected} pictures kept: "
            + ", ".join(f"{number} {name}" for name, number in report.splits.items())
            + f". Seed {report.seed}."
        ),
        steps=_table(("step", "dropped", "left"), steps),
        sources=_table(
            ("source", "collected", "kept"),
            [(name, n["collected"], n["kept"]) for name, n in report.sources.items()],
        ),
        labels="".join(
            f"<div>{_table((label, 'kept'), [(t or 'unknown', n) for t, n in list(values.items())[:_BARS]])}</div>"
            for label, values in report.labels.items()
        ),
        statistics=f'<img class="wide" alt="statistics" src="{_data(statistics, "png")}">' if statistics else "",
        sections="".join(sections),
        spec=html.escape(json.dumps(report.spec, indent=1, ensure_ascii=False)),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows]
    return f"<table>{''.join(lines)}</table>"


def _section(title: str, why: str, number: int, figures: Sequence[str]) -> str:
    some = f" The first {len(figures)} are shown; all are in {FINISHED}." if number > len(figures) else ""
    return f"<h2>{html.escape(title)}</h2><p>{html.escape(why + some)}</p><div class=sheet>{''.join(figures)}</div>"


def _dropped_figure(dropped: Dropped) -> str:
    pictures = [dropped.thumbnail] if dropped.thumbnail else []
    pictures += [_small(candidate) for candidate in (dropped.candidate, dropped.twin) if candidate is not None]
    return _figure(pictures, f"{dropped.source}: {dropped.path}", dropped.detail)


def _cropped_figure(picture: Candidate) -> str:
    left, top, right, bottom = picture.box or (0, 0, *picture.original)
    change = f"{picture.original[0]} × {picture.original[1]} → {right - left} × {bottom - top}"
    return _figure([_small(picture)], f"{picture.source}: {picture.path}", change)


def _figure(pictures: Sequence[bytes], name: str, detail: str) -> str:
    shown = "".join(f'<img alt="" src="{_data(picture, "jpeg")}">' for picture in pictures)
    return (
        f"<figure>{shown or '<span>no picture</span>'}"
        f"<figcaption><b>{html.escape(name)}</b><br>{html.escape(detail)}</figcaption></figure>"
    )


def _small(picture: Candidate) -> bytes:
    with Image.open(picture.file) as image:
        return thumbnail(image)


def _data(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


_HTML = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: .5rem 0 } th, td { text-align: left; padding: .15rem .8rem .15rem 0 }
td + td { text-align: right; font-variant-numeric: tabular-nums }
.row { display: flex; flex-wrap: wrap; gap: 1rem 3rem } .wide { max-width: 100% }
.sheet { display: flex; flex-wrap: wrap; gap: .8rem }
figure { margin: 0; max-width: 15rem } figure img { margin-right: .3rem; vertical-align: bottom }
figure span { display: inline-block; width: 7rem; padding: 2rem 0; text-align: center; background: #eee; color: #777 }
figcaption { font-size: 12px; overflow-wrap: anywhere }
pre { font-size: 12px; overflow-x: auto }
</style>
<h1>$title</h1>
<p>$summary</p>
<div class=row><div>$steps</div><div>$sources</div></div>
<div class=row>$labels</div>
$statistics
$sections
<h2>Spec</h2><pre>$spec</pre>
</html>
""")
