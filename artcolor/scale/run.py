"""Colorizes a collection on the machines of a Ray cluster."""

import contextlib
import dataclasses
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from artcolor.batch.addresses import as_address, path_of
from artcolor.batch.disk import check_folders
from artcolor.batch.saving import Saving
from artcolor.batch.stores import explained, open_store
from artcolor.engine.options import DEFAULT_MODEL, OPTIONS, Options, checked
from artcolor.errors import ConfigError, ImageError
from artcolor.files import remove_leftovers, sha256_of
from artcolor.images import Provenance
from artcolor.models.guidance import Decoding, Guidance
from artcolor.scale.cluster import connected, default_actors, quiet_context
from artcolor.scale.journal import COLUMNS, DONE, Journal, write_report
from artcolor.scale.rows import read_rows, targets_by_folder
from artcolor.scale.worker import Attempts, Worker, make_colorizer

# isort: split
import ray
import ray.data
import ray.exceptions

__all__ = ["Summary", "colorize_dataset"]

_BATCH = 16
# Ray keeps some kilobytes for each block; a block is what is done again when its actor is killed.
_MOST_BLOCKS, _MOST_BATCHES = 20_000, 16


@dataclass(frozen=True)
class Summary:
    """The outcome of a run.

    Attributes:
        total: number of pictures in the manifest or folder.
        before: number of these pictures that earlier runs have done.
        counts: number of pictures of this run, by status.
        seconds: duration without the start of Ray.
        actors: number of actors used.
    """

    total: int
    before: int
    counts: Mapping[str, int]
    seconds: float = 0.0
    actors: int = 0


def colorize_dataset(
    source: str | Path,
    out: str | Path,
    *,
    journal: str | Path,
    model: str = DEFAULT_MODEL,
    guidance: Guidance | None = None,
    decoding: Decoding | None = None,
    saving: Saving | None = None,
    actors: int | None = None,
    cpus_per_actor: int = 1,
    gpus_per_actor: float = 0,
    address: str | None = None,
    report: str | Path | None = None,
    progress: Callable[[Mapping[str, int], int], None] | None = None,
    **options: Unpack[Options],
) -> Summary:
    """Colorizes a collection with Ray Data, on this machine or on a cluster.

    Each picture is a row of the journal. A repeated run colorizes only pictures that are not in the journal or that
    failed, so repeat a killed run to resume it. Pictures that cannot be colorized become rows, not exceptions.

    Args:
        source: a manifest (`.parquet` or `.csv`, with the columns `key`, `uri` and perhaps `options`), or a folder: a
            path, or an address (`s3://`, `gs://`).
        out: folder of the results, a path or an address. All machines must see the same files there.
        journal: folder of the journal, a path or an address.
        model: name of a model or of weights, or path of a weights file that all machines have.
        guidance: hints, palette, reference and sampling for all pictures; `None` takes it from `options`.
        decoding: how the model's output becomes chroma; `None` takes it from `options`.
        saving: how results are written. With `force`, results that the journal does not know are replaced, and those
            that it knows with other settings are made again.
        actors: number of processes that colorize; `None` uses as many as the cluster has room for.
        cpus_per_actor: processor cores of each actor.
        gpus_per_actor: GPUs of each actor, or a fraction of one.
        address: address of a cluster: `auto` on one of its machines, or host and port; `None` starts Ray on this
            machine for the time of the run, unless this process is connected already.
        report: where to write the journal as CSV at the end; a path or an address.
        progress: called with the number of pictures by status, and the number of pictures to do.
        **options: colorizing options; see `artcolor.engine.options.Options`. `hints` is a folder of hints files, if
            `source` is a folder on disk.

    Returns:
        The numbers of pictures, and the duration.

    Raises:
        ConfigError: an option is invalid, Ray cannot be reached, or the journal is used by another run or with
            other settings.
        DataError: the manifest is invalid, or the journal cannot be read or written.
        ImageError: there are no pictures, results exist that the journal does not know, or none can be written.
        WeightsError: the weights are missing or damaged.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("L", (50, 30), 128).save(f"{folder}/a.png")
        ...     _ = Path(folder, "all.csv").write_text(f"key,uri\\nbox 1/a.png,{folder}/a.png\\n")
        ...     done = colorize_dataset(
        ...         f"{folder}/all.csv", f"{folder}/color", journal=f"{folder}/journal", model="cnn", actors=1
        ...     )
        ...     Path(folder, "color/box 1/a.png").exists(), done.counts
        (True, {'colorized': 1})
    """
    target, saving = path_of(str(out)), saving or Saving()
    given = _options(options, guidance, decoding, saving, cpus_per_actor, gpus_per_actor, actors)
    hints = given.pop("hints")
    rows = read_rows(
        path_of(str(source)),
        target,
        format=saving.format,
        hints=None if hints is None else Path(hints),
    )
    model = os.path.abspath(model) if os.path.exists(model) else model  # noqa: PTH100, PTH110 (a name stays)
    # A GPU is where the workers are.
    weights = make_colorizer(model, {**given, "device": "cpu"}).provenance
    rows = rows.append_column("settings", pa.array(_settings(rows, weights, given, saving)))
    with Journal(path_of(str(journal))) as written:
        todo = _todo(rows, written, target, saving)
        summary = Summary(len(rows), len(rows) - len(todo), {})
        if report is not None:
            # A report that cannot be written should end a run before its hours of work, not after.
            write_report(written.latest(), path_of(str(report)))
        if len(todo):
            worker = {"model": model, "options": given, "saving": dataclasses.replace(saving, force=True)}
            cpus = max(actors * cpus_per_actor, 1) if actors is not None else None
            with connected(address, cpus=cpus, bytes_of_rows=todo.nbytes), quiet_context():
                size = min(actors or default_actors(cpus_per_actor, gpus_per_actor), -(-len(todo) // _BATCH))
                run = _Run(todo, written, {**worker, "weights": weights, "cores": cpus_per_actor}, progress)
                try:
                    run.do(size, cpus_per_actor, gpus_per_actor)
                finally:
                    written.flush()
                    _clean(todo)
            summary = dataclasses.replace(summary, counts=dict(run.counts), seconds=run.seconds, actors=size)
        if report is not None:
            written.flush()
            write_report(written.latest(), path_of(str(report)))
    return summary


def _options(
    options: Options,
    guidance: Guidance | None,
    decoding: Decoding | None,
    saving: Saving,
    cpus: int,
    gpus: float,
    actors: int | None,
) -> dict[str, Any]:
    """Checks and completes the options of `Colorizer`."""
    given = checked(options)
    for value in (guidance, decoding):
        if value is not None:
            given |= {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if given["samples"] != 1 or saving.uncertainty:
        name = "uncertainty" if saving.uncertainty else "samples"
        raise ConfigError(f"each row of the journal has one result; leave out {name}")
    if saving.resume:
        raise ConfigError("a run continues with what its journal does not have; leave out resume")
    if cpus < 1 or gpus < 0 or (actors is not None and actors < 1):
        raise ConfigError("an actor has at least one core, and there is at least one actor; raise the number")
    for name in ("hints", "reference"):
        if given[name] is not None:
            if not isinstance(given[name], str | Path):
                raise ConfigError(f"{name} must be a path that all machines have")
            given[name] = os.path.abspath(given[name])  # noqa: PTH100
    if given["hints"] is not None and not Path(given["hints"]).is_dir():
        raise ConfigError("hints are for one picture; give a folder with hints files, or a manifest with options")
    if not gpus and given["device"] not in ("cpu", "auto"):
        raise ConfigError(f"Ray gives workers a GPU only if gpus_per_actor is above 0; raise it for {given['device']}")
    if gpus and given["device"] == OPTIONS["device"][1].default:
        given["device"] = "cuda"
    return given


def _settings(rows: pa.Table, weights: Provenance, given: Mapping[str, Any], saving: Saving) -> list[str]:
    """Hashes all that decides what each result is."""
    saved = {name: value for name, value in dataclasses.asdict(saving).items() if name not in ("force", "resume")}
    same = {
        "weights": [weights.model, weights.weights_sha256],
        "options": dict(weights.options),
        "skip_colored": given["skip_colored"],
        "reference": None if given["reference"] is None else sha256_of(Path(given["reference"])),
        "saving": saved,
    }
    base = hashlib.sha256(json.dumps(same, sort_keys=True, default=str).encode())
    columns = (rows[name].to_pylist() for name in ("uri", "result", "options", "hints"))
    found = []
    for row in zip(*columns, strict=True):
        own = base.copy()
        own.update(repr(row).encode())
        found.append(own.hexdigest()[:16])
    return found


def _todo(rows: pa.Table, journal: Journal, out: Path, saving: Saving) -> pa.Table:
    """Returns the rows that the journal does not have."""
    latest = journal.latest(["key", "status", "settings"])
    place = pc.index_in(rows["key"], value_set=latest["key"])
    done = pc.is_in(latest["status"].take(place), value_set=pa.array(DONE))
    same = pc.fill_null(pc.equal(latest["settings"].take(place), rows["settings"]), False)
    changed = int(pc.sum(pc.and_(done, pc.invert(same))).as_py() or 0)
    if changed and not saving.force:
        raise ConfigError(
            f"the journal {journal.folder} has {changed} of the pictures with other settings, or from or into other "
            "files; name another journal and another -o, or make them again with --force"
        )
    if as_address(out) is None:
        check_folders([out])
    if journal.is_new:
        if not saving.force:
            _refuse_existing(rows["result"].to_pylist(), out)
        # From now on, results that the journal does not have are those of a run that was killed.
        journal.start()
    return rows.filter(pc.invert(pc.and_(done, same)))


def _refuse_existing(results: Sequence[str], out: Path) -> None:
    address = as_address(out)
    if address is None:
        existing = [
            str(path)
            for folder, paths in targets_by_folder(results).items()
            if folder.is_dir()
            for names in [set(os.listdir(folder))]  # noqa: PTH208 (there may be millions)
            for path in paths
            if path.name in names
        ]
    else:
        with explained(address, "read"):
            found = {f"{address.scheme}://{key}" for key in open_store(address.scheme).find(address.key)}
        existing = [result for result in results if result in found]
    if existing:
        raise ImageError(
            f"{len(existing)} of {len(results)} results exist and the journal does not know them, for example "
            f"{existing[0]}; name another -o, or replace them with --force"
        )


def _clean(rows: pa.Table) -> None:
    """Removes temporary files that killed workers left beside results."""
    for folder, targets in targets_by_folder(rows["result"].to_pylist()).items():
        with contextlib.suppress(OSError):
            if any(name.endswith(".tmp") for name in os.listdir(folder)):  # noqa: PTH208
                remove_leftovers(targets)


class _Run:
    """Colorizes rows, and writes what became of them into the journal."""

    def __init__(
        self,
        rows: pa.Table,
        journal: Journal,
        worker: dict[str, Any],
        progress: Callable[[Mapping[str, int], int], None] | None,
    ) -> None:
        self._rows, self._journal, self._worker, self._progress = rows, journal, worker, progress
        self._left: npt.NDArray[np.bool_] = np.ones(len(rows), bool)
        self.counts: Counter[str] = Counter()
        self.seconds = 0.0

    def do(self, actors: int, cpus: int, gpus: float) -> None:
        """Colorizes all rows.

        Raises:
            ImageError: no result can be written, or no model loaded.
            ConfigError: Ray gave up.
        """
        begun = time.monotonic()
        attempts = ray.remote(num_cpus=0, max_restarts=-1)(Attempts).remote()
        worker = {**self._worker, "attempts": attempts}
        while self._left.any():
            before = int(self._left.sum())
            try:
                for outcomes in self._stream(worker, actors, cpus, gpus):
                    self._add(outcomes)
            except ray.exceptions.RayError as error:
                # Blocks were lost with a machine. What is missing is done again, unless all is lost each time.
                if int(self._left.sum()) == before:
                    reason = " ".join(str(error).split())[:500]
                    raise ConfigError(f"Ray gave up, with {before} pictures left: {reason}") from error
            else:
                if int(self._left.sum()) == before:
                    raise ConfigError(f"Ray lost {before} pictures; repeat the command")
        self.seconds = time.monotonic() - begun

    def _stream(self, worker: Mapping[str, Any], actors: int, cpus: int, gpus: float) -> Iterator[pa.Table]:
        numbered = self._rows.select(["uri", "result", "found", "hints", "options"]).append_column(
            "number", pa.array(np.arange(len(self._rows)))
        )
        numbered = numbered.filter(pa.array(self._left))
        size = _BATCH * min(_MOST_BATCHES, -(-len(numbered) // (_BATCH * _MOST_BLOCKS)))
        blocks = [numbered.slice(start, size).combine_chunks() for start in range(0, len(numbered), size)]
        outcomes = ray.data.from_arrow(blocks).map_batches(
            Worker,
            batch_size=_BATCH,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=actors),
            num_cpus=cpus,
            num_gpus=gpus or None,
            fn_constructor_kwargs=dict(worker),
        )
        yield from outcomes.iter_batches(batch_size=None, batch_format="pyarrow")

    def _add(self, outcomes: pa.Table) -> None:
        stops = [stop for stop in outcomes["stop"].to_pylist() if stop]
        numbers = outcomes["number"].to_numpy()
        # Ray may hand on a batch again after a machine was lost.
        new = self._left[numbers] & pc.equal(outcomes["stop"], "").to_numpy(zero_copy_only=False)
        outcomes, numbers = outcomes.filter(pa.array(new)), numbers[new]
        self._left[numbers] = False
        rows = self._rows.take(pa.array(numbers))
        columns = {name: rows[name] for name in ("key", "uri", "result", "settings")}
        columns |= {name: outcomes[name] for name in ("status", "seconds", "error", "sha256", "weights", "color")}
        columns["time"] = pa.array([datetime.now(UTC)] * len(rows), COLUMNS.field("time").type)
        self._journal.add(pa.table({name: columns[name] for name in COLUMNS.names}).cast(COLUMNS))
        self.counts.update(outcomes["status"].to_pylist())
        if self._progress is not None:
            self._progress(self.counts, len(self._rows))
        if stops:
            raise ImageError(f"stopped, because no other picture can be colorized either: {stops[0]}")
