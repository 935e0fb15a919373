"""Metrics for Prometheus, at `/metrics`."""

import time
from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Counting", "Metrics"]


class Metrics:
    """Counters of one server.

    Args:
        places: returns the number of requests waiting or in progress.
        sessions: returns the number of sessions.
        held: returns the number of bytes of files in memory.
    """

    media_type = CONTENT_TYPE_LATEST

    def __init__(self, places: Callable[[], int], sessions: Callable[[], int], held: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "artcolor_requests", "Answered requests.", ("endpoint", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "artcolor_request_seconds", "Time from request to response.", ("endpoint",), registry=self._registry
        )
        for name, text, value in (
            ("artcolor_places", "Requests that are waiting or in progress.", places),
            ("artcolor_sessions", "Open sessions.", sessions),
            ("artcolor_held_bytes", "Bytes of request and response bodies in memory.", held),
        ):
            Gauge(name, text, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """The counters in the format of Prometheus."""
        return generate_latest(self._registry)


class Counting:
    """Counts requests by endpoint and status.

    Args:
        app: the application that answers requests.
        metrics: the counters.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Paths hold ids, and anybody can make up new ones.
                endpoint = getattr(scope.get("endpoint"), "__name__", "other")
                self._metrics.requests.labels(endpoint, message["status"]).inc()
                self._metrics.seconds.labels(endpoint).observe(time.perf_counter() - start)
            await send(message)

        await self._app(scope, receive, counted)
