"""`artcolor train` and `artcolor dataset build`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from artcolor.cli.checks import check_data
from artcolor.cli.help import TRAINING, Command, Group
from artcolor.cli.output import ERR, extra, say
from artcolor.zoo.names import check_name

app = typer.Typer()


@app.command(cls=Command, rich_help_panel=TRAINING)
def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="Name of a shipped recipe, such as cnn, or a YAML file.")
    ],
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of pictures, with metadata.csv or subfolders train/ and val/.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Output folder for weights, log and checkpoints.")],
    init: Annotated[str | None, typer.Option(metavar="NAME", help="Model or weights file to start from.")] = None,
    max_steps: Annotated[int | None, typer.Option(metavar="N", help="Number of optimizer steps.")] = None,
    checkpoint_every: Annotated[int | None, typer.Option(metavar="N", help="Steps between checkpoints.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a setting of the recipe. Repeat for more."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Time 20 steps, estimate the duration, and exit.")] = False,
) -> None:
    """Train a model.

    Run the same command again to resume.
    """
    with extra("train"):
        from artcolor.train.config import load_recipe, parse_overrides

    overrides = parse_overrides(set_ or [])
    if max_steps is not None:
        overrides["steps"] = max_steps
    if checkpoint_every is not None:
        overrides["checkpoint_every"] = checkpoint_every
    settings = load_recipe(recipe, overrides)
    check_data(data)
    if init is not None:
        check_name(init)
    with extra("train"):
        from artcolor.train import timing
        from artcolor.train.callbacks import ProgressBar
        from artcolor.train.command import make_trainer

    trainer = make_trainer(settings, data, out, init=init, callbacks=[ProgressBar()])
    if dry_run:
        for line in timing.dry_run(trainer):
            say(line)
        return
    try:
        result = trainer.fit()
    except KeyboardInterrupt:
        if trainer.interrupt.terminated:
            raise typer.Exit(143) from None
        raise
    if trainer.accelerator.is_main_process:
        say(f"finished: {result}")


_DATASET = typer.Typer(cls=Group, help="Build data sets of paintings.", no_args_is_help=True)
app.add_typer(_DATASET, name="dataset", rich_help_panel=TRAINING)


@_DATASET.command("build", cls=Command)
def dataset_build(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC", help="A YAML file, or a shipped spec: best-artworks, mendeley-portraits, wikiart or report."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A new or empty folder for the data set.")],
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Base folder for relative paths in the spec.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Number of pictures to clean in parallel.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed for splits and caps.")] = 0,
) -> None:
    """Collect, clean, deduplicate, balance and split pictures.

    Run the same command again to resume.
    """
    with extra("train"):
        from artcolor.data.spec import load_spec

    sources = load_spec(spec, root=root)
    with extra("train"):
        from artcolor.data.build import build

    with Progress(console=ERR, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def progress(step: str, done: int, total: int | None) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(tasks[step], completed=done, total=total)

        report = build(sources, out, workers=workers, seed=seed, progress=progress)
    splits = ", ".join(f"{count} {split}" for split, count in report.splits.items())
    say(f"{report.kept} of {report.collected} pictures kept: {splits}")
    for reason, count in report.dropped.items():
        say(f"  dropped, {reason}: {count}")
    say(f"see {out / 'report.html'}")
