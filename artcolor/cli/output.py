"""What commands print, and how."""

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from artcolor.errors import ConfigError

OUT = Console()
ERR = Console(stderr=True)


def complain(kind: str, what: object) -> None:
    """Prints an error or a failure.

    Args:
        kind: its first word, in red.
        what: the message.
    """
    # Names of files and extras may hold brackets, which rich would take for markup.
    ERR.print(Text.assemble((f"{kind}: ", "red"), _printable(str(what))), soft_wrap=True, highlight=False)


def say(line: str) -> None:
    """Prints a line of results."""
    OUT.print(Text(_printable(line)), soft_wrap=True, highlight=False)


def _printable(text: str) -> str:
    # Names of files may hold bytes that are not UTF-8.
    return text.encode(errors="backslashreplace").decode()


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """Turns a missing package into advice to install an extra.

    Args:
        name: of the extra.
    """
    try:
        yield
    except ImportError as error:
        what = f"this needs {error.name}, which is not installed" if error.name else str(error)
        raise ConfigError(f"{what}: pip install 'artcolor[{name}]'") from error
