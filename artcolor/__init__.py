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
    from artcolor.models.ae import AE_Weights, ae
    from artcolor.models.cic import CIC_Weights, cic
    from artcolor.models.cnn import CNN_Weights, cnn
    from artcolor.models.registry import (
        from_pretrained,
        get_model,
        get_model_weights,
        get_weight,
        list_models,
        save_weights,
    )
    from artcolor.models.report import (
        AEReport_Weights,
        CNNReport_Weights,
        VAEReport_Weights,
        ae_report,
        cnn_report,
        vae_report,
    )
    from artcolor.models.splitbrain import SplitBrain_Weights, splitbrain
    from artcolor.models.unet import UNet_Weights, unet
    from artcolor.models.vae import VAE_Weights, vae
    from artcolor.train.config import TrainConfig
    from artcolor.train.trainer import Trainer

# Where each public name lives. Importing artcolor must not import torch, which takes seconds.
_HOME = {
    "AEReport_Weights": "models.report",
    "AE_Weights": "models.ae",
    "ArtDataset": "data.dataset",
    "ArtcolorError": "errors",
    "Augmentation": "data.dataset",
    "CIC_Weights": "models.cic",
    "CNNReport_Weights": "models.report",
    "CNN_Weights": "models.cnn",
    "Colorizer": "colorizer",
    "SplitBrain_Weights": "models.splitbrain",
    "TrainConfig": "train.config",
    "Trainer": "train.trainer",
    "UNet_Weights": "models.unet",
    "VAEReport_Weights": "models.report",
    "VAE_Weights": "models.vae",
    "ae": "models.ae",
    "ae_report": "models.report",
    "cic": "models.cic",
    "cnn": "models.cnn",
    "cnn_report": "models.report",
    "colorize": "colorizer",
    "from_pretrained": "models.registry",
    "get_model": "models.registry",
    "get_model_weights": "models.registry",
    "get_weight": "models.registry",
    "list_models": "models.registry",
    "save_weights": "models.registry",
    "splitbrain": "models.splitbrain",
    "unet": "models.unet",
    "vae": "models.vae",
    "vae_report": "models.report",
}

__all__ = [
    "AEReport_Weights",
    "AE_Weights",
    "ArtDataset",
    "ArtcolorError",
    "Augmentation",
    "CIC_Weights",
    "CNNReport_Weights",
    "CNN_Weights",
    "Colorizer",
    "SplitBrain_Weights",
    "TrainConfig",
    "Trainer",
    "UNet_Weights",
    "VAEReport_Weights",
    "VAE_Weights",
    "__version__",
    "ae",
    "ae_report",
    "cic",
    "cnn",
    "cnn_report",
    "colorize",
    "from_pretrained",
    "get_model",
    "get_model_weights",
    "get_weight",
    "list_models",
    "save_weights",
    "splitbrain",
    "unet",
    "vae",
    "vae_report",
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
