"""The report of a run: a CSV with one row per file, which stays valid if the run is killed."""

import csv
import io
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from artcolor.batch.plan import Outcome
from artcolor.errors import ImageError

__all__ = ["COLUMNS", "Report", "check_report", "message_of"]

COLUMNS = ("file", "result", "status", "seconds", "model", "color", "message")
"""`result` is the first result, empty if there is none; `color` is `Outcome.measure`; `message` is the error,
or why the result was renamed."""

_DONE = ("colorized", "exists")
# By the byte order mark, spreadsheets recognize UTF-8.
_MARK = "\ufeff"


class Report:
    """Writes one row per file as soon as it is done.

    The encoding is UTF-8 with a byte order mark, which spreadsheets need; bytes in file names that are not UTF-8 are
    written unchanged. A resumed run appends to the report. A file that is tried again gets another row, and its last
    row is the valid one. A result that exists and already has a row gets no further row.

    Args:
        path: path of the CSV. An existing report is replaced.
        resume: append to an existing report instead. A truncated last row is dropped.
        model: name of the weights, for the column `model`.

    Raises:
        ImageError: the report cannot be written, or `path` is a file that is not a report.

    Example:
        >>> import tempfile
        >>> from artcolor.batch.plan import Job, Outcome
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "report.csv"
        ...     with Report(path, model="unet.art_v6") as report:
        ...         report.add(Outcome(Job(Path("a.png"), Path("out/a.png")), "colorized", 0.25, 0.1))
        ...     print(path.read_text().splitlines()[1])
        a.png,out/a.png,colorized,0.250,unet.art_v6,0.10,
    """

    def __init__(self, path: Path, *, resume: bool = False, model: str) -> None:
        self._path, self._model = path, model
        try:
            kept = _complete_rows(path) if path.exists() else ""
            if not resume:
                kept = ""
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[str] = path.open(
                "r+" if kept else "w", encoding="utf-8", errors="surrogateescape", newline=""
            )
            if kept:
                self._file.truncate(len(kept.encode("utf-8", "surrogateescape")))
                self._file.seek(0, 2)
        except OSError as error:
            raise ImageError(f"the report {path} cannot be written: {error.strerror or error}") from error
        rows = csv.DictReader(io.StringIO(kept.removeprefix(_MARK), newline=""))
        self._last = {row["file"]: row["status"] for row in rows}
        self._rows = csv.writer(self._file)
        if not kept:
            self._file.write(_MARK)
            self._write(COLUMNS)

    def add(self, outcome: Outcome) -> None:
        """Writes the row of a file.

        Args:
            outcome: how its job ended.

        Raises:
            ImageError: the report cannot be written.
        """
        file, before = str(outcome.job.source), self._last.get(str(outcome.job.source))
        if (outcome.status == "exists" and before in _DONE) or outcome.status == before == "already_colored":
            return
        self._last[file] = outcome.status
        self._write(
            (
                file,
                str(outcome.results[0]) if outcome.results else "",
                outcome.status,
                f"{outcome.seconds:.3f}",
                self._model,
                "" if outcome.measure is None else f"{outcome.measure:.2f}",
                message_of(outcome),
            )
        )

    def _write(self, row: tuple[str, ...]) -> None:
        try:
            self._rows.writerow(row)
            self._file.flush()
        except OSError as error:
            raise ImageError(f"the report {self._path} cannot be written: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def message_of(outcome: Outcome) -> str:
    """Returns why a job failed, or why its result was renamed; empty if neither applies.

    Args:
        outcome: how the job ended.
    """
    if outcome.error is not None:
        return " ".join(str(outcome.error).split())
    if outcome.results and outcome.job.usual_name_of is not None:
        return f"renamed, because the result of {outcome.job.usual_name_of} has the same name"
    return ""


def check_report(path: Path) -> None:
    """Checks that a report can be written into a file, without changing it.

    Args:
        path: path of the CSV.

    Raises:
        ImageError: it is a folder, or a file that is not a report.
    """
    if path.is_dir():
        raise ImageError(
            f"the report {path} cannot be written: it is a folder; give a file, such as {path / 'report.csv'}"
        )
    try:
        if path.exists():
            _complete_rows(path)
    except OSError as error:
        raise ImageError(f"the report {path} cannot be read: {error.strerror or error}") from error


def _complete_rows(path: Path) -> str:
    """Returns the text of a report up to the end of its last complete row, with a byte order mark if there is one.

    Raises:
        ImageError: the file is not a report.
    """
    header = ",".join(COLUMNS)
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        start = file.read(len(_MARK + header) + 1)
        line = start.removeprefix(_MARK)
        if not header.startswith(line) and not line.startswith((f"{header}\r", f"{header}\n")):
            raise ImageError(f"{path} exists and is not a report of artcolor; choose another name for the report")
        text = start + file.read()
    complete = quotes = length = 0
    for line in text.split("\n")[:-1]:
        length, quotes = length + len(line) + 1, quotes + line.count('"')
        # File names may contain newlines, which are then inside quotes.
        if quotes % 2 == 0:
            complete = length
    return text[:complete]
