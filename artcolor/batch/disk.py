"""Why results cannot be written, in words that say what to do."""

import contextlib
import errno
from collections.abc import Iterable, Iterator
from pathlib import Path

from artcolor.errors import ImageError
from artcolor.files import replacing

_PERMISSION = "you have no permission to write there; choose another -o"
_REMEDIES = {
    errno.ENOSPC: "the disk is full; make room, and go on with --resume",
    errno.EDQUOT: "your share of the disk is used up; make room, and go on with --resume",
    errno.EROFS: "the disk can only be read; choose another -o",
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EFBIG: "a file may not become so large there; choose another -o or --format",
    errno.ENAMETOOLONG: "the name is too long for the disk; rename the original",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another -o",
    errno.EEXIST: "a file is where the folder should be; choose another -o",
    errno.EISDIR: "a folder has this name; choose another -o",
}
_FATAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class _EnoughError(Exception):
    """Ends a trial, so that its file goes away."""


@contextlib.contextmanager
def writing(target: Path, size: int) -> Iterator[None]:
    """Says in words what keeps a result from being written.

    Args:
        target: the result; its folder is made here if need be.
        size: of its pixels in bytes.

    Raises:
        ImageError: it cannot be written; the `OSError` is its cause.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except (ImageError, OSError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(cause, OSError) and cause.errno is None:
            # Some libraries say how much was written, but not why no more.
            cause = _why_not(target.parent, size) or cause
        if isinstance(cause, OSError) and cause.errno in _REMEDIES:
            raise ImageError(f"{target} cannot be written: {remedy(cause)}") from cause
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"{target} cannot be written: {error}") from error


def remedy(error: OSError) -> str:
    """What an error of the disk means, and what to do."""
    return _REMEDIES.get(error.errno or 0, str(error))


def is_fatal(error: ImageError) -> bool:
    """Whether no other result could be written after this, either."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _FATAL


def check_folders(folders: Iterable[Path]) -> None:
    """Raises an error if nothing can be written into any of these folders.

    Args:
        folders: there or not; they are not made.

    Raises:
        ImageError: with the reason of the first.
    """
    first: ImageError | None = None
    for folder in dict.fromkeys(folders):
        reason = _why_not(folder, 1)
        if reason is None:
            return
        first = first or ImageError(f"no result can be written into {folder}: {remedy(reason)}")
    if first is not None:
        raise first


def _why_not(folder: Path, size: int) -> OSError | None:
    """Tries to write so many bytes into a folder, or into that where it would be made."""
    try:
        while not folder.exists():
            folder = folder.parent
        with contextlib.suppress(_EnoughError), replacing(folder / "artcolor") as file:
            for start in range(0, size, 1 << 20):
                file.write(bytes(min(1 << 20, size - start)))
            file.flush()
            raise _EnoughError
    except OSError as error:
        return error
    return None
