"""Opens object stores, and explains their errors."""

import contextlib
from collections.abc import Iterator
from typing import Any

from artcolor.batch.addresses import STORES, Address, without_secrets
from artcolor.errors import ArtcolorError, ConfigError, ImageError, install_extra


def open_store(scheme: str) -> Any:
    """Opens a store; nothing is asked of it yet.

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
    """Turns what packages of stores raise into errors of artcolor. Their exceptions have no common base.

    Args:
        address: of a file or folder.
        what: is done with it: `read` or `written`.

    Raises:
        ImageError: that failed.
    """
    try:
        yield
    except ArtcolorError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{address} cannot be {what}: there is no such file or bucket") from error
    except Exception as error:
        reason = without_secrets(" ".join(str(error).split())) or type(error).__name__
        raise ImageError(f"{address} cannot be {what}: {reason}") from error
