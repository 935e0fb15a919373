"""The server as an ASGI application."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from artcolor.errors import ConfigError, ImageError, UnsupportedError
from artcolor.serve import session_api
from artcolor.serve.colorize import colorize
from artcolor.serve.description import describe, docs_page
from artcolor.serve.folders import colorize_folder
from artcolor.serve.guard import Drain, Guard
from artcolor.serve.headers import HEADERS
from artcolor.serve.memory import Memory, Room
from artcolor.serve.messages import message
from artcolor.serve.metrics import Counting, Metrics
from artcolor.serve.models import abilities, defaults_of, local_entries
from artcolor.serve.page import page_routes
from artcolor.serve.pictures import written_formats
from artcolor.serve.places import Places
from artcolor.serve.sessions import Sessions
from artcolor.serve.settings import Settings
from artcolor.serve.state import State, state_of

__all__ = ["make_app"]

_LOG = logging.getLogger(__name__)
_STATUS: tuple[tuple[type[Exception], int], ...] = ((UnsupportedError, 415), (ImageError, 422), (ConfigError, 422))


def make_app(settings: Settings) -> Starlette:
    """Creates the server.

    Args:
        settings: settings of the server.

    Returns:
        The application, which any ASGI server can run.

    Example:
        >>> from starlette.testclient import TestClient
        >>> with TestClient(make_app(Settings()), base_url="http://localhost") as client:
        ...     client.get("/healthz").json()
        {'status': 'ok'}
    """
    memory, sessions = Memory(settings), Sessions(settings)
    places = Places(settings, memory)
    metrics = Metrics(lambda: places.taken, lambda: len(sessions), lambda: memory.taken)
    app = Starlette(
        routes=_routes(),
        middleware=[
            Middleware(Counting, metrics=metrics),
            Middleware(Drain, settings=settings),
            Middleware(Guard, settings=settings),
            *_cors(settings),
        ],
        exception_handlers={
            HTTPException: _refused,
            Exception: _failed,
            **{kind: _mistaken for kind, _ in _STATUS},
        },
        lifespan=_lifespan,
    )
    app.state.artcolor = State(settings, places, memory, Room(settings), sessions, metrics)
    return app


def _routes() -> list[BaseRoute]:
    session = "/api/sessions/{id}"
    return [
        Route("/api/colorize", colorize, methods=["POST"]),
        Route("/api/folder", colorize_folder, methods=["POST"]),
        Route("/api/sessions", session_api.start, methods=["POST"]),
        Route(session, session_api.close, methods=["DELETE"]),
        Route(f"{session}/guidance", session_api.guide, methods=["PUT"]),
        Route(f"{session}/original", session_api.original),
        Route(f"{session}/result", session_api.result),
        Route(f"{session}/uncertainty", session_api.uncertainty),
        Route(f"{session}/alternatives", session_api.alternatives),
        Route(f"{session}/suggestions", session_api.suggestions),
        Route("/api/models", _models),
        Route("/api/openapi.json", _openapi),
        Route("/api/docs", _docs),
        Route("/healthz", _health),
        Route("/metrics", _metrics),
        *page_routes(),
    ]


def _cors(settings: Settings) -> list[Middleware]:
    if not settings.allow_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.allow_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=[*HEADERS, "Retry-After"],
        )
    ]


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    state: State = app.state.artcolor
    cleaning = asyncio.create_task(_clean(state))
    yield
    cleaning.cancel()
    state.places.close()


async def _clean(state: State) -> None:
    # A session that nobody asks for again would hold its memory forever.
    while True:
        await asyncio.sleep(min(30, state.settings.session_seconds))
        state.sessions.remove_old()


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _metrics(request: Request) -> Response:
    metrics = state_of(request).metrics
    return Response(metrics.text(), media_type=metrics.media_type)


async def _models(request: Request) -> Response:
    settings = state_of(request).settings
    listed = [
        {
            "name": entry.key,
            "model": entry.model,
            "sha256": entry.sha256,
            "parameters": entry.parameters,
            "license": entry.license,
            "defaults": defaults_of(entry),
            **abilities("vividness" in entry.config["head"]),
        }
        for entry in local_entries()
    ]
    answer = {
        # The path of a weights file would tell about the machine.
        "default": Path(settings.model).name,
        "models": listed,
        "formats": written_formats(),
        "max_bytes": settings.max_bytes,
        "max_pixels": settings.max_pixels,
    }
    return JSONResponse(answer)


async def _openapi(request: Request) -> Response:
    return JSONResponse(describe())


async def _docs(request: Request) -> Response:
    return Response(docs_page(), media_type="text/html")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _mistaken(request: Request, error: Exception) -> Response:
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    return JSONResponse({"error": message(error, state_of(request).settings)}, status)


async def _failed(request: Request, error: Exception) -> Response:
    # Starlette raises the error again, and uvicorn logs it; the client gets no details.
    return JSONResponse({"error": "internal server error; see the log of the server"}, 500)
