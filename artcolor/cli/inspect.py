"""`artcolor inspect`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from artcolor.cli.help import COLORIZING, Command
from artcolor.cli.output import complain, extra, say
from artcolor.errors import ConfigError, ImageError
from artcolor.video import is_film

if TYPE_CHECKING:
    from artcolor.images import Provenance

app = typer.Typer()


@app.command(cls=Command, rich_help_panel=COLORIZING)
def inspect(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Pictures and films.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")] = False,
    hints: Annotated[bool, typer.Option("--hints", help="Print the hints of one picture as a hints file.")] = False,
) -> None:
    """Show whether and how artcolor colorized pictures and films.

    The exit status is 1 if a file cannot be read or has no artcolor provenance.
    """
    from artcolor.zoo import manifest

    if hints:
        _print_hints(files)
        return
    unknown = 0
    for path in files:
        try:
            found = _provenance_of(path)
        except ImageError as error:
            complain("failed", error)
            unknown += 1
            continue
        unknown += found is None
        if as_json:
            typer.echo(json.dumps({"file": str(path), "coloring": None if found is None else asdict(found)}))
            continue
        if found is None:
            say(f"{path} has no artcolor provenance")
            continue
        known = {entry.sha256: entry.key for entry in manifest.entries().values()}.get(found.weights_sha256)
        weights = found.weights_sha256 or "unknown"
        say(f"{path} was colorized by artcolor {found.version}")
        say(f"  model: {found.model}")
        say(f"  weights: {weights}" + (f" (released as {known})" if known else ""))
        for name, value in found.options.items():
            shown = f"{len(value)}; --hints prints them" if name == "hints" and isinstance(value, list) else value
            say(f"  {name}: {shown}")
        say(f"  source type: {found.source_type}")
    if unknown:
        raise typer.Exit(1)


def _provenance_of(path: Path) -> "Provenance | None":
    if is_film(path):
        with extra("video"):
            from artcolor.video.write import read_provenance as read_provenance_of_film

        return read_provenance_of_film(path)
    from artcolor.images import read_provenance

    return read_provenance(path)


def _print_hints(files: Sequence[Path]) -> None:
    from artcolor.images import open_file, read_provenance

    if len(files) != 1:
        raise ConfigError(f"--hints takes a single picture, not {len(files)}")
    found = read_provenance(files[0])
    stated = None if found is None else found.options.get("hints")
    if not isinstance(stated, list):
        raise ConfigError(f"{files[0]} has no hints in its provenance")
    with open_file(files[0]) as file:
        size = list(file.size)
    lines = ",\n ".join(json.dumps(hint) for hint in stated)
    typer.echo(f'{{"schema": 1, "size": {json.dumps(size)}, "hints": [\n {lines}\n]}}')
