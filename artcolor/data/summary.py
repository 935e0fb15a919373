"""Summarizes a build: report.json, report.html with thumbnails of dropped pictures, and statistics.png."""

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
from artcolor.errors import install_extra
from artcolor.files import write_atomically
from artcolor.images import open_rgb

_LOG = logging.getLogger(__name__)
FINISHED = "report.json"
_PAGE = "report.html"
_STATISTICS = "statistics.png"
# In the order in which a build moves them to its folder: the last one marks a finished build.
FILES = (_STATISTICS, _PAGE, FINISHED)
_SHOWN = 60
_BARS = 15
_LONGEST = 26


@dataclass(frozen=True)
class BuildSummary:
    """The outcome of a build, as in `report.json`.

    Attributes:
        identity: hash of the spec and the seed.
        name: name of the data set.
        seed: random seed of the build.
        spec: the whole spec as JSON values.
        collected: number of pictures in the sources.
        dropped: reason → number of pictures dropped, in the order of the steps.
        cropped: number of kept pictures from which a frame or padding was cropped.
        kept: number of pictures in the data set.
        splits: split → number of pictures.
        sources: source → number of pictures collected and kept.
        labels: label → value → number of pictures kept, most frequent first; `""` is unknown.
        dropped_pictures: source, path, reason and detail of each dropped picture.
        cropped_pictures: source, path, original size and box of each cropped picture.
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
    def load(cls, path: Path) -> "BuildSummary | None":
        """Reads a `report.json`.

        Args:
            path: path of the file.

        Returns:
            The summary; `None` if the file is not one that a build wrote.
        """
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError):
            return None


def write_summary(
    folder: Path,
    spec: DatasetSpec,
    seed: int,
    identity: str,
    chosen: Sequence[Chosen],
    dropped: Sequence[Dropped],
) -> BuildSummary:
    """Writes `report.json`, `report.html` and, if matplotlib is installed, `statistics.png`.

    Args:
        folder: output folder.
        spec: spec of the data set.
        seed: random seed of the build.
        identity: hash of the spec and the seed.
        chosen: pictures of the data set.
        dropped: pictures that are not part of it.

    Returns:
        The summary in `report.json`.
    """
    order = list(REASONS)
    dropped = sorted(dropped, key=lambda each: order.index(each.reason))
    pictures = [each.picture for each in chosen]
    cropped = [picture for picture in pictures if picture.box is not None]
    all_of, kept_of = (
        Counter([*(p.source for p in pictures), *(d.source for d in dropped)]),
        Counter(p.source for p in pictures),
    )
    summary = BuildSummary(
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
    statistics = draw_statistics(summary, pictures)
    if statistics is not None:
        write_atomically(folder / _STATISTICS, statistics)
    write_atomically(folder / _PAGE, summary_page(summary, dropped, cropped, statistics).encode())
    text = json.dumps(dataclasses.asdict(summary), indent=1, ensure_ascii=False)
    write_atomically(folder / FINISHED, text.encode())
    return summary


def draw_statistics(summary: BuildSummary, pictures: Sequence[Candidate]) -> bytes | None:
    """Draws counts, sizes, chroma and hues of the kept pictures.

    Args:
        summary: summary of the build.
        pictures: the kept pictures.

    Returns:
        The bytes of a PNG file; `None` if matplotlib is not installed.
    """
    try:
        canvas: Any = importlib.import_module("matplotlib.figure")
    except ImportError:
        _LOG.warning("%s is skipped because matplotlib is not installed: %s", _STATISTICS, install_extra("evaluate"))
        return None
    figure = canvas.Figure(figsize=(13, 8))
    figure.subplots_adjust(left=0.06, right=0.97, bottom=0.08, top=0.9, wspace=0.6, hspace=0.35)
    figure.suptitle(_plain(f"{summary.name}: {summary.kept} pictures"))
    counts, styles, sizes, means, chromas = (figure.add_subplot(2, 3, place) for place in range(1, 6))
    hues = figure.add_subplot(2, 3, 6, projection="polar")

    counts.bar(list(summary.splits), list(summary.splits.values()), color="0.4")
    counts.set_title("pictures per split")
    # Plot the label that most pictures have; of equally frequent ones, style is the most telling about color.
    ranked = ("style", "genre", "artist")
    label = max(ranked, key=lambda label: sum(number for text, number in summary.labels[label].items() if text))
    most = list(summary.labels[label].items())[:_BARS][::-1]
    names = [_plain(text[:_LONGEST]) or "unknown" for text, _ in most]
    styles.barh(range(len(most)), [number for _, number in most], tick_label=names, color="0.4")
    styles.set_title(f"pictures per {label}" + (f", top {_BARS}" if len(summary.labels[label]) > _BARS else ""))
    sizes.scatter([p.width for p in pictures], [p.height for p in pictures], s=4, alpha=0.3, color="0.2")
    sizes.set(title="sizes", xlabel="width, pixels", ylabel="height, pixels", aspect="equal")
    means.hist([p.color.chroma for p in pictures], bins=40, color="0.4")
    means.set(title="mean chroma per picture", xlabel="Lab units", ylabel="pictures")
    share = np.mean([p.color.chromas for p in pictures], axis=0)
    chromas.bar((np.arange(CHROMAS) + 0.5) * CHROMA_STEP, share, width=0.9 * CHROMA_STEP, color="0.4")
    chromas.set(title="chroma of pixels", xlabel="Lab units", ylabel="fraction of pixels")
    angles = (np.arange(HUES) + 0.5) * 2 * np.pi / HUES
    hues.bar(
        angles,
        np.mean([p.color.hues for p in pictures], axis=0),
        width=2 * np.pi / HUES,
        color=_wheel(angles),
    )
    hues.set(title="hues, weighted by chroma", yticks=[], xticks=np.arange(4) * np.pi / 2)
    buffer = io.BytesIO()
    # By default, matplotlib writes its version, and equal builds would have different files.
    figure.savefig(buffer, format="png", dpi=80, metadata={"Software": None})
    return buffer.getvalue()


def _plain(text: str) -> str:
    # Matplotlib typesets text between dollar signs as a formula.
    return text.replace("$", r"\$")


def _wheel(angles: Any) -> list[tuple[float, float, float]]:
    """Returns an sRGB color for each hue of Lab, at a lightness and chroma within the gamut for all hues."""
    ab = torch.tensor(np.stack([np.cos(angles), np.sin(angles)]) * 40, dtype=torch.float32).unsqueeze(1)
    rgb = lab_to_rgb_in_gamut(torch.full((1, 1, len(angles)), 70.0), ab)
    return [(float(r), float(g), float(b)) for r, g, b in rgb.squeeze(1).T]


def summary_page(
    summary: BuildSummary, dropped: Sequence[Dropped], cropped: Sequence[Candidate], statistics: bytes | None
) -> str:
    """Renders the summary as one self-contained HTML page.

    Args:
        summary: summary of the build.
        dropped: dropped pictures, in the order of the steps.
        cropped: kept pictures from which a frame or padding was cropped.
        statistics: bytes of the PNG file of statistics; `None` if there is none.

    Returns:
        The HTML document.
    """
    left, steps = summary.collected, [("collected", "", summary.collected)]
    for reason, number in summary.dropped.items():
        left -= number
        steps.append((f"{reason.replace('_', ' ')}: {REASONS[reason]}", f"−{number}" if number else "0", left))
    sections = []
    for reason, number in summary.dropped.items():
        # Filtered pictures were never opened, so they have no thumbnails.
        if number and reason != "filtered":
            some = [each for each in dropped if each.reason == reason][:_SHOWN]
            title = f"Dropped: {reason.replace('_', ' ')} ({number})"
            sections.append(_section(title, REASONS[reason], number, [_dropped_figure(each) for each in some]))
    if cropped:
        why = "A plain frame or padding was cropped; the remaining picture is shown."
        figures = [_cropped_figure(each) for each in cropped[:_SHOWN]]
        sections.append(_section(f"Cropped ({len(cropped)})", why, len(cropped), figures))
    return _HTML.substitute(
        title=html.escape(summary.name),
        summary=html.escape(
            f"{summary.kept} of {summary.collected} pictures kept: "
            + ", ".join(f"{number} {name}" for name, number in summary.splits.items())
            + f". Seed {summary.seed}."
        ),
        steps=_table(("step", "dropped", "left"), steps),
        sources=_table(
            ("source", "collected", "kept"),
            [(name, n["collected"], n["kept"]) for name, n in summary.sources.items()],
        ),
        labels="".join(
            f"<div>{_table((label, 'kept'), [(t or 'unknown', n) for t, n in list(values.items())[:_BARS]])}</div>"
            for label, values in summary.labels.items()
        ),
        statistics=f'<img class="wide" alt="statistics" src="{_data(statistics, "png")}">' if statistics else "",
        sections="".join(sections),
        spec=html.escape(json.dumps(summary.spec, indent=1, ensure_ascii=False)),
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
    return thumbnail(Image.fromarray(open_rgb(picture.file)))


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
