"""Finds mistakes in a command line before torch is imported, which takes seconds."""

import ctypes
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artcolor.batch.addresses import as_address
from artcolor.batch.saving import Saving
from artcolor.cli.inputs import PIPE
from artcolor.cli.output import grouped_warnings
from artcolor.cli.request import Request
from artcolor.engine.options import DEVICES
from artcolor.engine.targets import check_not_original
from artcolor.errors import ConfigError, DataError, ImageError
from artcolor.models.guidance import guided
from artcolor.video import is_film
from artcolor.zoo.manifest import Entry, entries, released
from artcolor.zoo.names import check_name

if TYPE_CHECKING:
    from artcolor.batch.plan import Job

NEED_DISTRIBUTION = ("vividness", "temperature", "palette", "samples", "seed", "spread", "uncertainty")
"""Options for models that predict a distribution of colors."""

# They write files beside results.
_LOCAL = ("samples", "layers", "card", "watch")
# The driver of CUDA, which torch loads, by `sys.platform`.
_DRIVER = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
# The driver of AMD's GPUs, which torch calls cuda, too.
_AMD = Path("/dev/kfd")


def check_options(request: Request) -> None:
    """Checks everything but inputs and outputs.

    Args:
        request: arguments and options of the command.

    Raises:
        ConfigError: an option is invalid, there is no such model, or the device cannot be used.
        ImageError: a file that an option names does not exist.
        WeightsError: there is no such weights file.
    """
    saving, options = request.saving, request.options
    if saving.force and saving.resume:
        raise ConfigError("--force replaces existing results and --resume skips them; give only one of them")
    if request.showing.quiet and request.showing.verbose:
        raise ConfigError("--quiet and --verbose contradict each other; give only one of them")
    if any(map(as_address, filter(None, (*request.inputs, request.out, request.report)))):
        request.refuse(_LOCAL, "object-store addresses")
        if request.sequence or any(map(is_film, request.inputs)):
            raise ConfigError(
                "films and numbered frames cannot be combined with object-store addresses; download them, and write "
                "results and the report to a disk"
            )
        if PIPE in (*request.inputs, request.out):
            raise ConfigError("- cannot be combined with object-store addresses; give files")
    check_name(request.model)
    check_device(options["device"])
    guided(options)
    _check_accepted(request)
    check_files(options)
    if request.report is not None and as_address(request.report) is None:
        from artcolor.batch.report import check_report

        check_report(request.report)


def check_files(options: Mapping[str, Any]) -> None:
    """Checks that the files named by colorizing options exist.

    Args:
        options: options of `Colorizer`.

    Raises:
        ImageError: one does not exist.
    """
    for name in ("hints", "reference"):
        if options[name] is not None and not os.path.exists(options[name]):  # noqa: PTH110 (never raises)
            raise ImageError(f"--{name}: there is no file {options[name]}")


def _check_accepted(request: Request) -> None:
    entry = released(request.model)
    if entry is None or _predicts_distribution(entry):
        return
    for name in filter(request.given, NEED_DISTRIBUTION):
        others = sorted({each.model for each in entries().values() if _predicts_distribution(each)})
        raise ConfigError(
            f"--{name} requires a model that predicts a distribution of colors, but {entry.model} predicts one color; "
            f"use {', '.join(others[:-1])} or {others[-1]}"
        )


def _predicts_distribution(entry: Entry) -> bool:
    # Otherwise there is nothing to decode.
    return "vividness" in entry.config["head"]


def check_device(device: str) -> None:
    """Checks that a device exists, as far as possible without torch.

    Args:
        device: name of a device.

    Raises:
        ConfigError: there is none.

    Example:
        >>> check_device("gpu")
        Traceback (most recent call last):
            ...
        artcolor.errors.ConfigError: there is no device 'gpu'; choose cuda, mps or cpu, or auto for the fastest one
    """
    kind, _, number = device.partition(":")
    if device != "auto" and (kind not in DEVICES or not re.fullmatch(r"\d*", number) or device.endswith(":")):
        *some, last = DEVICES
        choices = f"{', '.join(some)} or {last}"
        raise ConfigError(f"there is no device {device!r}; choose {choices}, or auto for the fastest one")
    if (kind == "cuda" and not _has_gpu()) or (kind == "mps" and sys.platform != "darwin"):
        what = "an Apple Mac" if kind == "mps" else "a GPU with its driver"
        raise ConfigError(f"--device {device} requires {what}, which this machine does not have; use cpu or auto")


def _has_gpu() -> bool:
    if _AMD.exists():
        return True
    try:
        return sys.platform in _DRIVER and ctypes.CDLL(_DRIVER[sys.platform]) is not None
    except OSError:
        return False


def check_data(folder: Path, option: str = "--data") -> None:
    """Checks that there is a folder of pictures to train on, to evaluate with, or to run a network on.

    Args:
        folder: the folder.
        option: the option that named it, for the message.

    Raises:
        DataError: it is not a folder.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; {option} must be a folder of pictures")


def check_jobs(jobs: Sequence["Job"], request: Request, *, alone: bool = True) -> None:
    """Checks inputs and outputs.

    Of several pictures, one that cannot be read or written fails alone later, while the others are colorized. So only
    what concerns all of them is checked.

    Args:
        jobs: jobs of the run.
        request: arguments and options of the command.
        alone: there is nothing else to colorize, such as films.

    Raises:
        ImageError: no result can be written, or the only picture cannot be colorized.
    """
    from artcolor.batch.disk import check_folders
    from artcolor.batch.names import result_exists, result_paths
    from artcolor.batch.plan import check_results
    from artcolor.images import check_settings

    saving = request.saving
    check_results(jobs, request.samples, uncertainty=saving.uncertainty)
    if saving.format is not None or len(jobs) == 1:
        check_settings(jobs[0].target, format=saving.format, quality=saving.quality, depth=saving.depth)
    existing = {job: list(filter(result_exists, results_of(job, request))) for job in jobs}
    if saving.resume and all({*result_paths(job.target, request.samples)} <= {*existing[job]} for job in jobs):
        return
    if alone and not saving.force and not saving.resume and all(existing.values()):
        raise _existing_results(existing)
    # With a report or JSON, the reason goes there.
    if len(jobs) == 1 and not jobs[0].found and request.report is None and not request.showing.json:
        _check_picture(jobs[0], saving)
    check_folders(job.target.parent for job in jobs)


def results_of(job: "Job", request: Request) -> list[Path]:
    """Lists the paths that a job may write: its results, and what belongs to them.

    Args:
        job: job of the run.
        request: arguments and options of the command.
    """
    from artcolor.batch.names import map_path, result_paths, sheet_path

    maps = [map_path(job.target)] if request.saving.uncertainty else []
    sheets = [sheet_path(job.target)] if request.samples > 1 else []
    return [*result_paths(job.target, request.samples), *maps, *sheets]


def _existing_results(existing: Mapping["Job", Sequence[Path]]) -> ImageError:
    for job, paths in existing.items():
        check_not_original(job.source, paths[0])
    first = next(iter(existing.values()))[0]
    if len(existing) == 1:
        return ImageError(f"{first} already exists; --force replaces it, and --resume skips it")
    what = f"all {len(existing)} results already exist, for example {first}"
    return ImageError(f"{what}; --force replaces them, and --resume skips them")


def _check_picture(job: "Job", saving: Saving) -> None:
    """Reads no more than the header."""
    from artcolor.images import check_target, open_file

    check_not_original(job.source, job.target)
    with (
        grouped_warnings(show=False),
        open_file(job.source, max_pixels=saving.max_pixels, allow_truncated=saving.allow_truncated) as file,
    ):
        check_target(job.target, *file.size, frames=file.frames, format=saving.format)
