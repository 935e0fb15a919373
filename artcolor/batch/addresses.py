"""Addresses of files in object stores, such as `s3://bucket/scans/a.png`."""

import re
from pathlib import Path, PurePath, PurePosixPath
from typing import cast
from urllib.parse import urlsplit

from artcolor.errors import ConfigError

__all__ = ["STORES", "Address", "as_address", "path_of", "without_secrets"]

STORES = {"s3": "s3fs", "gs": "gcsfs", "memory": "fsspec"}
"""Schemes of stores → the package that opens them."""

# A second slash is lost where a path is made of the text.
_STORE = re.compile(rf"({'|'.join(STORES)}):/+")
_USER = re.compile(r"(?<=:/)(/?)[^/\s@?#]*@")
_QUERY = re.compile(r"(\b[a-z][a-z0-9+.-]*:/{1,2}[^\s?#'\"]*)[?#][^\s'\"]*", re.IGNORECASE)


class Address(PurePosixPath):
    """A path in a store. It has a name, parents and a suffix like a path, but cannot be opened.

    Example:
        >>> address = Address("s3://bucket/scans/a.png")
        >>> str(address.with_name("b.png")), address.scheme, address.key
        ('s3://bucket/scans/b.png', 's3', 'bucket/scans/a.png')
    """

    @property
    def scheme(self) -> str:
        """The store: `s3`, `gs` or `memory`."""
        return self.parts[0].removesuffix(":")

    @property
    def key(self) -> str:
        """The name of the file in the store, with its bucket."""
        return "/".join(self.parts[1:])

    @property
    def is_bucket(self) -> bool:
        """Whether it names a whole bucket, beside which there is no folder."""
        return self.scheme != "memory" and len(self.parts) == 2

    def __str__(self) -> str:
        # A path has one slash in a row.
        return f"{self.scheme}://{self.key}"


def path_of(text: str) -> Path:
    """Reads a path or an address.

    Args:
        text: a path or an address. `file://` is the address of a path.

    Returns:
        A path; for the address of a store, an `Address` in its place.

    Raises:
        ConfigError: the address has credentials in it, names no bucket, or is on another machine.

    Example:
        >>> path_of("scans/a.png").suffix, str(path_of("s3://bucket//a.png"))
        ('.png', 's3://bucket/a.png')
    """
    if text.startswith("file:/"):
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise ConfigError(f"{without_secrets(text)[:100]} is on another machine; give the path of a file here")
        from urllib.request import url2pathname  # noqa: PLC0415  (takes longer than all else in here)

        return Path(url2pathname(parts.path))
    scheme = _STORE.match(text)
    if scheme is None:
        return Path(text)
    if "@" in text[scheme.end() :].partition("/")[0]:
        raise ConfigError(
            f"{without_secrets(text)[:100]} contains a user name or password; remove it, and pass credentials the "
            "way the store's package expects them, such as in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if "?" in text:
        raise ConfigError(f"{without_secrets(text)[:100]} contains a query (?…); give the address without it")
    address = Address(text)
    if not address.key or ".." in address.parts:
        raise ConfigError(f"{text[:100]} names no file or folder; give a bucket and a path in it")
    return cast(Path, address)


def without_secrets(text: str) -> str:
    """Returns a text whose addresses have no names and passwords before the host, and no queries (signatures).

    Args:
        text: text of a message.

    Example:
        >>> without_secrets("no access to https://me:secret@a.org/b?X-Amz-Signature=1f, retry")
        'no access to https://a.org/b retry'
        >>> without_secrets("is this a.png?")
        'is this a.png?'
    """
    return _QUERY.sub(r"\1", _USER.sub(r"\1", text))


def as_address(path: PurePath) -> Address | None:
    """Returns the address that `path_of` gave in place of a path; `None` for a path.

    Args:
        path: a path from `path_of`.
    """
    return path if isinstance(path, Address) else None
