"""The `artcolor` command, assembled from its groups."""

import logging
import sys
from typing import Annotated

import typer
from rich.logging import RichHandler

from artcolor import __version__
from artcolor.cli import colorize, evaluate, export, train, zoo
from artcolor.cli.output import ERR, OUT, accept_any_encoding, complain
from artcolor.errors import ArtcolorError, ConfigError

app = typer.Typer(help="Colorize grayscale art.", no_args_is_help=True, pretty_exceptions_enable=False)
for group in (colorize, zoo, export, train, evaluate):
    app.add_typer(group.app)


def main() -> None:
    """Runs the command. Errors that artcolor raises on purpose are printed without a traceback."""
    accept_any_encoding()
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=ERR, show_path=False)])
    try:
        app()
    except ArtcolorError as error:
        complain("error", error)
        sys.exit(1)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "torchvision"):
            raise
        complain("error", ConfigError("this needs PyTorch, which is not installed: pip install torch torchvision"))
        sys.exit(1)
    except KeyboardInterrupt:
        ERR.print("interrupted")
        sys.exit(130)


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
