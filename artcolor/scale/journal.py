"""The journal of a run: a folder of Parquet files, one row for each picture that was tried.

A file appears when it is complete, under a name that no other file has, and is never changed. So a process that is
killed at any moment leaves a journal that can be read; at most the rows since the last file are missing from it.
"""

import contextlib
import io
import itertools
import secrets
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from artcolor.batch.addresses import Address, as_address
from artcolor.batch.stores import explained, open_store
from artcolor.errors import ConfigError, DataError
from artcolor.files import locked, write_atomically

COLUMNS = pa.schema(
    [
        ("key", pa.string()),
        ("status", pa.string()),
        ("seconds", pa.float64()),
        ("error", pa.string()),
        ("sha256", pa.string()),
        ("weights", pa.string()),
        ("uri", pa.string()),
        ("result", pa.string()),
        ("color", pa.float64()),
        ("settings", pa.string()),
        ("time", pa.timestamp("ms", tz="UTC")),
    ]
)
"""`status`: as in `artcolor.batch.plan.Outcome`; `sha256`: of the result; `weights`: their tag; `uri` and `result`:
where original and result are; `color`: how much color the original has; `settings`: hash of all that decides what the
result is; `time`: when the row was made."""

DONE = ("colorized", "already_colored", "unsupported")
"""Statuses of pictures that are not tried again."""

_ROWS, _SECONDS = 10_000, 10.0
_LOCK = ".lock"


class Journal:
    """Reads and continues a journal.

    Args:
        folder: path or address of the folder, which is created when the journal is opened.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with Journal(Path(folder) / "journal") as journal:
        ...         journal.add(COLUMNS.empty_table())
        ...     len(journal.latest())
        0
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._address = as_address(folder)
        self._store: Any = None if self._address is None else open_store(self._address.scheme)
        # Sorted by name, files are in the order of time.
        run = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{secrets.token_hex(4)}"
        self._names = (f"{run}-{number:06}.parquet" for number in itertools.count())
        self._waiting: list[pa.Table] = []
        self._flushed = time.monotonic()
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Locks the journal, and removes what a killed run left of a file.

        Raises:
            ConfigError: another run writes it.
            DataError: the folder cannot be made.
        """
        if self._address is not None:
            return self
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._cleanup.enter_context(locked(self.folder / _LOCK))
            for path in self.folder.glob(".*.tmp"):
                path.unlink(missing_ok=True)
        except BlockingIOError as error:
            raise ConfigError(
                f"another run writes the journal {self.folder}; wait for it, or choose another"
            ) from error
        except OSError as error:
            raise DataError(f"the journal {self.folder} cannot be written: {error.strerror or error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Writes pending rows."""
        with self._cleanup:
            self.flush()

    def add(self, rows: pa.Table) -> None:
        """Adds rows; they are written every 10 seconds, or with the next rows after that.

        Args:
            rows: rows with the columns `COLUMNS`.

        Raises:
            DataError: they cannot be written.
        """
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) >= _ROWS or time.monotonic() - self._flushed >= _SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes pending rows.

        Raises:
            DataError: they cannot be written.
        """
        rows = pa.concat_tables([COLUMNS.empty_table(), *self._waiting])
        self._waiting, self._flushed = [], time.monotonic()
        if len(rows):
            self._write(rows)

    def start(self) -> None:
        """Records the start of a run, before there are rows.

        Raises:
            DataError: it cannot be written.
        """
        self._write(COLUMNS.empty_table())

    @property
    def is_new(self) -> bool:
        """Whether no run has written it."""
        return next(self._files(), None) is None

    def _write(self, rows: pa.Table) -> None:
        pa.parquet.write_table(rows, file := io.BytesIO(), compression="zstd")
        name = next(self._names)
        try:
            if self._address is None:
                write_atomically(self.folder / name, file.getvalue())
            else:
                with explained(self._address, "written"):
                    self._store.pipe_file(f"{self._address.key}/{name}", file.getvalue())
        except OSError as error:
            raise DataError(f"the journal {self.folder} cannot be written: {error.strerror or error}") from error

    def latest(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Returns the last row of each key.

        Args:
            columns: columns of the table, among them `key`; `None` returns all.

        Raises:
            DataError: a file cannot be read, or is not of a journal.
        """
        schema = COLUMNS if columns is None else pa.schema([COLUMNS.field(name) for name in columns])
        tables = [self._read(name, schema) for name in self._files()]
        every = pa.concat_tables([schema.empty_table(), *tables])
        numbered = pa.table({"key": every["key"], "number": pa.array(range(len(every)), pa.int64())})
        last = numbered.group_by("key").aggregate([("number", "max")])["number_max"]
        return every.take(last.combine_chunks().sort())

    def _files(self) -> Iterator[str]:
        if self._address is None:
            names = [path.name for path in self.folder.glob("*.parquet")] if self.folder.is_dir() else []
        else:
            with explained(self._address, "read"):
                found = self._store.find(self._address.key)
            names = [PurePosixPath(str(key)).name for key in found if str(key).endswith(".parquet")]
        return iter(sorted(name for name in names if not name.startswith(".")))

    def _read(self, name: str, schema: pa.Schema) -> pa.Table:
        try:
            if self._address is None:
                data = (self.folder / name).read_bytes()
            else:
                with explained(self._address, "read"):
                    data = self._store.cat_file(f"{self._address.key}/{name}")
            return pa.parquet.read_table(io.BytesIO(data), columns=schema.names).select(schema.names).cast(schema)
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            raise DataError(
                f"{self.folder}/{name} is not a journal file of artcolor; choose another folder, or remove the file"
            ) from error


def write_report(rows: pa.Table, path: Path) -> None:
    """Writes rows of a journal as CSV.

    Args:
        rows: rows with the columns `COLUMNS`.
        path: path or address of the CSV.

    Raises:
        DataError: it cannot be written.
        ImageError: the store rejects it.
    """
    pa.csv.write_csv(rows, file := io.BytesIO())
    address: Address | None = as_address(path)
    try:
        if address is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Spreadsheets recognize UTF-8 by the byte order mark.
            write_atomically(path, b"\xef\xbb\xbf" + file.getvalue())
        else:
            with explained(address, "written"):
                open_store(address.scheme).pipe_file(address.key, b"\xef\xbb\xbf" + file.getvalue())
    except OSError as error:
        raise DataError(f"the report {path} cannot be written: {error.strerror or error}") from error
