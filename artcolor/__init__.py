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
    from artcolor.models.unet import UNet_Weights, unet
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
    "UNet_Weights": "models.unet",
    "cnn": "models.cnn",
    "colorize": "colorizer",
    "from_pretrained": "models.registry",
    "get_model": "models.registry",
    "get_model_weights": "models.registry",
    "get_weight": "models.registry",
    "list_models": "models.registry",
    "save_weights": "models.registry",
    "unet": "models.unet",
}

__all__ = [
    "ArtDataset",
    "ArtcolorError",
    "Augmentation",
    "CNN_Weights",
    "Colorizer",
    "TrainConfig",
    "Trainer",
    "UNet_Weights",
    "__version__",
    "cnn",
    "colorize",
    "from_pretrained",
    "get_model",
    "get_model_weights",
    "get_weight",
    "list_models",
    "save_weights",
    "unet",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'artcolor' has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(f"artcolor.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        if not _HOME[name].startswith("train."):
            raise
        raise ImportError(
            f"artcolor.{name} needs {error.name}, which is not installed: pip install 'artcolor[train]'"
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
