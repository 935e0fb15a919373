"""IIIF manifests: which pictures they show, and the same manifest with colors beside them."""

import copy
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from artcolor import __version__
from artcolor.errors import DataError
from artcolor.iiif.upgrade import CONTEXT, as_list, as_mapping, as_text, language_map, upgraded
from artcolor.images import Provenance

__all__ = ["Colored", "Manifest", "Painting", "Service"]

STATEMENT = "The colors are a guess, computed by artcolor. They are not evidence of what the original looks like."
"""What the written manifest requires viewers to show."""

_LABEL = "Computed colors (a guess by artcolor)"
_ORIGINAL = "Original"
# Manifests need about 20 levels.
_DEEPEST = 100
_MEDIA_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


@dataclass(frozen=True)
class Service:
    """A server that gives a picture in any size (IIIF Image API).

    Attributes:
        id: its address, to which the wanted size is added.
        version: version of the Image API: 1, 2 or 3.
    """

    id: str
    version: int


@dataclass(frozen=True, eq=False)
class Painting:
    """A picture that a canvas shows.

    Attributes:
        canvas: name of the canvas in messages: its label, or else its id.
        annotation: the annotation that paints the picture on the canvas.
        image: the picture's description in the annotation.
        names: possible names of its file, most specific first.
    """

    canvas: str
    annotation: dict[str, Any]
    image: Mapping[str, Any]
    names: Sequence[str]

    @property
    def address(self) -> str:
        """Address of the picture."""
        return str(self.image["id"])

    @property
    def service(self) -> Service | None:
        """The image service that the picture has, the one of the latest version."""
        found = list(_services(self.image))
        return max(found, key=lambda each: each.version) if found else None


@dataclass(frozen=True)
class Colored:
    """A picture that was colorized.

    Attributes:
        painting: the original.
        path: path of the result, below the folder of the new manifest.
        size: its width and height.
        provenance: origin of its colors; `None` if the file does not state it.
    """

    painting: Painting
    path: Path
    size: tuple[int, int]
    provenance: Provenance | None


@dataclass
class Manifest:
    """A manifest of IIIF Presentation 3, or of version 2, which is upgraded.

    Attributes:
        document: the manifest as JSON.
        paintings: its pictures, in the order of canvases.
        left_out: content of its canvases that cannot be colorized, with the reason: a sentence for each.
    """

    document: dict[str, Any]
    paintings: list[Painting] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, data: bytes, name: str) -> "Manifest":
        """Reads a manifest.

        Args:
            data: content of the file.
            name: its name in messages.

        Raises:
            DataError: it is not a manifest, or shows no pictures.

        Example:
            >>> Manifest.parse(b"[]", "a.json")
            Traceback (most recent call last):
                ...
            artcolor.errors.DataError: a.json is not a IIIF manifest: it must be a JSON object with type Manifest
        """
        try:
            document = json.loads(data.decode("utf-8-sig"), parse_constant=_number, parse_float=_number)
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else f"it is not JSON ({error})"
            raise DataError(f"{name} is not a IIIF manifest: {reason}") from error
        if _is_deeper(document, _DEEPEST):
            raise DataError(f"{name} is not a IIIF manifest: it is nested too deeply")
        kind = document.get("type", document.get("@type")) if isinstance(document, dict) else None
        if kind in ("Collection", "sc:Collection"):
            raise DataError(f"{name} is a collection of manifests; give one of its manifests")
        if kind not in ("Manifest", "sc:Manifest"):
            raise DataError(f"{name} is not a IIIF manifest: it must be a JSON object with type Manifest")
        try:
            manifest = cls(copy.deepcopy(document) if kind == "Manifest" else upgraded(document))
            manifest._find()
        except RecursionError as error:
            raise DataError(f"{name} is not a IIIF manifest: it is nested too deeply") from error
        if not manifest.paintings:
            reason = f": {manifest.left_out[0]}" if manifest.left_out else ""
            raise DataError(f"{name} shows no pictures that can be colorized{reason}")
        return manifest

    @property
    def id(self) -> str:
        """Address of the manifest; empty if it has none."""
        found = self.document.get("id")
        return found if isinstance(found, str) else ""

    def _find(self) -> None:
        for number, canvas in enumerate(as_list(self.document.get("items")), 1):
            called = f"canvas {number}"
            if not isinstance(canvas, dict):
                self.left_out.append(f"{called} is not a JSON object")
                continue
            called = _printable(as_text(canvas.get("label"))) or _printable(canvas.get("id")) or called
            before = len(self.paintings) + len(self.left_out)
            for annotation in _annotations(canvas):
                image, reason = _image_of(annotation.get("body"))
                if image is None:
                    self.left_out.append(f"{called}: {reason}")
                else:
                    names = tuple(_names(image, canvas))
                    self.paintings.append(Painting(called, annotation, image, names))
            if len(self.paintings) + len(self.left_out) == before:
                self.left_out.append(f"{called}: there is no picture on it")

    def colored(self, results: Sequence[Colored], base: str, *, name: str = "manifest.json") -> dict[str, Any]:
        """Returns the manifest with a choice of gray and color in place of each picture that was colorized.

        Args:
            results: the pictures that were colorized.
            base: address under which the folder of the results will be found, with a slash at its end.
            name: name of the new manifest, in that folder.

        Returns:
            The new manifest. This one is not changed.
        """
        bodies = {id(each.painting.annotation): _choice(each, base) for each in results}
        new = _replaced(self.document, bodies)
        contexts = [each for each in as_list(new.get("@context")) if each != CONTEXT]
        # The context of IIIF must be the last.
        new = {
            "@context": [*contexts, CONTEXT] if contexts else CONTEXT,
            **{k: v for k, v in new.items() if k[0] != "@"},
        }
        new["id"] = base + quote(name)
        new.setdefault("label", {"en": ["Colorized pictures"]})
        new["requiredStatement"] = _statement(as_mapping(new.get("requiredStatement")))
        entries = list(dict.fromkeys(entry for each in results for entry in _entries(each.provenance)))
        if self.id and self.id != new["id"]:
            entries.append(("Manifest of the originals", self.id))
        ours = [{"label": {"en": [label]}, "value": {"none": [value]}} for label, value in entries]
        labels = [each["label"] for each in ours]
        kept = [each for each in as_list(new.get("metadata")) if as_mapping(each).get("label") not in labels]
        new["metadata"] = [*kept, *ours]
        return new


def _is_deeper(value: Any, levels: int) -> bool:
    """Tells this without recursion, whose limit might be met only when all pictures are colorized."""
    level = [value]
    for _ in range(levels):
        holders = [each for each in level if isinstance(each, dict | list)]
        level = [inner for each in holders for inner in (each.values() if isinstance(each, dict) else each)]
    return bool(level)


def _number(text: str) -> float:
    """Reads a number, and refuses what Python takes for one beside JSON, such as 1e999 and NaN."""
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text[:20]} is not a number")
    return number


def _printable(text: Any) -> str:
    """Returns the beginning of a text without what terminals and files cannot hold."""
    return "".join(each if each.isprintable() else " " for each in text[:100]).strip() if isinstance(text, str) else ""


def _replaced(value: Any, bodies: Mapping[int, Any]) -> Any:
    """Copies JSON, with other bodies in some annotations."""
    if isinstance(value, dict):
        new = {name: _replaced(each, bodies) for name, each in value.items()}
        if id(value) in bodies:
            new["body"] = copy.deepcopy(bodies[id(value)])
        return new
    return [_replaced(each, bodies) for each in value] if isinstance(value, list) else value


def _annotations(canvas: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for page in as_list(canvas.get("items")):
        for annotation in as_list(page.get("items")) if isinstance(page, dict) else ():
            if isinstance(annotation, dict) and "painting" in as_list(annotation.get("motivation")):
                yield annotation


def _image_of(body: Any) -> tuple[dict[str, Any] | None, str]:
    """Returns the picture in the body of an annotation; or why there is none."""
    body = body[0] if isinstance(body, list) and len(body) == 1 else body
    if not isinstance(body, dict):
        return None, "its picture is not described"
    if body.get("type") == "Choice":
        images = (_image_of(each)[0] for each in as_list(body.get("items")) if not _is_ours(each))
        found = next((each for each in images if each is not None), None)
        return found, "none of its alternatives is a picture"
    if body.get("type") == "SpecificResource":
        if body.get("selector"):
            return None, "it shows a part of a picture, which is not supported"
        return _image_of(body.get("source"))
    if body.get("type") != "Image":
        return None, f"it shows {str(body.get('type') or 'something unknown')[:40]}, not a picture"
    if not isinstance(body.get("id"), str) or not body["id"] or not body["id"].isprintable():
        return None, "its picture has no id, or one that is not an address"
    return body, ""


def _is_ours(item: Any) -> bool:
    return isinstance(item, dict) and as_text(item.get("label")) == _LABEL


def _choice(result: Colored, base: str) -> dict[str, Any]:
    width, height = result.size
    path = result.path.as_posix()
    color = {
        "id": base + quote(path),
        "type": "Image",
        "format": _MEDIA_TYPES[result.path.suffix.lower()],
        "width": width,
        "height": height,
        "label": {"en": [_LABEL]},
    }
    body = result.painting.annotation["body"]
    body = body[0] if isinstance(body, list) else body
    if body.get("type") == "Choice":
        # A manifest that was written by this is colorized again.
        return {**body, "items": [*(each for each in as_list(body.get("items")) if not _is_ours(each)), color]}
    return {"type": "Choice", "items": [{**body, "label": body.get("label") or {"en": [_ORIGINAL]}}, color]}


def _statement(given: Mapping[str, Any]) -> dict[str, Any]:
    """Adds our statement to one that is there, in each of its languages, as a viewer shows one of them."""
    label, value = language_map(given.get("label")), language_map(given.get("value"))
    value = value or {"en": []}
    return {
        "label": label or {"en": ["Colors"]},
        "value": {language: [*(t for t in texts if t != STATEMENT), STATEMENT] for language, texts in value.items()},
    }


def _entries(provenance: Provenance | None) -> Iterator[tuple[str, str]]:
    """Yields what the metadata says of a result; that of several models stands below each other."""
    yield "Colors computed by", f"artcolor {provenance.version if provenance else __version__}"
    if provenance is not None:
        yield "Model", provenance.model
        yield "Weights (SHA-256)", provenance.weights_sha256 or "unknown"
        yield "Options", json.dumps(dict(provenance.shortened().options), sort_keys=True, ensure_ascii=False)


def _services(image: Mapping[str, Any]) -> Iterator[Service]:
    for each in as_list(image.get("service")):
        if not isinstance(each, dict):
            continue
        name = each.get("id", each.get("@id"))
        kind = f"{each.get('type', '')} {each.get('@type', '')} {each.get('@context', '')} {each.get('profile', '')}"
        version = next((n for n in (3, 2, 1) if f"ImageService{n}" in kind or f"image/{n}" in kind), 0)
        if isinstance(name, str) and name and name.isprintable() and version:
            yield Service(name.rstrip("/"), version)


def _names(image: Mapping[str, Any], canvas: Mapping[str, Any]) -> Iterator[str]:
    """Yields what the file of a picture may be called, from the identifiers in its addresses."""
    addresses = [each.id for each in _services(image)]
    # Addresses of image services end in region/size/rotation/quality.format.
    parts = _path_of(str(image["id"])).split("/")
    is_service = len(parts) > 4 and parts[-1].partition(".")[0] in ("default", "native", "color", "gray", "bitonal")
    addresses.append("/".join(parts[:-4] if is_service else parts))
    if isinstance(canvas.get("id"), str):
        addresses.append(_path_of(canvas["id"]))
    for address in addresses:
        # An identifier may contain slashes, as %2F.
        identifier = unquote(address.rpartition("/")[2]).strip("/")
        for name in (identifier, identifier.rpartition("/")[2]):
            if name and name.isprintable():
                yield name


def _path_of(address: str) -> str:
    try:
        return urlsplit(address).path
    except ValueError:
        return address
