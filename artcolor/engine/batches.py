"""Groups pictures that go through a network together."""

from collections.abc import Hashable, Iterator, Sequence


def batches(shapes: Sequence[Hashable], most: int) -> Iterator[list[int]]:
    """Groups pictures of one shape.

    Args:
        shapes: shape of each picture's input.
        most: maximum number of pictures per batch.

    Yields:
        Numbers of the pictures of each batch.

    Example:
        >>> list(batches(["tall", "wide", "tall", "tall"], 2))
        [[0, 2], [3], [1]]
    """
    groups: dict[Hashable, list[int]] = {}
    for number, shape in enumerate(shapes):
        groups.setdefault(shape, []).append(number)
    for numbers in groups.values():
        for start in range(0, len(numbers), most):
            yield numbers[start : start + most]
