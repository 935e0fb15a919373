"""`artcolor colorize` and `artcolor inspect`."""

import contextlib
import dataclasses
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from artcolor.batch.saving import Saving
from artcolor.cli.documents import plan_documents, write_documents
from artcolor.cli.options import with_options
from artcolor.cli.output import ERR, complain, grouped_warnings, say
from artcolor.cli.pipe import PIPE, colorize_pipe, listed
from artcolor.cli.startup import without_garbage_collection
from artcolor.cli.tally import Tally
from artcolor.cli.watch import colorize_watched
from artcolor.engine.options import OPTIONS
from artcolor.errors import ArtcolorError, ConfigError, ImageError
from artcolor.models.options import COLOR, FILES, MANY

app = typer.Typer()


@app.command()
@with_options
def colorize(
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="Output file for a single picture, - for standard output, otherwise a folder."
        ),
    ],
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="IN",
            help="Pictures, and folders of pictures; - reads a picture from standard input.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Name of a model or of weights, or path of a weights file. Default: unet.", rich_help_panel=COLOR
        ),
    ] = None,
    layers: Annotated[
        Path | None,
        typer.Option(
            help="Also write gray, color, uncertainty and hints as layers for GIMP and Krita (.ora; a single picture).",
            rich_help_panel=FILES,
        ),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(
            help="Also write a page that documents result, hints, settings and hashes (.html; a single picture).",
            rich_help_panel=FILES,
        ),
    ] = None,
    files_from: Annotated[
        Path | None,
        typer.Option(
            help="Also colorize the files that this list names, one a line or separated by NUL; - is standard input.",
            rich_help_panel=MANY,
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Keep colorizing pictures as they appear in the folders, once they are complete. Ctrl-C ends.",
            rich_help_panel=MANY,
        ),
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write a CSV with one row per file.", rich_help_panel=MANY)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Threads that read, write, and on the CPU run the network. Default: one per core, at most 8.",
            rich_help_panel=MANY,
        ),
    ] = None,
    **options: Any,
) -> None:
    """Colorize pictures, and folders with their sub-folders.

    Originals are never changed. Files that cannot be colorized are reported, and the exit status is then 1.

    Several samples are numbered: a.png becomes a.1.png, a.2.png, and so on.
    """
    saving = Saving(**{field.name: options.pop(field.name) for field in dataclasses.fields(Saving)})
    if saving.force and saving.resume:
        raise ConfigError("--force replaces existing results and --resume skips them; give only one of them")

    inputs = inputs or []
    others: dict[str, Any] = {"files_from": files_from, "layers": layers, "card": card}
    if PIPE in (*inputs, out):
        others |= {"report": report, "workers": workers, "watch": watch}
        colorize_pipe(inputs, out, model, saving, options, others)
        return
    if watch:
        colorize_watched(inputs, out, model, saving, options, others, report=report, workers=workers)
        return
    if files_from is not None:
        inputs = [*inputs, *listed(files_from)]
    if not inputs:
        raise ConfigError("there is nothing to colorize; name pictures or folders, or give a list with --files-from")

    from artcolor.batch.plan import plan_jobs

    with grouped_warnings():
        jobs = plan_jobs(inputs, out, format=saving.format, hints=options["hints"])
    if not jobs:
        raise ImageError(f"there are no pictures in {', '.join(map(str, inputs))}")

    assert set(options) == set(OPTIONS)
    documents = plan_documents(jobs, layers, card, saving, options)
    with without_garbage_collection():
        from artcolor.batch.report import Report
        from artcolor.batch.run import run_jobs
        from artcolor.engine.colorizer import DEFAULT_MODEL, Colorizer
        from artcolor.images.notices import about

        # Each job has its own hints.
        colorizer = Colorizer(model or DEFAULT_MODEL, **options | {"hints": None})
    tally = Tally()
    stopped = False
    with contextlib.ExitStack() as stack:
        stack.enter_context(grouped_warnings())
        stack.enter_context(contextlib.suppress(KeyboardInterrupt))
        stopped = True
        session = None
        if documents:
            # What the session says of the file is not said again.
            stack.enter_context(about(str(jobs[0].source)))
            from artcolor.engine.session import Session

            session = Session(jobs[0].source, model or DEFAULT_MODEL, size=options["size"], device=options["device"])
        rows = None
        if report is not None:
            rows = stack.enter_context(Report(report, resume=saving.resume, model=colorizer.provenance.model))
        bar = stack.enter_context(Progress(console=ERR, transient=True))
        task = bar.add_task("colorizing", total=len(jobs))
        outcomes = stack.enter_context(contextlib.closing(run_jobs(colorizer, jobs, saving, workers=workers)))
        for outcome in outcomes:
            bar.advance(task)
            tally.add(outcome, alone=len(jobs) == 1)
            if rows is not None:
                rows.add(outcome)
        if session is not None and tally.last is not None and tally.last.results:
            guidance = dataclasses.replace(colorizer.guidance, hints=next(iter(jobs[0].hints), None))
            try:
                write_documents(documents, session, guidance, colorizer.decoding)
            except ArtcolorError as error:
                tally.failed_beside += 1
                complain("failed", error)
        stopped = False
    tally.tell_existing()
    # Of a single picture, several samples are not written to `out` itself.
    written = [] if tally.last is None else tally.last.results
    where = f"{written[0]} to {written[-1]}" if len(jobs) == 1 and len(written) > 1 else out
    begin, end = ("interrupted: ", "; the same command with --resume continues") if stopped else ("", "")
    say(f"{begin}{tally.summary(where, len(jobs))}{end}")
    if stopped:
        raise typer.Exit(130)
    if tally.counts["failed"]:
        raise typer.Exit(1)


@app.command()
def inspect(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Pictures.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")] = False,
    hints: Annotated[bool, typer.Option("--hints", help="Print the hints of one picture as a hints file.")] = False,
) -> None:
    """Tell whether artcolor colorized a picture, with which weights, and how.

    The exit status is 1 if a file cannot be read or does not state that artcolor colorized it.
    """
    from artcolor.images import read_provenance
    from artcolor.zoo import manifest

    if hints:
        _print_hints(files)
        return
    unknown = 0
    for path in files:
        try:
            found = read_provenance(path)
        except ImageError as error:
            complain("failed", error)
            unknown += 1
            continue
        unknown += found is None
        if as_json:
            typer.echo(json.dumps({"file": str(path), "coloring": None if found is None else asdict(found)}))
            continue
        if found is None:
            say(f"{path} does not state that artcolor colorized it")
            continue
        known = {entry.sha256: entry.key for entry in manifest.entries().values()}.get(found.weights_sha256)
        weights = found.weights_sha256 or "unknown"
        say(f"{path} was colorized by artcolor {found.version}")
        say(f"  model: {found.model}")
        say(f"  weights: {weights}" + (f" (released as {known})" if known else ""))
        for name, value in found.options.items():
            shown = f"{len(value)}; --hints prints them" if name == "hints" and isinstance(value, list) else value
            say(f"  {name}: {shown}")
        say(f"  source type: {found.source_type}")
    if unknown:
        raise typer.Exit(1)


def _print_hints(files: Sequence[Path]) -> None:
    from artcolor.images import open_file, read_provenance

    if len(files) != 1:
        raise ConfigError(f"--hints takes one picture, not {len(files)}")
    found = read_provenance(files[0])
    stated = None if found is None else found.options.get("hints")
    if not isinstance(stated, list):
        raise ConfigError(f"{files[0]} does not state hints")
    with open_file(files[0]) as file:
        size = list(file.size)
    lines = ",\n ".join(json.dumps(hint) for hint in stated)
    typer.echo(f'{{"schema": 1, "size": {json.dumps(size)}, "hints": [\n {lines}\n]}}')
