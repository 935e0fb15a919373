"""Finds the picture files of a manifest: in a local folder, or at the addresses that it names."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from artcolor.batch.names import folded
from artcolor.errors import DataError, ImageError
from artcolor.iiif.fetch import Fetcher, FetchError
from artcolor.iiif.manifest import Painting, Service
from artcolor.images.notices import warn
from artcolor.images.walk import check_listing, walk

__all__ = ["LocalPictures", "fetch_picture"]

# Of the Image API: the whole picture in its own size and upright.
_WHOLE = {1: "full/full/0/native.jpg", 2: "full/full/0/default.jpg", 3: "full/max/0/default.jpg"}
_LIMITS = ("maxWidth", "maxHeight", "maxArea")


class LocalPictures:
    """The pictures in a folder and its subfolders, by name.

    Args:
        folder: to search.
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
        for path in walk(folder, leave_out=leave_out):
            relative = path.relative_to(folder)
            # With and without the suffix, below the folder and alone: p1.tif, p1, a/p1.tif, a/p1.
            for name in {relative.as_posix(), relative.with_suffix("").as_posix(), path.name, path.stem}:
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
            for wanted in (name, os.path.splitext(name)[0]):  # noqa: PTH122 (a name, not a path)
                found = self._named.get(folded(wanted), [])
                if len(found) > 1:
                    raise DataError(f"{found[0]} and {found[1]} both have the name {wanted}; remove one of them")
                if found:
                    return found[0]
        return None


def fetch_picture(painting: Painting, fetcher: Fetcher, file: BinaryIO, *, max_pixels: int) -> None:
    """Fetches a picture in its full size, or as large as the limit allows.

    Args:
        painting: the picture.
        fetcher: fetches it.
        file: gets the content of the picture's file.
        max_pixels: the most that the picture may have. An image service is asked for a smaller one then.

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
    except FetchError as error:
        fetcher.save(painting.address, file)
        warn(f"{painting.canvas}: fetched from its URL in the manifest; its image service does not answer: {error}")
        return
    request = _request(service, info if isinstance(info, dict) else {}, painting, max_pixels)
    fetcher.save(f"{service.id}/{request}", file)


def _request(service: Service, info: Mapping[str, object], painting: Painting, max_pixels: int) -> str:
    width, height = info.get("width"), info.get("height")
    if not isinstance(width, int) or not isinstance(height, int) or min(width, height) < 1:
        width = height = 1
    if width * height > max_pixels:
        scale = math.sqrt(max_pixels / (width * height))
        smaller = max(1, int(width * scale)), max(1, int(height * scale))
        warn(
            f"{painting.canvas}: fetched as {smaller[0]} x {smaller[1]} pixels, because {width} x {height} are too many"
        )
        name = "native" if service.version == 1 else "default"
        return f"full/{smaller[0]},{smaller[1]}/0/{name}.jpg"
    if service.version == 2 and any(name in info for name in _LIMITS):
        # Since 2.1, servers may refuse `full` where they limit the size.
        return "full/max/0/default.jpg"
    return _WHOLE[service.version]
