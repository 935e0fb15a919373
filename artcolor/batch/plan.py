"""Plans a run: which files to colorize, where results go, and the outcome of each file."""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from artcolor.batch.names import beside, folded, is_result, map_path, marked, original_of, result_paths, sheet_path
from artcolor.errors import ArtcolorError, ConfigError, ImageError
from artcolor.images import SUFFIXES, format_of, output_suffix
from artcolor.images.notices import warn
from artcolor.images.walk import check_listing, usual_suffix, walk

__all__ = [
    "Job",
    "Outcome",
    "Status",
    "check_results",
    "plan_jobs",
]

Status = Literal["colorized", "already_colored", "exists", "unsupported", "failed"]

# Hints files, and painted hints.
_HINTS_SUFFIXES = (".json", ".png")


@dataclass(frozen=True)
class Job:
    """A file to colorize, and where its result goes.

    Attributes:
        source: path of the original.
        target: path of the result; of several samples, the path that their numbers are inserted into (`result_paths`).
        found: the source was found in a folder, and not named by the caller. Of such files, results of artcolor and
            formats that are not read are skipped.
        hints: its hints file, if there is one. If there are several, the job fails.
        usual_name_of: the original whose result has the name that this result would usually have, so that this one has
            a second name; `None` if it has its usual name.
    """

    source: Path
    target: Path
    found: bool = False
    hints: tuple[Path, ...] = ()
    usual_name_of: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        job: the job.
        status: `colorized`: the results were written; `already_colored`: `skip_colored` is on and the original has
            color, or it is a result of artcolor, so nothing was written; `exists`: `resume` is on and all results
            exist; `unsupported`: a picture in a folder has a format that is not read; `failed`.
        seconds: time spent reading, in the network (its share of the batch), and writing, without waiting.
        measure: how much color the original has (`color_measure`), the maximum over its pages; `None` if unknown.
        error: the reason, if `status` is `failed` or `unsupported`.
        samples: number of colorings of the picture, each a result of its own.
    """

    job: Job
    status: Status
    seconds: float = 0.0
    measure: float | None = None
    error: ArtcolorError | None = None
    samples: int = 1

    @property
    def results(self) -> list[Path]:
        """Paths of the existing results; empty unless `status` is `colorized` or `exists`."""
        return result_paths(self.job.target, self.samples) if self.status in ("colorized", "exists") else []


def plan_jobs(
    inputs: Sequence[Path],
    out: Path | None,
    *,
    format: str | None = None,
    hints: Path | None = None,
    into_folder: bool = False,
    taken: dict[str, Path] | None = None,
    others: Sequence[Path] = (),
) -> list[Job]:
    """Decides where the result of each input goes, and keeps the names of files and subfolders.

    If `inputs` is a single file and `out` has a suffix, `out` is the result; otherwise `out` is a folder. Without
    `out`, the results of each file and folder go beside it: of `a.png` into `a.color.png`, and of `scans` into
    `scans.color`. A file that has such a name and that artcolor colorized is then skipped.

    Folders are searched recursively in the order of names (see `artcolor.images.walk.walk`); the contents of `out` are
    skipped. A subfolder that cannot be listed and a broken link to a picture become jobs that fail with the reason.

    If two results would have the same name, or would on a file system that ignores case, the second gets the whole name
    of its original before the suffix: of `a.gif` and `a.png`, both of which become `a.png`, it is `a.gif.png`. The one
    whose name need not change is the first.

    Args:
        inputs: files and folders.
        out: file or folder; `None` is beside each input.
        format: format of all results, which decides their suffix: `"webp"`, `".tif"`. `None` keeps the suffix of each
            input, or takes the nearest that can hold color (see `output_suffix`).
        hints: the hints file of a single picture, or a folder of them. There, `sub/a.json` or the painted `sub/a.png`
            (see `artcolor.engine.hint_files.read_hints`) belongs to the picture `sub/a.jpg` of an input folder, and
            `a.json` to an input `some/where/a.jpg`. A picture without one is colorized without hints.
        into_folder: `out` is a folder, whatever its name.
        taken: names of results of earlier calls (`folded`) → their originals. These keep their names; those of new
            results are added. It is for folders that are planned again and again, so hints that are missing are not
            warned of.
        others: hints files that are not for pictures, but for films in the same folders.

    Returns:
        Jobs with distinct targets. A file given twice is one job.

    Raises:
        ImageError: an input folder cannot be listed or is `out` itself; `out` is named like a picture; or the format
            is unknown or contradicts the suffix of `out`.
        ConfigError: `hints` is a file, and there are several pictures.
    """
    suffix = None if format is None else _suffix(format)
    if hints is not None and hints.is_dir():
        check_listing(hints)
    into_folder |= out is None or not out.suffix or out.is_dir()
    if out is not None and not into_folder and len(inputs) == 1 and not inputs[0].is_dir():
        if format is not None and out.suffix.lower() in SUFFIXES and format_of(out) != format_of(out, format):
            raise ImageError(f"the suffix of {out} contradicts the format {format}; omit one of them")
        return _with_hints([Job(inputs[0], out)], [Path(inputs[0].name)], hints)
    if out is not None and not into_folder and out.suffix.lower() in SUFFIXES:
        raise ImageError(f"{out} is the name of a picture, but the results need a folder; choose another -o")
    jobs: list[Job] = []
    names: list[Path] = []
    for given in inputs:
        folder = given.is_dir()
        root = out or (beside(given) if folder else given.parent)
        for source, relative in _pictures(given, root, hints):
            kept = relative if source.is_dir() else relative.with_suffix(suffix or output_suffix(usual_suffix(source)))
            if out is None and not folder:
                kept = marked(kept)
            # Where results lie beside originals, both are given together the next time, as by *.png.
            found = folder or (out is None and original_of(source) is not None)
            jobs.append(Job(source, root / kept, found=found))
            names.append(relative)
    if out is None:
        jobs, names = _without_results(jobs, names)
    named = _distinct(jobs, names, {} if taken is None else taken)
    unique: dict[Path, tuple[Job, Path]] = {}
    for job, name in zip(named, names, strict=True):
        unique.setdefault(job.target, (job, name))
    jobs, names = [job for job, _ in unique.values()], [name for _, name in unique.values()]
    return _with_hints(jobs, names, hints, quiet=taken is not None, others=others)


def _without_results(jobs: Sequence[Job], names: Sequence[Path]) -> tuple[list[Job], list[Path]]:
    """Leaves out inputs that are results of other inputs, as `*.png` gives both the second time."""
    originals = {(job.source.parent, name) for job in jobs for name in (job.source.stem, job.source.name)}
    kept = [
        (job, name)
        for job, name in zip(jobs, names, strict=True)
        if (job.source.parent, original_of(job.source)) not in originals or not is_result(job.source)
    ]
    return [job for job, _ in kept], [name for _, name in kept]


def check_results(jobs: Sequence[Job], samples: int = 1, *, uncertainty: bool = False) -> None:
    """Refuses jobs that would write one file twice, or replace the original of another job.

    A job that would replace its own original fails alone, when its turn comes.

    Args:
        jobs: jobs of a run.
        samples: number of colorings of each picture.
        uncertainty: an uncertainty map is written beside each result.

    Raises:
        ImageError: two results would be the same file, or a result would replace an original.
    """
    real_folder = functools.cache(os.path.realpath)

    def place(path: Path) -> tuple[str, str]:
        return str(real_folder(path.parent)), folded(path.name)

    originals = {place(job.source): job for job in jobs}
    written: dict[Path, Job] = {}

    def check(path: Path, job: Job, what: str) -> None:
        other = written.setdefault(path, job)
        if other is not job:
            raise ImageError(f"{what}{job.source} and {other.source} would both become {path}; rename one of them")
        original = originals.get(place(path), job)
        if original is not job:
            raise ImageError(f"{what}{job.source} would replace the original {original.source}; choose another -o")

    for job in jobs:
        for path in result_paths(job.target, samples):
            check(path, job, "a result of ")
    for job in jobs if uncertainty else ():
        check(map_path(job.target), job, "the uncertainty map of ")
    for job in jobs if samples > 1 else ():
        check(sheet_path(job.target), job, "the contact sheet of ")


def _distinct(jobs: Sequence[Job], names: Sequence[Path], taken: dict[str, Path]) -> list[Job]:
    """Gives second names to jobs whose results would have a name that is taken."""
    done = list(jobs)
    # Those that need not change their name come first, whatever lies before them in the folder.
    for job, _ in sorted(zip(jobs, names, strict=True), key=lambda each: each[0].target.suffix != each[1].suffix):
        taken.setdefault(folded(job.target), job.source)
    for number, (job, name) in enumerate(zip(jobs, names, strict=True)):
        usual = owner = taken[folded(job.target)]
        target, suffix = job.target.with_name(name.name), job.target.name.removeprefix(name.stem) or ".2"
        while not _same(owner, job.source):
            target = target.with_name(target.name + suffix)
            owner = taken.setdefault(folded(target), job.source)
            done[number] = dataclasses.replace(job, target=target, usual_name_of=usual)
    return done


def _same(one: Path, other: Path) -> bool:
    # A list may name a file in two ways.
    with contextlib.suppress(OSError):
        return one == other or one.samefile(other)
    return False


def _with_hints(
    jobs: Sequence[Job],
    names: Sequence[Path],
    hints: Path | None,
    *,
    quiet: bool = False,
    others: Sequence[Path] = (),
) -> list[Job]:
    """Adds hints files to jobs; `names` are the paths of their pictures, relative to the input folder."""
    if hints is None or not jobs:
        return list(jobs)
    first = jobs[0].source
    if not hints.is_dir():
        if len(jobs) > 1:
            what = "is a single hints file" if hints.exists() else "is not a folder"
            raise ConfigError(
                f"{hints} {what}, but there are {len(jobs)} pictures; give a folder with a hints file for each, named "
                f"like the picture: {first.stem}.json for {first.name}"
            )
        return [dataclasses.replace(job, hints=(hints,)) for job in jobs]
    # Where hints lie beside the pictures, a.png is an original, and not painted hints for a.jpg.
    originals = {os.path.realpath(job.source) for job in jobs}
    guided = []
    for job, name in zip(jobs, names, strict=True):
        named = [hints / name.with_suffix(suffix) for suffix in _HINTS_SUFFIXES]
        existing = tuple(path for path in named if _exists(path) and os.path.realpath(path) not in originals)
        guided.append(dataclasses.replace(job, hints=existing))
    used = {path for job in guided for path in job.hints} | set(others)
    if quiet:
        return guided
    if not used:
        warn(f"{hints} has no hints for any of the pictures; those for {first.name} would be named {first.stem}.json")
    elif any(job.found for job in jobs):
        _warn_of_unused(hints, used)
    return guided


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # Whoever reads it raises the reason.
        return True


def _suffix(format: str) -> str:
    found = format_of("results", format)
    wanted = f".{format.lower().removeprefix('.')}"
    return wanted if wanted in found.suffixes else found.suffixes[0]


def _warn_of_unused(hints: Path, used: Container[Path]) -> None:
    """Warns of hints files that belong to no picture; their names may be misspelled."""
    unused = sorted(path for path in hints.rglob("*.json") if path not in used)
    if unused:
        names = ", ".join(str(path.relative_to(hints)) for path in unused[:3])
        more = f" and {len(unused) - 3} more" if len(unused) > 3 else ""
        warn(f"{hints}: no picture matches {names}{more}")


def _pictures(given: Path, out: Path, hints: Path | None) -> Iterator[tuple[Path, Path]]:
    """Yields the pictures of one input, each with its path relative to the input folder."""
    if not given.is_dir():
        yield given, Path(given.name)
        return
    if out.exists() and given.samefile(out):
        raise ImageError(f"{given} is both the input and -o, which would mix results with originals; choose another -o")
    check_listing(given)
    # Painted hints in a subfolder are no originals.
    folder = None if hints is None or not hints.is_dir() else Path(os.path.realpath(hints))
    inside = folder is not None and Path(os.path.realpath(given)) in folder.parents
    for path in walk(given, leave_out=out):
        if not (inside and folder in Path(os.path.realpath(path)).parents):
            yield path, path.relative_to(given)
