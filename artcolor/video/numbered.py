"""Folders of numbered frames: pictures that are one film."""

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artcolor.color.srgb import Floats
from artcolor.engine.colorizer import Colorizer
from artcolor.engine.painting import painted
from artcolor.errors import ImageError
from artcolor.images import Picture, open_file
from artcolor.images.notices import about
from artcolor.video.film import Progress
from artcolor.video.read import Losses, Survey
from artcolor.video.steady import Looks, borders_of, sequence_of, thumbnail
from artcolor.video.work import Work, working

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
    """Makes keys that sort names like people do: `frame2` before `frame10`.

    Args:
        path: of a frame.

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
    save: Callable[[Picture, Path], None],
    folder: Path,
    *,
    progress: Progress = lambda stage, done, total: None,
) -> int:
    """Colorizes numbered frames as the film that they are.

    A run that was ended goes on after the last finished shot, if settings and pictures are the same.

    Args:
        colorizer: predicts the colors.
        frames: in order, all of one size.
        save: writes a result.
        folder: of the results, which exists. What an ended run needs lies beside it.
        progress: called after each frame.

    Returns:
        Number of frames that an earlier run had finished.

    Raises:
        ImageError: a frame cannot be read or written, or is of another size than the first.
    """
    if colorizer.guidance.hints:
        colorizer.check_frames(len(frames))
        colorizer = colorizer.for_picture(next(_pictures(frames)))
    stated = colorizer.provenance
    stats = [(str(frame.source), frame.source.stat().st_size, frame.source.stat().st_mtime_ns) for frame in frames]
    coloring = [stated.version, stated.model, stated.weights_sha256, dict(stated.options)]
    with working(folder, {"frames": stats, "coloring": coloring}) as work:
        survey = work.survey
        if survey is None:
            found = borders_of(_thumbnails(frames, functools.partial(progress, "looking for shots")))
            survey = work.survey = Survey(found, Losses(), len(frames))
        first = work.finished
        _colorize_shots(colorizer, frames, work, survey.borders, save, functools.partial(progress, "colorizing"))
        work.done = True
    return survey.borders[first]


def _colorize_shots(
    colorizer: Colorizer,
    frames: Sequence[Frame],
    work: Work,
    borders: tuple[int, ...],
    save: Callable[[Picture, Path], None],
    progress: Callable[[int, int], None],
) -> None:
    with open_file(frames[0].source) as file:
        size = file.size[::-1]
    first = work.finished
    sequence = sequence_of(colorizer, work.state)
    for number, (start, stop) in enumerate(itertools.pairwise(borders)):
        if number < first:
            continue
        shot = frames[start:stop]

        def looks(shot: Sequence[Frame] = shot) -> Iterator[Any]:
            return map(colorizer.look, _pictures(shot))

        colors = sequence.colors(Looks(len(shot), looks(), looks), first=start, size=size)
        for done, (frame, picture, ab) in enumerate(zip(shot, _pictures(shot), colors, strict=True)):
            with about(str(frame.source)):
                save(painted(picture, ab, hints=None, frame=start + done, at_lightness=None), frame.target)
            progress(start + done + 1, len(frames))
        work.finish(sequence.state)


def _pictures(frames: Iterable[Frame]) -> Iterator[Picture]:
    size = None
    for frame in frames:
        with open_file(frame.source) as file:
            if file.frames != 1:
                raise ImageError(f"{frame.source} has {file.frames} pages, and cannot be one of several frames")
            if size not in (None, file.size):
                raise ImageError(
                    f"{frame.source} is {file.size[0]}x{file.size[1]}, the frames before are {size[0]}x{size[1]}; "
                    "make them alike, or leave out --sequence"
                )
            size = file.size
            yield next(iter(file))


def _thumbnails(frames: Sequence[Frame], progress: Callable[[int, int], None]) -> Iterator[Floats]:
    for number, picture in enumerate(_pictures(frames)):
        yield thumbnail(picture.pixels)
        progress(number + 1, len(frames))
