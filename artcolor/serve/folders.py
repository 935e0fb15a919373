"""`POST /api/folder`: a ZIP file of pictures in, a ZIP file of colored pictures out."""

import io
import json
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from artcolor.errors import ImageError
from artcolor.images import SUFFIXES, output_suffix
from artcolor.images.formats import UNSUPPORTED
from artcolor.images.walk import is_left_out
from artcolor.serve.colorize import colorize_upload, picture_of
from artcolor.serve.memory import File, FileAnswer
from artcolor.serve.messages import message
from artcolor.serve.settings import Settings
from artcolor.serve.state import State, state_of
from artcolor.serve.uploads import Upload, read_upload

__all__ = ["colorize_folder"]

_REPORT = "report.json"
_MOST_FILES = 10_000
_LONGEST_NAME = 1000
# Results have color, and may have another format, so they are larger than the originals.
_GROWTH = 4
# What the header of an entry in the directory of a ZIP file begins with.
_ENTRY = b"PK\x01\x02"
# Others do not limit what they unpack to.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)


async def colorize_folder(request: Request) -> Response:
    """Colorizes the pictures of a ZIP file. Each has the limits of a single picture; bad ones are reported.

    Args:
        request: the body is a ZIP file, or a form with the parts `picture` (the ZIP file) and `reference`; the query
            contains options.

    Returns:
        A ZIP file with the results and `report.json`, which lists the files that failed with
        the reasons, and the warnings about the others.
    """
    state = state_of(request)
    settings, report = state.settings, list[dict[str, Any]]()
    until = time.monotonic() + settings.folder_seconds
    with state.places.take() as place:
        upload = await read_upload(request, settings, place)
        if upload.hints is not None or upload.painted is not None:
            raise HTTPException(422, "hints are for one picture; send it to /api/colorize")
        if state.folder.locked():
            # Its results are in memory, and may be large.
            raise HTTPException(503, "the server is busy with another folder; try again", {"Retry-After": "10"})
        async with state.folder:
            results = io.BytesIO()
            folder = await place.run(request, _opened, upload, settings)
            with folder, zipfile.ZipFile(results, "w") as colored:
                for entry in _pictures(folder):
                    if time.monotonic() > until:
                        text = f"the time limit of {settings.folder_seconds:g} s is reached; send the rest separately"
                        report.append({"file": entry.filename, "status": "failed", "message": text})
                        continue
                    try:
                        answer = await place.run(
                            request, _colorized, folder, entry, upload, request.query_params, state
                        )
                        result = _name(entry.filename, request.query_params.get("format"))
                        if result in colored.namelist():
                            raise ImageError(f"another result has the name {result}; rename one of the originals")
                        colored.writestr(result, answer.data)
                        done = {"file": entry.filename, "status": "colorized", "result": result}
                        report.append(done | ({"warnings": list(answer.warnings)} if answer.warnings else {}))
                    except (ImageError, HTTPException) as error:
                        if isinstance(error, HTTPException) and error.status_code != 413:
                            raise
                        text = error.detail if isinstance(error, HTTPException) else message(error, settings)
                        report.append({"file": entry.filename, "status": "failed", "message": text})
                    if results.tell() > _GROWTH * settings.max_bytes:
                        raise HTTPException(413, "the results are too large; send fewer pictures at once")
                if not report:
                    raise HTTPException(422, "the ZIP file contains no pictures")
                colored.writestr(_REPORT, json.dumps({"files": report}, ensure_ascii=False, indent=1))
    failed = sum(each["status"] == "failed" for each in report)
    headers = {"X-Artcolor-Failed": str(failed)}
    return FileAnswer(File(results.getvalue(), "application/zip", headers), state.memory, settings)


def _opened(upload: Upload, settings: Settings) -> zipfile.ZipFile:
    picture_of(upload)
    # Before they are read: each entry takes much more memory than its header.
    if upload.picture.count(_ENTRY) > _MOST_FILES:
        raise HTTPException(413, f"the ZIP file has more than {_MOST_FILES} entries; send fewer files")
    try:
        folder = zipfile.ZipFile(io.BytesIO(upload.picture))
    except _DAMAGED:
        raise HTTPException(422, "the file is not a ZIP file, or is damaged; send a ZIP file of pictures") from None
    # What an entry unpacks to is never more than it states, if it is packed in a way of `_METHODS`.
    if sum(entry.file_size for entry in folder.infolist()) > settings.max_bytes:
        raise HTTPException(413, f"the ZIP file unpacks to more than {settings.max_bytes} bytes; send fewer pictures")
    return folder


def _path(name: str) -> PurePosixPath:
    # Unpacking the results must not create files outside the folder; `..` is skipped, as hidden files are.
    return PurePosixPath(*(part for part in name.replace("\\", "/").split("/") if ":" not in part))


def _pictures(folder: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    for entry in folder.infolist():
        path = _path(entry.filename)
        # `ZipInfo.is_dir` fails for an empty name.
        if entry.filename.endswith("/") or any(map(is_left_out, path.parts)):
            continue
        if path.suffix.lower() in SUFFIXES or path.suffix.lower() in UNSUPPORTED:
            yield entry


def _colorized(
    folder: zipfile.ZipFile, entry: zipfile.ZipInfo, upload: Upload, query: QueryParams, state: State
) -> File:
    return colorize_upload(Upload(_content(folder, entry), reference=upload.reference), query, state)


def _content(folder: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.compress_type not in _METHODS:
        raise ImageError("the compression of the entry is not supported; use deflate, or none")
    try:
        return folder.read(entry)
    except _DAMAGED:
        raise ImageError("the entry is damaged or encrypted, or its compression is not supported") from None


def _name(original: str, format: str | None) -> str:
    path = _path(original)
    if len(str(path)) > _LONGEST_NAME:
        raise ImageError(f"the name has {len(str(path))} characters; the limit is {_LONGEST_NAME}")
    suffix = f".{format.lstrip('.').lower()}" if format else output_suffix(path.suffix.lower())
    return str(path if suffix == path.suffix.lower() else path.with_suffix(f"{path.suffix}{suffix}"))
