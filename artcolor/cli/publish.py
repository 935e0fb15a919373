"""`artcolor publish`."""

import io
from pathlib import Path
from typing import Annotated

import typer

from artcolor.cli.help import MAINTAINING, Command
from artcolor.cli.zoo import Names, entries_of
from artcolor.errors import ConfigError
from artcolor.zoo import card, manifest

app = typer.Typer()
_PICTURE = "aigues_mortes.png"


@app.command(cls=Command, rich_help_panel=MAINTAINING)
def publish(
    names: Names = None,
    organization: Annotated[
        str | None,
        typer.Option(
            "--org",
            metavar="NAME",
            help="Organization for weights that are not on the Hub yet; they become ORG/MODEL.TAG.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be uploaded, and exit.")] = False,
) -> None:
    """Upload released weights to the Hugging Face Hub.

    The commits are recorded in the manifest, so this requires a checkout of artcolor.
    """
    from artcolor.zoo import hub, locate

    picture = manifest.manifest_path().parent / "examples" / _PICTURE
    if not picture.exists():
        raise ConfigError(f"publishing requires a checkout of artcolor, but {picture} does not exist")
    for entry in entries_of(names):
        if entry.hub_repo is None and organization is None:
            raise ConfigError(f"{entry.key} is not on the Hub yet; give an organization with --org ORGANIZATION")
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


def _before_and_after(picture: Path, key: str) -> tuple[bytes, bytes]:
    from artcolor.engine.colorizer import colorize

    color = io.BytesIO()
    colorize(picture, model=key).convert("RGB").save(color, "JPEG", quality=90)
    return picture.read_bytes(), color.getvalue()
