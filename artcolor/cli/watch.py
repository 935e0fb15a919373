"""`artcolor colorize --watch`."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from artcolor.batch.saving import Saving
from artcolor.cli.output import grouped_warnings, say
from artcolor.cli.startup import without_garbage_collection
from artcolor.cli.tally import Tally
from artcolor.errors import ConfigError


def colorize_watched(
    folders: Sequence[Path],
    out: Path,
    model: str | None,
    saving: Saving,
    options: Mapping[str, Any],
    others: Mapping[str, Any],
    *,
    report: Path | None,
    workers: int | None,
) -> None:
    """Colorizes pictures as they appear in folders, until Ctrl-C.

    Args:
        folders: to watch.
        out: folder of the results.
        model: as given.
        saving: how results are written.
        options: of colorizing.
        others: further options as given, none of which goes with watching.
        report: path of the CSV, if there is to be one.
        workers: as given.

    Raises:
        ConfigError: something that is no folder is to be watched, or another option does not go with watching.
        ImageError: a folder is gone, or no further result can be written.
        Exit: Ctrl-C was pressed; the status is 130.
    """
    for name, value in others.items():
        if value:
            raise ConfigError(f"--{name.replace('_', '-')} cannot be combined with --watch; leave it out")
    if not folders:
        raise ConfigError("there is nothing to watch; name a folder")

    from artcolor.batch.watch import Watch

    watch = Watch(folders, out, saving, hints=options["hints"])
    tally = Tally()
    with contextlib.suppress(KeyboardInterrupt):
        with without_garbage_collection():
            from artcolor.batch.report import Report
            from artcolor.batch.run import run_jobs
            from artcolor.engine.colorizer import DEFAULT_MODEL, Colorizer

            # Each job has its own hints.
            colorizer = Colorizer(model or DEFAULT_MODEL, **{**options, "hints": None})
        with contextlib.ExitStack() as stack:
            rows = None
            if report is not None:
                rows = stack.enter_context(Report(report, resume=saving.resume, model=colorizer.provenance.model))
            say(f"watching {', '.join(map(str, folders))}; Ctrl-C ends")
            while True:
                with grouped_warnings():
                    found = watch.wait()
                for jobs, how in watch.rounds(found):
                    with (
                        grouped_warnings(),
                        contextlib.closing(run_jobs(colorizer, jobs, how, workers=workers)) as outcomes,
                    ):
                        for outcome in outcomes:
                            watch.add(outcome)
                            tally.add(outcome)
                            if rows is not None:
                                rows.add(outcome)
                            if outcome.status == "colorized":
                                say(f"{outcome.job.source} colorized into {outcome.results[0]}")
                tally.tell_existing()
    say(f"ended: {tally.summary(out)}")
    raise typer.Exit(130)
