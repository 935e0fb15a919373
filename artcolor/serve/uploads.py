"""Reads what a request carries: a picture, hints and a reference. All of it stays in memory."""

import asyncio
import io
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from artcolor.serve.places import Place
from artcolor.serve.settings import Settings

__all__ = ["JSON_BYTES", "NamedBytes", "Upload", "json_of", "read_body", "read_upload"]

JSON_BYTES = 1 << 20
"""Largest JSON that is accepted."""

_PARTS = ("picture", "hints", "reference")


class NamedBytes(io.BytesIO):
    """The bytes of an uploaded file, with the name that messages and provenance call it by.

    Args:
        data: the bytes.
        name: the client's name of the file; of a path, only the last part is used.
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
        name: name of the picture file; empty if the request does not tell it.
    """

    picture: bytes = b""
    hints: Any = None
    painted: tuple[bytes, str] | None = None
    reference: tuple[bytes, str] | None = None
    name: str = ""


class _InMemory(MultiPartParser):
    # Larger parts would go into a temporary file. The body as a whole is limited already.
    spool_max_size = 1 << 62


async def read_body(request: Request, settings: Settings, place: Place, limit: int | None = None) -> bytes:
    """Reads the whole body of a request.

    Args:
        request: the request.
        settings: settings of the server; they limit size and time.
        place: place of the request.
        limit: a smaller limit of the size.

    Raises:
        HTTPException: it is too large (413) or too slow (408), or there is no memory for it (503).
    """
    limit = settings.max_bytes if limit is None else limit
    try:
        async with asyncio.timeout(settings.seconds) as ends:
            return b"".join([chunk async for chunk in _limited(request, limit, place, settings, ends)])
    except TimeoutError:
        raise _too_slow(settings) from None
    except ClientDisconnect:
        raise HTTPException(400, "the request ended early") from None


def _too_slow(settings: Settings) -> HTTPException:
    return HTTPException(
        408,
        f"the request took longer than {settings.seconds:g} s, or arrived more slowly than "
        f"{settings.bytes_per_second} bytes per second",
    )


async def _limited(
    request: Request, limit: int, place: Place, settings: Settings, ends: asyncio.Timeout
) -> AsyncGenerator[bytes, None]:
    too_large = HTTPException(413, f"the request is too large; the limit is {limit} bytes")
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdecimal() and int(length[:20]) > limit:
        raise too_large
    total, start = 0, asyncio.get_running_loop().time()
    async for chunk in request.stream():
        total += len(chunk)
        if total > limit:
            raise too_large
        place.hold(len(chunk))
        yield chunk
        ends.reschedule(start + min(settings.seconds, settings.slow_seconds + total / settings.bytes_per_second))


async def read_upload(request: Request, settings: Settings, place: Place) -> Upload:
    """Reads a request whose body is a picture file, or a form (`multipart/form-data`) with files.

    The form may have the parts `picture`, `hints` and `reference`, each once. Hints are JSON, as in a hints file,
    or, if their type begins with `image/`, a picture of painted hints.

    Args:
        request: the request.
        settings: settings of the server; they limit size and time.
        place: place of the request.

    Returns:
        The content.

    Raises:
        HTTPException: it is too large (413), too slow (408), or no such form (400), or there is no memory for it (503).
    """
    header = request.headers.get("content-type", "")
    if header.partition(";")[0].strip().lower() != "multipart/form-data":
        return Upload(await read_body(request, settings, place))
    charset = parse_options_header(header)[1].get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in ("utf-8", "utf8"):
        # Python has many more, and some give what is no text.
        raise HTTPException(400, f"the charset of a form must be utf-8, not {charset[:50]!r}")
    try:
        async with asyncio.timeout(settings.seconds) as ends:
            parser = _InMemory(
                request.headers,
                _limited(request, settings.max_bytes, place, settings, ends),
                max_files=3,
                max_fields=3,
                max_part_size=JSON_BYTES,
            )
            form = await parser.parse()
    except TimeoutError:
        raise _too_slow(settings) from None
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
            raise HTTPException(400, f"a form may have the parts {', '.join(_PARTS)}, each at most once")
        if isinstance(part, UploadFile):
            found[name] = await part.read(), part.filename or ""
            await part.close()
            if name == "hints" and (part.content_type or "").lower().startswith("image/"):
                painted = found["hints"]
        else:
            found[name] = part.encode(), ""
    hints = json_of(found["hints"][0], "hints") if "hints" in found and painted is None else None
    picture, name = found.get("picture", (b"", ""))
    return Upload(picture, hints, painted, found.get("reference"), name)


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
        text = data.decode(json.detect_encoding(data))
        found = json.loads(text, parse_constant=_refuse_constant)
        if "\\u" in text:
            # Half of a character can be escaped, but not be written anywhere.
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except (ValueError, RecursionError):
        raise HTTPException(400, f"{what} is not valid JSON") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
