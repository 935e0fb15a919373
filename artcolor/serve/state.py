"""State that the endpoints of one server share."""

import asyncio
from dataclasses import dataclass, field

from starlette.requests import Request

from artcolor.serve.memory import Memory, Room
from artcolor.serve.metrics import Metrics
from artcolor.serve.places import Places
from artcolor.serve.sessions import Sessions
from artcolor.serve.settings import Settings

__all__ = ["State", "state_of"]


@dataclass(frozen=True)
class State:
    """What the endpoints of one server share.

    Attributes:
        settings: settings of the server.
        places: threads and the queue for them.
        memory: counts the files that are held.
        room: room for large pictures.
        sessions: pictures that are kept.
        metrics: counters of the server.
        folder: lock that is held by the one request that colorizes a folder.
    """

    settings: Settings
    places: Places
    memory: Memory
    room: Room
    sessions: Sessions
    metrics: Metrics
    folder: asyncio.Lock = field(default_factory=asyncio.Lock)


def state_of(request: Request) -> State:
    """The state of the server that got a request.

    Args:
        request: the request.
    """
    state = request.app.state.artcolor
    assert isinstance(state, State)
    return state
