"""Reads CSV files as spreadsheets and editors save them."""

import csv
import io
import logging
from collections.abc import Collection
from pathlib import Path

from artcolor.errors import DataError

_LOG = logging.getLogger(__name__)
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_SEPARATORS = (",", ";", "\t")


def read_table(path: Path, columns: Collection[str], delimiter: str | None = None) -> list[dict[str, str]]:
    """Reads the rows of a CSV file.

    The encoding is UTF-8, with or without a byte order mark, or UTF-16 with one; text that is neither is read as
    Windows-1252, with a warning.

    Args:
        path: path of the file.
        columns: names of the columns that the table must have.
        delimiter: separator of the columns; `None` finds out whether it is a comma, a semicolon or a tab.

    Returns:
        The rows, by the names of their columns; missing cells are empty.

    Raises:
        DataError: the file cannot be read, or lacks a column.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table = Path(folder) / "metadata.csv"
        ...     _ = table.write_text("file_name;split\\na.png;train\\n", encoding="utf-16")
        ...     read_table(table, {"file_name", "split"})
        [{'file_name': 'a.png', 'split': 'train'}]
    """
    try:
        text = _decoded(path)
        found: list[str] = []
        for separator in _SEPARATORS if delimiter is None else (delimiter,):
            rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, restval="")
            names = [name.strip() for name in rows.fieldnames or ()]
            if set(columns) <= set(names):
                rows.fieldnames = names
                return list(rows)
            found = names if len(names) > len(found) else found
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(f"the table {path} cannot be read: {error}") from error
    missing = sorted(set(columns) - set(found))
    raise DataError(f"the table {path} lacks the columns {', '.join(missing)}; its columns are {', '.join(found)}")


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise
        _LOG.warning("%s is not UTF-8; reading it as Windows-1252. If names come out wrong, save it as UTF-8.", path)
        return data.decode("cp1252", "replace")
