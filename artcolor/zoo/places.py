"""Where weights lie on this machine, and how their files are read whole. Does not import torch."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from artcolor.errors import WeightsError
from artcolor.zoo.manifest import MAX_BYTES, Entry

WEIGHTS_DIR = "ARTCOLOR_WEIGHTS_DIR"
"""Environment variable that names a folder of weights files, which is searched first."""

BESIDE = Path(__file__).resolve().parent.parent / "weights"
"""Folder of the weights that the package includes, both in a wheel and in a checkout."""


class DamagedError(WeightsError):
    """A weights file does not have the expected hash."""


def places(entry: Entry) -> list[Path]:
    """Lists the paths where released weights may lie, except in the Hub's cache."""
    own = os.environ.get(WEIGHTS_DIR)
    return [*([Path(own).expanduser() / entry.file] if own else []), BESIDE / entry.file]


def find(entry: Entry) -> Path | None:
    """Finds the local file of released weights, except in the Hub's cache; returns `None` if there is none."""
    return next((path for path in places(entry) if path.is_file()), None)


def remedy(path: Path) -> str:
    """What to do about a released file at this path whose hash is wrong."""
    if path.parent == BESIDE:
        return "Delete it and reinstall artcolor."
    return f"Delete it, replace it with the right file, or unset {WEIGHTS_DIR}."


def read_bytes(
    path: Path,
    sha256: str | None = None,
    *,
    remedy: str = "",
    check: Callable[[BinaryIO, int, Path], None] | None = None,
) -> bytes:
    """Reads a file of weights.

    Args:
        path: path of the file.
        sha256: expected SHA-256, in hexadecimal; `None` skips the check.
        remedy: what to do about a wrong hash, for the error message.
        check: looks at the start of the open file, whose size it gets, too, and raises an error before the rest is
            read; leaves the file at its start.

    Returns:
        Its content.

    Raises:
        DamagedError: the file has another hash.
        WeightsError: the file is missing, cannot be read, or is too large.
    """
    if path.exists() and not path.is_file():
        what = f"a folder; write local-dir:{path} to load the model in it" if path.is_dir() else "not a regular file"
        raise WeightsError(f"{path} is {what}")
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise WeightsError(f"{path} has {size:,} bytes; at most {MAX_BYTES:,} are allowed")
            if check is not None:
                check(file, size, path)
            data = file.read(size)
    except FileNotFoundError:
        raise WeightsError(f"there is no weights file {path}") from None
    except OSError as error:
        raise WeightsError(f"the weights file {path} cannot be read: {error.strerror or error}") from error
    if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise DamagedError(
            f"the weights file {path} is damaged or was modified: its SHA-256 is {found}, "
            f"but should be {sha256}. {remedy}"
        )
    return data
