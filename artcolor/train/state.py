"""State of a training between steps: running means, early stopping, interruption."""

import logging
import math
import signal
from typing import Any, Self

_LOG = logging.getLogger(__name__)


class RunningMean:
    """Running means of named values.

    Attributes:
        sums: sum of the values by name, and their number as `"count"`; stored in checkpoints.

    Example:
        >>> losses = RunningMean()
        >>> losses.add({"loss": 2.0}), losses.add({"loss": 4.0})
        (None, None)
        >>> losses.take()
        {'loss': 3.0}
    """

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}

    def add(self, values: dict[str, float]) -> None:
        """Adds the values of one step."""
        for name, value in {**values, "count": 1.0}.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def take(self) -> dict[str, float]:
        """Returns the means and resets them."""
        count = self.sums.pop("count")
        means = {name: total / count for name, total in self.sums.items()}
        self.sums = {}
        return means


class Patience:
    """Early stopping: counts validations without improvement.

    Args:
        limit: number of validations without improvement after which to stop; `None` never stops.

    Attributes:
        best: lowest value so far.
        stale: number of validations since the lowest value.

    Example:
        >>> patience = Patience(2)
        >>> [patience.is_over(value) for value in (0.5, 0.4, 0.6, 0.4)]
        [False, False, False, True]
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.best, self.stale = math.inf, 0

    def is_over(self, value: float | None) -> bool:
        """Records a validation and decides whether to stop.

        Args:
            value: the validation metric, where lower is better; `None` if there was no validation.

        Returns:
            Whether `limit` validations in a row brought no improvement.
        """
        if self.limit is None or value is None:
            return False
        self.stale = 0 if value < self.best else self.stale + 1
        self.best = min(self.best, value)
        return self.stale >= self.limit


class Interrupt:
    """A context manager that records Ctrl-C and SIGTERM instead of raising, so that a checkpoint can be written first.

    Outside the main thread, where Python does not allow signal handlers, both work as usual.

    Attributes:
        requested: whether Ctrl-C was pressed or SIGTERM arrived.
        terminated: whether SIGTERM arrived.
    """

    def __init__(self) -> None:
        self.requested = self.terminated = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Installs the signal handlers."""
        self.requested = self.terminated = False
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._record)
        except ValueError:
            _LOG.debug("not in the main thread: Ctrl-C stops without a checkpoint")
        return self

    def __exit__(self, *_: object) -> None:
        """Restores the previous signal handlers."""
        for number, previous in self._previous.items():
            signal.signal(number, previous)
        self._previous = {}

    def _record(self, number: int, *_: object) -> None:
        self.requested = True
        self.terminated |= number == signal.SIGTERM
