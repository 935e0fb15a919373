"""The rows of a run, one for each picture: from a manifest, or from a folder."""

import functools
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from artcolor.batch.addresses import as_address, path_of, without_secrets
from artcolor.batch.mirror import Mirror
from artcolor.batch.names import folded
from artcolor.batch.plan import check_results, plan_jobs
from artcolor.batch.stores import explained, open_store
from artcolor.engine.hint_files import open_hints
from artcolor.engine.hints import read_palette
from artcolor.errors import ArtcolorError, ConfigError, DataError, ImageError
from artcolor.images import SUFFIXES, output_suffix
from artcolor.images.formats import UNSUPPORTED
from artcolor.models.guidance import guided
from artcolor.models.options import ModelOptions

MANIFESTS = (".parquet", ".csv")
"""Suffixes of manifests."""

ROWS = pa.schema(
    [
        ("key", pa.string()),
        ("uri", pa.string()),
        ("result", pa.string()),
        ("found", pa.bool_()),
        ("hints", pa.list_(pa.string())),
        ("options", pa.string()),
    ]
)
"""What is known of each picture: its key, where original and result are, whether the original was found in a folder
(and not named), its hints files, and options of its own as JSON."""

# A manifest's row has one result.
_OPTIONS = frozenset(ModelOptions.__annotations__) - {"samples"}
_FILES = ("hints", "reference")
_LONGEST_NAME = 255
_DISK = re.compile(r"[A-Za-z]:")


def is_manifest(source: Path) -> bool:
    """Whether a source is a manifest by its suffix; a folder may have any name.

    Args:
        source: a path or an address.

    Example:
        >>> is_manifest(Path("scans.csv")), is_manifest(Path("scans"))
        (True, False)
    """
    return source.suffix.lower() in MANIFESTS and (as_address(source) is not None or not source.is_dir())


def read_rows(source: Path, out: Path, *, format: str | None = None, hints: Path | None = None) -> pa.Table:
    """Reads a manifest or lists a folder, and decides where each result goes.

    Args:
        source: path or address of a manifest or a folder.
        out: path or address of the folder of the results.
        format: format of all results; `None` keeps that of each original, or takes the nearest that can hold color.
        hints: a folder of hints files, if `source` is a folder on disk (see `artcolor.batch.plan.plan_jobs`).

    Returns:
        A table of `ROWS`. Paths in it are absolute.

    Raises:
        DataError: the manifest cannot be read, lacks columns, or has an invalid row.
        ConfigError: a path or an option in a row is invalid.
        ImageError: there is no such file or folder, or it has no pictures; or two results would be one file.
    """
    for path in (source, out):
        if getattr(as_address(path), "scheme", None) == "memory":
            raise ConfigError(f"{path} is in the memory of this process, where workers cannot see it; use files or s3")
    if is_manifest(source):
        if hints is not None:
            raise ConfigError("a manifest names hints in its column options; leave out --hints")
        return _from_manifest(source, out, format)
    return _from_folder(source, out, format, hints)


def _from_folder(source: Path, out: Path, format: str | None, hints: Path | None) -> pa.Table:
    if as_address(source) is None and not source.is_dir():
        what = "is one file" if source.exists() else "does not exist"
        raise ImageError(f"{source} {what}; give a folder, or a manifest (.parquet or .csv)")
    with Mirror() as mirror:
        folder, target = mirror.input(source), mirror.output(out)
        if as_address(source) is None:
            folder = _absolute(folder)
        if not folder.is_dir():
            raise ImageError(f"{source} is one file; give a folder, or a manifest (.parquet or .csv)")
        assert target is not None
        if as_address(out) is None:
            target = _absolute(target)
        if hints is not None:
            hints = _absolute(hints)
        jobs = plan_jobs([folder], target, format=format, hints=hints, into_folder=True)
        if not jobs:
            raise ImageError(f"there are no pictures in {source}")
        check_results(jobs)
        columns = {
            "key": [job.source.relative_to(folder).as_posix() for job in jobs],
            "uri": [mirror.named(job.source) for job in jobs],
            "result": [mirror.named(job.target) for job in jobs],
            "found": [True] * len(jobs),
            "hints": [[str(path) for path in job.hints] for job in jobs],
            "options": [""] * len(jobs),
        }
    for job in jobs:
        if not _is_unicode(str(job.source)):
            shown = str(job.source).encode(errors="backslashreplace").decode()
            raise ImageError(f"the name of {shown} is not UTF-8, as keys of a journal are; rename it")
    return pa.table(columns, schema=ROWS)


def _from_manifest(source: Path, out: Path, format: str | None) -> pa.Table:
    table = _read(source)
    keys, uris = table["key"], table["uri"]
    if not len(table):
        raise DataError(f"{source} has no rows")
    for name, column in (("key", keys), ("uri", uris)):
        empty = pc.or_kleene(pc.is_null(column), pc.equal(column, "")).to_pylist()
        if True in empty:
            raise DataError(f"{source}: row {empty.index(True) + 1} has no {name}")
    _refuse_duplicates(keys, lambda key: DataError(f"{source}: the key {key!r} is there more than once"))
    folder = out if as_address(out) is not None else _absolute(out)
    names, originals = [], []
    for number, (key, uri) in enumerate(zip(keys.to_pylist(), uris.to_pylist(), strict=True), 1):
        try:
            originals.append(_original(uri))
            names.append(_name(key, uri, format))
        except ArtcolorError as error:
            raise DataError(f"{source}: row {number}: {error}") from error
    same = pa.array([folded(name) for name in names])

    def collision(name: str) -> DataError:
        first, second = (keys[number].as_py() for number in pc.indices_nonzero(pc.equal(same, name)).to_pylist()[:2])
        return DataError(
            f"{source}: the results of {first!r} and {second!r} would have the same name, at least on "
            "file systems that ignore case; change one of the keys"
        )

    _refuse_duplicates(same, collision)
    _refuse_folders(source, keys, same)
    base = str(folder)
    results = [f"{base}/{name}" for name in names]
    place = _places()
    replaced = pc.is_in(pa.array(map(place, originals)), value_set=pa.array(map(place, results))).to_pylist()
    if True in replaced:
        raise DataError(
            f"{source}: a result would replace the original {originals[replaced.index(True)]}; choose another -o"
        )
    hints, options = _options(source, table["options"])
    found = [False] * len(names)
    columns = {"key": keys, "uri": originals, "result": results, "found": found, "hints": hints, "options": options}
    return pa.table(columns, schema=ROWS)


def _read(source: Path) -> pa.Table:
    """Reads the columns `key`, `uri` and `options` of a manifest as text."""
    address = as_address(source)
    try:
        if address is None:
            with source.open("rb") as file:
                table = _parsed(file, source)
        else:
            with explained(address, "read"), open_store(address.scheme).open(address.key) as file:
                table = _parsed(file, source)
        if "options" not in table.column_names:
            table = table.append_column("options", pa.nulls(len(table), pa.string()))
        return pa.table({name: _text(table[name], name) for name in ("key", "uri", "options")})
    except OSError as error:
        raise DataError(f"the manifest {source} cannot be read: {error.strerror or error}") from error
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = without_secrets(str(error).partition("\n")[0])
        raise DataError(f"the manifest {source} cannot be read: {reason}") from error


def _text(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        what = "text with JSON" if name == "options" else "text"
        raise pa.ArrowInvalid(f"its column {name} must be {what}, not {str(column.type)[:100]}") from error


def _parsed(file: Any, source: Path) -> pa.Table:
    if source.suffix.lower() == ".parquet":
        names = pa.parquet.read_schema(file).names
        _check_columns(names, source)
        file.seek(0)
        return pa.parquet.read_table(file, columns=[name for name in names if name in ("key", "uri", "options")])
    # Numbers keep their leading zeros.
    text = {name: pa.string() for name in ("key", "uri", "options")}
    table = pa.csv.read_csv(
        file,
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(column_types=text, strings_can_be_null=False),
    )
    _check_columns(table.column_names, source)
    return table


def _check_columns(names: Sequence[str], source: Path) -> None:
    for name in ("key", "uri"):
        if names.count(name) != 1:
            there = ", ".join(names)[:200]
            raise DataError(f"{source} must have one column {name!r}, but has: {there}")


def _refuse_duplicates(column: pa.ChunkedArray | pa.Array, error: Callable[[Any], DataError]) -> None:
    if pc.count_distinct(column).as_py() < len(column):
        counted = pc.value_counts(column)
        twice = counted.filter(pc.greater(pc.struct_field(counted, "counts"), 1))
        raise error(twice[0]["values"].as_py())


def _refuse_folders(source: Path, keys: pa.ChunkedArray, names: pa.Array) -> None:
    """Refuses results in whose place others need a folder: a.png and a.png/b.png."""
    folders: dict[str, int] = {}
    for number, name in enumerate(names.to_pylist()):
        folder = name.rpartition("/")[0]
        while folder and folder not in folders:
            folders[folder] = number
            folder = folder.rpartition("/")[0]
    taken = pc.indices_nonzero(pc.is_in(names, value_set=pa.array(folders, pa.string())))
    if len(taken):
        number = taken[0].as_py()
        first, second = keys[number].as_py(), keys[folders[names[number].as_py()]].as_py()
        raise DataError(
            f"{source}: the result of {first!r} would be a file where {second!r} needs a folder; change one of the keys"
        )


def _places() -> Callable[[str], str]:
    """Makes a function that tells the place of a file whatever links lead there; addresses stay."""
    real_folder = functools.lru_cache(maxsize=100_000)(os.path.realpath)

    def place(path: str) -> str:
        if "://" in path:
            return path
        folder, name = os.path.split(path)
        return os.path.join(real_folder(folder), folded(name))  # noqa: PTH118 (there may be millions)

    return place


def _name(key: str, uri: str, format: str | None) -> str:
    """Makes the name of a result, relative to the output folder."""
    parts = key.split("/")
    if key.startswith("/") or _DISK.match(key) or "\\" in key or "\0" in key or {"", ".", ".."} & set(parts):
        raise DataError(
            f"the key {key[:100]!r} is no name inside of a folder; keys are like box 1/page 7, without leading slashes "
            "and without .."
        )
    path = PurePosixPath(key)
    known = _is_suffix(path.suffix)
    suffix = _suffix(path.suffix if known else PurePosixPath(uri).suffix, format)
    name = str(path.with_suffix(suffix)) if known else f"{key}{suffix}"
    if any(len(part.encode()) > _LONGEST_NAME for part in name.split("/")):
        raise DataError(f"the key {key[:100]!r} is too long for the name of a file ({_LONGEST_NAME} bytes)")
    return name


def _is_suffix(suffix: str) -> bool:
    return suffix.lower() in SUFFIXES or suffix.lower() in UNSUPPORTED


@functools.lru_cache(maxsize=1000)
def _suffix(suffix: str, format: str | None) -> str:
    if format is not None:
        return f".{format.lower().removeprefix('.')}"
    if not _is_suffix(suffix):
        raise DataError(
            "neither the key nor the uri ends in the suffix of a picture, so the format of the result is unknown; "
            "name one with --format"
        )
    return output_suffix(suffix)


def _original(uri: str) -> str:
    path = path_of(uri)
    address = as_address(path)
    if address is None:
        if re.match(r"[a-z][a-z0-9+.-]+:/|data:", uri, re.IGNORECASE):
            raise DataError(f"{without_secrets(uri)[:100]} is an address that is not read; give a path, s3:// or gs://")
        return os.path.abspath(path)  # noqa: PTH100 (a link keeps its name)
    if address.scheme == "memory":
        raise DataError(f"{uri[:100]} is in the memory of this process, where workers cannot see it")
    return str(address)


def _options(source: Path, column: pa.ChunkedArray) -> tuple[list[list[str]], list[str]]:
    """Checks the options of all rows: each text once, as most rows have the same."""
    texts = column.to_pylist()
    checked: dict[str | None, tuple[list[str], str]] = {None: ([], ""), "": ([], "")}
    for number, text in enumerate(texts, 1):
        if text not in checked:
            try:
                checked[text] = _checked(text)
            except (ArtcolorError, TypeError) as error:
                raise DataError(f"{source}: row {number}: {error}") from error
    return [checked[text][0] for text in texts], [checked[text][1] for text in texts]


def _checked(text: str) -> tuple[list[str], str]:
    try:
        given = json.loads(text)
    except ValueError as error:
        raise DataError(f'options must be JSON, such as {{"vividness": 1}}, not {text[:100]!r}') from error
    if not isinstance(given, Mapping):
        raise DataError(f"options must be a JSON object, not {text[:100]!r}")
    unknown = sorted(set(given) - _OPTIONS)
    if unknown:
        raise DataError(f"a row cannot have the option {unknown[0]!r}; there are: {', '.join(sorted(_OPTIONS))}")
    options = dict(given)
    for name in _FILES:
        if isinstance(options.get(name), str):
            if as_address(path_of(options[name])) is not None:
                raise DataError(f"{name} must be a file that all workers can open, not an address")
            options[name] = str(_absolute(path_of(options[name])))
    if "palette" in options:
        read_palette(options["palette"])
    guided(options)
    if "hints" in options and not isinstance(options["hints"], str):
        open_hints(options["hints"])
    hints = [options.pop("hints")] if isinstance(options.get("hints"), str) else []
    return hints, json.dumps(options, sort_keys=True) if options else ""


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 (a link keeps its name)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def targets_by_folder(results: Iterable[str]) -> dict[Path, list[Path]]:
    """Groups results on disk by their folder; those in stores are left out.

    Args:
        results: paths and addresses.

    Returns:
        Folder → paths of the results in it.

    Example:
        >>> targets_by_folder(["/out/a.png", "s3://museum/b.png"])
        {PosixPath('/out'): [PosixPath('/out/a.png')]}
    """
    folders: dict[Path, list[Path]] = {}
    for result in results:
        path = path_of(result)
        if as_address(path) is None:
            folders.setdefault(path.parent, []).append(path)
    return folders
