"""Reading, verifying and writing weights files. Knows files and hashes, but neither networks nor the Hub."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from artcolor.errors import WeightsError
from artcolor.files import write_atomically
from artcolor.zoo.manifest import MAX_BYTES

_CONFIG_KEY = "artcolor"
_MAX_HEADER = 1 << 20


class DamagedError(WeightsError):
    """The bytes of a weights file are not those that were released."""


def read(
    path: Path,
    sha256: str | None = None,
    *,
    cure: str = "Delete it and install artcolor again.",
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Reads a weights file, after checking its hash over the very bytes that are parsed.

    Args:
        path: of a safetensors file.
        sha256: what its bytes must hash to, in hexadecimal; `None` if nobody knows.
        cure: what to do if they do not.

    Returns:
        The config from its header, and its tensors.

    Raises:
        DamagedError: the file has another hash.
        WeightsError: the file cannot be read, or is no weights file of artcolor.
    """
    data = _bytes_of(path, trusted=sha256 is not None)
    if sha256 is not None:
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise DamagedError(
                f"the weights file {path} is damaged or was changed: its SHA-256 is {found}, "
                f"but should be {sha256}. {cure}"
            )
    try:
        tensors = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise WeightsError(
            f"{path} is not a safetensors file, or is cut short ({error}). Download or save it again."
        ) from error
    return _config_in(data, path), tensors


def _bytes_of(path: Path, *, trusted: bool) -> bytes:
    if path.exists() and not path.is_file():
        what = f"a folder; write local-dir:{path} to load the model in it" if path.is_dir() else "no file"
        raise WeightsError(f"{path} is {what}")
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise WeightsError(f"{path} has {size:,} bytes, which no weights file of artcolor has")
            if not trusted:
                _check_header(file, size, path)
            return file.read(size)
    except OSError as error:
        raise WeightsError(f"the weights file {path} cannot be read: {error}") from error


def _check_header(file: BinaryIO, size: int, path: Path) -> None:
    """Refuses an absurd header before anything else is read."""
    length = int.from_bytes(file.read(8), "little")
    if length > size - 8:
        raise WeightsError(
            f"{path} is not a safetensors file, or is cut short: its header would end after the file. "
            "Download or save it again."
        )
    if length > _MAX_HEADER:
        raise WeightsError(f"{path} has a header of {length:,} bytes, which no artcolor weights file has")
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
    raise ValueError(f"{name} is no JSON")


def pack(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    """Makes the bytes of a weights file; equal models give equal bytes.

    Convolution kernels and matrices of linear layers (every `weight` of two dimensions or more) become fp16.

    Args:
        config: for its header.
        tensors: a model's state.

    Raises:
        WeightsError: a tensor holds NaN or infinity.
    """
    stored = {
        name: (t.half() if name.endswith(".weight") and t.ndim > 1 else t).detach().cpu().contiguous()
        for name, t in tensors.items()
    }
    for name, tensor in stored.items():
        if not is_finite(tensor):
            raise WeightsError(f"{name} holds NaN or infinity, so the model was not saved")
    # A single key, as safetensors writes several in a random order, and equal models should be equal files.
    metadata = {_CONFIG_KEY: json.dumps(config, sort_keys=True)}
    return safetensors.torch.save(stored, metadata)


def is_finite(tensor: Tensor) -> bool:
    """Whether a tensor holds neither NaN nor infinity."""
    return bool(torch.isfinite(tensor).all())


def write(path: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Writes a weights file, whole or not at all.

    Args:
        path: where to.
        config: for its header.
        tensors: a model's state.

    Raises:
        WeightsError: a tensor holds NaN or infinity.
    """
    write_atomically(path, pack(config, tensors))
