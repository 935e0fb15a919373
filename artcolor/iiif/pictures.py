"""Finds the picture files of a manifest: in a local folder, or at the addresses that it names."""

import contextlib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from artcolor.batch.names import folded
from artcolor.errors import DataError, ImageError
from artcolor.iiif.fetch import Fetcher, FetchError
from artcolor.iiif.manifest import Painting, Service
from artcolor.images import read_provenance
from artcolor.images.formats import SUFFIXES, UNSUPPORTED
from artcolor.images.notices import warn
from artcolor.images.walk import check_listing, walk

__all__ = ["LocalPictures", "fetch_picture"]

# Of the Image API: the whole picture in its own size and upright.
_WHOLE = {1: "full/full/0/native.jpg", 2: "full/full/0/default.jpg", 3: "full/max/0/default.jpg"}
# No picture is larger; numbers in JSON may be.
_MAX_SIDE = 1 << 31
_LIMITS = ("maxWidth", "maxHeight", "maxArea")


class LocalPictures:
    """The pictures in a folder and its subfolders, by name.

    Args:
        folder: the folder to search.
        leave_out: folder of the results, which is not searched.

    Raises:
        ImageError: the folder does not exist, or cannot be listed.
    """

    def __init__(self, folder: Path, *, leave_out: Path | None = None) -> None:
        if not folder.is_dir():
            raise ImageError(f"there is no folder {folder}; --images must be a folder of pictures")
        check_listing(folder)
        self._folder = folder
        self._named: dict[str, list[Path]] = {}
        self._results: dict[Path, bool] = {}
        for path in walk(folder, leave_out=leave_out):
            relative = path.relative_to(folder)
            # With and without the suffix, below the folder and alone: p1.tif, p1, a/p1.tif, a/p1.
            for name in {*_spellings(relative.as_posix()), *_spellings(path.name)}:
                self._named.setdefault(folded(name), []).append(path)

    def find(self, painting: Painting) -> Path | None:
        """Finds the file of a picture by its names.

        Args:
            painting: the picture.

        Returns:
            The file; `None` if there is none.

        Raises:
            DataError: several files could be meant.
        """
        for name in painting.names:
            for wanted in _spellings(name):
                # What an earlier run wrote has the same name.
                found = [each for each in self._named.get(folded(wanted), []) if not self._is_result(each)]
                if len(found) > 1:
                    raise DataError(f"{found[0]} and {found[1]} both have the name {wanted}; remove one of them")
                if found:
                    return found[0]
        return None

    def _is_result(self, path: Path) -> bool:
        if path not in self._results:
            self._results[path] = False
            # One that cannot be read fails later, with the reason.
            with contextlib.suppress(ImageError):
                self._results[path] = read_provenance(path) is not None
        return self._results[path]


def _spellings(name: str) -> list[str]:
    """Returns a name with and without the suffix of a picture; what follows another dot is part of the name."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 (a name, not a path)
    return [name, stem] if suffix.lower() in {*SUFFIXES, *UNSUPPORTED} else [name]


def fetch_picture(painting: Painting, fetcher: Fetcher, file: BinaryIO, *, max_pixels: int) -> None:
    """Fetches a picture in its full size, or as large as the limit allows.

    Args:
        painting: the picture.
        fetcher: the fetcher to use.
        file: open for writing; receives the content of the picture's file.
        max_pixels: largest number of pixels. Of a larger picture, a reduced one is requested from its image service.

    Raises:
        FetchError: it cannot or may not be fetched.
        OSError: the file cannot be written.
    """
    service = painting.service
    if service is None:
        fetcher.save(painting.address, file)
        return
    try:
        info = fetcher.json(f"{service.id}/info.json")
        request = _request(service, info if isinstance(info, dict) else {}, painting, max_pixels)
        fetcher.save(f"{service.id}/{request}", file)
    except FetchError as error:
        # Such as a service of level 0 that does not have the whole picture.
        file.seek(0)
        file.truncate()
        try:
            fetcher.save(painting.address, file)
        except FetchError:
            raise error from None
        warn(f"{painting.canvas}: fetched from its URL in the manifest, not from its image service: {error}")


def _request(service: Service, info: Mapping[str, object], painting: Painting, max_pixels: int) -> str:
    width, height = _size(info) or (1, 1)
    stored = _stored_sizes(service, info)
    if stored:
        chosen = max((size for size in stored if size[0] * size[1] <= max_pixels), default=min(stored))
        if chosen[0] < width:
            warn(f"{painting.canvas}: fetched as {chosen[0]} x {chosen[1]} pixels, of {width} x {height}")
        return _sized(service, *chosen)
    if width * height > max_pixels:
        scale = math.sqrt(max_pixels / (width * height))
        smaller = max(1, int(width * scale)), max(1, int(height * scale))
        warn(
            f"{painting.canvas}: fetched as {smaller[0]} x {smaller[1]} pixels, because {width} x {height} are too many"
        )
        return _sized(service, *smaller)
    if service.version == 2 and any(name in info for name in _LIMITS):
        # Since 2.1, servers may refuse `full` where they limit the size.
        return "full/max/0/default.jpg"
    return _WHOLE[service.version]


def _size(info: object) -> tuple[int, int] | None:
    width, height = (info.get("width"), info.get("height")) if isinstance(info, dict) else (None, None)
    if not isinstance(width, int) or not isinstance(height, int):
        return None
    return (width, height) if min(width, height) >= 1 and max(width, height) <= _MAX_SIDE else None


def _stored_sizes(service: Service, info: Mapping[str, object]) -> list[tuple[int, int]]:
    """Returns the sizes of a picture that a service of level 0 has; it computes no others."""
    profile, sizes = info.get("profile"), info.get("sizes")
    level = profile[0] if isinstance(profile, list) and profile else profile
    if service.version == 1 or "level0" not in str(level) or not isinstance(sizes, list):
        return []
    return [size for size in map(_size, sizes) if size is not None]


def _sized(service: Service, width: int, height: int) -> str:
    """Asks for a size. Before version 3, the usual form is without the height, which servers compute."""
    size = f"{width},{height}" if service.version == 3 else f"{width},"
    return f"full/{size}/0/{'native' if service.version == 1 else 'default'}.jpg"
