"""Keeps what was computed for the site, by the hash of all that it was made of."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PICTURES = ROOT / "docs" / "pictures"
_FOLDER = ROOT / ".cache" / "site"


def cached(name: str, parts: list[str | bytes], make: Callable[[Path], None]) -> Path:
    """Gives a file, made now or before.

    Args:
        name: of the file, with its suffix.
        parts: all that the file depends on; another part makes another file.
        make: writes it to the path it is given.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    stem, _, suffix = name.rpartition(".")
    path = _FOLDER / f"{stem}.{digest.hexdigest()[:16]}.{suffix}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two builds at once must not read each other's half-written files.
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=f".{suffix}")
        os.close(handle)
        make(Path(temporary))
        Path(temporary).replace(path)
    return path


def source_of(*modules: str) -> list[str | bytes]:
    """The code of modules of the repository, as parts of a key: pictures follow the code that paints them."""
    return [(ROOT / module).read_bytes() for module in modules]
