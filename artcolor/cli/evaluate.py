"""`artcolor evaluate`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID
from rich.text import Text

from artcolor.cli.checks import check_data
from artcolor.cli.help import TRAINING, Command
from artcolor.cli.output import ERR, OUT, say
from artcolor.errors import ConfigError
from artcolor.zoo.names import check_name

app = typer.Typer()
# The one baseline that can be named as a model.
_BASELINE = "l_prior"
# What people compare models by; the files hold the others.
_SHOWN = ("psnr", "delta_colorfulness", "hot_spots", "fd_grid", "fd_lite0")
_SHOWN_OF_HINTS = ("gain", "delta_colorfulness", "fd_grid")


@app.command(cls=Command, rich_help_panel=TRAINING)
def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL", help="Models or weights files, optionally with settings, such as cnn:vividness=0."
        ),
    ],
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of color pictures.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Output folder for tables, plots and report.html.")],
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Split: train, val or test. Default: test; with --sweep, val.")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Protocol: paintings-whole, paintings-256 (square crops), report-200 or report-128. "
            "Default: paintings-whole; with --hints, paintings-256.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=2, metavar="N", help="Use only this many pictures, chosen by a fixed shuffle.")
    ] = None,
    sweep: Annotated[
        bool,
        typer.Option("--sweep", help="Measure one model across vividness, temperature and size, and choose defaults."),
    ] = False,
    hints: Annotated[
        str | None,
        typer.Option(
            metavar="COUNTS", help="Measure one model with these numbers of hints, such as 0,1,2,5,10,20,50,100."
        ),
    ] = None,
) -> None:
    """Evaluate models against simple baselines.

    Scores already stored in --out are reused, except with --hints.
    """
    if sweep and hints is not None:
        raise ConfigError("--sweep and --hints measure different things; run the command once with each")
    check_data(data)
    for model in models:
        # Settings follow a colon: cnn:vividness=0.
        name = model.rpartition(":")[0] if "=" in model else model
        if name != _BASELINE:
            check_name(name)
    if sweep:
        _sweep(models, data, out, split or "val", protocol or "paintings-whole", limit)
        return
    if hints is not None:
        _hints(models, data, out, split or "test", protocol or "paintings-256", limit, hints)
        return

    from artcolor.evaluate import benchmark
    from artcolor.evaluate.results import METRICS

    with Progress(console=ERR, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def progress(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done)
            _report(name, done, total)

        results = benchmark.evaluate(
            models,
            data,
            split=split or "test",
            protocol=protocol or "paintings-whole",
            out=out,
            limit=limit,
            progress=progress,
        )
    _print_tables(results.to_markdown(_SHOWN))
    say(f"all {len(METRICS)} metrics: {out / 'results.md'}, results.json, pictures.csv, report.html")


def _print_tables(text: str) -> None:
    """Prints Markdown: rendered, unless the terminal is too narrow, where a rendered table would lose its figures."""
    from rich.markdown import Markdown

    fits = max(map(len, text.splitlines())) <= OUT.width
    OUT.print(Markdown(text)) if fits else say(text.rstrip())


def _report(doing: str, done: int, total: int) -> None:
    """Prints a line for each finished step where there is no terminal that shows a progress bar."""
    if done == total and not ERR.is_terminal:
        ERR.print(Text(f"{doing}: {total} pictures"), soft_wrap=True)


def _sweep(models: list[str], data: Path, out: Path, split: str, protocol: str, limit: int | None) -> None:
    from artcolor.evaluate import sweep, sweep_tables

    if len(models) > 1:
        raise ConfigError("--sweep takes one model at a time; run it once per model, each with a different --out")
    with Progress(console=ERR, transient=True) as bar:
        task = bar.add_task("sweep")

        def progress(doing: str, done: int, total: int) -> None:
            bar.update(task, description=doing, completed=done, total=total)
            _report(doing, done, total)

        found = sweep.sweep(models[0], data, split=split, protocol=protocol, limit=limit, out=out, progress=progress)
    sweep_tables.save_sweep(found, out)
    for line in sweep_tables.summary(found):
        say(line)
    say(f"all {len(found.rows)} settings: {out / 'sweep.md'}, sweep.json, sweep.png")


def _hints(models: list[str], data: Path, out: Path, split: str, protocol: str, limit: int | None, counts: str) -> None:
    from artcolor.evaluate.hints import evaluate_hints
    from artcolor.evaluate.hints_tables import hints_to_markdown, save_hints

    if len(models) > 1:
        raise ConfigError("--hints takes one model at a time; run it once per model, each with a different --out")
    try:
        numbers = [int(each) for each in counts.split(",")]
    except ValueError:
        raise ConfigError(
            f"--hints takes whole numbers separated by commas, such as 0,1,5,10, not {counts!r}"
        ) from None
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder {out} cannot be created: {error}. Choose another --out.") from error
    with Progress(console=ERR, transient=True) as bar:
        task = bar.add_task("hints")

        def progress(doing: str, done: int, total: int) -> None:
            bar.update(task, description=doing, completed=done, total=total)
            _report(doing, done, total)

        found = evaluate_hints(
            models[0], data, counts=numbers, split=split, protocol=protocol, limit=limit, progress=progress
        )
    save_hints(found, out)
    _print_tables(hints_to_markdown(found, _SHOWN_OF_HINTS))
    say(f"all metrics: {out / 'hints.md'}, hints.json")
