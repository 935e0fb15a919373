"""Opens object stores, and explains their errors."""

import contextlib
import errno
import tempfile
from collections.abc import Iterator
from typing import Any

from artcolor.batch.addresses import STORES, Address, without_secrets
from artcolor.errors import ArtcolorError, ConfigError, ImageError, install_extra

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def open_store(scheme: str) -> Any:
    """Opens a store, without sending a request yet.

    Args:
        scheme: `s3`, `gs` or `memory`.

    Returns:
        A file system of fsspec.

    Raises:
        ConfigError: the package of the store is missing.
    """
    import fsspec  # noqa: PLC0415  (takes a tenth of a second)

    try:
        return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=scheme != "memory")
    except ImportError as error:
        raise ConfigError(
            f"{scheme}:// needs {STORES[scheme]}, which is not installed: {install_extra(scheme)}"
        ) from error


@contextlib.contextmanager
def explained(address: Address, what: str) -> Iterator[None]:
    """Converts the exceptions of store packages, which have no common base class, to errors of artcolor.

    Args:
        address: address of a file or folder.
        what: what is done with it: `read` or `written`.

    Raises:
        ImageError: reading or writing failed.
    """
    try:
        yield
    except ArtcolorError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{address} cannot be {what}: there is no such file or bucket") from error
    except OSError as error:
        if what != "read" or error.errno not in _FULL:
            raise ImageError(f"{address} cannot be {what}: {_reason(error)}") from error
        raise ImageError(
            f"{address} cannot be downloaded, because the disk of the temporary folder {tempfile.gettempdir()} is full "
            "or read-only; free some space, or set TMPDIR to a folder on another disk"
        ) from error
    except Exception as error:
        raise ImageError(f"{address} cannot be {what}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return without_secrets(" ".join(str(error).split())) or type(error).__name__
