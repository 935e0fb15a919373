"""Colorizes folders of numbered frames as films."""

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artcolor.color.srgb import Floats
from artcolor.engine.colorizer import Colorizer
from artcolor.engine.painting import painted
from artcolor.errors import ImageError
from artcolor.images import Picture, Provenance, open_file
from artcolor.images.notices import about
from artcolor.video.film import Progress
from artcolor.video.read import Losses, Survey
from artcolor.video.references import References
from artcolor.video.steady import Looks, borders_of, sequence_of, thumbnail
from artcolor.video.work import Work, working

Save = Callable[[Picture, Path, Provenance], None]
"""Writes a picture to a path, with its provenance."""

_NUMBERS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Frame:
    """One of the numbered frames.

    Attributes:
        source: the picture.
        target: the result.
    """

    source: Path
    target: Path


def by_number(path: Path) -> list[tuple[int, str]]:
    """Returns a key for natural sorting: `frame2` comes before `frame10`.

    Args:
        path: path of a frame.

    Returns:
        The parts of its name.

    Example:
        >>> [path.name for path in sorted([Path("f10.png"), Path("f2.png")], key=by_number)]
        ['f2.png', 'f10.png']
    """
    parts = _NUMBERS.split(path.name)
    return [(int(part), "") if number % 2 else (-1, part) for number, part in enumerate(parts)]


def colorize_frames(
    colorizer: Colorizer,
    frames: Sequence[Frame],
    save: Save,
    folder: Path,
    *,
    references: Mapping[int, Any] | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> int:
    """Colorizes numbered frames as one film.

    An interrupted run resumes after the last finished shot, if settings and pictures are the same.

    Args:
        colorizer: predicts the colors.
        frames: the frames in order, all of one size.
        save: writes a result.
        folder: existing folder of the results. What is needed to resume lies beside it.
        references: number of a frame, from 0 → the reference of the shot that contains it; as in
            `artcolor.video.film.colorize_film`.
        progress: called after each frame.

    Returns:
        Number of frames that an earlier run had finished.

    Raises:
        ImageError: a frame or a reference cannot be read, a frame cannot be written, or is of another size than the
            first.
        ConfigError: a reference is for a frame that does not exist, or a shot has two references.
    """
    if colorizer.guidance.hints:
        colorizer.check_frames(len(frames))
        colorizer = colorizer.for_picture(next(_pictures(frames)))
    referring = References(colorizer, references or {})
    stats = [(str(frame.source), frame.source.stat().st_size, frame.source.stat().st_mtime_ns) for frame in frames]
    settings = {"frames": stats, "coloring": colorizer.fingerprint, "references": referring.fingerprint}
    with working(folder, settings) as work:
        survey = work.survey
        if survey is None:
            found = borders_of(_thumbnails(frames, functools.partial(progress, "looking for shots")))
            survey = work.survey = Survey(found, Losses(), len(frames))
        first = work.finished
        shots = list(zip(itertools.pairwise(survey.borders), referring.of_shots(survey.borders), strict=True))
        _colorize_shots(colorizer, frames, work, shots, save, functools.partial(progress, "colorizing"))
        work.done = True
    return survey.borders[first]


def _colorize_shots(
    colorizer: Colorizer,
    frames: Sequence[Frame],
    work: Work,
    shots: Sequence[tuple[tuple[int, int], Colorizer | None]],
    save: Save,
    progress: Callable[[int, int], None],
) -> None:
    # Upright, which the size in the header is not always.
    height, width = next(_pictures(frames)).rows.shape[:2]
    first = work.finished
    sequence = sequence_of(colorizer, work.state)
    for (start, stop), own in shots[first:]:
        shot, chosen = frames[start:stop], own or colorizer
        looks = functools.partial(_looks, chosen, shot)
        colors = sequence.colors(Looks(len(shot), looks(), looks), first=start, size=(height, width), colorizer=own)
        provenance = chosen.provenance
        for done, (frame, picture, ab) in enumerate(zip(shot, _pictures(shot), colors, strict=True)):
            with about(str(frame.source)):
                save(painted(picture, ab, hints=None, frame=start + done, at_lightness=None), frame.target, provenance)
            progress(start + done + 1, len(frames))
        work.finish(sequence.state)


def _looks(colorizer: Colorizer, frames: Iterable[Frame]) -> Iterator[Any]:
    return map(colorizer.look, _pictures(frames))


def _pictures(frames: Iterable[Frame]) -> Iterator[Picture]:
    size = None
    for frame in frames:
        with open_file(frame.source) as file:
            if file.frames != 1:
                raise ImageError(f"{frame.source} has {file.frames} pages, but a frame must be a single page")
            if size not in (None, file.size):
                raise ImageError(
                    f"{frame.source} is {file.size[0]}x{file.size[1]}, but those before it are {size[0]}x{size[1]}; "
                    "resize it, or omit --sequence"
                )
            size = file.size
            yield next(iter(file))


def _thumbnails(frames: Sequence[Frame], progress: Callable[[int, int], None]) -> Iterator[Floats]:
    for number, picture in enumerate(_pictures(frames)):
        yield thumbnail(picture.pixels)
        progress(number + 1, len(frames))
