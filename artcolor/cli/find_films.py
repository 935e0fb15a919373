"""Films that lie in folders of pictures."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from artcolor.batch.addresses import as_address
from artcolor.cli.output import complain, extra
from artcolor.cli.request import Request
from artcolor.errors import ConfigError
from artcolor.images.walk import is_left_out
from artcolor.video import is_film

if TYPE_CHECKING:
    from artcolor.batch.plan import Job

_OF_WHOLE_RUNS = ("samples", "uncertainty", "chroma_only", "skip_colored")


def films_in_folders(request: Request, inputs: Sequence[Path]) -> "list[Job]":
    """Finds the films that lie in folders of pictures; their results go where those of the pictures go.

    Films that cannot be colorized along with the pictures are left out, with a warning that says why.

    Args:
        request: arguments and options of the command.
        inputs: pictures and folders.

    Returns:
        Jobs, in the order of names; a hints file in a folder of them belongs to the film of its name.

    Raises:
        ConfigError: references of shots were given, and there are several films.
    """
    from artcolor.batch.names import beside
    from artcolor.batch.plan import Job

    jobs: list[Job] = []
    hints = request.options["hints"]
    # Films in object stores are not supported.
    for given in (path for path in inputs if as_address(path) is None and path.is_dir()):
        root = request.out or beside(given)
        for source in _films_in(given, root):
            relative = source.relative_to(given)
            named = None if hints is None else hints / relative.with_suffix(".json")
            own = () if named is None or not named.exists() else (named,)
            jobs.append(Job(source, root / relative, found=True, hints=own))
    reason = _reason_against(request, jobs)
    if reason is not None:
        _tell(request, [job.source for job in jobs], reason)
        return []
    if request.reference_at is not None and len(jobs) > 1:
        raise ConfigError(f"--reference-at is for one film, but there are {len(jobs)}; colorize them one by one")
    return jobs


def tell_unwatched(request: Request) -> None:
    """Warns of films in folders that are watched, which is for pictures only.

    Args:
        request: arguments and options of the command.
    """
    from artcolor.batch.names import beside

    found = [film for given in request.inputs for film in _films_in(given, request.out or beside(given))]
    if found:
        _tell(request, found, "--watch applies to pictures only; colorize the films with a separate command")


def _tell(request: Request, films: Sequence[Path], reason: str) -> None:
    if not request.showing.quiet:
        more = f" and {len(films) - 3} more" if len(films) > 3 else ""
        complain("warning", f"films are skipped, because {reason}: {', '.join(map(str, films[:3]))}{more}")


def _films_in(folder: Path, out: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_left_out(name) and not _same(Path(parent, name), out))
        yield from (Path(parent, name) for name in sorted(names) if is_film(Path(name)) and not is_left_out(name))


def _same(folder: Path, out: Path) -> bool:
    return as_address(out) is None and out.exists() and folder.samefile(out)


def _reason_against(request: Request, jobs: "Sequence[Job]") -> str | None:
    """Says why films cannot be colorized along with the pictures of their folders; `None` if they can."""
    if not jobs:
        return None
    if any(map(as_address, filter(None, (*request.inputs, request.out)))):
        return "films in object stores are not supported; download them"
    for name in filter(request.given, _OF_WHOLE_RUNS):
        return f"--{name.replace('_', '-')} applies to pictures only; colorize the films with a separate command"
    hints = request.options["hints"]
    if hints is not None and not hints.is_dir():
        return f"{hints} is a single hints file; colorize the films with separate commands"
    try:
        with extra("video"):
            from artcolor.video import film  # noqa: F401
    except ConfigError as error:
        return str(error)
    return None
