"""`POST /api/colorize`: a picture in, the same picture in color out."""

import dataclasses
import io
import json
from urllib.parse import quote

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from artcolor.batch.pipe import colorize_stream
from artcolor.batch.saving import Saving
from artcolor.images import Provenance
from artcolor.serve.hints import hints_of
from artcolor.serve.memory import File, FileAnswer
from artcolor.serve.models import check_model, make_colorizer
from artcolor.serve.options import COLORING, SAVING, check_size, from_query
from artcolor.serve.pictures import check_picture, media_type
from artcolor.serve.state import State, state_of
from artcolor.serve.uploads import NamedBytes, Upload, read_upload

__all__ = ["colorize", "colorize_upload", "picture_of", "provenance_headers"]


async def colorize(request: Request) -> Response:
    """Colorizes the picture in the body, as `artcolor colorize - -o -` would.

    Args:
        request: the body is a picture file or a form with the parts `picture`, `hints` and `reference`; the query holds
            options.

    Returns:
        The picture, in the format of the original unless the query says otherwise.
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
        query: holds options.
        state: of the server.

    Returns:
        The colored picture.

    Raises:
        HTTPException: there is no picture (400), it is too large (413), or the server is busy with others (503).
        ConfigError: an option or a hint makes no sense.
        ImageError: the picture or the reference cannot be read, or the result cannot be written.
    """
    settings = state.settings
    options = from_query(query, COLORING | SAVING, ["model"])
    saving = Saving(**{name: options.pop(name) for name in SAVING if name in options}, max_pixels=settings.max_pixels)
    check_size(options, settings)
    model = query.get("model", settings.model)
    check_model(model, settings)
    picture = picture_of(upload)
    suffix, pixels = check_picture(picture, settings, allow_truncated=saving.allow_truncated)
    if (hints := hints_of(upload, settings, state.room)) is not None:
        options["hints"] = hints
    if upload.reference is not None:
        options["reference"] = NamedBytes(*upload.reference)
        pixels = max(pixels, check_picture(options["reference"], settings)[1])
    # The reference is reduced before the picture is read.
    with state.room.take(pixels):
        colorizer = make_colorizer(model, settings, options)
        colored = io.BytesIO()
        colorize_stream(colorizer, picture, colored, dataclasses.replace(saving, format=saving.format or suffix))
    headers = provenance_headers(colorizer.provenance)
    return File(colored.getvalue(), media_type(saving.format or suffix), headers)


def picture_of(upload: Upload) -> bytes:
    """The picture in a request.

    Args:
        upload: what the request carries.

    Raises:
        HTTPException: there is none (400).
    """
    if not upload.picture:
        raise HTTPException(400, "there is no picture; send a picture file as the body, or as the part 'picture'")
    return upload.picture


def provenance_headers(provenance: Provenance) -> dict[str, str]:
    """States in headers where the colors come from.

    Args:
        provenance: of the picture. Hints are left out, because headers are short; the file has them.

    Returns:
        Name of the header → value. The name of the model is percent-encoded where it is not ASCII.
    """
    options = {name: value for name, value in provenance.options.items() if name != "hints"}
    return {
        # Weights of one's own may have any name, and headers hold ASCII.
        "X-Artcolor-Model": quote(provenance.model, safe=" @"),
        "X-Artcolor-Weights-SHA256": provenance.weights_sha256,
        "X-Artcolor-Version": provenance.version,
        "X-Artcolor-Options": json.dumps(options),
    }
