"""What `print(model)` shows: the parts of a model on a few lines."""

import itertools
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from artcolor.models.base import ColorizationModel

_WIDTH = 79


def summary(model: "ColorizationModel") -> str:
    """Describes a model on a few lines of at most 79 characters.

    Args:
        model: the model; `print(model.network)` shows its layers.

    Returns:
        Name, size, parameters, device, network, head and kernel.

    Example:
        >>> import artcolor
        >>> print(artcolor.ae_report(width=32))
        ColorizationModel('ae_report')
          size=200, 24,779 parameters, cpu, float32, training
          network: AEReport(width=32), stride 1, output at full size
          head: RGBHead(kernel=3)
    """
    first = next(model.parameters(), torch.empty(0))
    state = "training" if model.training else "evaluation"
    facts = [f"size={model.size}", f"{sum(p.numel() for p in model.parameters()):,} parameters"]
    facts += [str(first.device), str(first.dtype).removeprefix("torch."), state]
    network = model.network
    sides = f"stride {network.stride}, " if network.fixed_size is None else f"{network.fixed_size} px, "
    output = "full" if network.out_stride == 1 else f"1/{network.out_stride}"
    parts = {
        "network": f"{_call(network, network.config)}, {sides}output at {output} size",
        "head": _call(model.head, model.head.config),
        "kernel": None if model.kernel is None else _call(model.kernel, model.kernel.config),
    }
    lines = [f"{type(model).__name__}({model.name!r})", f"  {', '.join(facts)}"]
    lines += [f"  {name}: {text}" for name, text in parts.items() if text is not None]
    wrapped = (textwrap.wrap(line, _WIDTH, subsequent_indent="    ") for line in lines)
    return "\n".join(itertools.chain.from_iterable(wrapped))


def _call(module: nn.Module, config: Mapping[str, Any]) -> str:
    return f"{type(module).__name__}({', '.join(f'{key}={value!r}' for key, value in config.items())})"
