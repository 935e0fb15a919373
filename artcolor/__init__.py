"""artcolor gives grayscale art its colours back.

Example:
    >>> import artcolor
    >>> "cnn" in artcolor.list_models()
    True
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from artcolor.colorizer import Colorizer, colorize
    from artcolor.data.dataset import ArtDataset, Augmentation
    from artcolor.errors import ArtcolorError
    from artcolor.models.cnn import CNN_Weights, cnn
    from artcolor.models.registry import (
        from_pretrained,
        get_model,
        get_model_weights,
        get_weight,
        list_models,
        save_weights,
    )
    from artcolor.train.config import TrainConfig
    from artcolor.train.trainer import Trainer

# Where each public name lives. Importing artcolor must not import torch, which takes seconds.
_HOME = {
    "ArtDataset": "data.dataset",
    "ArtcolorError": "errors",
    "Augmentation": "data.dataset",
    "CNN_Weights": "models.cnn",
    "Colorizer": "colorizer",
    "TrainConfig": "train.config",
    "Trainer": "train.trainer",
    "cnn": "models.cnn",
    "colorize": "colorizer",
    "from_pretrained": "models.registry",
    "get_model": "models.registry",
    "get_model_weights": "models.registry",
    "get_weight": "models.registry",
    "list_models": "models.registry",
    "save_weights": "models.registry",
}

__all__ = [
    "ArtDataset",
    "ArtcolorError",
    "Augmentation",
    "CNN_Weights",
    "Colorizer",
    "TrainConfig",
    "Trainer",
    "__version__",
    "cnn",
    "colorize",
    "from_pretrained",
    "get_model",
    "get_model_weights",
    "get_weight",
    "list_models",
    "save_weights",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'artcolor' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"artcolor.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
