"""Fetches files over HTTP, only from public servers.

The addresses come from a manifest, which is untrusted: it must not make this machine send requests to private networks.
So each address, and each redirect, is resolved once and checked, and the connection goes to the checked IP address. A
name that resolves differently a moment later (DNS rebinding) changes nothing. Proxies are not used, because they would
resolve names again.
"""

import contextlib
import http.client
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from artcolor import __version__
from artcolor.errors import DataError

__all__ = ["FetchError", "Fetcher", "Limits", "is_public", "shown_as"]

_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (429, 503)
_CHUNK = 1 << 16
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# What addresses contain, quoted already or with a meaning.
_SAFE = "%/:;,=&?~+!$'@()*[]|"
_PORTS = {"http": 80, "https": 443}

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class FetchError(DataError):
    """A file cannot be fetched, or is not allowed to be."""


@dataclass(frozen=True)
class Limits:
    """Limits of what is fetched.

    Attributes:
        max_bytes: largest size of a picture, in bytes.
        max_bytes_of_json: largest size of a manifest, or of the description of a picture by an image service, in bytes.
        seconds: time limit of one request, until its last byte.
        pause: seconds between the beginnings of requests to one host.
        redirects: largest number of redirects in a row.
        longest_wait: seconds that a busy server may ask to wait for.
        tries: number of attempts of a request to a busy server.
    """

    max_bytes: int = 256 << 20
    max_bytes_of_json: int = 32 << 20
    seconds: float = 120.0
    pause: float = 0.5
    redirects: int = 5
    longest_wait: float = 60.0
    tries: int = 3


def is_public(address: str) -> bool:
    """Returns whether an IP address belongs to the internet: not private, loopback, link-local, multicast or reserved.

    Args:
        address: an IP address of version 4 or 6.

    Example:
        >>> is_public("93.184.215.14"), is_public("127.0.0.1"), is_public("::ffff:10.0.0.1")
        (True, False, False)
    """
    try:
        found: _Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if found in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
        if found.sixtofour is not None or found.teredo is not None or found.is_site_local:
            return False
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


class Fetcher:
    """Fetches from public addresses, one request after the other.

    Args:
        limits: limits of what is fetched.
        allow_hosts: hosts of a private network that are also allowed: `name`, or `name:port`.

    Example:
        >>> Fetcher().read("http://127.0.0.1/manifest.json", 100)
        Traceback (most recent call last):
            ...
        artcolor.iiif.fetch.FetchError: http://127.0.0.1/manifest.json is not fetched: 127.0.0.1 is not a public
        address; --allow-host 127.0.0.1 allows it
    """

    def __init__(self, limits: Limits | None = None, *, allow_hosts: Sequence[str] = ()) -> None:
        self.limits = limits or Limits()
        self._allowed = {each.lower() for each in allow_hosts}
        self._last: dict[str, float] = {}

    def json(self, address: str) -> Any:
        """Reads JSON from an address.

        Args:
            address: address of the file.

        Raises:
            FetchError: it cannot or may not be fetched, or is not JSON.
        """
        try:
            return json.loads(self.read(address, self.limits.max_bytes_of_json))
        except (ValueError, RecursionError) as error:
            raise FetchError(f"{shown_as(address)} is not JSON") from error

    def read(self, address: str, max_bytes: int) -> bytes:
        """Reads the file at an address.

        Args:
            address: address of the file.
            max_bytes: its largest size.

        Raises:
            FetchError: it cannot or may not be fetched.
        """
        return b"".join(self._chunks(address, max_bytes))

    def save(self, address: str, file: BinaryIO) -> None:
        """Writes the picture at an address into a file.

        Args:
            address: address of the picture.
            file: open for writing.

        Raises:
            FetchError: it cannot or may not be fetched. A part of it may have been written.
            OSError: the file cannot be written.
        """
        for chunk in self._chunks(address, self.limits.max_bytes):
            file.write(chunk)

    def _chunks(self, address: str, max_bytes: int) -> Iterator[bytes]:
        shown, tries = shown_as(address), 1
        for _ in range(self.limits.redirects + self.limits.tries):
            pause = 0.0
            with self._response(address) as response:
                if response.status in _REDIRECTS:
                    address = urljoin(address, response.headers.get("Location", ""))
                elif response.status in _BUSY and tries < self.limits.tries:
                    tries, pause = tries + 1, self._asked_pause(response, shown)
                elif response.status != 200:
                    raise FetchError(
                        f"{shown} cannot be fetched: the server answered {response.status} {response.reason}"
                    )
                else:
                    yield from self._body(response, max_bytes, shown)
                    return
            time.sleep(pause)
        raise FetchError(f"{shown} cannot be fetched: too many redirects")

    def _asked_pause(self, response: http.client.HTTPResponse, shown: str) -> float:
        asked = response.headers.get("Retry-After", "")
        seconds = float(asked) if asked.isdecimal() else _seconds_until(asked)
        if seconds > self.limits.longest_wait:
            raise FetchError(
                f"{shown} cannot be fetched: the server asks clients to wait {seconds:.0f} seconds; try again later"
            )
        return seconds

    def _body(self, response: http.client.HTTPResponse, max_bytes: int, shown: str) -> Iterator[bytes]:
        too_large = FetchError(f"{shown} is not fetched: it is larger than {max_bytes:,} bytes")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise FetchError(f"{shown} is not fetched: the server compressed it, which was not requested")
        expected = response.length
        if expected is not None and expected > max_bytes:
            raise too_large
        length = 0
        while chunk := response.read1(_CHUNK):
            length += len(chunk)
            if length > max_bytes:
                raise too_large
            yield chunk
        if expected is not None and length < expected:
            raise FetchError(f"{shown} cannot be fetched: the connection ended after {length:,} of {expected:,} bytes")

    @contextlib.contextmanager
    def _response(self, address: str) -> Iterator[http.client.HTTPResponse]:
        """Sends a request to a checked address. After `Limits.seconds` the connection is cut."""
        shown, parts = shown_as(address), _parts(address)
        host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
        ips = self._resolved(host, port, shown)
        self._pace(host)
        connection = _Connection(parts, ips, self.limits.seconds)
        late = threading.Event()

        def cut() -> None:
            late.set()
            connection.cut()

        timer = threading.Timer(self.limits.seconds, cut)
        timer.daemon = True
        timer.start()
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_SAFE)
        headers = {"User-Agent": f"artcolor/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
        try:
            connection.request("GET", target, headers=headers)
            yield connection.getresponse()
            if late.is_set():
                # Where the length is not known, a connection that is cut looks like the end.
                raise self._late(shown)
        except FetchError:
            if not late.is_set():
                raise
            raise self._late(shown) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            if late.is_set() or isinstance(error, TimeoutError):
                raise self._late(shown) from error
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise FetchError(f"{shown} cannot be fetched: {reason or type(error).__name__}") from error
        finally:
            timer.cancel()
            connection.close()

    def _late(self, shown: str) -> FetchError:
        return FetchError(f"{shown} cannot be fetched: it took more than {self.limits.seconds:g} seconds")

    def _resolved(self, host: str, port: int, shown: str) -> list[str]:
        """Returns the addresses of a host. All must be public, unless the host is allowed."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, ValueError) as error:
            raise FetchError(f"{shown} cannot be fetched: there is no host {host}") from error
        ips = list(dict.fromkeys(str(each[4][0]) for each in found))
        if {host.lower(), f"{host.lower()}:{port}"} & self._allowed:
            return ips
        for ip in ips:
            if not is_public(ip):
                what = f"{ip} is" if host == ip else f"{host} is {ip}, which is"
                raise FetchError(f"{shown} is not fetched: {what} not a public address; --allow-host {host} allows it")
        return ips

    def _pace(self, host: str) -> None:
        begin = self._last.get(host, float("-inf")) + self.limits.pause
        time.sleep(max(0.0, begin - time.monotonic()))
        self._last[host] = time.monotonic()


class _Connection(http.client.HTTPConnection):
    """Connects to IP addresses that were checked, while certificate and headers are those of the host."""

    def __init__(self, parts: SplitResult, ips: Sequence[str], seconds: float) -> None:
        self.default_port = _PORTS[parts.scheme]
        super().__init__(str(parts.hostname), parts.port or self.default_port, timeout=seconds)
        self._ips, self._encrypted, self._seconds = ips, parts.scheme == "https", seconds
        # `sock` is given up as soon as the server says that it will close the connection.
        self._used: socket.socket | None = None

    def connect(self) -> None:
        # A name may have any number of addresses at which nobody answers.
        end = time.monotonic() + self._seconds
        for number, ip in enumerate(self._ips):
            try:
                left = max(end - time.monotonic(), 0.001)
                self.sock = self._used = socket.create_connection((ip, self.port), left)
                break
            except OSError:
                if number == len(self._ips) - 1 or time.monotonic() >= end:
                    raise
        self.sock.settimeout(self._seconds)
        if self._encrypted:
            context = ssl.create_default_context()
            wrapped = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock = self._used = wrapped
            wrapped.do_handshake()

    def cut(self) -> None:
        """Ends the connection; whoever reads from it in another thread finds its end."""
        if self._used is not None:
            with contextlib.suppress(OSError):
                self._used.shutdown(socket.SHUT_RDWR)


def _seconds_until(date: str) -> float:
    """Reads the other form of `Retry-After`."""
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 1.0


def _parts(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        raise FetchError(f"{shown_as(address)} is not fetched: it is not an address") from error
    if not address.isprintable():
        raise FetchError(
            f"{shown_as(address)} is not fetched: it contains characters that are not allowed in addresses"
        )
    if parts.scheme not in _PORTS or not parts.hostname:
        raise FetchError(f"{shown_as(address)} is not fetched: only http and https are")
    if parts.username is not None or parts.password is not None:
        raise FetchError(f"{shown_as(address)} is not fetched: it contains a user name or password")
    return parts


def shown_as(address: str) -> str:
    """Returns what messages show of an address: no name, password or query, which may be secret.

    Args:
        address: the address.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return repr(address[:100])
    host = parts.netloc.rpartition("@")[2]
    return "".join(each if each.isprintable() else "?" for each in f"{parts.scheme}://{host}{parts.path}"[:200])
