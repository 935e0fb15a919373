"""Films, numbered frames and streams of raw frames (extra `video`)."""

from pathlib import Path

SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi")
"""Suffixes of films that are read and written."""


def is_film(path: Path) -> bool:
    """Returns whether a file is a film, by its suffix.

    Args:
        path: path of a file, existing or not.

    Example:
        >>> is_film(Path("a.MP4")), is_film(Path("a.png"))
        (True, False)
    """
    return path.suffix.lower() in SUFFIXES
