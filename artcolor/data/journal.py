"""Records the results of cleaning on disk, so that an interrupted build resumes."""

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
from artcolor.data.collect import SourcePicture
from artcolor.data.duplicates import Detail, Hashes
from artcolor.data.spec import Label
from artcolor.files import write_atomically

_LOG = logging.getLogger(__name__)
# Part of the first line: raise it when the same spec cleans pictures differently, or when lines change.
_VERSION = 2


@dataclass(frozen=True)
class Candidate:
    """A cleaned picture that may be selected for the data set.

    Attributes:
        source: name of the source.
        path: path within the source.
        labels: label → its value; `""` if unknown.
        file: path of the cleaned file.
        gray: path of its gray twin; `None` if not requested.
        sha256: SHA-256 of `file`, in hexadecimal.
        width: width of the cleaned picture, in pixels.
        height: height of the cleaned picture, in pixels.
        pixels: number of pixels of the original inside its border.
        original: width and height of the original, in pixels.
        box: left, top, right and bottom of the part of the original that was kept; `None` if not cropped.
        color: color statistics of the picture.
        hashes: perceptual hashes `(7,)`, from `fingerprint`.
        detail: local detail `(576,)`, from `fingerprint`.
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
    """A picture that is not part of the data set.

    Attributes:
        source: name of the source.
        path: path within the source.
        reason: a key of `artcolor.data.clean.REASONS`.
        detail: the measured value and the limit, or the decoder's message.
        thumbnail: bytes of a JPEG thumbnail; empty if the picture could not be decoded.
        candidate: the cleaned picture, if it was dropped after cleaning.
        twin: the copy that was kept, if this one is a duplicate.
    """

    source: str
    path: str
    reason: str
    detail: str
    thumbnail: bytes = b""
    candidate: Candidate | None = None
    twin: Candidate | None = None


class Journal:
    """A log of cleaned and dropped pictures, one line each.

    Only the thread that created it may write to it.

    Args:
        folder: folder of the journal; created if missing.
        settings: all settings that cleaning depends on. A journal with other settings is discarded.
        suffix: suffix of the cleaned files, with its dot.
    """

    def __init__(self, folder: Path, settings: str, suffix: str) -> None:
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
            _LOG.warning("sources or cleaning settings have changed since the last run; cleaning restarts")
            return False
        if torn:
            # The process was killed while writing this line.
            with self._lines.open("r+b") as file:
                file.truncate(len(data) - len(torn))
        for line in map(json.loads, lines):
            self._known[line["source"], line["path"]] = line
        return True

    def find(self, picture: SourcePicture) -> Candidate | Dropped | None:
        """Returns the result that an earlier run recorded for a picture; a second call finds nothing.

        Args:
            picture: picture of a source.

        Returns:
            The result; `None` if there is none, or if the file has changed since.
        """
        line = self._known.pop((picture.source, picture.path), None)
        return self._restore(picture, line) if line and line["stamp"] == picture.stamp else None

    def _restore(self, picture: SourcePicture, line: dict[str, Any]) -> Candidate | Dropped | None:
        if "reason" in line:
            thumbnail = base64.b64decode(line["thumbnail"])
            return Dropped(picture.source, picture.path, line["reason"], line["detail"], thumbnail)
        file, gray = self._files(picture)
        for path, size in ((file, line["bytes"]), (gray, line["gray_bytes"])):
            # After a power failure, the line may exist without its picture.
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

    def record(self, picture: SourcePicture, result: Cleaned | Dropped) -> Candidate | Dropped:
        """Writes the result of cleaning a picture, and its cleaned file.

        Args:
            picture: picture of a source.
            result: the cleaned picture, or why it is dropped.

        Returns:
            The result as `find` will return it.
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
        found = self._restore(picture, line)
        assert found is not None
        return found

    def close(self) -> None:
        """Closes the file of the journal."""
        self._file.close()

    def _files(self, picture: SourcePicture) -> tuple[Path, Path]:
        name = hashlib.sha256(f"{picture.source}\0{picture.path}".encode()).hexdigest()[:32]
        return self._pictures / f"{name}{self._suffix}", self._pictures / f"{name}.gray{self._suffix}"


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
