"""Reads hints: files of JSON, painted pictures, and the same from Python."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from artcolor.engine.hints import Hint, read_palette, shortened
from artcolor.errors import ConfigError, ImageError
from artcolor.images import open_picture
from artcolor.images.picture import at_depth
from artcolor.images.streams import Source, source_name

__all__ = ["HintFile", "open_hints", "read_hints"]

_SCHEMA = 1
_LARGEST_SIDE = 10**9
_ENTRIES = ("schema", "size", "hints", "palette", "reference")


@dataclass(frozen=True, kw_only=True)
class HintFile:
    """The content of a hints file, or what was passed instead of one.

    Attributes:
        hints: the hints.
        name: name of the file in messages; empty if there is no file.
        size: width and height of the picture that the hints are for; `None` if not stated.
        palette: colors for the whole picture, as in `Guidance`.
        reference: path of a colored picture, as in `Guidance`.
    """

    hints: list[Hint] = field(default_factory=list)
    name: str = ""
    size: tuple[int, int] | None = None
    palette: Sequence[Any] | None = None
    reference: Path | None = None

    def beyond(self, count: int) -> list[str]:
        """Finds hints for pages or frames that a file does not have.

        Args:
            count: number of its pages or frames.

        Returns:
            Warnings that name the hint.
        """
        pages = "a single page" if count == 1 else f"frames 0 to {count - 1}"
        return [
            f"{self.entry(number)} is for frame {hint.frame}, but the file has {pages}; the hint has no effect"
            for number, hint in enumerate(self.hints)
            if hint.frame is not None and hint.frame >= count
        ]

    def entry(self, number: int) -> str:
        """Returns the name of a hint for messages.

        Args:
            number: its index in `hints`, from 0. Messages count from 1, as cards do.

        Returns:
            For example `a.json: hint 4`.
        """
        return _inside(self.name, _entry(number))


def read_hints(source: Any) -> list[Hint]:
    """Reads hints.

    A hints file is JSON (its schema is `artcolor/engine/hints.schema.json`)::

        {
          "schema": 1,
          "size": [1200, 900],
          "hints": [
            {"x": 0.41, "y": 0.63, "radius": 0.01, "color": "#27408b"},
            {"polyline": [[0.1, 0.1], [0.5, 0.2]], "color": "lab(40 10 -45)"},
            {"polygon": [[0, 0], [1, 0], [1, 0.3]], "color": "skyblue"},
            {"polygon": [[0.2, 0.5], [0.4, 0.5], [0.3, 0.9]]},
            {"mask": "robe.png", "color": "picture"},
            {"x": 0.9, "y": 0.1, "keep": "gray"},
            {"x": 0.8, "y": 0.1, "keep": "automatic", "frame": 2}
          ],
          "palette": ["#27408b", "ivory"],
          "reference": "other.jpg"
        }

    All entries are optional.

    - `schema`: the version of the format, 1.
    - `size`: width and height of the picture in pixels, upright. A picture whose aspect ratio differs by more than 5 %
      is rejected, because the hints are for a different one.
    - `hints`: each is a point (`x` and `y`), a stroke (`polyline`) or a region (`polygon` or `mask`), with a `color`
      or with `keep`. A region may have neither: its outline then confines the colors inside it. Positions are fractions
      of width and height from the upper left corner, 0 to 1. See `Hint` for the fields.
    - `color`: `"#27408b"`, a CSS name, `"lab(L a b)"`, `[a, b]`, or `"picture"` for the picture's own color
      at that place. It is an error if the picture has none there. Only chroma counts.
    - `radius`: of a point or stroke, as a fraction of the picture's short side. Default: 0.01.
    - `keep`: `"gray"`, or `"automatic"` for the color that the model predicts.
    - `frame`: number of the page or frame that a hint is for, from 0. Default: all of them.
    - `palette` and `reference`: like the options of these names, which take precedence.

    The paths of `mask` and `reference` are relative to the folder of the file. A mask may have any size with
    the picture's aspect ratio. White pixels belong to the region or, if the mask has transparency, opaque ones.

    Hints can also be painted: in a picture with transparency that has the same size, or any other size with the same
    aspect ratio (again to within 5 %). Its pixels that are at least half opaque are hints for all pages or frames.

    Args:
        source: path of a hints file or of a painted picture, the content of a hints file as a mapping, or a list of
            hints or mappings.

    Returns:
        The hints. Paths of masks include the folder of the file.

    Raises:
        ConfigError: an entry is invalid; the message names it.
        ImageError: the file cannot be read.

    Example:
        >>> read_hints([{"x": 0.5, "y": 0.5, "color": "teal"}])[0].x
        0.5
    """
    return open_hints(source).hints


def open_hints(source: Any) -> HintFile:
    """Reads hints together with the other entries of a hints file.

    Args:
        source: see `read_hints`.

    Returns:
        The hints, and the size, palette and reference of the file.

    Raises:
        ConfigError: an entry is invalid; the message names it.
        ImageError: the file cannot be read.

    Example:
        >>> open_hints({"size": [800, 600], "palette": ["navy", "ivory"]}).size
        (800, 600)
    """
    if isinstance(source, str | Path):
        path = Path(source)
        if path.is_dir():
            raise ConfigError(
                f"{path} is a folder; give the hints file of the picture. To colorize many pictures with a folder of "
                "hints files, use artcolor colorize IN -o OUT --hints FOLDER, or plan_jobs(..., hints=FOLDER)"
            )
        return _read_json(path) if path.suffix.lower() == ".json" else painted_hints(path)
    if isinstance(source, Mapping):
        return _content(source, "", None)
    if isinstance(source, Sequence) and not isinstance(source, bytes):
        return HintFile(
            hints=[each if isinstance(each, Hint) else _hint(each, _entry(n), None) for n, each in enumerate(source)]
        )
    raise ConfigError(f"hints must be a path, a mapping or a list, not a {type(source).__name__}")


def _read_json(path: Path) -> HintFile:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    return _content(content, str(path), path.parent)


def _content(content: Any, name: str, folder: Path | None) -> HintFile:
    what = name or "hints"
    if not isinstance(content, Mapping):
        raise ConfigError(f"{what} must contain a JSON object with 'schema' and 'hints'")
    if content.get("schema", _SCHEMA) != _SCHEMA:
        found = shortened(content["schema"])
        raise ConfigError(f"{what} has schema {found}; this version of artcolor reads schema {_SCHEMA}")
    unknown = sorted(str(key) for key in content if key not in _ENTRIES)
    if unknown:
        raise ConfigError(f"{what} has unknown keys: {', '.join(unknown)}; the keys are {', '.join(_ENTRIES)}")
    hints = content.get("hints", [])
    if not isinstance(hints, Sequence) or isinstance(hints, str):
        raise ConfigError(_inside(name, "hints must be a list"))
    palette = content.get("palette")
    if palette is not None:
        try:
            read_palette(palette)
        except ConfigError as error:
            raise ConfigError(_inside(name, str(error))) from None
    return HintFile(
        hints=[_hint(each, _inside(name, _entry(number)), folder) for number, each in enumerate(hints)],
        name=name,
        size=_size(content.get("size"), name),
        palette=palette,
        reference=_reference(content.get("reference"), name, folder),
    )


def _entry(number: int) -> str:
    return f"hint {number + 1}"


def _inside(name: str, what: str) -> str:
    return f"{name}: {what}" if name else what


def _size(size: Any, name: str) -> tuple[int, int] | None:
    if size is None:
        return None
    numbers = size if isinstance(size, Sequence) and not isinstance(size, str) else ()
    if len(numbers) != 2 or any(type(number) is not int or not 1 <= number <= _LARGEST_SIDE for number in numbers):
        raise ConfigError(
            _inside(name, f"size must be width and height of the picture, two positive integers, not {shortened(size)}")
        )
    return numbers[0], numbers[1]


def _reference(reference: Any, name: str, folder: Path | None) -> Path | None:
    if reference is None:
        return None
    if not isinstance(reference, str | Path) or not str(reference):
        raise ConfigError(_inside(name, f"reference must be the path of a picture, not {shortened(reference)}"))
    return Path(reference) if folder is None else folder / reference


def _hint(content: Any, where: str, folder: Path | None) -> Hint:
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where} must be an object, not {shortened(content)}")
    known = [each.name for each in fields(Hint)]
    unknown = [str(key) for key in content if key not in known]
    if unknown:
        raise ConfigError(f"{where} has unknown keys: {', '.join(unknown)}; the keys are {', '.join(known)}")
    values = dict(content)
    if folder is not None and isinstance(values.get("mask"), str):
        values["mask"] = str(folder / values["mask"])
    try:
        return Hint(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def painted_hints(source: Source, *, largest: int = 200) -> HintFile:
    """Reads hints that were painted on a transparent layer.

    Args:
        source: a picture file with transparency, of any size. Pixels that are at least half opaque are hints.
        largest: the most points to make; larger areas become squares of pixels.

    Returns:
        Points, each in the middle of what is painted in a square of pixels, in its mean color; and the size of the
        picture.

    Raises:
        ConfigError: the picture has no transparency, or nothing is painted on it.
        ImageError: it cannot be read.
    """
    picture = open_picture(source)
    name = source_name(source)
    if picture.alpha is None:
        raise ConfigError(
            f"{name} has no transparency; paint hints on a transparent layer of the picture's size, and export it "
            "as PNG"
        )
    opaque = at_depth(picture.alpha, 8) >= 128
    if not opaque.any():
        raise ConfigError(f"nothing is painted on {name}: no pixel is at least half opaque")
    pixels = picture.pixels
    height, width = opaque.shape
    step = 1
    while len(np.unique(_blocks(opaque, step))) > largest:
        step *= 2
    rows, columns = np.nonzero(opaque)
    # The mean of each square, so that soft edges and noise do not contradict their neighbors.
    _, square, counts = np.unique(_blocks(opaque, step), return_inverse=True, return_counts=True)
    colors = at_depth(pixels, 8)[rows, columns].reshape(len(rows), -1).astype(float)
    y, x, *mean = (
        np.bincount(square, values) / counts for values in (rows, columns, *np.broadcast_to(colors, (len(rows), 3)).T)
    )
    hints = [
        Hint(
            x=round((float(x[n]) + 0.5) / width, 5),
            y=round((float(y[n]) + 0.5) / height, 5),
            radius=round(step / 2 / min(height, width), 5),
            color="#{:02x}{:02x}{:02x}".format(*(round(float(each[n])) for each in mean)),
        )
        for n in range(len(counts))
    ]
    return HintFile(hints=hints, name=name, size=(width, height))


def _blocks(opaque: np.ndarray[Any, Any], step: int) -> np.ndarray[Any, Any]:
    """Number of the square of `step` pixels to which each opaque pixel belongs."""
    rows, columns = np.nonzero(opaque)
    numbers: np.ndarray[Any, Any] = (rows // step) * opaque.shape[1] + columns // step
    return numbers
