"""ONNX files: networks with their decoding that run without PyTorch.

Two kinds are read. `artcolor export` writes files that are complete. The package contains graphs of released models,
which are small, because they take their weights from the safetensors file of the release.
"""

import functools
import hashlib
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
from artcolor.zoo.manifest import Entry, released
from artcolor.zoo.places import find, read_bytes, remedy

__all__ = [
    "METADATA",
    "NO_DIGEST",
    "SCHEMA",
    "Graph",
    "check_digest",
    "inputs_of",
    "load",
    "parse_metadata",
    "why_missing",
    "with_digest",
]

METADATA = "artcolor"
"""Key of the JSON in the metadata of a file."""
SCHEMA = 1
"""Version of that JSON."""
FEWEST_PICTURES = 16
"""Pictures that an 8-bit network is made with, at least."""
NO_DIGEST = "0" * 64
"""Stands in the JSON until the digest of the whole file is known."""

_DIGEST_KEY = b'"digest": "'
# Larger ones cannot come from artcolor.
_MOST = {"stride": 1 << 10, "out_stride": 1 << 10, "size": 1 << 13, "bins": 1 << 16}

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
        return (
            f"{name} is neither an ONNX file nor a released model; `artcolor export {name} -o model.onnx` writes a file"
        )
    if not (FOLDER / f"{entry.key}.onnx").is_file():
        return f"there is no ONNX graph of {entry.key}"
    if find(entry) is None:
        return f"the weights {entry.key} are not on this machine; `artcolor download {entry.key}` fetches them"
    return None


def load(name: str) -> Graph:
    """Reads a network; those that were read last are kept as long as their files do not change.

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
    path = Path(name).expanduser().absolute() if entry is None else find(entry)
    assert path is not None
    try:
        state = path.stat()
    except OSError:
        raise WeightsError(f"there is no weights file {path}") from None
    return _load(entry, path, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=4)
def _load(entry: Entry | None, path: Path, *_state: int) -> Graph:
    if entry is None:
        data = read_bytes(path)
        check_digest(data, str(path))
        return Graph(str(path), data, {})
    data = read_bytes(path, entry.sha256, remedy=remedy(path))
    try:
        tensors = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is not a safetensors file ({error}). {remedy(path)}") from error
    external = json.loads((FOLDER / f"{entry.key}.json").read_bytes())
    graph = (FOLDER / f"{entry.key}.onnx").read_bytes()
    return Graph(entry.key, graph, {key: tensors[key].astype(np.float32) for key in external})


def with_digest(data: bytes) -> bytes:
    """Writes the SHA-256 of an ONNX file into its metadata, where `NO_DIGEST` stands or an older digest.

    Args:
        data: content of the file.

    Returns:
        The content with the digest, which is computed with `NO_DIGEST` in its place.
    """
    start, end = _digest_place(data)
    plain = data[:start] + NO_DIGEST.encode() + data[end:]
    return plain[:start] + hashlib.sha256(plain).hexdigest().encode() + plain[end:]


def check_digest(data: bytes, name: str) -> None:
    """Checks that an ONNX file of artcolor is as it was written.

    Args:
        data: content of the file.
        name: name of the file, for messages.

    Raises:
        WeightsError: it is damaged, or no ONNX file of artcolor.
    """
    try:
        intact = with_digest(data) == data
    except ValueError:
        raise _foreign(name) from None
    if not intact:
        raise WeightsError(f"{name} is damaged or was modified: its SHA-256 is wrong. Export it again.")


def _digest_place(data: bytes) -> tuple[int, int]:
    # Later ones could be part of a name in the graph, which the metadata follow.
    start = data.rindex(_DIGEST_KEY) + len(_DIGEST_KEY)
    return start, start + len(NO_DIGEST)


def _foreign(name: str) -> WeightsError:
    return WeightsError(
        f"{name} is not an ONNX file of artcolor: its metadata lacks {METADATA!r}. "
        "`artcolor export MODEL -o model.onnx` writes one."
    )


def parse_metadata(text: str | None, name: str) -> dict[str, Any]:
    """Parses the metadata of an ONNX file.

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
        raise _foreign(name) from None
    if not known:
        raise WeightsError(
            f"{name} has schema {found['schema']!r}, but this artcolor reads {SCHEMA}. "
            "Export it again, or update artcolor."
        )
    try:
        return {
            **found,
            **{key: _whole(found[key], most) for key, most in _MOST.items()},
            **{key: float(found[key]) for key in ("vividness", "temperature")},
            **{key: str(found[key]) for key in ("model", "tag", "sha256")},
        }
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise WeightsError(f"{name} has incomplete metadata ({error!r}). Export it again.") from None


def _whole(value: Any, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(value)
    return value


def inputs_of(
    lightness: npt.NDArray[np.float32], config: Mapping[str, Any], vividness: float, temperature: float
) -> dict[str, npt.NDArray[Any]]:
    """Makes the inputs of a network.

    Args:
        lightness: `(N, 1, H, W)`, L in 0..100, of any size.
        config: the metadata of the file, from `parse_metadata`.
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
