"""The commands for released weights: models, download, verify."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from artcolor.cli.completion import complete_models
from artcolor.cli.help import ZOO, Command
from artcolor.cli.output import OUT, say
from artcolor.engine.options import DEFAULT_MODEL
from artcolor.errors import ConfigError
from artcolor.zoo import card, manifest
from artcolor.zoo.names import check_name

app = typer.Typer()
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME", help="Models (cnn) or weights (cnn.art_v1).", autocompletion=complete_models),
]
_WIDEST = 1000


@app.command(cls=Command, rich_help_panel=ZOO)
def models(
    long: Annotated[bool, typer.Option("--long", "-l", help="Also list size, speed and quality metrics.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole manifest as JSON.")] = False,
) -> None:
    """List the released models."""
    if as_json:
        typer.echo(card.as_json())
        return
    # The default first.
    entries = sorted(manifest.entries().values(), key=lambda entry: entry.model != DEFAULT_MODEL)
    if long:
        _print_figures(entries)
        return
    table = Table(*(Column(name, no_wrap=name != "for") for name in ("weights", "size", "for", "default")), box=SIMPLE)
    for entry in entries:
        table.add_row(*card.short_row(entry, DEFAULT_MODEL))
    OUT.print(table)
    say("The name before the dot is enough: artcolor colorize -m vae a.png")
    say("For speed and quality metrics: artcolor models --long")


def _print_figures(entries: Sequence[manifest.Entry]) -> None:
    """Prints a table if it fits, and otherwise a block of lines for each of the weights."""
    table = Table(*(Column(name, no_wrap=True) for name in card.COLUMNS))
    rows = [card.table_row(entry) for entry in entries]
    for row in rows:
        table.add_row(*row)
    width = OUT.measure(table, options=OUT.options.update(max_width=_WIDEST)).maximum
    if width <= OUT.width:
        OUT.print(table)
    elif not OUT.is_terminal:
        Console(width=width).print(table)
    else:
        for key, *values in rows:
            say(key)
            for name, value in zip(card.COLUMNS[1:], values, strict=True):
                say(f"  {name}: {value}")


@app.command(cls=Command, rich_help_panel=ZOO)
def download(
    names: Names = None,
    every: Annotated[bool, typer.Option("--all", help="Download all released weights.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Also copy the files to this folder, for use as ARTCOLOR_WEIGHTS_DIR."
        ),
    ] = None,
) -> None:
    """Download weights and verify their hashes.

    Existing files are not downloaded again.
    """
    if bool(names) == every:
        raise ConfigError("give the names of models or weights to download, or --all")
    entries = entries_of(names)

    from artcolor.files import write_atomically
    from artcolor.zoo import locate

    for entry in entries:
        path = locate.fetch(entry).path
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            write_atomically(out / entry.file, path.read_bytes())
            path = out / entry.file
        typer.echo(f"{entry.key}: {path}")


@app.command(cls=Command, rich_help_panel=ZOO)
def verify(names: Names = None) -> None:
    """Check that weights are intact and produce the expected colors.

    Checks hashes, strict loading, recorded sizes and golden outputs. Without names, checks all released weights.
    """
    entries = entries_of(names)

    from artcolor.models import verify as verification

    verdicts = [verification.verify(entry) for entry in entries]
    table = Table(
        Column("weights", no_wrap=True), "verdict", "difference from golden colors", Column("file", overflow="fold")
    )
    for verdict in verdicts:
        off = "–" if verdict.difference is None else f"{verdict.difference:.3f} Lab units"
        path = "–" if verdict.path is None else str(verdict.path)
        table.add_row(verdict.key, "wrong" if verdict.problems else "right", off, path)
    OUT.print(table)
    for verdict in verdicts:
        for problem in verdict.problems:
            typer.echo(f"{verdict.key}: {problem}", err=True)
    if any(verdict.problems for verdict in verdicts):
        raise typer.Exit(1)


def entries_of(names: list[str] | None) -> list[manifest.Entry]:
    """Finds released weights.

    Args:
        names: names of models or weights; none stands for all.

    Raises:
        ConfigError: there are none of this name.
    """
    if not names:
        return list(manifest.entries().values())
    for name in names:
        check_name(name)

    from artcolor.models.registry import get_weight

    return [get_weight(name).entry for name in names]
