"""The options that a model reads, listed once; `artcolor.engine.options` adds those of colorizing. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict

__all__ = ["ModelOptions", "Option"]

COLOR, FILES, MANY = "Color", "Files", "Many pictures"
"""Headings under which the command lists options."""


@dataclass(frozen=True)
class Option:
    """What people read about an option, and what values it takes.

    Attributes:
        help: one or two short sentences.
        minimum: the least value; `None` if there is none.
        maximum: the greatest value; `None` if there is none.
        group: heading under which the command lists it.
        default: its value if not given.
        command: its type on the command line, where that differs from its type in Python.
    """

    help: str
    minimum: float | None = None
    maximum: float | None = None
    group: str = COLOR
    default: Any = None
    command: Any = None


class ModelOptions(TypedDict, total=False):
    """The fields of `Decoding` and of `Guidance` as keyword arguments; also of `ColorizationModel.colorize`."""

    vividness: Annotated[
        float | None,
        Option("0 is the most accurate, brownish average; 1 is vivid. Default: the checkpoint's.", minimum=0),
    ]
    temperature: Annotated[
        float | None,
        Option(
            "Lower sharpens the distribution, 1 takes its mean. Default: the checkpoint's.", minimum=0.01, maximum=1
        ),
    ]
    strength: Annotated[float, Option("Factor on all chroma; 0 is gray.", minimum=0, default=1.0)]
    reference: Annotated[
        Any,
        Option("A colored picture whose colors are taken over, for models that accept one (vae).", command=Path | None),
    ]
    seed: Annotated[int | None, Option("Seed of a random coloring, for models that have several (vae).", minimum=0)]
    samples: Annotated[
        int, Option("Number of different colorings of each picture, for models that have several (vae).", 1, default=1)
    ]
    spread: Annotated[
        float | None,
        Option("How far samples lie from the most typical coloring, in standard deviations.", minimum=0),
    ]
