import asyncio
import threading

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from artcolor.serve.places import Places
from artcolor.serve.settings import Settings


def test_a_client_that_hangs_up_in_the_queue_is_not_served() -> None:
    places, started, done, run = Places(Settings(threads=1, queue=1)), threading.Event(), threading.Event(), []

    def work() -> str:
        started.set()
        done.wait(60)
        return "picture"

    async def waits() -> Message:
        return await asyncio.get_running_loop().create_future()

    async def hangs_up() -> Message:
        return {"type": "http.disconnect"}

    async def ask(receive, function) -> object:
        with places.take() as place:
            return await place.run(Request({"type": "http"}, receive), function)

    async def both() -> None:
        first = asyncio.create_task(ask(waits, work))
        await asyncio.to_thread(started.wait)
        with pytest.raises(HTTPException, match="hung up"):
            await ask(hangs_up, lambda: run.append(1))
        assert places.taken == 1
        done.set()
        assert await first == "picture"

    asyncio.run(both())
    places.close()
    assert run == []
    assert places.taken == 0
