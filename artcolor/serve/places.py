"""A fixed number of threads and a short queue; further requests are rejected immediately."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request

from artcolor.serve.memory import Memory
from artcolor.serve.settings import Settings

__all__ = ["Place", "Places"]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_RETRY_AFTER = 1


class Places:
    """Threads that colorize, and places in the queue for them.

    Args:
        settings: settings of the server; `threads`, `queue` and `seconds` are used.
        memory: counts the bodies of requests.
    """

    def __init__(self, settings: Settings, memory: Memory) -> None:
        self._memory = memory
        self._threads = ThreadPoolExecutor(settings.threads, "artcolor")
        self._largest, self._seconds = settings.threads + settings.queue, settings.seconds
        self._lock = threading.Lock()
        self._taken = 0

    @property
    def taken(self) -> int:
        """Number of requests waiting or in progress."""
        return self._taken

    def take(self) -> "Place":
        """Prepares a place, before the body of the request is read.

        It is taken by the first function that runs in it: a body that arrives slowly must not keep others out.

        Returns:
            The place, a context manager.

        Raises:
            HTTPException: all are taken (503).
        """
        # So that the body of most requests that would be refused is not read.
        self._claim(0)
        return Place(self._threads, self._seconds, self._memory, lambda: self._claim(1), self._give_back)

    def _claim(self, count: int) -> None:
        with self._lock:
            if self._taken >= self._largest:
                raise HTTPException(503, "the server is busy; try again", {"Retry-After": str(_RETRY_AFTER)})
            self._taken += count

    def _give_back(self) -> None:
        with self._lock:
            self._taken -= 1

    def close(self) -> None:
        """Waits for what is running, and ends the threads."""
        self._threads.shutdown(cancel_futures=True)


class Place:
    """The place of one request; see `Places.take`.

    Args:
        threads: run functions.
        seconds: time limit of one function.
        memory: counts the body of the request.
        claim: takes the place, or raises an error if there is none.
        give_back: called once the place is free.
    """

    def __init__(
        self,
        threads: ThreadPoolExecutor,
        seconds: float,
        memory: Memory,
        claim: Callable[[], None],
        give_back: Callable[[], None],
    ) -> None:
        self._threads, self._seconds, self._memory = threads, seconds, memory
        self._claim, self._give_back, self._claimed = claim, give_back, False
        self._running: Future[object] | None = None
        self._held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # A thread cannot be stopped, so the place is taken until it is done.
        if self._running is None or self._running.cancel() or self._running.done():
            self._free()
        else:
            self._running.add_done_callback(lambda _: self._free())

    def _free(self) -> None:
        self._memory.give_back(self._held)
        if self._claimed:
            self._give_back()

    def hold(self, count: int) -> None:
        """Counts bytes of the body, which are held as long as the place.

        Args:
            count: number of bytes.

        Raises:
            HTTPException: the server holds too many already (503).
        """
        self._memory.take(count)
        self._held += count

    async def run(self, request: Request, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Runs a function in a thread. The first one takes the place until the end.

        Args:
            request: the request. If its client disconnects before the function starts, the function is not run.
            function: the function to run.
            *args: its positional arguments.
            **kwargs: its keyword arguments.

        Returns:
            What the function returns.

        Raises:
            HTTPException: all places are taken, or it takes too long (503), or the client disconnected (400).
        """
        if not self._claimed:
            self._claim()
            self._claimed = True
        running = self._threads.submit(function, *args, **kwargs)
        self._running = running  # type: ignore[assignment]
        answer = asyncio.wrap_future(running)
        gone = asyncio.create_task(_gone(request))
        awaited: set[asyncio.Future[Any]] = {answer, gone}
        try:
            done, _ = await asyncio.wait(awaited, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        if answer in done:
            return answer.result()
        # Its result is not wanted any more; without a look at it, asyncio would log that an error was lost.
        answer.add_done_callback(lambda late: late.cancelled() or late.exception())
        if gone in done:
            raise HTTPException(400, "the client disconnected")
        # It would take as long again, so there is no Retry-After.
        raise HTTPException(503, f"the picture took longer than {self._seconds:g} s; send a smaller one")


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
