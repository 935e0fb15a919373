"""The commands for released weights: models, download, verify, publish."""

import io
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from artcolor.cli.output import OUT, say
from artcolor.errors import ConfigError
from artcolor.zoo import card, manifest

app = typer.Typer()
_Names = Annotated[list[str] | None, typer.Argument(metavar="[MODEL...]", help="Models (cnn) or weights (cnn.art_v1).")]
_WIDEST = 1000
_PICTURE = "aigues_mortes.png"


@app.command()
def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole manifest as JSON.")] = False,
) -> None:
    """List all released weights as a table."""
    if as_json:
        typer.echo(card.as_json())
        return
    table = Table(*(Column(name, no_wrap=True) for name in card.COLUMNS))
    rows = [card.table_row(entry) for entry in manifest.entries().values()]
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


@app.command()
def download(
    names: _Names = None,
    every: Annotated[bool, typer.Option("--all", help="Download all released weights.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Also copy them into this folder, for ARTCOLOR_WEIGHTS_DIR.")
    ] = None,
) -> None:
    """Download weights and verify their hashes. Existing files are not downloaded again."""
    from artcolor.files import write_atomically
    from artcolor.zoo import locate

    if bool(names) == every:
        raise ConfigError("name the weights to download, or use --all")
    for entry in _entries(names):
        path = locate.fetch(entry).path
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            write_atomically(out / entry.file, path.read_bytes())
            path = out / entry.file
        typer.echo(f"{entry.key}: {path}")


@app.command()
def verify(names: _Names = None) -> None:
    """Check hashes, strict loading, figures and golden outputs of the named weights, or of all."""
    from artcolor.models import verify as verification

    verdicts = [verification.verify(entry) for entry in _entries(names)]
    table = Table(Column("weights", no_wrap=True), "verdict", "golden colors off by", Column("file", overflow="fold"))
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


@app.command()
def publish(
    names: _Names = None,
    organization: Annotated[
        str | None, typer.Option("--org", help="Organization for weights that are not on the Hub yet: ORG/MODEL.TAG.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be uploaded.")] = False,
) -> None:
    """Upload released weights to the Hugging Face Hub and record their commits in the manifest (in a checkout)."""
    from artcolor.zoo import hub, locate

    picture = manifest.manifest_path().parent / "examples" / _PICTURE
    if not picture.exists():
        raise ConfigError(f"publishing requires a checkout of artcolor, but {picture} does not exist")
    for entry in _entries(names):
        if entry.hub_repo is None and organization is None:
            raise ConfigError(f"{entry.key} is not on the Hub yet; name its organization with --org ORGANIZATION")
        repo = entry.hub_repo or f"{organization}/{entry.key}"
        hub.check_repository(repo)
        # `fetch` verifies the hash, so damaged files are never published.
        data = locate.fetch(entry).path.read_bytes()
        pictures = dict(zip(card.PICTURES, _before_and_after(picture, entry.key), strict=True))
        if dry_run:
            typer.echo(f"{entry.key}: would be published as {repo} (public) with")
            for name, content in hub.files_of(entry, data, pictures, repo).items():
                typer.echo(f"  {name}: {len(content):,} bytes")
            continue
        commit = hub.publish(entry, data, pictures, repo)
        manifest.update(entry.key, {"hub_repo": repo, "hub_revision": commit})
        typer.echo(f"{entry.key}: published as hf-hub:{repo}@{commit}")


def _entries(names: list[str] | None) -> list[manifest.Entry]:
    if not names:
        return list(manifest.entries().values())
    from artcolor.models.registry import get_weight

    return [get_weight(name).entry for name in names]


def _before_and_after(picture: Path, key: str) -> tuple[bytes, bytes]:
    from artcolor.engine.colorizer import colorize

    color = io.BytesIO()
    colorize(picture, model=key).convert("RGB").save(color, "JPEG", quality=90)
    return picture.read_bytes(), color.getvalue()
