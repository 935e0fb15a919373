"""Opens files to write, and checks their names. Does not import torch, so that mistakes are found quickly."""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from artcolor.errors import ImageError
from artcolor.files import replacing, unnamed

if TYPE_CHECKING:
    from artcolor.images.write import Target

__all__ = ["CARD_SUFFIXES", "LAYERS_SUFFIXES", "check_not_original", "check_suffix", "opened_for_writing"]

LAYERS_SUFFIXES = (".ora",)
CARD_SUFFIXES = (".html", ".htm")


def check_not_original(source: Path | None, target: object) -> None:
    """Checks that a result does not replace the original, which may be the only copy.

    Args:
        source: path of the original, or `None`.
        target: where the result goes.

    Raises:
        ImageError: both are the same file.
    """
    if source is None or not isinstance(target, str | PathLike) or not source.exists() or not Path(target).exists():
        return
    if source.samefile(target):
        raise ImageError(f"the result would replace the original {source}; choose another name")


def check_suffix(path: Path, suffixes: Sequence[str]) -> None:
    """Checks that the suffix of a file fits its format.

    Args:
        path: path of the file.
        suffixes: those of the format, the usual one first.

    Raises:
        ImageError: the path has another suffix.

    Example:
        >>> check_suffix(Path("a.ORA"), [".ora"])
    """
    if path.suffix.lower() not in suffixes:
        raise ImageError(f"{path} must end in {' or '.join(suffixes)}; for example {path.with_suffix(suffixes[0])}")


@contextlib.contextmanager
def opened_for_writing(target: "Target", suffixes: Sequence[str], source: Path | None) -> Iterator[BinaryIO]:
    """Opens a file that appears under its name once it is complete; an existing file is replaced.

    Args:
        target: path of the file; or a binary file that is open for writing, which gets all bytes at once, and only if
            nothing failed.
        suffixes: see `check_suffix`.
        source: path of the original, which is never replaced; `None` if it is not a file.

    Raises:
        ImageError: the suffix is wrong, the file is the original, or it cannot be written.
    """
    if not isinstance(target, str | PathLike):
        with unnamed() as file:
            yield file
            file.seek(0)
            shutil.copyfileobj(file, target)
        return
    path = Path(target)
    check_suffix(path, suffixes)
    check_not_original(source, path)
    try:
        with replacing(path) as file:
            yield file
    except OSError as error:
        reason = error.strerror or error
        if isinstance(error, FileNotFoundError) and not path.parent.is_dir():
            reason = f"there is no folder {path.parent}"
        raise ImageError(f"{path} cannot be written: {reason}") from error
