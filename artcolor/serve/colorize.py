"""`POST /api/colorize`: a picture in, the same picture in color out."""

import dataclasses
import io

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from artcolor.batch.pipe import colorize_stream
from artcolor.batch.saving import Saving
from artcolor.engine.options import OPTIONS
from artcolor.images.notices import collected
from artcolor.serve.headers import provenance_headers
from artcolor.serve.hints import hints_of
from artcolor.serve.memory import File, FileAnswer
from artcolor.serve.models import check_model, make_colorizer, working_size_of
from artcolor.serve.options import COLORING, SAVING, check_size, from_query
from artcolor.serve.pictures import check_picture, media_type
from artcolor.serve.sessions import BYTES_PER_PIXEL
from artcolor.serve.state import State, state_of
from artcolor.serve.uploads import NamedBytes, Upload, read_upload
from artcolor.serve.work import work_of, working_pixels

__all__ = ["colorize", "colorize_upload", "picture_of"]


async def colorize(request: Request) -> Response:
    """Colorizes the picture in the body, as `artcolor colorize - -o -` would.

    Args:
        request: the body is a picture file or a form with the parts `picture`, `hints` and `reference`; the query holds
            options.

    Returns:
        The picture, by default in the format of the original.
    """
    state = state_of(request)
    with state.places.take() as place:
        upload = await read_upload(request, state.settings, place)
        colored = await place.run(request, colorize_upload, upload, request.query_params, state)
    return FileAnswer(colored, state.memory, state.settings)


def colorize_upload(upload: Upload, query: QueryParams, state: State) -> File:
    """Colorizes the picture of an upload.

    Args:
        upload: the picture, with hints and reference.
        query: query of the request, with options.
        state: state of the server.

    Returns:
        The colored picture, with warnings.

    Raises:
        HTTPException: there is no picture (400), it is too large (413), or the server is busy with others (503).
        ConfigError: an option or a hint is invalid.
        ImageError: the picture or the reference cannot be read, or the result cannot be written.
    """
    with collected() as warnings:
        colored = _colorized(upload, query, state)
    return colored._replace(warnings=tuple(warnings))


def _colorized(upload: Upload, query: QueryParams, state: State) -> File:
    settings = state.settings
    options = from_query(query, COLORING | SAVING, ["model"])
    saving = Saving(**{name: options.pop(name) for name in SAVING if name in options}, max_pixels=settings.max_pixels)
    check_size(options, settings)
    model = query.get("model", settings.model)
    check_model(model, settings)
    picture = picture_of(upload)
    found = check_picture(picture, settings, allow_truncated=saving.allow_truncated)
    suffix, pixels = found.suffix, found.pixels
    if (hints := hints_of(upload, settings, state.room)) is not None:
        options["hints"] = hints
    if upload.reference is not None:
        options["reference"] = NamedBytes(*upload.reference)
        pixels = max(pixels, check_picture(options["reference"], settings).pixels)
    working = working_pixels(found.width, found.height, working_size_of(model, options.get("size")))
    # Pages go through the network together.
    working *= min(found.frames, OPTIONS["batch_size"][1].default)
    # The reference is reduced before the picture is read.
    with state.room.take(max(pixels, work_of(working, hints, draws="seed" in options))):
        if state.room.is_large(pixels):
            state.sessions.make_room(BYTES_PER_PIXEL * pixels)
        colorizer = make_colorizer(model, settings, options)
        colored = io.BytesIO()
        colorize_stream(colorizer, picture, colored, dataclasses.replace(saving, format=saving.format or suffix))
    headers = provenance_headers(colorizer.provenance)
    return File(colored.getvalue(), media_type(saving.format or suffix), headers)


def picture_of(upload: Upload) -> NamedBytes | bytes:
    """Returns the picture in a request.

    Args:
        upload: what the request carries.

    Returns:
        The file, with its name if the request states one.

    Raises:
        HTTPException: there is none (400).
    """
    if not upload.picture:
        raise HTTPException(400, "there is no picture; send a picture file as the body, or as the part 'picture'")
    return NamedBytes(upload.picture, upload.name) if upload.name else upload.picture
