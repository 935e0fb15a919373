"""The `artcolor` command. Torch is imported only by the commands that need it."""

import gc

__all__ = ["main"]

# Python's own is 700: it would search millions of new objects for garbage, and find none, while libraries are imported.
_NEW_OBJECTS = 200_000


def main() -> None:
    """Runs the command."""
    gc.set_threshold(_NEW_OBJECTS)
    from artcolor.cli.app import main as run

    run()
