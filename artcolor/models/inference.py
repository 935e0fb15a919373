"""Copies of models for fast inference: BatchNorms folded into convolutions, memory format channels last."""

import copy
import threading
import weakref
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from artcolor.color.isolation import isolated
from artcolor.models.base import ColorizationModel

__all__ = ["inference_copy"]

_LOCK = threading.Lock()


@dataclass
class _Copy:
    model: ColorizationModel
    config: dict[str, Any]
    tensors: list[tuple[Tensor, int]]

    def is_current(self, model: ColorizationModel) -> bool:
        """Whether the original is unchanged since the copy was made."""
        now = _tensors(model)
        return (
            self.config == model.config
            and len(now) == len(self.tensors)
            and all(a is b and x == y for (a, x), (b, y) in zip(now, self.tensors, strict=True))
        )


_COPIES: "weakref.WeakKeyDictionary[ColorizationModel, dict[torch.device, _Copy]]" = weakref.WeakKeyDictionary()


def inference_copy(model: ColorizationModel, device: str | torch.device = "cpu") -> ColorizationModel:
    """Returns a faster copy of a model that makes the same predictions.

    The copy is cached for the lifetime of the model and rebuilt when the model's weights or settings change. Changes
    through `.data`, which PyTorch does not count as versions, are not detected.

    Args:
        model: the original, which is not modified.
        device: device of the copy.

    Returns:
        The copy, in evaluation mode. It is safe to use from several threads and must not be modified.

    Example:
        >>> import artcolor, torch
        >>> model = artcolor.cnn(width=16).eval()
        >>> light = torch.rand(1, 1, 64, 64) * 100
        >>> torch.allclose(inference_copy(model).predict_ab(light), model.predict_ab(light), atol=1e-3)
        True
    """
    device = torch.device(device)
    with _LOCK:
        copies = _COPIES.setdefault(model, {})
        found = copies.get(device)
        if found is None or not found.is_current(model):
            found = copies[device] = _Copy(_make(model, device), model.config, _tensors(model))
        return found.model


def _tensors(model: nn.Module) -> list[tuple[Tensor, int]]:
    """Returns parameters and buffers, each with its version, which counts in-place changes."""
    every = chain(model.parameters(), model.buffers())
    return [(tensor, 0 if tensor.is_inference() else tensor._version) for tensor in every]


def _make(model: ColorizationModel, device: torch.device) -> ColorizationModel:
    # `_pairs` relies on tensor versions, which do not exist in inference mode.
    with torch.inference_mode(False), torch.no_grad(), isolated():
        plain = copy.deepcopy(model).float().eval().requires_grad_(False).to(device)
        side = model.network.fixed_size or 2 * model.network.stride
        generator = torch.Generator().manual_seed(0)
        probe = (torch.rand(1, 1, side, side, generator=generator, dtype=torch.float32) * 100).to(device)
        expected = plain.network(probe)
        folded = copy.deepcopy(plain)
        _fold(folded.network, probe)
        # Folding is wrong if a network also uses the output of a convolution elsewhere than in its BatchNorm.
        same = torch.allclose(folded.network(probe), expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
        return (folded if same else plain).to(memory_format=torch.channels_last)


def _fold(network: nn.Module, probe: Tensor) -> None:
    """Folds every BatchNorm into the convolution that precedes it in a forward pass on `probe`."""
    names = {module: name for name, module in network.named_modules()}
    for norm, conv in _pairs(network, probe).items():
        assert norm.running_mean is not None
        assert norm.running_var is not None
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight,
            conv.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
            transpose=isinstance(conv, nn.ConvTranspose2d),
        )
        # Some BatchNorms include the activation: those of EfficientNet-Lite0, as in timm.
        network.set_submodule(names[norm], getattr(norm, "act", nn.Identity()))


def _pairs(network: nn.Module, probe: Tensor) -> dict[nn.BatchNorm2d, nn.Conv2d | nn.ConvTranspose2d]:
    """Returns the BatchNorms whose input is the unmodified output of a convolution, with that convolution."""
    outputs: list[tuple[Tensor, int, Any]] = []
    pairs: dict[nn.BatchNorm2d, Any] = {}

    def after_convolution(conv: nn.Module, inputs: Any, output: Tensor) -> None:
        outputs.append((output, output._version, conv))

    def before_norm(norm: Any, inputs: tuple[Tensor, ...]) -> None:
        for output, version, conv in outputs:
            # An in-place operation, such as a ReLU, changes the version of the tensor.
            if inputs[0] is output and output._version == version:
                pairs[norm] = conv

    hooks: list[Any] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            hooks.append(module.register_forward_hook(after_convolution))
        elif isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            hooks.append(module.register_forward_pre_hook(before_norm))
    network(probe)
    for hook in hooks:
        hook.remove()
    return pairs
