"""The `artcolor` command. Torch is imported only by the commands that need it."""

import contextlib
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markdown import Markdown
from rich.progress import Progress, TaskID
from rich.text import Text

from artcolor import __version__, cli_zoo
from artcolor.errors import ArtcolorError, ConfigError, ImageError

app = typer.Typer(help="Gives grayscale art its colours back.", no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(cli_zoo.app)
_OUT = Console()
_ERR = Console(stderr=True)
_COLOUR, _FILES, _RUN = "Colour", "Files", "Many pictures"


def main() -> None:
    """Runs the command; errors meant for people come without a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=_ERR, show_path=False)])
    try:
        app()
    except ArtcolorError as error:
        _complain("error", error)
        sys.exit(1)
    except KeyboardInterrupt:
        _ERR.print("interrupted")
        sys.exit(130)


def _complain(kind: str, what: object) -> None:
    # Names of files and extras may hold brackets, which rich would take for markup.
    _ERR.print(Text.assemble((f"{kind}: ", "red"), _printable(str(what))), soft_wrap=True, highlight=False)


def _say(line: str) -> None:
    _OUT.print(Text(_printable(line)), soft_wrap=True, highlight=False)


def _printable(text: str) -> str:
    # Names of files may hold bytes that are not UTF-8.
    return text.encode(errors="backslashreplace").decode()


@contextlib.contextmanager
def _extra(name: str) -> Iterator[None]:
    """Turns a missing package into advice."""
    try:
        yield
    except ImportError as error:
        what = f"this needs {error.name}, which is not installed" if error.name else str(error)
        raise ConfigError(f"{what}: pip install 'artcolor[{name}]'") from error


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
    model: Annotated[
        str | None, typer.Option(help="A model's name or a weights file.", rich_help_panel=_COLOUR)
    ] = None,
    vividness: Annotated[
        float | None, typer.Option(min=0, help="0 is most accurate and brownish, 1 is vivid.", rich_help_panel=_COLOUR)
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(min=0.01, max=1, help="Lower is more decided; 1 takes the mean.", rich_help_panel=_COLOUR),
    ] = None,
    strength: Annotated[
        float, typer.Option(min=0, help="Multiplies all chroma; 0 is gray.", rich_help_panel=_COLOUR)
    ] = 1.0,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="A random colouring, of models that have several.", rich_help_panel=_COLOUR),
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=16, help="Working size of the network in pixels.", rich_help_panel=_COLOUR)
    ] = None,
    skip_coloured: Annotated[
        bool, typer.Option("--skip-coloured", help="Leave pictures alone that have colour already.")
    ] = False,
    chroma_only: Annotated[
        bool,
        typer.Option("--chroma-only", help="Write the colour as a layer of its own, for the mode 'Color'."),
    ] = False,
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Write beside each result how unsure the model is of it.")
    ] = False,
    format: Annotated[
        str | None, typer.Option(help="png, jpg, tif, webp, ...; that of each input.", rich_help_panel=_FILES)
    ] = None,
    quality: Annotated[
        int | None, typer.Option(min=1, max=100, help="Of JPEG, WebP, AVIF, HEIC.", rich_help_panel=_FILES)
    ] = None,
    depth: Annotated[int | None, typer.Option(help="8 or 16 bits a channel.", rich_help_panel=_FILES)] = None,
    provenance: Annotated[
        bool,
        typer.Option(
            "--provenance/--no-provenance", help="Say in the file that it is a colouring.", rich_help_panel=_FILES
        ),
    ] = True,
    max_pixels: Annotated[
        int | None,
        typer.Option(min=1, help="Largest picture that is opened; 179 million.", rich_help_panel=_FILES),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace results that are already there.", rich_help_panel=_FILES)
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Pass over results that are already there.", rich_help_panel=_RUN)
    ] = False,
    report: Annotated[Path | None, typer.Option(help="CSV with a row for each file.", rich_help_panel=_RUN)] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that read and write pictures.", rich_help_panel=_RUN)
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Pictures that go through the network together.", rich_help_panel=_RUN)
    ] = 4,
    device: Annotated[str, typer.Option(help="Where the network runs: cpu, cuda, mps.", rich_help_panel=_RUN)] = "cpu",
) -> None:
    """Colorize pictures, and folders with their sub-folders. Originals are never changed."""
    from artcolor.colorizer import DEFAULT_MODEL, Colorizer
    from artcolor.folder import Saving, run_jobs
    from artcolor.folder_plan import plan_jobs
    from artcolor.folder_report import Report

    if force and resume:
        raise ConfigError("--force replaces results that are there and --resume passes over them: give one of them")
    jobs = plan_jobs(inputs, out, format=format)
    if not jobs:
        raise ImageError(f"there are no pictures in {', '.join(map(str, inputs))}")
    colorizer = Colorizer(
        model or DEFAULT_MODEL,
        vividness=vividness,
        temperature=temperature,
        size=size,
        strength=strength,
        seed=seed,
        skip_coloured=skip_coloured,
        chroma_only=chroma_only,
        batch_size=batch_size,
        device=device,
    )
    saving = Saving(
        force=force,
        resume=resume,
        format=format,
        quality=quality,
        depth=depth,
        provenance=provenance,
        uncertainty=uncertainty,
        max_pixels=max_pixels,
    )
    counts: Counter[str] = Counter()
    with contextlib.ExitStack() as stack:
        rows = stack.enter_context(Report(report, resume=resume, model=colorizer.provenance.model)) if report else None
        bar = stack.enter_context(Progress(console=_ERR, transient=True))
        task = bar.add_task("colorizing", total=len(jobs))
        outcomes = stack.enter_context(contextlib.closing(run_jobs(colorizer, jobs, saving, workers=workers)))
        for outcome in outcomes:
            bar.advance(task)
            counts[outcome.status] += 1
            if rows is not None:
                rows.add(outcome)
            if outcome.error is not None:
                _complain("failed", f"{outcome.job.source}: {outcome.error}")
    _say(
        f"{counts['colorized']} of {len(jobs)} colorized"
        + (f" into {out}" if counts["colorized"] else "")
        + (f", {counts['coloured']} have colour already" if counts["coloured"] else "")
        + (f", {counts['there']} were there" if counts["there"] else "")
    )
    if counts["failed"]:
        raise typer.Exit(1)


@app.command()
def inspect(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Pictures.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, one object a line.")] = False,
) -> None:
    """Tell whether artcolor coloured a picture: with which weights, and how. If not, the exit status is 1."""
    from artcolor.images import read_provenance
    from artcolor.zoo import manifest

    unknown = 0
    for path in files:
        found = read_provenance(path)
        unknown += found is None
        if as_json:
            typer.echo(json.dumps({"file": str(path), "colouring": None if found is None else asdict(found)}))
            continue
        if found is None:
            _say(f"{path} does not say that artcolor coloured it")
            continue
        known = {entry.sha256: entry.key for entry in manifest.entries().values()}.get(found.weights_sha256)
        weights = found.weights_sha256 or "not known"
        _say(f"{path} was coloured by artcolor {found.version}")
        _say(f"  model: {found.model}")
        _say(f"  weights: {weights}" + (f" (released as {known})" if known else ""))
        for name, value in found.options.items():
            _say(f"  {name}: {value}")
        _say(f"  source type: {found.source_type}")
    if unknown:
        raise typer.Exit(1)


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
    with _extra("train"):
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
            _say(line)
        return
    result = trainer.fit()
    if trainer.accelerator.is_main_process:
        _say(f"finished: {result}")


_DATASET = typer.Typer(help="Build data sets of paintings.", no_args_is_help=True)
app.add_typer(_DATASET, name="dataset")


@_DATASET.command("build")
def dataset_build(
    spec: Annotated[str, typer.Argument(help="A YAML file, or best-artworks, mendeley-portraits, wikiart, report.")],
    out: Annotated[Path, typer.Option(help="A new or empty folder for the data set.")],
    root: Annotated[Path | None, typer.Option(help="Folder that the spec's paths are relative to.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Pictures cleaned at a time.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of splits and caps.")] = 0,
) -> None:
    """Collect, clean, deduplicate, balance and split pictures. The same command again resumes."""
    with _extra("train"):
        from artcolor.data.build import build
        from artcolor.data.spec import load_spec

    with Progress(console=_ERR, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def progress(step: str, done: int, total: int | None) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(tasks[step], completed=done, total=total)

        report = build(load_spec(spec, root=root), out, workers=workers, seed=seed, progress=progress)
    splits = ", ".join(f"{count} {split}" for split, count in report.splits.items())
    _say(f"{report.kept} of {report.collected} pictures kept: {splits}")
    for reason, count in report.dropped.items():
        _say(f"  dropped, {reason}: {count}")
    _say(f"see {out / 'report.html'}")


@app.command()
def evaluate(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Names or weights files, with settings: cnn:vividness=0")
    ],
    data: Annotated[Path, typer.Option(help="Folder of colour pictures.")],
    out: Annotated[Path, typer.Option(help="Folder for tables, plots and report.html, or for those of the sweep.")],
    split: Annotated[str | None, typer.Option(help="train, val or test.", show_default="test; --sweep: val")] = None,
    protocol: Annotated[str, typer.Option(help="paintings-256, report-200 or report-128.")] = "paintings-256",
    limit: Annotated[int | None, typer.Option(min=2, help="Only so many pictures of a fixed shuffle.")] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Trace one model over vividness, temperature and size; choose its defaults.")
    ] = False,
) -> None:
    """Judge models beside trivial baselines. What was judged before is not judged again."""
    from artcolor.evaluate import benchmark

    if sweep:
        _sweep(models, data, out, split or "val", protocol, limit)
        return
    with Progress(console=_ERR, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def progress(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done)

        results = benchmark.evaluate(
            models, data, split=split or "test", protocol=protocol, out=out, limit=limit, progress=progress
        )
    _OUT.print(Markdown(results.to_markdown()))


def _sweep(models: list[str], data: Path, out: Path, split: str, protocol: str, limit: int | None) -> None:
    from artcolor.evaluate import sweep, sweep_report

    if len(models) > 1:
        raise ConfigError("--sweep traces one model at a time; run it once for each, with an --out of its own")
    if protocol != sweep.PROTOCOL:
        raise ConfigError(f"--sweep reads pictures as {sweep.PROTOCOL} does; leave --protocol out")
    with Progress(console=_ERR, transient=True) as bar:
        task = bar.add_task("sweep")

        def progress(doing: str, done: int, total: int) -> None:
            bar.update(task, description=doing, completed=done, total=total)

        found = sweep.sweep(models[0], data, split=split, limit=limit, out=out, progress=progress)
    sweep_report.save_sweep(found, out)
    for line in sweep_report.summary(found):
        _say(line)
    _say(f"all {len(found.rows)} settings: {out / 'sweep.md'}, sweep.json, sweep.png")
