"""Timing of training steps, and the forecasts based on it."""

import copy
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from artcolor.train.config import TrainConfig
from artcolor.train.objectives.base import Objective

if TYPE_CHECKING:
    from artcolor.train.trainer import Trainer

_WARM_UP = 3
_DRY_RUN_STEPS = 20

Batches = Iterator[Sequence[Tensor]]


@dataclass(frozen=True)
class StepTime:
    """Mean seconds of the parts of a training step.

    Attributes:
        waiting: time spent waiting for pictures.
        forward: time of the network and the loss.
        backward: time of the gradients.
        optimizer: time of gradient clipping and the parameter update.
    """

    waiting: float
    forward: float
    backward: float
    optimizer: float

    @property
    def total(self) -> float:
        """Seconds of a whole step."""
        return self.waiting + self.forward + self.backward + self.optimizer


class Stopwatch:
    """Measures the speed of a training between two rows of the log.

    Example:
        >>> stopwatch = Stopwatch()
        >>> stopwatch.next(iter([(torch.zeros(1),)]))
        (tensor([0.]),)
        >>> stopwatch.steps += 1
        >>> list(stopwatch.speed(batch_size=32))
        ['seconds', 'ms_per_picture', 'waiting_share']

    Attributes:
        steps: optimizer steps since the last restart; the owner counts them.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Sets all counts to zero."""
        self.steps, self._waited, self._started = 0, 0.0, time.monotonic()

    def next(self, batches: Batches) -> Sequence[Tensor]:
        """Returns the next batch and counts the time spent waiting for it."""
        before = time.monotonic()
        batch = next(batches)
        self._waited += time.monotonic() - before
        return batch

    def speed(self, batch_size: int) -> dict[str, float]:
        """Computes `seconds`, `ms_per_picture` and `waiting_share` since the last restart.

        Args:
            batch_size: pictures per optimizer step.
        """
        seconds = time.monotonic() - self._started
        return {
            "seconds": round(seconds, 3),
            "ms_per_picture": round(1000 * seconds / (batch_size * max(1, self.steps)), 3),
            "waiting_share": round(self._waited / seconds, 4),
        }


def measure_steps(
    objective: Objective,
    batches: Batches,
    *,
    autocast: Callable[[], torch.autocast],
    device: torch.device,
    learning_rate: float,
    parts: int,
) -> StepTime:
    """Times training steps on a copy of an objective, which itself does not change.

    Args:
        objective: what to minimize; its model must be in training mode.
        batches: micro-batches from the objective's data set; those of the first three steps are not counted.
        autocast: creates the context of the forward pass.
        device: the device of the objective.
        learning_rate: learning rate of the timed optimizer.
        parts: micro-batches per step.
    """
    clone = copy.deepcopy(objective)
    parameters = [p for p in clone.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate)
    generator = torch.Generator(device).manual_seed(0)
    spent, counted = [0.0] * 4, 0

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    start = now()
    for number, batch in enumerate(batches, 1):
        lightness, ab, *extra = (x.to(device) for x in batch)
        arrived = now()
        with autocast():
            loss = clone(lightness, ab, *extra, step=0, generator=generator)["loss"]
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


def mean_step_seconds(config: TrainConfig, seconds_at: Callable[[int], float]) -> float:
    """Computes the mean duration of a step over a whole training, in which the crop size may change.

    Args:
        config: the settings; `size`, `final_size` and `final_from` are read.
        seconds_at: measures the duration of a step at a crop size in pixels.

    Example:
        >>> config = TrainConfig(steps=10, size=64, final_size=128, final_from=0.75)
        >>> mean_step_seconds(config, lambda size: {64: 1.0, 128: 3.0}[size])
        1.5
    """
    if config.final_size is None or config.final_size == config.size:
        return seconds_at(config.size)
    return config.final_from * seconds_at(config.size) + (1 - config.final_from) * seconds_at(config.final_size)


def planned_steps(config: TrainConfig, pictures: int, step_seconds: float) -> int:
    """Computes how many optimizer steps the settings ask for.

    Args:
        config: the settings; `steps`, `epochs` or `max_minutes` decides.
        pictures: number of training pictures.
        step_seconds: mean duration of a step; only used for `max_minutes`.

    Example:
        >>> planned_steps(TrainConfig(max_minutes=10), pictures=500, step_seconds=0.5)
        1200
    """
    if config.steps is not None:
        return config.steps
    if config.epochs is not None:
        return math.ceil(config.epochs * pictures / config.batch_size)
    return max(1, int(60 * (config.max_minutes or 0) / step_seconds))


def dry_run(trainer: "Trainer") -> list[str]:
    """Times 20 steps at each crop size and forecasts the duration of the training.

    Args:
        trainer: a trainer that has not been started.

    Returns:
        Lines to print.
    """
    config = trainer.config
    lines = []

    def seconds_at(size: int) -> float:
        step = trainer.measure(size, steps=_DRY_RUN_STEPS)
        per = 1000 / config.batch_size
        lines.append(
            f"{size} px: {step.total * per:.1f} ms/picture = loading {step.waiting * per:.1f} "
            f"+ forward {step.forward * per:.1f} + backward {step.backward * per:.1f} "
            f"+ optimizer {step.optimizer * per:.1f} (waiting {step.waiting / step.total:.1%} of a step)"
        )
        return step.total

    if config.fit_head:
        trainer.model.head.fit(trainer.train.statistics())
    per_step = mean_step_seconds(config, seconds_at)
    steps = planned_steps(config, len(trainer.train), per_step)
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  (Windows has no such module)

        # Linux counts in kilobytes, macOS in bytes.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        lines.append(f"memory: {peak / 2**20:.0f} MB peak")
    lines.append(
        f"forecast: {steps} steps, {steps * config.batch_size / len(trainer.train):.1f} epochs of "
        f"{len(trainer.train)} pictures, {steps * per_step / 60:.0f} minutes plus validation"
    )
    return lines
