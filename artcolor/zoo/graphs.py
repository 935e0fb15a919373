"""ONNX files: networks with their decoding that run without PyTorch.

Two kinds are read. `artcolor export` writes files that are complete. The package contains graphs of released models,
which are small, because they take their weights from the safetensors file of the release.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from artcolor.errors import ConfigError, WeightsError
from artcolor.zoo.manifest import released
from artcolor.zoo.places import find, read_bytes, remedy

__all__ = ["METADATA", "SCHEMA", "Graph", "inputs_of", "load", "parse_metadata", "why_missing"]

METADATA = "artcolor"
"""Key of the JSON in the metadata of a file."""
SCHEMA = 1
"""Version of that JSON."""

FOLDER = Path(__file__).resolve().parent / "onnx"
"""Folder of the graphs that the package includes."""


@dataclass(frozen=True, eq=False)
class Graph:
    """A network as ONNX Runtime reads it.

    Attributes:
        name: its tag, or the path of the file, for messages.
        data: content of the ONNX file.
        tensors: weights that are not in the file, by name of the initializer.
    """

    name: str
    data: bytes = field(repr=False)
    tensors: Mapping[str, npt.NDArray[np.float32]] = field(repr=False)


def why_missing(name: str) -> str | None:
    """Checks whether a network can be loaded here.

    Args:
        name: name of a model or of weights, or path of an ONNX file.

    Returns:
        The reason why it cannot; `None` if it can.
    """
    if name.lower().endswith(".onnx"):
        return None
    entry = released(name)
    if entry is None:
        return f"{name} is no ONNX file and no released model; `artcolor export {name} -o model.onnx` writes a file"
    if not (FOLDER / f"{entry.key}.onnx").is_file():
        return f"there is no ONNX graph of {entry.key}"
    if find(entry) is None:
        return f"the weights {entry.key} are not on this machine; `artcolor download {entry.key}` fetches them"
    return None


@functools.lru_cache(maxsize=4)
def load(name: str) -> Graph:
    """Reads a network; those that were read last are kept.

    Args:
        name: name of a model or of weights, or path of an ONNX file.

    Raises:
        ConfigError: there is no such network.
        WeightsError: a file is missing or damaged.

    Example:
        >>> load("unet").name[:5]
        'unet.'
    """
    reason = why_missing(name)
    if reason is not None:
        raise ConfigError(reason)
    entry = released(name)
    if entry is None:
        own = Path(name).expanduser()
        return Graph(str(own), read_bytes(own), {})
    path = find(entry)
    assert path is not None
    data = read_bytes(path, entry.sha256, remedy=remedy(path))
    try:
        tensors = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is not a safetensors file ({error}). {remedy(path)}") from error
    external = json.loads((FOLDER / f"{entry.key}.json").read_bytes())
    graph = (FOLDER / f"{entry.key}.onnx").read_bytes()
    return Graph(entry.key, graph, {key: tensors[key].astype(np.float32) for key in external})


def parse_metadata(text: str | None, name: str) -> dict[str, Any]:
    """Parses what an ONNX file says of itself.

    Args:
        text: the JSON.
        name: name of the file, for messages.

    Returns:
        `model`, `stride`, `out_stride`, `size`, `vividness`, `temperature`, `bins`, `tag`, `sha256` and others.

    Raises:
        WeightsError: the file does not come from artcolor, or from a newer version.
    """
    try:
        found = json.loads(text or "")
        known = found["schema"] == SCHEMA
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WeightsError(
            f"{name} is not an ONNX file of artcolor: its metadata lacks {METADATA!r}. "
            "`artcolor export MODEL -o model.onnx` writes one."
        ) from None
    if not known:
        raise WeightsError(
            f"{name} has schema {found['schema']!r}, but this artcolor reads {SCHEMA}. "
            "Export it again, or update artcolor."
        )
    try:
        return {
            **found,
            **{key: int(found[key]) for key in ("stride", "out_stride", "size", "bins")},
            **{key: float(found[key]) for key in ("vividness", "temperature")},
            **{key: str(found[key]) for key in ("model", "tag", "sha256")},
        }
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{name} has incomplete metadata ({error!r}). Export it again.") from None


def inputs_of(
    lightness: npt.NDArray[np.float32], config: Mapping[str, Any], vividness: float, temperature: float
) -> dict[str, npt.NDArray[Any]]:
    """Makes the inputs of a network.

    Args:
        lightness: `(N, 1, H, W)`, L in 0..100, of any size.
        config: what the file says of itself, from `parse_metadata`.
        vividness: τ.
        temperature: T.

    Returns:
        Array by name of the input. `grid` is the height and width of the part of the outputs that is not padding.
    """
    height, width = lightness.shape[-2:]
    stride, out_stride = config["stride"], config["out_stride"]
    padding = (0, 0), (0, 0), (0, -height % stride), (0, -width % stride)
    return {
        "lightness": np.pad(lightness, padding, mode="edge").astype(np.float32, copy=False),
        "vividness": np.array(vividness, np.float32),
        "temperature": np.array(temperature, np.float32),
        "grid": np.array([-(-height // out_stride), -(-width // out_stride)], np.int64),
    }
