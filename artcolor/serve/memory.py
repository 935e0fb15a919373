"""Limits the memory of the server: the bytes of files in memory, and the pixels being processed."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from artcolor.serve.headers import warning_headers
from artcolor.serve.settings import Settings

__all__ = ["File", "FileAnswer", "Memory", "Room"]

_LOG = logging.getLogger(__name__)
_PIECE = 1 << 18
# The part of all room below which a picture is small.
_SMALL = 16
# Who takes an answer more slowly is cut off; it would hold the memory of others.
_BYTES_PER_SECOND = 100_000


class Memory:
    """Counts the bytes of received files and of files to be sent.

    Args:
        settings: settings of the server; `held_bytes` is used.
    """

    def __init__(self, settings: Settings) -> None:
        self._largest, self._taken = settings.held_bytes, 0
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """Number of bytes in memory."""
        return self._taken

    def take(self, count: int) -> None:
        """Counts further bytes.

        Args:
            count: number of bytes.

        Raises:
            HTTPException: there would be too many (503).
        """
        with self._lock:
            if self._taken + count > self._largest:
                raise HTTPException(503, "the server is busy with large files; try again", {"Retry-After": "2"})
            self._taken += count

    def give_back(self, count: int) -> None:
        """Counts bytes that are no longer in memory.

        Args:
            count: number of bytes.
        """
        with self._lock:
            self._taken -= count


class Room:
    """Processes several small pictures in parallel, but large ones one after the other.

    Args:
        settings: `max_pixels` is what all of them may have together; `seconds` limits the wait.
    """

    def __init__(self, settings: Settings) -> None:
        self._largest, self._seconds, self._taken = settings.max_pixels, settings.seconds, 0
        self._changed = threading.Condition()

    def is_large(self, pixels: int) -> bool:
        """Whether a picture must wait for room."""
        return pixels > self._largest // _SMALL

    @contextlib.contextmanager
    def take(self, pixels: int) -> Iterator[None]:
        """Waits until there is room for a picture.

        Args:
            pixels: number of pixels of the picture and of all that is needed for it.

        Raises:
            HTTPException: it takes too long (503).
        """
        # What is larger than the whole room gets all of it; small pictures need not wait.
        pixels = min(pixels, self._largest) if self.is_large(pixels) else 0
        with self._changed:
            if not self._changed.wait_for(lambda: self._taken + pixels <= self._largest, self._seconds):
                raise HTTPException(503, "the server is busy with large pictures; try again", {"Retry-After": "10"})
            self._taken += pixels
        try:
            yield
        finally:
            with self._changed:
                self._taken -= pixels
                self._changed.notify_all()


class File(NamedTuple):
    """A file to be sent as a response.

    Attributes:
        data: its bytes.
        kind: its media type.
        headers: further headers of the answer.
        warnings: go into a header.
    """

    data: bytes
    kind: str
    headers: Mapping[str, str] = {}
    warnings: tuple[str, ...] = ()


class FileAnswer(Response):
    """Sends a file as fast as the client reads it; its bytes count until then.

    Args:
        file: what is sent.
        memory: counts the bytes of the response.
        settings: `seconds` is what any client has to take the file.

    Raises:
        HTTPException: there is no memory for it (503).
    """

    def __init__(self, file: File, memory: Memory, settings: Settings) -> None:
        memory.take(len(file.data))
        self._memory, self._seconds = memory, settings.seconds + len(file.data) / _BYTES_PER_SECOND
        headers = {**file.headers, **warning_headers(file.warnings)}
        super().__init__(file.data, headers=headers, media_type=file.kind)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        data = memoryview(self.body)
        try:
            async with asyncio.timeout(self._seconds):
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                for start in range(0, len(data), _PIECE):
                    piece = bytes(data[start : start + _PIECE])
                    # Waits while the client takes nothing.
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            # uvicorn closes the connection, as the answer is not complete.
            _LOG.warning("a client read its response too slowly")
        finally:
            self._memory.give_back(len(data))
