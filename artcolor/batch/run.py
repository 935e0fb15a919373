"""Colorizing many files: reading, the network and writing go on at the same time, and each bad file fails alone."""

import contextlib
import functools
import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from artcolor.batch.disk import check_folders, is_fatal, remedy, writing
from artcolor.batch.plan import Job, Outcome, Status, check_listing, map_path, result_paths
from artcolor.batch.saving import Saving
from artcolor.color.rows import bytes_of
from artcolor.engine.colorizer import Colorizer, uncertainty_map
from artcolor.errors import ConfigError, ImageError
from artcolor.files import remove_leftovers, replacing
from artcolor.images import Picture, PictureFile, check_target, open_file, save_pictures
from artcolor.images.colored import color_measure
from artcolor.models.guidance import Prediction

__all__ = ["run_job", "run_jobs"]

# Decoded and colored, a pixel takes some 10 bytes, of 16 bits 20.
_PIXELS_A_WORKER = 12_000_000
# With so many on their way, pictures of one size find together among others.
_BATCHES = 8


def run_job(colorizer: Colorizer, job: Job, saving: Saving | None = None) -> Outcome:
    """Colorizes one file, with all its pages or frames, in the calling thread.

    Args:
        colorizer: does it.
        job: what and where.
        saving: how it is written; `None` takes the defaults.

    Returns:
        What became of it.

    Raises:
        ImageError: it cannot be read or written, or the result is already there.
        ConfigError: as for `run_jobs`.
        WeightsError: as for `run_jobs`.
    """
    (outcome,) = run_jobs(colorizer, [job], saving or Saving(), workers=1)
    if outcome.error is not None:
        raise outcome.error
    return outcome


def run_jobs(
    colorizer: Colorizer, jobs: Sequence[Job], saving: Saving, *, workers: int | None = None
) -> Generator[Outcome, None, None]:
    """Colorizes files and carries on past bad ones.

    Threads read, run the network, and write at the same time; up to `colorizer.batch_size` pictures of one working
    size go through the network together. In memory are about 12 million pixels for each worker at a time, or one
    picture that is larger than that.

    A result appears when it is complete, its map of uncertainty just before it. Once the iterator is closed or an
    error ends it, the files that are being written are finished and no others begun. If you may stop early, close it
    for sure: `with contextlib.closing(run_jobs(...)) as outcomes`.

    Args:
        colorizer: does it.
        jobs: what and where, as from `plan_jobs`.
        saving: how results are written.
        workers: threads that read, as many that write, and on the CPU as many that run the network. `None` is one for
            each processor core, at most 8.

    Yields:
        Each job once it is done: in the order in which they are finished, not in that of `jobs`.

    Raises:
        ImageError: nothing can be written, or nothing more (the disk is full): a single error, not one for each file.
        ConfigError: maps of uncertainty are asked of a model that has none.
        WeightsError: the network's output is not finite.
    """
    colorizer.predict([], uncertainty=saving.uncertainty)
    samples = colorizer.guidance.samples
    _check_results(jobs, saving, samples)
    missing = [job for job in jobs if not (saving.resume and all(map(_exists, result_paths(job.target, samples))))]
    if saving.resume:
        remove_leftovers(path for job in jobs for path in (*result_paths(job.target, samples), map_path(job.target)))
    check_folders(job.target.parent for job in missing)
    workers = min(workers or min(8, _cores()), max(1, len(missing)))
    yield from _Run(colorizer, saving, workers, alone=len(missing) <= 1).outcomes(jobs)


def _exists(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.exists()
    return False


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_results(jobs: Sequence[Job], saving: Saving, samples: int) -> None:
    """Refuses jobs whose numbered samples or maps of uncertainty would replace each other's results."""
    taken: dict[Path, Job] = {}
    for job in jobs:
        for path in result_paths(job.target, samples):
            other = taken.setdefault(path, job)
            if other is not job:
                raise ImageError(f"samples of {other.source} and {job.source} would both become {path}; rename one")
    for job in jobs if saving.uncertainty else ():
        other = taken.get(map_path(job.target), job)
        if other is not job:
            path = map_path(job.target)
            raise ImageError(f"{other.source} and the map of uncertainty of {job.source} would become {path}")


@dataclass
class _Work:
    """A job on its way."""

    job: Job
    seconds: float = 0.0
    measure: float | None = None
    pixels: int = 0

    def measure_color(self, picture: Picture) -> None:
        self.measure = max(self.measure or 0.0, color_measure(picture.pixels))


@dataclass(frozen=True, eq=False)
class _Seen:
    """A picture that the network is to color."""

    work: _Work
    picture: Picture
    lightness: Tensor


@dataclass(frozen=True, eq=False)
class _Several:
    """A file with pages or frames, to be colored one after another."""

    work: _Work


class _ClosedError(Exception):
    """The run ends before a picture was let in."""


class _Room:
    """Lets pictures in, first come, first served, as long as they fit; one that never would goes alone."""

    def __init__(self, pixels: int) -> None:
        self._pixels, self._used, self._closed = pixels, 0, False
        self._door, self._changed = threading.Lock(), threading.Condition()

    def enter(self, pixels: int) -> float:
        """Waits, and gives the seconds that it took."""
        begun = time.perf_counter()
        with self._door, self._changed:
            self._changed.wait_for(lambda: self._closed or not self._used or self._used + pixels <= self._pixels)
            if self._closed:
                raise _ClosedError
            self._used += pixels
        return time.perf_counter() - begun

    def leave(self, pixels: int) -> None:
        with self._changed:
            self._used -= pixels
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class _InThisThread(Executor):
    """Runs everything at once, in the calling thread: one file gains nothing from pools of threads."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **keywords: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **keywords))
        return future


class _Run:
    def __init__(self, colorizer: Colorizer, saving: Saving, workers: int, *, alone: bool) -> None:
        self._colorizer, self._saving = colorizer, saving
        self._room = _Room(workers * _PIXELS_A_WORKER)
        self._most = _BATCHES * colorizer.batch_size + 2 * workers
        # What steps end with: an outcome, work for the network, or an error that is not about one file.
        self._done: queue.SimpleQueue[Outcome | _Seen | _Several | Exception | None] = queue.SimpleQueue()
        self._fatal: ImageError | None = None
        # One network on all cores would wait at each layer for the core that reads or writes meanwhile.
        self._lanes = workers if colorizer.device.type == "cpu" else 1
        self._threads = torch.get_num_threads()
        self._readers: Executor
        self._networks: Executor
        self._writers: Executor
        if alone:
            self._readers = self._networks = self._writers = _InThisThread()
            return
        begin = functools.partial(torch.set_num_threads, max(1, self._threads // workers))
        self._readers = ThreadPoolExecutor(workers, "artcolor-read", begin)
        self._networks = ThreadPoolExecutor(self._lanes, "artcolor-network", begin)
        self._writers = ThreadPoolExecutor(workers, "artcolor-write", begin)

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        todo, running, busy = iter(jobs), 0, 0
        waiting: list[_Seen | _Several] = []
        try:
            while self._fatal is None:
                while running < self._most and (job := next(todo, None)) is not None:
                    self._readers.submit(self._step, self._read, _Work(job))
                    running += 1
                # A network that is free does not wait until a batch is full.
                while waiting and busy < self._lanes and self._done.empty():
                    # The last ones are shared out, so that no network has to wait for another.
                    most = min(self._colorizer.batch_size, -(-len(waiting) // self._lanes))
                    self._networks.submit(self._network, _next(waiting, most))
                    busy += 1
                if not running:
                    return
                done = self._done.get()
                if isinstance(done, Exception):
                    raise done
                if isinstance(done, Outcome):
                    running -= 1
                    yield done
                elif done is None:
                    busy -= 1
                else:
                    waiting.append(done)
        finally:
            self._room.close()
            for pool in (self._readers, self._networks, self._writers):
                pool.shutdown(cancel_futures=True)
            # Threads take over what was set last in any other.
            torch.set_num_threads(self._threads)
        while not self._done.empty():
            if isinstance(done := self._done.get(), Outcome):
                yield done
        raise self._fatal

    def _step(self, step: Callable[..., Status | _Seen | _Several], work: _Work, *args: Any) -> None:
        """Takes a job one step further, in any thread."""
        begun = time.perf_counter()
        error = None
        try:
            result = step(work, *args)
        except _ClosedError:
            return
        except Exception as caught:
            error = _of_one_file(caught, work.job)
            if error is None:
                self._done.put(caught)
                return
            if is_fatal(error):
                self._fatal = ImageError(f"stopped, as no other result could be written, either: {error}")
            result = "failed"
        work.seconds += time.perf_counter() - begun
        if isinstance(result, str):
            self._room.leave(work.pixels)
            self._done.put(Outcome(work.job, result, work.seconds, work.measure, error))
        else:
            self._done.put(result)

    def _read(self, work: _Work) -> Status | _Seen | _Several:
        job, saving = work.job, self._saving
        if self._exists(job):
            return "exists"
        if job.source.is_dir():
            # `plan_jobs` could not go through it.
            check_listing(job.source)
        with open_file(job.source, max_pixels=saving.max_pixels) as file:
            check_target(job.target, *file.size, frames=file.frames, format=saving.format)
            pixels = file.size[0] * file.size[1] * (file.frames if file.animated else 1)
            work.seconds -= self._room.enter(pixels)
            work.pixels = pixels
            if file.frames > 1:
                return "already_colored" if self._leaves_all_alone(file, work) else _Several(work)
            picture = next(iter(file))
        work.measure_color(picture)
        if self._colorizer.leaves_alone(picture):
            return "already_colored"
        self._check_alpha(picture, job)
        return _Seen(work, picture, self._colorizer.look(picture))

    def _results(self, job: Job) -> list[Path]:
        return result_paths(job.target, self._colorizer.guidance.samples)

    def _exists(self, job: Job) -> bool:
        results = self._results(job)
        maps = [map_path(job.target)] if self._saving.uncertainty else []
        for path in filter(Path.exists, (*results, *maps)):
            if job.source.exists() and path.samefile(job.source):
                raise ImageError(f"the result would replace the original {job.source}; choose another -o")
            if not self._saving.force and not self._saving.resume:
                raise ImageError(f"{path} already exists; --force replaces it, and --resume skips it")
        return self._saving.resume and all(path.exists() for path in results)

    def _leaves_all_alone(self, file: PictureFile, work: _Work) -> bool:
        if not self._colorizer.skip_colored:
            return False
        alone = []
        for picture in file:
            work.measure_color(picture)
            alone.append(self._colorizer.leaves_alone(picture))
        return any(alone) if file.animated else all(alone)

    def _check_alpha(self, picture: Picture, job: Job) -> None:
        """Refuses what the target cannot hold before it is colorized."""
        height, width = picture.rows.shape[:2]
        check_target(job.target, width, height, alpha=picture.transparent, format=self._saving.format)

    def _network(self, batch: list[_Seen] | _Several) -> None:
        try:
            if isinstance(batch, _Several):
                self._step(self._colorize_several, batch.work)
            else:
                self._colorize(batch)
        except Exception as error:
            self._done.put(error)
        self._done.put(None)

    def _colorize(self, batch: list[_Seen]) -> None:
        begun = time.perf_counter()
        predictions = self._predict([each.lightness for each in batch])
        share = (time.perf_counter() - begun) / len(batch)
        for each, prediction in zip(batch, predictions, strict=True):
            each.work.seconds += share
            self._writers.submit(self._step, self._write, each.work, each.picture, prediction)

    def _predict(self, seen: Sequence[Tensor]) -> list[Prediction]:
        try:
            return self._colorizer.predict(seen, uncertainty=self._saving.uncertainty)
        except torch.OutOfMemoryError as error:
            raise ConfigError(
                f"the memory of {self._colorizer.device} is too small for a batch of {len(seen)}; "
                "take a smaller batch_size or size"
            ) from error

    def _write(self, work: _Work, picture: Picture, prediction: Prediction) -> Status:
        for sample, target in enumerate(self._results(work.job)):
            painted = self._colorizer.paint(picture, prediction, sample)
            with writing(target, bytes_of(painted.rows)):
                if sample == 0:
                    self._save_map(work.job, picture, prediction)
                self._save([painted], target, sample)
        return "colorized"

    def _colorize_several(self, work: _Work) -> Status:
        source, limit = work.job.source, self._saving.max_pixels
        for sample, target in enumerate(self._results(work.job)):
            with open_file(source, max_pixels=limit) as file, writing(target, 6 * work.pixels):
                pages = self._pages(file, work, maps=sample == 0)
                self._save(self._colorizer.pictures(pages, animated=file.animated, sample=sample), target, sample)
        return "colorized"

    def _pages(self, file: PictureFile, work: _Work, *, maps: bool) -> Iterator[Picture]:
        for number, picture in enumerate(file):
            work.measure_color(picture)
            self._check_alpha(picture, work.job)
            if number == 0 and maps and self._saving.uncertainty:
                self._save_map(work.job, picture, self._predict([self._colorizer.look(picture)])[0])
            yield picture

    def _save_map(self, job: Job, picture: Picture, prediction: Prediction) -> None:
        if self._saving.uncertainty:
            with replacing(map_path(job.target)) as file:
                uncertainty_map(prediction, picture).save(file, "PNG")

    def _save(self, pictures: Iterable[Picture], target: Path, sample: int) -> None:
        saving = self._saving
        save_pictures(
            pictures,
            target,
            format=saving.format,
            quality=saving.quality,
            depth=saving.depth,
            provenance=self._colorizer.sample_provenance(sample) if saving.provenance else None,
        )


def _next(waiting: list[_Seen | _Several], most: int) -> list[_Seen] | _Several:
    """Takes out what the network does next: a file with pages, which takes long, or many pictures of one size."""
    several = next((each for each in waiting if isinstance(each, _Several)), None)
    if several is not None:
        waiting.remove(several)
        return several
    seen = [each for each in waiting if isinstance(each, _Seen)]
    sizes = Counter(each.lightness.shape for each in seen)
    size = max(sizes, key=sizes.__getitem__)
    batch = [each for each in seen if each.lightness.shape == size][:most]
    for each in batch:
        waiting.remove(each)
    return batch


def _of_one_file(error: Exception, job: Job) -> ImageError | None:
    """What is wrong with a file; `None` if the error is about all files, or nobody foresaw it."""
    if isinstance(error, ImageError):
        return error
    # The allocator of torch has no type of error of its own.
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "allocate memory" in str(error)):
        return ImageError(f"{job.source} is too large for the memory of this machine")
    if isinstance(error, OSError):
        made = ImageError(f"{job.target} cannot be written: {remedy(error)}")
        made.__cause__ = error
        return made
    return None
