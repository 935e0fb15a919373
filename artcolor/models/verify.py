"""Verification of released weights: file, figures and outputs match the manifest."""

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

__all__ = ["Verdict", "verify"]

_DTYPES = {"uint8": "u1", "float16": "<f2"}
_GOLDEN_HEIGHT, _GOLDEN_WIDTH = 48, 64
_BLOCK = 4
# In Lab units, where about 2 is the smallest visible difference. Storing half precision costs up to 0.03.
_TOLERANCE = 0.1


@dataclass(frozen=True)
class Verdict:
    """The result of verifying released weights.

    Attributes:
        key: key in the manifest, `model.tag`.
        path: path of the weights file; `None` if it could not be read.
        difference: largest difference between golden and computed colors, in Lab units; `None` if not computed.
        problems: one sentence per problem; empty if there are none.
    """

    key: str
    path: Path | None
    difference: float | None
    problems: tuple[str, ...]


def verify(entry: Entry, *, progress: bool = True) -> Verdict:
    """Checks hash, strict loading, config, reproducible figures, and golden outputs of released weights.

    Args:
        entry: their entry in the manifest.
        progress: show a progress bar while downloading.

    Returns:
        The verdict.

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
            f"its colors differ from the golden ones by up to {difference:.3g} Lab units; the tolerance is "
            f"{entry.golden['tolerance']}"
        )
    return Verdict(entry.key, weights.path, difference, tuple(problems))


def count_parameters(model: ColorizationModel) -> int:
    """Returns the number of parameters."""
    return sum(p.numel() for p in model.parameters())


def multiply_adds(model: ColorizationModel) -> int:
    """Returns the multiply-adds for one square picture at the model's working size."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(torch.zeros(1, 1, model.size, model.size))
    return counter.get_total_flops() // 2


def make_golden(model: ColorizationModel) -> dict[str, Any]:
    """Computes golden outputs of a model on a small synthetic picture, in the form that the manifest stores.

    Args:
        model: the model with its weights, in evaluation mode.

    Returns:
        `lightness` `(1, 1, 48, 64)`, L in whole units; `ab` `(1, 2, 12, 16)`, the means of `model.predict_ab` over
        4 × 4 pixels; and `tolerance` in Lab units.
    """
    rows, columns = torch.arange(_GOLDEN_HEIGHT)[:, None], torch.arange(_GOLDEN_WIDTH)[None]
    # Gradients, edges and corners in integers, so the picture is the same on every platform.
    lightness = (2 * rows + 3 * columns + rows * columns // 8) % 101
    lightness = lightness[None, None].to(torch.uint8)
    return {
        "lightness": _encode(lightness, "uint8"),
        "ab": _encode(_golden_ab(model, lightness), "float16"),
        "tolerance": _TOLERANCE,
    }


def golden_difference(model: ColorizationModel, golden: Mapping[str, Any]) -> float:
    """Computes the largest difference between a model's output and the golden one, in Lab units.

    Args:
        model: the model with its weights, in evaluation mode.
        golden: golden input and output, from the model's entry in the manifest.

    Returns:
        The largest absolute difference of any value of ab.

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
