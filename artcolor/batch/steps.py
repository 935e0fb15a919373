"""The steps that colorize one file: read, predict, write. `artcolor.batch.pipeline` runs them in threads."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artcolor.batch.admission import Admission
from artcolor.batch.disk import writing
from artcolor.batch.names import map_path, result_paths
from artcolor.batch.plan import Job, Status
from artcolor.batch.saving import Saving
from artcolor.color.rows import bytes_of
from artcolor.engine.colorizer import Colorizer
from artcolor.engine.painting import uncertainty_map
from artcolor.engine.result import check_not_original
from artcolor.errors import ConfigError, ImageError
from artcolor.files import replacing
from artcolor.images import Picture, PictureFile, check_target, open_file, save_pictures
from artcolor.images.colored import color_measure
from artcolor.images.notices import about
from artcolor.images.provenance import provenance_in
from artcolor.images.walk import check_listing
from artcolor.models.guidance import Prediction


class ExistingResultError(ImageError):
    """A result exists, and neither `force` nor `resume` is on."""


@dataclass
class Work:
    """A job in progress.

    Attributes:
        job: the job.
        colorizer: colorizes it; after reading, with the hints of this file.
        seconds: time spent on it so far, without waiting.
        measure: how much color the original has, as far as it has been read.
        pixels: pixels it was admitted with; 0 before that.
    """

    job: Job
    colorizer: Colorizer
    seconds: float = 0.0
    measure: float | None = None
    pixels: int = 0

    def measure_color(self, picture: Picture) -> None:
        """Updates `measure` with one of the pages."""
        self.measure = max(self.measure or 0.0, color_measure(picture.pixels))


@dataclass(frozen=True, eq=False)
class SinglePicture:
    """A picture that has been read and waits for the network.

    Attributes:
        work: its job.
        picture: the original.
        lightness: the network's input.
    """

    work: Work
    picture: Picture
    lightness: Any


@dataclass(frozen=True, eq=False)
class MultiPage:
    """A file with several pages or frames, which are read and colorized one after another.

    Attributes:
        work: its job.
    """

    work: Work


class Steps:
    """Reads files, predicts their colors, and writes results; safe to use from several threads.

    Args:
        colorizer: colorizes the pictures.
        saving: how results are written.
        admission: limits the pictures in memory. `read` enters it, and the caller leaves it when a job is done.
    """

    def __init__(self, colorizer: Colorizer, saving: Saving, admission: Admission) -> None:
        self._colorizer, self._saving, self._admission = colorizer, saving, admission

    def read(self, work: Work) -> Status | SinglePicture | MultiPage:
        """Reads a file.

        Returns:
            Work for the network; or a status if the job is done because its result exists or it already has color.

        Raises:
            ImageError: the file or its hints cannot be read, the hints are invalid, or the result may not or cannot
                be written.
            ClosedError: the run ended before the picture was admitted.
        """
        job, saving = work.job, self._saving
        if self._exists(job):
            return "exists"
        if job.source.is_dir():
            # `plan_jobs` could not list it; this raises the reason.
            check_listing(job.source)
        with self._opened(job) as file:
            if job.found and provenance_in(file.xmp) is not None:
                # A result of an earlier run, with another -o, is no original.
                return "already_colored"
            check_target(job.target, *file.size, frames=file.frames, format=saving.format)
            pixels = file.size[0] * file.size[1] * (file.frames if file.animated else 1)
            work.seconds -= self._admission.enter(pixels)
            work.pixels = pixels
            if file.frames > 1:
                if self._skips_all(file, work):
                    return "already_colored"
                self._read_hints(work)
                return MultiPage(work)
            picture = next(iter(file))
        work.measure_color(picture)
        if self._colorizer.leaves_alone(picture):
            return "already_colored"
        self._check_alpha(picture, job)
        self._read_hints(work)
        with _hints_of_one_file(), about(str(job.source)):
            work.colorizer.check_frames(1)
            work.colorizer = work.colorizer.for_picture(picture)
        return SinglePicture(work, picture, work.colorizer.look(picture))

    def predict(self, colorizer: Colorizer, lightness: Sequence[Any]) -> list[Prediction]:
        """Predicts the colors of pictures.

        Args:
            colorizer: the colorizer of their work.
            lightness: the network's input for each.

        Returns:
            A prediction for each.

        Raises:
            ConfigError: the device has too little memory.
            WeightsError: the network's output is not finite.
        """
        return colorizer.predict(lightness, uncertainty=self._saving.uncertainty)

    def write(self, work: Work, picture: Picture, prediction: Prediction) -> Status:
        """Writes the results of a single picture.

        Args:
            work: its job.
            picture: the original.
            prediction: the prediction for it.

        Raises:
            ImageError: one of them cannot be written.
        """
        for sample, target in self._missing(work.job):
            painted = work.colorizer.paint(picture, prediction, sample)
            with writing(target, bytes_of(painted.rows)):
                if sample == 0:
                    self._save_map(work.job, picture, prediction)
                self._save(work, [painted], target, sample)
        return "colorized"

    def colorize_pages(self, work: Work) -> Status:
        """Reads, colorizes and writes a file with several pages or frames, page by page.

        Raises:
            ImageError: a page cannot be read, the hints do not fit it, or a result cannot be written.
            ConfigError: the device has too little memory.
            WeightsError: the network's output is not finite.
        """
        guided = work.colorizer.guidance.hints is not None
        with about(str(work.job.source)), _hints_of_one_file() if guided else contextlib.nullcontext():
            # Each sample reads the file again, as all of its pages may not fit into memory.
            for sample, target in self._missing(work.job):
                with self._opened(work.job) as file, writing(target, 6 * work.pixels):
                    pages = self._pages(file, work, with_map=sample == 0)
                    colored = work.colorizer.pictures(pages, animated=file.animated, sample=sample)
                    self._save(work, colored, target, sample)
        return "colorized"

    def _read_hints(self, work: Work) -> None:
        """Gives a job its own hints, if it has any."""
        hints = work.job.hints
        if len(hints) > 1:
            raise ImageError(f"there are hints in {' and '.join(map(str, hints))}; remove one of them")
        if hints:
            with _hints_of_one_file():
                work.colorizer = work.colorizer.with_hints(hints[0])

    def _opened(self, job: Job) -> AbstractContextManager[PictureFile]:
        limit, truncated = self._saving.max_pixels, self._saving.allow_truncated
        return open_file(job.source, max_pixels=limit, allow_truncated=truncated)

    def _results(self, job: Job) -> list[Path]:
        return result_paths(job.target, self._colorizer.guidance.samples)

    def _exists(self, job: Job) -> bool:
        results = self._results(job)
        maps = [map_path(job.target)] if self._saving.uncertainty else []
        for path in filter(Path.exists, (*results, *maps)):
            check_not_original(job.source, path)
            if not self._saving.force and not self._saving.resume:
                raise ExistingResultError(f"{path} already exists; --force replaces it, and --resume skips it")
        return self._saving.resume and all(path.exists() for path in results)

    def _missing(self, job: Job) -> Iterator[tuple[int, Path]]:
        """Yields the samples to write and their targets; `resume` keeps those that exist."""
        for sample, target in enumerate(self._results(job)):
            if not (self._saving.resume and target.exists()):
                yield sample, target

    def _skips_all(self, file: PictureFile, work: Work) -> bool:
        if not self._colorizer.skip_colored:
            return False
        skipped = []
        for picture in file:
            work.measure_color(picture)
            skipped.append(self._colorizer.leaves_alone(picture))
        return any(skipped) if file.animated else all(skipped)

    def _check_alpha(self, picture: Picture, job: Job) -> None:
        """Refuses transparency that the target cannot hold, before the picture is colorized."""
        height, width = picture.rows.shape[:2]
        check_target(job.target, width, height, alpha=picture.transparent, format=self._saving.format)

    def _pages(self, file: PictureFile, work: Work, *, with_map: bool) -> Iterator[Picture]:
        for number, picture in enumerate(file):
            work.measure_color(picture)
            self._check_alpha(picture, work.job)
            if number == 0 and with_map and self._saving.uncertainty:
                (prediction,) = self.predict(work.colorizer, [work.colorizer.look(picture)])
                self._save_map(work.job, picture, prediction)
            yield picture

    def _save_map(self, job: Job, picture: Picture, prediction: Prediction) -> None:
        if self._saving.uncertainty:
            with replacing(map_path(job.target)) as file:
                uncertainty_map(prediction, picture).save(file, "PNG")

    def _save(self, work: Work, pictures: Iterable[Picture], target: Path, sample: int) -> None:
        saving = self._saving
        save_pictures(
            pictures,
            target,
            format=saving.format,
            quality=saving.quality,
            depth=saving.depth,
            provenance=work.colorizer.sample_provenance(sample) if saving.provenance else None,
        )


@contextlib.contextmanager
def _hints_of_one_file() -> Iterator[None]:
    """Turns errors of hints into those of one file: the others are colorized all the same."""
    try:
        yield
    except ConfigError as error:
        raise ImageError(str(error)) from error
