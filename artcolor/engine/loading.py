"""Finds models and devices by name; caches models."""

import functools
import threading

import torch

from artcolor.engine.options import DEVICES
from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel
from artcolor.models.registry import from_pretrained

_LOCK = threading.Lock()


def device_of(device: str | torch.device) -> torch.device:
    """Returns a device that is known to work.

    Args:
        device: such as `"cuda"`; `"auto"` is the fastest that works.

    Raises:
        ConfigError: it cannot be used here.

    Example:
        >>> device_of("cpu")
        device(type='cpu')
    """
    if device == "auto":
        works = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
        device = next(name for name in DEVICES if works[name])
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"device {device} cannot be used here ({reason}); use 'cpu' instead") from error
    return found


def loaded(name: str) -> ColorizationModel:
    """Loads a model with its weights, or returns it if it is among the last ones that were loaded.

    Args:
        name: name of a model or of weights, or path of a weights file.

    Returns:
        The model, which all callers share.

    Raises:
        ConfigError: there is no model of this name.
        WeightsError: the weights are missing or damaged.
    """
    # Without the lock, two threads that come first would both load.
    with _LOCK:
        return _loaded(name)


@functools.lru_cache(maxsize=4)
def _loaded(name: str) -> ColorizationModel:
    return from_pretrained(name)
