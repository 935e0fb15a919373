"""Turns manifests of IIIF Presentation 2 into those of version 3.

What this version has no place for (further sequences, hints for viewers that it does not know) is left out.
https://iiif.io/api/presentation/3.0/change-log/ lists the differences.
"""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["CONTEXT", "as_list", "as_mapping", "as_text", "language_map", "upgraded"]

CONTEXT = "http://iiif.io/api/presentation/3/context.json"

_BEHAVIORS = {"individuals", "paged", "continuous", "non-paged", "facing-pages"}
_SERVICE_TYPES = {"image/3": "ImageService3", "image/2": "ImageService2", "image/1": "ImageService1"}
_RIGHTS = ("http://creativecommons.org/", "https://creativecommons.org/", "http://rightsstatements.org/")


def as_list(value: Any) -> list[Any]:
    """Returns a list as it is, nothing as an empty list, and anything else as a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def as_mapping(value: Any) -> dict[str, Any]:
    """Returns a JSON object as it is, a text as an object with this id, and anything else as an empty object."""
    if isinstance(value, str):
        return {"id": value}
    return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str:
    """Returns the first text in a label of any version; empty if there is none.

    Example:
        >>> as_text({"fr": ["page une"]}), as_text([{"@value": "p. 1", "@language": "en"}])
        ('page une', 'p. 1')
    """
    return next((text for texts in language_map(value).values() for text in texts), "")


def language_map(value: Any) -> dict[str, list[str]]:
    """Returns a label or another text of any version as version 3 has it: language → texts.

    Example:
        >>> language_map(["a", {"@value": "b", "@language": "en"}])
        {'none': ['a'], 'en': ['b']}
    """
    found: dict[str, list[str]] = {}
    for each in as_list(value):
        if isinstance(each, str | int | float):
            found.setdefault("none", []).append(str(each))
        elif isinstance(each, dict) and "@value" in each:
            language = each.get("@language")
            found.setdefault(language if isinstance(language, str) else "none", []).append(str(each["@value"]))
        elif isinstance(each, dict):
            for language, texts in each.items():
                found.setdefault(language, []).extend(text for text in as_list(texts) if isinstance(text, str))
    return {language: texts for language, texts in found.items() if texts}


def upgraded(old: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a manifest of version 2 as one of version 3.

    Args:
        old: the manifest, which is not changed. Invalid parts are left out.

    Example:
        >>> upgraded({"@type": "sc:Manifest", "@id": "https://a.org/m", "label": "Letters"})["label"]
        {'none': ['Letters']}
    """
    new = {"@context": CONTEXT, **_described(old, "Manifest")}
    sequences = [as_mapping(each) for each in as_list(old.get("sequences"))]
    first = sequences[0] if sequences else {}
    for name in ("viewingDirection", "navDate"):
        value = old.get(name, first.get(name))
        if isinstance(value, str):
            new[name] = value
    start = old.get("startCanvas", first.get("startCanvas"))
    if isinstance(start, str):
        new["start"] = {"id": start, "type": "Canvas"}
    if "behavior" not in new and (behavior := _behavior(first)):
        new["behavior"] = behavior
    new["items"] = [_canvas(as_mapping(each)) for each in as_list(first.get("canvases"))]
    structures = _structures([as_mapping(each) for each in as_list(old.get("structures"))])
    if structures:
        new["structures"] = structures
    return new


def _id(old: Mapping[str, Any]) -> str:
    found = old.get("@id", old.get("id"))
    return found if isinstance(found, str) else ""


def _described(old: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Returns what manifests, canvases and ranges say of themselves."""
    new: dict[str, Any] = {"id": _id(old), "type": kind}
    if label := language_map(old.get("label")):
        new["label"] = label
    if summary := language_map(old.get("description")):
        new["summary"] = summary
    metadata = list(_metadata(old))
    if metadata:
        new["metadata"] = metadata
    attribution = language_map(old.get("attribution"))
    if attribution:
        new["requiredStatement"] = {"label": {"en": ["Attribution"]}, "value": attribution}
    rights = next((each for each in as_list(old.get("license")) if isinstance(each, str)), "")
    if rights.startswith(_RIGHTS):
        new["rights"] = rights
    if behavior := _behavior(old):
        new["behavior"] = behavior
    for name, target, kind_of in (
        ("thumbnail", "thumbnail", "Image"),
        ("related", "homepage", "Text"),
        ("rendering", "rendering", "Text"),
        ("seeAlso", "seeAlso", "Dataset"),
        ("within", "partOf", "Collection"),
    ):
        links = [_link(as_mapping(each), kind_of) for each in as_list(old.get(name))]
        if kept := [each for each in links if each["id"]]:
            new[target] = kept
    logos = [_link(as_mapping(each), "Image") for each in as_list(old.get("logo"))]
    if logos := [each for each in logos if each["id"]]:
        # Version 3 has logos of institutions only.
        agent = {"id": f"{logos[0]['id']}#provider", "type": "Agent", "label": attribution or {"en": ["Provider"]}}
        new["provider"] = [{**agent, "logo": logos}]
    if services := _services(old.get("service")):
        new["service"] = services
    return new


def _behavior(old: Mapping[str, Any]) -> list[str]:
    return [each for each in as_list(old.get("viewingHint")) if isinstance(each, str) and each in _BEHAVIORS]


def _metadata(old: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for each in map(as_mapping, as_list(old.get("metadata"))):
        label, value = language_map(each.get("label")), language_map(each.get("value"))
        if label and value:
            yield {"label": label, "value": value}
    for each in as_list(old.get("license")):
        if isinstance(each, str) and not each.startswith(_RIGHTS):
            yield {"label": {"en": ["License"]}, "value": {"none": [each]}}


def _link(old: Mapping[str, Any], kind: str) -> dict[str, Any]:
    new: dict[str, Any] = {"id": _id(old), "type": kind}
    label = language_map(old.get("label"))
    if label or kind == "Text":
        new["label"] = label or {"en": ["Link"]}
    for name in ("format", "profile"):
        if isinstance(old.get(name), str):
            new[name] = old[name]
    for name in ("width", "height"):
        if isinstance(old.get(name), int):
            new[name] = old[name]
    if services := _services(old.get("service")):
        new["service"] = services
    return new


def _services(old: Any) -> list[dict[str, Any]]:
    new = []
    for each in (each for each in as_list(old) if isinstance(each, dict) and _id(each)):
        context, profile = each.get("@context"), each.get("profile")
        profiles = [text for text in as_list(profile) if isinstance(text, str)]
        known = f"{context} {profiles}"
        kind = next((kind for part, kind in _SERVICE_TYPES.items() if part in known), each.get("@type", "Service"))
        service = {"@id": _id(each), "@type": kind}
        if profiles:
            service["profile"] = profiles[0]
        new.append(service)
    return new


def _canvas(old: dict[str, Any]) -> dict[str, Any]:
    new = _described(old, "Canvas")
    for name in ("height", "width"):
        if isinstance(old.get(name), int | float):
            new[name] = int(old[name])
    name = new["id"] or "urn:canvas"
    paintings = [
        {
            "id": _id(image) or f"{name}/annotation/{number}",
            "type": "Annotation",
            "motivation": "painting",
            "body": _body(as_mapping(image.get("resource"))),
            "target": image["on"] if isinstance(image.get("on"), str) else name,
        }
        for number, image in enumerate(map(as_mapping, as_list(old.get("images"))), 1)
    ]
    new["items"] = [{"id": f"{name}/page/1", "type": "AnnotationPage", "items": paintings}]
    lists = [_link(as_mapping(each), "AnnotationPage") for each in as_list(old.get("otherContent"))]
    if lists := [each for each in lists if each["id"]]:
        new["annotations"] = lists
    return new


def _body(old: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    kind = str(old.get("@type", ""))
    if "Choice" in kind and depth == 0:
        options = [old.get("default"), *as_list(old.get("item"))]
        return {"type": "Choice", "items": [_body(each, 1) for each in map(as_mapping, options) if each]}
    if "SpecificResource" in kind and depth <= 1:
        new = {"id": _id(old), "type": "SpecificResource", "source": _body(as_mapping(old.get("full")), 2)}
        return new | ({"selector": old["selector"]} if "selector" in old else {})
    return _link(old, "Image" if "Image" in kind or not kind else kind.rpartition(":")[2])


def _structures(old: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ranges name each other by id in version 2, and contain each other in version 3."""
    known = {_id(each): each for each in old}
    used: set[str] = set()

    def built(each: dict[str, Any]) -> dict[str, Any]:
        used.add(_id(each))
        new, items = _described(each, "Range"), list[dict[str, Any]]()
        members = [as_mapping(member) for member in as_list(each.get("members"))]
        ranges = [*as_list(each.get("ranges")), *(_id(m) for m in members if m.get("@type") == "sc:Range")]
        canvases = [*as_list(each.get("canvases")), *(_id(m) for m in members if m.get("@type") == "sc:Canvas")]
        items += [{"id": name, "type": "Canvas"} for name in canvases if isinstance(name, str) and name]
        items += [built(known[name]) for name in ranges if isinstance(name, str) and name in known and name not in used]
        return new | {"items": items}

    inner = {name for each in old for name in as_list(each.get("ranges")) if isinstance(name, str)}
    inner |= {_id(as_mapping(m)) for each in old for m in as_list(each.get("members")) if isinstance(m, dict)}
    return [built(each) for each in old if _id(each) not in inner]
