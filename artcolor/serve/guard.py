"""Decides which requests are answered, and with which security headers."""

import asyncio
import contextlib
import hmac
import ipaddress

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from artcolor.serve.settings import Settings

__all__ = ["Drain", "Guard"]

_HEADERS = {
    # The page runs WebAssembly, and shows pictures that it holds in memory.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; "
        "img-src 'self' blob: data:; connect-src 'self' blob: data:; manifest-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# Pages say nothing that is secret; without them, there would be no place to enter a token.
_PRIVATE = ("/api/", "/metrics")
_OPEN = ("/api/docs", "/api/openapi.json")


class Guard:
    """Refuses requests from other sites, to unknown hosts, and without the token; adds headers for safety.

    A page of another site can make a browser send requests to this machine, directly or through a name that it lets
    point here (DNS rebinding). Such a request has that site as Origin, or that name as Host.

    Args:
        app: the application that answers all other requests.
        settings: settings of the server.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._hosts = {"localhost", settings.host.lower(), *(name.lower() for name in settings.allow_hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        private = scope["path"].startswith(_PRIVATE) and scope["path"] not in _OPEN

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                if "access-control-allow-origin" not in headers:
                    headers["Cross-Origin-Resource-Policy"] = "same-origin"
                # Files of the page have an ETag; a new version must not run with parts of the old one.
                headers["Cache-Control"] = "no-store" if private else "no-cache"
            await send(message)

        refusal = self._refusal(scope, private=private)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, *, private: bool) -> JSONResponse | None:
        headers = Headers(scope=scope)
        host = headers.getlist("host")
        if len(host) != 1 or not self._is_known(host[0]):
            return _refuse(421, "this is not a host name of the server; add it with --allow-host")
        origin = headers.get("origin")
        own = f"{scope['scheme']}://{host[0]}".lower()
        allowed = origin in self._settings.allow_origins
        if origin is not None and origin.lower() != own and not allowed:
            return _refuse(403, "requests from other origins are refused; allow an origin with --allow-origin")
        site = headers.get("sec-fetch-site", "none")
        if private and site not in ("none", "same-origin") and not allowed:
            return _refuse(403, "requests from other sites are refused")
        # A preflight request carries no token; CORS answers it.
        preflight = scope["method"] == "OPTIONS" and allowed
        if private and self._settings.token is not None and not preflight:
            wanted = f"Bearer {self._settings.token}".encode()
            if not hmac.compare_digest(headers.get("authorization", "").encode("latin-1"), wanted):
                return _refuse(401, "send the token: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})
        return None

    def _is_known(self, host: str) -> bool:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() and host[-1] != "]" else host
        if name.lower() in self._hosts:
            return True
        if "%" in name:
            # A zone, which may be any text and has no meaning for other machines.
            return False
        try:
            # Nobody can let an address point elsewhere.
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return True


def _refuse(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": message}, status, headers)


class Drain:
    """Reads the rest of a request before it is answered early.

    A connection that is closed with unread data is reset, and the client may lose the answer.

    Args:
        app: the application that answers requests.
        settings: `max_bytes` limits what is read.
        seconds: time limit for reading.
    """

    def __init__(self, app: ASGIApp, settings: Settings, seconds: float = 5) -> None:
        self._app, self._max_bytes, self._seconds = app, settings.max_bytes, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        complete, length = False, 0

        async def counted() -> Message:
            nonlocal complete, length
            message = await receive()
            length += len(message.get("body", b""))
            complete = complete or not message.get("more_body", False)
            return message

        async def send_at_end(message: Message) -> None:
            # Who sends too slowly (408) was waited for already.
            if message["type"] == "http.response.start" and not complete and message["status"] != 408:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds):
                        while not complete and length <= self._max_bytes:
                            await counted()
            await send(message)

        await self._app(scope, counted, send_at_end)
