"""Colorizes many files in parallel; a bad file does not affect the others."""

from collections.abc import Generator, Sequence

from artcolor.batch.disk import check_folders
from artcolor.batch.names import map_path, result_exists, result_paths
from artcolor.batch.pipeline import Pipeline, cores
from artcolor.batch.plan import Job, Outcome, check_results
from artcolor.batch.saving import Saving
from artcolor.engine.colorizer import Colorizer
from artcolor.errors import ConfigError
from artcolor.files import remove_leftovers

__all__ = ["run_job", "run_jobs"]

_MOST_WORKERS = 8


def run_job(colorizer: Colorizer, job: Job, saving: Saving | None = None) -> Outcome:
    """Colorizes one file, with all of its pages or frames, in the calling thread.

    Args:
        colorizer: colorizes the pictures.
        job: the file, and where its result goes.
        saving: how the result is written; `None` uses the defaults.

    Returns:
        The outcome, which is never `failed`.

    Raises:
        ImageError: the file or its hints cannot be read, the hints are invalid, or its result cannot be written or
            already exists.
        ConfigError: `saving` requests uncertainty maps that the model cannot compute, or the device has too little
            memory.
        WeightsError: the network's output is not finite.
    """
    (outcome,) = run_jobs(colorizer, [job], saving or Saving(), workers=1)
    if outcome.error is not None:
        raise outcome.error
    return outcome


def run_jobs(
    colorizer: Colorizer,
    jobs: Sequence[Job],
    saving: Saving,
    *,
    workers: int | None = None,
    limit: int | None = None,
) -> Generator[Outcome, None, None]:
    """Colorizes files, and continues after bad ones.

    Threads read, run the network, and write at the same time; up to `colorizer.batch_size` pictures of one working
    size go through the network together. Memory holds about 12 million pixels per worker, or a single picture that
    is larger than that. A single file is processed in the calling thread.

    A result appears once it is complete, and its uncertainty map just before it. When the iterator is closed or an
    error ends it, files that are being written are finished, and no others are started. If you may stop early, close
    it explicitly: `with contextlib.closing(run_jobs(...)) as outcomes`.

    Args:
        colorizer: colorizes the pictures.
        jobs: the files, and where their results go, as from `plan_jobs`.
        saving: how results are written.
        workers: number of threads that read, of threads that write, and on the CPU of threads that run the network.
            `None` uses one per processor core, at most 8.
        limit: number of processor cores to use; `None` is all that this process may use.

    Yields:
        The outcome of each job when it is done; the order differs from that of `jobs`.

    Raises:
        ImageError: two results would be the same file, a result would replace the original of another job, or no
            result, or no further one, can be written (the disk is full). This is one error, not one per file.
        ConfigError: `saving` requests uncertainty maps that the model cannot compute, the device has too little memory,
            or the colorizer has hints, which are for one picture, and there are several jobs.
        WeightsError: the network's output is not finite.
    """
    if len(jobs) > 1 and colorizer.guidance.hints:
        raise ConfigError(
            f"the colorizer's hints are for a single picture, but there are {len(jobs)}; create it without hints, and "
            "pass a folder of hints files to plan_jobs"
        )
    # Predicting for no picture checks that the model can compute what `saving` requests.
    colorizer.predict([], uncertainty=saving.uncertainty)
    samples = colorizer.guidance.samples
    check_results(jobs, samples, uncertainty=saving.uncertainty)
    missing = [
        job for job in jobs if not (saving.resume and all(map(result_exists, result_paths(job.target, samples))))
    ]
    if saving.resume:
        remove_leftovers(path for job in jobs for path in (*result_paths(job.target, samples), map_path(job.target)))
    check_folders(job.target.parent for job in missing)
    workers = min(workers or min(_MOST_WORKERS, limit or cores()), max(1, len(missing)))
    yield from Pipeline(colorizer, saving, workers, inline=len(missing) <= 1, limit=limit).outcomes(jobs)
