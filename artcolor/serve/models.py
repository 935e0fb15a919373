"""The models of the server: released weights that are on this machine, and the one that it was started with."""

import importlib.util
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from artcolor.engine.colorizer import Colorizer
from artcolor.models.guidance import Decoding, Guidance, guided
from artcolor.serve.settings import Settings
from artcolor.zoo import graphs
from artcolor.zoo.manifest import Entry, entries
from artcolor.zoo.names import unknown_name
from artcolor.zoo.places import find

__all__ = ["abilities", "check_model", "defaults_of", "local_entries", "make_colorizer", "working_size_of"]

# Of the default model; weights of one's own are not in the list.
_SIZE = 256


def local_entries() -> list[Entry]:
    """Lists the released weights that need not be downloaded."""
    return [entry for entry in entries().values() if find(entry) is not None]


def defaults_of(entry: Entry) -> dict[str, float]:
    """Returns the decoding defaults of released weights.

    Args:
        entry: manifest entry of the weights.

    Returns:
        Strength; and vividness and temperature if the model predicts a distribution.
    """
    head = entry.config["head"]
    return {name: head[name] for name in ("vividness", "temperature") if name in head} | {"strength": 1.0}


def abilities(distribution: bool) -> dict[str, Any]:
    """Returns what a model can do.

    Args:
        distribution: whether it predicts a distribution of colors.

    Returns:
        `accepts`: fields of `Guidance`; `decoding`: fields of `Decoding`; `uncertainty`: whether it can map its
        uncertainty.

    Example:
        >>> abilities(distribution=False)
        {'accepts': ['hints', 'reference'], 'decoding': ['strength'], 'uncertainty': False}
    """
    # As the classes of models state it, but those import torch.
    accepts = sorted(field.name for field in fields(Guidance)) if distribution else ["hints", "reference"]
    decoding = [field.name for field in fields(Decoding)] if distribution else ["strength"]
    return {"accepts": accepts, "decoding": decoding, "uncertainty": distribution}


def working_size_of(name: str, size: int | None) -> int:
    """Returns the working size of a model.

    Args:
        name: name of a model or of weights.
        size: the requested size; `None` uses the model's own.
    """
    own = (entry.config.get("size") for entry in local_entries() if name in (entry.key, entry.model))
    return size or next(own, None) or _SIZE


def check_model(name: str, settings: Settings) -> None:
    """Checks that a request may use a model: no request makes the server read another file, or download one.

    Args:
        name: name of a model or of weights.
        settings: settings of the server, with the model that it was started with.

    Raises:
        ConfigError: it may not.
    """
    known = {text for entry in local_entries() for text in (entry.key, entry.model)}
    if name != settings.model and name not in known:
        raise unknown_name(name[:100], known)


def make_colorizer(name: str, settings: Settings, options: Mapping[str, Any] | None = None) -> Colorizer:
    """Creates a colorizer with the backend that the command would choose.

    Args:
        name: name of a model or of weights.
        settings: settings of the server; `device` is used.
        options: see `Colorizer`.

    Raises:
        ConfigError: the model does not accept an option.
        ImageError: hints or reference cannot be read.
        WeightsError: the weights are missing or damaged.
    """
    given = {"device": settings.device, **(options or {})}
    # "auto" would depend on whether an earlier request needed PyTorch.
    if _suits_onnx(name, settings, given):
        given["backend"] = "onnx"
    return Colorizer(name, **given)


def _suits_onnx(name: str, settings: Settings, options: Mapping[str, Any]) -> bool:
    if importlib.util.find_spec("onnxruntime") is None or settings.device not in ("cpu", "auto"):
        return False
    return not guided(options)[0].given() and graphs.why_missing(name) is None
