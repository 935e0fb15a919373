"""Walks through folders of pictures, in the same way for colorizing, training and evaluation."""

import os
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from artcolor.errors import ImageError
from artcolor.images import read
from artcolor.images.formats import FORMATS, SUFFIXES, UNSUPPORTED, unsupported
from artcolor.images.tiff import is_tiff

# Folders of thumbnails, previews and deleted files that systems make beside pictures; hidden ones begin with a dot.
_BY_SYSTEMS = frozenset({"@eaDir", "__MACOSX", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found"})
_PREFIX = 16


def walk(folder: Path, *, leave_out: Path | None = None) -> Iterator[Path]:
    """Finds the pictures in a folder and its subfolders, by name.

    A file is a picture by its suffix or by its content; pictures of formats that are not read are among them, so that
    whoever opens them says so. Links to folders are followed, unless they lead back to where they are. Hidden files
    and folders (`.name`), and those that systems make (`@eaDir`, `__MACOSX`), are left out.

    Args:
        folder: the folder to search.
        leave_out: a folder to skip, such as that of the results; existing or not.

    Yields:
        Paths of pictures, of links to nothing that are named like one, and of subfolders that cannot be listed.
    """
    yield from _walk(folder, leave_out, ())


def check_listing(folder: Path) -> None:
    """Checks that a folder can be listed.

    Raises:
        ImageError: it cannot be listed; the message states why.
    """
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise ImageError(f"the folder {folder} cannot be listed: {error.strerror}") from error


def _walk(folder: Path, leave_out: Path | None, above: tuple[os.stat_result, ...]) -> Iterator[Path]:
    try:
        here = folder.stat()
        if any(os.path.samestat(here, each) for each in above):
            return
        if leave_out is not None and leave_out.exists() and os.path.samestat(here, leave_out.stat()):
            return
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError:
        yield folder
        return
    for entry in entries:
        if is_left_out(entry.name):
            continue
        kind = _kind(entry)
        if kind == "folder":
            yield from _walk(folder / entry.name, leave_out, (*above, here))
        elif kind == "file" and is_picture(folder / entry.name):
            yield folder / entry.name


def _kind(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_dir():
            return "folder"
        # A pipe would block for ever. A link to nothing is a file that is missing.
        return "file" if entry.is_file() or not Path(entry.path).exists() else "other"
    except OSError:
        return "file"


def is_left_out(name: str) -> bool:
    """Whether a file or folder is hidden, or made by a system.

    Args:
        name: name of the file or folder, without its path.

    Example:
        >>> is_left_out("__MACOSX"), is_left_out("a.png")
        (True, False)
    """
    return name.startswith(".") or name in _BY_SYSTEMS


def is_picture(path: Path) -> bool:
    """Whether a file is a picture by its suffix, or by its first bytes.

    Args:
        path: path of a file.

    Example:
        >>> is_picture(Path("a.JFIF")), is_picture(Path("notes.txt"))
        (True, False)
    """
    if path.suffix.lower() in SUFFIXES or path.suffix.lower() in UNSUPPORTED:
        return True
    prefix = _prefix_of(path)
    return unsupported(prefix) is not None or _format_of(prefix) is not None


def usual_suffix(path: Path) -> str:
    """The suffix of a picture, or the usual one of its content where its own says nothing.

    Args:
        path: path of a file, existing or not.

    Example:
        >>> usual_suffix(Path("a.JFIF"))
        '.JFIF'
    """
    if path.suffix.lower() in SUFFIXES or path.suffix.lower() in UNSUPPORTED:
        return path.suffix
    name = _format_of(_prefix_of(path))
    return path.suffix if name is None else FORMATS[name].suffixes[0]


def _prefix_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_PREFIX)
    except OSError:
        return b""


def _format_of(prefix: bytes) -> str | None:
    if is_tiff(prefix):
        return "TIFF"
    if read.is_heif(prefix):
        return "HEIF"
    return next((name for name in read.READERS if _accepts(name, prefix)), None)


def _accepts(name: str, prefix: bytes) -> bool:
    # Two bytes of a text may look like BMP or PPM.
    if name in ("BMP", "PPM") or not prefix:
        return False
    accept = Image.OPEN[name][1]
    return accept is not None and accept(prefix) is True
