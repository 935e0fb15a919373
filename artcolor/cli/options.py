"""Generates the options of `artcolor colorize` from `OPTIONS` and the fields of `Saving`."""

import dataclasses
import inspect
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypeVar

import typer

from artcolor.batch.saving import Saving
from artcolor.engine.options import OPTIONS
from artcolor.models.options import Option

_F = TypeVar("_F", bound=Callable[..., None])


def with_options(command: _F) -> _F:
    """Replaces the `**options` of a command by one command-line option for each of `OPTIONS` and field of `Saving`.

    Args:
        command: function that receives the options as keyword arguments.

    Returns:
        The same function, with a signature that lists all options.
    """
    own = [
        parameter
        for parameter in inspect.signature(command).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    parameters = sorted([*own, *_parameters()], key=lambda parameter: parameter.default is not parameter.empty)
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command


def _parameters() -> Iterator[inspect.Parameter]:
    for name, (kind, option) in OPTIONS.items():
        yield _parameter(name, option.command or kind, option, option.default)
    hints = typing.get_type_hints(Saving, include_extras=True)
    for field in dataclasses.fields(Saving):
        kind, option = typing.get_args(hints[field.name])
        yield _parameter(field.name, kind, option, field.default)


def _parameter(name: str, kind: Any, option: Option, default: Any) -> inspect.Parameter:
    flag = f"--{name.replace('_', '-')}"
    limits = {key: value for key, value in (("min", option.minimum), ("max", option.maximum)) if value is not None}
    shown = typer.Option(
        f"{flag}/--no-{flag[2:]}" if default is True else flag,
        help=option.help,
        rich_help_panel=option.group,
        show_default=not isinstance(default, bool),
        **limits,  # type: ignore[arg-type]
    )
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[kind, shown], default=default)
