"""Where the server listens, which clients it accepts, and its limits."""

import ipaddress
from dataclasses import dataclass

from artcolor.engine.options import DEFAULT_MODEL
from artcolor.errors import ConfigError

__all__ = ["Settings", "is_loopback"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of the server; safe by default.

    Attributes:
        host: name or address to listen on.
        port: port to listen on.
        token: required from clients of the API as `Authorization: Bearer TOKEN`; `None` requires none, which is only
            allowed with a loopback address.
        model: model for requests that name none.
        device: device for the networks.
        allow_hosts: additional host names of the server.
        allow_origins: pages of other origins that may use the API (CORS), such as `https://example.org`.
        max_bytes: largest request body.
        max_pixels: maximum number of pixels of a picture, all pages or frames together.
        max_size: largest working size that a request may ask for.
        sessions: maximum number of sessions; a new one replaces the oldest.
        session_bytes: memory for all sessions, for pictures and network features; the newest is always kept.
        session_seconds: time for which a session is kept after its last use.
        threads: number of pictures that are colorized in parallel.
        queue: number of requests that may wait for a thread; others get status 503.
        seconds: time limit for receiving a request body, and again for answering it.
        slow_seconds: time after which a body must arrive at `bytes_per_second` on average.
        bytes_per_second: see `slow_seconds`.
        folder_seconds: time limit for all pictures of a folder.
        held_bytes: memory for the bodies of pending requests and for responses that are being sent.
        connections: maximum number of connections; beyond it, the slowest or an idle one is closed.
        idle_seconds: time after which a connection is closed that sends no request or does not read its response.

    Raises:
        ConfigError: the host is not a loopback address, and there is no token.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    token: str | None = None
    model: str = DEFAULT_MODEL
    device: str = "cpu"
    allow_hosts: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    max_bytes: int = 64 << 20
    max_pixels: int = 64_000_000
    max_size: int = 1024
    sessions: int = 8
    session_bytes: int = 192 << 20
    session_seconds: float = 600
    threads: int = 2
    queue: int = 16
    seconds: float = 60
    slow_seconds: float = 5
    bytes_per_second: int = 1000
    folder_seconds: float = 600
    held_bytes: int = 320 << 20
    connections: int = 500
    idle_seconds: float = 20

    def __post_init__(self) -> None:
        if self.token == "":
            raise ConfigError("the token is empty; give a long random one, or omit it")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise ConfigError("the token must be printable ASCII, because it is sent in a header")
        if self.token is None and not is_loopback(self.host):
            raise ConfigError(
                f"{self.host} can be reached from other machines; add --token, or listen on 127.0.0.1 only"
            )
        if "*" in self.allow_origins:
            raise ConfigError("allow_origins must list each origin; * would let every web page use the server")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host.

    Args:
        host: a name or an address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
