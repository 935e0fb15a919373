"""Blocks all network access."""

import contextlib
import sys
from collections.abc import Iterator

_blocked = False


def _refuse(event: str, _: object) -> None:
    if _blocked and event.startswith("socket."):
        raise AssertionError(f"{event}: the network was used")


sys.addaudithook(_refuse)


@contextlib.contextmanager
def sockets() -> Iterator[None]:
    """Makes every use of a socket by any library in this process an error."""
    global _blocked
    _blocked = True
    try:
        yield
    finally:
        _blocked = False


IN_A_PROCESS = """
import sys
def refuse(event, _):
    if event.startswith("socket."):
        raise AssertionError(f"{event}: the network was used")
sys.addaudithook(refuse)
"""
"""Code that does the same for a whole process; put it first."""
