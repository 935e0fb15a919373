"""`artcolor colorize` and `artcolor inspect`."""

import contextlib
import dataclasses
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from artcolor.batch.saving import Saving
from artcolor.cli.options import with_options
from artcolor.cli.output import ERR, complain, say
from artcolor.engine.options import OPTIONS
from artcolor.errors import ConfigError, ImageError
from artcolor.models.options import COLOR, MANY

app = typer.Typer()


@app.command()
@with_options
def colorize(
    inputs: Annotated[list[Path], typer.Argument(metavar="IN...", help="Pictures and folders of pictures.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A file for one picture, otherwise a folder.")],
    model: Annotated[
        str | None, typer.Option(help="Name of a model or of weights, or a weights file.", rich_help_panel=COLOR)
    ] = None,
    report: Annotated[Path | None, typer.Option(help="CSV with a row for each file.", rich_help_panel=MANY)] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that read and write pictures.", rich_help_panel=MANY)
    ] = None,
    **options: Any,
) -> None:
    """Colorize pictures, and folders with their sub-folders. Originals are never changed."""
    saving = Saving(**{field.name: options.pop(field.name) for field in dataclasses.fields(Saving)})
    if saving.force and saving.resume:
        raise ConfigError("--force replaces results that exist and --resume skips them: give one of them")

    from artcolor.batch.plan import plan_jobs

    jobs = plan_jobs(inputs, out, format=saving.format)
    if not jobs:
        raise ImageError(f"there are no pictures in {', '.join(map(str, inputs))}")

    from artcolor.batch.report import Report
    from artcolor.batch.run import run_jobs
    from artcolor.engine.colorizer import DEFAULT_MODEL, Colorizer

    assert set(options) == set(OPTIONS)
    colorizer = Colorizer(model or DEFAULT_MODEL, **options)
    counts: Counter[str] = Counter()
    with contextlib.ExitStack() as stack:
        rows = None
        if report is not None:
            rows = stack.enter_context(Report(report, resume=saving.resume, model=colorizer.provenance.model))
        bar = stack.enter_context(Progress(console=ERR, transient=True))
        task = bar.add_task("colorizing", total=len(jobs))
        outcomes = stack.enter_context(contextlib.closing(run_jobs(colorizer, jobs, saving, workers=workers)))
        for outcome in outcomes:
            bar.advance(task)
            counts[outcome.status] += 1
            if rows is not None:
                rows.add(outcome)
            if outcome.error is not None:
                complain("failed", f"{outcome.job.source}: {outcome.error}")
    say(
        f"{counts['colorized']} of {len(jobs)} colorized"
        + (f" into {out}" if counts["colorized"] else "")
        + (f", {counts['already_colored']} already colored" if counts["already_colored"] else "")
        + (f", {counts['exists']} existed" if counts["exists"] else "")
    )
    if counts["failed"]:
        raise typer.Exit(1)


@app.command()
def inspect(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Pictures.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, one object a line.")] = False,
) -> None:
    """Tell whether artcolor colored a picture: with which weights, and how. If not, the exit status is 1."""
    from artcolor.images import read_provenance
    from artcolor.zoo import manifest

    unknown = 0
    for path in files:
        found = read_provenance(path)
        unknown += found is None
        if as_json:
            typer.echo(json.dumps({"file": str(path), "coloring": None if found is None else asdict(found)}))
            continue
        if found is None:
            say(f"{path} does not say that artcolor colored it")
            continue
        known = {entry.sha256: entry.key for entry in manifest.entries().values()}.get(found.weights_sha256)
        weights = found.weights_sha256 or "not known"
        say(f"{path} was colored by artcolor {found.version}")
        say(f"  model: {found.model}")
        say(f"  weights: {weights}" + (f" (released as {known})" if known else ""))
        for name, value in found.options.items():
            say(f"  {name}: {value}")
        say(f"  source type: {found.source_type}")
    if unknown:
        raise typer.Exit(1)
