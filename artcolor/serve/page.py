"""The page that `artcolor serve` shows: static files of the package."""

import os
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from artcolor import __version__
from artcolor.serve.state import state_of

__all__ = ["page_routes"]

_WEB = Path(__file__).with_name("web")
# Systems have lists of their own, which may lack these or, on Windows, give others.
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}


class _Files(StaticFiles):
    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        kind = _TYPES.get(Path(full_path).suffix.lower())
        if kind is not None and "content-type" in response.headers:
            response.headers["content-type"] = kind
        return response


def page_routes() -> list[BaseRoute]:
    """Returns the routes of the page, which match everything that no other route matches.

    The page asks for `backend.json`. Hosts of static files have a file of that name; here, it states that there is a
    server, whether it requires a token, and whether there are sample pictures.
    """
    return [Route("/backend.json", _backend), Mount("/", _Files(directory=_WEB, html=True))]


async def _backend(request: Request) -> Response:
    token = state_of(request).settings.token is not None
    # The wheel has none: the license of the reproductions is not that of artcolor.
    samples = (_WEB / "samples").is_dir()
    return JSONResponse({"api": "api", "version": __version__, "token": token, "samples": samples})
