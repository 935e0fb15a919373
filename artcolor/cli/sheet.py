"""The contact sheet that `artcolor colorize --samples` writes beside several colorings of a picture."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from artcolor.batch.disk import writing
from artcolor.batch.names import sheet_path
from artcolor.batch.plan import Job, Outcome
from artcolor.errors import ImageError
from artcolor.images import Provenance, open_rgb, save_picture

# In pixels: the longer side of a picture on the sheet and of the whole sheet at most, the space between pictures, and
# the height of their numbers.
_TILE, _SHEET, _GAP, _NUMBER = 480, 4800, 12, 20
_PAPER, _INK = "white", "black"


def write_sheet(outcome: Outcome, jobs: Sequence[Job], provenance: Provenance | None, *, replace: bool = False) -> None:
    """Writes a picture that shows all colorings of an original, small and with their numbers.

    Args:
        outcome: outcome of the original.
        jobs: jobs of the run; their originals are never replaced.
        provenance: where the colors come from, to be stated in the file; `None` states nothing.
        replace: a sheet that exists.

    Raises:
        ImageError: a coloring cannot be read, or the sheet cannot be written or already exists.
    """
    target = sheet_path(outcome.job.target)
    if os.path.realpath(target) in {os.path.realpath(job.source) for job in jobs}:
        raise ImageError(f"the contact sheet would replace the original {target}; choose another -o")
    if target.exists() and not replace:
        raise ImageError(f"the contact sheet {target} already exists; --force replaces it")
    sheet = _sheet(outcome.results)
    with writing(target, sheet.width * sheet.height * 3):
        save_picture(sheet, target, quality=90, provenance=provenance)


def _sheet(paths: Sequence[Path]) -> Image.Image:
    columns = math.ceil(math.sqrt(len(paths)))
    rows = math.ceil(len(paths) / columns)
    side = min(_TILE, _SHEET // columns)
    tiles = []
    for path in paths:
        tile = Image.fromarray(open_rgb(path))
        tile.thumbnail((side, side), Image.Resampling.LANCZOS)
        tiles.append(tile)
    width, height = (max(size) for size in zip(*(tile.size for tile in tiles), strict=True))
    step_x, step_y = width + _GAP, height + _GAP + _NUMBER
    sheet = Image.new("RGB", (columns * step_x + _GAP, rows * step_y + _GAP), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_NUMBER - 4)
    for number, tile in enumerate(tiles):
        x, y = _GAP + number % columns * step_x, _GAP + number // columns * step_y
        sheet.paste(tile, (x, y))
        draw.text((x, y + tile.height + 2), str(number + 1), _INK, font)
    return sheet
