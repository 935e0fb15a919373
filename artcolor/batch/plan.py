"""Which files are colorized, where each result goes, and what became of it."""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from artcolor.errors import ArtcolorError, ImageError
from artcolor.images import SUFFIXES, format_of, output_suffix

Status = Literal["colorized", "already_colored", "exists", "failed"]


@dataclass(frozen=True)
class Job:
    """A file to colorize and where the result goes.

    Attributes:
        source: the file.
        target: the result.
    """

    source: Path
    target: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: the job.
        status: `colorized`; `already_colored`, `skip_colored` left it alone and nothing is written; `exists`, `resume`
            found the result; or `failed`.
        seconds: of work on it: reading, its share of the network, and writing; without the time it waited for others.
        measure: how much color the original has (`color_measure`); of several pages the most. `None` if unknown.
        error: why it failed.
    """

    job: Job
    status: Status
    seconds: float = 0.0
    measure: float | None = None
    error: ArtcolorError | None = None


def result_paths(target: Path, samples: int) -> list[Path]:
    """Where the results of a job lie: its target, or with several samples a numbered file for each.

    Example:
        >>> [path.name for path in result_paths(Path("out/a.jpg"), 2)]
        ['a.1.jpg', 'a.2.jpg']
    """
    if samples == 1:
        return [target]
    return [target.with_name(f"{target.stem}.{number}{target.suffix}") for number in range(1, samples + 1)]


def map_path(target: Path) -> Path:
    """Where the map of uncertainty of a result lies.

    Example:
        >>> map_path(Path("out/a.jpg")).name
        'a.jpg.uncertainty.png'
    """
    return target.with_name(f"{target.name}.uncertainty.png")


def plan_jobs(inputs: Sequence[Path], out: Path, *, format: str | None = None) -> list[Job]:
    """Decides where the result of each input goes; names and sub-folders are kept.

    One file goes to `out` itself if that has a suffix; all else goes into `out` as a folder. Folders are gone through
    by name, links to folders too, unless they lead back to where they are. What is hidden (`.name`) and what lies in
    `out` is left out. A sub-folder that cannot be listed becomes a job, which fails with the reason; so does a link
    to a picture that is not there.

    Args:
        inputs: files and folders.
        out: file or folder.
        format: decides the suffix of all results: `"webp"`, `".tif"`. `None` takes that of each input, or the nearest
            that can hold color (see `output_suffix`).

    Returns:
        Jobs with different targets. A file that is given twice is one job.

    Raises:
        ImageError: two inputs would go to the same place, also if only on disks that take `A.jpg` and `a.jpg` for one;
            an input folder cannot be listed or is `out` itself; or the format is unknown or not that of `out`.
    """
    suffix = None if format is None else _suffix(format)
    if len(inputs) == 1 and not inputs[0].is_dir() and out.suffix and not out.is_dir():
        if format is not None and out.suffix.lower() in SUFFIXES and format_of(out) != format_of(out, format):
            raise ImageError(f"{out} and the format {format} do not go together; leave one of them out")
        return [Job(inputs[0], out)]
    jobs: dict[str, Job] = {}
    for given in inputs:
        for source, relative in _found(given, out):
            kept = relative if source.is_dir() else relative.with_suffix(suffix or output_suffix(relative.suffix))
            job = Job(source, out / kept)
            first = jobs.setdefault(_folded(job.target), job)
            if first.source != source:
                raise ImageError(_collision(first, job))
    return list(jobs.values())


def _suffix(format: str) -> str:
    found = format_of("results", format)
    wanted = f".{format.lower().removeprefix('.')}"
    return wanted if wanted in found.suffixes else found.suffixes[0]


def _folded(path: Path) -> str:
    """One text for all names that some disk takes for one."""
    return unicodedata.normalize("NFC", str(path)).casefold()


def _collision(first: Job, second: Job) -> str:
    if first.target == second.target:
        where = f"would both become {first.target}"
    else:
        where = f"would become {first.target} and {second.target}, which is one file on many disks"
    return f"{first.source} and {second.source} {where}; give them other names, or colorize them one by one"


def _found(given: Path, out: Path) -> Iterator[tuple[Path, Path]]:
    """Pictures of one input, each with the path of its result below `out`."""
    if not given.is_dir():
        yield given, Path(given.name)
        return
    if out.exists() and given.samefile(out):
        raise ImageError(f"{given} is both the input and -o, and results would lie among originals; choose another -o")
    check_listing(given)
    for path in _walk(given, out, ()):
        yield path, path.relative_to(given)


def check_listing(folder: Path) -> None:
    """Raises an `ImageError` with the reason if a folder cannot be listed."""
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise ImageError(f"the folder {folder} cannot be listed: {error.strerror}") from error


def _walk(folder: Path, out: Path, above: tuple[os.stat_result, ...]) -> Iterator[Path]:
    try:
        here = folder.stat()
        if any(os.path.samestat(here, each) for each in above) or (out.exists() and os.path.samestat(here, out.stat())):
            return
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError:
        yield folder
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        kind = _kind(entry)
        if kind == "folder":
            yield from _walk(folder / entry.name, out, (*above, here))
        elif kind == "file" and Path(entry.name).suffix.lower() in SUFFIXES:
            yield folder / entry.name


def _kind(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_dir():
            return "folder"
        # A pipe would block for ever. A link to nothing is a file that is missing.
        return "file" if entry.is_file() or not Path(entry.path).exists() else "other"
    except OSError:
        return "file"
