"""Counts the files of a run by status, and reports each."""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from artcolor.cli.output import Showing, complain
from artcolor.errors import ArtcolorError

if TYPE_CHECKING:
    from artcolor.batch.plan import Job, Outcome, Status

# Status of a file in the summary, in this order.
_WORDS = {
    "already_colored": "already colored",
    "exists": "already existed",
    "unsupported": "not supported",
    "failed": "failed",
}
# Kinds of files that are written with results → singular and plural in the summary.
_OTHER = {
    "uncertainty": ("uncertainty map", "uncertainty maps"),
    "sheet": ("contact sheet", "contact sheets"),
    "layers": ("layers", "layers"),
    "card": ("card", "cards"),
}


class Tally:
    """Prints failures when they occur, and counts files for the summary.

    Args:
        showing: what is printed about files that did not fail.
        model: name of the weights, for JSON.

    Attributes:
        model: name of the weights.
        last: the latest outcome; `None` before the first.
    """

    def __init__(self, showing: Showing, model: str) -> None:
        self.last: Outcome | None = None
        self._failed_beside = 0
        self.model = model
        self._showing = showing
        # A file may be tried again; its last status counts.
        self._status: dict[Path, Status] = {}
        self._renamed: dict[Path, Job] = {}
        self._existing: list[Path] = []
        self._other: dict[str, dict[Path, Path]] = {}

    def add(self, outcome: "Outcome", *, alone: bool = False, other: Mapping[str, Path] | None = None) -> None:
        """Counts a file, and reports it.

        Args:
            outcome: how its job ended.
            alone: it is the only file, so an existing result is reported immediately, not together with others.
            other: files written with the results, by kind: `"uncertainty"`, `"sheet"`, `"layers"` or `"card"`.
        """
        from artcolor.batch.steps import ExistingResultError

        self.last = outcome
        source, other = outcome.job.source, other or {}
        self._status[source] = outcome.status
        for kind, path in other.items():
            self._other.setdefault(kind, {})[source] = path
        if outcome.results and outcome.job.usual_name_of is not None:
            self._renamed[source] = outcome.job
        if self._showing.json:
            typer.echo(_as_json(outcome, self.model, other))
        if isinstance(outcome.error, ExistingResultError) and not alone:
            self._existing.append(outcome.job.target)
        elif outcome.error is not None:
            reason = str(outcome.error)
            complain(outcome.status, reason if reason.startswith(str(source)) else f"{source}: {reason}")
        elif self._showing.verbose:
            into = f" into {', '.join(map(str, (*outcome.results, *other.values())))} in {outcome.seconds:.2f} s"
            what = _WORDS.get(outcome.status, outcome.status)
            self._showing.say(f"{source} {what}{into if outcome.status == 'colorized' else ''}")

    @contextlib.contextmanager
    def beside(self) -> Iterator[None]:
        """Within it, a file is written with the results. If that fails, it is reported and counted as a failure."""
        try:
            yield
        except ArtcolorError as error:
            self._failed_beside += 1
            complain("failed", error)

    @property
    def counts(self) -> Counter[str]:
        """Number of files by status."""
        return Counter(self._status.values()) + Counter(failed=self._failed_beside)

    def tell_existing(self) -> None:
        """Reports existing results, once for all files since the last call."""
        if self._existing:
            first, *others = self._existing
            what = f"{len(self._existing)} results already exist, for example {first}" if others else f"{first} exists"
            complain("failed", f"{what}; --force replaces existing results, and --resume skips them")
        self._existing.clear()

    def summary(self, where: str, total: int | None = None) -> str:
        """Returns the numbers as a sentence.

        Args:
            where: the results are, such as `into out`.
            total: number of files; `None` if unknown, because more may come.
        """
        counts = self.counts
        return (
            f"{counts['colorized']}{'' if total is None else f' of {total}'} colorized"
            + (f" {where}" if counts["colorized"] else "")
            + (f" ({_second_names(list(self._renamed.values()))})" if self._renamed else "")
            + "".join(f", {counts[status]} {words}" for status, words in _WORDS.items() if counts[status])
            + self._also_written()
        )

    def _also_written(self) -> str:
        """Lists the files written with results: the name of a single file of a kind, otherwise their number."""
        found = [
            f"{single} {next(iter(paths.values())).name}" if len(paths) == 1 else f"{len(paths)} {several}"
            for kind, (single, several) in _OTHER.items()
            if (paths := self._other.get(kind))
        ]
        return f"; also written: {', '.join(found)}" if found else ""


def _as_json(outcome: "Outcome", model: str, other: Mapping[str, Path]) -> str:
    from artcolor.batch.report import message_of

    return json.dumps(
        {
            "file": str(outcome.job.source),
            "status": outcome.status,
            "results": [str(path) for path in outcome.results],
            "other_files": {kind: str(path) for kind, path in other.items()},
            "seconds": round(outcome.seconds, 3),
            "model": model,
            "color": None if outcome.measure is None else round(outcome.measure, 2),
            "message": message_of(outcome),
        }
    )


def _second_names(jobs: "Sequence[Job]") -> str:
    """Names the first result that was renamed, and counts the others."""
    first = jobs[0]
    more = "" if len(jobs) == 1 else f", and {len(jobs) - 1} more"
    return f"{first.source} as {first.target.name}, because the result of {first.usual_name_of} has the same name{more}"
