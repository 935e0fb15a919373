"""`artcolor colorize`."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from artcolor.batch.addresses import path_of
from artcolor.batch.saving import Saving
from artcolor.cli.checks import check_options
from artcolor.cli.help import COLORIZING, EXIT_CODES, Command
from artcolor.cli.inputs import PIPE, output_path, paths_of, references_of
from artcolor.cli.options import AsJson, ModelName, Quiet, Verbose, Workers, with_options
from artcolor.cli.output import Showing
from artcolor.cli.request import Request
from artcolor.engine.options import DEFAULT_MODEL, OPTIONS
from artcolor.errors import ConfigError
from artcolor.models.options import FILES, FILMS, MANY, RAY
from artcolor.video import is_film

app = typer.Typer()


@app.command(cls=Command, rich_help_panel=COLORIZING, epilog=EXIT_CODES)
@with_options
def colorize(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IN",
            help="Pictures, films, folders, or patterns such as '*.png'; - reads standard input.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            help="Output file for a single picture, - for standard output, or else a folder. "
            "Default: next to the original, a.color.png for a.png and scans.color/ for scans/.",
        ),
    ] = None,
    model: ModelName = DEFAULT_MODEL,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
    layers: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Also write layers for GIMP and Krita: gray, color, uncertainty, hints (.ora; single picture only).",
            rich_help_panel=FILES,
        ),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Also write a page that documents result, hints, settings and hashes (.html; single picture only).",
            rich_help_panel=FILES,
        ),
    ] = None,
    files_from: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Also colorize the files listed here, one per line or NUL-separated; - reads standard input.",
            rich_help_panel=MANY,
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Watch the folders, and colorize new pictures once they are complete. Stop with Ctrl-C.",
            rich_help_panel=MANY,
        ),
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write a CSV with one row per file.", rich_help_panel=MANY)
    ] = None,
    workers: Workers = None,
    codec: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Film codec: h264, hevc, vp9, av1, prores, ffv1, or an FFmpeg encoder. Default: the original's.",
            rich_help_panel=FILMS,
        ),
    ] = None,
    crf: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Film quality; lower is better. Default: 16 for h264, 18 for hevc, 24 for vp9 and av1.",
            rich_help_panel=FILMS,
        ),
    ] = None,
    sequence: Annotated[
        bool,
        typer.Option(
            "--sequence",
            help="Treat the pictures of each folder as the numbered frames of a film.",
            rich_help_panel=FILMS,
        ),
    ] = False,
    reference_at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N=PATH",
            help="Reference picture for the shot of a film that contains frame N, counted from 0. Repeat for more.",
            rich_help_panel=FILMS,
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="ray: colorize a folder or a manifest (.parquet, .csv) with Ray Data, on this machine or a cluster.",
            rich_help_panel=RAY,
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST",
            help="Address of the cluster: auto on one of its machines, or host:port. Default: Ray on this machine.",
            rich_help_panel=RAY,
        ),
    ] = None,
    journal: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the journal from which the same command resumes. Default: OUT.journal.",
            rich_help_panel=RAY,
        ),
    ] = None,
    actors: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Number of colorizing processes. Default: as many as fit.", rich_help_panel=RAY
        ),
    ] = None,
    cpus_per_actor: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="CPU cores per process. Default: 1.", rich_help_panel=RAY)
    ] = None,
    gpus_per_actor: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="X", help="GPUs per process, or a fraction of one. Default: 0.", rich_help_panel=RAY
        ),
    ] = None,
    **options: Any,
) -> None:
    """Colorize pictures and films, and folders of them with their subfolders.

    Originals are never changed. Files that cannot be colorized are reported and skipped.

    With --samples, a.png becomes a.1.png, a.2.png and so on, with a contact sheet, a.sheet.jpg.
    """
    saving = Saving(**{field.name: options.pop(field.name) for field in dataclasses.fields(Saving)})
    assert set(options) == set(OPTIONS)
    target, into_folder = output_path(out)
    sources = paths_of(inputs or [])
    if target is None and sources == [PIPE]:
        target = PIPE
    request = Request(
        inputs=sources,
        out=target,
        into_folder=into_folder,
        model=model,
        saving=saving,
        options=options,
        files_from=files_from,
        layers=layers,
        card=card,
        report=None if report is None else path_of(str(report)),
        watch=watch,
        workers=workers,
        codec=codec,
        crf=crf,
        sequence=sequence,
        reference_at=references_of(reference_at or []),
        showing=Showing(quiet=quiet, verbose=verbose, json=as_json),
    )
    cluster: dict[str, Any] = {
        "journal": journal,
        "address": address,
        "actors": actors,
        "cpus_per_actor": cpus_per_actor,
        "gpus_per_actor": gpus_per_actor,
    }
    if engine is not None:
        from artcolor.cli.scale import check_scale, colorize_on_cluster

        check_scale(engine, request)
        colorize_on_cluster(request, **cluster)
        return
    for name in filter(cluster.__getitem__, cluster):
        raise ConfigError(f"--{name.replace('_', '-')} is for --engine ray; add it, or leave both out")
    check_options(request)
    films = any(map(is_film, sources)) and not sequence
    if not films and not sequence and (watch or PIPE in (*sources, target)):
        request.refuse(("codec", "crf", "reference_at"), "--watch" if watch else "-")
    if films:
        from artcolor.cli.film import colorize_films

        colorize_films(request)
    elif sequence:
        from artcolor.cli.film import colorize_sequences

        colorize_sequences(request)
    elif PIPE in (*sources, target):
        from artcolor.cli.pipe import colorize_pipe

        colorize_pipe(request)
    elif watch:
        from artcolor.cli.watch import colorize_watched

        colorize_watched(request)
    else:
        from artcolor.cli.run import colorize_files

        colorize_files(request)
