"""Runs two steps at a time: the network processes the next frames while earlier ones are painted and encoded."""

import contextvars
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from threadpoolctl import threadpool_limits

__all__ = ["Ahead"]

_T = TypeVar("_T")
_END: Any = object()


class Ahead(Generic[_T]):
    """Makes items in a thread, some of them before they are asked for.

    Args:
        count: number of items to make ahead.

    Example:
        >>> ahead = Ahead(2)
        >>> list(ahead.of(each * each for each in ahead.watched([1, 2, 3])))
        [1, 4, 9]
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._stopped = threading.Event()

    def of(self, items: Iterator[_T]) -> Generator[_T, None, None]:
        """Yields items, in order.

        Args:
            items: items, which the thread iterates over. What it raises is raised here.
        """
        context = contextvars.copy_context()

        def another() -> _T:
            made: _T = context.run(next, items, _END)
            return made

        # NumPy's products are small, and its threads would wait for cores that the network uses.
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(1, "artcolor-ahead") as pool:
            waiting = deque(pool.submit(another) for _ in range(self._count))
            try:
                while (item := waiting.popleft().result()) is not _END:
                    waiting.append(pool.submit(another))
                    yield item
            finally:
                # Ctrl-C should not wait for all that was to be made.
                self._stopped.set()
                for each in waiting:
                    each.cancel()

    def watched(self, sources: Iterable[Any]) -> Iterator[Any]:
        """Yields the sources of items until no more items are requested.

        Args:
            sources: any iterable.
        """
        for source in sources:
            if self._stopped.is_set():
                return
            yield source
