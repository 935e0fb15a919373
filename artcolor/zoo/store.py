"""Reads, verifies and writes weights files. Independent of networks and of the Hub."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from artcolor.errors import WeightsError
from artcolor.files import write_atomically
from artcolor.zoo.places import read_bytes

_CONFIG_KEY = "artcolor"
_MAX_HEADER = 1 << 20


def read(
    path: Path,
    sha256: str | None = None,
    *,
    remedy: str = "Delete it and reinstall artcolor.",
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Reads a weights file. The hash is verified on the same bytes that are parsed.

    Args:
        path: path of a safetensors file.
        sha256: expected SHA-256, in hexadecimal; `None` skips the check.
        remedy: what to do about a wrong hash, for the error message.

    Returns:
        The config from the header, and the tensors by name.

    Raises:
        DamagedError: the file has another hash.
        WeightsError: the file cannot be read, or is not a weights file of artcolor.
    """
    data = read_bytes(path, sha256, remedy=remedy, check=_check_header if sha256 is None else None)
    try:
        tensors = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise WeightsError(
            f"{path} is not a safetensors file, or is truncated ({error}). Download or save it again."
        ) from error
    return _config_in(data, path), tensors


def _check_header(file: BinaryIO, size: int, path: Path) -> None:
    """Refuses an oversized header before anything else is read."""
    length = int.from_bytes(file.read(8), "little")
    if length > size - 8:
        raise WeightsError(
            f"{path} is not a safetensors file, or is truncated: its header exceeds the file. "
            "Download or save it again."
        )
    if length > _MAX_HEADER:
        raise WeightsError(f"{path} has a header of {length:,} bytes; at most {_MAX_HEADER:,} are allowed")
    file.seek(0)


def _config_in(data: bytes, path: Path) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
        config = json.loads(header["__metadata__"][_CONFIG_KEY], parse_constant=_refuse_constant)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"{path} has no artcolor config in its header, so it is not a weights file of artcolor. "
            "Save models with `artcolor.save_weights(model, path)`."
        ) from error
    if not isinstance(config, dict):
        raise WeightsError(f"{path}: the config in its header is not a mapping")
    return config


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON")


def pack(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    """Serializes a model as a weights file. Equal models result in equal bytes.

    Convolution kernels and matrices of linear layers (every `weight` with two or more dimensions) are stored as fp16.

    Args:
        config: the model's config, for the header.
        tensors: the model's state.

    Returns:
        The content of the file.

    Raises:
        WeightsError: a tensor contains NaN or infinity.
    """
    stored = {
        name: (t.half() if name.endswith(".weight") and t.ndim > 1 else t).detach().cpu().contiguous()
        for name, t in tensors.items()
    }
    for name, tensor in stored.items():
        if not is_finite(tensor):
            raise WeightsError(f"{name} contains NaN or infinity, so the model was not saved")
    # A single key: safetensors writes several keys in random order, but equal models must result in equal files.
    metadata = {_CONFIG_KEY: json.dumps(config, sort_keys=True)}
    return safetensors.torch.save(stored, metadata)


def is_finite(tensor: Tensor) -> bool:
    """Returns whether `tensor` contains neither NaN nor infinity."""
    return bool(torch.isfinite(tensor).all())


def write(path: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Writes a weights file, atomically.

    Args:
        path: path of the file.
        config: the model's config, for the header.
        tensors: the model's state.

    Raises:
        WeightsError: a tensor contains NaN or infinity.
    """
    write_atomically(path, pack(config, tensors))
