"""Colorizes one picture that comes from a stream, or whose result goes into one."""

import contextlib
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from artcolor.batch.disk import writing
from artcolor.batch.saving import Saving
from artcolor.batch.steps import ExistingResultError
from artcolor.engine.colorizer import Colorizer
from artcolor.errors import ConfigError
from artcolor.images import FORMATS, Picture, Source, check_target, open_file, output_suffix, save_pictures
from artcolor.images.notices import about
from artcolor.images.write import Target

__all__ = ["colorize_stream"]

# Of these there is no result, or more than one.
_REFUSED = ("uncertainty", "resume")


def colorize_stream(colorizer: Colorizer, source: Source, target: Target, saving: Saving | None = None) -> None:
    """Colorizes one picture file, with all of its pages or frames.

    Args:
        colorizer: colorizes it.
        source: the picture file: a path, bytes, or a binary file that is open for reading.
        target: a path, or a binary file that is open for writing. It gets all bytes at once, and only if nothing
            failed.
        saving: how the result is written. Without `format`, the suffix of the target decides the format; for an open
            file, the format of the original, or the nearest that can hold color.

    Raises:
        ConfigError: `saving` or the colorizer asks for more or less than one result, or the hints are invalid.
        ImageError: the picture cannot be read, or the result cannot be written or already exists.
        WeightsError: the network's output is not finite.

    Example:
        >>> import io
        >>> from PIL import Image
        >>> Image.new("L", (50, 30), 128).save(gray := io.BytesIO(), "PNG")
        >>> colorize_stream(Colorizer("cnn"), gray, colored := io.BytesIO(), Saving(format="jpg"))
        >>> colored.getvalue()[:3]
        b'\\xff\\xd8\\xff'
    """
    saving = saving or Saving()
    given: dict[str, Any] = {name: getattr(saving, name) for name in _REFUSED}
    given |= {"skip_colored": colorizer.skip_colored, "samples": colorizer.guidance.samples > 1}
    for name in filter(given.__getitem__, given):
        raise ConfigError(f"only a single result can be written to a stream; omit {name}")
    path = Path(target) if not hasattr(target, "write") else None
    if path is not None and path.exists() and not saving.force:
        raise ExistingResultError(f"{path} already exists; --force replaces it")
    with open_file(source, max_pixels=saving.max_pixels, allow_truncated=saving.allow_truncated) as file:
        format = saving.format
        if format is None and path is None:
            format = output_suffix(FORMATS[file.format].suffixes[0])
        called = getattr(target, "name", "the file") if path is None else path
        check_target(str(called), *file.size, frames=file.frames, format=format)
        pages: Iterable[Picture] = file
        with about(file.name), contextlib.nullcontext() if path is None else writing(path, 3 * math.prod(file.size)):
            if file.frames == 1:
                # The provenance then states its hints as they were understood.
                pages = [next(iter(file))]
                colorizer = colorizer.for_picture(pages[0])
            save_pictures(
                colorizer.pictures(pages, animated=file.animated),
                target,
                format=format,
                quality=saving.quality,
                depth=saving.depth,
                provenance=colorizer.provenance if saving.provenance else None,
            )
