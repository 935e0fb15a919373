"""Colorizes the files and folders that `artcolor colorize` was given."""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.progress import Progress

from artcolor.batch.addresses import as_address
from artcolor.cli.checks import check_jobs, results_of
from artcolor.cli.documents import plan_documents, write_documents
from artcolor.cli.film import check_complete, colorize_found
from artcolor.cli.find_films import films_in_folders
from artcolor.cli.inputs import listed
from artcolor.cli.output import ERR
from artcolor.cli.request import Request
from artcolor.cli.stopping import stoppable
from artcolor.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from artcolor.batch.mirror import Mirror
    from artcolor.batch.plan import Job, Outcome
    from artcolor.cli.record import Record
    from artcolor.engine.colorizer import Colorizer


def colorize_files(request: Request) -> None:
    """Colorizes pictures and folders, with the films in them.

    Args:
        request: arguments and options of the command.

    Raises:
        ConfigError: the request is invalid.
        ImageError: there are no pictures, or no result can be written.
        WeightsError: the weights are missing or damaged.
        Exit: some pictures failed, with status 1; or the run was ended early.
    """
    inputs = [*request.inputs, *(listed(request.files_from) if request.files_from is not None else [])]
    if not inputs:
        raise ConfigError("there is nothing to colorize; give pictures or folders, or a list with --files-from")

    for bucket in () if request.out is not None else filter(None, map(as_address, inputs)):
        if bucket.is_bucket:
            raise ConfigError(f"the results of {bucket} need an output folder; give one with -o")

    from artcolor.batch.mirror import Mirror

    with Mirror() as mirror:
        _colorize(request, inputs, mirror)


def _colorize(request: Request, given: Sequence[Path], mirror: "Mirror") -> None:
    from artcolor.batch.plan import plan_jobs
    from artcolor.cli.record import Record

    films = films_in_folders(request, given)
    with request.showing.warnings(mirror.named):
        request = dataclasses.replace(request, out=mirror.output(request.out))
        inputs = [mirror.input(each) for each in given]
        jobs = plan_jobs(
            inputs,
            request.out,
            format=request.saving.format,
            hints=request.options["hints"],
            into_folder=request.into_folder,
            others=[path for job in films for path in job.hints],
        )
    if not films:
        request.refuse(("codec", "crf", "reference_at"), "pictures")
    if not jobs and not films:
        raise ImageError(f"there are no pictures in {', '.join(map(str, inputs))}")
    mirror.prepare(jobs, [path for job in jobs for path in results_of(job, request)])
    if request.report is not None:
        request = dataclasses.replace(request, report=mirror.report(request.report, resume=request.saving.resume))
    documents = plan_documents(jobs, request)
    if jobs:
        check_jobs(jobs, request, alone=not films)
    every = [*jobs, *films]

    tally, complete = None, True
    with stoppable() as stop:
        # Each job has its own hints.
        colorizer = request.colorizer(hints=None)
        with request.showing.warnings(mirror.named), Record(request, colorizer) as record:
            tally = record.tally
            if jobs:
                _run(request, jobs, documents, colorizer, record, mirror)
            complete = colorize_found(request, films, colorizer, record, every)
    summary = "nothing was colorized"
    if tally is not None:
        tally.tell_existing()
        summary = tally.summary(mirror.named(_where(request, inputs, every, tally.last)), len(every))
    if stop.status is not None:
        request.showing.say(f"interrupted: {summary}; the same command with --resume continues")
        raise typer.Exit(stop.status)
    request.showing.say(summary)
    if tally is not None and tally.counts["failed"]:
        raise typer.Exit(1)
    check_complete(complete)


def _run(
    request: Request,
    jobs: "Sequence[Job]",
    documents: Mapping[str, Path],
    colorizer: "Colorizer",
    record: "Record",
    mirror: "Mirror",
) -> None:
    with contextlib.ExitStack() as stack:
        session = None
        if documents:
            from artcolor.engine.session import Session
            from artcolor.images.notices import about

            # The session would repeat warnings about the file.
            stack.enter_context(about(str(jobs[0].source)))
            options = request.options
            session = Session(jobs[0].source, request.model, size=options["size"], device=options["device"])
        # Rich would print what goes to standard output where the bar is.
        shown = Progress(console=ERR, transient=True, redirect_stdout=False, disable=not request.showing.bar)
        bar = stack.enter_context(shown)
        task = bar.add_task("colorizing", total=len(jobs))
        outcomes = mirror.run_jobs(colorizer, jobs, request.saving, workers=request.workers)
        for outcome in stack.enter_context(contextlib.closing(outcomes)):
            bar.advance(task)
            written: Mapping[str, Path] = {}
            if session is not None and outcome.results:
                guidance = dataclasses.replace(colorizer.guidance, hints=next(iter(jobs[0].hints), None))
                with record.tally.beside():
                    write_documents(documents, session, guidance, colorizer.decoding)
                    written = documents
            record.add(outcome, jobs, alone=len(jobs) == 1, documents=written)


def _where(request: Request, inputs: Sequence[Path], jobs: "Sequence[Job]", last: "Outcome | None") -> str:
    """Says where the results are."""
    from artcolor.batch.names import beside

    if len(jobs) == 1 and last is not None and last.results:
        first, *others = last.results
        return f"into {first} to {others[-1].name}" if others else f"into {first}"
    if request.out is not None:
        return f"into {request.out}"
    if len(inputs) == 1 and request.files_from is None:
        return f"into {beside(inputs[0])}"
    return "beside the originals"
