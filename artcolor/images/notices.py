"""Warnings about a file while it is read or written, each with its name and only once."""

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar

_LOG = logging.getLogger("artcolor.images")
_FILE: ContextVar[tuple[str, set[str]] | None] = ContextVar("_FILE", default=None)
# Of one thread, as requests of a server are worked on in several.
_COLLECTED: ContextVar[list[str] | None] = ContextVar("_COLLECTED", default=None)


@contextlib.contextmanager
def collected() -> Iterator[list[str]]:
    """Collects the warnings of this thread, each once; they are logged all the same.

    Yields:
        The warnings so far, without the names of files.
    """
    found: list[str] = []
    token = _COLLECTED.set(found)
    try:
        yield found
    finally:
        _COLLECTED.reset(token)


@contextlib.contextmanager
def about(name: str) -> Iterator[None]:
    """A context in which warnings begin with the name of a file, and none is repeated.

    Args:
        name: name of the file in messages.
    """
    current = _FILE.get()
    if current is not None and current[0] == name:
        yield
        return
    token = _FILE.set((name, set()))
    try:
        yield
    finally:
        _FILE.reset(token)


def warn(message: str, logged: set[str] | None = None) -> None:
    """Logs a warning about the file at hand, or about a picture made in memory.

    Args:
        message: says what was not honored, and what was done instead.
        logged: warnings that are not logged again; this one is added.
    """
    collected = _COLLECTED.get()
    if collected is not None and message not in collected:
        collected.append(message)
    if logged is not None:
        if message in logged:
            return
        logged.add(message)
    current = _FILE.get()
    if current is None:
        _LOG.warning("%s", message)
    elif message not in current[1]:
        current[1].add(message)
        # The command counts files by this form.
        _LOG.warning("%s: %s", current[0], message)
