"""Private temporary folders; one that a killed process left is removed by the next that makes one."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from artcolor.files import locked

__all__ = ["scratch_folder"]

_PREFIX = "artcolor-run-"
_LOCK = ".lock"


@contextlib.contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """Creates a temporary folder, and removes it at the end.

    First, it removes folders of this user whose processes were killed; the system has released their locks. Windows
    has no such locks, so leftover folders stay there.

    Args:
        parent: where it is made; by default where temporary files go, such as `TMPDIR`.

    Yields:
        The folder, without links in its path: those would be resolved in some messages and not in others.

    Raises:
        OSError: the folder cannot be made.
    """
    parent = parent or Path(tempfile.gettempdir())
    if os.name != "nt":
        _remove_abandoned(parent)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent, ignore_cleanup_errors=True) as made:
        folder = Path(os.path.realpath(made))
        # A folder without a lock is never removed, so the lock must be held when it gets its name.
        with locked(folder / f"{_LOCK}.new"):
            if os.name != "nt":
                (folder / f"{_LOCK}.new").rename(folder / _LOCK)
            yield folder


def _remove_abandoned(parent: Path) -> None:
    with contextlib.suppress(OSError):
        for folder in parent.glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                if folder.is_symlink() or folder.stat().st_uid != os.getuid() or not (folder / _LOCK).is_file():
                    continue
                with locked(folder / _LOCK):
                    shutil.rmtree(folder, ignore_errors=True)
