"""The manifest of released weights: one JSON file that everything said about them is read from."""

import functools
import json
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from artcolor.errors import ConfigError, WeightsError

SCHEMA_VERSION = 1
_PACKAGE = Path(__file__).resolve().parent.parent
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.safetensors")
_KEY = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """What is known of one file of weights.

    Attributes:
        key: `model.tag`.
        file: its name in `artcolor/weights/`.
        bytes: its size.
        sha256: of its bytes, in hexadecimal.
        config: what the file's own header says: network, head with decoding defaults, working size.
        parameters: number of trained numbers.
        multiply_adds: for one square picture at the working size.
        metrics: protocol → setting → metric → value, with `n` beside them.
        recipe: name of the recipe that trained it.
        commit: of the code that trained it.
        data: what it was trained on.
        licence: of the weights.
        torch: version of PyTorch that trained it.
    """

    key: str
    file: str
    bytes: int
    sha256: str
    config: dict[str, Any] = field(repr=False)
    parameters: int
    multiply_adds: int
    metrics: dict[str, Any] = field(repr=False)
    recipe: str
    commit: str
    data: str = field(repr=False)
    licence: str
    torch: str

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
    except (ValueError, TypeError, KeyError) as error:
        raise WeightsError(f"{name} is not a manifest of weights: {error!r}") from error
    if version != SCHEMA_VERSION:
        raise WeightsError(
            f"{name} has schema version {version!r}; this artcolor reads {SCHEMA_VERSION}. Update artcolor."
        )
    return {key: _entry(key, value, name) for key, value in weights.items()}


def _entry(key: str, value: Any, name: str) -> Entry:
    expected = {f.name for f in fields(Entry)} - {"key"}
    if not isinstance(value, dict) or set(value) != expected:
        given = set(value) if isinstance(value, dict) else set()
        raise WeightsError(
            f"{name}: entry {key!r} lacks {sorted(expected - given)} and must not have {sorted(given - expected)}"
        )
    entry = Entry(key=key, **value)
    for what, text, pattern in (
        ("key", key, _KEY),
        ("file", entry.file, _FILE_NAME),
        ("sha256", entry.sha256, _SHA256),
    ):
        if not isinstance(text, str) or not pattern.fullmatch(text):
            raise WeightsError(f"{name}: entry {key!r} has an impossible {what}: {text!r}")
    return entry


def entry_of(name: str) -> Entry:
    """Finds released weights by `model` (its default) or `model.tag`.

    Raises:
        ConfigError: there are none of this name.
    """
    every = entries()
    if name in every:
        return every[name]
    of_model = [entry for entry in every.values() if entry.model == name]
    if of_model:
        return of_model[-1]
    raise ConfigError(f"there are no weights called {name!r}. There are: {', '.join(sorted(every))}.")
