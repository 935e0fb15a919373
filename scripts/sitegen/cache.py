"""Caches generated files of the site by the hash of everything they depend on."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PICTURES = ROOT / "docs" / "pictures"
_FOLDER = ROOT / ".cache" / "site"


def cached(name: str, parts: list[str | bytes], make: Callable[[Path], None]) -> Path:
    """Returns a file from the cache, and generates it first if necessary.

    Args:
        name: name of the file, with its suffix.
        parts: everything the file depends on; a different part makes a different file.
        make: function that writes the file to a given path.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    stem, _, suffix = name.rpartition(".")
    path = _FOLDER / f"{stem}.{digest.hexdigest()[:16]}.{suffix}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Concurrent builds must not read each other's half-written files.
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=f".{suffix}")
        os.close(handle)
        make(Path(temporary))
        Path(temporary).replace(path)
    return path


def source_of(*modules: str) -> list[str | bytes]:
    """Returns the source of modules as parts of a cache key, so that pictures change with the code that paints them."""
    return [(ROOT / module).read_bytes() for module in modules]
