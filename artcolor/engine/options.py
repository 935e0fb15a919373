"""The colorizing options, listed once.

`colorize`, `Colorizer`, the command, the provenance and the tables in the docs are generated from this list. This
module does not import torch, because the command needs it for `--help`.
"""

import difflib
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from artcolor.models.options import MANY, ModelOptions, Option

__all__ = ["DEFAULT_MODEL", "DEVICES", "OPTIONS", "BackendName", "Options", "checked"]

BackendName = Literal["auto", "torch", "onnx"]

DEFAULT_MODEL = "unet"
"""The default model."""

DEVICES = ("cuda", "mps", "cpu")
"""Devices that networks run on, fastest first; `auto` picks the first one that works."""


class Options(ModelOptions, total=False):
    """How pictures are colorized; the keyword arguments of `artcolor.colorize` and `artcolor.Colorizer`.

    The fields of `artcolor.models.options.ModelOptions` are options, too.
    """

    size: Annotated[
        int | None,
        Option("Short side, in pixels, at which the network sees a picture. Default: the model's.", minimum=16),
    ]
    skip_colored: Annotated[bool, Option("Skip pictures that already have color.", default=False)]
    chroma_only: Annotated[bool, Option("Output only the color, as a layer for the blend mode 'Color'.", default=False)]
    batch_size: Annotated[int, Option("Number of pictures per network batch.", 1, group=MANY, default=4)]
    device: Annotated[
        str,
        Option(
            "Device for the network: cuda, mps, cpu, or auto for the fastest one available.", group=MANY, default="cpu"
        ),
    ]
    backend: Annotated[
        BackendName,
        Option(
            "Runtime for the network: torch, onnx, or auto for ONNX Runtime where possible, else PyTorch.",
            group=MANY,
            default="auto",
        ),
    ]


def _list() -> Iterator[tuple[str, tuple[Any, Option]]]:
    for name, annotation in Options.__annotations__.items():
        kind, option = typing.get_args(annotation)
        assert isinstance(option, Option)
        yield name, (kind, option)


OPTIONS: Mapping[str, tuple[Any, Option]] = dict(_list())
"""Name of each option → its type and its description."""


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all options, with defaults for those that are not given.

    Args:
        given: option → value.

    Raises:
        TypeError: there is no such option.

    Example:
        >>> checked({"strength": 0.5})["batch_size"]
        4
    """
    for name in given:
        if name not in OPTIONS:
            near = difflib.get_close_matches(name, OPTIONS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the options are {', '.join(OPTIONS)}"
            raise TypeError(f"there is no option {name!r}; {hint}")
    return {name: given.get(name, option.default) for name, (_, option) in OPTIONS.items()}
