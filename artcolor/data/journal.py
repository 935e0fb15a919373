"""What cleaning has found so far, on disk, so that a build that was stopped anywhere goes on where it was."""

import base64
import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from artcolor.data.clean import Cleaned, Color
from artcolor.data.collect import Picture
from artcolor.data.duplicates import Detail, Hashes
from artcolor.data.spec import Label
from artcolor.files import write_atomically

_LOG = logging.getLogger(__name__)
# Changes whenever the same spec would clean pictures differently.
_VERSION = 1


@dataclass(frozen=True)
class Candidate:
    """A cleaned picture that waits to be chosen.

    Attributes:
        source: name of the source it comes from.
        path: where in the source.
        labels: what is known about it; `""` where nothing is.
        file: its file, as it is to be written.
        gray: the file of its gray twin, if asked for.
        sha256: of `file`, in hexadecimal.
        width: of the picture in `file`.
        height: of the picture in `file`.
        pixels: of the original, without its border.
        original: width and height of the original.
        box: left, top, right and bottom of what was kept of the original; `None` if that is all.
        color: what its colors are like.
        hashes: what it is recognized by.
        detail: the same.
    """

    source: str
    path: str
    labels: Mapping[Label, str]
    file: Path
    gray: Path | None
    sha256: str
    width: int
    height: int
    pixels: int
    original: tuple[int, int]
    box: tuple[int, int, int, int] | None
    color: Color
    hashes: Hashes
    detail: Detail


@dataclass(frozen=True)
class Dropped:
    """A picture that is not used.

    Attributes:
        source: name of the source it comes from.
        path: where in the source.
        reason: a key of `artcolor.data.clean.REASONS`.
        detail: what exactly is wrong.
        thumbnail: a small JPEG file of it; empty if there is none.
        candidate: the picture, if it was dropped after cleaning.
        twin: the copy that stays, if it is a duplicate.
    """

    source: str
    path: str
    reason: str
    detail: str
    thumbnail: bytes = b""
    candidate: Candidate | None = None
    twin: Candidate | None = None


class Journal:
    """Cleaned pictures and reasons, one line each, appended as they come.

    Only the thread that made it may write.

    Args:
        folder: where it is kept; made if it is not there.
        settings: everything that what it holds depends on. If it was begun with others, it begins anew.
        suffix: of the pictures' files.
    """

    def __init__(self, folder: Path, settings: str, suffix: str) -> None:
        """See the class."""
        self._pictures = folder / "pictures"
        self._lines = folder / "journal.jsonl"
        self._suffix = suffix
        self._known: dict[tuple[str, str], dict[str, Any]] = {}
        head = json.dumps({"version": _VERSION, "settings": settings})
        if not self._load(head):
            shutil.rmtree(folder, ignore_errors=True)
            self._pictures.mkdir(parents=True)
            write_atomically(self._lines, f"{head}\n".encode())
        self._file: BinaryIO = self._lines.open("ab")

    def _load(self, head: str) -> bool:
        try:
            data = self._lines.read_bytes()
        except FileNotFoundError:
            return False
        whole, _, torn = data.rpartition(b"\n")
        first, *lines = whole.split(b"\n")
        if first != head.encode():
            _LOG.warning("sources or cleaning settings have changed since the last run; cleaning starts anew")
            return False
        if torn:
            # A line that was being written when the process was killed; the next one must not continue it.
            with self._lines.open("r+b") as file:
                file.truncate(len(data) - len(torn))
        for line in map(json.loads, lines):
            self._known[line["source"], line["path"]] = line
        return True

    def find(self, picture: Picture) -> Candidate | Dropped | None:
        """Gives, once, what an earlier run found out about a picture; `None` if nothing, or out of date.

        Args:
            picture: any.
        """
        line = self._known.pop((picture.source, picture.path), None)
        return self._recall(picture, line) if line and line["stamp"] == picture.stamp else None

    def _recall(self, picture: Picture, line: dict[str, Any]) -> Candidate | Dropped | None:
        if "reason" in line:
            thumbnail = base64.b64decode(line["thumbnail"])
            return Dropped(picture.source, picture.path, line["reason"], line["detail"], thumbnail)
        file, gray = self._files(picture)
        for path, size in ((file, line["bytes"]), (gray, line["gray_bytes"])):
            # After a power cut a line may have survived its picture.
            if size is not None and (not path.is_file() or path.stat().st_size != size):
                return None
        return Candidate(
            source=picture.source,
            path=picture.path,
            labels=picture.labels,
            file=file,
            gray=None if line["gray_bytes"] is None else gray,
            sha256=line["sha256"],
            width=line["width"],
            height=line["height"],
            pixels=line["pixels"],
            original=(line["original"][0], line["original"][1]),
            box=tuple(line["box"]) if line["box"] else None,
            color=Color(**{name: _frozen(value) for name, value in line["color"].items()}),
            hashes=np.array(line["hashes"], dtype=np.uint64),
            detail=np.frombuffer(base64.b64decode(line["detail"]), dtype=np.int8),
        )

    def keep(self, picture: Picture, result: Cleaned | Dropped) -> Candidate | Dropped:
        """Writes down what was found out about a picture, and the picture itself.

        Args:
            picture: the one that was looked at.
            result: what was found.

        Returns:
            The same, as `find` gives it.
        """
        line: dict[str, Any] = {"source": picture.source, "path": picture.path, "stamp": picture.stamp}
        if isinstance(result, Dropped):
            line |= {
                "reason": result.reason,
                "detail": result.detail,
                "thumbnail": base64.b64encode(result.thumbnail).decode(),
            }
        else:
            file, gray = self._files(picture)
            write_atomically(file, result.data)
            if result.gray is not None:
                write_atomically(gray, result.gray)
            line |= {
                "bytes": len(result.data),
                "gray_bytes": None if result.gray is None else len(result.gray),
                "sha256": hashlib.sha256(result.data).hexdigest(),
                "width": result.width,
                "height": result.height,
                "pixels": result.pixels,
                "original": result.original,
                "box": result.box,
                "color": asdict(result.color),
                "hashes": result.hashes.tolist(),
                "detail": base64.b64encode(result.detail.tobytes()).decode(),
            }
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        found = self._recall(picture, line)
        assert found is not None
        return found

    def close(self) -> None:
        """Closes its file."""
        self._file.close()

    def _files(self, picture: Picture) -> tuple[Path, Path]:
        name = hashlib.sha256(f"{picture.source}\0{picture.path}".encode()).hexdigest()[:32]
        return self._pictures / f"{name}{self._suffix}", self._pictures / f"{name}.gray{self._suffix}"


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
