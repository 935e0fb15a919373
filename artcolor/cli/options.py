"""Options that several commands have: declared here, or generated from `OPTIONS` and the fields of `Saving`."""

import dataclasses
import inspect
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

import typer

from artcolor.batch.saving import Saving
from artcolor.cli.completion import COMPLETE, complete_models
from artcolor.engine.options import OPTIONS
from artcolor.models.options import COLOR, FILES, FILMS, MANY, RAY, Option

ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="Name of a model or of weights (see `artcolor models`), or path of a weights or ONNX file.",
        autocompletion=complete_models,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print a line for each file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per file, one per line, and nothing else.")]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Threads for reading, writing and, on the CPU, the network. Default: one per core, at most 8.",
        rich_help_panel=MANY,
    ),
]

_F = TypeVar("_F", bound=Callable[..., None])
# By the type of the value.
_PLACEHOLDERS = {int: "N", float: "X", Path: "PATH", list[str]: "COLOR"}
_PANELS = (None, COLOR, FILES, MANY, FILMS, RAY)


def with_options(command: _F) -> _F:
    """Replaces the `**options` of a command by one command-line option for each of `OPTIONS` and field of `Saving`.

    Args:
        command: function that receives the options as keyword arguments.

    Returns:
        The same function, with a signature that lists all options.
    """
    return _with(command, [*_coloring(), *_saving()])


def with_coloring_options(*left_out: str, renamed: Mapping[str, str] | None = None) -> Callable[[_F], _F]:
    """Makes a decorator that replaces `**options` by a command-line option for each of `OPTIONS`.

    Args:
        *left_out: names of those that the command does not have.
        renamed: names that are taken by another option of the command → those to use in their place.

    Returns:
        As `with_options`.
    """
    return lambda command: _with(command, [each for each in _coloring(renamed or {}) if each.name not in left_out])


def _with(command: _F, generated: Iterable[inspect.Parameter]) -> _F:
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(command).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    parameters = sorted([*generated, *own], key=lambda parameter: _PANELS.index(_shown(parameter).rich_help_panel))
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command


def _shown(parameter: inspect.Parameter) -> Any:
    return typing.get_args(parameter.annotation)[1]


def _coloring(renamed: Mapping[str, str] = MappingProxyType({})) -> Iterator[inspect.Parameter]:
    for name, (kind, option) in OPTIONS.items():
        yield _parameter(renamed.get(name, name), option.command or kind, option, option.default)


def _saving() -> Iterator[inspect.Parameter]:
    hints = typing.get_type_hints(Saving, include_extras=True)
    for field in dataclasses.fields(Saving):
        kind, option = typing.get_args(hints[field.name])
        yield _parameter(field.name, kind, option, field.default)


def _parameter(name: str, kind: Any, option: Option, default: Any) -> inspect.Parameter:
    flag, off = f"--{name.replace('_', '-')}", f"--no-{name.replace('_', '-')}"
    limits = {key: value for key, value in (("min", option.minimum), ("max", option.maximum)) if value is not None}
    names = [flag, *([option.short] if option.short else [])]
    callback, help = None, option.help
    if default is True:
        # Only the option that turns it off is shown; without it, its value is False.
        names, default, callback, help = [off], False, _inverted, option.turn_off or option.help
    shown = typer.Option(
        *names,
        callback=callback,
        help=help,
        metavar=_placeholder(kind),
        rich_help_panel=option.group,
        show_default=default is not None and not isinstance(default, bool),
        autocompletion=COMPLETE.get(name),
        **limits,  # type: ignore[arg-type]
    )
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[kind, shown], default=default)


def _inverted(value: bool) -> bool:
    return not value


def _placeholder(kind: Any) -> str | None:
    """Returns what stands for the value of an option in its help; `None` for a switch, which has no value."""
    kinds = {kind, *typing.get_args(kind)}
    if bool in kinds:
        return None
    return next((text for found, text in _PLACEHOLDERS.items() if found in kinds), "NAME")
