"""Hints: what a person knows about the colors of a picture.

A hint is a point, a stroke, a polygon or a mask with a color. Positions are fractions of width and height, so hints
survive resizing. `artcolor.engine.hint_files` reads them.
"""

import functools
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from numbers import Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageDraw

from artcolor.color import planes
from artcolor.errors import ConfigError, ImageError
from artcolor.images import open_picture

__all__ = ["FROM_PICTURE", "Hint", "parse_color"]

FROM_PICTURE = "picture"
"""The color of a hint that takes the picture's own color at its place."""

Point = tuple[float, float]
_SHAPES = ("polyline", "polygon", "mask")
_KEEP = ("automatic", "gray")
_LAB = re.compile(r"lab\(\s*([^\s,]+)[\s,]+([^\s,]+)[\s,]+([^\s,]+)\s*\)", re.IGNORECASE)
_LARGEST_AB = 150.0
_LARGEST_PALETTE = 16
# Characters of a value that a message shows.
_LONG = 80
# A cell belongs to a region if it is covered by so much of 255.
_HALF = 128
# Longer side of a mask that is kept.
_MASK_SIDE = 1024


@dataclass(frozen=True, kw_only=True)
class Hint:
    """The color of a point, a stroke or a region.

    Give exactly one of `x` with `y`, `polyline`, `polygon` and `mask`.

    Attributes:
        x: position of a point as a fraction of the width, 0..1.
        y: position of a point as a fraction of the height, 0..1.
        polyline: the corners `(x, y)` of a stroke, at least one.
        polygon: the corners `(x, y)` of a region, at least three.
        mask: path of a picture of the region, of any size with the same aspect ratio: white (or opaque) is inside.
        radius: radius of a point or stroke, as a fraction of the picture's short side, 0..0.5.
        color: `"#27408b"`, a CSS name, `"lab(40 10 -45)"`, or a and b as two numbers; or `"picture"` for the
            picture's own color at that place, if it is partly colored or faded (in a region, the median). Only chroma
            counts; the picture keeps its lightness. A region without a color confines the colors inside it.
        keep: `"gray"` for no color, or `"automatic"` for the color that the model predicts.
        frame: number of the page or frame, from 0; `None` means all.

    Raises:
        ConfigError: a value is invalid.

    Example:
        >>> Hint(x=0.41, y=0.63, color="#27408b").ab
        (17.49, -44.64)
    """

    x: float | None = None
    y: float | None = None
    polyline: Sequence[Point] | None = None
    polygon: Sequence[Point] | None = None
    mask: str | Path | None = None
    radius: float = 0.01
    color: str | Sequence[float] | None = None
    keep: Literal["automatic", "gray"] | None = None
    frame: int | None = None

    def __post_init__(self) -> None:
        given = [name for name in _SHAPES if getattr(self, name) is not None]
        if (self.x is not None) or (self.y is not None):
            given.insert(0, "x and y")
        if len(given) != 1:
            found = "none of them" if not given else " and ".join(given)
            raise ConfigError(f"a hint needs exactly one of x and y, polyline, polygon and mask; this one has {found}")
        for name in ("x", "y") if given == ["x and y"] else ():
            object.__setattr__(self, name, _check_number(name, getattr(self, name), 0, 1))
        for name, least in (("polyline", 1), ("polygon", 3)):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _points(name, getattr(self, name), least))
        object.__setattr__(self, "radius", _check_number("radius", self.radius, 0, 0.5))
        if self.keep is not None and self.keep not in _KEEP:
            raise ConfigError(f"keep must be 'automatic' or 'gray', not {shortened(self.keep)}")
        if self.color is not None and self.keep is not None:
            raise ConfigError("a hint has either color or keep, not both")
        if self.color is None and self.keep is None and not self.is_region:
            raise ConfigError("a point or polyline needs color or keep")
        if self.frame is not None and (type(self.frame) is not int or self.frame < 0):
            raise ConfigError(f"frame must be an integer of at least 0, not {shortened(self.frame)}")
        if self.mask is not None and not isinstance(self.mask, str | Path):
            raise ConfigError(f"mask must be the path of a picture, not {shortened(self.mask)}")
        if self.color is not None and not self.is_from_picture:
            ab = parse_color(self.color)
            if not isinstance(self.color, str):
                object.__setattr__(self, "color", list(ab))

    @property
    def is_from_picture(self) -> bool:
        """Whether the hint takes the picture's own color."""
        return isinstance(self.color, str) and self.color.strip().lower() == FROM_PICTURE

    @property
    def is_region(self) -> bool:
        """Whether the hint is a polygon or a mask."""
        return self.polygon is not None or self.mask is not None

    @property
    def ab(self) -> tuple[float, float] | None:
        """The chroma in Lab units, rounded to hundredths.

        It is `None` for a region without a color, for `keep="automatic"`, and for the picture's own color, which is
        only known once there is a picture (`artcolor.engine.hints_on_picture`).
        """
        if self.keep == "gray":
            return 0.0, 0.0
        return None if self.color is None or self.is_from_picture else parse_color(self.color)

    @property
    def points(self) -> Sequence[Point]:
        """The position of a point, or the corners of a stroke or polygon; empty for a mask."""
        if self.x is not None and self.y is not None:
            return [(self.x, self.y)]
        return self.polyline or self.polygon or ()

    def to_json(self) -> dict[str, Any]:
        """Returns the fields that differ from their defaults, as in a hints file."""
        values = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, (value, default) in values.items()
            if value != default
        }


def parse_color(color: str | Sequence[float]) -> tuple[float, float]:
    """Reads the chroma of a color.

    Args:
        color: a hexadecimal color, a CSS name, `lab(L a b)`, or a and b as two numbers.

    Returns:
        a and b in Lab units, rounded to hundredths.

    Raises:
        ConfigError: it is not a color.

    Example:
        >>> parse_color("lab(50, 20, -30)"), parse_color("white")
        ((20.0, -30.0), (0.0, 0.0))
    """
    if not isinstance(color, str):
        if not isinstance(color, Sequence) or len(color) != 2:
            raise ConfigError(f"a color must be a string or two numbers, a and b, not {color!r}")
        a, b = (_check_number("a and b of a color", value, -_LARGEST_AB, _LARGEST_AB) for value in color)
        return round(a, 2), round(b, 2)
    found = _LAB.fullmatch(color.strip())
    if found:
        try:
            values = [float(each) for each in found.groups()]
        except ValueError:
            raise ConfigError(f"{shortened(color)} is not a color: lab() takes three numbers, L a b") from None
        _check_number(f"L of {color!r}", values[0], 0, 100)
        return parse_color(values[1:])
    try:
        rgb = ImageColor.getrgb(color.strip())[:3]
        if not all(0 <= each <= 255 for each in rgb):
            raise ValueError(color)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{shortened(color)} is not a color; give one such as '#27408b', 'navy' or 'lab(40 10 -45)'"
        ) from None
    lab = planes.lab(np.array([[rgb]], np.uint8)).ravel().tolist()
    # Grays come out within rounding errors of 0.
    return round(lab[1], 2) + 0.0, round(lab[2], 2) + 0.0


def read_palette(colors: Any) -> npt.NDArray[np.float32]:
    """Reads a palette.

    Args:
        colors: 2 to 16 colors, as `parse_color` reads them.

    Returns:
        `(k, 2)`, a and b in Lab units.

    Raises:
        ConfigError: there are too few or too many, or one of them is not a color.

    Example:
        >>> read_palette(["#27408b", "ivory"]).shape
        (2, 2)
    """
    if hasattr(colors, "tolist"):
        # An array or a tensor.
        colors = colors.tolist()
    if isinstance(colors, str) or not isinstance(colors, Sequence) or not 2 <= len(colors) <= _LARGEST_PALETTE:
        raise ConfigError(
            f"palette must be 2 to {_LARGEST_PALETTE} colors, not {colors!r}; on the command line, repeat --palette"
        )
    return np.array([parse_color(color) for color in colors], np.float32)


def _check_number(name: str, value: Any, low: float, high: float) -> float:
    # Python's integers may be larger than any float.
    if isinstance(value, bool) or not isinstance(value, Real) or not low <= value <= high:  # type: ignore[operator]
        raise ConfigError(f"{name} must be a number from {low:g} to {high:g}, not {shortened(value)}")
    return float(value)


def shortened(value: Any) -> str:
    """Returns a value as an error message shows it: not more than its beginning.

    Example:
        >>> shortened("a" * 200)
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..."
    """
    if isinstance(value, int) and value.bit_length() > _LONG:
        return "a huge integer"
    text = repr(value[:_LONG] if isinstance(value, str) else value)
    return text if len(text) <= _LONG else text[:_LONG] + "..."


def _points(name: str, values: Any, least: int) -> tuple[Point, ...]:
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) < least:
        raise ConfigError(f"{name} must be a list of at least {least} points [x, y]")
    points = []
    for number, each in enumerate(values):
        if not isinstance(each, Sequence) or isinstance(each, str) or len(each) != 2:
            raise ConfigError(f"point {number + 1} of {name} must be [x, y], not {shortened(each)}")
        x, y = (_check_number(f"point {number + 1} of {name}", value, 0, 1) for value in each)
        points.append((x, y))
    return tuple(points)


def region_of(hint: Hint, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Rasterizes a region.

    Args:
        hint: a polygon or mask.
        size: height and width of the grid.

    Returns:
        `(height, width)` of booleans; a cell belongs to the region if at least half of it does. A region smaller than
        a cell has the cells that it covers most.

    Raises:
        ImageError: the mask cannot be read.
    """
    height, width = size
    if hint.mask is not None:
        covered = mask_of(hint.mask).image
    else:
        assert hint.polygon is not None
        fine = (max(width * 4, 64), max(height * 4, 64))
        covered = Image.new("L", fine)
        corners = [(x * (fine[0] - 1), y * (fine[1] - 1)) for x, y in hint.polygon]
        ImageDraw.Draw(covered).polygon(corners, fill=255, outline=255)
    share = np.asarray(covered.resize((width, height), Image.Resampling.BOX)).astype(float)
    return share >= min(_HALF, max(float(share.max()), 1))


@dataclass(frozen=True)
class Mask:
    """The mask of a region.

    Attributes:
        image: how much of each pixel belongs to the region, in mode L; a large mask is reduced.
        size: width and height of the file in pixels.
    """

    image: Image.Image
    size: tuple[int, int]


def mask_of(path: str | Path) -> Mask:
    """Reads the mask of a region, with a cache that notices when the file changes.

    Args:
        path: path of a picture. If it has transparency, pixels that are at least half opaque belong to the region;
            otherwise pixels that are at least half as bright as white.

    Returns:
        The mask.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        stat = Path(path).stat()
        version = stat.st_mtime_ns, stat.st_size
    except OSError:
        # Reading it raises the reason.
        version = 0, 0
    except ValueError as error:
        raise ImageError(f"{shortened(str(path))} is not a valid file path: {error}") from error
    return _read_mask(str(path), version)


@functools.lru_cache(maxsize=32)
def _read_mask(path: str, version: tuple[int, int]) -> Mask:
    picture = open_picture(path)
    values = np.asarray(picture.pixels if picture.alpha is None else picture.alpha)
    values = values[..., 0] if values.ndim == 3 else values
    most = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1
    inside = values >= most / 2
    if not inside.any():
        raise ImageError(f"the mask {path} is empty: no pixel is white or opaque")
    image = Image.fromarray(inside.astype(np.uint8) * 255)
    size = image.size
    # No output of a network is finer.
    scale = min(1.0, _MASK_SIDE / max(size))
    reduced = [max(1, round(side * scale)) for side in size]
    return Mask(image.resize((reduced[0], reduced[1]), Image.Resampling.BOX), size)


def along(path: np.ndarray[Any, Any], spacing: float) -> np.ndarray[Any, Any]:
    """Fills the corners of a stroke up to a line of points.

    Args:
        path: the corners `(n, 2)`.
        spacing: the largest distance of two neighbors, in units of the corners.

    Returns:
        `(m, 2)`; the corners are among them.

    Example:
        >>> along(np.array([[0.0, 0.0], [1.0, 0.0]]), 0.5).tolist()
        [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]]
    """
    parts = [path[:1]]
    for start, stop in itertools.pairwise(path):
        count = max(1, math.ceil(float(np.hypot(*(stop - start))) / spacing))
        parts.append(start + np.linspace(0, 1, count + 1)[1:, None] * (stop - start))
    filled: np.ndarray[Any, Any] = np.concatenate(parts)
    return filled
