"""Values that shells complete when Tab is pressed."""

from collections.abc import Callable

from artcolor.engine.options import DEVICES
from artcolor.errors import WeightsError
from artcolor.zoo import card, manifest


def complete_models(incomplete: str) -> list[tuple[str, str]]:
    """Returns the names of released models that begin with a text, each with what it is for.

    Args:
        incomplete: the text.

    Example:
        >>> [name for name, _ in complete_models("un")]
        ['unet']
    """
    try:
        names = dict.fromkeys(entry.model for entry in manifest.entries().values())
    except WeightsError:
        # A message would end up in the middle of the command line.
        return []
    return [(name, card.PURPOSES.get(name, "")) for name in names if name.startswith(incomplete)]


def _complete_devices(incomplete: str) -> list[str]:
    return [name for name in ("auto", *DEVICES) if name.startswith(incomplete)]


def _complete_formats(incomplete: str) -> list[str]:
    from artcolor.images import FORMATS

    names = (each.suffixes[0].removeprefix(".") for each in FORMATS.values() if each.writes)
    return [name for name in names if name.startswith(incomplete)]


COMPLETE: dict[str, Callable[[str], list[str]]] = {"device": _complete_devices, "format": _complete_formats}
"""What completes the values of options that `artcolor.cli.options` generates, by name."""
