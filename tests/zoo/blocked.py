"""A machine without network, for as long as a block of code runs."""

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
    """Every use of a socket, of any library in this process, is an error."""
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
"""The same for the whole life of a process; its code starts with this."""
