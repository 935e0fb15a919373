"""Converts inputs of all kinds to `Picture`s: files, bytes, Pillow images, arrays and tensors."""

import dataclasses
import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from artcolor.color import planes
from artcolor.engine.arrays import is_tensor, of_array
from artcolor.engine.hint_files import HintFile, open_hints
from artcolor.engine.hints import read_palette
from artcolor.engine.result import ColoredImage
from artcolor.errors import ConfigError, ImageError
from artcolor.images import Picture, Provenance, decode, open_picture
from artcolor.images.colored import is_colored
from artcolor.images.streams import is_source, source_name
from artcolor.models.guidance import Guidance

_REFERENCE_SIDE = 1024
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """Something to colorize.

    Attributes:
        pictures: one, or those of a batched tensor.
        rebuild: converts its colored pictures back to the type of the input.
    """

    pictures: list[Picture]
    rebuild: Callable[[list[Picture], Provenance], Any]


def item_of(x: Any) -> Item:
    """Decodes something to colorize.

    Args:
        x: a path, the bytes of a picture file, a file object, a Pillow image, an array or a tensor.

    Raises:
        ImageError: it cannot be read, or its values are not those of a picture.
    """
    if isinstance(x, str) and _ADDRESS.match(x):
        raise ImageError(
            f"{x[:100]} is an address, and artcolor does not download pictures; "
            "download the picture and give its path or its bytes"
        )
    if isinstance(x, Image.Image):
        return Item([decode(x)], _image)
    if isinstance(x, np.ndarray):
        return Item([Picture(of_array(x))], lambda done, _: done[0].pixels.astype(x.dtype, copy=False))
    if is_tensor(x):
        # These import torch.
        from artcolor.engine.tensors import as_tensor  # noqa: PLC0415
        from artcolor.models.pictures import of_tensor  # noqa: PLC0415

        return Item([Picture(each) for each in of_tensor(x)], lambda done, _: as_tensor([p.pixels for p in done], x))
    if is_source(x):
        return Item([open_picture(x)], functools.partial(_image, source=path_of(x)))
    raise ImageError(
        f"cannot colorize a {type(x).__name__}; give a path, the bytes of a file, a file object, a Pillow image, "
        "a NumPy array, a tensor, or a list or iterator of these"
    )


def _image(done: list[Picture], provenance: Provenance, source: Path | None = None) -> ColoredImage:
    return ColoredImage(done[0], provenance, source)


def path_of(x: Any) -> Path | None:
    """The path of something to colorize; `None` if it is not a path."""
    return Path(x) if isinstance(x, str | os.PathLike) else None


@dataclass(frozen=True)
class ReadGuidance:
    """Guidance whose files have been read.

    Attributes:
        stated: what the provenance states: palette and reference as they were given, hints as a list of `Hint`.
        decoded: what the model gets: the palette as an array `(k, 2)` of a and b, the reference as a tensor
            `(1, 3, H, W)`, sRGB in 0..1, hints as a list of `Hint`.
        hints: the content of the hints file; `None` without hints.
    """

    stated: Guidance
    decoded: Guidance
    hints: HintFile | None


def read_guidance(guidance: Guidance, check: Callable[[Guidance], None]) -> ReadGuidance:
    """Reads hints, palette and reference. Palette and reference of a hints file are used where none are given.

    Args:
        guidance: its reference may be anything that `item_of` takes, its hints anything that `read_hints` takes.
        check: raises a `ConfigError` for guidance that the model does not accept.

    Returns:
        The guidance.

    Raises:
        ConfigError: a hint is invalid, or the model does not accept an option or an entry of the hints file.
        ImageError: the reference or the hints cannot be read, or the reference holds several pictures.
    """
    check(guidance)
    file = None
    if guidance.hints is not None:
        file = open_hints(guidance.hints)
        guidance = dataclasses.replace(
            guidance,
            hints=file.hints or None,
            palette=file.palette if guidance.palette is None else guidance.palette,
            reference=file.reference if guidance.reference is None else guidance.reference,
        )
        try:
            check(guidance)
        except ConfigError as error:
            raise ConfigError(f"{file.name}: {error}" if file.name else str(error)) from None
    decoded = dataclasses.replace(
        guidance,
        palette=None if guidance.palette is None else read_palette(guidance.palette),
        reference=None if guidance.reference is None else _reference(guidance.reference),
    )
    return ReadGuidance(guidance, decoded, file)


def _reference(reference: Any) -> Any:
    pictures = item_of(reference).pictures
    if len(pictures) > 1:
        raise ImageError(f"reference must be a single picture, not {len(pictures)}")
    if not is_colored(pictures[0].pixels):
        name = f" {source_name(reference)}" if is_source(reference) else ""
        raise ImageError(f"the reference{name} has no color; give a colored picture")
    pixels = np.asarray(planes.gray_to_rgb(pictures[0].rows))
    # Models see a reference at their working size only.
    scale = min(1.0, _REFERENCE_SIDE / max(pixels.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    small = planes.resize(pixels, (height, width))
    values = small.astype(np.float32) / 255 if small.dtype == np.uint8 else small
    # Models that follow a reference are in PyTorch.
    from torch import from_numpy  # noqa: PLC0415

    return from_numpy(values).permute(2, 0, 1)[None]
