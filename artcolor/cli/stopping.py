"""Ending a run early: Ctrl-C, and the signal by which systems and containers end programs."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["Stop", "stoppable"]


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM arrived; whoever handles Ctrl-C handles it, too."""


class Stop:
    """Tells whether a block of code was ended early.

    Attributes:
        status: the exit status of a program that was ended like this; `None` if the block ran to its end.
    """

    status: int | None = None


@contextlib.contextmanager
def stoppable() -> Iterator[Stop]:
    """Lets Ctrl-C and SIGTERM end the block within it, but not what follows.

    Container runtimes, `systemctl stop` and `kill` send SIGTERM, which would otherwise end the process at once.

    Yields:
        Tells afterwards how the block ended.
    """
    stop = Stop()

    def terminate(number: int, frame: FrameType | None) -> None:
        raise _TerminatedError

    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, terminate) if main else None
    try:
        yield stop
    except KeyboardInterrupt as error:
        number = signal.SIGTERM if isinstance(error, _TerminatedError) else signal.SIGINT
        stop.status = 128 + number
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)
