"""The OpenAPI description, generated from the lists of options, and a page that shows it."""

import functools
import html
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from artcolor import __version__
from artcolor.engine.options import DEFAULT_MODEL
from artcolor.models.options import Option
from artcolor.serve.headers import HEADERS
from artcolor.serve.options import ALTERNATIVES, COLORING, GUIDANCE, MAP, PLACE, RESULT, SAVING, SIDE, SIZE

__all__ = ["describe", "docs_page"]

_Options = dict[str, tuple[Any, Option]]
_MODEL: _Options = {"model": (str, Option("Name of a model or of weights; see /api/models.", default=DEFAULT_MODEL))}
_BINARY = {"type": "string", "format": "binary"}
_PICTURE = {"image/*": {"schema": _BINARY}}
_DOCUMENTS = {"image/openraster": {"schema": _BINARY}, "text/html": {"schema": {"type": "string"}}}
_HINTS = {"type": "object", "description": "As in a hints file; see docs/hints.md. It cannot refer to files."}


def _part(description: str) -> dict[str, str]:
    return {**_BINARY, "description": description}


_REFERENCE = _part("A colored picture; similar objects in the result take its colors.")
_UPLOAD = {
    "application/octet-stream": {"schema": _BINARY},
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["picture"],
            "properties": {
                "picture": _part("The picture file."),
                "hints": {
                    "oneOf": [_HINTS, _part("Or painted hints; the content type of the part must begin with image/.")]
                },
                "reference": _REFERENCE,
            },
        }
    },
}
_ZIP = {"application/zip": {"schema": _BINARY}}
_FOLDER = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["picture"],
            "properties": {"picture": _part("The ZIP file."), "reference": _REFERENCE},
        }
    }
}
_MADE = ("Model", "Weights-SHA256", "Version", "Options", "Warnings")
_NAME: _Options = {
    "name": (str, Option("Name of the picture in messages and on cards. Default: the file name in the form."))
}
_JSON = {"application/json": {"schema": {"type": "object"}}}
_ERRORS = {
    "400": "The request is malformed.",
    "401": "The token is missing or wrong.",
    "403": "The request comes from a page of another origin that is not allowed.",
    "404": "There is no such session, or it has expired.",
    "408": "The request arrived too slowly.",
    "413": "The request or the picture is too large.",
    "415": "The format of the picture is not supported.",
    "421": "The Host header is not a name of this server.",
    "422": "The picture is damaged, or an option is invalid.",
    "503": "The server is busy; Retry-After states when to try again.",
}


@functools.cache
def describe() -> dict[str, Any]:
    """Describes the API in the format of OpenAPI 3.1.

    Returns:
        The description, which can be written as JSON.

    Example:
        >>> sorted(describe()["paths"])[:2]
        ['/api/colorize', '/api/folder']
    """
    preview = SIDE | {name: SAVING[name] for name in ("format", "quality")}
    guidance = {
        "hints": _HINTS,
        **{name: _schema(*each) | {"description": each[1].help} for name, each in GUIDANCE.items()},
    }
    guidance_body = {"application/json": {"schema": {"type": "object", "properties": guidance}}}
    session = "/api/sessions/{id}"
    paths = {
        "/api/colorize": {
            "post": _operation("Colorize a picture.", _PICTURE, _MODEL | COLORING | SAVING, body=_UPLOAD, told=_MADE)
        },
        "/api/folder": {
            "post": _operation(
                "Colorize the pictures of a ZIP file.",
                _ZIP,
                _MODEL | COLORING | SAVING,
                body={**_ZIP, **_FOLDER},
                told=["Failed"],
            )
        },
        "/api/sessions": {
            "post": _operation(
                "Start a session with a picture.", _JSON, _MODEL | SIZE | _NAME, body=_UPLOAD, status="201"
            )
        },
        session: {"delete": _operation("Delete a session.", None, status="204", in_session=True)},
        f"{session}/guidance": {
            "put": _operation(
                "Replace the guidance and preview the result.",
                _PICTURE,
                preview,
                body=guidance_body,
                in_session=True,
                told=[*_MADE, "Used"],
            )
        },
        f"{session}/original": {
            "get": _operation("The original, reduced to preview size.", _PICTURE, preview, in_session=True)
        },
        f"{session}/result": {
            "get": _operation("The result at full size.", _PICTURE | _DOCUMENTS, RESULT, in_session=True, told=_MADE)
        },
        f"{session}/uncertainty": {
            "get": _operation(
                "A map of the model's uncertainty.", {"image/png": {"schema": _BINARY}}, MAP, in_session=True
            )
        },
        f"{session}/alternatives": {
            "get": _operation("Other colorings, each with its seed.", _JSON, ALTERNATIVES, in_session=True)
        },
        f"{session}/suggestions": {"get": _operation("Likely colors at a point.", _JSON, PLACE, in_session=True)},
        "/api/models": {"get": _operation("List models, formats and limits.", _JSON)},
        "/healthz": {"get": _operation("Report that the server is up.", _JSON)},
        "/metrics": {"get": _operation("Counters for Prometheus.", {"text/plain": {"schema": {"type": "string"}}})},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "artcolor",
            "version": __version__,
            "description": "Colorizes grayscale art. All colors are guesses.",
        },
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],
    }


def _operation(
    summary: str,
    content: dict[str, Any] | None,
    options: _Options | None = None,
    *,
    body: dict[str, Any] | None = None,
    status: str = "200",
    in_session: bool = False,
    told: Sequence[str] = (),
) -> dict[str, Any]:
    parameters = [
        {
            "name": name,
            "in": "query",
            "required": name in ("x", "y"),
            "description": option.help,
            "schema": _schema(kind, option),
        }
        for name, (kind, option) in (options or {}).items()
    ]
    if in_session:
        parameters.insert(0, {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}})
    answer: dict[str, Any] = {"description": "Done."}
    if content is not None:
        answer["content"] = content
    if told:
        names = [f"X-Artcolor-{each}" for each in told]
        answer["headers"] = {name: {"description": HEADERS[name], "schema": {"type": "string"}} for name in names}
    operation: dict[str, Any] = {
        "summary": summary,
        "parameters": parameters,
        "responses": {status: answer, **{code: {"description": text} for code, text in _ERRORS.items()}},
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def _schema(kind: Any, option: Option) -> dict[str, Any]:
    kinds = {kind, *typing.get_args(kind)}
    if kind is Any:
        return {"type": "array", "items": {"type": "string"}}
    if typing.get_origin(kind) is typing.Literal:
        return {"type": "string", "enum": list(typing.get_args(kind)), "default": option.default}
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    schema: dict[str, Any] = {"type": next(name for found, name in names.items() if found in kinds)}
    limits = {"minimum": option.minimum, "maximum": option.maximum, "default": option.default}
    return schema | {name: value for name, value in limits.items() if value is not None}


def _fields(bodies: Mapping[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = bodies.get(kind, {"schema": {}})["schema"].get("properties", {})
    return found


def _listed(title: str, entries: Mapping[str, Mapping[str, Any]]) -> str:
    if not entries:
        return ""
    rows = "".join(
        f"<dt><code>{html.escape(name)}</code></dt><dd>{html.escape(' '.join(_texts([each])))}</dd>"
        for name, each in entries.items()
    )
    return f"<h3>{title}</h3><dl>{rows}</dl>"


def _texts(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    return [each["description"] for entry in entries for each in entry.get("oneOf", [entry]) if "description" in each]


@functools.cache
def docs_page() -> str:
    """Returns the description as an HTML page, without scripts and styles."""
    parts = []
    for path, operations in describe()["paths"].items():
        for method, operation in operations.items():
            parameters = {each["name"]: each for each in operation["parameters"]}
            bodies = operation.get("requestBody", {"content": {}})["content"]
            answer = next(iter(operation["responses"].values()))
            parts.append(
                f"<h2><code>{method.upper()} {html.escape(path)}</code></h2><p>{html.escape(operation['summary'])}</p>"
                f"{_listed('Parameters', parameters)}"
                f"{_listed('Form parts', _fields(bodies, 'multipart/form-data'))}"
                f"{_listed('JSON fields', _fields(bodies, 'application/json'))}"
                f"{_listed('Response headers', answer.get('headers', {}))}"
            )
    errors = "".join(f"<dt>{code}</dt><dd>{html.escape(text)}</dd>" for code, text in _ERRORS.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>artcolor: API</title>'
        '<meta name="viewport" content="width=device-width"></head><body><main><h1>artcolor: API</h1>'
        '<p>Machine-readable: <a href="/api/openapi.json">openapi.json</a></p>'
        f"{''.join(parts)}<h2>Errors</h2><p>The body is an object with <code>error</code>.</p><dl>{errors}</dl>"
        "</main></body></html>"
    )
