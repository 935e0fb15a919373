"""The code that runs on the machines of a cluster: reads, colorizes and writes pictures with the engine."""

import contextlib
import functools
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray

from artcolor.batch.addresses import as_address, path_of, without_secrets
from artcolor.batch.disk import is_fatal
from artcolor.batch.mirror import Mirror
from artcolor.batch.plan import Job, Outcome
from artcolor.batch.saving import Saving
from artcolor.engine.colorizer import Colorizer
from artcolor.errors import ArtcolorError, ConfigError, ImageError
from artcolor.files import sha256_of
from artcolor.images import Provenance

OUTCOMES = pa.schema(
    [
        ("number", pa.int64()),
        ("status", pa.string()),
        ("seconds", pa.float64()),
        ("color", pa.float64()),
        ("error", pa.string()),
        ("sha256", pa.string()),
        ("weights", pa.string()),
        ("stop", pa.string()),
    ]
)
"""`number`: of the row; `stop`: why no other picture can be colorized either, so that the run ends; the rest as in the
journal."""

# So often a picture is tried alone, after a worker died with it among others.
_ALONE = 2


class Attempts:
    """Counts attempts in a process of its own, which outlives killed workers."""

    def __init__(self) -> None:
        self._begun: dict[tuple[int, bool], int] = {}

    def begin(self, number: int, alone: bool) -> int:
        """Notes that a row, or the batch that begins with it, is tried.

        Args:
            number: number of the row.
            alone: whether this is the row alone, not a batch.

        Returns:
            The number of earlier attempts that did not end.
        """
        before = self._begun.get((number, alone), 0)
        self._begun[number, alone] = before + 1
        return before

    def end(self, number: int, alone: bool) -> None:
        """Forgets a row or a batch that is done.

        Args:
            number: see `begin`.
            alone: see `begin`.
        """
        self._begun.pop((number, alone), None)


def make_colorizer(model: str, options: Mapping[str, Any], *, guided: bool = False) -> Colorizer:
    """Creates a colorizer that is the same in each process, whatever has been imported there.

    Args:
        model: see `Colorizer`.
        options: options of `Colorizer`.
        guided: whether it will have hints, which only PyTorch follows.

    Raises:
        ConfigError: an option is invalid.
        ImageError: the reference cannot be read.
        WeightsError: the weights are missing or damaged.
    """
    if options.get("backend", "auto") == "auto" and not str(model).lower().endswith(".onnx"):
        if not guided:
            # Without ONNX Runtime, or with what it cannot do.
            with contextlib.suppress(ConfigError):
                return Colorizer(model, **{**options, "backend": "onnx"})
        options = {**options, "backend": "torch"}
    return Colorizer(model, **options)


class Worker:
    """Colorizes batches of rows. Failures are rows, too.

    Args:
        model: see `Colorizer`.
        options: options of `Colorizer`.
        saving: how results are written.
        weights: provenance of the model where the run was started; another one here ends the run.
        cores: number of processor cores to use.
        attempts: handle of the actor `Attempts`.
    """

    def __init__(
        self, model: str, options: Mapping[str, Any], saving: Saving, weights: Provenance, cores: int, attempts: Any
    ) -> None:
        os.environ["OMP_NUM_THREADS"] = str(cores)
        self._model, self._options, self._saving, self._cores = model, options, saving, cores
        self._weights, self._attempts = weights.model, attempts
        self._hashes: dict[str, str] = {}
        self._mirror = Mirror(before_upload=self._hash)
        self._stop = ""
        # Of these, a batch has few.
        self._colorizer = functools.lru_cache(maxsize=4)(self._make_colorizer)
        try:
            if "torch" in sys.modules:
                # Otherwise it follows the variable when it is imported.
                sys.modules["torch"].set_num_threads(cores)
            own = self._colorizer("", False).provenance
            if (own.model, own.weights_sha256) != (weights.model, weights.weights_sha256):
                self._stop = (
                    f"a worker found the weights {own.model} ({own.weights_sha256[:8]}), but the run was started with "
                    f"{weights.model} ({weights.weights_sha256[:8]}); install the same artcolor on all machines"
                )
        except Exception as error:
            self._stop = f"a worker cannot load the model: {_reason(error)}"

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Colorizes a batch.

        Args:
            rows: rows of `artcolor.scale.rows.ROWS`, with their `number`.

        Returns:
            A table of `OUTCOMES`.
        """
        given = rows.to_pylist()
        if self._stop:
            made = [_row(row["number"], "failed", stop=self._stop) for row in given]
        else:
            first = given[0]["number"]
            if self._begin(first, alone=False):
                # A worker died with this batch: was it one of the pictures?
                made = [each for row in given for each in self._alone(row)]
            else:
                made = self._colorize(given)
            self._end(first, alone=False)
        return pa.Table.from_pylist(made, schema=OUTCOMES)

    def _make_colorizer(self, options: str, guided: bool) -> Colorizer:
        return make_colorizer(self._model, {**self._options, **(json.loads(options) if options else {})}, guided=guided)

    def _begin(self, number: int, *, alone: bool) -> int:
        try:
            before: int = ray.get(self._attempts.begin.remote(number, alone))
        except ray.exceptions.RayError:
            # Its machine is gone, and it is started again without a memory.
            return 0
        return before

    def _end(self, number: int, *, alone: bool) -> None:
        with contextlib.suppress(ray.exceptions.RayError):
            self._attempts.end.remote(number, alone)

    def _alone(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        number = row["number"]
        before = self._begin(number, alone=True)
        if before < _ALONE:
            made = self._colorize([row])
        else:
            error = (
                f"{row['uri']}: the worker died each of {before + 1} times that it was tried; it may need more memory "
                "than there is (then give it a machine of its own), or crash a decoder"
            )
            made = [_row(number, "failed", error=error)]
        if before < _ALONE:
            self._end(number, alone=True)
        return made

    def _colorize(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        made = []
        for (options, guided), group in _grouped(rows):
            try:
                colorizer = self._colorizer(options, guided)
            except Exception as error:
                made += [_row(row["number"], "failed", error=f"{row['uri']}: {_reason(error)}") for row in group]
                continue
            # Hints of a colorizer are for one picture.
            one_by_one = bool(colorizer.guidance.hints)
            for part in [[row] for row in group] if one_by_one else [group]:
                made += self._run(colorizer, part)
        return made

    def _run(self, colorizer: Colorizer, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Colorizes rows with one colorizer; if that raises, those that are left one by one."""
        left = {row["result"]: row for row in rows}
        made, failure = [], ""
        jobs: list[Job] = []
        try:
            jobs = [self._job(row) for row in rows]
            with contextlib.closing(
                self._mirror.run_jobs(colorizer, jobs, self._saving, limit=self._cores)
            ) as outcomes:
                for outcome in outcomes:
                    row = left.pop(str(outcome.job.target))
                    made.append(self._outcome(row, outcome))
        except Exception as error:
            failure = _reason(error)
            if not isinstance(error, ArtcolorError):
                logging.getLogger(__name__).exception("a batch failed")
        finally:
            self._forget(jobs)
        for row in left.values():
            if len(rows) > 1 and not any(each["stop"] for each in made):
                made += self._run(colorizer, [row])
            else:
                made.append(_row(row["number"], "failed", error=failure or f"{row['uri']}: nothing came of it"))
        return made

    def _job(self, row: Mapping[str, Any]) -> Job:
        source = path_of(row["uri"])
        path = self._mirror.path(source)
        if as_address(source) is not None:
            # Downloaded in place of an empty file.
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        target = self._mirror.path(path_of(row["result"]))
        return Job(path, target, found=row["found"], hints=tuple(map(Path, row["hints"] or ())))

    def _outcome(self, row: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
        error, stop, digest = outcome.error, "", ""
        if isinstance(error, ImageError) and is_fatal(error):
            stop = str(error)
        if outcome.status == "colorized":
            digest = self._hashes.pop(row["result"], "") or sha256_of(Path(row["result"]))
        return _row(
            row["number"],
            outcome.status,
            seconds=outcome.seconds,
            color=outcome.measure,
            error="" if error is None else _reason(error),
            sha256=digest,
            weights=self._weights if outcome.status == "colorized" else "",
            stop=stop,
        )

    def _hash(self, path: Path) -> None:
        self._hashes[self._mirror.named(path)] = sha256_of(path)

    def _forget(self, jobs: Sequence[Job]) -> None:
        """Removes the files that stood for those in stores: a worker may see millions."""
        for path in {path for job in jobs for path in (job.source, job.target)}:
            if self._mirror.named(path) != str(path):
                path.unlink(missing_ok=True)


def _grouped(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[tuple[str, bool], list[Mapping[str, Any]]]]:
    groups: dict[tuple[str, bool], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["options"], bool(row["hints"])), []).append(row)
    yield from groups.items()


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if not isinstance(error, ArtcolorError):
        text = f"{type(error).__name__}: {text}"
    return without_secrets(text)


def _row(number: int, status: str, **columns: Any) -> dict[str, Any]:
    empty = {"seconds": 0.0, "color": None, "error": "", "sha256": "", "weights": "", "stop": ""}
    return {"number": number, "status": status, **empty, **columns}
