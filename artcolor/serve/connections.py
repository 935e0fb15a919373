"""Limits connections: those that ask for nothing, or take nothing, end after a while; or earlier if there are many."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from artcolor.serve.settings import Settings

__all__ = ["limited_connections"]


def limited_connections(settings: Settings) -> type[H11Protocol]:
    """Makes the class of connections of a server.

    uvicorn waits forever for a request. And with `limit_concurrency`, idle connections would keep others out.

    Args:
        settings: `connections` and `idle_seconds` count.

    Returns:
        A class for `uvicorn.Config(http=...)`.
    """
    # Connections without a request, the oldest first.
    waiting: dict[H11Protocol, None] = {}

    class Connection(H11Protocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._deadline: asyncio.TimerHandle | None = None
            self._stalled: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait()
            while len(self.connections) > settings.connections and waiting:
                next(iter(waiting))._end()  # type: ignore[attr-defined]

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            self._moves()
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

        def handle_events(self) -> None:
            super().handle_events()
            if self._in_request():
                self._stop_waiting()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            # What was sent ahead may have begun the next request.
            if not self._in_request():
                self._wait()

        def _in_request(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _wait(self) -> None:
            self._stop_waiting()
            waiting[self] = None
            self._deadline = self.loop.call_later(settings.idle_seconds, self._end)

        def _stop_waiting(self) -> None:
            waiting.pop(self, None)
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _end(self) -> None:
            self._stop_waiting()
            # At once; `close` would wait for clients that take nothing.
            self.transport.abort()
            self.connections.discard(self)

    return Connection
