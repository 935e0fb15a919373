"""Hints in requests. They cannot refer to files."""

from typing import Any

from artcolor.engine.hint_files import painted_hints
from artcolor.errors import ConfigError
from artcolor.serve.memory import Room
from artcolor.serve.pictures import check_picture
from artcolor.serve.settings import Settings
from artcolor.serve.uploads import NamedBytes, Upload

__all__ = ["check_hints", "hints_of"]

# Regions take milliseconds each, and the memory of points grows with the square of their number.
_MOST = 1000
_MOST_CORNERS = 5000
_SHAPES = ("polyline", "polygon")


def hints_of(upload: Upload, settings: Settings, room: Room) -> Any:
    """Returns the hints in a request.

    Args:
        upload: content of the request.
        settings: settings of the server; they limit the pixels of painted hints.
        room: room for the painted picture.

    Returns:
        An object as in a hints file, or a list of hints; `None` without hints.

    Raises:
        ConfigError: they name a file, have the wrong type, or nothing is painted.
        HTTPException: the painted picture is too large (413).
        ImageError: it cannot be read.
    """
    if upload.painted is not None:
        with room.take(check_picture(NamedBytes(*upload.painted), settings, single=True).pixels):
            found = painted_hints(NamedBytes(*upload.painted))
        return {"size": list(found.size or ()), "hints": [hint.to_json() for hint in found.hints]}
    if upload.hints is not None:
        check_hints(upload.hints)
    return upload.hints


def check_hints(hints: Any) -> None:
    """Checks that hints do not refer to files of the server, and are not too many.

    Args:
        hints: the content of a hints file as JSON: an object, or a list of hints.

    Raises:
        ConfigError: they name a file, are too many, or are neither.
    """
    if not isinstance(hints, dict | list):
        raise ConfigError("hints must be an object, as in a hints file, or a list of hints")
    if isinstance(hints, dict) and hints.get("reference") is not None:
        raise ConfigError("hints cannot name a reference here; send the picture as the form part 'reference'")
    every = hints.get("hints", []) if isinstance(hints, dict) else hints
    corners = 0
    if isinstance(every, list) and len(every) > _MOST:
        raise ConfigError(f"there are {len(every)} hints; the limit is {_MOST}")
    for number, hint in enumerate(every if isinstance(every, list) else ()):
        if not isinstance(hint, dict):
            continue
        if hint.get("mask") is not None:
            raise ConfigError(f"hint {number + 1} has a mask, which cannot be uploaded; give a polygon")
        corners += sum(len(shape) for shape in map(hint.get, _SHAPES) if isinstance(shape, list))
    if corners > _MOST_CORNERS:
        raise ConfigError(f"the shapes of hints have {corners} corners; the limit is {_MOST_CORNERS}")
