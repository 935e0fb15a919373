"""Formats errors for clients."""

from pathlib import Path

from artcolor.serve.settings import Settings

__all__ = ["message"]

# The library's messages give advice for Python or the command line, which clients of the server do not use.
_WORDS = {
    "the bytes given are": "the file is",
    "the bytes given": "the file",
    "allow_truncated (--allow-truncated) reads": "allow_truncated=true reads",
    "; if you trust the file, raise max_pixels (--max-pixels)": "",
    "; on the command line, repeat --palette": "; repeat palette for each color",
}


def message(error: Exception, settings: Settings) -> str:
    """Formats an error for a client.

    Args:
        error: error of the library.
        settings: settings of the server.

    Returns:
        The message, without paths of this machine and options of the command.

    Example:
        >>> message(ValueError("/home/me/a.safetensors is damaged"), Settings(model="/home/me/a.safetensors"))
        'a.safetensors is damaged'
    """
    # No other path gets into messages: requests cannot name files.
    text, path = str(error), Path(settings.model)
    for words in (str(path.absolute()), settings.model, str(path)):
        text = text.replace(words, path.name)
    for words, instead in _WORDS.items():
        text = text.replace(words, instead)
    return text
