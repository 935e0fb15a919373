"""The endpoints of sessions: a picture is uploaded once and can then be edited quickly."""

import base64
import dataclasses
import functools
import io
import json
from collections.abc import Callable
from typing import Any

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from artcolor.engine.painting import in_rgb
from artcolor.errors import ConfigError
from artcolor.images import Picture, save_picture
from artcolor.images.notices import collected
from artcolor.models.guidance import Decoding, Guidance, guided
from artcolor.models.head_settings import effective
from artcolor.serve.colorize import picture_of
from artcolor.serve.headers import provenance_headers
from artcolor.serve.hints import check_hints, hints_of
from artcolor.serve.memory import File, FileAnswer
from artcolor.serve.models import abilities, check_model, working_size_of
from artcolor.serve.options import (
    ALTERNATIVES,
    GUIDANCE,
    MAP,
    PLACE,
    RESULT,
    SAVING,
    SIDE,
    SIZE,
    check_size,
    from_query,
)
from artcolor.serve.pictures import check_picture, media_type
from artcolor.serve.places import Place
from artcolor.serve.sessions import BYTES_PER_PIXEL, Kept
from artcolor.serve.settings import Settings
from artcolor.serve.state import State, state_of
from artcolor.serve.uploads import JSON_BYTES, NamedBytes, Upload, json_of, read_body, read_upload
from artcolor.serve.work import FEATURE_BYTES, work_of, working_pixels

__all__ = ["alternatives", "close", "guide", "original", "result", "start", "suggestions", "uncertainty"]

_PLACE = ("x", "y")
# All layers are in memory together, so that a picture of the largest size would need 2 GB.
_LAYERS = 4
_DOCUMENTS = {"ora": ("layers.ora", "image/openraster"), "card": ("card.html", "text/html")}


async def start(request: Request) -> Response:
    """Starts a session with the picture in the body.

    Args:
        request: the body is a picture file or a form with the parts `picture`, `hints` and `reference`; the query may
            contain `model`, `size`, and `name`, what the picture is called.

    Returns:
        JSON with the id of the session; width, height and format of the picture; the model; and warnings.
    """
    state = state_of(request)
    with state.places.take() as place:
        upload = await read_upload(request, state.settings, place)
        return JSONResponse(await place.run(request, _started, upload, request.query_params, state), 201)


def _started(upload: Upload, query: QueryParams, state: State) -> dict[str, Any]:
    from artcolor.engine.session import Session  # noqa: PLC0415  (imports torch)

    settings = state.settings
    options = from_query(query, SIZE, ["model", "name"])
    check_size(options, settings)
    model = query.get("model", settings.model)
    check_model(model, settings)
    picture = picture_of(dataclasses.replace(upload, name=query.get("name", upload.name)))
    found = check_picture(picture, settings, single=True)
    suffix, pixels = found.suffix, found.pixels
    if upload.reference is not None:
        check_picture(NamedBytes(*upload.reference), settings)
    hints = hints_of(upload, settings, state.room)
    # Within it, so that those who wait for room see the memory that this one takes.
    working = working_pixels(found.width, found.height, working_size_of(model, options.get("size")))
    with state.room.take(max(pixels, work_of(working, hints, draws=True))):
        state.sessions.make_room(BYTES_PER_PIXEL * pixels + FEATURE_BYTES * working)
        with collected() as warnings:
            session = Session(picture, model, size=options.get("size"), device=settings.device)
        kept = Kept(session, suffix, upload.reference, working=working, warnings=tuple(warnings))
        kept.guidance, kept.decoding = _guidance(kept, {"hints": hints})
        defaults = _used(kept, Decoding())
        made, (height, width) = session.colorizer.provenance, session.original.pixels.shape[:2]
        return {
            "id": state.sessions.add(kept),
            "seconds": settings.session_seconds,
            "width": width,
            "height": height,
            "format": suffix.removeprefix("."),
            "model": made.model,
            "sha256": made.weights_sha256,
            "defaults": defaults,
            **abilities("vividness" in defaults),
            "warnings": warnings,
        }


async def guide(request: Request) -> Response:
    """Replaces the guidance of a session by the JSON in the body, and returns a preview.

    Args:
        request: the body is an object with `hints` and colorizing options; the query may contain `side`, `format`
            and `quality` of the preview.

    Returns:
        The preview.
    """
    state = state_of(request)
    with state.places.take() as place:
        given = json_of(await read_body(request, state.settings, place, JSON_BYTES), "the guidance")
        hints = given.get("hints") if isinstance(given, dict) else None
        return await _worked(request, place, functools.partial(_guided, given), hints)


def _guided(given: Any, kept: Kept, query: QueryParams) -> File:
    options = from_query(query, SIDE | {name: SAVING[name] for name in ("format", "quality")})
    if not isinstance(given, dict):
        raise ConfigError("the guidance must be a JSON object")
    unknown = sorted(set(given) - {"hints", *GUIDANCE})
    if unknown:
        known = ", ".join(sorted(["hints", *GUIDANCE]))
        raise ConfigError(f"the guidance has unknown keys: {', '.join(unknown)[:100]}; the keys are {known}")
    guidance, decoding = _guidance(kept, given)
    format = options.get("format", "png")
    shown = kept.preview(options.get("side", SIDE["side"][1].default)).render(guidance, decoding)
    # Only what could be rendered is kept.
    kept.guidance, kept.decoding = guidance, decoding
    data = shown.to_bytes(format, quality=options.get("quality"))
    headers = provenance_headers(shown.provenance) | {"X-Artcolor-Used": json.dumps(_used(kept, decoding))}
    return File(data, media_type(format), headers)


def _used(kept: Kept, decoding: Decoding) -> dict[str, float]:
    """How colors are decoded, with the defaults of the weights."""
    from artcolor.models.heads import DistributionHead  # noqa: PLC0415  (imports torch)

    used, head = {"strength": decoding.strength}, kept.session.colorizer.model.head
    if isinstance(head, DistributionHead):
        found = effective(decoding, vividness=head.vividness, temperature=head.temperature)
        used |= dict(zip(("vividness", "temperature"), found, strict=True))
    return used


def _guidance(kept: Kept, given: dict[str, Any]) -> tuple[Guidance, Decoding]:
    given = {name: value for name, value in given.items() if value is not None}
    if "hints" in given:
        check_hints(given["hints"])
    guidance, decoding = guided(given)
    if kept.reference is not None:
        guidance = dataclasses.replace(guidance, reference=NamedBytes(*kept.reference))
    return guidance, decoding


async def original(request: Request) -> Response:
    """Returns the picture of a session as it was sent, reduced, in sRGB and upright, as previews are.

    Args:
        request: the query may contain `side`, `format` and `quality`.

    Returns:
        The picture, by default as PNG.
    """
    with state_of(request).places.take() as place:
        return await _worked(request, place, _original)


def _original(kept: Kept, query: QueryParams) -> File:
    options = from_query(query, SIDE | {name: SAVING[name] for name in ("format", "quality")})
    format = options.get("format", "png")
    shown = kept.preview(options.get("side", SIDE["side"][1].default)).original
    # Metadata stay out of what is only shown.
    picture = in_rgb(Picture(shown.pixels, shown.alpha))
    save_picture(picture, file := io.BytesIO(), format=format, quality=options.get("quality"))
    return File(file.getvalue(), media_type(format))


async def result(request: Request) -> Response:
    """Returns the result of a session: the picture, colored at full size, or another file that shows it.

    Args:
        request: the query may contain `what`, and `format`, `quality` and `depth` of a picture or layer.

    Returns:
        The picture, by default in the format of the original; only the color, as PNG by
        default; layers as an OpenRaster file; or a card as an HTML page.
    """
    state = state_of(request)
    with state.places.take() as place:
        return await _worked(request, place, functools.partial(_result, state.settings))


def _result(settings: Settings, kept: Kept, query: QueryParams) -> File:
    options = from_query(query, RESULT)
    what = options.pop("what", "picture")
    if what in _DOCUMENTS and options:
        raise ConfigError(f"{' and '.join(sorted(options))} cannot be set for {what}")
    if what == "ora" and kept.pixels > (most := settings.max_pixels // _LAYERS):
        raise HTTPException(
            413,
            f"the picture has {kept.pixels} pixels; the limit of layers is {most} here, but the command has none: "
            "artcolor colorize with --layers",
        )
    format = options.pop("format", "png" if what == "layer" else kept.suffix)
    session, file = kept.session, io.BytesIO()
    made = session.colorizer.provenance_of(kept.guidance, kept.decoding)
    if what == "layer":
        made = dataclasses.replace(made, options={**made.options, "chroma_only": True})
    headers = provenance_headers(made)
    if what in _DOCUMENTS:
        save = session.save_layers if what == "ora" else session.save_card
        save(file, kept.guidance, kept.decoding)
        # Nothing that a client sent is shown as a page of the server.
        name, kind = _DOCUMENTS[what]
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    else:
        alone, kind = what == "layer", media_type(format)
        session.save(file, kept.guidance, kept.decoding, format=format, chroma_only=alone, **options)
    return File(file.getvalue(), kind, headers)


async def uncertainty(request: Request) -> Response:
    """Returns a map of the model's uncertainty, as PNG.

    Args:
        request: the path names the session; the query may contain `side`.

    Returns:
        The map, by default as large as the picture.
    """
    with state_of(request).places.take() as place:
        return await _worked(request, place, _uncertainty)


def _uncertainty(kept: Kept, query: QueryParams) -> File:
    side = from_query(query, MAP).get("side")
    found = (kept.session if side is None else kept.preview(side)).uncertainty()
    found.save(file := io.BytesIO(), "PNG")
    return File(file.getvalue(), "image/png")


async def alternatives(request: Request) -> Response:
    """Returns other colorings of the picture; the guidance of the session stays.

    Args:
        request: the query may contain `count` and `side`.

    Returns:
        JSON with the alternatives: each with `seed`, which gives this coloring as part of the guidance, and `picture`,
        a JPEG file as a data URL, or a WebP file if it is transparent; and warnings.
    """
    with state_of(request).places.take() as place:
        return await _worked(request, place, _alternatives)


def _alternatives(kept: Kept, query: QueryParams) -> dict[str, Any]:
    defaults = {name: option.default for name, (_, option) in ALTERNATIVES.items()}
    options = defaults | from_query(query, ALTERNATIVES)
    found = []
    shown = kept.preview(options["side"])
    format = "webp" if shown.original.transparent else "jpg"
    for seed in range(1, options["count"] + 1):
        made = shown.render(dataclasses.replace(kept.guidance, seed=seed), kept.decoding)
        picture = base64.b64encode(made.to_bytes(format)).decode()
        found.append({"seed": seed, "picture": f"data:{media_type(format)};base64,{picture}"})
    return {"alternatives": found}


async def suggestions(request: Request) -> Response:
    """Returns the most likely colors at a point.

    Args:
        request: the query contains `x` and `y`, and may contain `k`.

    Returns:
        JSON with the suggestions, most likely first.
    """
    with state_of(request).places.take() as place:
        return await _worked(request, place, _suggestions)


def _suggestions(kept: Kept, query: QueryParams) -> dict[str, Any]:
    options = from_query(query, PLACE)
    for name in _PLACE:
        if name not in options:
            raise ConfigError(f"{name} is missing; it is a fraction of the picture, 0 to 1")
    kept.session.hints[:] = kept.session.all_hints(Guidance(hints=kept.guidance.hints))
    try:
        found = kept.session.suggest(**options)
    finally:
        # The guidance has them, and they would count twice.
        kept.session.hints.clear()
    return {"suggestions": [dataclasses.asdict(each) for each in found]}


async def close(request: Request) -> Response:
    """Deletes a session.

    Args:
        request: the path names the session.

    Returns:
        An empty response.
    """
    state_of(request).sessions.remove(request.path_params["id"])
    return Response(status_code=204)


_Answer = File | dict[str, Any]


async def _worked(
    request: Request, place: Place, function: Callable[[Kept, QueryParams], _Answer], hints: Any = None
) -> Response:
    state, name = state_of(request), request.path_params["id"]
    state.sessions.get(name)

    def work() -> _Answer:
        with state.sessions.using(name, state.room, hints) as kept, collected() as found:
            answer = function(kept, request.query_params)
        warnings = tuple(dict.fromkeys([*kept.warnings, *found]))
        return answer._replace(warnings=warnings) if isinstance(answer, File) else answer | {"warnings": warnings}

    answer = await place.run(request, work)
    return FileAnswer(answer, state.memory, state.settings) if isinstance(answer, File) else JSONResponse(answer)
