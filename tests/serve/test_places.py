import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from artcolor.serve.memory import Memory, Room
from artcolor.serve.places import Places
from artcolor.serve.settings import Settings


def test_a_client_that_hangs_up_in_the_queue_is_not_served() -> None:
    settings = Settings(threads=1, queue=1)
    places, started, done, run = Places(settings, Memory(settings)), threading.Event(), threading.Event(), []

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
        with pytest.raises(HTTPException, match="disconnected"):
            await ask(hangs_up, lambda: run.append(1))
        assert places.taken == 1
        done.set()
        assert await first == "picture"

    asyncio.run(both())
    places.close()
    assert run == []
    assert places.taken == 0


def test_large_pictures_are_worked_on_one_after_the_other() -> None:
    room, together, sums = Room(Settings(max_pixels=100)), [], []

    def work(pixels: int) -> None:
        with room.take(pixels):
            together.append(pixels)
            sums.append(sum(together))
            together.remove(pixels)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, [10, 70, 100, 40, 7] * 20))
    assert max(sums) == 100
    room = Room(Settings(max_pixels=100, seconds=0))
    with room.take(60), room.take(40), room.take(6), pytest.raises(HTTPException) as busy, room.take(7):
        pass
    assert busy.value.status_code == 503
    # A picture that is larger than the room has it for itself.
    with room.take(200):
        pass
