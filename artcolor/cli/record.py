"""Records the outcomes of a run: in the tally, in the report, and on contact sheets."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from artcolor.batch.addresses import as_address
from artcolor.batch.names import map_path, result_exists, sheet_path
from artcolor.batch.report import Report
from artcolor.cli.request import Request
from artcolor.cli.sheet import write_sheet
from artcolor.cli.tally import Tally

if TYPE_CHECKING:
    from artcolor.batch.plan import Job, Outcome
    from artcolor.engine.colorizer import Colorizer


class Record:
    """Records the outcomes of a run as they come.

    Args:
        request: arguments and options of the command.
        colorizer: the colorizer of the pictures.

    Attributes:
        tally: counts the files.

    Raises:
        ImageError: the report cannot be written.
    """

    def __init__(self, request: Request, colorizer: "Colorizer") -> None:
        provenance, saving = colorizer.provenance, request.saving
        self.tally = Tally(request.showing, provenance.model)
        self._provenance = provenance if saving.provenance else None
        self._sheets = request.samples > 1
        self._maps = saving.uncertainty
        self._replace = saving.force or saving.resume
        self._own_sheets: set[Path] = set()
        self._report = None
        if request.report is not None:
            self._report = Report(request.report, resume=saving.resume, model=provenance.model)

    def add(
        self,
        outcome: "Outcome",
        jobs: "Sequence[Job]",
        *,
        alone: bool = False,
        documents: Mapping[str, Path] | None = None,
    ) -> None:
        """Records an outcome.

        Args:
            outcome: how a job ended.
            jobs: jobs of the run.
            alone: see `Tally.add`.
            documents: layers and card that were written, by kind.

        Raises:
            ImageError: the report cannot be written.
        """
        other = dict(documents or {})
        if self._maps and outcome.status == "colorized":
            path = map_path(outcome.job.target)
            # If only further samples were missing, there may be none.
            if as_address(path) is not None or result_exists(path):
                other["uncertainty"] = path
        if self._sheets and outcome.status == "colorized":
            replace = self._replace or outcome.job.target in self._own_sheets
            with self.tally.beside():
                write_sheet(outcome, jobs, self._provenance, replace=replace)
                self._own_sheets.add(outcome.job.target)
                other["sheet"] = sheet_path(outcome.job.target)
        self.tally.add(outcome, alone=alone, other=other)
        if self._report is not None:
            self._report.add(outcome)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._report is not None:
            self._report.__exit__(kind, error, traceback)
