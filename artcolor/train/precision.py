"""Numeric precision of a training."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

Precision = Literal["fp32", "bf16", "fp16"]

_NATIVE_BF16 = ("amx_bf16", "avx512_bf16")


def fast_precision(device: torch.device) -> Precision:
    """Returns bf16 for hardware with native support, else fp32.

    A processor without bf16 instructions emulates them, which makes a step dozens of times slower.

    Args:
        device: the device that trains.

    Example:
        >>> fast_precision(torch.device("cpu")) in ("fp32", "bf16")
        True
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    # PyTorch has `get_capabilities` since 2.10.
    get_capabilities: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    capabilities = get_capabilities() if device.type == "cpu" else {}
    return "bf16" if any(capabilities.get(name) for name in _NATIVE_BF16) else "fp32"


def accelerator_for(precision: Precision, *, cpu: bool) -> Accelerator:
    """Returns an `Accelerator` of a precision, even if earlier trainings of this process used another.

    Args:
        precision: precision of the network's forward pass.
        cpu: compute on the CPU even if an accelerator is available.
    """
    mixed = "no" if precision == "fp32" else precision
    # accelerate refuses a second precision within a process, but trainings in one notebook may differ.
    if AcceleratorState._shared_state.get("_mixed_precision", mixed) != mixed:
        AcceleratorState._reset_state()
    return Accelerator(mixed_precision=mixed, cpu=cpu)
