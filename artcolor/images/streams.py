"""Sources of pictures: a path, the bytes of a file, or an open file."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol, TypeGuard, runtime_checkable

from artcolor.errors import ImageError

_BYTES = "the bytes given"


@runtime_checkable
class Readable(Protocol):
    """An open binary file or a similar object."""

    def read(self, size: int = -1, /) -> bytes:
        """Reads up to this many bytes, or all that are left."""
        ...


Source = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable
"""Where a picture file comes from: its path, its bytes, or a binary file that is open for reading."""


def is_source(x: Any) -> TypeGuard[Source]:
    """Returns whether `open_file` accepts an object.

    Args:
        x: anything. Pillow images, arrays and tensors are pictures already, and no sources.

    Example:
        >>> is_source("a.png"), is_source(b"\\x89PNG"), is_source(io.BytesIO()), is_source(7)
        (True, True, True, False)
    """
    return isinstance(x, str | os.PathLike | bytes | bytearray | memoryview | Readable)


def source_name(source: Any) -> str:
    """Returns the name of a source in messages.

    Args:
        source: see `open_file`.

    Example:
        >>> source_name(b"\\x89PNG")
        'the bytes given'
    """
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return _BYTES
    name = getattr(source, "name", None)
    return name if isinstance(name, str) and name else "the file given"


def file_name_of(source: Any) -> str | None:
    """The name of a file, without its folder; `None` if there is no file, or it has no name.

    Args:
        source: any object; see `is_source`.

    Example:
        >>> file_name_of("scans/a.png"), file_name_of(io.BytesIO())
        ('a.png', None)
    """
    name = source if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    return Path(name).name or None if is_source(source) and isinstance(name, str | os.PathLike) else None


def being(name: str) -> str:
    """Returns the subject and verb of a message about a source: `a.png is`, but `the bytes given are`."""
    return f"{name} {'are' if name == _BYTES else 'is'}"


@contextlib.contextmanager
def reading(source: Source) -> Iterator[IO[bytes]]:
    """Opens a source for reading from anywhere in it.

    A file that is given stays open, but its position moves. One that cannot seek is read into memory.

    Args:
        source: see `open_file`.

    Raises:
        ImageError: it is a folder, is open as text, or is no source at all.
    """
    if isinstance(source, str | os.PathLike):
        if Path(source).is_dir():
            raise ImageError(f"{source} is a folder, not a picture")
        with Path(source).open("rb") as file:
            yield file
    elif isinstance(source, bytes | bytearray | memoryview):
        yield io.BytesIO(source)
    elif isinstance(source, Readable):
        if isinstance(source, io.TextIOBase) or isinstance(source.read(0), str):
            raise ImageError(f'{source_name(source)} is open as text; open it as binary: open(path, "rb")')
        yield source if _seekable(source) else io.BytesIO(source.read())
    else:
        raise ImageError(f"cannot read a picture from a {type(source).__name__}; give a path, bytes or a binary file")


def _seekable(file: Readable) -> TypeGuard[IO[bytes]]:
    """Whether decoders can go to and fro in a file; some files have `seek` and only refuse when it is called."""
    if not hasattr(file, "seek") or not hasattr(file, "tell"):
        return False
    seekable = getattr(file, "seekable", None)
    return seekable is None or bool(seekable())
