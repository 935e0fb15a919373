"""Watches folders for new pictures, and says which are complete.

Folders are looked at again and again, with the same search as for a single run. Events of the system (inotify and its
like, through the watchdog library) do not come from network drives, to which scanners and cameras write, and whether a
file rests has to be looked up in any case.
"""

import dataclasses
import os
import time
from collections.abc import Sequence
from pathlib import Path

from artcolor.batch.disk import check_folders
from artcolor.batch.plan import Job, Outcome, plan_jobs
from artcolor.batch.saving import Saving
from artcolor.errors import ConfigError, ImageError

__all__ = ["Watch"]

_SHORTEST_PAUSE = 0.5
# Looking takes at most a tenth of the time, however many files there are.
_PAUSE_FACTOR = 9
# Whether a picture is complete is looked up shortly before it is read.
_MOST_JOBS = 64

# Size, time of the last change and number of a file; `None` if they cannot be looked up.
_State = tuple[int, int, int] | None


class Watch:
    """Finds pictures in folders as they appear or change.

    A picture counts once its size and time have not changed for a while, so one that is being written is left alone. A
    picture that changes after it was colorized, or after it failed, counts again; its result is then replaced.

    Args:
        folders: to watch, with their sub-folders; see `plan_jobs` for what is a picture.
        out: folder of the results; what is in it is left out.
        saving: how results are written. Existing results of earlier runs are treated as it says.
        hints: folder of hints files, as `plan_jobs` takes it.
        rest: seconds for which size and time must not change.

    Raises:
        ConfigError: one of `folders`, or `hints`, is not a folder.
        ImageError: a folder cannot be listed, or no result can be written into `out`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     watch = Watch([Path(folder)], Path(folder) / "out", Saving(), rest=0)
        ...     (Path(folder) / "a.gif").touch()
        ...     found = watch.look(), watch.look()
        >>> [[job.target.name for job in jobs] for jobs in found]
        [[], ['a.png']]
    """

    def __init__(
        self, folders: Sequence[Path], out: Path, saving: Saving, *, hints: Path | None = None, rest: float = 2.0
    ) -> None:
        for folder in folders:
            if not folder.is_dir():
                what = "is not a folder" if folder.exists() else "does not exist"
                raise ConfigError(f"{folder} {what}; only folders can be watched")
        if hints is not None and not hints.is_dir():
            raise ConfigError(f"{hints} is not a folder; pictures that are watched for need a folder of hints files")
        self._folders, self._out, self._saving, self._hints, self._rest = folders, out, saving, hints, rest
        self._taken: dict[str, Path] = {}
        # Of each picture, its state and since when it has had it.
        self._seen: dict[Path, tuple[_State, float]] = {}
        self._given: dict[Path, _State] = {}
        self._own: set[Path] = set()
        plan_jobs(folders, out, format=saving.format)
        check_folders([out])

    def look(self) -> list[Job]:
        """Looks once into the folders.

        Returns:
            Jobs of pictures that are complete and were not returned before in this state; at most 64.

        Raises:
            ImageError: a folder is gone or cannot be listed.
        """
        for folder in self._folders:
            if not folder.is_dir():
                raise ImageError(f"the folder {folder} is gone")
        jobs = plan_jobs(self._folders, self._out, format=self._saving.format, hints=self._hints, taken=self._taken)
        before, self._seen = self._seen, {}
        ready: list[Job] = []
        for job in jobs:
            state, now = _state(job.source), time.monotonic()
            old, since = before.get(job.source, (state, now))
            self._seen[job.source] = (state, since if old == state else now)
            fresh = job.source not in self._given or self._given[job.source] != state
            rests = job.source in before and old == state and now - since >= self._rest
            if fresh and rests and len(ready) < _MOST_JOBS:
                ready.append(job)
                self._given[job.source] = state
        return ready

    def wait(self) -> list[Job]:
        """Looks into the folders until there is a picture that is complete.

        Returns:
            As for `look`; at least one job.

        Raises:
            ImageError: a folder is gone or cannot be listed.
        """
        while True:
            start = time.monotonic()
            jobs = self.look()
            if jobs:
                return jobs
            time.sleep(max(_SHORTEST_PAUSE, _PAUSE_FACTOR * (time.monotonic() - start)))

    def rounds(self, jobs: Sequence[Job]) -> list[tuple[list[Job], Saving]]:
        """Says how the results of jobs are to be written: those that this watch wrote itself are replaced.

        Args:
            jobs: from `look` or `wait`.

        Returns:
            Jobs, and how to save them, as `run_jobs` takes both.
        """
        again = dataclasses.replace(self._saving, force=True, resume=False)
        new, changed = ([job for job in jobs if (job.source in self._own) == own] for own in (False, True))
        return [(some, how) for some, how in ((new, self._saving), (changed, again)) if some]

    def add(self, outcome: Outcome) -> None:
        """Notes how a job ended.

        Args:
            outcome: from `run_jobs`.
        """
        if outcome.status == "colorized":
            self._own.add(outcome.job.source)


def _state(path: Path) -> _State:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino
