"""Atomic checkpoints: complete or absent."""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import Tensor

from artcolor.errors import TrainingError
from artcolor.files import sha256_of, sync

_LOG = logging.getLogger(__name__)
_PREFIX = "step-"


def save(
    folder: Path,
    step: int,
    *,
    tensors: Mapping[str, Mapping[str, Tensor]],
    optimizer: dict[str, Any],
    state: dict[str, Any],
    keep: int,
) -> Path:
    """Writes a checkpoint under a temporary name, renames it, then removes old checkpoints.

    `state.json` is written last and holds the hashes of the other files, which reveals a checkpoint truncated by a
    power failure.

    Args:
        folder: folder of all checkpoints.
        step: number of optimizer steps done.
        tensors: tensors by file name; each group becomes a safetensors file.
        optimizer: state of optimizer, scheduler and scaler: tensors and plain values only.
        state: everything else, as JSON values.
        keep: number of checkpoints to keep.

    Returns:
        The folder of the new checkpoint.

    Raises:
        TrainingError: the checkpoint could not be written, for example because the disk is full; older checkpoints
            remain.
    """
    target = folder / f"{_PREFIX}{step:08d}"
    temporary = folder / f".{target.name}.tmp"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name, group in tensors.items():
            # Clones, because safetensors files cannot hold shared storage.
            plain = {
                key: value.detach().cpu().clone(memory_format=torch.contiguous_format) for key, value in group.items()
            }
            safetensors.torch.save_file(plain, temporary / f"{name}.safetensors")
        torch.save(optimizer, temporary / "optimizer.pt")
        hashes = {path.name: sha256_of(path) for path in sorted(temporary.iterdir())}
        for path in temporary.iterdir():
            sync(path)
        (temporary / "state.json").write_text(
            json.dumps({"step": step, "hashes": hashes, **state}, indent=1), encoding="utf-8"
        )
        sync(temporary / "state.json")
        sync(temporary)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(temporary, target)
        sync(folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        last = latest(folder)
        raise TrainingError(
            f"the checkpoint of step {step} could not be written to {folder} ({error}). "
            + (f"The last good checkpoint is {last}." if last else "There is no earlier checkpoint.")
            + " Free some disk space and run the same command again; it resumes."
        ) from error
    for old in _numbered(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def latest(folder: Path) -> Path | None:
    """Returns the newest intact checkpoint; skips damaged ones with a warning.

    Args:
        folder: folder of all checkpoints; need not exist.
    """
    for path in reversed(_numbered(folder)):
        fault = _fault(path)
        if fault is None:
            return path
        _LOG.warning("skipping the checkpoint %s: %s", path, fault)
    return None


class Checkpoint(NamedTuple):
    """Content of a checkpoint, as passed to `save`.

    Attributes:
        tensors: tensors by file name.
        optimizer: state of optimizer, scheduler and scaler.
        state: everything else, among it `"step"`.
    """

    tensors: dict[str, dict[str, Tensor]]
    optimizer: dict[str, Any]
    state: dict[str, Any]


def load(path: Path) -> Checkpoint:
    """Reads a checkpoint.

    Args:
        path: folder of the checkpoint.

    Raises:
        TrainingError: the checkpoint is incomplete or damaged.
    """
    fault = _fault(path)
    if fault is not None:
        raise TrainingError(f"the checkpoint {path} cannot be used: {fault}. Resume from another one.")
    tensors = {file.stem: safetensors.torch.load_file(file) for file in path.glob("*.safetensors")}
    optimizer = torch.load(path / "optimizer.pt", weights_only=True)
    return Checkpoint(tensors, optimizer, json.loads((path / "state.json").read_text(encoding="utf-8")))


def _numbered(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_PREFIX}*")) if folder.is_dir() else []


def _fault(path: Path) -> str | None:
    try:
        hashes = json.loads((path / "state.json").read_text(encoding="utf-8"))["hashes"]
        wrong = [name for name, sha256 in hashes.items() if sha256_of(path / name) != sha256]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"it is incomplete ({error})"
    return f"{', '.join(wrong)} does not match its hash" if wrong else None
