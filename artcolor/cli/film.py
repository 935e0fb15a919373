"""`artcolor colorize` with films, and with folders of numbered frames."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from artcolor.cli.inputs import PIPE
from artcolor.cli.output import ERR, complain, extra, grouped_warnings
from artcolor.cli.request import Request
from artcolor.cli.stopping import stoppable
from artcolor.errors import ArtcolorError, ConfigError, ImageError
from artcolor.video import is_film

if TYPE_CHECKING:
    from artcolor.batch.plan import Job, Outcome, Status
    from artcolor.cli.record import Record
    from artcolor.engine.colorizer import Colorizer

# They concern single pictures, or files that are written otherwise.
_REFUSED = ("files_from", "layers", "card", "watch", "workers", "samples", "uncertainty", "chroma_only", "skip_colored")
_OF_PICTURES = ("format", "quality", "depth", "max_pixels")

Colorize = Callable[["Colorizer", "Job", Callable[[str, int, int], None]], bool]
"""Colorizes the film of a job; returns whether it is complete."""


class _Speed(ProgressColumn):
    """Frames a second."""

    def render(self, task: Task) -> Text:
        """Returns the speed of the last half minute; nothing before it is known."""
        return Text("" if task.speed is None else f"{task.speed:.1f} frames/s", style="progress.data.speed")


def colorize_films(request: Request) -> None:
    """Colorizes films.

    Args:
        request: arguments and options of the command.

    Raises:
        ConfigError: the request is invalid, or the extra is not installed.
        ImageError: no result can be written, or the only film cannot be colorized.
        WeightsError: the weights are missing or damaged.
        Exit: a film failed or is not complete, with status 1; or the run was ended early.
    """
    request.refuse((*_REFUSED, *_OF_PICTURES), "films")
    _refuse_pipe(request, "films")
    others = [path for path in request.inputs if not is_film(path)]
    if others:
        raise ConfigError(f"colorize films and pictures with separate commands; {others[0]} is not a film")
    with extra("video"):
        from artcolor.video.encode import container_of
        from artcolor.video.film import check_film
    jobs = _film_jobs(request)
    for job in jobs:
        container_of(job.target)

    def check(job: "Job") -> None:
        check_film(job.source, job.target, codec=request.codec, crf=request.crf)

    _run(request, jobs, check, _film_task(request))


def _refuse_pipe(request: Request, what: str) -> None:
    if PIPE in (*request.inputs, request.out):
        raise ConfigError(f"{what} cannot be combined with -; name files, or see `artcolor pipe` for raw frames")


def _film_task(request: Request) -> Colorize:
    """Makes what colorizes one film."""
    from artcolor.video.film import colorize_film

    def colorize(colorizer: "Colorizer", job: "Job", progress: Callable[[str, int, int], None]) -> bool:
        from artcolor.batch.disk import writing

        with writing(job.target, job.source.stat().st_size):
            report = colorize_film(
                colorizer,
                job.source,
                job.target,
                codec=request.codec,
                crf=request.crf,
                references=request.reference_at,
                provenance=request.saving.provenance,
                progress=progress,
            )
        return not report.losses or request.saving.allow_truncated

    return colorize


def colorize_found(
    request: Request, jobs: "Sequence[Job]", colorizer: "Colorizer", record: "Record", every: "Sequence[Job]"
) -> bool:
    """Colorizes films that were found in folders, after the pictures there.

    Args:
        request: arguments and options of the command.
        jobs: jobs from `artcolor.cli.find_films.films_in_folders`.
        colorizer: a colorizer with the guidance of the whole run.
        record: takes the outcomes.
        every: all jobs of the run.

    Returns:
        Whether all films could be read as a whole.
    """
    from artcolor.batch.steps import ExistingResultError

    if not jobs:
        return True
    task = _film_task(request)

    def colorize(colorizer: "Colorizer", job: "Job", progress: Callable[[str, int, int], None]) -> bool:
        if job.target.exists() and not request.saving.force:
            raise ExistingResultError(f"{job.target} already exists; --force replaces it, and --resume skips it")
        return task(colorizer.with_hints(job.hints[0]) if job.hints else colorizer, job, progress)

    skipped = [job for job in jobs if job.target.exists()] if request.saving.resume else []
    with _bar(request) as progress:
        return _colorize_each(jobs, skipped, colorizer, record, colorize, progress, every)


def colorize_sequences(request: Request) -> None:
    """Colorizes folders of numbered frames.

    Args:
        request: arguments and options of the command.

    Raises:
        ConfigError: the request is invalid.
        ImageError: there are no frames, or no result can be written.
        WeightsError: the weights are missing or damaged.
        Exit: a folder failed, with status 1; or the run was ended early.
    """
    request.refuse((*_REFUSED, "codec", "crf"), "--sequence")
    _refuse_pipe(request, "--sequence")
    for path in request.inputs:
        if not path.is_dir():
            raise ConfigError(f"--sequence takes folders of numbered frames, but {path} is not a folder")
    with extra("video"):
        from artcolor.video.numbered import Frame, by_number, colorize_frames
    from artcolor.batch.disk import writing
    from artcolor.batch.plan import Job, plan_jobs
    from artcolor.images import Picture, Provenance, save_picture

    saving = request.saving
    frames = plan_jobs(request.inputs, request.out, format=saving.format, into_folder=True)
    if not frames:
        raise ImageError(f"there are no pictures in {', '.join(map(str, request.inputs)) or 'no folder'}")
    sequences: dict[Job, list[Frame]] = {}
    ordered = sorted(frames, key=lambda job: (job.source.parent, by_number(job.source)))
    for source, group in itertools.groupby(ordered, key=lambda job: job.source.parent):
        members = list(group)
        made = [Frame(job.source, job.target) for job in members]
        sequences[Job(source, members[0].target.parent)] = made

    def colorize(colorizer: "Colorizer", job: "Job", progress: Callable[[str, int, int], None]) -> bool:
        def save(picture: Picture, target: Path, provenance: Provenance) -> None:
            with writing(target, 0):
                save_picture(
                    picture,
                    target,
                    format=saving.format,
                    quality=saving.quality,
                    depth=saving.depth,
                    provenance=provenance if saving.provenance else None,
                )

        with writing(job.target / "frame", 0):
            colorize_frames(
                colorizer, sequences[job], save, job.target, references=request.reference_at, progress=progress
            )
        return True

    _run(request, list(sequences), lambda job: None, colorize, lambda job: [each.target for each in sequences[job]])


def _film_jobs(request: Request) -> "list[Job]":
    from artcolor.batch.names import marked, original_of
    from artcolor.batch.plan import Job, check_results
    from artcolor.engine.targets import check_not_original
    from artcolor.video.write import read_provenance

    out, inputs = request.out, list(dict.fromkeys(request.inputs))
    if out is None:
        names = {path.with_suffix("").name for path in inputs}
        jobs = [
            Job(path, marked(path))
            for path in inputs
            # Given together with its original, as by *.mp4, a result is no original.
            if original_of(path) not in names or read_provenance(path) is None
        ]
    elif len(inputs) == 1 and not request.into_folder and out.suffix and not out.is_dir():
        jobs = [Job(inputs[0], out)]
    elif is_film(out) and not request.into_folder and not out.is_dir():
        raise ConfigError(f"{out} is the name of a film, but {len(inputs)} results need a folder; choose another -o")
    else:
        jobs = [Job(path, out / path.name) for path in inputs]
    check_results(jobs)
    for job in jobs:
        check_not_original(job.source, job.target)
    return jobs


def _run(
    request: Request,
    jobs: "Sequence[Job]",
    check: "Callable[[Job], None]",
    colorize: Colorize,
    targets: "Callable[[Job], list[Path]]" = lambda job: [job.target],
) -> None:
    from artcolor.cli.record import Record

    saving, showing = request.saving, request.showing
    if request.options["hints"] is not None and len(jobs) > 1:
        raise ConfigError(f"hints are for one film, but there are {len(jobs)}; colorize them one by one")
    if request.reference_at is not None and len(jobs) > 1:
        raise ConfigError(f"--reference-at is for one film, but there are {len(jobs)}; colorize them one by one")

    def exists(job: "Job") -> bool:
        return all(path.exists() for path in targets(job))

    existing = [job for job in jobs if exists(job)]
    if existing and not saving.force and not saving.resume:
        raise ImageError(f"{targets(existing[0])[0]} already exists; --force replaces it, and --resume skips it")
    todo = [job for job in jobs if job not in existing or saving.force]
    if len(todo) == 1:
        # They come again when it is colorized.
        with grouped_warnings(show=False):
            check(todo[0])
    tally, complete = None, True
    with stoppable() as stop:
        colorizer = request.colorizer()
        with showing.warnings(), Record(request, colorizer) as record, _bar(request) as progress:
            tally = record.tally
            complete = _colorize_each(
                jobs, [each for each in jobs if each not in todo], colorizer, record, colorize, progress, jobs
            )
    summary = "nothing was colorized"
    if tally is not None:
        where = f"into {jobs[0].target}" if len(jobs) == 1 else "beside the originals"
        summary = tally.summary(where if request.out is None or len(jobs) == 1 else f"into {request.out}", len(jobs))
    if stop.status is not None:
        showing.say(f"interrupted: {summary}; finished shots are kept, and the same command with --resume continues")
        raise typer.Exit(stop.status)
    showing.say(summary)
    if tally is not None and tally.counts["failed"]:
        raise typer.Exit(1)
    check_complete(complete)


def check_complete(complete: bool) -> None:
    """Ends the command with status 1 if a film could not be read as a whole.

    Args:
        complete: whether all films could.

    Raises:
        Exit: one could not.
    """
    if not complete:
        complain("failed", "not all of the film could be read; the readable part was colorized")
        raise typer.Exit(1)


def _colorize_each(
    jobs: "Sequence[Job]",
    skipped: "Sequence[Job]",
    colorizer: "Colorizer",
    record: "Record",
    colorize: Colorize,
    progress: Callable[[str, int, int], None],
    every: "Sequence[Job]",
) -> bool:
    """Colorizes one film after the other; returns whether all of them could be read as a whole."""
    complete = True
    for job in jobs:
        started = time.monotonic()
        status: Status = "exists"
        error: ArtcolorError | None = None
        if job not in skipped:
            status = "colorized"
            try:
                complete &= colorize(colorizer, job, progress)
            except ArtcolorError as failure:
                status, error = "failed", failure
        record.add(_outcome(job, status, time.monotonic() - started, error), every, alone=len(every) == 1)
    return complete


def _outcome(job: "Job", status: "Status", seconds: float, error: ArtcolorError | None) -> "Outcome":
    from artcolor.batch.plan import Outcome

    return Outcome(job, status, seconds, error=error)


@contextlib.contextmanager
def _bar(request: Request) -> Iterator[Callable[[str, int, int], None]]:
    """Shows what is being done, frames, frames a second and the time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Speed(), TimeRemainingColumn())
    shown = Progress(*columns, console=ERR, transient=True, redirect_stdout=False, disable=not request.showing.bar)
    with shown:
        tasks: dict[str, object] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks or done < shown.tasks[-1].completed:
                for task in list(shown.task_ids):
                    shown.remove_task(task)
                tasks.clear()
                # What an earlier run did does not count as fast.
                tasks[stage] = shown.add_task(stage, total=total, completed=done)
            shown.update(shown.task_ids[-1], completed=done, total=total)

        yield progress
