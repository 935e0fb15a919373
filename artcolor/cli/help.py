"""How help and mistakes in the command line are worded, beyond what typer does by itself."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typer.core import TyperCommand, TyperGroup

from artcolor.batch.addresses import without_secrets

COLORIZING, ZOO, TRAINING, MAINTAINING = "Colorize", "Models", "Train and evaluate", "Maintain artcolor"
"""Headings of groups of commands in the help."""

EXIT_CODES = """Exit status:
  0    done
  1    an error, or a file failed
  2    an unknown command or option, or a value out of range
  130  ended by Ctrl-C
  143  ended by the signal SIGTERM
"""
"""Shown below the help."""


class Command(TyperCommand):
    """A command whose help shows no types: a placeholder says what an option takes, and a switch takes nothing."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Returns the options and arguments, without types."""
        return _without_types(super().get_params(ctx))


class Group(TyperGroup):
    """A group of commands, which recognizes a picture in place of a command."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Returns the options and arguments, without types."""
        return _without_types(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Finds the command that is called.

        Args:
            ctx: of the group.
            args: arguments after the options of the group; the first is the name of the command.

        Raises:
            click.UsageError: there is none of this name; the message says what was perhaps meant.
        """
        name = args[0]
        if not ctx.resilient_parsing and self.get_command(ctx, name) is None and _is_input(name):
            command = shlex.join([ctx.command_path, "colorize", *args])
            ctx.fail(without_secrets(f"{name} is not a command. To colorize it:\n{command}"))
        return super().resolve_command(ctx, args)


def _is_input(name: str) -> bool:
    from artcolor.images.walk import is_picture

    return name == "-" or "://" in name or Path(name).exists() or is_picture(Path(name))


def _without_types(params: Sequence[Any]) -> list[Any]:
    for param in params:
        if param.param_type_name == "argument":
            # Beside its placeholder, typer would show the type in Python, such as <list[Path]>.
            param.display_type_rich = lambda ctx: None
        elif param.is_flag and param.metavar is None:
            param.metavar = ""
    return list(params)
