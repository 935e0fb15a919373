"""The hidden folder beside a result that stores finished shots, so that an interrupted run can resume."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from artcolor.errors import ArtcolorError, ImageError
from artcolor.files import locked, remove_leftovers, replacing, sync, write_atomically
from artcolor.video.read import Losses, Survey

_VERSION = 1
_LOCK = "lock"


@contextlib.contextmanager
def working(target: Path, settings: Mapping[str, Any]) -> Iterator["Work"]:
    """Opens the folder for a result, and keeps other runs out of it.

    Args:
        target: the result; the folder lies beside it.
        settings: all that the shots depend on. Shots that were made with others are removed.

    Raises:
        ImageError: another run is writing the same result.
    """
    folder = target.with_name(f".{target.name[:200]}.artcolor")
    folder.mkdir(parents=True, exist_ok=True)
    work = None
    try:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(folder / _LOCK))
            except BlockingIOError as error:
                raise ImageError(f"another run is writing {target}; wait for it, or choose another -o") from error
            work = Work(folder, settings)
            yield work
    except ArtcolorError:
        # The request or the film has to change, so there is nothing that a later run could use.
        if work is not None and work.finished == 0:
            work.done = True
        raise
    finally:
        if work is not None and work.done:
            shutil.rmtree(folder, ignore_errors=True)


class Work:
    """Finished shots of one film, and what is known of it.

    Args:
        folder: folder that they are in.
        settings: all that the shots depend on. Shots that were made with others are removed.

    Attributes:
        folder: the folder.
        done: whether it is no longer needed; set by whoever finishes the result.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        self.done = False
        self._journal = self.folder / "journal.json"
        text = json.dumps(settings, sort_keys=True, default=str)
        self._key = hashlib.sha256(f"{_VERSION} {text}".encode()).hexdigest()
        found = self._read()
        if found is None:
            for path in self.folder.iterdir():
                if path.name != _LOCK:
                    path.unlink()
            found = {"key": self._key, "survey": None, "finished": 0, "state": None}
            self._write(found)
        self._found = found
        remove_leftovers([self._journal, *(self.shot(number) for number in range(self.finished + 1))])

    def _read(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self._journal.read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and found.get("key") == self._key else None

    def _write(self, found: Mapping[str, Any]) -> None:
        write_atomically(self._journal, json.dumps(found).encode())

    @property
    def survey(self) -> Survey | None:
        """What the first pass found; `None` if it has not ended."""
        found = self._found["survey"]
        return (
            None
            if found is None
            else Survey(tuple(found["borders"]), Losses(**found["losses"]), found["end"], found["even"])
        )

    @survey.setter
    def survey(self, survey: Survey) -> None:
        losses = {"damaged": survey.losses.damaged, "cut_off": survey.losses.cut_off}
        self._found["survey"] = {"borders": survey.borders, "losses": losses, "end": survey.end, "even": survey.even}
        self._write(self._found)

    @property
    def finished(self) -> int:
        """Number of shots that are finished, from the first on."""
        number: int = self._found["finished"]
        return number

    @property
    def state(self) -> Any:
        """What the sequence kept after the last of the finished shots; `None` if there is none."""
        return self._found["state"]

    def shot(self, number: int) -> Path:
        """Path of a shot's file.

        Args:
            number: number of the shot.
        """
        return self.folder / f"shot{number:06}.packets"

    @contextlib.contextmanager
    def writing_shot(self, number: int) -> Iterator[BinaryIO]:
        """Opens the file of a shot for writing; if anything fails, no file remains.

        Args:
            number: number of the shot.
        """
        with replacing(self.shot(number)) as file:
            yield file

    def finish(self, state: Any) -> None:
        """Records that the next shot is finished.

        Args:
            state: state of the sequence after it.
        """
        sync(self.folder)
        self._found["finished"] += 1
        self._found["state"] = state
        self._write(self._found)
