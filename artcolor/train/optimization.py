"""What learns how fast, and what is averaged."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel
from artcolor.train.config import TrainConfig


def parameter_groups(model: ColorizationModel, config: TrainConfig) -> list[dict[str, Any]]:
    """Sorts parameters for AdamW.

    Kernels and matrices decay, biases and norms do not; what came pretrained learns slower; what is frozen stays out.

    Args:
        model: whose `network.pretrained` names the parts that came pretrained.
        config: learning rate, `encoder_rate` and weight decay.

    Returns:
        Groups, each with its learning rate and weight decay.
    """
    pretrained_parts = tuple(f"network.{part}." for part in model.network.pretrained)
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name.startswith(pretrained_parts), parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": config.learning_rate * (config.encoder_rate if pretrained else 1),
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for (pretrained, decays), parameters in groups.items()
    ]


def set_training_mode(model: ColorizationModel, config: TrainConfig) -> None:
    """Puts a model into training mode, but for what the settings say stays as it is.

    Args:
        model: changed in place.
        config: `frozen` and `freeze_norms`.

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
    """Share of the peak learning rate at a step: a linear rise, then a cosine to zero.

    Args:
        step: 0 is the first.
        warmup: steps of the rise.
        total: steps of the training.

    Example:
        >>> [round(warmup_cosine(step, warmup=2, total=6), 2) for step in range(6)]
        [0.5, 1.0, 1.0, 0.85, 0.5, 0.15]
    """
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))


def moving_average(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """The update of an exponential moving average, for `AveragedModel`.

    A short fine-tuning must not end near where it began, so the average forgets fast at first.

    Args:
        decay: what it tends to.
    """

    def update(average: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        now = min(decay, (1 + int(count)) / (10 + int(count)))
        torch._foreach_lerp_(list(average), list(current), 1 - now)

    return update
