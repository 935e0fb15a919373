"""Orders training pictures as a function of (seed, step), so that training can resume at any step."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from artcolor.data.dataset import Sample


class SampleStream:
    """Yields batches of samples for a range of training steps; a `batch_sampler` for `DataLoader`.

    The samples form one endless sequence of epochs, each shuffled differently. Step s takes the s-th batch of the
    sequence. Each process and accumulation step takes its part of that batch.

    Args:
        pictures: number of pictures in the data set.
        batch_size: pictures per step, over all processes.
        seed: random seed of the order.
        start: first step.
        stop: last step, exclusive.
        size_at: returns the side of the crops in pixels, given the step.
        parts: number of micro-batches per step, over all processes.
        rank: rank of this process, which takes every `world`-th micro-batch starting with this one.
        world: number of processes.
        labels: one label per picture. If given, pictures are drawn with replacement such that every label has an equal
            share of an epoch.

    Example:
        >>> stream = SampleStream(10, 4, seed=0, start=2, stop=3, size_at=lambda step: 32)
        >>> [(sample.epoch, sample.size) for batch in stream for sample in batch]
        [(0, 32), (0, 32), (1, 32), (1, 32)]
    """

    def __init__(
        self,
        pictures: int,
        batch_size: int,
        *,
        seed: int,
        start: int,
        stop: int,
        size_at: Callable[[int], int],
        parts: int = 1,
        rank: int = 0,
        world: int = 1,
        labels: Sequence[str] | None = None,
    ) -> None:
        self.pictures, self.batch_size, self.seed = pictures, batch_size, seed
        self.start, self.stop, self.size_at = start, stop, size_at
        self.parts, self.rank, self.world = parts, rank, world
        self._order: tuple[int, list[int]] | None = None
        self._chances: npt.NDArray[np.float64] | None = None
        if labels is not None:
            _, kind, count = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
            self._chances = 1 / (len(count) * count[kind])

    def __len__(self) -> int:
        return (self.stop - self.start) * self.parts // self.world

    def __iter__(self) -> Iterator[list[Sample]]:
        share = self.batch_size // self.parts
        for step in range(self.start, self.stop):
            for part in range(self.rank, self.parts, self.world):
                first = step * self.batch_size + part * share
                yield [self._sample(place, self.size_at(step)) for place in range(first, first + share)]

    def _sample(self, place: int, size: int) -> Sample:
        epoch, position = divmod(place, self.pictures)
        if self._order is None or self._order[0] != epoch:
            rng = np.random.default_rng([self.seed, epoch])
            if self._chances is None:
                order = rng.permutation(self.pictures)
            else:
                order = rng.choice(self.pictures, self.pictures, p=self._chances)
            self._order = (epoch, order.tolist())
        return Sample(self._order[1][position], epoch, size)
