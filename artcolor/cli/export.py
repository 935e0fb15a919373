"""`artcolor export`."""

from pathlib import Path
from typing import Annotated

import typer

from artcolor.cli.checks import check_data
from artcolor.cli.completion import complete_models
from artcolor.cli.help import ZOO, Command
from artcolor.cli.output import say
from artcolor.errors import ConfigError
from artcolor.zoo.names import check_name

app = typer.Typer()


@app.command(cls=Command, rich_help_panel=ZOO)
def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Name of a model or of weights, or a weights file.", autocompletion=complete_models
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Output file, such as unet.onnx.")],
    half: Annotated[
        bool, typer.Option("--half", help="Store the weights in 16 bits: half the size, same colors.")
    ] = False,
    hints: Annotated[
        bool,
        typer.Option("--hints", help="Include the outputs that hints need in the browser page. Slower elsewhere."),
    ] = False,
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantize to 8 bits: about twice as fast, slightly different colors.")
    ] = False,
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="With --int8: folder of at least 16 pictures like those to be colorized."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Export a model to ONNX.

    The file contains the network, its weights and the decoding of colors, and records their origin. Other runtimes can
    read it, as can `artcolor colorize --model FILE.onnx`.
    """
    check_name(model)
    if out.suffix.lower() != ".onnx":
        raise ConfigError(f"{out} must end in .onnx")
    if int8 != (pictures is not None):
        raise ConfigError("--int8 and --pictures FOLDER must be given together")
    if int8 and half:
        raise ConfigError("--int8 and --half cannot be combined; give only one of them")
    if int8 and hints:
        raise ConfigError("--int8 and --hints cannot be combined; give only one of them")
    from artcolor.batch.disk import check_folders, writing

    if out.exists() and not force:
        raise ConfigError(f"{out} already exists; --force replaces it")
    check_folders([out.parent])
    samples = []
    if pictures is not None:
        from artcolor.images.walk import is_picture, walk
        from artcolor.zoo.graphs import FEWEST_PICTURES

        check_data(pictures, "--pictures")
        samples = sorted(path for path in walk(pictures) if is_picture(path))
        if len(samples) < FEWEST_PICTURES:
            raise ConfigError(f"--int8 needs at least {FEWEST_PICTURES} pictures; {pictures} has {len(samples)}")

    from artcolor.engine.torch_backend import TorchBackend
    from artcolor.files import write_atomically
    from artcolor.models.export import export_onnx
    from artcolor.models.quantization import quantize

    backend = TorchBackend(model)
    tag, sha256 = backend.identity()
    data = export_onnx(backend.model, tag=tag, sha256=sha256, half=half, hints=hints)
    if int8:
        data = quantize(data, samples)
    with writing(out, len(data)):
        write_atomically(out, data)
    say(f"{tag} exported to {out} ({len(data):,} bytes)")
