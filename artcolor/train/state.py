"""What a training keeps in mind between steps: losses since the last row of the log, patience, a wish to stop."""

import logging
import math
import signal
from typing import Any, Self

_LOG = logging.getLogger(__name__)


class RunningMean:
    """Means, by name, of what has been added since they were last taken.

    Attributes:
        sums: by name, and `"count"`; a checkpoint carries them.

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
        """Gives the means and starts afresh."""
        count = self.sums.pop("count")
        means = {name: total / count for name, total in self.sums.items()}
        self.sums = {}
        return means


class Patience:
    """Counts validations without improvement.

    Args:
        limit: how many of them are one too many; `None` waits for ever.

    Attributes:
        best: the lowest value so far.
        stale: validations since then.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.best, self.stale = math.inf, 0

    def is_over(self, value: float | None) -> bool:
        """Whether to stop.

        Args:
            value: what was measured, lower being better; `None` if nothing was.
        """
        if self.limit is None or value is None:
            return False
        self.stale = 0 if value < self.best else self.stale + 1
        self.best = min(self.best, value)
        return self.stale >= self.limit


class Interrupt:
    """Within it, Ctrl-C is remembered instead of raised, so that a checkpoint can be written first.

    Outside the main thread, where Python allows no handler, Ctrl-C stays what it is.

    Attributes:
        asked: whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.asked = False
        self._previous: Any = None

    def __enter__(self) -> Self:
        """Takes over Ctrl-C."""
        self.asked = False
        try:
            self._previous = signal.signal(signal.SIGINT, self._remember)
        except ValueError:
            _LOG.debug("not in the main thread: Ctrl-C stops without a checkpoint")
        return self

    def __exit__(self, *_: object) -> None:
        """Gives it back."""
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def _remember(self, *_: object) -> None:
        self.asked = True
