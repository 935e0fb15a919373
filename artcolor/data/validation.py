"""Formats pydantic's validation errors of recipes and specs."""

import difflib
from collections.abc import Iterable

from pydantic_core import ErrorDetails

__all__ = ["in_words"]

_SHOULD = "Input should "


def in_words(error: ErrorDetails, what: str, known: Iterable[str] = ()) -> str:
    """Formats an error of a model as a sentence.

    Args:
        error: one of those of a `ValidationError`.
        what: the word for a key, such as `"setting"`.
        known: names of all keys, to suggest one.

    Returns:
        A sentence that names the key.

    Example:
        >>> in_words({"type": "missing", "loc": ("steps",), "msg": "Field required", "input": {}}, "setting")
        "the setting 'steps' is missing"
    """
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, known, n=1)
        return f"there is no {what} {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    if error["type"] == "missing":
        return f"the {what} {key!r} is missing"
    # For an error that a validator raised, the message begins with the name of its class.
    text = str(error["ctx"]["error"]) if error["type"] == "value_error" else error["msg"]
    if text.startswith(_SHOULD):
        return f"{key or 'the file'} must {text.removeprefix(_SHOULD)}, not {str(error['input'])[:80]!r}"
    return f"{key}: {text}" if key else text
