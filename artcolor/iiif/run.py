"""Colorizes the pictures of a manifest, and writes the manifest that shows them."""

import contextlib
import dataclasses
import itertools
import json
import re
import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artcolor.batch.names import folded
from artcolor.batch.plan import Job, Outcome
from artcolor.batch.run import run_jobs
from artcolor.batch.saving import Saving
from artcolor.batch.scratch import scratch_folder
from artcolor.engine.colorizer import Colorizer
from artcolor.errors import ArtcolorError, ImageError
from artcolor.files import can_be_named, write_atomically
from artcolor.iiif.fetch import Fetcher, shown_as
from artcolor.iiif.manifest import Colored, Manifest, Painting
from artcolor.iiif.pictures import LocalPictures, fetch_picture
from artcolor.images import open_file, read_provenance

__all__ = ["MANIFEST", "PictureJob", "colorize_manifest", "plan_pictures", "write_manifest"]

MANIFEST = "manifest.json"
"""Name of the new manifest."""

_UNSAFE = re.compile(r"[^\w.-]+")
# Pictures that are fetched before they are colorized together, and then removed.
_AT_ONCE = 8
# As Pillow's guard against decompression bombs.
_MAX_PIXELS = 178_956_970


@dataclass(frozen=True)
class PictureJob:
    """A picture of the manifest, and where its result goes.

    Attributes:
        painting: the picture.
        target: path of the result.
    """

    painting: Painting
    target: Path

    @property
    def name(self) -> str:
        """Name of the picture in messages and reports: its canvas, and its result because labels may repeat."""
        name = f"{self.painting.canvas} ({self.target.name})"
        # Spreadsheets run what begins like this as a formula, and labels come from anyone.
        return f"canvas {name}" if name.startswith(("=", "+", "-", "@")) else name


def plan_pictures(manifest: Manifest, out: Path, *, format: str = "jpg") -> list[PictureJob]:
    """Decides where the results go.

    Args:
        manifest: manifest whose pictures are colorized.
        out: folder of the results.
        format: format of the results: `jpg`, `png` or `webp`, which browsers show.

    Returns:
        A job for each picture, with distinct targets. The same manifest gives the same names again.

    Raises:
        ImageError: browsers do not show the format.
    """
    suffix = f".{format.lower().removeprefix('.')}"
    if suffix not in (".jpg", ".jpeg", ".png", ".webp"):
        raise ImageError(f"IIIF viewers do not show {format} files; choose jpg, png or webp")
    jobs, taken = [], {folded(MANIFEST)}
    # Of many pictures with one name, each would try all numbers of the ones before it.
    counts: dict[str, Iterator[int]] = {}
    for number, painting in enumerate(manifest.paintings, 1):
        plain = _UNSAFE.sub("_", painting.names[0] if painting.names else "").strip("._")
        stem = re.sub(r"\.(jpe?g|png|tiff?|jp2|webp)$", "", plain, flags=re.IGNORECASE)[:80]
        # Results are shared, so their names suit every system.
        if not stem or not can_be_named(stem + suffix, windows=True):
            stem = f"picture-{number}"
        name = next(
            name
            for count in counts.setdefault(folded(stem), itertools.count(1))
            if folded(name := f"{stem}{f'-{count}' if count > 1 else ''}{suffix}") not in taken
        )
        taken.add(folded(name))
        jobs.append(PictureJob(painting, out / name))
    return jobs


def colorize_manifest(
    colorizer: Colorizer,
    jobs: Sequence[PictureJob],
    saving: Saving,
    *,
    local: LocalPictures | None = None,
    fetcher: Fetcher | None = None,
    workers: int | None = None,
) -> Generator[tuple[PictureJob, Outcome], None, None]:
    """Colorizes pictures, and skips those that cannot be found, fetched or colorized.

    Fetched originals are kept in a private temporary folder, a few at a time, and removed.

    Args:
        colorizer: colorizes the pictures.
        jobs: jobs from `plan_pictures`.
        saving: how results are written.
        local: the folder in which originals are looked for first.
        fetcher: fetches the others; `None` fetches nothing.
        workers: see `run_jobs`.

    Yields:
        Each job, with how it ended.

    Raises:
        ImageError: no result can be written.
        ConfigError: the device has too little memory, or the model does not support an option.
        WeightsError: the network's output is not finite.
    """
    with scratch_folder() as temporary:
        for start in range(0, len(jobs), _AT_ONCE):
            folder = temporary / str(start)
            folder.mkdir()
            found: dict[Path, PictureJob] = {}
            ready = []
            for number, job in enumerate(jobs[start : start + _AT_ONCE]):
                try:
                    source = _source(job, folder / f"{number}", saving, local, fetcher)
                except (ArtcolorError, OSError) as error:
                    reason = error if isinstance(error, ArtcolorError) else ImageError(f"it cannot be saved: {error}")
                    yield job, Outcome(Job(Path(job.name), job.target), "failed", error=reason)
                    continue
                found[job.target] = job
                ready.append(Job(source, job.target))
            if ready:
                with contextlib.closing(run_jobs(colorizer, ready, saving, workers=workers)) as outcomes:
                    for outcome in outcomes:
                        yield found[outcome.job.target], _named(outcome, found[outcome.job.target], folder)
            shutil.rmtree(folder, ignore_errors=True)


def _source(job: PictureJob, path: Path, saving: Saving, local: LocalPictures | None, fetcher: Fetcher | None) -> Path:
    painting = job.painting
    found = local.find(painting) if local is not None else None
    if found is not None:
        return found
    if saving.resume and job.target.exists():
        # Nothing is read of it.
        return path
    if fetcher is None:
        names = ", ".join(dict.fromkeys(painting.names))
        raise ImageError(
            f"there is no file for its picture, which would be named {names}, with any suffix; give its folder with "
            "--images, or download it with --fetch"
        )
    with path.open("xb") as file:
        fetch_picture(painting, fetcher, file, max_pixels=saving.max_pixels or _MAX_PIXELS)
    return path


def _named(outcome: Outcome, job: PictureJob, folder: Path) -> Outcome:
    """Replaces the file by the canvas, and a temporary file by its address."""
    source, error = outcome.job.source, outcome.error
    if error is not None and source.parent == folder:
        error = type(error)(str(error).replace(str(source), shown_as(job.painting.address)))
    return dataclasses.replace(outcome, job=dataclasses.replace(outcome.job, source=Path(job.name)), error=error)


def write_manifest(manifest: Manifest, jobs: Sequence[PictureJob], out: Path, base: str) -> int:
    """Writes the manifest that shows the results that exist.

    Args:
        manifest: manifest of the originals.
        jobs: pictures whose results were written, now or earlier.
        out: folder of the results.
        base: address under which the folder will be found.

    Returns:
        The number of pictures that it shows in color.

    Raises:
        ImageError: a result cannot be read, or the manifest cannot be written.
    """
    results = []
    for job in jobs:
        with open_file(job.target) as file:
            size = file.size
        results.append(Colored(job.painting, job.target.relative_to(out), size, read_provenance(job.target)))
    document = manifest.colored(results, base if base.endswith("/") else f"{base}/", name=MANIFEST)
    try:
        write_atomically(out / MANIFEST, _encoded(document))
    except OSError as error:
        raise ImageError(f"{out / MANIFEST} cannot be written: {error.strerror or error}") from error
    return len(results)


def _encoded(document: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(document, ensure_ascii=False, indent=2).encode()
    except UnicodeEncodeError:
        # Half of a pair of surrogates, which JSON can hold, but UTF-8 cannot.
        return json.dumps(document, indent=2).encode()
