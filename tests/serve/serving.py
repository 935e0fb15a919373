"""Runs servers on free ports of this machine."""

import contextlib
import io
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
from PIL import Image

from artcolor.serve.run import make_server
from artcolor.serve.settings import Settings
from tests.conftest import make_painting


@contextlib.contextmanager
def serving(**settings: Any) -> Iterator[httpx.Client]:
    """A client of a server with these settings, which runs in a thread."""
    server = make_server(Settings(**settings))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


def gray(width: int = 96, height: int = 80, format: str = "PNG", seed: int = 1, **options: Any) -> bytes:
    """A picture file."""
    make_painting(seed, width, height).convert("L").save(file := io.BytesIO(), format, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))
