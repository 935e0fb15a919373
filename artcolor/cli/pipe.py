"""What `artcolor colorize` takes from standard input, a picture or a list, and writes to standard output."""

import codecs
import io
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from artcolor.batch.saving import Saving
from artcolor.cli.output import grouped_warnings, say
from artcolor.cli.startup import without_garbage_collection
from artcolor.errors import ConfigError, ImageError

PIPE = Path("-")


class _Input(io.BytesIO):
    """What came from standard input. Decoders go to and fro in it, which a pipe does not allow."""

    name = "standard input"


class _Output:
    """Standard output."""

    name = "standard output"

    def write(self, data: bytes) -> None:
        """Writes all of `data`."""
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def listed(source: Path) -> list[Path]:
    """Reads the paths that a list names, one a line, or separated by NUL if the list contains NUL.

    Args:
        source: the list; `-` is standard input.

    Raises:
        ConfigError: the list cannot be read, or names nothing.
    """
    name = _Input.name if source == PIPE else str(source)
    if source == PIPE and sys.stdin.isatty():
        raise ConfigError("standard input is a terminal; pipe a list of files into it, or give --files-from a file")
    try:
        data = sys.stdin.buffer.read() if source == PIPE else source.read_bytes()
    except OSError as error:
        raise ConfigError(f"the list of files {name} cannot be read: {error.strerror or error}") from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # Windows PowerShell writes lists like this.
        data = data.decode("utf-16", "surrogatepass").encode(errors="surrogatepass")
    data = data.removeprefix(codecs.BOM_UTF8)
    names = data.split(b"\0") if b"\0" in data else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    paths = [Path(os.fsdecode(each)) for each in names if each.strip()]
    if not paths:
        raise ConfigError(f"{name} lists no files; give one path a line")
    return paths


def colorize_pipe(
    inputs: Sequence[Path],
    out: Path,
    model: str | None,
    saving: Saving,
    options: Mapping[str, Any],
    others: Mapping[str, Any],
) -> None:
    """Colorizes one picture where the input, the output or both are `-`.

    Args:
        inputs: as given; a single one.
        out: as given.
        model: as given.
        saving: how the result is written.
        options: of colorizing.
        others: further options as given, none of which goes with `-`.

    Raises:
        ConfigError: something else than a single picture and result is asked for, or `-` is a terminal.
        ImageError: the picture cannot be read, or the result cannot be written.
    """
    _check(inputs, out, saving, dict(others) | {name: options[name] for name in ("skip_colored",)}, options["samples"])
    if out != PIPE:
        from artcolor.batch.plan import plan_jobs

        # A suffix that contradicts the format is an error.
        plan_jobs(inputs, out, format=saving.format)
    elif saving.format is not None:
        from artcolor.images import format_of

        format_of(_Output.name, saving.format)
    with without_garbage_collection():
        from artcolor.batch.pipe import colorize_stream
        from artcolor.engine.colorizer import DEFAULT_MODEL, Colorizer

        colorizer = Colorizer(model or DEFAULT_MODEL, **options)
    source = _Input(sys.stdin.buffer.read()) if inputs[0] == PIPE else inputs[0]
    target: Any = _Output() if out == PIPE else out
    try:
        with grouped_warnings():
            colorize_stream(colorizer, source, target, saving)
    except ImageError as error:
        if isinstance(error.__cause__, BrokenPipeError):
            # Whoever reads has seen enough, as `head` does; the command ends as others do.
            raise error.__cause__ from None
        raise
    if out != PIPE:
        say(f"1 of 1 colorized into {out}")


def _check(inputs: Sequence[Path], out: Path, saving: Saving, others: Mapping[str, Any], samples: int) -> None:
    refused = {**others, "samples": samples > 1, "uncertainty": saving.uncertainty, "resume": saving.resume}
    for name, value in refused.items():
        if value:
            raise ConfigError(f"--{name.replace('_', '-')} cannot be combined with -; leave it out")
    if len(inputs) != 1 and PIPE in inputs:
        raise ConfigError("- reads one picture from standard input and cannot be mixed with other inputs")
    if len(inputs) != 1 or inputs[0].is_dir():
        what = f"{len(inputs)} inputs" if len(inputs) != 1 else f"the folder {inputs[0]}"
        raise ConfigError(f"-o - writes one picture to standard output, but {what} may give several; name a folder")
    if out != PIPE and (out.is_dir() or not out.suffix):
        raise ConfigError(f"the picture from standard input has no name; give a file as -o, such as {out / 'out.png'}")
    if inputs[0] == PIPE and sys.stdin.isatty():
        raise ConfigError("standard input is a terminal; pipe a picture into it: artcolor colorize - -o - < IN > OUT")
    if out == PIPE and sys.stdout.isatty():
        raise ConfigError("standard output is a terminal; send the picture into a file or a program: -o - > OUT")
