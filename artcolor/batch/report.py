"""The report of a run: a CSV with a row for each file, which a killed run leaves whole."""

import csv
import io
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from artcolor.batch.plan import Outcome
from artcolor.errors import ImageError

COLUMNS = ("file", "result", "status", "seconds", "model", "color", "message")
"""`result` is empty if there is none; `color` is `Outcome.measure`; `message` says why a file failed."""

_DONE = ("colorized", "exists")


class Report:
    """Writes a row as each file is done. UTF-8; bytes of file names that are not UTF-8 are written as they are.

    A run that resumes adds to the report. A file that is tried again gets another row: its last one holds. Of a result
    that is there and has a row already, nothing new is said.

    Args:
        path: of the CSV. A report that is there is replaced.
        resume: add to a report that is there. If its last row is cut off, that is dropped.
        model: what the pictures are colored with.

    Raises:
        ImageError: it cannot be written, or a file is there that is no report.

    Example:
        >>> import tempfile
        >>> from artcolor.batch.plan import Job, Outcome
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "report.csv"
        ...     with Report(path, model="unet.art_v5") as report:
        ...         report.add(Outcome(Job(Path("a.png"), Path("out/a.png")), "colorized", 0.25, 0.1))
        ...     print(path.read_text().splitlines()[1])
        a.png,out/a.png,colorized,0.250,unet.art_v5,0.10,
    """

    def __init__(self, path: Path, *, resume: bool = False, model: str) -> None:
        self._path, self._model = path, model
        try:
            kept = _whole_rows(path) if path.exists() else ""
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
        self._last = {row["file"]: row["status"] for row in csv.DictReader(io.StringIO(kept, newline=""))}
        self._rows = csv.writer(self._file)
        if not kept:
            self._write(COLUMNS)

    def add(self, outcome: Outcome) -> None:
        """Writes what became of a file.

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
                str(outcome.job.target) if outcome.status in _DONE else "",
                outcome.status,
                f"{outcome.seconds:.3f}",
                self._model,
                "" if outcome.measure is None else f"{outcome.measure:.2f}",
                "" if outcome.error is None else " ".join(str(outcome.error).split()),
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


def _whole_rows(path: Path) -> str:
    """The text of a report up to the end of its last whole row.

    Raises:
        ImageError: the file is no report.
    """
    header = ",".join(COLUMNS)
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        begins = file.read(len(header))
        if not header.startswith(begins):
            raise ImageError(f"{path} is there and is no report of artcolor; choose another name for the report")
        text = begins + file.read()
    whole = quotes = length = 0
    for line in text.split("\n")[:-1]:
        length, quotes = length + len(line) + 1, quotes + line.count('"')
        # A name may hold a line's end, within quotes.
        if quotes % 2 == 0:
            whole = length
    return text[:whole]
