"""Names of results, of the files written with them, and of their originals."""

import contextlib
import os
import re
import unicodedata
from pathlib import Path

from artcolor.errors import ConfigError, ImageError
from artcolor.images import read_provenance

__all__ = [
    "beside",
    "folded",
    "is_result",
    "map_path",
    "marked",
    "original_of",
    "result_exists",
    "result_paths",
    "sheet_path",
]

# In names of results that lie beside their originals.
_MARK, _SHEET, _MAP = ".color", ".sheet", ".uncertainty"
# Stems of what is written beside originals: b.color.png, b.color.2.png, b.color.sheet.jpg, b.color.png.uncertainty.png.
_RESULT = re.compile(rf"(.+)\{_MARK}(\.\d+|\{_SHEET}|\.\w+\{_MAP})?")


def result_paths(target: Path, samples: int) -> list[Path]:
    """Returns the paths of a job's results: its target, or a numbered file for each of several samples.

    Args:
        target: the job's target.
        samples: number of colorings of the picture.

    Example:
        >>> [path.name for path in result_paths(Path("out/a.jpg"), 2)]
        ['a.1.jpg', 'a.2.jpg']
    """
    if samples == 1:
        return [target]
    return [target.with_name(f"{target.stem}.{number}{target.suffix}") for number in range(1, samples + 1)]


def result_exists(path: Path) -> bool:
    """Returns whether a result exists; `False` if that is unknown, because writing it then fails with the reason.

    Args:
        path: path of the result.
    """
    with contextlib.suppress(OSError):
        return path.exists()
    return False


def map_path(target: Path) -> Path:
    """Returns the path of the uncertainty map that belongs to a result.

    Args:
        target: the job's target.

    Example:
        >>> map_path(Path("out/a.jpg")).name
        'a.jpg.uncertainty.png'
    """
    return target.with_name(f"{target.name}{_MAP}.png")


def sheet_path(target: Path) -> Path:
    """Returns the path of the contact sheet of several samples.

    Args:
        target: the job's target.

    Example:
        >>> sheet_path(Path("out/a.png")).name
        'a.sheet.jpg'
    """
    return target.with_name(f"{target.stem}{_SHEET}.jpg")


def beside(path: Path) -> Path:
    """Returns where the result of a picture or folder goes by default: next to it.

    Args:
        path: the picture or folder.

    Raises:
        ConfigError: nothing can be next to it, because it is the root of a disk.

    Example:
        >>> beside(Path("a.png")).name, beside(Path("scans/")).name
        ('a.color.png', 'scans.color')
    """
    if path.name in ("", ".."):
        path = Path(os.path.abspath(path))  # noqa: PTH100 (a link keeps its name)
    if not path.name:
        raise ConfigError(f"the results of {path} need an output folder; give one with -o")
    return path.with_name(path.name + _MARK) if path.is_dir() else marked(path)


def marked(path: Path) -> Path:
    """Returns the name of a result that is next to its original.

    Args:
        path: the name that the result would have in another folder.

    Example:
        >>> marked(Path("a.png")).name
        'a.color.png'
    """
    return path.with_name(f"{path.stem}{_MARK}{path.suffix}")


def original_of(path: Path) -> str | None:
    """Finds the original of a file that artcolor may have written next to it.

    Args:
        path: path of a file.

    Returns:
        The original's name, with or without its suffix; `None` if no result has such a name.

    Example:
        >>> original_of(Path("b.color.2.png"))
        'b'
    """
    found = _RESULT.fullmatch(path.stem)
    return None if found is None else found[1]


def folded(path: str | Path) -> str:
    """Returns the same text for names that some file systems treat as one.

    Args:
        path: a path or a name.

    Example:
        >>> folded("A.jpg") == folded("a.JPG")
        True
    """
    return unicodedata.normalize("NFC", str(path)).casefold()


def is_result(path: Path) -> bool:
    """Returns whether a file with such a name was written by artcolor: a map, a contact sheet, or a coloring.

    Args:
        path: path of a file whose name `original_of` knows.
    """
    if path.stem.endswith((_SHEET, _MAP)):
        return True
    # One that cannot be read fails later, with the reason.
    with contextlib.suppress(ImageError):
        return read_provenance(path) is not None
    return False
