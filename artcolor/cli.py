"""The `artcolor` command. Torch is imported only by the commands that need it."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler

from artcolor import __version__
from artcolor.errors import ArtcolorError

app = typer.Typer(
    help="Gives grayscale art its colours back.", no_args_is_help=True, pretty_exceptions_enable=False
)
_OUT = Console()
_ERR = Console(stderr=True)


def main() -> None:
    """Runs the command; errors meant for people come without a traceback."""
    logging.basicConfig(
        level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=_ERR, show_path=False)]
    )
    try:
        app()
    except ArtcolorError as error:
        _ERR.print(f"[red]error:[/red] {error}", soft_wrap=True, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        _ERR.print("interrupted")
        sys.exit(130)


def _version(asked: bool) -> None:
    if asked:
        _OUT.print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (cnn) or a YAML file.")],
    data: Annotated[Path, typer.Option(help="Folder of pictures, with metadata.csv or train/ and val/.")],
    out: Annotated[Path, typer.Option(help="Folder for weights, log and checkpoints.")],
    init: Annotated[str | None, typer.Option(help="A model or weights file to start from.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Train so many steps.")] = None,
    checkpoint_every: Annotated[int | None, typer.Option(help="Steps between checkpoints.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Replace a key of the recipe: key=value.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Time 20 steps and forecast the whole.")] = False,
) -> None:
    """Train a model by a recipe. The same command again resumes."""
    from artcolor.train import command
    from artcolor.train.callbacks import ProgressBar

    overrides = command.parse_overrides(set_ or [])
    if max_steps is not None:
        overrides["steps"] = max_steps
    if checkpoint_every is not None:
        overrides["checkpoint_every"] = checkpoint_every
    trainer = command.make_trainer(
        command.load_recipe(recipe, overrides), data, out, init=init, callbacks=[ProgressBar()]
    )
    if dry_run:
        for line in command.dry_run(trainer):
            _OUT.print(line, highlight=False)
        return
    result = trainer.fit()
    if trainer.accelerator.is_main_process:
        _OUT.print(f"finished: {result}", highlight=False)
