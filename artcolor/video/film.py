"""Colorizes films, shot by shot."""

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from artcolor.color.srgb import Floats
from artcolor.engine.colorizer import Colorizer
from artcolor.engine.sequence import CHUNK
from artcolor.errors import UnsupportedError
from artcolor.files import replacing, sha256_of
from artcolor.images import Picture
from artcolor.images.notices import about, warn
from artcolor.video.ahead import Ahead
from artcolor.video.encode import Encoding, ShotEncoder, choose, time_base_of
from artcolor.video.planes import Painter
from artcolor.video.read import Facts, Losses, facts_of, frames_of, gray_frame, survey
from artcolor.video.references import References
from artcolor.video.segments import Joined, write_packets
from artcolor.video.steady import Looks, sequence_of
from artcolor.video.work import Work, working
from artcolor.video.write import check_copies, join

Progress = Callable[[str, int, int], None]
"""Called with the current step, the number of frames done, and the total number of frames."""


@dataclass(frozen=True)
class FilmReport:
    """The outcome of `colorize_film`.

    Attributes:
        frames: number of frames.
        shots: number of shots.
        resumed: number of shots that an earlier run had finished.
        encoder: FFmpeg's name of the encoder.
        losses: parts of the original that could not be read.
    """

    frames: int
    shots: int
    resumed: int
    encoder: str
    losses: Losses


@dataclass(frozen=True)
class _Run:
    """A film that is being colorized."""

    facts: Facts
    encoding: Encoding
    colorizer: Colorizer
    references: References
    work: Work


def _silent(stage: str, done: int, total: int) -> None:
    pass


def check_film(source: Path, target: Path, *, codec: str | None = None, crf: int | None = None) -> None:
    """Checks whether a film can be colorized, without running a network.

    Args:
        source: the film.
        target: the result; its suffix decides the container.
        codec: see `colorize_film`.
        crf: see `colorize_film`.

    Raises:
        ImageError: it cannot be read, or has no moving picture.
        UnsupportedError: it is interlaced or HDR, or has streams that the result cannot hold.
        ConfigError: codec, quality and container do not go together.
    """
    facts = facts_of(source)
    with about(str(source)):
        check_copies(facts, choose(facts, target, codec=codec, crf=crf))


def colorize_film(
    colorizer: Colorizer,
    source: Path,
    target: Path,
    *,
    codec: str | None = None,
    crf: int | None = None,
    references: Mapping[int, Any] | None = None,
    provenance: bool = True,
    progress: Progress = _silent,
) -> FilmReport:
    """Colorizes a film, shot by shot.

    The brightness of the original (Y') is kept, as far as the codec allows, as are sound, subtitles, timestamps,
    chapters and metadata. Finished shots are stored in a hidden folder beside the result. If the run is interrupted,
    the next run with the same settings resumes after the last finished shot.

    Args:
        colorizer: predicts the colors.
        source: the film.
        target: the result; its suffix decides the container. It is replaced at the end, in one step.
        codec: name of a codec (`h264`) or of an encoder of FFmpeg (`libx264`); `None` is that of the original.
        crf: quality of the codec; lower is better. `None` is visually nearly lossless.
        references: number of a frame, from 0 → a colored picture (as `Colorizer.with_reference` takes it) whose colors
            the shot that contains this frame adopts, in place of those of the colorizer's own reference.
        provenance: state in the file that its colors were computed, and how.
        progress: called after each frame.

    Returns:
        Numbers of frames and shots, the encoder, and losses.

    Raises:
        ImageError: the film cannot be read, or has no moving picture; or a reference cannot be read.
        UnsupportedError: it is interlaced or HDR, or has streams that the result cannot hold.
        ConfigError: codec, quality and container do not go together; or a reference is for a frame that the film does
            not have, or for a shot that has another one.
        OSError: the result cannot be written.
    """
    facts = facts_of(source)
    encoding = choose(facts, target, codec=codec, crf=crf)
    with about(str(source)):
        copies = check_copies(facts, encoding)
        given = colorizer
        if colorizer.guidance.hints:
            colorizer = colorizer.for_picture(Picture(gray_frame(next(frames_of(facts)), facts)))
        referring = References(colorizer, references or {})
        stated = colorizer.provenance
        stated = dataclasses.replace(stated, options={**stated.options, **referring.stated})
        settings = {
            "source": sha256_of(source),
            "encoding": encoding.stated(),
            "coloring": colorizer.fingerprint,
            "references": referring.fingerprint,
        }
        with working(target, settings) as work:
            run = _Run(facts, encoding, colorizer, referring, work)
            seen = work.survey
            if seen is None:
                seen = work.survey = survey(facts, functools.partial(progress, "looking for shots"))
            if not seen.even and encoding.container == "avi":
                raise UnsupportedError(
                    f"{source}: the frame rate varies, which AVI does not support; choose a result in .mkv"
                )
            _tell(seen.losses)
            given.check_frames(seen.frames)
            resumed = work.finished
            _colorize_shots(run, seen.borders, functools.partial(progress, "colorizing"))
            shots = [work.shot(number) for number in range(len(seen.borders) - 1)]
            unit = time_base_of(encoding, facts)
            end = round(seen.end * facts.time_base / unit)
            with replacing(target) as file:
                join(facts, encoding, copies, Joined(shots, unit, end), file, stated if provenance else None)
            work.done = True
    return FilmReport(seen.frames, len(shots), resumed, encoding.encoder, seen.losses)


def _tell(losses: Losses) -> None:
    if losses.cut_off:
        warn("it is truncated; the readable part is colorized")
    if losses.damaged:
        warn(f"{losses.damaged} parts are damaged; frames may be missing or look damaged")


def _colorize_shots(run: _Run, borders: tuple[int, ...], progress: Callable[[int, int], None]) -> None:
    work, facts = run.work, run.facts
    first = work.finished
    referring = run.references.of_shots(borders)
    if first == len(borders) - 1:
        return
    painter = Painter(facts.levels, facts.tags, run.encoding.target, facts.rotation)
    early: Ahead[tuple[Floats | None, Any]] = Ahead(CHUNK)
    # The film is decoded twice at once: the network may look many frames ahead, and whole frames would fill the memory.
    behind = frames_of(facts, borders[first])
    progress(borders[first], borders[-1])
    with contextlib.closing(early.of(_colors(run, borders, first, referring, early))) as colors:
        for number, (start, stop) in enumerate(itertools.pairwise(borders[first:]), start=first):
            encode = ShotEncoder(run.encoding, facts)
            with work.writing_shot(number) as file:
                for done, frame in enumerate(itertools.islice(behind, stop - start), start=start + 1):
                    ab, _ = next(colors)
                    assert ab is not None, "the film has changed"
                    write_packets(file, encode(painter(frame, np.asarray(ab)[0])))
                    progress(done, borders[-1])
                write_packets(file, encode(None))
            _, state = next(colors)
            work.finish(state)


def _colors(
    run: _Run, borders: tuple[int, ...], first: int, referring: Sequence[Colorizer | None], early: Ahead[Any]
) -> Iterator[tuple[Floats | None, Any]]:
    """Yields chroma for each frame, and `None` with the state of the sequence after each shot."""
    facts, sequence = run.facts, sequence_of(run.colorizer, run.work.state)
    ahead = frames_of(facts, borders[first])
    for (start, stop), own in zip(itertools.pairwise(borders[first:]), referring[first:], strict=True):
        look = functools.partial(_looks, own or run.colorizer, facts)
        again = functools.partial(_again, look, facts, start, stop)
        looks = Looks(stop - start, early.watched(look(itertools.islice(ahead, stop - start))), again)
        for ab in sequence.colors(looks, first=start, size=facts.upright, colorizer=own):
            yield ab, None
        yield None, sequence.state


def _looks(colorizer: Colorizer, facts: Facts, frames: Iterator[Any]) -> Iterator[Any]:
    for frame in frames:
        yield colorizer.backend.look(gray_frame(frame, facts))


def _again(look: Callable[[Iterator[Any]], Iterator[Any]], facts: Facts, start: int, stop: int) -> Iterator[Any]:
    return look(itertools.islice(frames_of(facts, start), stop - start))
