"""The `artcolor` command. Torch is imported only by the commands that need it."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markdown import Markdown
from rich.progress import Progress, TaskID
from rich.table import Table

from artcolor import __version__
from artcolor.errors import ArtcolorError, ImageError

app = typer.Typer(help="Gives grayscale art its colours back.", no_args_is_help=True, pretty_exceptions_enable=False)
_OUT = Console()
_ERR = Console(stderr=True)


def main() -> None:
    """Runs the command; errors meant for people come without a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=_ERR, show_path=False)])
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
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def colorize(
    inputs: Annotated[list[Path], typer.Argument(metavar="IN...", help="Pictures and folders of pictures.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A file for one picture, else a folder.")],
    model: Annotated[str | None, typer.Option(help="A model's name or a weights file.")] = None,
    vividness: Annotated[float | None, typer.Option(min=0, help="0 is most accurate and brownish, 1 is vivid.")] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0.01, max=1, help="Lower is more decided; 1 takes the mean.")
    ] = None,
    size: Annotated[int | None, typer.Option(min=16, help="Working size in pixels.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace results that are already there.")] = False,
) -> None:
    """Colorize pictures, and folders with their sub-folders. Originals are never changed."""
    from artcolor.colorizer import DEFAULT_MODEL, Colorizer, plan_jobs, run_jobs

    jobs = plan_jobs(inputs, out)
    if not jobs:
        raise ImageError(f"there are no pictures in {', '.join(map(str, inputs))}")
    colorizer = Colorizer(model or DEFAULT_MODEL, vividness=vividness, temperature=temperature, size=size)
    failed = []
    with Progress(console=_ERR, transient=True) as bar:
        task = bar.add_task("colorizing", total=len(jobs))
        for job, error in run_jobs(colorizer, jobs, force=force):
            bar.advance(task)
            if error is not None:
                failed.append((job, error))
    done = len(jobs) - len(failed)
    _OUT.print(f"{done} of {len(jobs)} colorized" + (f" into {out}" if done else ""), highlight=False, soft_wrap=True)
    for job, error in failed:
        _ERR.print(f"[red]failed:[/red] {job.source}: {error}", highlight=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def models() -> None:
    """Print the zoo as a table."""
    from artcolor.zoo import card, manifest

    table = Table(*card.COLUMNS)
    for entry in manifest.entries().values():
        table.add_row(*card.table_row(entry))
    _OUT.print(table)


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


@app.command()
def evaluate(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Names or weights files, with settings: cnn:vividness=0")
    ],
    data: Annotated[Path, typer.Option(help="Folder of colour pictures.")],
    out: Annotated[Path, typer.Option(help="Folder for results.json, results.md and tables.")],
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    protocol: Annotated[str, typer.Option(help="paintings-256, report-200 or report-128.")] = "paintings-256",
    limit: Annotated[int | None, typer.Option(min=2, help="Only so many pictures of a fixed shuffle.")] = None,
) -> None:
    """Judge models beside trivial baselines. What was judged before is not judged again."""
    from artcolor.evaluate import benchmark

    with Progress(console=_ERR, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def progress(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done)

        results = benchmark.evaluate(
            models, data, split=split, protocol=protocol, out=out, limit=limit, progress=progress
        )
    _OUT.print(Markdown(results.to_markdown()))
