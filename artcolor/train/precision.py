"""The precision of a training, and which one a device computes fast in."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

Precision = Literal["fp32", "bf16", "fp16"]

_NATIVE = ("amx_bf16", "avx512_bf16")


def fast_precision(device: torch.device) -> Precision:
    """bf16 where the hardware computes it, fp32 elsewhere.

    A processor without instructions for bf16 emulates it, which makes a step dozens of times slower.

    Args:
        device: where the training runs.

    Example:
        >>> fast_precision(torch.device("cpu")) in ("fp32", "bf16")
        True
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    # PyTorch before 2.10 cannot tell.
    tell: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    found = tell() if device.type == "cpu" else {}
    return "bf16" if any(found.get(name) for name in _NATIVE) else "fp32"


def accelerator_for(precision: Precision, *, cpu: bool) -> Accelerator:
    """An `Accelerator` that computes in a precision, whatever was trained before in this process.

    Args:
        precision: of the network's forward pass.
        cpu: compute on the CPU even where there is something faster.
    """
    mixed = "no" if precision == "fp32" else precision
    # accelerate keeps one precision for the whole process and refuses another: two trainings in a notebook may differ.
    if AcceleratorState._shared_state.get("_mixed_precision", mixed) != mixed:
        AcceleratorState._reset_state()
    return Accelerator(mixed_precision=mixed, cpu=cpu)
