"""The errors artcolor raises on purpose; their messages say what was wrong and what to do."""

NO_TORCH = "PyTorch, which is not installed: pip install torch torchvision"
"""What a light installation lacks; the end of messages."""

_SOURCE = "."
"""What `pip install` takes for artcolor, which no index has yet (docs/installation.md, After publication)."""


def install_extra(name: str) -> str:
    """Returns the command that installs an extra, for messages. Its quotes work in every shell.

    Args:
        name: name of the extra.

    Example:
        >>> install_extra("video")
        'pip install ".[video]" (in a clone of artcolor)'
    """
    return f'pip install "{_SOURCE}[{name}]" (in a clone of artcolor)'


class ArtcolorError(Exception):
    """Base of every error that artcolor raises on purpose."""


class ImageError(ArtcolorError):
    """A picture could not be read, understood or written."""


class UnsupportedError(ImageError):
    """A picture of a format, compression or kind of pixels that artcolor does not read."""


class WeightsError(ArtcolorError):
    """A weights file is missing, damaged, or does not fit the network."""


class ConfigError(ArtcolorError):
    """A setting, a recipe or a model name makes no sense."""


class DataError(ArtcolorError):
    """A data set is missing, empty or laid out in an unexpected way."""


class TrainingError(ArtcolorError):
    """A training cannot start, go on or resume."""
