"""Builds a data set: collect, clean, compare, select, write. See `build`."""

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
from artcolor.data.collect import SourcePicture, collect, label_key
from artcolor.data.journal import Candidate, Dropped, Journal
from artcolor.data.selection import SPLITS, Chosen, select
from artcolor.data.spec import LABELS, DatasetSpec, HuggingFaceSource
from artcolor.data.summary import FILES, FINISHED, BuildSummary, write_summary
from artcolor.errors import DataError
from artcolor.files import write_atomically

_LOG = logging.getLogger(__name__)

Progress = Callable[[str, int, int | None], None]
"""Receives the name of a step, the items done, and the total number of items (`None` if unknown)."""

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
) -> BuildSummary:
    """Builds a data set that `ArtDataset` and Hugging Face's `load_dataset("imagefolder")` can read.

    The folder receives `train/`, `val/`, `test/` (and `gray/`, if requested), `metadata.csv`, `report.html`,
    `report.json` and `statistics.png`. The same spec, sources and seed produce the same bytes. An interrupted build
    resumes when the function is called again. Sources are never modified.

    Args:
        spec: the data set to build, from `load_spec`.
        out: output folder: new, empty, or left by an interrupted run of the same build.
        workers: number of pictures cleaned in parallel; `None` uses one worker per processor.
        seed: random seed for which pictures a cap keeps and which pictures are held out.
        progress: called as `progress(step, done, total)`; `total` is `None` if unknown.
        resume: reuse the work of an interrupted build; `False` restarts it.

    Returns:
        The summary that is also written to `report.json`.

    Raises:
        DataError: a source cannot be read, `out` cannot be used, or no picture is left.

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
            raise DataError(
                f"no picture is left for {out}: {_drop_counts(dropped)}. Relax `where` or `clean` in the spec."
            )
        tell("compare", 0, len(candidates))
        chosen, unchosen = select(candidates, spec, seed)
        tell("compare", len(candidates), len(candidates))
        dropped += unchosen
        summary = _write(spec, seed, identity, out, chosen, dropped, tell)
    except OSError as error:
        raise DataError(
            f"the build of {out} stopped: {error}. Finished work is kept; fix the problem and run the same command "
            "again to resume."
        ) from error
    shutil.rmtree(work, ignore_errors=True)
    return summary


def _cleaning_settings(spec: DatasetSpec) -> str:
    # Settings that only select or label pictures are left out, so changing them does not repeat the cleaning.
    unrelated = {"labels", "aliases", "columns", "layouts", "lookup", "limit"}
    parts = [source.model_dump_json(exclude=unrelated) for source in spec.sources]
    return "\n".join([*parts, spec.clean.model_dump_json(), spec.output.model_dump_json()])


def _check_apart(spec: DatasetSpec, out: Path) -> None:
    for source in spec.sources:
        if not isinstance(source, HuggingFaceSource) and source.path.resolve() in (out, *out.parents):
            raise DataError(
                f"{out} is inside {source.path}, the folder of source {source.name!r}, which must not change. "
                "Choose an output folder outside of it."
            )


def _check_folder(out: Path, identity: str) -> BuildSummary | None:
    """Returns the summary of the build if `out` already holds the finished data set."""
    if not out.exists():
        return None
    if not out.is_dir():
        raise DataError(f"{out} is not a folder. Choose another output folder.")
    if (out / FINISHED).exists():
        summary = BuildSummary.load(out / FINISHED)
        if summary is None or summary.identity != identity:
            raise DataError(
                f"{out} contains a data set built with a different spec or seed. Choose another output folder."
            )
        shutil.rmtree(out / _WORK, ignore_errors=True)
        return summary
    if any(out.iterdir()) and not (out / _WORK).exists():
        raise DataError(f"{out} is not empty and contains no interrupted build. Choose another output folder.")
    return None


def _clean_all(
    spec: DatasetSpec, journal: Journal, workers: int, tell: Progress
) -> tuple[list[Candidate], list[Dropped]]:
    pictures: Iterable[SourcePicture] = itertools.chain.from_iterable(map(collect, spec.sources))
    total = None
    if not any(isinstance(source, HuggingFaceSource) for source in spec.sources):
        pictures = list(pictures)
        total = len(pictures)
    results: dict[int, Candidate | Dropped] = {}
    pending: dict[Future[Cleaned | Dropped], tuple[int, SourcePicture]] = {}

    def collect_results(most_pending: int) -> None:
        while len(pending) > most_pending:
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                number, picture = pending.pop(future)
                result = future.result()
                if isinstance(result, Dropped) and result.reason == "missing":
                    # Not recorded: the file may exist in the next run.
                    results[number] = result
                else:
                    results[number] = journal.record(picture, result)
                tell("clean", len(results), total)

    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        # `max_pixels` decides about large pictures.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        for number, (picture, refusal) in enumerate(_with_refusals(spec, pictures)):
            known = refusal or journal.find(picture)
            if known is not None:
                results[number] = known
                tell("clean", len(results), total)
                continue
            pending[pool.submit(_clean_one, picture, spec)] = number, picture
            collect_results(_IN_FLIGHT * workers)
        collect_results(0)
    ordered = [results[number] for number in sorted(results)]
    return (
        [result for result in ordered if isinstance(result, Candidate)],
        [result for result in ordered if isinstance(result, Dropped)],
    )


def _with_refusals(
    spec: DatasetSpec, pictures: Iterable[SourcePicture]
) -> Iterator[tuple[SourcePicture, Dropped | None]]:
    """Pairs each picture with the reason for dropping it unopened, if there is one."""
    wanted = {label: {label_key(value) for value in values} for label, values in spec.where.items()}
    seen = set()
    for picture in pictures:
        key = picture.source, picture.path
        refusal = None
        if key in seen:
            refusal = Dropped(*key, "repeated", "listed earlier")
        for label, values in wanted.items():
            if label_key(picture.labels[label]) not in values:
                refusal = Dropped(*key, "filtered", f"{label}: {picture.labels[label] or 'unknown'}")
        seen.add(key)
        yield picture, refusal


def _clean_one(picture: SourcePicture, spec: DatasetSpec) -> Cleaned | Dropped:
    try:
        data = picture.read()
    except OSError as error:
        return Dropped(picture.source, picture.path, "missing", error.strerror or str(error))
    try:
        return clean(data, spec.clean, spec.output)
    except RejectedError as rejected:
        small = b"" if rejected.image is None else thumbnail(rejected.image)
        return Dropped(picture.source, picture.path, rejected.reason, rejected.detail, small)


def _drop_counts(dropped: Sequence[Dropped]) -> str:
    counts = Counter(each.reason for each in dropped)
    if set(counts) == {"filtered"}:
        values = sorted({each.detail for each in dropped})[:20]
        return f"no picture matches `where`; the sources have {', '.join(values)}"
    return ", ".join(f"{number} {reason}" for reason, number in counts.most_common()) or "the sources are empty"


def _write(
    spec: DatasetSpec,
    seed: int,
    identity: str,
    out: Path,
    chosen: Sequence[Chosen],
    dropped: Sequence[Dropped],
    tell: Progress,
) -> BuildSummary:
    """Writes everything into the work folder, then moves it to `out`."""
    tree = out / _WORK / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    digits = max(5, len(str(len(chosen))))
    rows: list[dict[str, str | int]] = []
    for number, (picture, _, split) in enumerate(chosen):
        name = f"{number:0{digits}d}{spec.output.suffix}"
        _link(picture.file, tree / split / name)
        if picture.gray is not None:
            # Not in gray/train: load_dataset would add that folder to the train split.
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
        # load_dataset expects the metadata beside the pictures.
        own = [{**row, "file_name": Path(str(row["file_name"])).name} for row in rows if row["split"] == split]
        if own:
            write_atomically(tree / split / _TABLE, _csv(own))
    write_atomically(tree / _TABLE, _csv(rows))
    summary = write_summary(tree, spec, seed, identity, chosen, dropped)
    for name in (*SPLITS, "gray", _TABLE, *FILES):
        # An existing folder is left from the same build, killed while moving.
        shutil.rmtree(out / name, ignore_errors=True)
        if (tree / name).exists():
            (tree / name).replace(out / name)
    return summary


def _link(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except OSError:
        # Not every file system supports hard links.
        shutil.copyfile(file, target)


def _csv(rows: Sequence[dict[str, str | int]]) -> bytes:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()
