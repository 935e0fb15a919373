"""Explains why results cannot be written, and what to do about it."""

import contextlib
import errno
from collections.abc import Iterable, Iterator
from pathlib import Path

from artcolor.errors import ImageError
from artcolor.files import replacing

_PERMISSION = "you have no permission to write there; choose another -o"
_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space, and continue with --resume",
    errno.EDQUOT: "your disk quota is used up; free some space, and continue with --resume",
    errno.EROFS: "the disk is read-only; choose another -o",
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EFBIG: "the file would exceed the size limit there; choose another -o or --format",
    errno.ENAMETOOLONG: "the name is too long for the disk; rename the original",
    errno.ENOTDIR: "part of the path is a file, not a folder; choose another -o",
    errno.EEXIST: "a file has the name of the folder; choose another -o",
    errno.EISDIR: "a folder has this name; choose another -o",
}
_FATAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class _DiscardError(Exception):
    """Ends a trial write without an error, and discards its file."""


@contextlib.contextmanager
def writing(target: Path, size: int) -> Iterator[None]:
    """Creates the folder of a result, and explains errors while the result is written.

    Args:
        target: path of the result.
        size: size of its pixels in bytes.

    Raises:
        ImageError: the result cannot be written; the `OSError` is its `__cause__`.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except (ImageError, OSError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(cause, OSError) and cause.errno is None:
            # Some libraries report a short write without its reason.
            cause = _trial_error(target.parent, size) or cause
        if isinstance(cause, OSError) and cause.errno in _REMEDIES:
            raise ImageError(f"{target} cannot be written: {remedy(cause)}") from cause
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"{target} cannot be written: {error}") from error


def remedy(error: OSError) -> str:
    """Returns what an error of the file system means, and what to do.

    Args:
        error: the error.
    """
    return _REMEDIES.get(error.errno or 0, error.strerror or str(error))


def is_fatal(error: ImageError) -> bool:
    """Returns whether an error means that no other result can be written either.

    Args:
        error: an error from `writing`.
    """
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _FATAL


def check_folders(folders: Iterable[Path]) -> None:
    """Checks that results can be written into at least one of these folders.

    Args:
        folders: the folders, which need not exist and are not created.

    Raises:
        ImageError: none of them is writable; the message states the reason for the first.
    """
    first: ImageError | None = None
    for folder in dict.fromkeys(folders):
        reason = _trial_error(folder, 1)
        if reason is None:
            return
        first = first or ImageError(f"no result can be written into {folder}: {remedy(reason)}")
    if first is not None:
        raise first


def _trial_error(folder: Path, size: int) -> OSError | None:
    """Writes a temporary file into a folder or its nearest existing parent, and returns the error if that fails."""
    try:
        while not folder.exists():
            folder = folder.parent
        with contextlib.suppress(_DiscardError), replacing(folder / "artcolor") as file:
            for start in range(0, size, 1 << 20):
                file.write(bytes(min(1 << 20, size - start)))
            file.flush()
            raise _DiscardError
    except OSError as error:
        return error
    return None
