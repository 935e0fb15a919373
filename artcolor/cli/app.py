"""The `artcolor` command, assembled from its groups."""

import logging
import os
import sys
from typing import Annotated

import typer
from rich.logging import RichHandler

from artcolor import __version__
from artcolor.cli import colorize, evaluate, export, iiif, inspect, publish, raw, serve, train, zoo
from artcolor.cli.help import EXIT_CODES, Group
from artcolor.cli.output import ERR, OUT, accept_any_encoding, complain
from artcolor.errors import NO_TORCH, ArtcolorError, ConfigError

app = typer.Typer(
    cls=Group,
    help="Colorize grayscale art: artcolor colorize a.png",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for group in (colorize, raw, iiif, serve, inspect, zoo, export, train, evaluate, publish):
    app.add_typer(group.app)


def main() -> None:
    """Runs the command. Errors that artcolor raises on purpose are printed without a traceback."""
    accept_any_encoding()
    if "_ARTCOLOR_COMPLETE" in os.environ:
        # Typer breaks descriptions to the width of the terminal, and shells take each line as a value.
        os.environ["COLUMNS"] = "1000"
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=ERR, show_path=False)])
    for name in ("botocore", "aiobotocore", "s3fs", "gcsfs"):
        # At the level of information they say where they found credentials.
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        # Otherwise it has the name of the file that runs, such as artcolor.exe.
        app(prog_name="artcolor")
    except ArtcolorError as error:
        complain("error", error)
        sys.exit(1)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "torchvision"):
            raise
        complain("error", ConfigError(f"this needs {NO_TORCH}"))
        sys.exit(1)
    except KeyboardInterrupt:
        ERR.print("interrupted")
        sys.exit(130)
    except OSError as error:
        # A name that the disk cannot hold, or a full disk behind standard output.
        what = f"{error.filename}: " if error.filename is not None else ""
        complain("error", f"{what}{error.strerror or error}")
        sys.exit(1)


def _version(requested: bool) -> None:
    if requested:
        OUT.print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass
