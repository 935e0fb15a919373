"""Building a data set: collect, clean, compare, choose, write. See `build`."""

import csv
import hashlib
import io
import itertools
import logging
import os
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from PIL import Image

from artcolor.data.clean import Cleaned, RejectedError, clean, thumbnail
from artcolor.data.collect import Picture, collect, label_key
from artcolor.data.journal import Candidate, Dropped, Journal
from artcolor.data.selection import SPLITS, Chosen, select
from artcolor.data.spec import LABELS, DatasetSpec, HuggingFaceSource
from artcolor.data.summary import FILES, FINISHED, Report, write_report
from artcolor.errors import DataError
from artcolor.files import write_atomically

_LOG = logging.getLogger(__name__)

# Told a step's name, how much of it is done, and how much there is, where that is known.
Progress = Callable[[str, int, int | None], None]

_WORK = ".build"
_TABLE = "metadata.csv"
_COLUMNS = ("file_name", "split", "width", "height", *LABELS, "source", "path", "sha256")
_IN_FLIGHT = 4


def build(
    spec: DatasetSpec,
    out: str | Path,
    *,
    workers: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    resume: bool = True,
) -> Report:
    """Builds a data set that `ArtDataset` and Hugging Face's `load_dataset("imagefolder")` can read.

    The folder gets `train/`, `val/`, `test/` (and `gray/`, if asked for), `metadata.csv`, `report.html`,
    `report.json` and `statistics.png`. The same spec, sources and seed give the same bytes. It may be stopped
    anywhere, and goes on when called again. Sources are only read.

    Args:
        spec: what to build, from `load_spec`.
        out: where to; a new or empty folder, or one where the same build was stopped.
        workers: pictures that are cleaned at a time; as many as there are processors if not given.
        seed: of what is left to chance: which pictures a cap lets through, and which are held out.
        progress: called as `progress(step, done, total)`, `total` being `None` where it is not known.
        resume: whether to use what a stopped build left; otherwise it begins anew.

    Returns:
        What was done, as in `report.json`.

    Raises:
        DataError: a source or the folder is not as it should be, or no picture is left.

    Example:
        >>> from artcolor.data.spec import load_spec
        >>> spec = load_spec("best-artworks", root="downloads")
        >>> build(spec, "paintings").splits  # doctest: +SKIP
    """
    out = Path(out).resolve()
    tell = progress or (lambda step, done, total: None)
    identity = hashlib.sha256(f"{seed} {spec.model_dump_json()}".encode()).hexdigest()
    _check_apart(spec, out)
    finished = _check_folder(out, identity)
    if finished is not None:
        _LOG.info("%s is finished", out)
        return finished
    work = out / _WORK
    if not resume:
        shutil.rmtree(work, ignore_errors=True)
    settings = _cleaning_settings(spec)
    try:
        work.mkdir(parents=True, exist_ok=True)
        journal = Journal(work / "cleaned", settings, spec.output.suffix)
        try:
            candidates, dropped = _clean_all(spec, journal, workers or os.cpu_count() or 1, tell)
        finally:
            journal.close()
        if not candidates:
            raise DataError(f"no picture is left for {out}: {_why(dropped)}. Loosen the rules in the spec.")
        tell("compare", 0, len(candidates))
        chosen, unchosen = select(candidates, spec, seed)
        tell("compare", len(candidates), len(candidates))
        dropped += unchosen
        report = _write(spec, seed, identity, out, chosen, dropped, tell)
    except OSError as error:
        raise DataError(
            f"the build of {out} stopped ({error}). What is done is kept: see to it and run the same command again."
        ) from error
    shutil.rmtree(work, ignore_errors=True)
    return report


def _cleaning_settings(spec: DatasetSpec) -> str:
    # What decides which pictures there are and what they are called is left out: to change it cleans nothing
    # twice.
    free = {"labels", "aliases", "columns", "layouts", "lookup", "limit"}
    parts = [*(source.model_dump_json(exclude=free) for source in spec.sources)]
    return "\n".join([*parts, spec.clean.model_dump_json(), spec.output.model_dump_json()])


def _check_apart(spec: DatasetSpec, out: Path) -> None:
    for source in spec.sources:
        if not isinstance(source, HuggingFaceSource) and source.path.resolve() in (out, *out.parents):
            raise DataError(
                f"{out} lies in {source.path}, the folder of source {source.name!r}, which must not change. "
                "Choose a folder outside of it."
            )


def _check_folder(out: Path, identity: str) -> Report | None:
    """The report, if the folder holds this very data set, finished."""
    if not out.exists():
        return None
    if not out.is_dir():
        raise DataError(f"{out} is not a folder. Choose another one.")
    if (out / FINISHED).exists():
        report = Report.load(out / FINISHED)
        if report is None or report.identity != identity:
            raise DataError(f"{out} holds a data set built with another spec or seed. Choose another folder.")
        shutil.rmtree(out / _WORK, ignore_errors=True)
        return report
    if any(out.iterdir()) and not (out / _WORK).exists():
        raise DataError(f"{out} is not empty, and was not begun by this command. Choose another folder.")
    return None


def _clean_all(
    spec: DatasetSpec, journal: Journal, workers: int, tell: Progress
) -> tuple[list[Candidate], list[Dropped]]:
    pictures: Iterable[Picture] = itertools.chain.from_iterable(map(collect, spec.sources))
    total = None
    if not any(isinstance(source, HuggingFaceSource) for source in spec.sources):
        pictures = list(pictures)
        total = len(pictures)
    results: dict[int, Candidate | Dropped] = {}
    waiting: dict[Future[Cleaned | Dropped], tuple[int, Picture]] = {}

    def settle(until: int) -> None:
        while len(waiting) > until:
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                number, picture = waiting.pop(future)
                result = future.result()
                if isinstance(result, Dropped) and result.reason == "missing":
                    # It may be there tomorrow.
                    results[number] = result
                else:
                    results[number] = journal.keep(picture, result)
                tell("clean", len(results), total)

    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        # Such pictures are dropped, or let through on purpose, by `max_pixels`.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        for number, (picture, refusal) in enumerate(_sorted_out(spec, pictures)):
            known = refusal or journal.find(picture)
            if known is not None:
                results[number] = known
                tell("clean", len(results), total)
                continue
            waiting[pool.submit(_examine, picture, spec)] = number, picture
            settle(_IN_FLIGHT * workers)
        settle(0)
    ordered = [results[number] for number in sorted(results)]
    return (
        [result for result in ordered if isinstance(result, Candidate)],
        [result for result in ordered if isinstance(result, Dropped)],
    )


def _sorted_out(spec: DatasetSpec, pictures: Iterable[Picture]) -> Iterator[tuple[Picture, Dropped | None]]:
    """Each picture, with the reason if it need not even be opened."""
    wanted = {label: {label_key(value) for value in values} for label, values in spec.where.items()}
    seen = set()
    for picture in pictures:
        key = picture.source, picture.path
        refusal = None
        if key in seen:
            refusal = Dropped(*key, "repeated", "listed before")
        for label, values in wanted.items():
            if label_key(picture.labels[label]) not in values:
                refusal = Dropped(*key, "filtered", f"{label}: {picture.labels[label] or 'unknown'}")
        seen.add(key)
        yield picture, refusal


def _examine(picture: Picture, spec: DatasetSpec) -> Cleaned | Dropped:
    try:
        data = picture.read()
    except OSError as error:
        return Dropped(picture.source, picture.path, "missing", error.strerror or str(error))
    try:
        return clean(data, spec.clean, spec.output)
    except RejectedError as rejected:
        small = b"" if rejected.image is None else thumbnail(rejected.image)
        return Dropped(picture.source, picture.path, rejected.reason, rejected.detail, small)


def _why(dropped: Sequence[Dropped]) -> str:
    counts = Counter(each.reason for each in dropped)
    if set(counts) == {"filtered"}:
        return f"`where` fits none; there are {', '.join(sorted({each.detail for each in dropped})[:20])}"
    return ", ".join(f"{number} {reason}" for reason, number in counts.most_common()) or "the sources are empty"


def _write(
    spec: DatasetSpec,
    seed: int,
    identity: str,
    out: Path,
    chosen: Sequence[Chosen],
    dropped: Sequence[Dropped],
    tell: Progress,
) -> Report:
    """Lays everything out in the work folder, and then only moves it over."""
    tree = out / _WORK / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    digits = max(5, len(str(len(chosen))))
    rows: list[dict[str, str | int]] = []
    for number, (picture, _, split) in enumerate(chosen):
        name = f"{number:0{digits}d}{spec.output.suffix}"
        _link(picture.file, tree / split / name)
        if picture.gray is not None:
            # Flat, as load_dataset would take gray/train for more pictures to train with.
            _link(picture.gray, tree / "gray" / name)
        rows.append(
            {
                "file_name": f"{split}/{name}",
                "split": split,
                "width": picture.width,
                "height": picture.height,
                "artist": picture.labels["artist"],
                "style": picture.labels["style"],
                "genre": picture.labels["genre"],
                "source": picture.source,
                "path": picture.path,
                "sha256": picture.sha256,
            }
        )
        tell("write", number + 1, len(chosen))
    for split in SPLITS:
        # The same rows once more: load_dataset looks for them beside the pictures.
        own = [{**row, "file_name": Path(str(row["file_name"])).name} for row in rows if row["split"] == split]
        if own:
            write_atomically(tree / split / _TABLE, _csv(own))
    write_atomically(tree / _TABLE, _csv(rows))
    report = write_report(tree, spec, seed, identity, chosen, dropped)
    for name in (*SPLITS, "gray", _TABLE, *FILES):
        # What is there is from the same build, killed at this very place.
        shutil.rmtree(out / name, ignore_errors=True)
        if (tree / name).exists():
            (tree / name).replace(out / name)
    return report


def _link(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except OSError:
        # Not every file system has hard links.
        shutil.copyfile(file, target)


def _csv(rows: Sequence[dict[str, str | int]]) -> bytes:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()
