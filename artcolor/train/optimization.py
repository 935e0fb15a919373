"""Parameter groups, learning rate schedule and moving average."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel
from artcolor.train.config import TrainConfig

_NO_MODULES: Mapping[str, nn.Module] = {}


def parameter_groups(
    model: ColorizationModel, config: TrainConfig, auxiliaries: Mapping[str, nn.Module] = _NO_MODULES
) -> list[dict[str, Any]]:
    """Sorts parameters into groups for AdamW.

    Weight decay applies to kernels and matrices, not to biases and norms. Pretrained parts get a lower learning rate.
    Frozen parameters are left out.

    Args:
        model: the model to train; its `network.pretrained` names the pretrained parts.
        config: the settings; `learning_rate`, `encoder_rate` and `weight_decay` are read.
        auxiliaries: modules to train beside the model, by name.

    Returns:
        Groups, each with its learning rate and weight decay.
    """
    pretrained_parts = tuple(f"network.{part}." for part in model.network.pretrained)
    groups: dict[tuple[str, bool, bool], list[nn.Parameter]] = {}
    for owner, module in {"": model, **auxiliaries}.items():
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                pretrained = not owner and name.startswith(pretrained_parts)
                groups.setdefault((owner, pretrained, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": config.learning_rate * (config.encoder_rate if pretrained else 1),
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for (_, pretrained, decays), parameters in groups.items()
    ]


def set_training_mode(model: ColorizationModel, config: TrainConfig) -> None:
    """Puts a model into training mode, except for its frozen parts.

    Args:
        model: changed in place.
        config: the settings; `frozen` and `freeze_norms` are read.

    Raises:
        ConfigError: `frozen` names a part that the model does not have.
    """
    model.train()
    for name in config.frozen:
        try:
            part = model.get_submodule(name)
        except AttributeError as error:
            raise ConfigError(f"frozen: {model.name} has no part called {name!r} ({error})") from error
        part.requires_grad_(False).eval()
    if config.freeze_norms:
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


def warmup_cosine(step: int, *, warmup: int, total: int) -> float:
    """Computes the learning rate at a step, as a share of the peak: a linear rise, then a cosine decay to zero.

    Args:
        step: number of the step, from 0.
        warmup: length of the rise, in steps.
        total: length of the training, in steps.

    Example:
        >>> [round(warmup_cosine(step, warmup=2, total=6), 2) for step in range(6)]
        [0.5, 1.0, 1.0, 0.85, 0.5, 0.15]
    """
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))


def moving_average(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """Returns the update function of an exponential moving average, for `AveragedModel`.

    The decay starts low and rises to its limit; otherwise the average of a short fine-tuning would stay close to the
    initial weights.

    Args:
        decay: limit of the decay, at least 0 and below 1.
    """

    def update(average: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        now = min(decay, (1 + int(count)) / (10 + int(count)))
        torch._foreach_lerp_(list(average), list(current), 1 - now)

    return update
