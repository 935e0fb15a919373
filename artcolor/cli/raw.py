"""`artcolor pipe`."""

import re
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from artcolor.cli.checks import check_device, check_files
from artcolor.cli.help import COLORIZING, EXIT_CODES, Command
from artcolor.cli.inputs import check_open
from artcolor.cli.options import ModelName, with_coloring_options
from artcolor.cli.output import extra
from artcolor.cli.stopping import stoppable
from artcolor.engine.options import DEFAULT_MODEL
from artcolor.errors import ConfigError
from artcolor.zoo.names import check_name

app = typer.Typer()

_LARGEST = 1 << 16


class PixelFormat(StrEnum):
    """Pixel formats of the input."""

    gray = "gray"
    rgb24 = "rgb24"


@app.command(cls=Command, rich_help_panel=COLORIZING, epilog=EXIT_CODES)
@with_coloring_options("samples", "skip_colored", "chroma_only", renamed={"size": "working_size"})
def pipe(
    size: Annotated[str, typer.Option(metavar="WxH", help="Width and height of the frames, such as 720x576.")],
    pix_fmt: Annotated[
        PixelFormat, typer.Option("--pix-fmt", metavar="NAME", help="Pixel format of the input: gray or rgb24.")
    ] = PixelFormat.gray,
    model: ModelName = DEFAULT_MODEL,
    **options: Any,
) -> None:
    """Colorize raw frames from standard input, and write them to standard output as rgb24.

    ffmpeg -i IN -f rawvideo -pix_fmt gray - | artcolor pipe --size 720x576 |
    ffmpeg -f rawvideo -pix_fmt rgb24 -s 720x576 -r 25 -i - OUT
    """
    width_and_height = _size(size)
    check_name(model)
    check_device(options["device"])
    check_files(options)
    options["size"] = options.pop("working_size")
    for stream, name in ((sys.stdin, "standard input"), (sys.stdout, "standard output")):
        check_open(stream, name)
        if stream.isatty():
            raise ConfigError(
                f"{name} is a terminal; run artcolor pipe between two programs, as artcolor pipe --help shows"
            )
    with extra("video"):
        from artcolor.video.raw import colorize_raw
    from artcolor.engine.colorizer import Colorizer

    with stoppable() as stop:
        colorizer = Colorizer(model, **options)
        colorize_raw(colorizer, sys.stdin.buffer, sys.stdout.buffer, width_and_height, pix_fmt.value)
        sys.stdout.buffer.flush()
    if stop.status is not None:
        raise typer.Exit(stop.status)


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    width, height = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (0 < width < _LARGEST and 0 < height < _LARGEST):
        raise ConfigError(f"--size must be the width and height in pixels, such as 720x576, not {text!r}")
    return width, height
