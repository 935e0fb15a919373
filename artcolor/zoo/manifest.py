"""The manifest of released weights: a JSON file, the single source of all facts about them."""

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from artcolor.errors import ConfigError, WeightsError
from artcolor.files import write_atomically

__all__ = ["Entry", "entries", "entry_of", "released"]

_SCHEMA_VERSION = 2
MAX_BYTES = 1 << 30
"""Maximum size of a weights file; larger ones are refused before they are read."""
REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
"""Pattern of names of repositories on the Hub."""

_PACKAGE = Path(__file__).resolve().parent.parent
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.safetensors")
_KEY = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, eq=False)
class Entry:
    """The manifest entry of released weights.

    Attributes:
        key: `model.tag`.
        file: file name in `artcolor/weights/`.
        bytes: size of the file in bytes.
        sha256: SHA-256 of the file, in hexadecimal.
        hub_repo: `organization/repository` on the Hugging Face Hub; `None` until published.
        hub_revision: commit in that repository; `None` until published.
        config: copy of the config in the file's header: network, head with decoding defaults, working size.
        parameters: number of parameters.
        multiply_adds: multiply-adds for one square picture at the working size.
        metrics: protocol → setting → metric → mean and interval; each protocol also has the number of pictures, `n`,
            and their `split`.
        recipe: name of the training recipe.
        commit: the commit closest to the code that trained the weights.
        code_changes: how that code differed from the commit; `None` if no difference was recorded.
        data: description of the training data.
        license: SPDX name of the license of the weights.
        torch: version of PyTorch that trained the weights.
        golden: a small input, the model's output, and its tolerance; see `artcolor.models.verify`.
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
    code_changes: str | None
    data: str = field(repr=False)
    license: str
    torch: str
    golden: dict[str, Any] = field(repr=False)

    @property
    def model(self) -> str:
        """Name of the model family."""
        return self.key.partition(".")[0]

    @property
    def tag(self) -> str:
        """Name of the weights within the family."""
        return self.key.partition(".")[2]


def manifest_path() -> Path:
    """Returns the path of the manifest: inside the package in a wheel, beside it in a checkout."""
    inside = _PACKAGE / "weights_manifest.json"
    return inside if inside.exists() else _PACKAGE.parent / "weights_manifest.json"


@functools.cache
def entries() -> dict[str, Entry]:
    """Reads all released weights, by key, from the manifest of this installation.

    Raises:
        WeightsError: the manifest is missing or damaged.
    """
    path = manifest_path()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise WeightsError(
            f"the manifest of released weights cannot be read from {path} ({error}). "
            "The installation is incomplete: reinstall artcolor."
        ) from error
    return parse_manifest(text, str(path))


def parse_manifest(text: str, name: str) -> dict[str, Entry]:
    """Parses and validates a manifest.

    Args:
        text: the manifest as JSON.
        name: name of the file, for error messages.

    Returns:
        Entries by key.

    Raises:
        WeightsError: the text is not a manifest, or an entry is invalid.
    """
    try:
        manifest = json.loads(text)
        version, weights = manifest["schema_version"], dict(manifest["weights"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WeightsError(f"{name} is not a manifest of weights: {error!r}") from error
    if version != _SCHEMA_VERSION:
        raise WeightsError(
            f"{name} has schema version {version!r}; this artcolor reads {_SCHEMA_VERSION}. Update artcolor."
        )
    return {key: _entry(key, value, name) for key, value in weights.items()}


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_positive(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


# Only what loading relies on. weights_manifest.schema.json defines the full format; a test validates the manifest.
_VALIDATORS: dict[str, Callable[[Any], bool]] = {
    "key": _matches(_KEY),
    "file": _matches(_FILE_NAME),
    "bytes": lambda value: _is_positive(value) and value <= MAX_BYTES,
    "sha256": _matches(_SHA256),
    "hub_repo": lambda value: value is None or _matches(REPO)(value),
    "hub_revision": lambda value: value is None or _matches(_COMMIT)(value),
    "config": _is_mapping,
    "parameters": _is_positive,
    "multiply_adds": _is_positive,
    "metrics": _is_mapping,
    "recipe": _is_text,
    "commit": _matches(_COMMIT),
    "code_changes": lambda value: value is None or _is_text(value),
    "data": _is_text,
    "license": _is_text,
    "torch": _is_text,
    "golden": _is_mapping,
}


def _entry(key: str, value: Any, name: str) -> Entry:
    expected = {f.name for f in fields(Entry)} - {"key"}
    if not isinstance(value, dict) or set(value) != expected:
        given = set(value) if isinstance(value, dict) else set()
        raise WeightsError(
            f"{name}: entry {key!r} lacks {sorted(expected - given)} and must not have {sorted(given - expected)}"
        )
    for what, is_valid in _VALIDATORS.items():
        found = key if what == "key" else value[what]
        if not is_valid(found):
            raise WeightsError(f"{name}: entry {key!r} has an invalid {what}: {str(found)[:200]!r}")
    if (value["hub_repo"] is None) != (value["hub_revision"] is None):
        raise WeightsError(f"{name}: entry {key!r} must have both hub_repo and hub_revision, or neither")
    return Entry(key=key, **value)


def update(key: str, values: Mapping[str, Any], *, replaces: str | None = None) -> None:
    """Updates fields of an entry in the manifest file, atomically. The manifest must stay valid.

    Args:
        key: key of the entry, `model.tag`; a new entry needs all fields.
        values: new values by field, as in JSON.
        replaces: key of an unpublished entry that this one replaces, at the same position.

    Raises:
        ConfigError: the entry to replace does not exist, or is published and may be in use.
        WeightsError: the entry would be invalid, or the manifest is damaged.
    """
    path = manifest_path()
    manifest = json.loads(path.read_text(encoding="utf-8"))
    if replaces is not None:
        if entry_of(replaces).hub_repo is not None:
            raise ConfigError(f"{replaces} is published on the Hub and cannot be replaced; add {key} without replaces")
        manifest["weights"] = dict(
            (key, {}) if old == replaces else (old, entry) for old, entry in manifest["weights"].items()
        )
    manifest["weights"].setdefault(key, {}).update(values)
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    parse_manifest(text, str(path))
    write_atomically(path, text.encode())
    entries.cache_clear()


def entry_of(key: str) -> Entry:
    """Finds released weights by `key`, `model.tag`.

    Raises:
        ConfigError: there are no weights of this name.
    """
    every = entries()
    if key not in every:
        raise ConfigError(f"there are no weights called {key!r}. The released weights are: {', '.join(sorted(every))}.")
    return every[key]


def released(name: str) -> Entry | None:
    """Finds released weights by name.

    Args:
        name: a key (`"cnn.art_v1"`), or the name of a model, for its newest weights.

    Returns:
        The entry; `None` if there are no weights of this name.

    Example:
        >>> released("cnn").key
        'cnn.art_v1'
    """
    every = entries()
    # The newest entry of a family is the last one, and the default of its enum; a test checks that.
    return every.get(name) or next((entry for entry in reversed(every.values()) if entry.model == name), None)
