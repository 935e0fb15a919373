"""The `artcolor` command. Torch is imported only by the commands that need it."""

from artcolor.cli.app import main

__all__ = ["main"]
