"""Colorizes collections on many machines with Ray Data (extra `scale`)."""

from typing import Any

from artcolor.errors import install_extra

__all__ = ["Summary", "colorize_dataset"]


def __getattr__(name: str) -> Any:
    # Ray takes seconds to import, and may not be installed.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from artcolor.scale import run  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if str(error.name).startswith("artcolor"):
            raise
        raise ImportError(
            f"artcolor.scale.{name} needs {error.name}, which is not installed: {install_extra('scale')}"
        ) from error
    return getattr(run, name)
