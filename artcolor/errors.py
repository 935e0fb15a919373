"""The exceptions that artcolor raises on purpose. Their messages state what went wrong and what to do.

All of them derive from `ArtcolorError`, and `UnsupportedError` from `ImageError`.
"""

NO_TORCH = "PyTorch, which is not installed: pip install torch torchvision"
"""The end of messages about what an installation without PyTorch cannot do."""

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
    """Base class of all exceptions that artcolor raises on purpose."""


class ImageError(ArtcolorError):
    """A picture cannot be read, interpreted or written."""


class UnsupportedError(ImageError):
    """A picture has a format, compression or pixel type that artcolor does not support."""


class WeightsError(ArtcolorError):
    """A weights file is missing or damaged, or does not fit the network."""


class ConfigError(ArtcolorError):
    """An option, a recipe or a model name is invalid."""


class DataError(ArtcolorError):
    """A data set is missing or empty, or has an unexpected layout."""


class TrainingError(ArtcolorError):
    """A training run cannot start, continue or resume."""
