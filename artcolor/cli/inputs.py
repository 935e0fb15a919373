"""The inputs of `artcolor colorize`: paths, patterns, and lists of paths."""

import codecs
import difflib
import glob
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from artcolor.batch.addresses import as_address, path_of, without_secrets
from artcolor.errors import ConfigError, ImageError

__all__ = ["PIPE", "STANDARD_INPUT", "listed", "output_path", "paths_of", "references_of"]

PIPE = Path("-")
"""Standard input as an input, standard output as an output."""

STANDARD_INPUT = "standard input"

# A single letter is a disk of Windows. A second slash is lost where a path is made of it.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/|data:", re.IGNORECASE)


def paths_of(given: Sequence[str]) -> list[Path]:
    """Checks inputs, and expands patterns that the shell left alone, such as `*.png` on Windows.

    Args:
        given: paths, patterns, and `-`.

    Returns:
        Paths that exist, addresses in stores, and `-`.

    Raises:
        ConfigError: an input is empty, or an address that is not in an object store.
        ImageError: there is no file of this name, or none that matches the pattern.
    """
    return [path for each in given for path in _expanded(each)]


def _expanded(text: str) -> Iterator[Path]:
    if not text:
        raise ConfigError("an input is empty; give the path of a picture or folder")
    path = path_of(text)
    if as_address(path) is not None or path == PIPE or os.path.lexists(path):
        yield path
        return
    if text.startswith("file:/"):
        text = str(path)
    _check_address(text, "download the picture and give its path")
    if glob.has_magic(text):
        found = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 (keeps the path as it was written)
        if not found:
            raise ImageError(f"no file matches {text}")
        yield from map(Path, found)
        return
    what = "file" if path.suffix else "file or folder"
    raise ImageError(f"there is no {what} {text}{_meant(path)}")


def _meant(path: Path) -> str:
    try:
        near = difflib.get_close_matches(path.name, os.listdir(path.parent), 1)  # noqa: PTH208
    except OSError:
        return ""
    return f"; did you mean {path.with_name(near[0])}?" if near else ""


def output_path(given: str | None) -> tuple[Path | None, bool]:
    """Reads the output.

    Args:
        given: a path; `None` if there is none.

    Returns:
        The path, and whether it ends in a slash, so that it is a folder whatever its name.

    Raises:
        ConfigError: it is empty, or an address that is not in an object store.
    """
    if given is None:
        return None, False
    if not given:
        raise ConfigError("-o is empty; give a file or a folder, or leave it out")
    path = path_of(given)
    if as_address(path) is None and not given.startswith("file:/"):
        _check_address(given, "give a file or a folder as -o")
    return path, given.endswith(("/", os.sep))


def references_of(given: Sequence[str]) -> dict[int, Path] | None:
    """Reads which shots have a reference of their own.

    Args:
        given: such as `120=mood.jpg`: the number of a frame, and a picture.

    Returns:
        Number of the frame → path of the picture; `None` if there are none.

    Raises:
        ConfigError: one is written otherwise, or a frame is named twice.
        ImageError: there is no such picture.

    Example:
        >>> references_of(["mood.jpg"])
        Traceback (most recent call last):
            ...
        artcolor.errors.ConfigError: --reference-at mood.jpg has no frame; write it like 120=mood.jpg
    """
    found: dict[int, Path] = {}
    for text in given:
        number, _, path = text.partition("=")
        if not path or not re.fullmatch(r"[0-9]{1,9}", number):
            raise ConfigError(f"--reference-at {text} has no frame; write it like 120=mood.jpg")
        if int(number) in found:
            raise ConfigError(f"--reference-at names frame {int(number)} twice; give it one picture")
        if not os.path.exists(path):  # noqa: PTH110 (never raises)
            raise ImageError(f"--reference-at: there is no file {path}")
        found[int(number)] = Path(path)
    return found or None


def _check_address(text: str, remedy: str) -> None:
    if _ADDRESS.match(text):
        shown = without_secrets(text)[:100]
        raise ConfigError(f"{shown} is an address, and artcolor does not use the network here; {remedy}")


def check_open(stream: object, name: str) -> None:
    """Checks that whoever started the command gave it a standard stream.

    Args:
        stream: `sys.stdin` or `sys.stdout`.
        name: what it is called in the message.

    Raises:
        ConfigError: the stream is closed.
    """
    if stream is None:
        raise ConfigError(f"{name} is closed, so - cannot be used")


def listed(source: Path) -> list[Path]:
    """Reads the paths that a list names, one a line, or separated by NUL if the list contains NUL.

    Args:
        source: the list; `-` is standard input.

    Raises:
        ConfigError: the list cannot be read, or names nothing.
    """
    name = STANDARD_INPUT if source == PIPE else str(source)
    if source == PIPE:
        check_open(sys.stdin, "standard input")
    if source == PIPE and sys.stdin.isatty():
        raise ConfigError("standard input is a terminal; pipe a list of files into it, or give --files-from a file")
    try:
        data = sys.stdin.buffer.read() if source == PIPE else source.read_bytes()
    except OSError as error:
        raise ConfigError(f"the list of files {name} cannot be read: {error.strerror or error}") from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # Windows PowerShell writes lists like this.
        data = data.decode("utf-16", "surrogatepass").encode(errors="surrogatepass")
    data = data.removeprefix(codecs.BOM_UTF8)
    names = data.split(b"\0") if b"\0" in data else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    paths = [path_of(os.fsdecode(each)) for each in names if each.strip()]
    if not paths:
        raise ConfigError(f"{name} lists no files; give one path per line")
    return paths
