"""Pictures that are kept between requests, with their network features."""

import contextlib
import gc
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from artcolor.models.guidance import Decoding, Guidance
from artcolor.serve.memory import Room
from artcolor.serve.settings import Settings
from artcolor.serve.work import FEATURE_BYTES, work_of

if TYPE_CHECKING:
    # It imports torch, which a server that only gets pictures to colorize may do without.
    from artcolor.engine.session import Session

__all__ = ["BYTES_PER_PIXEL", "Kept", "Sessions"]

BYTES_PER_PIXEL = 3
"""Estimated memory of a picture, before it is read."""


@dataclass
class Kept:
    """A session of a client.

    Attributes:
        session: renders the picture.
        suffix: suffix of a file in the format of the original.
        reference: bytes and name of a colored picture that the colors follow; `None` without one.
        working: number of pixels at the working size.
        guidance: the latest guidance of the client.
        decoding: the latest decoding options of the client.
        warnings: about reading the picture.
        used: when, by `time.monotonic`.
        lock: held while a request works with the session.
    """

    session: "Session"
    suffix: str
    reference: tuple[bytes, str] | None = None
    working: int = 0
    guidance: Guidance = field(default_factory=Guidance)
    decoding: Decoding = field(default_factory=Decoding)
    warnings: tuple[str, ...] = ()
    used: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _previews: "dict[int, Session]" = field(default_factory=dict, init=False, repr=False)

    @property
    def pixels(self) -> int:
        """Number of pixels of the picture."""
        height, width = self.session.original.pixels.shape[:2]
        return int(height * width)

    @property
    def bytes(self) -> int:
        """Memory of the picture, its previews, the reference and the network features."""
        count = FEATURE_BYTES * self.working + (0 if self.reference is None else len(self.reference[0]))
        for each in (self.session, *list(self._previews.values())):
            picture = each.original
            count += picture.pixels.nbytes + (0 if picture.alpha is None else picture.alpha.nbytes)
        return count

    def preview(self, side: int) -> "Session":
        """The session at a reduced size; the last two are kept, as pages show a preview and small alternatives.

        Args:
            side: length of the longer side in pixels.
        """
        if side not in self._previews:
            while len(self._previews) >= 2:
                del self._previews[next(iter(self._previews))]
            self._previews[side] = self.session.preview(side)
        return self._previews[side]


class Sessions:
    """The newest sessions, each until it has been unused for a while.

    Args:
        settings: settings of the server; `sessions`, `session_bytes` and `session_seconds` are used.
    """

    def __init__(self, settings: Settings) -> None:
        self._most_bytes = settings.session_bytes
        self._largest, self._seconds = settings.sessions, settings.session_seconds
        self._kept: dict[str, Kept] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            self._remove_old()
            return len(self._kept)

    def add(self, kept: Kept) -> str:
        """Adds a session; the oldest are removed if there are too many or they are too large.

        Args:
            kept: the session.

        Returns:
            Its id, which cannot be guessed.
        """
        name = secrets.token_urlsafe(16)
        with self._lock:
            self._remove_old()
            self._kept[name] = kept
            self._shrink(0)
        return name

    def make_room(self, count: int) -> None:
        """Deletes the oldest sessions if there is no memory for a further picture.

        Args:
            count: bytes that it will have.
        """
        with self._lock:
            before = len(self._kept)
            self._shrink(count)
            forgotten = before - len(self._kept)
        if forgotten or count > self._most_bytes // 8:
            # Cycles of references may hold earlier pictures; the collector counts objects, not their bytes.
            gc.collect()

    def _shrink(self, count: int) -> None:
        # Without a further one, the newest stays in any case.
        fewest = 0 if count else 1
        while len(self._kept) > self._largest or (
            len(self._kept) > fewest and sum(kept.bytes for kept in self._kept.values()) + count > self._most_bytes
        ):
            del self._kept[next(iter(self._kept))]

    def get(self, name: str) -> Kept:
        """Finds a session.

        Args:
            name: its id.

        Raises:
            HTTPException: there is none, or it has expired (404).
        """
        with self._lock:
            self._remove_old()
            if name not in self._kept:
                raise HTTPException(404, "there is no such session, or it has expired; start a new one")
            kept = self._kept[name]
            kept.used = time.monotonic()
            return kept

    @contextlib.contextmanager
    def using(self, name: str, room: Room, hints: Any = None) -> Iterator[Kept]:
        """Gives a session to one user at a time.

        Args:
            name: its id.
            room: room for its picture.
            hints: its new hints, as JSON; `None` keeps the present ones.

        Raises:
            ConfigError: the hints need too much memory or time.
            HTTPException: there is no such session, or it has expired (404), or no room (503).
        """
        waiting = self.get(name)
        pixels = max(waiting.pixels, work_of(waiting.working, hints or waiting.guidance.hints, draws=True))
        del waiting
        with room.take(pixels):
            # Only now, so that those who wait do not hold the picture.
            kept = self.get(name)
            with kept.lock:
                yield kept

    def remove(self, name: str) -> None:
        """Deletes a session.

        Args:
            name: its id.

        Raises:
            HTTPException: there is none (404).
        """
        self.get(name)
        with self._lock:
            self._kept.pop(name, None)

    def remove_old(self) -> None:
        """Deletes sessions that were not used for too long."""
        with self._lock:
            self._remove_old()

    def _remove_old(self) -> None:
        oldest = time.monotonic() - self._seconds
        for name in [name for name, kept in self._kept.items() if kept.used < oldest]:
            del self._kept[name]
