"""Reads what a request carries: a picture, hints and a reference. All of it stays in memory."""

import asyncio
import io
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from artcolor.serve.places import Place
from artcolor.serve.settings import Settings

__all__ = ["JSON_BYTES", "NamedBytes", "Upload", "json_of", "read_body", "read_upload"]

JSON_BYTES = 1 << 20
"""Largest JSON that is read."""

_PARTS = ("picture", "hints", "reference")


class NamedBytes(io.BytesIO):
    """The bytes of an uploaded file, with the name that messages and provenance call it by.

    Args:
        data: the bytes.
        name: as the client calls the file; of a path, only the last part counts.
    """

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        last = PureWindowsPath(PurePosixPath(name).name).name
        self.name = "".join(filter(str.isprintable, last))[:100] or "the file"


@dataclass(frozen=True)
class Upload:
    """What a request carries.

    Attributes:
        picture: the bytes of a picture file; empty without one.
        hints: what a hints file says; `None` without one.
        painted: bytes of a picture with painted hints, and the name of that file; `None` without one.
        reference: bytes of a picture file, and the name of that file; `None` without one.
    """

    picture: bytes = b""
    hints: Any = None
    painted: tuple[bytes, str] | None = None
    reference: tuple[bytes, str] | None = None


class _InMemory(MultiPartParser):
    # Larger parts would go into a temporary file. The body as a whole is limited already.
    spool_max_size = 1 << 62


async def read_body(request: Request, settings: Settings, place: Place, limit: int | None = None) -> bytes:
    """Reads the whole body of a request.

    Args:
        request: the request.
        settings: limits the size and the time.
        place: of the request.
        limit: a smaller limit of the size.

    Raises:
        HTTPException: it is too large (413) or too slow (408), or there is no memory for it (503).
    """
    limit = settings.max_bytes if limit is None else limit
    try:
        async with asyncio.timeout(settings.seconds):
            return b"".join([chunk async for chunk in _limited(request, limit, place)])
    except TimeoutError:
        raise HTTPException(408, f"the request did not arrive within {settings.seconds:g} s") from None
    except ClientDisconnect:
        raise HTTPException(400, "the request ended early") from None


async def _limited(request: Request, limit: int, place: Place) -> AsyncGenerator[bytes, None]:
    too_large = HTTPException(413, f"the request is too large; the limit is {limit} bytes")
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdecimal() and int(length[:20]) > limit:
        raise too_large
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > limit:
            raise too_large
        place.hold(len(chunk))
        yield chunk


async def read_upload(request: Request, settings: Settings, place: Place) -> Upload:
    """Reads a request whose body is a picture file, or a form (`multipart/form-data`) with files.

    The form may have the parts `picture`, `hints` and `reference`, each once. Hints are JSON, as in a hints file,
    or, if their type begins with `image/`, a picture of painted hints.

    Args:
        request: the request.
        settings: limits the size and the time.
        place: of the request.

    Returns:
        The content.

    Raises:
        HTTPException: it is too large (413), too slow (408), or no such form (400), or there is no memory for it (503).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        return Upload(await read_body(request, settings, place))
    try:
        async with asyncio.timeout(settings.seconds):
            parser = _InMemory(
                request.headers,
                _limited(request, settings.max_bytes, place),
                max_files=3,
                max_fields=3,
                max_part_size=JSON_BYTES,
            )
            form = await parser.parse()
    except TimeoutError:
        raise HTTPException(408, f"the request did not arrive within {settings.seconds:g} s") from None
    except ClientDisconnect:
        raise HTTPException(400, "the request ended early") from None
    except MultiPartException as error:
        raise HTTPException(400, f"the form cannot be read: {error.message}") from None
    except (FormParserError, UnicodeError, ValueError, LookupError) as error:
        raise HTTPException(400, "the form cannot be read") from error
    found: dict[str, tuple[bytes, str]] = {}
    painted = None
    for name, part in form.multi_items():
        if name not in _PARTS or name in found:
            raise HTTPException(400, f"a form has the parts {', '.join(_PARTS)}, each at most once")
        if isinstance(part, UploadFile):
            found[name] = await part.read(), part.filename or ""
            await part.close()
            if name == "hints" and (part.content_type or "").lower().startswith("image/"):
                painted = found["hints"]
        else:
            found[name] = part.encode(), ""
    hints = json_of(found["hints"][0], "hints") if "hints" in found and painted is None else None
    return Upload(found.get("picture", (b"", ""))[0], hints, painted, found.get("reference"))


def json_of(data: bytes, what: str) -> Any:
    """Reads JSON.

    Args:
        data: the JSON.
        what: what messages call it.

    Raises:
        HTTPException: it is not JSON (400), or too long (413).
    """
    if len(data) > JSON_BYTES:
        raise HTTPException(413, f"{what} has {len(data)} bytes; the limit is {JSON_BYTES}")
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise HTTPException(400, f"{what} is not JSON") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
