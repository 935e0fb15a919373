"""Writing files whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file under a temporary name beside `path`, and renames it once all is written and on disk.

    If anything fails, `path` stays as it was and nothing is left behind.

    Args:
        path: what is replaced, or made if it is not there.
    """
    # Not tempfile: it makes files that only their owner may read, and there is no thread-safe way to ask for the umask.
    temporary = path.parent / f".{path.name[:100]}.{secrets.token_hex(6)}.tmp"
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
