"""`artcolor colorize --engine ray`: collections that outgrow a machine."""

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.progress import Progress

from artcolor.batch.addresses import as_address, path_of
from artcolor.cli.checks import check_options
from artcolor.cli.inputs import PIPE
from artcolor.cli.output import ERR, complain, extra
from artcolor.cli.request import Request
from artcolor.cli.stopping import stoppable
from artcolor.errors import ConfigError, ImageError
from artcolor.video import is_film

if TYPE_CHECKING:
    from artcolor.scale import Summary

# They concern one process, one picture, or more files than the journal has rows for.
_REFUSED = (
    *("files_from", "layers", "card", "watch", "workers", "sequence", "codec", "crf", "verbose", "json"),
    *("samples", "uncertainty"),
)
_STATUSES = {"already_colored": "already colored", "unsupported": "not supported", "failed": "failed"}
_HEADER = b'\xef\xbb\xbf"key","status"'


def check_scale(engine: str, request: Request) -> None:
    """Checks what was asked for, before Ray is imported.

    Args:
        engine: value of `--engine`.
        request: arguments and options of the command.

    Raises:
        ConfigError: the request cannot run on a cluster.
        ImageError: the report is another file, or a file that an option names does not exist.
        WeightsError: there is no such weights file.
    """
    if engine != "ray":
        raise ConfigError(f"there is no engine {engine!r}; the one that uses a cluster is ray")
    request.refuse(_REFUSED, "--engine ray")
    if request.saving.resume:
        raise ConfigError("--engine ray continues with what its journal does not have; leave out --resume")
    if len(request.inputs) != 1 or PIPE in (*request.inputs, request.out) or is_film(request.inputs[0]):
        raise ConfigError("--engine ray takes one folder, or one manifest (.parquet or .csv)")
    if request.out is None:
        raise ConfigError("--engine ray needs -o, the folder of the results")
    # The report is another one, and a GPU is where the workers are.
    device = request.options["device"]
    options = {**request.options, "device": "cpu" if device.startswith("cuda") else device}
    check_options(dataclasses.replace(request, report=None, options=options))


def colorize_on_cluster(request: Request, *, journal: str | None, **cluster: Any) -> None:
    """Colorizes a folder or a manifest with Ray Data.

    Args:
        request: arguments and options of the command.
        journal: folder of the journal; `None` is beside the output.
        **cluster: see `artcolor.scale.run.colorize_dataset`.

    Raises:
        ConfigError: the extra is missing, or Ray cannot be reached.
        DataError: the manifest is invalid, or the journal cannot be read or written.
        ImageError: there are no pictures, or no result can be written.
        WeightsError: the weights are missing or damaged.
        Exit: some pictures failed, with status 1; or the run was ended early.
    """
    out = request.out
    assert out is not None
    _check_report(request.report)
    with extra("scale"):
        from artcolor.scale import run
    folder = _beside(out) if journal is None else path_of(journal)
    given = {name: value for name, value in cluster.items() if value is not None}
    summary, counted = None, _Counted()
    bar = Progress(console=ERR, transient=True, redirect_stdout=False, disable=not request.showing.bar)
    with stoppable() as stop, request.showing.warnings(), bar:
        task = bar.add_task("colorizing", total=None)

        def progress(counts: Mapping[str, int], total: int) -> None:
            counted.counts = counts
            bar.update(task, completed=sum(counts.values()), total=total)

        summary = run.colorize_dataset(
            str(request.inputs[0]),
            str(out),
            journal=str(folder),
            model=request.model,
            saving=request.saving,
            report=None if request.report is None else str(request.report),
            progress=progress,
            **given,
            **request.options,
        )
    if summary is None:
        done = _sentence(counted.counts)
        request.showing.say(f"interrupted: {done}; the same command continues")
        raise typer.Exit(stop.status or 1)
    _say(request, summary, folder)
    if summary.counts.get("failed"):
        raise typer.Exit(1)


def _beside(out: Path) -> Path:
    """Returns where the journal is unless another place is named."""
    address = as_address(out)
    if not out.name or out.name == ".." or (address is not None and "/" not in address.key):
        raise ConfigError(f"there is no place for the journal beside {out}; name one with --journal")
    return out.with_name(f"{out.name}.journal")


class _Counted:
    counts: Mapping[str, int] = {}


def _say(request: Request, summary: "Summary", journal: Path) -> None:
    before = f", {summary.before} done before" if summary.before else ""
    done = _sentence(summary.counts, f" of {summary.total}", f" into {request.out}")
    request.showing.say(f"{done}{before}; the journal is {journal}")
    failed = summary.counts.get("failed")
    if failed:
        place = request.report or "the journal"
        how = "" if request.report else " (--report FILE.csv)"
        complain("failed", f"{failed} pictures; the column error of {place} has the reasons{how}")


def _sentence(counts: Mapping[str, int], total: str = "", into: str = "") -> str:
    colorized = counts.get("colorized", 0)
    others = "".join(f", {counts[status]} {words}" for status, words in _STATUSES.items() if counts.get(status))
    return f"{colorized}{total} colorized{into if colorized else ''}{others}"


def _check_report(path: Path | None) -> None:
    if path is None or as_address(path) is not None:
        return
    with contextlib.suppress(FileNotFoundError):
        try:
            with path.open("rb") as file:
                if not file.read(len(_HEADER)) == _HEADER:
                    raise ImageError(f"{path} exists and is no report of a journal; choose another name for the report")
        except IsADirectoryError as error:
            raise ImageError(f"the report {path} is a folder; give a file, such as {path / 'report.csv'}") from error
