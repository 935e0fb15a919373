"""Colorizes files in object stores, by way of a private temporary folder.

Runs are planned, checked, resumed and reported by names. So the folder holds, for each file in a store that matters, an
empty file of the same name; all code for local files works on it unchanged. A few originals at a time are downloaded in
place of their empty files, colorized, and emptied again, and each result is uploaded once it is complete. A store shows
an upload when it is complete, so nobody sees incomplete files there.
"""

import contextlib
import dataclasses
import itertools
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from artcolor.batch.addresses import STORES, Address, as_address
from artcolor.batch.report import check_report
from artcolor.batch.scratch import scratch_folder
from artcolor.batch.stores import explained, open_store
from artcolor.errors import ArtcolorError, ImageError
from artcolor.files import can_be_named
from artcolor.images.formats import SUFFIXES, UNSUPPORTED
from artcolor.images.notices import warn

if TYPE_CHECKING:
    from artcolor.batch.plan import Job, Outcome
    from artcolor.batch.saving import Saving
    from artcolor.engine.colorizer import Colorizer

__all__ = ["Mirror"]

# Originals that are downloaded before they are colorized together, and transfers at once.
_AT_ONCE, _TRANSFERS = 16, 8
# So many results are looked for one by one; where there are more, their folder is listed.
_FEW = 32
# Bytes that show whether a file is a report, and seconds between its uploads.
_HEADER, _BETWEEN = 256, 30.0
# Why no other result can be uploaded either, such as to a bucket that does not exist.
_REFUSALS = (FileNotFoundError, PermissionError)


class Mirror:
    """A temporary folder with the names of files in stores; without addresses, it makes no folder and changes nothing.

    Args:
        before_upload: called with the path of each result before it is uploaded, from several threads.

    Example:
        >>> with Mirror() as mirror:
        ...     mirror.input(Path("a.png"))
        PosixPath('a.png')
    """

    def __init__(self, before_upload: Callable[[Path], None] | None = None) -> None:
        self._before_upload = before_upload
        self._folder: Path | None = None
        self._stores: dict[str, Any] = {}
        self._reports: list[Path] = []
        self._next_upload = 0.0
        self._stored_any = False
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Uploads the report, removes the folder, and names addresses in errors.

        Raises:
            ArtcolorError: instead of one that names the folder; or the report cannot be uploaded.
        """
        with self._cleanup:
            self._upload_reports()
        if isinstance(error, ArtcolorError) and str(error) != self.named(error):
            raise type(error)(self.named(error)) from error

    def named(self, text: object) -> str:
        """Returns a text with addresses in place of paths in the folder.

        Args:
            text: text of a message.
        """
        if self._folder is None:
            return str(text)
        named = str(text)
        for scheme in STORES:
            named = named.replace(f"{self._folder / scheme}{os.sep}", f"{scheme}://")
        return named

    def input(self, given: Path) -> Path:
        """Returns the local path of an input; for one in a store, lists its files.

        Args:
            given: a path, or an address in its place.

        Raises:
            ConfigError: the package of the store is missing.
            ImageError: there is no such file or folder, or the store does not respond.
        """
        address = as_address(given)
        if address is None:
            return given
        path = self.path(given)
        with explained(address, "read"):
            store = self._store(address.scheme)
            if not store.exists(address.key):
                raise ImageError(f"there is no file or folder {address}")
            if not store.isdir(address.key):
                _touch(path)
                return path
            found = store.find(address.key)
        path.mkdir(parents=True, exist_ok=True)
        for key in found:
            self._add(address.scheme, str(key))
        return path

    def path(self, given: Path) -> Path:
        """Returns the path in the folder that stands for an address; a path stays as it is.

        Args:
            given: a path, or an address in its place.

        Raises:
            ConfigError: the package of the store is missing.
        """
        address = as_address(given)
        if address is None:
            return given
        self._store(address.scheme)
        if self._folder is None:
            self._folder = self._cleanup.enter_context(scratch_folder())
        return self._folder / address.scheme / address.key

    def output(self, given: Path | None) -> Path | None:
        """Returns the path of the output; a folder that is in a store is known as one, whatever its name.

        Args:
            given: a path, or an address in its place; `None` stays.

        Raises:
            ConfigError: the package of the store is missing.
            ImageError: the store does not respond.
        """
        address = None if given is None else as_address(given)
        if given is None or address is None:
            return given
        path = self.path(given)
        with explained(address, "read"):
            if self._store(address.scheme).isdir(address.key):
                path.mkdir(parents=True, exist_ok=True)
        return path

    def report(self, given: Path, *, resume: bool) -> Path:
        """Returns where a report is written; one in a store is uploaded now and then, and when the run ends.

        Args:
            given: a path, or an address in its place.
            resume: continue the report that is there.

        Raises:
            ConfigError: the package of the store is missing.
            ImageError: the store does not respond, or there is a file that is not a report.
        """
        path, address = self.path(given), as_address(given)
        if address is None:
            return path
        with explained(address, "read"):
            store = self._store(address.scheme)
            start = store.head(address.key, _HEADER) if store.isfile(address.key) and store.size(address.key) else b""
        path.parent.mkdir(parents=True, exist_ok=True)
        if start and not path.is_dir():
            path.write_bytes(start)
        check_report(path)
        # Only what is whole may be uploaded, even if the run fails at once.
        path.unlink(missing_ok=True)
        if start and resume:
            self._download(path)
        self._reports.append(path)
        return path

    def prepare(self, jobs: "Sequence[Job]", results: Iterable[Path]) -> None:
        """Notes which results exist in stores, and downloads the original if it is the only one.

        Args:
            jobs: jobs of the run.
            results: paths of all that the run may write.

        Raises:
            ImageError: a store does not respond.
        """
        wanted = [path for path in results if self._address(path) is not None]
        if wanted:
            first = self._address(wanted[0])
            assert first is not None
            with explained(first, "read"):
                for path in self._existing(wanted):
                    _touch(path)
        if len(jobs) == 1 and not jobs[0].found and self._address(jobs[0].source) is not None:
            self._download(jobs[0].source)

    def run_jobs(
        self,
        colorizer: "Colorizer",
        jobs: "Sequence[Job]",
        saving: "Saving",
        *,
        workers: int | None = None,
        limit: int | None = None,
    ) -> "Generator[Outcome, None, None]":
        """Like `artcolor.batch.run.run_jobs`, but also for files in stores.

        Args:
            colorizer: colorizes the pictures.
            jobs: planned with paths from `input` and `path`.
            saving: how results are written.
            workers: see `run_jobs`.
            limit: see `run_jobs`.

        Yields:
            The outcome of each job, in which addresses stand for paths in the folder.
        """
        from artcolor.batch.names import result_exists, result_paths  # noqa: PLC0415  (imports what reads pictures)
        from artcolor.batch.run import run_jobs  # noqa: PLC0415

        if self._folder is None:
            yield from run_jobs(colorizer, jobs, saving, workers=workers, limit=limit)
            return
        samples = colorizer.guidance.samples
        with ThreadPoolExecutor(_TRANSFERS, "artcolor-transfer") as pool:
            for window in _windows(jobs):
                self._upload_reports_if_due()
                missing = [
                    job
                    for job in window
                    if not (saving.resume and all(map(result_exists, result_paths(job.target, samples))))
                ]
                failed = dict(zip(missing, pool.map(self._fetched, missing), strict=True))
                for job, error in failed.items():
                    if error is not None:
                        yield self._outcome(_failed(job, error))
                ready = [job for job in window if failed.get(job) is None]
                with contextlib.closing(run_jobs(colorizer, ready, saving, workers=workers, limit=limit)) as outcomes:
                    stored = [pool.submit(self._stored, outcome, saving) for outcome in outcomes] if ready else []
                ended = [each.result() for each in stored]
                if len(jobs) > 1:
                    self._check_stored(ended)
                for outcome in ended:
                    yield self._outcome(outcome)
                for job in missing:
                    self._empty(job.source)

    def _check_stored(self, outcomes: "Sequence[Outcome]") -> None:
        """Ends a run that colorizes pictures in vain, as on a disk without permission to write."""
        refused = [each.error for each in outcomes if each.error and isinstance(each.error.__cause__, _REFUSALS)]
        self._stored_any = self._stored_any or any(each.status == "colorized" for each in outcomes)
        if refused and not self._stored_any:
            raise ImageError(f"stopped, because the other results cannot be written either: {refused[0]}")

    def _upload_reports_if_due(self) -> None:
        """Keeps most of a report if the run is killed. The first time, it finds out whether it can be uploaded."""
        start = time.monotonic()
        if start < self._next_upload:
            return
        try:
            self._upload_reports()
        except ImageError:
            # Later, the store may answer again.
            if not self._next_upload:
                raise
        end = time.monotonic()
        # A long report takes a small part of the time.
        self._next_upload = end + max(_BETWEEN, 20 * (end - start))

    def _upload_reports(self) -> None:
        for path in self._reports:
            if path.exists() and path.stat().st_size:
                self._upload(path)

    def _fetched(self, job: "Job") -> ImageError | None:
        try:
            if self._address(job.source) is not None and not job.source.stat().st_size:
                self._download(job.source)
        except ImageError as error:
            return error
        return None

    def _stored(self, outcome: "Outcome", saving: "Saving") -> "Outcome":
        """Uploads the results of a job."""
        from artcolor.batch.names import map_path  # noqa: PLC0415

        if outcome.status != "colorized":
            return outcome
        maps = [map_path(outcome.job.target)] if saving.uncertainty else []
        try:
            # As on disk, a map appears before its result.
            for path in (*maps, *outcome.results):
                if self._address(path) is not None and path.exists() and path.stat().st_size:
                    if self._before_upload is not None:
                        self._before_upload(path)
                    self._upload(path)
                    self._empty(path)
        except ImageError as error:
            return dataclasses.replace(outcome, status="failed", error=error)
        return outcome

    def _outcome(self, outcome: "Outcome") -> "Outcome":
        job, error = outcome.job, outcome.error
        other = job.usual_name_of
        job = dataclasses.replace(
            job,
            source=self._named_path(job.source),
            target=self._named_path(job.target),
            usual_name_of=None if other is None else self._named_path(other),
        )
        if error is not None and str(error) != self.named(error):
            error = type(error)(self.named(error))
        return dataclasses.replace(outcome, job=job, error=error)

    def _named_path(self, path: Path) -> Path:
        address = self._address(path)
        return path if address is None else cast(Path, address)

    def _address(self, path: Path) -> Address | None:
        if self._folder is None or not path.is_relative_to(self._folder):
            return None
        scheme, *parts = path.relative_to(self._folder).parts
        return Address(f"{scheme}://{'/'.join(parts)}")

    def _store(self, scheme: str) -> Any:
        if scheme not in self._stores:
            self._stores[scheme] = open_store(scheme)
        return self._stores[scheme]

    def _add(self, scheme: str, key: str) -> None:
        """Adds the name of a file that was found in a folder."""
        key = key.lstrip("/")
        if os.path.splitext(key)[1].lower() not in {*SUFFIXES, *UNSUPPORTED}:  # noqa: PTH122
            return
        names = key.split("/")
        if not all(map(can_be_named, names)):
            warn(f"{scheme}://{key} is skipped, because no local file can have this name")
            return
        assert self._folder is not None
        try:
            _touch(self._folder / scheme / key)
        except OSError:
            # In a store, a file and a folder may have the same name.
            warn(f"{scheme}://{key} is skipped, because no local file can have this name")

    def _existing(self, paths: Sequence[Path]) -> Iterator[Path]:
        addresses = {path: address for path in paths if (address := self._address(path)) is not None}
        if len(addresses) <= _FEW:
            yield from (path for path, each in addresses.items() if self._store(each.scheme).exists(each.key))
            return
        # Nobody can list all buckets.
        for bucket in {each.parts[:2] for each in addresses.values()}:
            keys = {each.key: path for path, each in addresses.items() if each.parts[:2] == bucket}
            folder = os.path.commonpath([os.path.dirname(key) for key in keys])  # noqa: PTH120 (of keys)
            found = {str(key).lstrip("/") for key in self._store(bucket[0].removesuffix(":")).find(folder)}
            yield from (path for key, path in keys.items() if key in found)

    def _download(self, path: Path) -> None:
        address = self._address(path)
        assert address is not None
        with explained(address, "read"):
            self._store(address.scheme).get_file(address.key, str(path))

    def _upload(self, path: Path) -> None:
        address = self._address(path)
        assert address is not None
        with explained(address, "written"):
            self._store(address.scheme).put_file(str(path), address.key)

    def _empty(self, path: Path) -> None:
        """Frees the space of a file in the folder; only its name is needed."""
        if self._address(path) is not None and path.exists():
            path.write_bytes(b"")


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def _windows(jobs: "Sequence[Job]") -> "Iterator[Sequence[Job]]":
    rest = iter(jobs)
    while window := list(itertools.islice(rest, _AT_ONCE)):
        yield window


def _failed(job: "Job", error: ImageError) -> "Outcome":
    from artcolor.batch.plan import Outcome  # noqa: PLC0415

    return Outcome(job, "failed", error=error)
