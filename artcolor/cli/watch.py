"""`artcolor colorize --watch`."""

import contextlib
from typing import TYPE_CHECKING, NoReturn

import typer

from artcolor.cli.find_films import tell_unwatched
from artcolor.cli.request import Request
from artcolor.cli.stopping import stoppable
from artcolor.errors import ConfigError

if TYPE_CHECKING:
    from artcolor.batch.watch import Watch
    from artcolor.cli.record import Record
    from artcolor.engine.colorizer import Colorizer

# They are about one picture, or a list that is read once.
_REFUSED = ("files_from", "layers", "card")


def colorize_watched(request: Request) -> None:
    """Colorizes pictures as they appear in folders, until Ctrl-C or SIGTERM.

    Args:
        request: arguments and options of the command.

    Raises:
        ConfigError: an input is not a folder, or another option cannot be combined with watching.
        ImageError: a folder no longer exists, or no further result can be written.
        WeightsError: the weights are missing or damaged.
        Exit: always; the status is 130 after Ctrl-C, and 143 after SIGTERM.
    """
    request.refuse(_REFUSED, "--watch")
    if not request.inputs:
        raise ConfigError("there is nothing to watch; give a folder")
    if request.out is None and len(request.inputs) > 1:
        raise ConfigError("the results of several folders need an output folder; give one with -o")

    from artcolor.batch.names import beside
    from artcolor.batch.watch import Watch
    from artcolor.cli.record import Record

    out = request.out or beside(request.inputs[0])
    watch = Watch(request.inputs, out, request.saving, hints=request.options["hints"])
    tally = None
    with stoppable() as stop:
        # Each job has its own hints.
        colorizer = request.colorizer(hints=None)
        with Record(request, colorizer) as record:
            tally = record.tally
            _run(request, watch, colorizer, record)
    request.showing.say(f"stopped: {'nothing was colorized' if tally is None else tally.summary(f'into {out}')}")
    raise typer.Exit(stop.status or 0)


def _run(request: Request, watch: "Watch", colorizer: "Colorizer", record: "Record") -> NoReturn:
    from artcolor.batch.run import run_jobs

    showing = request.showing
    showing.say(f"watching {', '.join(map(str, request.inputs))}; press Ctrl-C to stop")
    tell_unwatched(request)
    while True:
        with showing.warnings():
            found = watch.wait()
        for jobs, how in watch.rounds(found):
            outcomes = run_jobs(colorizer, jobs, how, workers=request.workers)
            with showing.warnings(), contextlib.closing(outcomes):
                for outcome in outcomes:
                    watch.add(outcome)
                    record.add(outcome, jobs)
                    if outcome.status == "colorized" and not showing.verbose:
                        showing.say(f"{outcome.job.source} colorized into {outcome.results[0]}")
        record.tally.tell_existing()
