"""Prints results, errors and advice."""

import contextlib
import io
import logging
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import typer
from rich.console import Console
from rich.text import Text

from artcolor.errors import ConfigError, install_extra

# How `artcolor.images.notices` words a warning about a file.
_ABOUT_FILE = "%s: %s"

OUT = Console()
ERR = Console(stderr=True)


@dataclass(frozen=True)
class Showing:
    """What a run prints beside errors.

    Attributes:
        quiet: errors only.
        verbose: a line for each file, too.
        json: an object for each file on standard output, in place of everything else there.
    """

    quiet: bool = False
    verbose: bool = False
    json: bool = False

    def say(self, line: str) -> None:
        """Prints a line of results, unless standard output is for something else.

        Args:
            line: the text.
        """
        if not self.quiet and not self.json:
            say(line)

    @property
    def bar(self) -> bool:
        """Whether a progress bar is shown; on the terminal that shows a line for each file, it would mix with them."""
        return not self.quiet and not (OUT.is_terminal and (self.verbose or self.json))

    def warnings(self, named: Callable[[str], str] = str) -> contextlib.AbstractContextManager[None]:
        """Within it, warnings are collected as by `grouped_warnings`, and dropped if only errors are printed.

        Args:
            named: see `grouped_warnings`.
        """
        return grouped_warnings(show=not self.quiet, named=named)


def complain(kind: str, what: object) -> None:
    """Prints an error or a failure to standard error.

    Args:
        kind: word before the message, in color.
        what: the message.
    """
    # Names of files and extras may contain brackets, which rich would interpret as markup.
    text = Text(_wrapped(f"{kind}: {_printable(str(what))}", ERR))
    text.stylize("yellow" if kind == "warning" else "red", 0, len(kind) + 1)
    ERR.print(text, soft_wrap=True, highlight=False)


def say(line: str) -> None:
    """Prints a line of results to standard output.

    Args:
        line: the text.
    """
    # If a signal ends a print of rich, the next one prints the same line again.
    typer.echo(_wrapped(_printable(line), OUT))


def _wrapped(text: str, console: Console) -> str:
    """Breaks lines between words if they are for a terminal; rich would also break long paths."""
    if not console.is_terminal:
        return text
    wrap = textwrap.TextWrapper(console.width, break_long_words=False, break_on_hyphens=False, replace_whitespace=False)
    return "\n".join(wrap.fill(line) for line in text.splitlines())


def _printable(text: str) -> str:
    # File names may contain bytes that are not UTF-8.
    return text.encode(errors="backslashreplace").decode()


def accept_any_encoding() -> None:
    """Lets output streams replace what their encoding cannot hold, as that of a redirected stream on Windows."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class _Grouped(logging.Handler):
    """Collects warnings about files, and prints each kind once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._files: dict[str, list[str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.args, tuple) and record.msg == _ABOUT_FILE and len(record.args) == 2:
            file, message = map(str, record.args)
            self._files.setdefault(message, []).append(file)
        else:
            self._files.setdefault(record.getMessage(), []).append("")

    def show(self, named: Callable[[str], str]) -> None:
        for message, paths in self._files.items():
            message, files = named(message), [named(path) for path in paths]
            if len(files) > 1 and files[0]:
                complain("warning", f"{len(files)} files, for example {files[0]}: {message}")
            else:
                complain("warning", f"{files[0]}: {message}" if files[0] else message)


@contextlib.contextmanager
def grouped_warnings(*, show: bool = True, named: Callable[[str], str] = str) -> Iterator[None]:
    """A context that collects warnings of the package, and prints each once at its end, with the number of files.

    Args:
        show: print them; otherwise they are dropped.
        named: gives files in a text other names (see `artcolor.batch.mirror.Mirror.named`).
    """
    logger, handler = logging.getLogger("artcolor"), _Grouped()
    logger.addHandler(handler)
    # The usual handlers would print each one at once.
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = True
        logger.removeHandler(handler)
        if show:
            handler.show(named)


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """Turns the import error of a missing package into advice to install an extra.

    Args:
        name: name of the extra.

    Raises:
        ConfigError: a package is missing.
    """
    try:
        yield
    except ImportError as error:
        what = f"this needs {error.name}, which is not installed" if error.name else str(error)
        raise ConfigError(f"{what}: {install_extra(name)}") from error
