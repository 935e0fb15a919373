"""Counts and tells how the files of a run ended."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from artcolor.cli.output import complain

if TYPE_CHECKING:
    from artcolor.batch.plan import Job, Outcome, Status


class Tally:
    """Tells failures when they occur, and counts for the summary.

    Attributes:
        last: the latest outcome; `None` before the first.
        failed_beside: number of failures that are not those of a job.
    """

    def __init__(self) -> None:
        self.last: Outcome | None = None
        self.failed_beside = 0
        self._status: dict[Path, Status] = {}
        self._renamed: dict[Path, Job] = {}
        self._existing: list[Path] = []

    def add(self, outcome: "Outcome", *, alone: bool = False) -> None:
        """Counts a file, and tells if it failed. One that is tried again counts once.

        Args:
            outcome: how its job ended.
            alone: it is the only file, so that an existing result is told at once, and not with those of others.
        """
        from artcolor.batch.steps import ExistingResultError

        self.last = outcome
        self._status[outcome.job.source] = outcome.status
        if outcome.results and outcome.job.usual_name_of is not None:
            self._renamed[outcome.job.source] = outcome.job
        if isinstance(outcome.error, ExistingResultError) and not alone:
            self._existing.append(outcome.job.target)
        elif outcome.error is not None:
            source, reason = str(outcome.job.source), str(outcome.error)
            complain(outcome.status, reason if reason.startswith(source) else f"{source}: {reason}")

    @property
    def counts(self) -> Counter[str]:
        """Number of files by status."""
        return Counter(self._status.values()) + Counter(failed=self.failed_beside)

    def tell_existing(self) -> None:
        """Tells the results that existed since it was called last."""
        if self._existing:
            what = f"{len(self._existing)} results already exist, for example {self._existing[0]}"
            complain("failed", f"{what}; --resume skips them, and --force replaces them")
        self._existing.clear()

    def summary(self, where: object, total: int | None = None) -> str:
        """The numbers in words.

        Args:
            where: the results are.
            total: number of files; `None` if nobody knows, as more may come.
        """
        counts = self.counts
        return (
            (f"{counts['colorized']} colorized" if total is None else f"{counts['colorized']} of {total} colorized")
            + (f" into {where}" if counts["colorized"] else "")
            + (f" ({_second_names(list(self._renamed.values()))})" if self._renamed else "")
            + (f", {counts['already_colored']} already colored" if counts["already_colored"] else "")
            + (f", {counts['exists']} existed" if counts["exists"] else "")
            + (f", {counts['unsupported']} not supported" if counts["unsupported"] else "")
            + (f", {counts['failed']} failed" if counts["failed"] else "")
        )


def _second_names(jobs: "Sequence[Job]") -> str:
    """Says which results have a second name; the first stands for many."""
    first = jobs[0]
    more = "" if len(jobs) == 1 else f", and {len(jobs) - 1} more"
    return f"{first.source} as {first.target.name}, since {first.usual_name_of} has its usual name{more}"
