"""Colorizes several pictures together: lists, iterators, batches, and the pages and frames of files."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from artcolor.engine.inputs import Item, item_of
from artcolor.engine.painting import in_rgb
from artcolor.engine.sequence import Sequence as Frames
from artcolor.errors import ConfigError, ImageError
from artcolor.images import Picture
from artcolor.models.guidance import Prediction

if TYPE_CHECKING:
    from artcolor.engine.colorizer import Colorizer

__all__ = ["check_count", "colored_frames", "colored_items", "colored_pages", "colored_stream"]


def check_count(colorizer: "Colorizer", count: int) -> None:
    """Checks that hints are for a single picture.

    Args:
        colorizer: a colorizer with its guidance.
        count: number of pictures that it is to colorize.

    Raises:
        ConfigError: there are hints, and several pictures.
    """
    if count > 1 and colorizer.guidance.hints:
        raise ConfigError(
            "hints are for one picture, but there are several; colorize them one by one, each with its own "
            "hints, or files with `artcolor colorize FOLDER -o OUT --hints FOLDER_OF_HINTS`"
        )


def colored_stream(colorizer: "Colorizer", xs: Iterable[Any]) -> Iterator[Any]:
    """Colorizes pictures as they arrive, and reads ahead by no more than `batch_size`.

    Args:
        colorizer: predicts the colors.
        xs: each as `item_of` takes it.

    Yields:
        Each in color.

    Raises:
        ConfigError: as `check_count`.
        ImageError: one cannot be read; those before it are yielded.
    """
    waiting: list[Item] = []
    for count, x in enumerate(xs, start=1):
        check_count(colorizer, count)
        try:
            waiting.append(item_of(x))
        except ImageError:
            # Those before the bad one are good.
            yield from colored_items(colorizer, waiting)
            raise
        if len(waiting) >= colorizer.batch_size:
            yield from colored_items(colorizer, waiting)
            waiting = []
    yield from colored_items(colorizer, waiting)


def colored_items(colorizer: "Colorizer", items: Sequence[Item]) -> Iterator[Any]:
    """Colorizes pictures together.

    Args:
        colorizer: predicts the colors.
        items: the pictures.

    Yields:
        Each in color; with several samples, a list of that many for each.

    Raises:
        ConfigError: as `check_count`; or the hints do not fit the picture.
    """
    every = [picture for item in items for picture in item.pictures]
    check_count(colorizer, len(every))
    if len(every) == 1 and not colorizer.leaves_alone(every[0]):
        colorizer.check_frames(1)
        colorizer = colorizer.for_picture(every[0])
    gray = [number for number, picture in enumerate(every) if not colorizer.leaves_alone(picture)]
    seen = [colorizer.look(every[number]) for number in gray]
    predictions = dict(zip(gray, colorizer.predict(seen), strict=True))

    def painted(number: int, sample: int) -> Picture:
        prediction: Prediction | None = predictions.get(number)
        return in_rgb(every[number]) if prediction is None else colorizer.paint(every[number], prediction, sample)

    start, samples = 0, colorizer.guidance.samples
    for item in items:
        numbers = range(start, start + len(item.pictures))
        start += len(item.pictures)
        made = [
            item.rebuild([painted(n, sample) for n in numbers], colorizer.sample_provenance(sample))
            for sample in range(samples)
        ]
        yield made[0] if samples == 1 else made


def colored_pages(colorizer: "Colorizer", pictures: Iterable[Picture], sample: int) -> Iterator[Picture]:
    """Colorizes the pages of a file, each on its own.

    Args:
        colorizer: predicts the colors.
        pictures: the pages.
        sample: number of the sample, from 0.

    Yields:
        Each in color.

    Raises:
        ConfigError: the hints do not fit a page.
    """
    for page, picture in enumerate(pictures):
        if colorizer.leaves_alone(picture):
            yield in_rgb(picture)
            continue
        own = colorizer.for_picture(picture, frame=page)
        (prediction,) = own.predict([own.look(picture)], frame=page)
        yield own.paint(picture, prediction, sample, frame=page)


def colored_frames(colorizer: "Colorizer", pictures: Iterable[Picture], sample: int) -> Iterator[Picture]:
    """Colorizes the frames of an animation: static areas keep their colors.

    Args:
        colorizer: predicts the colors.
        pictures: the frames. If the first one has color and `skip_colored` is on, all stay as they are.
        sample: number of the sample, from 0.

    Yields:
        Each in color.

    Raises:
        ConfigError: the hints do not fit a frame.
    """
    frames = iter(pictures)
    first = next(frames, None)
    if first is None:
        return
    rest = itertools.chain([first], frames)
    if colorizer.leaves_alone(first):
        yield from map(in_rgb, rest)
    else:
        yield from Frames(colorizer, sample=sample).pictures(rest)
