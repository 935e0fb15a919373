"""`artcolor iiif`."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from artcolor.batch.addresses import as_address, path_of, without_secrets
from artcolor.batch.saving import Saving
from artcolor.cli.checks import check_options
from artcolor.cli.help import COLORIZING, EXIT_CODES, Command
from artcolor.cli.options import AsJson, ModelName, Quiet, Verbose, Workers, with_options
from artcolor.cli.output import ERR, Showing, complain
from artcolor.cli.request import Request
from artcolor.cli.stopping import stoppable
from artcolor.engine.options import DEFAULT_MODEL
from artcolor.errors import ConfigError, DataError, ImageError
from artcolor.models.options import FILES, MANY

if TYPE_CHECKING:
    from artcolor.iiif.fetch import Fetcher
    from artcolor.iiif.manifest import Manifest
    from artcolor.iiif.pictures import LocalPictures

app = typer.Typer()

# A manifest shows one coloring of each picture, which is whole.
_REFUSED = ("samples", "hints", "chroma_only", "uncertainty")
_FETCHING = "Fetch"


@app.command(cls=Command, rich_help_panel=COLORIZING, epilog=EXIT_CODES)
@with_options
def iiif(
    manifest: Annotated[
        str, typer.Argument(metavar="MANIFEST", help="A IIIF manifest: a file or, with --fetch, a URL.")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Output folder for the colored pictures and the new manifest."),
    ],
    model: ModelName = DEFAULT_MODEL,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the pictures, named after their identifiers in the manifest. Default: the manifest's.",
        ),
    ] = None,
    base_url: Annotated[
        str, typer.Option(metavar="URL", help="URL at which the output folder will be published.")
    ] = "http://localhost:8000/",
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
    fetch: Annotated[
        bool,
        typer.Option(
            "--fetch",
            help="Download pictures that are not in the folder from the URLs in the manifest.",
            rich_help_panel=MANY,
        ),
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST",
            help="Also download from this host of a private network: a name, or name:port. Repeat for more.",
            rich_help_panel=MANY,
        ),
    ] = None,
    rate: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=100,
            metavar="X",
            help="Maximum number of requests per second to a host.",
            rich_help_panel=MANY,
        ),
    ] = 2.0,
    report: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write a CSV with one row per picture.", rich_help_panel=FILES)
    ] = None,
    workers: Workers = None,
    **options: Any,
) -> None:
    """Colorize the pictures of a IIIF manifest, and write a manifest that offers gray and color as a choice.

    Pictures are read from a folder or, with --fetch, downloaded. A picture that cannot be colorized is reported and
    stays unchanged in the new manifest.
    """
    saving = Saving(**{field.name: options.pop(field.name) for field in dataclasses.fields(Saving)})
    request = Request(
        inputs=[Path(manifest)],
        out=out,
        into_folder=True,
        model=model,
        saving=saving,
        options=options,
        files_from=None,
        layers=None,
        card=None,
        report=report,
        watch=False,
        workers=workers,
        codec=None,
        crf=None,
        sequence=False,
        showing=Showing(quiet=quiet, verbose=verbose, json=as_json),
    )
    request.refuse(_REFUSED, "artcolor iiif")
    check_options(request)
    _check_base(base_url)
    for name, given in (("-o", out), ("--images", images), ("--report", report)):
        if given is not None and (as_address(path_of(str(given))) or str(given).startswith(("http:/", "https:/"))):
            raise ConfigError(f"{name} must be a path on a disk; artcolor iiif does not read or write object stores")
    if report is not None and report == out / "manifest.json":
        raise ConfigError(f"{report} will be the new manifest; choose another name for the report")
    if allow_host and not fetch:
        raise ConfigError("--allow-host has no effect without --fetch; add --fetch, or omit --allow-host")

    from artcolor.iiif.fetch import Fetcher, Limits

    fetcher = Fetcher(Limits(pause=1 / rate), allow_hosts=allow_host or ()) if fetch else None
    path = None if manifest.startswith(("http://", "https://")) else Path(manifest)
    read = _manifest(manifest, path, fetcher)
    _check_out(request, path)
    _colorize(request, read, _local(images, path, out), fetcher, base_url)


def _check_base(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"--base-url must begin with https:// or http://, not {without_secrets(url)[:100]!r}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not url.isprintable() or set(url) & set(' "<>\\^`{|}'):
        raise ConfigError(f"--base-url is not a valid URL: {without_secrets(url)[:100]!r}; write spaces as %20")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError("--base-url must not contain a user name, a query (?…) or a fragment (#…); leave it out")


def _manifest(given: str, path: Path | None, fetcher: "Fetcher | None") -> "Manifest":
    from artcolor.iiif.manifest import Manifest

    if path is None:
        if fetcher is None:
            raise ConfigError(
                f"{without_secrets(given)[:100]} is a URL, and nothing is downloaded without --fetch; add --fetch, or "
                "give a file"
            )
        return Manifest.parse(fetcher.read(given, fetcher.limits.max_bytes_of_json), "the manifest")
    try:
        return Manifest.parse(path.read_bytes(), given)
    except OSError as error:
        raise DataError(f"the manifest {given} cannot be read: {error.strerror or error}") from error


def _check_out(request: Request, given: Path | None) -> None:
    from artcolor.iiif.run import MANIFEST

    assert request.out is not None
    target = request.out / MANIFEST
    if not target.exists():
        return
    if given is not None and given.samefile(target):
        raise ImageError(f"the result would replace the original manifest {target}; choose another -o")
    if not request.saving.force and not request.saving.resume:
        raise ImageError(
            f"{target} already exists; --force replaces the results, and --resume keeps and completes them"
        )


def _local(images: Path | None, manifest: Path | None, out: Path) -> "LocalPictures | None":
    from artcolor.iiif.pictures import LocalPictures

    folder = images or (None if manifest is None else manifest.parent)
    if folder is not None and out.exists() and out.samefile(folder):
        raise ImageError(f"-o {out} is the folder of the originals, and would mix results with them; choose another -o")
    return None if folder is None else LocalPictures(folder, leave_out=out)


def _colorize(
    request: Request, manifest: "Manifest", local: "LocalPictures | None", fetcher: "Fetcher | None", base: str
) -> None:
    import contextlib

    from rich.progress import Progress

    from artcolor.cli.record import Record
    from artcolor.iiif.run import MANIFEST, colorize_manifest, plan_pictures, write_manifest

    assert request.out is not None
    jobs = plan_pictures(manifest, request.out, format=request.saving.format or "jpg")
    for sentence in () if request.showing.quiet else manifest.left_out:
        complain("warning", f"left unchanged: {sentence}")
    done, tally = [], None
    with stoppable() as stop:
        colorizer = request.colorizer()
        bar = Progress(console=ERR, transient=True, redirect_stdout=False, disable=not request.showing.bar)
        with request.showing.warnings(), Record(request, colorizer) as record, bar:
            tally, task = record.tally, bar.add_task("colorizing", total=len(jobs))
            outcomes = colorize_manifest(
                colorizer, jobs, request.saving, local=local, fetcher=fetcher, workers=request.workers
            )
            with contextlib.closing(outcomes):
                for job, outcome in outcomes:
                    bar.advance(task)
                    record.add(outcome, [outcome.job])
                    if outcome.results:
                        done.append(job)
    if tally is None:
        raise typer.Exit(stop.status or 1)
    tally.tell_existing()
    summary = tally.summary(f"into {request.out}", len(jobs))
    if done:
        order = {id(job): number for number, job in enumerate(jobs)}
        write_manifest(manifest, sorted(done, key=lambda job: order[id(job)]), request.out, base)
        summary += f"; {request.out / MANIFEST} shows them"
    if stop.status is not None:
        request.showing.say(f"interrupted: {summary}; the same command with --resume continues")
        raise typer.Exit(stop.status)
    request.showing.say(summary)
    if tally.counts["failed"]:
        raise typer.Exit(1)
