"""Writes files atomically, removes leftovers of killed processes, and computes hashes."""

import contextlib
import hashlib
import io
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed anyway.
    fcntl = None  # type: ignore[assignment]

_TEMPORARY = re.compile(r"\.(.{1,50})\.[0-9a-f]{12}\.tmp", re.DOTALL)
# A colon would name a stream inside another file, and a backslash separates folders.
_NOT_ON_WINDOWS = re.compile(
    r"""[<>:"/\\|?*\x00-\x1f] | [. ]\Z | \A(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z)""", re.IGNORECASE | re.VERBOSE
)


class _Raw(io.FileIO):
    """A file that hides its number from encoders in C.

    Those of Pillow write to the number without looking whether all was written: on a full disk they give files that are
    cut off, and no error.
    """

    def fileno(self) -> int:
        raise io.UnsupportedOperation("write through the file object")

    def lock(self, *, without_locks: bool = False) -> bool:
        """Takes the lock if nobody has it; the system gives it back when the process ends.

        Args:
            without_locks: the answer on a disk that knows no locks.
        """
        if fcntl is None:
            return True
        try:
            fcntl.flock(super().fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return without_locks
        return True

    def sync(self) -> None:
        """Waits until all is on disk."""
        os.fsync(super().fileno())


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file under a temporary name beside `path`, and renames it once all is written and on disk.

    If anything fails, `path` stays as it was and no temporary file remains. If the process is killed, the temporary
    file remains, without a lock. `remove_leftovers` deletes such files, but not those that are being written.

    Args:
        path: path of the file to replace or create.
    """
    # Not tempfile: it makes files that only their owner may read, and there is no thread-safe way to ask for the umask.
    temporary = path.parent / f".{_stem(path)}.{secrets.token_hex(6)}.tmp"
    try:
        with io.BufferedWriter(raw := _Raw(temporary, "xb")) as file:
            raw.lock()
            yield file
            file.flush()
            raw.sync()
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def unnamed() -> Iterator[BinaryIO]:
    """Opens a temporary file for writing and reading. Except on Windows it has no name, so none is left behind.

    Example:
        >>> with unnamed() as file:
        ...     _ = file.write(b"abc"), file.seek(0)
        ...     file.read()
        b'abc'
    """
    with tempfile.TemporaryFile(buffering=0) as opened:
        raw = _Raw(opened.fileno(), "r+b", closefd=False)
        # Otherwise a number, which libraries do not expect.
        raw.name = "temporary"
        with io.BufferedRandom(raw) as file:
            yield file


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a lock on a file. The system releases it when the process ends.

    Windows and some network drives have no such locks; there, nothing is locked.

    Args:
        path: path of the file, which is created if missing.

    Raises:
        BlockingIOError: another process holds it.
    """
    with _Raw(path, "ab") as file:
        if not file.lock(without_locks=True):
            raise BlockingIOError(f"{path} is locked by another process")
        yield


def can_be_named(name: str, *, windows: bool = os.name == "nt") -> bool:
    """Returns whether a file or folder can have this name.

    Args:
        name: the name, without folders.
        windows: whether to apply the rules of Windows, too.

    Example:
        >>> [can_be_named(name, windows=True) for name in ("a.png", "a:b.png", "con.png", "a.")]
        [True, False, False, False]
    """
    # Most disks hold names of 255 bytes.
    fits = name not in ("", ".", "..") and not {"/", "\0"} & set(name) and len(os.fsencode(name)) <= 255
    return fits and (not windows or _NOT_ON_WINDOWS.search(name) is None)


def write_atomically(path: Path, data: bytes) -> None:
    """Writes `data` into the file `path`, whole or not at all."""
    with replacing(path) as file:
        file.write(data)


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Waits until a file, or the entries of a folder, are on disk."""
    # Windows cannot open a folder to sync it; its renames need no such help.
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(paths: Iterable[Path]) -> list[Path]:
    """Removes temporary files that killed processes left while `replacing` these paths.

    Files that another process is writing stay, as do all files on a drive without locks.

    Args:
        paths: paths that were to be replaced; they and their folders may be missing.

    Returns:
        Paths of the removed files.
    """
    stems: dict[Path, set[str]] = {}
    for path in paths:
        stems.setdefault(path.parent, set()).add(_stem(path))
    removed = []
    for folder, wanted in stems.items():
        try:
            names = os.listdir(folder)  # noqa: PTH208 (one name at a time as Path is slow where there are many)
        except OSError:
            continue
        for name in names:
            found = _TEMPORARY.fullmatch(name)
            if found and found[1] in wanted and _removed(folder / name):
                removed.append(folder / name)
    return removed


def _stem(path: Path) -> str:
    # A letter is up to 4 bytes, and most disks hold names of 255.
    return path.name[:50]


def _removed(temporary: Path) -> bool:
    try:
        with _Raw(temporary) as file:
            if not file.lock():
                return False
        temporary.unlink()
    except OSError:
        return False
    return True
