"""Runs the server until it is stopped."""

import contextlib
import ctypes
import socket
import sys
from collections.abc import Callable

import uvicorn

from artcolor.errors import ConfigError
from artcolor.serve.app import make_app
from artcolor.serve.connections import limited_connections
from artcolor.serve.models import make_colorizer
from artcolor.serve.settings import Settings

__all__ = ["make_server", "run"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def run(settings: Settings, started: Callable[[str], None]) -> None:
    """Runs the server. After SIGTERM or Ctrl-C, it completes pending requests and stops.

    Args:
        settings: settings of the server.
        started: called with the address once clients can connect.

    Raises:
        ConfigError: it cannot listen there, or there is no such model.
        WeightsError: the weights are missing or damaged.
    """
    _give_memory_back()
    # An invalid model is reported now, and the first request need not wait for loading.
    make_colorizer(settings.model, settings)
    with _listening(settings) as listener:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"http://{host}:{listener.getsockname()[1]}"
        make_server(settings, lambda: started(address)).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, listens: Callable[[], None]) -> None:
        super().__init__(config)
        self._listens = listens

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listens()


def make_server(settings: Settings, started: Callable[[], None] = lambda: None) -> uvicorn.Server:
    """Creates a server without running it.

    Args:
        settings: settings of the server.
        started: called once the server answers.
    """
    return _Server(
        uvicorn.Config(
            make_app(settings),
            http=limited_connections(settings),
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=5,
            # A request may take `seconds` to arrive, and as long again to be answered.
            timeout_graceful_shutdown=round(2 * settings.seconds) + 5,
            h11_max_incomplete_event_size=32 << 10,
        ),
        started,
    )


def _give_memory_back() -> None:
    # glibc keeps freed blocks that are smaller than a threshold, which it raises up to 32 MB by itself. Pillow's blocks
    # have 16 MB, so that the memory of large pictures would stay with the process. Smaller blocks are used again: to
    # get memory from the system takes milliseconds for each picture.
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            set_option = ctypes.CDLL(None).mallopt
            set_option(_M_MMAP_THRESHOLD, 8 << 20)
            set_option(_M_TRIM_THRESHOLD, 16 << 20)


def _listening(settings: Settings) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"cannot listen on {settings.host}: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except OSError as error:
        listener.close()
        where = f"{settings.host} port {settings.port}"
        raise ConfigError(f"cannot listen on {where}: {error.strerror}; choose another --port") from error
    return listener
