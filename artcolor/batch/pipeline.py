"""Runs jobs in threads: while some files are read, others go through the network, and others are written."""

import functools
import os
import queue
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from artcolor.batch.admission import Admission, ClosedError
from artcolor.batch.disk import is_fatal, remedy
from artcolor.batch.plan import Job, Outcome, Status
from artcolor.batch.saving import Saving
from artcolor.batch.steps import MultiPage, SinglePicture, Steps, Work
from artcolor.engine.colorizer import Colorizer
from artcolor.errors import ImageError, UnsupportedError

# A decoded and colorized pixel takes about 10 bytes, or 20 with 16 bits per channel.
_PIXELS_PER_WORKER = 12_000_000
# With this many batches in progress, pictures of one working size meet even among others.
_BATCHES = 8


def cores() -> int:
    """Number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _InlineExecutor(Executor):
    """Runs each call at once in the calling thread: a single file gains nothing from thread pools."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **keywords: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **keywords))
        return future


class Pipeline:
    """Colorizes files with three thread pools: readers, networks and writers.

    Args:
        colorizer: colorizes the pictures.
        saving: how results are written.
        workers: number of readers, of writers, and on the CPU of networks.
        inline: run all steps in the calling thread instead.
        limit: number of cores that networks may use; `None` is all that this process may use.
    """

    def __init__(
        self, colorizer: Colorizer, saving: Saving, workers: int, *, inline: bool, limit: int | None = None
    ) -> None:
        self._colorizer = colorizer
        self._admission = Admission(workers * _PIXELS_PER_WORKER)
        self._steps = Steps(colorizer, saving, self._admission)
        self._most_jobs = _BATCHES * colorizer.batch_size + 2 * workers
        # What threads report: an outcome, work for the network, that a network is free (`None`), or an error that
        # concerns more than one file.
        self._reports: queue.SimpleQueue[Outcome | SinglePicture | MultiPage | Exception | None] = queue.SimpleQueue()
        self._fatal: ImageError | None = None
        # On the CPU, one network on all cores would wait at each layer for a core that is reading or writing.
        self._networks_at_once = workers if colorizer.backend.on_cpu else 1
        self._readers: Executor
        self._networks: Executor
        self._writers: Executor
        if inline:
            if limit is not None:
                colorizer.backend.limit_threads(limit)
            self._readers = self._networks = self._writers = _InlineExecutor()
            return
        limit_threads = functools.partial(colorizer.backend.limit_threads, max(1, (limit or cores()) // workers))
        self._readers = ThreadPoolExecutor(workers, "artcolor-read", limit_threads)
        self._networks = ThreadPoolExecutor(self._networks_at_once, "artcolor-network", limit_threads)
        self._writers = ThreadPoolExecutor(workers, "artcolor-write", limit_threads)

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Runs jobs, and yields each outcome as soon as it is known.

        Raises:
            ImageError: no further result can be written.
            ConfigError: the device has too little memory.
            WeightsError: the network's output is not finite.
        """
        todo, running, busy = iter(jobs), 0, 0
        waiting: list[SinglePicture | MultiPage] = []
        try:
            while self._fatal is None:
                while running < self._most_jobs and (job := next(todo, None)) is not None:
                    self._readers.submit(self._run_step, self._steps.read, Work(job, self._colorizer))
                    running += 1
                # A free network does not wait for a full batch.
                while waiting and busy < self._networks_at_once and self._reports.empty():
                    # Shared out evenly, the last pictures keep all networks busy.
                    most = min(self._colorizer.batch_size, -(-len(waiting) // self._networks_at_once))
                    self._networks.submit(self._run_network, _next_batch(waiting, most))
                    busy += 1
                if not running:
                    return
                report = self._reports.get()
                if isinstance(report, Exception):
                    raise report
                if isinstance(report, Outcome):
                    running -= 1
                    yield report
                elif report is None:
                    busy -= 1
                else:
                    waiting.append(report)
        finally:
            self._admission.close()
            for pool in (self._readers, self._networks, self._writers):
                pool.shutdown(cancel_futures=True)
            # New threads inherit the number that any other thread set last.
            self._colorizer.backend.limit_threads(None)
        while not self._reports.empty():
            if isinstance(report := self._reports.get(), Outcome):
                yield report
        raise self._fatal

    def _run_step(self, step: Callable[..., Status | SinglePicture | MultiPage], work: Work, *args: Any) -> None:
        """Runs a step of a job in any thread, and reports its result."""
        start = time.perf_counter()
        error = None
        try:
            result = step(work, *args)
        except ClosedError:
            return
        except Exception as caught:
            error = _error_of_file(caught, work.job)
            if error is None:
                self._reports.put(caught)
                return
            if is_fatal(error):
                self._fatal = ImageError(f"stopped, because the other results cannot be written either: {error}")
            result = "unsupported" if isinstance(error, UnsupportedError) and work.job.found else "failed"
        work.seconds += time.perf_counter() - start
        if isinstance(result, str):
            self._admission.leave(work.pixels)
            self._reports.put(Outcome(work.job, result, work.seconds, work.measure, error, self._samples))
        else:
            self._reports.put(result)

    def _run_network(self, batch: list[SinglePicture] | MultiPage) -> None:
        try:
            if isinstance(batch, MultiPage):
                self._run_step(self._steps.colorize_pages, batch.work)
            else:
                self._colorize(batch)
        except Exception as error:
            self._reports.put(error)
        self._reports.put(None)

    def _colorize(self, batch: list[SinglePicture]) -> None:
        start = time.perf_counter()
        predictions = self._steps.predict(batch[0].work.colorizer, [each.lightness for each in batch])
        share = (time.perf_counter() - start) / len(batch)
        for each, prediction in zip(batch, predictions, strict=True):
            each.work.seconds += share
            self._writers.submit(self._run_step, self._steps.write, each.work, each.picture, prediction)

    @property
    def _samples(self) -> int:
        return self._colorizer.guidance.samples


def _next_batch(waiting: list[SinglePicture | MultiPage], most: int) -> list[SinglePicture] | MultiPage:
    """Removes and returns the next work for a network.

    Files with pages come first, as they take long; then the most common working size. A picture with hints of its own
    goes alone.
    """
    pages = next((each for each in waiting if isinstance(each, MultiPage)), None)
    if pages is not None:
        waiting.remove(pages)
        return pages
    singles = [each for each in waiting if isinstance(each, SinglePicture)]
    kinds = Counter((each.work.colorizer, each.lightness.shape) for each in singles)
    kind = max(kinds, key=kinds.__getitem__)
    batch = [each for each in singles if (each.work.colorizer, each.lightness.shape) == kind][:most]
    for each in batch:
        waiting.remove(each)
    return batch


def _error_of_file(error: Exception, job: Job) -> ImageError | None:
    """Returns what is wrong with one file; `None` if the error concerns all files or is a bug."""
    if isinstance(error, ImageError):
        return error
    # PyTorch's CPU allocator raises a plain RuntimeError.
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "allocate memory" in str(error)):
        return ImageError(f"{job.source} is too large for the memory of this machine")
    if isinstance(error, OSError):
        described = ImageError(f"{job.target} cannot be written: {remedy(error)}")
        described.__cause__ = error
        return described
    return None
