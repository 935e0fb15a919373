"""artcolor colorizes grayscale art.

Public names are listed once, in `__init__.pyi`, and imported when they are first used: importing artcolor must not
import torch, which takes seconds.

Example:
    >>> import artcolor
    >>> "cnn" in artcolor.list_models()
    True
"""

from typing import Any

import lazy_loader

from artcolor.errors import NO_TORCH as _NO_TORCH
from artcolor.errors import install_extra as _install_extra

__version__ = "0.2.0"

_lazy_getattr, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    try:
        return _lazy_getattr(name)
    except ModuleNotFoundError as error:
        if error.name == "torch":
            raise ImportError(f"artcolor.{name} needs {_NO_TORCH}") from error
        if name not in ("TrainConfig", "Trainer") or str(error.name).startswith("artcolor"):
            raise
        raise ImportError(
            f"artcolor.{name} needs {error.name}, which is not installed: {_install_extra('train')}"
        ) from error
