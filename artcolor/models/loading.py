"""Builds models from weights files: loads strictly and does not trust the config in the file."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

from artcolor.errors import ConfigError, WeightsError
from artcolor.models.base import CONFIG_SCHEMA, ColorizationModel
from artcolor.models.heads import HEADS
from artcolor.models.kernel import ChromaKernel
from artcolor.models.network import Network
from artcolor.zoo import store
from artcolor.zoo.locate import Weights

_T = TypeVar("_T")
_M = TypeVar("_M", bound=ColorizationModel)

_SIZES = range(16, 8193)
# Keywords of networks and heads are far smaller, and loops of this length still end quickly.
_MAX_NUMBER = 1 << 16
_FLOATS = (torch.float16, torch.bfloat16, torch.float32)


def build(
    name: str, network_type: type[Network], model_type: type[_M], weights: Weights, given: Mapping[str, Any]
) -> _M:
    """Builds the model that a weights file describes and loads its weights.

    Args:
        name: name of the expected model family.
        network_type: class of the network.
        model_type: class of the model.
        weights: the weights file, as read.
        given: keywords from the caller, which must agree with the file.

    Returns:
        The model, in evaluation mode.

    Raises:
        ConfigError: a keyword contradicts the file.
        WeightsError: the file contains another model, or does not fit.
    """
    _check_config(weights, name)
    _check_keywords(weights, given)

    def make() -> _M:
        config = weights.config
        net = _construct(network_type, config["network"], weights)
        keywords = dict(config["head"])
        kind = keywords.pop("kind", None)
        if kind not in HEADS:
            raise WeightsError(f"{weights.path} needs a head called {kind!r}; there are only {', '.join(HEADS)}")
        head = _construct(HEADS[kind], keywords, weights, net.channels)
        model = model_type(name, net, head, size=config["size"])
        if "kernel" in config:
            model.kernel = _construct(ChromaKernel, config["kernel"], weights)
        return model

    if not weights.released:
        # An untrusted config may ask for a network of any size. On the meta device, which allocates no memory, it is
        # cheap to check that the tensors in the file belong to such a network.
        with torch.device("meta"):
            _check_state(_made(make, weights), weights.tensors, weights.path)
    model = _made(make, weights)
    load_state(model, weights.tensors, weights.path)
    model.eval()
    if model.kernel is not None and not weights.released:
        _check_kernel(model, weights)
    return model


@torch.no_grad()
def _check_kernel(model: ColorizationModel, weights: Weights) -> None:
    """Checks that the kernel reads the features that the network has."""
    side = model.network.fixed_size or 2 * model.network.stride
    features = model.kernel_features(model.encode(torch.zeros(1, 1, side, side)).encoded)
    assert model.kernel is not None
    found, wanted = [each.shape[1] for each in features], model.kernel.config["channels"]
    if found != wanted:
        raise WeightsError(
            f"{weights.path} has a kernel for features of {wanted} channels, but the network has {found}"
        )


def _made(make: Callable[[], _M], weights: Weights) -> _M:
    try:
        return make()
    except (ConfigError, TypeError, ValueError, ArithmeticError, RuntimeError, LookupError) as error:
        raise WeightsError(f"{weights.path} has a config that no model can be built from: {error}") from error


def _check_config(weights: Weights, name: str) -> None:
    config, path = weights.config, weights.path
    if config.get("schema") != CONFIG_SCHEMA or not {"model", "network", "head", "size"} <= set(config):
        raise WeightsError(
            f"{path} has a config that this artcolor cannot read (schema {str(config.get('schema'))[:50]!r}, "
            f"not {CONFIG_SCHEMA}). Update artcolor."
        )
    if config["model"] != name:
        raise WeightsError(
            f"{path} contains weights of {config['model']!r}, not of {name!r}: "
            f"load them with artcolor.{config['model']}(weights=...) or artcolor.from_pretrained(...)."
        )
    for part in ("network", "head", *({"kernel"} & set(config))):
        if not isinstance(config[part], dict) or not all(_is_modest(value) for value in config[part].values()):
            raise WeightsError(f"{path} has a config with an invalid {part}: {str(config[part])[:200]}")
    if type(config["size"]) is not int or config["size"] not in _SIZES:
        raise WeightsError(
            f"{path} has a config with an invalid size: {str(config['size'])[:50]}; "
            f"it must be {_SIZES.start} to {_SIZES.stop - 1} pixels"
        )


def _is_modest(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= 64 and all(not isinstance(item, list) and _is_modest(item) for item in value)
    if isinstance(value, str):
        return len(value) <= 200
    if isinstance(value, int | float):
        return math.isfinite(value) and abs(value) <= _MAX_NUMBER
    return value is None


def _check_keywords(weights: Weights, given: Mapping[str, Any]) -> None:
    config = weights.config
    stored = {"size": config["size"], **config["network"], **config["head"]}
    for key, value in given.items():
        if stored.get(key) != value:
            raise ConfigError(
                f"{key}={value!r} contradicts the weights file {weights.path}, which has {key}={stored.get(key)!r}. "
                f"Leave {key} out, or build the model without weights."
            )


def _construct(kind: type[_T], keywords: dict[str, Any], weights: Weights, *positional: Any) -> _T:
    unknown = set(keywords) - set(inspect.signature(kind).parameters)
    if unknown:
        raise WeightsError(
            f"{weights.path}: {kind.__name__} does not support {', '.join(sorted(unknown))}. Update artcolor."
        )
    return kind(*positional, **keywords)


def _check_state(model: ColorizationModel, tensors: Mapping[str, Tensor], source: object) -> None:
    """Checks that names, shapes and dtypes of tensors match a model.

    Args:
        model: the model to compare with; it may be on the meta device.
        tensors: tensors by name, as in a weights file.
        source: origin of the tensors, for error messages.

    Raises:
        WeightsError: a tensor is missing, unexpected, or of another shape or dtype.
    """
    state = model.state_dict()
    problems = [f"{name} is missing" for name in state if name not in tensors]
    problems += [f"{name} is not part of the model" for name in tensors if name not in state]
    for name in state:
        if name not in tensors:
            continue
        found, wanted = tensors[name], state[name]
        if found.shape != wanted.shape:
            problems.append(f"{name} has shape {tuple(found.shape)} instead of {tuple(wanted.shape)}")
        elif found.dtype != wanted.dtype and not (wanted.is_floating_point() and found.dtype in _FLOATS):
            problems.append(f"{name} has dtype {found.dtype} instead of {wanted.dtype}")
    if problems:
        more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
        raise WeightsError(
            f"{source} does not fit {model.name}: {'; '.join(problems[:5])}{more}. "
            "It belongs to another version or was modified; download or train it again."
        )


def load_state(model: ColorizationModel, tensors: Mapping[str, Tensor], source: object) -> None:
    """Loads tensors into a model, strictly.

    Args:
        model: the model to load into; unchanged if loading fails.
        tensors: tensors by name, as in a weights file.
        source: origin of the tensors, for error messages.

    Raises:
        WeightsError: a tensor is missing, unexpected, of another shape or dtype, or contains NaN or infinity.
    """
    _check_state(model, tensors, source)
    for name, tensor in tensors.items():
        if not store.is_finite(tensor):
            raise WeightsError(f"{source} contains NaN or infinity in {name}; download or train it again")
    model.load_state_dict(dict(tensors), strict=True)
