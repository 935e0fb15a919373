"""`artcolor colorize` with `-`: from standard input, to standard output, or both."""

import io
import sys
from pathlib import Path
from typing import Any

from artcolor.cli.inputs import PIPE, STANDARD_INPUT, check_open
from artcolor.cli.output import grouped_warnings
from artcolor.cli.request import Request
from artcolor.errors import ConfigError, ImageError

# They give more or fewer files than one result, or lines on standard output.
_REFUSED = (
    *("files_from", "layers", "card", "report", "workers", "watch"),
    *("skip_colored", "samples", "uncertainty", "resume", "verbose", "json"),
)


class _Input(io.BytesIO):
    """The bytes of standard input. Decoders seek in them, which a pipe does not allow."""

    name = STANDARD_INPUT


class _Output:
    """Standard output."""

    name = "standard output"

    def write(self, data: bytes) -> None:
        """Writes all of `data`."""
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def colorize_pipe(request: Request) -> None:
    """Colorizes one picture where the input, the output or both are `-`.

    Args:
        request: arguments and options of the command.

    Raises:
        ConfigError: there is not exactly one picture and one result, or `-` is a terminal.
        ImageError: the picture cannot be read, or the result cannot be written.
        WeightsError: the weights are missing or damaged.
    """
    request.refuse(_REFUSED, "-")
    _check(request)
    source, out = request.inputs[0], request.out
    data = _Input(sys.stdin.buffer.read()) if source == PIPE else source
    _check_header(request, data)
    colorizer = request.colorizer()

    from artcolor.batch.pipe import colorize_stream

    target: Any = _Output() if out == PIPE else out
    try:
        with request.showing.warnings():
            colorize_stream(colorizer, data, target, request.saving)
    except ImageError as error:
        if isinstance(error.__cause__, BrokenPipeError):
            # The reader closed the pipe, as `head` does; typer ends the command without a message.
            raise error.__cause__ from None
        raise
    if out != PIPE:
        request.showing.say(f"1 of 1 colorized into {out}")


def _check(request: Request) -> None:
    inputs, out, saving = request.inputs, request.out, request.saving
    if len(inputs) != 1 and PIPE in inputs:
        raise ConfigError("- reads a single picture from standard input and cannot be combined with other inputs")
    if len(inputs) != 1 or inputs[0].is_dir():
        what = f"{len(inputs)} inputs" if len(inputs) != 1 else f"the folder {inputs[0]}"
        raise ConfigError(
            f"-o - writes a single picture to standard output, but {what} may give several; give a folder"
        )
    if out is None or (out != PIPE and (out.is_dir() or request.into_folder or not out.suffix)):
        example = (out or Path()) / "out.png"
        raise ConfigError(f"the picture from standard input has no name; give a file as -o, such as {example}")
    if out != PIPE and out.exists() and not saving.force:
        raise ImageError(f"{out} already exists; --force replaces it")
    if inputs[0] == PIPE:
        check_open(sys.stdin, "standard input")
    if out == PIPE:
        check_open(sys.stdout, "standard output")
    if inputs[0] == PIPE and sys.stdin.isatty():
        raise ConfigError("standard input is a terminal; pipe a picture into it: artcolor colorize - -o - < IN > OUT")
    if out == PIPE and sys.stdout.isatty():
        raise ConfigError("standard output is a terminal; redirect it to a file or a program: -o - > OUT")

    from artcolor.batch.plan import plan_jobs
    from artcolor.images import check_settings

    if out != PIPE:
        # A suffix that contradicts the format is an error.
        plan_jobs(inputs, out, format=saving.format)
    if out != PIPE or saving.format is not None:
        name = _Output.name if out == PIPE else out
        check_settings(name, format=saving.format, quality=saving.quality, depth=saving.depth)


def _check_header(request: Request, source: Path | _Input) -> None:
    from artcolor.images import open_file

    saving = request.saving
    with (
        grouped_warnings(show=False),
        open_file(source, max_pixels=saving.max_pixels, allow_truncated=saving.allow_truncated),
    ):
        pass
    if isinstance(source, _Input):
        source.seek(0)
