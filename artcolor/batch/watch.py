"""Watches folders for new pictures, and returns those that are complete.

Folders are searched again and again, in the same way as for a single run. Events of the file system (inotify, through
the watchdog library) are not sent for network drives, which scanners and cameras write to, and whether a file is still
being written has to be checked in any case.
"""

import dataclasses
import os
import time
from collections.abc import Sequence
from pathlib import Path

from artcolor.batch.disk import check_folders
from artcolor.batch.names import folded
from artcolor.batch.plan import Job, Outcome, plan_jobs
from artcolor.batch.saving import Saving
from artcolor.errors import ConfigError, ImageError

__all__ = ["Watch"]

_SHORTEST_PAUSE = 0.5
# Searching takes at most a tenth of the time, however many files there are.
_PAUSE_FACTOR = 9
# Few at a time, because a picture may change before its turn; but not too few, because every search costs time that
# grows with the number of files.
_FEWEST_JOBS, _SHARE = 64, 32

# Size, time of the last change, inode and readability of a file; `None` if they cannot be determined.
_State = tuple[int, int, int, bool] | None


class Watch:
    """Finds pictures in folders as they appear or change.

    A picture is complete once its size and time have not changed for a while, so one that is being written is left
    alone. A picture that changes after it was colorized is colorized again, and replaces its result. One that failed is
    tried again when it changes or becomes readable.

    Args:
        folders: folders to watch, with their subfolders; see `plan_jobs` for what is a picture.
        out: folder of the results; its contents are skipped.
        saving: how results are written. It also decides about existing results of earlier runs.
        hints: folder of hints files, as for `plan_jobs`.
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
            raise ConfigError(f"{hints} is not a folder; with --watch, hints must be a folder of hints files")
        self._folders, self._out, self._saving, self._hints, self._rest = folders, out, saving, hints, rest
        # Names of results, of pictures that were returned: other files may be temporary, and get another name.
        self._taken: dict[str, Path] = {}
        # The state of each picture, and since when it has had it.
        self._seen: dict[Path, tuple[_State, float]] = {}
        self._given: dict[Path, _State] = {}
        self._own: set[Path] = set()
        plan_jobs(folders, out, format=saving.format)
        check_folders([out])

    def look(self) -> list[Job]:
        """Searches the folders once.

        Returns:
            Jobs of pictures that are complete and were not returned before in this state; of very many, only the first
            ones.

        Raises:
            ImageError: a folder no longer exists or cannot be listed.
        """
        for folder in self._folders:
            if not folder.is_dir():
                raise ImageError(f"the folder {folder} no longer exists, or cannot be reached")
        taken = dict(self._taken)
        jobs = plan_jobs(self._folders, self._out, format=self._saving.format, hints=self._hints, taken=taken)
        most = max(_FEWEST_JOBS, len(jobs) // _SHARE)
        before, self._seen = self._seen, {}
        ready: list[Job] = []
        for job in jobs:
            state, now = _state(job.source), time.monotonic()
            old, since = before.get(job.source, (state, now))
            self._seen[job.source] = (state, since if old == state else now)
            fresh = job.source not in self._given or self._given[job.source] != state
            rests = job.source in before and old == state and now - since >= self._rest
            if fresh and rests and len(ready) < most:
                ready.append(job)
                self._given[job.source] = state
                self._taken[folded(job.target)] = job.source
        return ready

    def wait(self) -> list[Job]:
        """Searches the folders until a picture is complete.

        Returns:
            As for `look`, but at least one job.

        Raises:
            ImageError: a folder no longer exists or cannot be listed.
        """
        while True:
            start = time.monotonic()
            jobs = self.look()
            if jobs:
                return jobs
            time.sleep(max(_SHORTEST_PAUSE, _PAUSE_FACTOR * (time.monotonic() - start)))

    def rounds(self, jobs: Sequence[Job]) -> list[tuple[list[Job], Saving]]:
        """Decides how the results of jobs are written: those that this watch wrote are replaced.

        Args:
            jobs: jobs from `look` or `wait`.

        Returns:
            Jobs, each group with its settings, for `run_jobs`.
        """
        again = dataclasses.replace(self._saving, force=True, resume=False)
        new, changed = ([job for job in jobs if (job.source in self._own) == own] for own in (False, True))
        return [(some, how) for some, how in ((new, self._saving), (changed, again)) if some]

    def add(self, outcome: Outcome) -> None:
        """Records how a job ended.

        Args:
            outcome: an outcome from `run_jobs`.
        """
        job = outcome.job
        if outcome.status == "colorized":
            self._own.add(job.source)
        elif not outcome.results and job.source not in self._own:
            # The name is free again: of a file that was incomplete, under the name that it had until then.
            self._taken.pop(folded(job.target), None)


def _state(path: Path) -> _State:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino, os.access(path, os.R_OK)
