"""Colorizing what people have: files, bytes, Pillow images, arrays and tensors."""

import dataclasses
import functools
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Unpack

import torch
from PIL import Image
from torch import Tensor

from artcolor.color import planes
from artcolor.engine.inputs import Item, decoded, item_of
from artcolor.engine.options import OPTIONS, Options, checked
from artcolor.engine.predict import check_accepts, predict
from artcolor.engine.sequence import SteadyChroma
from artcolor.errors import ConfigError, ImageError
from artcolor.files import sha256_of
from artcolor.images import Picture, Provenance
from artcolor.images.colored import is_colored
from artcolor.images.streams import is_source, source_name
from artcolor.models.base import ColorizationModel
from artcolor.models.guidance import Decoding, Guidance, Prediction, guided
from artcolor.models.registry import from_pretrained, get_weight

__all__ = ["DEFAULT_MODEL", "Colorizer", "colorize"]

DEFAULT_MODEL = "unet"
"""The model that `colorize` uses unless told otherwise."""

LAYER_LIGHTNESS = 60.0
"""L of a layer that holds color alone: where sRGB has most room for the colors of paintings."""

_LOCK = threading.Lock()


class Colorizer:
    """Colorizes pictures with one model; safe to use from several threads.

    Args:
        model: name of a model or of weights, path of a weights file, or a model, which stays as it is: a copy of it
            colorizes, in evaluation mode (see `artcolor.models.inference.inference_copy`).
        **options: see `artcolor.engine.options.Options`.

    Attributes:
        model: the model.
        guidance: what a person knows or wants of the colors.
        decoding: how the model's output becomes chroma.
        transform: turns pictures into the network's input.

    Raises:
        ConfigError: there is no model of this name, or an option is out of range or not accepted by the model.
        WeightsError: the weights are missing or damaged.
        ImageError: the reference cannot be read.
        TypeError: there is no option of this name.

    Example:
        >>> import numpy as np
        >>> Colorizer("cnn", vividness=0)(np.full((40, 30), 128, np.uint8)).shape
        (40, 30, 3)
    """

    def __init__(self, model: str | Path | ColorizationModel = DEFAULT_MODEL, **options: Unpack[Options]) -> None:
        given = checked(options)
        self.guidance, self.decoding = guided(given)
        self.batch_size: int = given["batch_size"]
        self.skip_colored: bool = given["skip_colored"]
        self.chroma_only: bool = given["chroma_only"]
        if self.batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, not {self.batch_size}")
        self._given = model
        self.model = model if isinstance(model, ColorizationModel) else _pretrained(str(model))
        self.device = _device(given["device"])
        check_accepts(self.model, self.guidance)
        self._guidance = decoded(self.guidance)
        self.transform = self.model.transforms(given["size"])

    def __call__(self, x: Any) -> Any:
        """Colorizes one picture, or each of several.

        Args:
            x: a path (`str` or `os.PathLike`), the bytes of a picture file or a file object, a Pillow image, a NumPy
                array `(H, W)`, `(H, W, 1)` or `(H, W, 3)` (uint8, uint16, or float in 0..1), a tensor `(H, W)`,
                `(C, H, W)` or `(N, C, H, W)` with C 1 or 3 (uint8, or float in 0..1); or a list, tuple, iterator or
                generator of these. Of color pictures only the lightness is used.

        Returns:
            The same kind, in color: a path, bytes or a file object give a `ColoredImage`, which is a Pillow image; an
            array `(H, W, 3)` of the same type; a tensor with 3 channels of the same type. With `samples` above 1 it is
            a list of so many for each picture. A list or tuple gives a list; an iterator gives an iterator, which
            reads ahead by no more than `batch_size`.

        Raises:
            ImageError: the picture cannot be read or its numbers make no sense; the message says why.
        """
        if isinstance(x, list | tuple):
            return list(self._stream(x))
        if isinstance(x, Iterator) and not is_source(x):
            return self._stream(x)
        return next(self._finished([item_of(x)]))

    def uncertainty(self, x: Any) -> Image.Image:
        """Maps how uncertain the model is of its colors.

        Args:
            x: one picture, as `__call__` takes it.

        Returns:
            A Pillow image of mode L, as large as the picture: 0 is certain of one bin of color, 255 finds all equally
            likely (see `DistributionHead.entropy`).

        Raises:
            ConfigError: the model predicts no distribution.
            ImageError: as for `__call__`; or the tensor holds several pictures.
        """
        pictures = item_of(x).pictures
        if len(pictures) > 1:
            raise ImageError(f"uncertainty takes one picture, not {len(pictures)}")
        (prediction,) = self.predict([self.look(pictures[0])], uncertainty=True)
        return uncertainty_map(prediction, pictures[0])

    def look(self, picture: Picture) -> Tensor:
        """What the network sees of a picture: L `(1, 1, h, w)` in 0..100 at the working size."""
        return self.transform.of_pixels(picture.pixels)

    def predict(self, seen: Sequence[Tensor], *, uncertainty: bool = False) -> list[Prediction]:
        """Predicts the chroma of pictures, with this colorizer's guidance and decoding.

        Args:
            seen: from `look`, of any sizes.
            uncertainty: compute the entropy, too.

        Returns:
            A prediction for each; its first dimension is the samples.

        Raises:
            ConfigError: the model predicts no distribution, of which there could be an entropy.
            WeightsError: the network's output is not finite.
        """
        return predict(
            self.model,
            seen,
            self._guidance,
            self.decoding,
            uncertainty=uncertainty,
            batch_size=self.batch_size,
            device=self.device,
        )

    def paint(self, picture: Picture, prediction: Prediction, sample: int = 0) -> Picture:
        """Gives a picture the colors of a prediction, strip by strip as they are requested; alpha and metadata stay.

        Args:
            picture: the original.
            prediction: for it.
            sample: which of the samples.
        """
        at = LAYER_LIGHTNESS if self.chroma_only else None
        ab = prediction.ab[sample : sample + 1]
        return Picture(planes.join(picture.rows, ab, at_lightness=at), picture.alpha, picture.info)

    def leaves_alone(self, picture: Picture) -> bool:
        """Whether `skip_colored` is on and the picture already has color."""
        return self.skip_colored and is_colored(picture.pixels)

    def pictures(self, pictures: Iterable[Picture], *, animated: bool = False, sample: int = 0) -> Iterator[Picture]:
        """Colorizes the pages or frames of a file one by one, as they are requested.

        Args:
            pictures: as `artcolor.images.open_file` gives them.
            animated: they are the frames of one animation: what stands still keeps its colors (`SteadyChroma`), and
                `skip_colored` looks at the first frame only.
            sample: which of the samples.

        Yields:
            Each with colored pixels of the same depth, which `artcolor.images.save_pictures` makes strip by strip.
        """
        steady = SteadyChroma() if animated else None
        alone: bool | None = None
        for picture in pictures:
            alone = self.leaves_alone(picture) if alone is None or not animated else alone
            if alone:
                yield _in_rgb(picture)
                continue
            (prediction,) = self.predict([self.look(picture)])
            if steady is not None:
                prediction = dataclasses.replace(prediction, ab=steady(prediction.lightness[:1], prediction.ab))
            yield self.paint(picture, prediction, sample)

    @functools.cached_property
    def provenance(self) -> Provenance:
        """Where the colors come from, for the metadata of the result."""
        return self.provenance_of(self.guidance, self.decoding)

    def provenance_of(self, guidance: Guidance, decoding: Decoding) -> Provenance:
        """The provenance of a picture that this model colorizes with other guidance and decoding.

        Args:
            guidance: what a person knows or wants of the colors.
            decoding: how the model's output becomes chroma.
        """
        values = {"chroma_only": self.chroma_only, **_fields(guidance), **_fields(decoding)}
        options = {
            name: _in_words(values[name])
            for name, (_, option) in OPTIONS.items()
            if name in values and not _is_default(values[name], option.default)
        }
        return Provenance(*self._identity, options | {"size": self.transform.size})

    def sample_provenance(self, sample: int) -> Provenance:
        """The provenance of one of the samples; with a single one, that of all results."""
        return self.provenance if self.guidance.samples == 1 else numbered(self.provenance, sample)

    @functools.cached_property
    def _identity(self) -> tuple[str, str]:
        return _identity(self._given)

    def _stream(self, xs: Iterable[Any]) -> Iterator[Any]:
        waiting: list[Item] = []
        for x in xs:
            try:
                waiting.append(item_of(x))
            except ImageError:
                # Those before the bad one are good.
                yield from self._finished(waiting)
                raise
            if len(waiting) >= self.batch_size:
                yield from self._finished(waiting)
                waiting = []
        yield from self._finished(waiting)

    def _finished(self, items: Sequence[Item]) -> Iterator[Any]:
        every = [picture for item in items for picture in item.pictures]
        gray = [number for number, picture in enumerate(every) if not self.leaves_alone(picture)]
        seen = [self.look(every[number]) for number in gray]
        predictions = dict(zip(gray, self.predict(seen), strict=True))
        start = 0
        for item in items:
            numbers = range(start, start + len(item.pictures))
            start += len(item.pictures)
            made = [
                item.rebuild(
                    [self._painted(every[n], predictions.get(n), sample) for n in numbers],
                    self.sample_provenance(sample),
                )
                for sample in range(self.guidance.samples)
            ]
            yield made[0] if self.guidance.samples == 1 else made

    def _painted(self, picture: Picture, prediction: Prediction | None, sample: int) -> Picture:
        return _in_rgb(picture) if prediction is None else self.paint(picture, prediction, sample)


def numbered(provenance: Provenance, sample: int) -> Provenance:
    """The provenance of one of several samples, which are numbered from 1.

    Args:
        provenance: of all of them.
        sample: its number, from 0.
    """
    return dataclasses.replace(provenance, options={**provenance.options, "sample": sample + 1})


def uncertainty_map(prediction: Prediction, picture: Picture) -> Image.Image:
    """A picture of the entropy of `prediction`, in mode L and as large as `picture`, which it was made of."""
    assert prediction.entropy is not None, "predict(..., uncertainty=True) computes it"
    height, width = picture.rows.shape[:2]
    small = (prediction.entropy[0, 0] * 255).round().byte().numpy()
    return Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR)


def _fields(value: Guidance | Decoding) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _is_default(value: Any, default: Any) -> bool:
    # A reference may be an array, which compares element by element.
    return value is default or (isinstance(value, bool | int | float) and value == default)


def _in_words(value: Any) -> Any:
    """A value as the provenance states it: of a reference only its name."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return Path(source_name(value)).name if is_source(value) else f"a {type(value).__name__}"


def _in_rgb(picture: Picture) -> Picture:
    """The picture as it is, gray or not, with three channels."""
    return Picture(planes.gray_to_rgb(picture.rows), picture.alpha, picture.info)


def _device(device: str | torch.device) -> torch.device:
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"device {device} cannot be used here ({reason}); use 'cpu' instead") from error
    return found


@functools.lru_cache(maxsize=4)
def _loaded(name: str) -> ColorizationModel:
    return from_pretrained(name)


def _identity(model: str | Path | ColorizationModel) -> tuple[str, str]:
    """Tag and SHA-256 of the weights that were requested; a model made in memory has only a name."""
    if isinstance(model, ColorizationModel):
        return model.name, ""
    try:
        entry = get_weight(str(model)).entry
        return entry.key, entry.sha256
    except ConfigError:
        path = Path(model)
    if not path.is_file():
        return str(model), ""
    return path.stem, sha256_of(path)


def _pretrained(name: str) -> ColorizationModel:
    # Without the lock, two threads that come first would both load.
    with _LOCK:
        return _loaded(name)


def colorize(x: Any, model: str | Path | ColorizationModel = DEFAULT_MODEL, **options: Unpack[Options]) -> Any:
    """Colorizes a picture, or each of several. The model is kept between calls.

    Args:
        x: a path, bytes, file object, Pillow image, NumPy array or tensor, or a list or iterator of these; see
            `Colorizer.__call__`.
        model: name of a model or of weights, path of a weights file, or a model.
        **options: see `artcolor.engine.options.Options`.

    Returns:
        The same kind, in color; a path, bytes or a file object give a `ColoredImage`, whose `save` keeps what the file
        said. With `samples` above 1 it is a list of so many for each picture.

    Raises:
        ImageError: the picture cannot be read or its numbers make no sense.
        ConfigError: there is no model of this name, or an option is out of range or not accepted by the model.
        WeightsError: the weights are missing or damaged.
        TypeError: there is no option of this name.

    Example:
        >>> from PIL import Image
        >>> colorize(Image.new("L", (50, 30), 128)).mode
        'RGB'
    """
    return Colorizer(model, **options)(x)
