"""Finding, verifying, reading and writing weights files. Knows names, files and hashes, but no network."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from artcolor.atomic import replacing
from artcolor.errors import WeightsError
from artcolor.zoo.manifest import Entry

_WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
_CONFIG_KEY = "artcolor"
_MAX_HEADER = 1 << 20


def find(entry: Entry) -> Path:
    """Where the file of released weights lies: beside the code, in a wheel and in a checkout alike.

    Raises:
        WeightsError: it is not there.
    """
    path = _WEIGHTS / entry.file
    if not path.is_file():
        raise WeightsError(
            f"the weights {entry.key} should be at {path}, but there is no such file. "
            "The installation is incomplete: install artcolor again, or clone it again."
        )
    return path


def read(path: Path, sha256: str | None = None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Reads a weights file, after checking its hash over the very bytes that are parsed.

    Args:
        path: of a safetensors file.
        sha256: what its bytes must hash to, in hexadecimal; `None` if nobody knows.

    Returns:
        The config from its header, and its tensors.

    Raises:
        WeightsError: the file cannot be read, has another hash, or is no weights file of artcolor.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"the weights file {path} cannot be read: {error}") from error
    if sha256 is not None:
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise WeightsError(
                f"the weights file {path} is damaged or was changed: its SHA-256 is {found}, "
                f"but should be {sha256}. Delete it and install artcolor again."
            )
    try:
        tensors = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{path} is not a safetensors file, or is cut short ({error}). Download or save it again."
        ) from error
    return _config_in(data, path), tensors


def _config_in(data: bytes, path: Path) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    if length > _MAX_HEADER:
        raise WeightsError(f"{path} has a header of {length} bytes, which no artcolor weights file has")
    try:
        config = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][_CONFIG_KEY])
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path} has no artcolor config in its header, so it is not a weights file of artcolor. "
            "Save models with `artcolor.save_weights(model, path)`."
        ) from error
    if not isinstance(config, dict):
        raise WeightsError(f"{path}: the config in its header is not a mapping")
    return config


def write(path: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], *, half: bool = True) -> None:
    """Writes a weights file, whole or not at all.

    Args:
        path: where to.
        config: for its header.
        tensors: a model's state.
        half: convolution kernels and matrices of linear layers (every `weight` of two dimensions or more) become fp16.
    """
    stored = {
        name: (t.half() if half and name.endswith(".weight") and t.ndim > 1 else t).detach().cpu().contiguous()
        for name, t in tensors.items()
    }
    for name, tensor in stored.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise WeightsError(f"{name} holds NaN or infinity; nothing was written to {path}")
    # A single key, as safetensors writes several in a random order, and equal models should be equal files.
    metadata = {_CONFIG_KEY: json.dumps(config, sort_keys=True)}
    replace_with(path, safetensors.torch.save(stored, metadata))


def replace_with(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all."""
    with replacing(path) as file:
        file.write(data)
