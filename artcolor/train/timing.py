"""How long a training step takes, and what takes it."""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from artcolor.models.base import ColorizationModel
from artcolor.train.objective import Objective, Teacher

_WARM_UP = 3


@dataclass(frozen=True)
class StepTime:
    """Seconds that a step spends, in the mean.

    Attributes:
        waiting: for pictures.
        forward: in the network and the loss.
        backward: in their gradients.
        optimizer: in updating parameters and their average.
    """

    waiting: float
    forward: float
    backward: float
    optimizer: float

    @property
    def total(self) -> float:
        """Seconds of a whole step."""
        return self.waiting + self.forward + self.backward + self.optimizer


def measure_steps(
    model: ColorizationModel,
    batches: Iterator[Sequence[Tensor]],
    *,
    autocast: Callable[[], torch.autocast],
    device: torch.device,
    learning_rate: float,
    parts: int,
    teacher: Teacher | None = None,
) -> StepTime:
    """Times steps on a copy of the model, which itself stays as it is.

    Args:
        model: to be trained, in training mode.
        batches: micro-batches of (L, ab), and maybe labels, which take no time; the first three steps are not counted.
        autocast: makes the context of the forward pass.
        device: where to compute.
        learning_rate: of the optimizer that is timed.
        parts: micro-batches per step.
        teacher: is learned from, if given.
    """
    clone = copy.deepcopy(model)
    objective = Objective(clone, teacher=teacher)
    parameters = [p for p in clone.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate)
    generator = torch.Generator(device).manual_seed(0)
    spent, counted, number = [0.0] * 4, 0, 0

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    start = now()
    for number, (lightness, ab, *_) in enumerate(batches, 1):
        lightness, ab = lightness.to(device), ab.to(device)
        arrived = now()
        with autocast():
            loss = objective(lightness, ab, 0, generator)["loss"]
        forward = now()
        loss.backward()
        backward = now()
        if number % parts == 0:
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad()
        end = now()
        if number > _WARM_UP * parts:
            counted += 1
            for i, seconds in enumerate((arrived - start, forward - arrived, backward - forward, end - backward)):
                spent[i] += seconds
        start = end
    steps = max(1, counted) / parts
    return StepTime(*(seconds / steps for seconds in spent))
