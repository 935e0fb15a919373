"""Limits connections: idle ones are closed after a while, or earlier if there are many."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from artcolor.serve.settings import Settings

__all__ = ["limited_connections"]

_NEW_SECONDS = 0.25


def limited_connections(settings: Settings) -> type[H11Protocol]:
    """Creates the connection class of a server.

    uvicorn waits forever for a request. And with `limit_concurrency`, idle connections would keep others out.

    Args:
        settings: `connections` and `idle_seconds` are used.

    Returns:
        A class for `uvicorn.Config(http=...)`.
    """
    # Connections that have not sent a whole request, and could.
    waiting: dict[Any, None] = {}

    class Connection(H11Protocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._deadline: asyncio.TimerHandle | None = None
            self._stalled: asyncio.TimerHandle | None = None
            # Bytes of the request, and since when they may come.
            self._received, self._since = 0, self.loop.time()

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait()
            while len(self.connections) > settings.connections and waiting:
                min(waiting, key=Connection._progress)._end()

        def _progress(self) -> tuple[bool, float, float]:
            age = self.loop.time() - self._since
            # Who has just come has had no time to send anything.
            new = age < _NEW_SECONDS
            return new, 0 if new else self._received / age, self._since

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            self._moves()
            waiting.pop(self, None)
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._moves()
            self._stalled = self.loop.call_later(settings.idle_seconds, self._end)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._moves()

        def _moves(self) -> None:
            if self._stalled is not None:
                self._stalled.cancel()
                self._stalled = None

        def data_received(self, data: bytes) -> None:
            self._received += len(data)
            super().data_received(data)

        def handle_events(self) -> None:
            super().handle_events()
            if self._in_request():
                self._stop_waiting()
                if not self.cycle.more_body:
                    waiting.pop(self, None)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            # What was sent ahead may have begun the next request.
            if not self._in_request():
                self._wait()
            elif self.cycle.more_body:
                self._wait_for_data()

        def _in_request(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _wait(self) -> None:
            self._stop_waiting()
            self._wait_for_data()
            self._deadline = self.loop.call_later(settings.idle_seconds, self._end)

        def _wait_for_data(self) -> None:
            self._received, self._since = 0, self.loop.time()
            waiting[self] = None

        def _stop_waiting(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _end(self) -> None:
            self._stop_waiting()
            waiting.pop(self, None)
            # At once; `close` would wait for clients that take nothing.
            self.transport.abort()
            self.connections.discard(self)

    return Connection
