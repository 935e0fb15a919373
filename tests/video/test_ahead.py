import threading
from collections.abc import Iterator

import pytest

from artcolor.video.ahead import Ahead


def test_items_are_made_ahead_in_a_thread_but_not_many() -> None:
    made: list[int] = []
    third = threading.Event()

    def numbers() -> Iterator[int]:
        for number in range(9):
            made.append(number)
            if number == 2:
                third.set()
            yield number

    items = Ahead[int](3).of(numbers())
    assert next(items) == 0
    assert third.wait(10)
    assert len(made) <= 4
    assert list(items) == list(range(1, 9))


def test_errors_arrive_where_they_belong() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    items = Ahead[int](5).of(numbers())
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_what_nobody_wants_is_not_made() -> None:
    ahead, seen = Ahead[int](2), []
    last = threading.Event()

    def slow() -> Iterator[int]:
        yield 0
        # As a network that looks at many frames before it says anything.
        for number in ahead.watched(range(10**9)):
            seen.append(number)
            last.set()
        yield 1

    items = ahead.of(slow())
    assert next(items) == 0
    assert last.wait(10)
    items.close()
    assert len(seen) < 10**9
