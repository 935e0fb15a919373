"""Lists labeled pictures from folders, CSV files and Hugging Face data sets."""

import importlib
import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artcolor.data.spec import LABELS, CsvSource, FolderSource, HuggingFaceSource, Label, Lookup, Source
from artcolor.data.tables import read_table
from artcolor.errors import DataError
from artcolor.images.walk import walk

_LOG = logging.getLogger(__name__)
_BOX_DRAWING = re.compile("[\u2500-\u257f]")


@dataclass(frozen=True)
class SourcePicture:
    """A picture of a source, not opened yet.

    Attributes:
        source: name of the source.
        path: path within the source; source and path together are unique.
        labels: label → its value; `""` if unknown.
        stamp: changes when the file changes; `""` if changes cannot be detected.
        read: returns the bytes of the file.
    """

    source: str
    path: str
    labels: Mapping[Label, str]
    stamp: str
    read: Callable[[], bytes]


def collect(source: Source) -> Iterator[SourcePicture]:
    """Yields the pictures of a source in a fixed order.

    Args:
        source: one of the sources of a spec.

    Raises:
        DataError: the source does not exist, does not have the layout or columns that the spec describes, or needs a
            package that is not installed.
    """
    if isinstance(source, FolderSource):
        yield from _from_folder(source)
    elif isinstance(source, CsvSource):
        yield from _from_csv(source)
    else:
        yield from _from_hugging_face(source)


def tidy_label(text: str) -> str:
    """Cleans a label: replaces underscores, composes accents and repairs names garbled by zip files.

    Args:
        text: label as found in a path or a table.

    Example:
        >>> tidy_label("Albrecht_Du╠êrer")
        'Albrecht Dürer'
    """
    # Names in zip files are often UTF-8 decoded as code page 437, sometimes twice. Such text contains box-drawing
    # characters, which do not occur in labels otherwise.
    while _BOX_DRAWING.search(text):
        try:
            text = text.encode("cp437").decode("utf-8")
        except UnicodeError:
            break
    return " ".join(unicodedata.normalize("NFC", text).replace("_", " ").split())


def label_key(text: str) -> str:
    """Returns a key that is equal for all spellings of a label: letters and digits without case and accents.

    Args:
        text: label in any spelling.

    Example:
        >>> label_key("Post_Impressionism") == label_key("post-impressionism")
        True
    """
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in plain if character.isalnum())


def compile_layout(layout: str) -> re.Pattern[str]:
    """Compiles a pattern such as `"images/{artist}/*"` into a regular expression for whole paths.

    Args:
        layout: pattern in which `*` matches anything but `/`, `**` anything, `**/` any number of folders, and
            `{artist}`, `{style}` and `{genre}` one or more characters except `/`, as many as possible.

    Returns:
        A case-insensitive expression with a named group for each label.
    """
    parts = []
    for part in re.split(r"(\*\*/|\*\*|\*|\{\w+\})", layout):
        if part.startswith("{"):
            parts.append(f"(?P<{part[1:-1]}>[^/]+)")
        else:
            parts.append({"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}.get(part) or re.escape(part))
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _labels(source: Source, found: Mapping[Label, str]) -> dict[Label, str]:
    aliases = {label_key(old): new for old, new in source.aliases.items()}

    def clean(value: str) -> str:
        tidy = tidy_label(value)
        key = label_key(tidy)
        return aliases.get(key, tidy) if key else ""

    return {label: clean(found.get(label) or "") or source.labels.get(label, "") for label in LABELS}


def _on_disk(source: Source, root: Path, path: str, labels: Mapping[Label, str]) -> SourcePicture:
    file = root / path
    try:
        status = file.stat()
        stamp = f"{status.st_size}-{status.st_mtime_ns}"
    except OSError:
        stamp = ""
    return SourcePicture(source.name, _printable(path), labels, stamp, file.read_bytes)


def _printable(path: str) -> str:
    # File names from old zip files may not be UTF-8; surrogates cannot be written to CSV or HTML.
    return path.encode("utf-8", "backslashreplace").decode()


def _folder(source: FolderSource | CsvSource) -> Path:
    if not source.path.is_dir():
        raise DataError(
            f"source {source.name!r}: there is no folder {source.path}. Put the pictures there, or change `path`."
        )
    return source.path


def _from_folder(source: FolderSource) -> Iterator[SourcePicture]:
    root = _folder(source)
    paths = sorted(path.relative_to(root).as_posix() for path in walk(root) if not path.is_dir())
    for layout in source.layouts:
        pattern = compile_layout(layout)
        matches = [(path, match) for path in paths if (match := pattern.fullmatch(_printable(path)))]
        if matches:
            break
    else:
        example = f", for example {paths[0]}" if paths else ""
        raise DataError(
            f"source {source.name!r}: of {len(paths)} pictures below {root}, none matches {list(source.layouts)}"
            f"{example}. Change `layouts` in the spec."
        )
    _LOG.info("%s: %d of %d pictures match %s", source.name, len(matches), len(paths), layout)
    lookup = _read_lookup(source, root) if source.lookup else {}
    for path, match in matches:
        found: dict[Label, str] = {label: match.groupdict().get(label) or "" for label in LABELS}
        if source.lookup:
            looked_up = lookup.get(label_key(_labels(source, found)[source.lookup.by]), {})
            found = {label: found[label] or looked_up.get(label, "") for label in LABELS}
        yield _on_disk(source, root, path, _labels(source, found))


def _rows(source: Source, table: Path, delimiter: str, needed: set[str]) -> Iterator[dict[str, str]]:
    try:
        yield from read_table(table, needed, delimiter)
    except DataError as error:
        raise DataError(f"source {source.name!r}: {error}. Correct the table, or the names in the spec.") from error


def _read_lookup(source: FolderSource, root: Path) -> dict[str, dict[Label, str]]:
    assert source.lookup is not None
    lookup: Lookup = source.lookup
    result = {}
    for row in _rows(source, root / lookup.file, ",", {lookup.key, *lookup.columns.values()}):
        key = label_key(_labels(source, {lookup.by: row[lookup.key]})[lookup.by])
        result[key] = {
            label: row[column].split(lookup.separator)[0] if lookup.separator else row[column]
            for label, column in lookup.columns.items()
        }
    return result


def _from_csv(source: CsvSource) -> Iterator[SourcePicture]:
    root = _folder(source)
    for row in _rows(source, root / source.table, source.delimiter, {source.file, *source.columns.values()}):
        if path := row[source.file].strip():
            found = {label: row[column] for label, column in source.columns.items()}
            yield _on_disk(source, root, Path(path).as_posix(), _labels(source, found))


def _from_hugging_face(source: HuggingFaceSource) -> Iterator[SourcePicture]:
    try:
        datasets: Any = importlib.import_module("datasets")
    except ImportError as error:
        raise DataError(
            f"source {source.name!r} is a Hugging Face data set and needs the package datasets. Install it with "
            "`pip install datasets`."
        ) from error
    try:
        rows = datasets.load_dataset(
            source.repo, source.config, split=source.split, revision=source.revision, streaming=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"source {source.name!r}: {source.repo} cannot be opened: {error}") from error
    features = rows.features or {}
    columns = set(features or rows.column_names or ())
    if columns and (missing := {source.image, *source.columns.values()} - columns):
        raise DataError(
            f"source {source.name!r}: {source.repo} has no column {sorted(missing)}; its columns are "
            f"{sorted(columns)}. Correct the column names in the spec."
        )
    # Without decoding, a damaged picture does not end the stream.
    rows = rows.cast_column(source.image, datasets.Image(decode=False))
    if source.limit is not None:
        rows = rows.take(source.limit)
    try:
        for number, row in enumerate(rows):
            yield _from_row(source, number, row, features)
    except Exception as error:  # Network, file system and parser raise many types.
        raise DataError(
            f"source {source.name!r}: reading {source.repo} failed: {error}. Run the same command again to resume."
        ) from error


def _from_row(
    source: HuggingFaceSource, number: int, row: Mapping[str, Any], features: Mapping[str, Any]
) -> SourcePicture:
    found = {label: _class_name(features.get(column), row[column]) for label, column in source.columns.items()}
    image = row[source.image] or {}
    name = Path(image.get("path") or "").name
    path = f"{source.split}/{number:07d}" + (f"/{name}" if name else "")
    return SourcePicture(source.name, path, _labels(source, found), "", lambda: _bytes_of(image))


def _class_name(feature: Any, value: Any) -> str:
    if value is None or (isinstance(value, int) and value < 0):
        return ""
    return str(feature.int2str(value)) if hasattr(feature, "int2str") else str(value)


def _bytes_of(image: Mapping[str, Any]) -> bytes:
    data, path = image.get("bytes"), image.get("path")
    if data is None and path:
        return Path(path).read_bytes()
    if data is None:
        raise FileNotFoundError("the row contains no picture")
    return bytes(data)


def one_spelling(labels: list[str]) -> dict[str, str]:
    """Chooses one spelling for labels that are spelled differently across sources.

    Args:
        labels: values of one label, one per picture.

    Returns:
        `label_key` → the spelling to use: the most frequent one with capitals, or the most frequent one if all are
        lower case.

    Example:
        >>> one_spelling(["vincent-van-gogh", "vincent-van-gogh", "Vincent van Gogh"])["vincentvangogh"]
        'Vincent van Gogh'
    """
    best: dict[str, tuple[bool, int, str]] = {}
    for text, number in Counter(labels).items():
        key, rank = label_key(text), (text == text.lower(), -number, text)
        best[key] = min(best.get(key, rank), rank)
    return {key: text for key, (_, _, text) in best.items()}
