"""Colorizing options in requests: in the query, and as JSON. None of them can refer to files."""

import dataclasses
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from starlette.datastructures import QueryParams

from artcolor.batch.saving import Saving
from artcolor.engine.options import OPTIONS
from artcolor.errors import ConfigError
from artcolor.models.options import Option
from artcolor.serve.settings import Settings

__all__ = [
    "ALTERNATIVES",
    "COLORING",
    "GUIDANCE",
    "MAP",
    "PLACE",
    "RESULT",
    "SAVING",
    "SIDE",
    "SIZE",
    "check_size",
    "from_query",
]

# A request gives one result, and the server decides where the network runs; hints and reference are parts of the body.
_LEFT_OUT = ("hints", "reference", "samples", "skip_colored", "batch_size", "device", "backend")

COLORING: dict[str, tuple[Any, Option]] = {
    name: (bool if kind is bool else kind, option) for name, (kind, option) in OPTIONS.items() if name not in _LEFT_OUT
}
"""Colorizing options that a query may contain → type and description."""

_GUIDED = ("vividness", "temperature", "strength", "palette", "seed", "spread")
GUIDANCE: dict[str, tuple[Any, Option]] = {name: COLORING[name] for name in _GUIDED}
"""Options that can change within a session."""

SIZE: dict[str, tuple[Any, Option]] = {"size": COLORING["size"]}
"""Options with which a session starts."""

SIDE: dict[str, tuple[Any, Option]] = {
    "side": (int, Option("Longer side of the preview, in pixels.", 1, 2048, default=1024))
}
"""Options of a preview."""

MAP: dict[str, tuple[Any, Option]] = {
    "side": (int, Option("Longer side of the map, in pixels. Default: that of the picture.", 1, 2048))
}
"""Options of the map of uncertainty."""

ALTERNATIVES: dict[str, tuple[Any, Option]] = {
    "count": (int, Option("Number of alternatives.", 1, 16, default=4)),
    "side": (int, Option("Longer side of each alternative, in pixels.", 1, 1024, default=256)),
}
"""Options of alternatives."""

PLACE: dict[str, tuple[Any, Option]] = {
    "x": (float, Option("Position as a fraction of the width.", 0, 1)),
    "y": (float, Option("Position as a fraction of the height.", 0, 1)),
    "k": (int, Option("Number of colors.", 1, 20, default=5)),
}
"""Options of suggestions."""


def _saving() -> dict[str, tuple[Any, Option]]:
    hints = typing.get_type_hints(Saving, include_extras=True)
    names = ("format", "quality", "depth", "provenance", "allow_truncated")
    defaults = {field.name: field.default for field in dataclasses.fields(Saving)}
    found: dict[str, tuple[Any, Option]] = {}
    for name in names:
        kind, option = typing.get_args(hints[name])
        found[name] = kind, dataclasses.replace(option, default=defaults[name])
    return found


SAVING: dict[str, tuple[Any, Option]] = _saving()
"""Fields of `Saving` that a query may contain → type and description."""

_WHAT = "What to return: the picture; only its color, as a layer; all layers, as an OpenRaster file; or an HTML card."
RESULT: dict[str, tuple[Any, Option]] = {
    "what": (Literal["picture", "layer", "ora", "card"], Option(_WHAT, default="picture")),
    **{name: SAVING[name] for name in ("format", "quality", "depth")},
}
"""Options of the result of a session."""


def from_query(
    query: QueryParams, known: Mapping[str, tuple[Any, Option]], others: Iterable[str] = ()
) -> dict[str, Any]:
    """Reads options from the query of a request.

    Args:
        query: query of the request.
        known: options that it may contain.
        others: names of anything else that it may contain.

    Returns:
        The values of the options that are given.

    Raises:
        ConfigError: there is no such option, it is given twice, or its value is invalid.
    """
    given: dict[str, Any] = {}
    for name in query:
        if name in others:
            continue
        if name not in known:
            raise ConfigError(
                f"there is no option {name[:50]!r}; the options are {', '.join(sorted([*known, *others]))}"
            )
        values = query.getlist(name)
        if name == "palette":
            given[name] = values
        elif len(values) > 1:
            raise ConfigError(f"{name} is given {len(values)} times; give it once")
        else:
            given[name] = _value(name, values[0], *known[name])
    return given


def _value(name: str, text: str, kind: Any, option: Option) -> Any:
    kinds = {kind, *typing.get_args(kind)}
    if typing.get_origin(kind) is Literal:
        if text not in kinds:
            raise ConfigError(f"{name} must be one of {', '.join(typing.get_args(kind))}, not {text[:50]!r}")
        return text
    try:
        if bool in kinds:
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        if int in kinds or float in kinds:
            number = int(text) if int in kinds else float(text)
            if (option.minimum is not None and not number >= option.minimum) or (
                option.maximum is not None and not number <= option.maximum
            ):
                raise ConfigError(f"{name} must be {option.range}, not {text[:50]}")
            return number
    except (ValueError, KeyError):
        wanted = "true or false" if bool in kinds else "an integer" if int in kinds else "a number"
        raise ConfigError(f"{name} must be {wanted}, not {text[:50]!r}") from None
    return text


def check_size(options: Mapping[str, Any], settings: Settings) -> None:
    """Checks the working size.

    Args:
        options: options that may contain it.
        settings: settings of the server, which limit it.

    Raises:
        ConfigError: it is too large.
    """
    size = options.get("size")
    if size is not None and size > settings.max_size:
        raise ConfigError(f"size must be at most {settings.max_size}, not {size}")
