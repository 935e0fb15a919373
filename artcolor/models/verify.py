"""Proof that released weights do what they did when they were released."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from artcolor.errors import WeightsError
from artcolor.models.base import ColorizationModel
from artcolor.models.registry import get_model
from artcolor.zoo import locate
from artcolor.zoo.manifest import Entry

_DTYPES = {"uint8": "u1", "float16": "<f2"}
_GOLDEN_HEIGHT, _GOLDEN_WIDTH = 48, 64
_BLOCK = 4
_TOLERANCE = 0.1
"""In Lab units, where about 2 is the least that is seen. Half precision of the stored values takes up to 0.03."""


@dataclass(frozen=True)
class Verdict:
    """What was found out about released weights.

    Attributes:
        key: `model.tag`.
        path: of their file; `None` if there is none that could be read.
        difference: the largest one between golden and computed colors, in Lab units; `None` if none were computed.
        problems: what is wrong, a sentence each; empty if all is well.
    """

    key: str
    path: Path | None
    difference: float | None
    problems: tuple[str, ...]


def verify(entry: Entry, *, progress: bool = True) -> Verdict:
    """Checks hash, strict loading, config, figures that can be recomputed, and golden outputs.

    Args:
        entry: of the manifest.
        progress: show a bar while something is downloaded.

    Returns:
        What was found out.

    Example:
        >>> import artcolor
        >>> verify(artcolor.CNN_Weights.DEFAULT.entry).problems
        ()
    """
    try:
        weights = locate.fetch(entry, progress=progress)
    except WeightsError as error:
        return Verdict(entry.key, None, None, (str(error),))
    try:
        model = get_model(entry.model, weights=weights)
        difference = golden_difference(model, entry.golden)
    except WeightsError as error:
        return Verdict(entry.key, weights.path, None, (str(error),))
    stated = {
        "config": entry.config,
        "bytes": entry.bytes,
        "parameters": entry.parameters,
        "multiply_adds": entry.multiply_adds,
    }
    found = {
        "config": weights.config,
        "bytes": weights.path.stat().st_size,
        "parameters": count_parameters(model),
        "multiply_adds": multiply_adds(model),
    }
    problems = [
        f"{name} is {found[name]}, but the manifest says {stated[name]}"
        for name in stated
        if found[name] != stated[name]
    ]
    if not difference <= entry.golden["tolerance"]:
        problems.append(
            f"its colors are up to {difference:.3g} Lab units off the golden ones, and should be within "
            f"{entry.golden['tolerance']}"
        )
    return Verdict(entry.key, weights.path, difference, tuple(problems))


def count_parameters(model: ColorizationModel) -> int:
    """Number of trained numbers."""
    return sum(p.numel() for p in model.parameters())


def multiply_adds(model: ColorizationModel) -> int:
    """Multiply-adds for one square picture at the model's working size."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(torch.zeros(1, 1, model.size, model.size))
    return counter.get_total_flops() // 2


def make_golden(model: ColorizationModel) -> dict[str, Any]:
    """A small made-up picture and the colors that a model gives it, as the manifest keeps them.

    Args:
        model: with its weights, in evaluation mode.

    Returns:
        `lightness` `(1, 1, 48, 64)` in whole units of L, `ab` `(1, 2, 12, 16)`, the means over 4 × 4 pixels of
        `model.predict_ab`, and the `tolerance` in Lab units.
    """
    rows, columns = torch.arange(_GOLDEN_HEIGHT)[:, None], torch.arange(_GOLDEN_WIDTH)[None]
    # Slopes, edges and corners, in whole numbers, so that no rounding can make another picture of it.
    lightness = (2 * rows + 3 * columns + rows * columns // 8) % 101
    lightness = lightness[None, None].to(torch.uint8)
    return {
        "lightness": _encode(lightness, "uint8"),
        "ab": _encode(_golden_ab(model, lightness), "float16"),
        "tolerance": _TOLERANCE,
    }


def golden_difference(model: ColorizationModel, golden: Mapping[str, Any]) -> float:
    """How far the colors that a model gives the golden picture are off, at most, in Lab units.

    Args:
        model: is judged.
        golden: of its entry in the manifest.

    Raises:
        WeightsError: the golden tensors are damaged.
    """
    try:
        lightness, ab = _decode(golden["lightness"]), _decode(golden["ab"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"the manifest's golden tensors of {model.name} are damaged: {error!r}") from error
    found = _golden_ab(model, lightness)
    if found.shape != ab.shape:
        raise WeightsError(f"the manifest's golden tensors of {model.name} have the shape {tuple(ab.shape)}")
    return float((found - ab).abs().max())


def _golden_ab(model: ColorizationModel, lightness: Tensor) -> Tensor:
    return F.avg_pool2d(model.predict_ab(lightness.float()), _BLOCK)


def _encode(tensor: Tensor, dtype: str) -> dict[str, Any]:
    data = tensor.numpy().astype(_DTYPES[dtype]).tobytes()
    return {"shape": list(tensor.shape), "dtype": dtype, "data": base64.b64encode(data).decode()}


def _decode(stored: Mapping[str, Any]) -> Tensor:
    data = base64.b64decode(stored["data"], validate=True)
    values = np.frombuffer(data, _DTYPES[stored["dtype"]]).reshape(stored["shape"])
    return torch.from_numpy(values.astype(np.float32))
