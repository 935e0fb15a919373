"""Which precision a device computes fast in."""

from collections.abc import Callable
from typing import Any, Literal

import torch

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
