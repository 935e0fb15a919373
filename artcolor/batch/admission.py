"""Bounds the memory of a run by admitting pictures only while their pixels fit."""

import threading
import time


class ClosedError(Exception):
    """The run ended before a picture was admitted."""


class Admission:
    """Admits pictures in order of arrival while their pixels fit. A picture that never fits is admitted alone.

    Args:
        capacity: pixels that may be in memory at once.

    Example:
        >>> admission = Admission(1_000_000)
        >>> admission.enter(5_000_000) < 1
        True
        >>> admission.leave(5_000_000)
    """

    def __init__(self, capacity: int) -> None:
        self._capacity, self._used, self._closed = capacity, 0, False
        # Whoever holds the turn is the next to enter; the others queue for it.
        self._turn, self._changed = threading.Lock(), threading.Condition()

    def enter(self, pixels: int) -> float:
        """Waits until a picture fits, and returns the seconds spent waiting.

        Args:
            pixels: size of the picture.

        Raises:
            ClosedError: `close` was called in the meantime.
        """
        start = time.perf_counter()
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._closed or not self._used or self._used + pixels <= self._capacity)
            if self._closed:
                raise ClosedError
            self._used += pixels
        return time.perf_counter() - start

    def leave(self, pixels: int) -> None:
        """Frees the space of a picture.

        Args:
            pixels: what it was admitted with; 0 if it never entered.
        """
        with self._changed:
            self._used -= pixels
            self._changed.notify_all()

    def close(self) -> None:
        """Turns away all pictures that are waiting or arrive later."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
