"""Is this a manifest of IIIF Presentation 3?"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema

_SCHEMA = json.loads(Path(__file__).with_name("presentation3.schema.json").read_text())


def check(document: dict[str, Any]) -> None:
    """By the schema of iiif-prezi3, by the package itself where it is installed, and by what a schema cannot say."""
    jsonschema.validate(document, _SCHEMA)
    with contextlib.suppress(ImportError):
        from iiif_prezi3 import Manifest

        Manifest(**document)
    assert document["@context"] == "http://iiif.io/api/presentation/3/context.json"
    ids = [each["id"] for each in parts(document) if each.get("type") in ("Manifest", "Canvas", "Annotation")]
    assert all(each.startswith("http") for each in ids)


def parts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(each)


def bodies(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the annotations that paint, in the order of canvases."""
    return [each["body"] for each in parts(document["items"]) if each.get("motivation") == "painting"]
