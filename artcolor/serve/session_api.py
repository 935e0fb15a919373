"""The endpoints of sessions: a picture is sent once, and then changed at little cost."""

import base64
import dataclasses
import io
from collections.abc import Callable
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from artcolor.errors import ConfigError
from artcolor.models.guidance import Decoding, Guidance, guided
from artcolor.serve.colorize import picture_of, provenance_headers
from artcolor.serve.models import check_model
from artcolor.serve.options import (
    ALTERNATIVES,
    GUIDANCE,
    PLACE,
    SAVING,
    SIDE,
    SIZE,
    check_hints,
    check_size,
    from_query,
)
from artcolor.serve.pictures import check_picture, media_type
from artcolor.serve.sessions import Kept
from artcolor.serve.settings import Settings
from artcolor.serve.state import State, state_of
from artcolor.serve.uploads import JSON_BYTES, Upload, json_of, read_body, read_upload

__all__ = ["alternatives", "close", "guide", "result", "start", "suggestions", "uncertainty"]

_PLACE = ("x", "y")


async def start(request: Request) -> Response:
    """Starts a session with the picture in the body.

    Args:
        request: the body is a picture file or a form with the parts `picture`, `hints` and `reference`; the query may
            hold `model` and `size`.

    Returns:
        JSON with the id of the session, and width and height of the picture.
    """
    state = state_of(request)
    with state.places.take() as place:
        upload = await read_upload(request, state.settings)
        kept = await place.run(request, _started, upload, request.query_params, state.settings)
    height, width = kept.session.original.pixels.shape[:2]
    name = state.sessions.add(kept)
    return JSONResponse({"id": name, "width": width, "height": height, "seconds": state.settings.session_seconds}, 201)


def _started(upload: Upload, query: QueryParams, settings: Settings) -> Kept:
    from artcolor.engine.session import Session  # noqa: PLC0415  (imports torch)

    options = from_query(query, SIZE, ["model"])
    check_size(options, settings)
    model = query.get("model", settings.model)
    check_model(model, settings)
    picture = picture_of(upload)
    suffix = check_picture(picture, settings, single=True)
    reference = None if upload.reference is None else upload.reference[0]
    if reference is not None:
        check_picture(reference, settings)
    session = Session(picture, model, size=options.get("size"), device=settings.device)
    kept = Kept(session, suffix, reference)
    kept.guidance, kept.decoding = _guidance(kept, {} if upload.hints is None else {"hints": upload.hints})
    return kept


async def guide(request: Request) -> Response:
    """Replaces the guidance of a session by the JSON in the body, and answers with a preview.

    Args:
        request: the body is an object with `hints` and the options of the colors; the query may hold `side`, `format`
            and `quality` of the preview.

    Returns:
        The preview.
    """
    state = state_of(request)
    kept = state.sessions.get(request.path_params["id"])
    with state.places.take() as place:
        body = await read_body(request, state.settings, JSON_BYTES)
        return await place.run(request, _guided, kept, json_of(body, "the guidance"), request.query_params)


def _guided(kept: Kept, given: Any, query: QueryParams) -> Response:
    options = from_query(query, SIDE | {name: SAVING[name] for name in ("format", "quality")})
    if not isinstance(given, dict):
        raise ConfigError("the guidance must be an object")
    unknown = sorted(set(given) - {"hints", *GUIDANCE})
    if unknown:
        known = ", ".join(sorted(["hints", *GUIDANCE]))
        raise ConfigError(f"the guidance has unknown entries: {', '.join(unknown)[:100]}; there are {known}")
    guidance, decoding = _guidance(kept, given)
    format = options.get("format", "png")
    with kept.lock:
        shown = kept.preview(options.get("side", SIDE["side"][1].default)).render(guidance, decoding)
        # Only what could be rendered is kept.
        kept.guidance, kept.decoding = guidance, decoding
    data = shown.to_bytes(format, quality=options.get("quality"))
    return Response(data, headers=provenance_headers(shown.provenance), media_type=media_type(format))


def _guidance(kept: Kept, given: dict[str, Any]) -> tuple[Guidance, Decoding]:
    given = {name: value for name, value in given.items() if value is not None}
    if "hints" in given:
        check_hints(given["hints"])
    guidance, decoding = guided(given)
    if kept.reference is not None:
        guidance = dataclasses.replace(guidance, reference=kept.reference)
    return guidance, decoding


async def result(request: Request) -> Response:
    """Answers with the picture of a session, colored at full size.

    Args:
        request: the query may hold `format`, `quality` and `depth`.

    Returns:
        The picture, in the format of the original unless the query says otherwise.
    """
    return await _worked(request, _result)


def _result(kept: Kept, query: QueryParams) -> Response:
    options = from_query(query, {name: SAVING[name] for name in ("format", "quality", "depth")})
    format = options.pop("format", kept.suffix)
    file = io.BytesIO()
    with kept.lock:
        kept.session.save(file, kept.guidance, kept.decoding, format=format, **options)
        headers = provenance_headers(kept.session.colorizer.provenance_of(kept.guidance, kept.decoding))
    return Response(file.getvalue(), headers=headers, media_type=media_type(format))


async def uncertainty(request: Request) -> Response:
    """Answers with a map of how uncertain the model is of its colors, as PNG.

    Args:
        request: the path names the session.

    Returns:
        The map, as large as the picture.
    """
    return await _worked(request, _uncertainty)


def _uncertainty(kept: Kept, query: QueryParams) -> Response:
    from_query(query, {})
    with kept.lock:
        found = kept.session.uncertainty()
    found.save(file := io.BytesIO(), "PNG")
    return Response(file.getvalue(), media_type="image/png")


async def alternatives(request: Request) -> Response:
    """Answers with other colorings of the picture; the guidance of the session stays.

    Args:
        request: the query may hold `count` and `side`.

    Returns:
        JSON with the alternatives: each with `seed`, which gives this coloring as part of the guidance, and `picture`,
        a JPEG file as a data URL.
    """
    return await _worked(request, _alternatives)


def _alternatives(kept: Kept, query: QueryParams) -> Response:
    defaults = {name: option.default for name, (_, option) in ALTERNATIVES.items()}
    options = defaults | from_query(query, ALTERNATIVES)
    found = []
    with kept.lock:
        shown = kept.preview(options["side"])
        for seed in range(1, options["count"] + 1):
            made = shown.render(dataclasses.replace(kept.guidance, seed=seed), kept.decoding)
            picture = base64.b64encode(made.to_bytes("jpg")).decode()
            found.append({"seed": seed, "picture": f"data:image/jpeg;base64,{picture}"})
    return JSONResponse({"alternatives": found})


async def suggestions(request: Request) -> Response:
    """Answers with the likeliest colors of a place.

    Args:
        request: the query holds `x` and `y`, and may hold `k`.

    Returns:
        JSON with the suggestions, the likeliest first.
    """
    return await _worked(request, _suggestions)


def _suggestions(kept: Kept, query: QueryParams) -> Response:
    options = from_query(query, PLACE)
    for name in _PLACE:
        if name not in options:
            raise ConfigError(f"{name} is missing; it is a fraction of the picture, 0 to 1")
    with kept.lock:
        kept.session.hints[:] = kept.session.all_hints(Guidance(hints=kept.guidance.hints))
        try:
            found = kept.session.suggest(**options)
        finally:
            # The guidance has them, and they would count twice.
            kept.session.hints.clear()
    return JSONResponse({"suggestions": [dataclasses.asdict(each) for each in found]})


async def close(request: Request) -> Response:
    """Forgets a session.

    Args:
        request: the path names the session.

    Returns:
        An empty answer.
    """
    state_of(request).sessions.remove(request.path_params["id"])
    return Response(status_code=204)


async def _worked(request: Request, function: Callable[[Kept, QueryParams], Response]) -> Response:
    state: State = state_of(request)
    kept = state.sessions.get(request.path_params["id"])
    with state.places.take() as place:
        return await place.run(request, function, kept, request.query_params)
