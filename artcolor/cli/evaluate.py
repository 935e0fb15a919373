"""`artcolor evaluate`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markdown import Markdown
from rich.progress import Progress, TaskID
from rich.text import Text

from artcolor.cli.output import ERR, OUT, say
from artcolor.errors import ConfigError

app = typer.Typer()
# What people compare models by; the files hold the others.
_SHOWN = ("psnr", "delta_colorfulness", "hot_spots", "fd_grid", "fd_lite0")


@app.command()
def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Names or weights files, optionally with settings: cnn:vividness=0"),
    ],
    data: Annotated[Path, typer.Option(help="Folder of color pictures.")],
    out: Annotated[Path, typer.Option(help="Output folder for tables, plots and report.html.")],
    split: Annotated[str | None, typer.Option(help="train, val or test.", show_default="test; --sweep: val")] = None,
    protocol: Annotated[
        str, typer.Option(help="paintings-whole, paintings-256 (square crops), report-200 or report-128.")
    ] = "paintings-whole",
    limit: Annotated[int | None, typer.Option(min=2, help="Use only this many pictures of a fixed shuffle.")] = None,
    sweep: Annotated[
        bool,
        typer.Option("--sweep", help="Measure one model over vividness, temperature and size, and choose defaults."),
    ] = False,
) -> None:
    """Evaluate models and trivial baselines. Stored scores in OUT are reused."""
    from artcolor.evaluate import benchmark
    from artcolor.evaluate.results import METRICS

    if sweep:
        _sweep(models, data, out, split or "val", protocol, limit)
        return
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
            protocol=protocol,
            out=out,
            limit=limit,
            progress=progress,
        )
    text = results.to_markdown(_SHOWN)
    # A table that is wider than the terminal would lose its figures.
    fits = max(map(len, text.splitlines())) <= OUT.width
    OUT.print(Markdown(text)) if fits else say(text.rstrip())
    say(f"all {len(METRICS)} metrics: {out / 'results.md'}, results.json, pictures.csv, report.html")


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
