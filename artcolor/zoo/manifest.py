"""The manifest of released weights: one JSON file that everything said about them is read from."""

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from artcolor.errors import ConfigError, WeightsError
from artcolor.files import write_atomically

SCHEMA_VERSION = 2
MAX_BYTES = 1 << 30
"""No weights file is larger; what claims to be is refused before it is read."""
REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
"""What names a repository on the Hub."""

_PACKAGE = Path(__file__).resolve().parent.parent
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.safetensors")
_KEY = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Entry:
    """What is known of one file of weights.

    Attributes:
        key: `model.tag`.
        file: its name in `artcolor/weights/`.
        bytes: its size.
        sha256: of its bytes, in hexadecimal.
        hub_repo: where it is on the Hugging Face Hub; `None` until it is published.
        hub_revision: the commit there.
        config: what the file's own header says: network, head with decoding defaults, working size.
        parameters: number of trained numbers.
        multiply_adds: for one square picture at the working size.
        metrics: protocol → setting → metric → value, with `n` beside them.
        recipe: name of the recipe that trained it.
        commit: of the code that trained it.
        data: what it was trained on.
        license: of the weights.
        torch: version of PyTorch that trained it.
        golden: a small picture, the colors that the model gives it, and how far they may be off; see
            `artcolor.models.verify`.
    """

    key: str
    file: str
    bytes: int
    sha256: str
    hub_repo: str | None
    hub_revision: str | None
    config: dict[str, Any] = field(repr=False)
    parameters: int
    multiply_adds: int
    metrics: dict[str, Any] = field(repr=False)
    recipe: str
    commit: str
    data: str = field(repr=False)
    license: str
    torch: str
    golden: dict[str, Any] = field(repr=False)

    @property
    def model(self) -> str:
        """Name of the family."""
        return self.key.partition(".")[0]

    @property
    def tag(self) -> str:
        """What distinguishes it within the family."""
        return self.key.partition(".")[2]


def manifest_path() -> Path:
    """Where the manifest lies: inside the package in a wheel, beside it in a checkout."""
    inside = _PACKAGE / "weights_manifest.json"
    return inside if inside.exists() else _PACKAGE.parent / "weights_manifest.json"


@functools.cache
def entries() -> dict[str, Entry]:
    """All released weights by their key, from the manifest that came with the code.

    Raises:
        WeightsError: the manifest is missing or damaged.
    """
    path = manifest_path()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise WeightsError(
            f"the manifest of released weights is not at {path} ({error}). "
            "The installation is incomplete: install artcolor again."
        ) from error
    return parse_manifest(text, str(path))


def parse_manifest(text: str, name: str) -> dict[str, Entry]:
    """Reads and checks a manifest.

    Args:
        text: JSON.
        name: of its file, for messages.

    Raises:
        WeightsError: it is not a manifest, or one of its entries makes no sense.
    """
    try:
        manifest = json.loads(text)
        version, weights = manifest["schema_version"], dict(manifest["weights"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WeightsError(f"{name} is not a manifest of weights: {error!r}") from error
    if version != SCHEMA_VERSION:
        raise WeightsError(
            f"{name} has schema version {version!r}; this artcolor reads {SCHEMA_VERSION}. Update artcolor."
        )
    return {key: _entry(key, value, name) for key, value in weights.items()}


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _positive(value: Any) -> bool:
    return type(value) is int and value > 0


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _mapping(value: Any) -> bool:
    return isinstance(value, dict)


# Only what loading relies on; the whole truth about the form is weights_manifest.schema.json, which a test holds it to.
_POSSIBLE: dict[str, Callable[[Any], bool]] = {
    "key": _matches(_KEY),
    "file": _matches(_FILE_NAME),
    "bytes": lambda value: _positive(value) and value <= MAX_BYTES,
    "sha256": _matches(_SHA256),
    "hub_repo": lambda value: value is None or _matches(REPO)(value),
    "hub_revision": lambda value: value is None or _matches(_COMMIT)(value),
    "config": _mapping,
    "parameters": _positive,
    "multiply_adds": _positive,
    "metrics": _mapping,
    "recipe": _text,
    "commit": _matches(_COMMIT),
    "data": _text,
    "license": _text,
    "torch": _text,
    "golden": _mapping,
}


def _entry(key: str, value: Any, name: str) -> Entry:
    expected = {f.name for f in fields(Entry)} - {"key"}
    if not isinstance(value, dict) or set(value) != expected:
        given = set(value) if isinstance(value, dict) else set()
        raise WeightsError(
            f"{name}: entry {key!r} lacks {sorted(expected - given)} and must not have {sorted(given - expected)}"
        )
    for what, possible in _POSSIBLE.items():
        found = key if what == "key" else value[what]
        if not possible(found):
            raise WeightsError(f"{name}: entry {key!r} has an impossible {what}: {str(found)[:200]!r}")
    if (value["hub_repo"] is None) != (value["hub_revision"] is None):
        raise WeightsError(f"{name}: entry {key!r} needs hub_repo and hub_revision both, or neither")
    return Entry(key=key, **value)


def update(key: str, values: Mapping[str, Any], *, replaces: str | None = None) -> None:
    """Writes fields of an entry into the manifest, which is replaced as a whole if it then still makes sense.

    Args:
        key: `model.tag`; a new one needs all fields.
        values: field → value, as JSON has them.
        replaces: key of an entry that goes, and gives its place to this one.

    Raises:
        ConfigError: the entry to be replaced is not there, or was published, so that somebody may rely on it.
        WeightsError: the entry would make no sense, or the manifest is damaged.
    """
    path = manifest_path()
    manifest = json.loads(path.read_text(encoding="utf-8"))
    if replaces is not None:
        if entry_of(replaces).hub_repo is not None:
            raise ConfigError(f"{replaces} is on the Hub: it stays, and {key} comes beside it")
        manifest["weights"] = dict(
            (key, {}) if old == replaces else (old, entry) for old, entry in manifest["weights"].items()
        )
    manifest["weights"].setdefault(key, {}).update(values)
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    parse_manifest(text, str(path))
    write_atomically(path, text.encode())
    entries.cache_clear()


def entry_of(key: str) -> Entry:
    """Finds released weights by `model.tag`.

    Raises:
        ConfigError: there are none of this name.
    """
    every = entries()
    if key not in every:
        raise ConfigError(f"there are no weights called {key!r}. There are: {', '.join(sorted(every))}.")
    return every[key]
