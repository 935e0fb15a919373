"""Adjusts how typer words help and usage errors."""

import inspect
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from artcolor.batch.addresses import without_secrets

COLORIZING, ZOO, TRAINING, MAINTAINING = "Colorize", "Models", "Train and evaluate", "Maintain artcolor"
"""Headings of command groups in the help."""

EXIT_CODES = """Exit status:
  0    success
  1    an error, or a file failed
  2    an unknown command or option, or an invalid value
  130  stopped by Ctrl-C
  143  stopped by SIGTERM
"""
"""Shown below the help."""


class Command(TyperCommand):
    """A command whose help shows placeholders instead of types, and whose errors show no internals.

    Args:
        *args: what typer passes.
        **keywords: what typer passes.
    """

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        if self.help is not None:
            self.help = _unwrapped(self.help)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses arguments.

        Args:
            ctx: context of the command.
            args: arguments of the command line.

        Returns:
            Arguments that are left.

        Raises:
            click.BadParameter: a value is invalid.
        """
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            # Pydantic, by which typer checks values, says this in front of the reason.
            error.message = error.message.removeprefix("Value error, ")
            raise

    def get_params(self, ctx: Any) -> list[Any]:
        """Returns the options and arguments, without types."""
        return _without_types(super().get_params(ctx))


class Group(TyperGroup):
    """A group of commands that notices when a picture is given instead of a command."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Returns the options and arguments, without types."""
        return _without_types(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Finds the command that is called.

        Args:
            ctx: context of the group.
            args: arguments after the options of the group; the first is the name of the command.

        Raises:
            click.UsageError: there is no such command; the message suggests what may have been meant.
        """
        name = args[0]
        if not ctx.resilient_parsing and self.get_command(ctx, name) is None and _is_input(name):
            command = shlex.join([ctx.command_path, "colorize", *args])
            ctx.fail(without_secrets(f"{name} is not a command. To colorize it:\n{command}"))
        return super().resolve_command(ctx, args)


def _is_input(name: str) -> bool:
    from artcolor.images.walk import is_picture

    return name == "-" or "://" in name or Path(name).exists() or is_picture(Path(name))


def _unwrapped(text: str) -> str:
    """Joins the lines of each paragraph, which typer does for the first one only."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n"))


def _without_types(params: Sequence[Any]) -> list[Any]:
    for param in params:
        if param.param_type_name == "argument":
            # Beside its placeholder, typer would show the type in Python, such as <list[Path]>.
            param.display_type_rich = lambda ctx: None
        elif param.is_flag and param.metavar is None:
            param.metavar = ""
    return list(params)
