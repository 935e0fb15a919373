"""The options that models accept, listed once; `artcolor.engine.options` adds the rest. Does not import torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict

__all__ = ["ModelOptions", "Option"]

COLOR, FILES, MANY, FILMS, RAY = "Color", "Files", "Many pictures", "Films", "Many machines"
"""Headings of option groups in the command's help."""


@dataclass(frozen=True)
class Option:
    """Help text, range and default of an option.

    Attributes:
        help: one or two short sentences.
        minimum: the smallest valid value; `None` if unbounded.
        maximum: the largest valid value; `None` if unbounded.
        group: heading of the option in the command's help.
        default: the value if the option is not given.
        command: the type on the command line, if it differs from the type in Python.
        short: the short form of the option on the command line, such as `-f`.
        turn_off: help text of the option that turns it off, if it is on by default.
    """

    help: str
    minimum: float | None = None
    maximum: float | None = None
    group: str = COLOR
    default: Any = None
    command: Any = None
    short: str | None = None
    turn_off: str | None = None

    @property
    def range(self) -> str:
        """The range in words; empty if unbounded.

        Example:
            >>> Option("", minimum=1).range, Option("", minimum=0, maximum=100).range
            ('1 or more', '0 to 100')
        """
        if self.minimum is None:
            return ""
        return f"{self.minimum:g} " + ("or more" if self.maximum is None else f"to {self.maximum:g}")


class ModelOptions(TypedDict, total=False):
    """The fields of `Decoding` and `Guidance` as keyword arguments, for example of `ColorizationModel.colorize`."""

    vividness: Annotated[
        float | None,
        Option(
            "Colorfulness: 0 gives the most accurate but muted colors, 2 about the colorfulness of paintings. "
            "Default: the model's.",
            minimum=0,
            maximum=100,
        ),
    ]
    temperature: Annotated[
        float | None,
        Option(
            "Below 1, sharpens the predicted distribution; 1 uses its mean. Default: the model's.",
            minimum=0.01,
            maximum=1,
        ),
    ]
    strength: Annotated[float, Option("Factor for chroma; 0 is gray.", minimum=0, maximum=100, default=1.0)]
    hints: Annotated[
        Any,
        Option(
            "Colors of points, strokes or regions: a hints file, or a picture with transparency. For several pictures, "
            "a folder of such files with matching names. --palette and --reference override those in the file.",
            command=Path | None,
        ),
    ]
    palette: Annotated[
        Any,
        Option(
            "2 to 16 colors for the whole picture, such as #27408b or navy. Repeat the option for each color.",
            command=list[str] | None,
        ),
    ]
    reference: Annotated[
        Any,
        Option("A colored picture; similar objects in the result take its colors.", command=Path | None),
    ]
    seed: Annotated[int | None, Option("Seed for a random coloring. Default: the most typical coloring.", minimum=0)]
    samples: Annotated[int, Option("Number of alternative colorings of each picture.", 1, default=1)]
    spread: Annotated[
        float | None,
        Option(
            "Distance of random colorings from the most typical one, in standard deviations. Default: the model's.",
            minimum=0,
            maximum=100,
        ),
    ]
