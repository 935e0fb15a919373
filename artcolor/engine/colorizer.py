"""Colorizes files, bytes, Pillow images, arrays and tensors."""

import copy
import dataclasses
import functools
import pickle
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

from PIL import Image

from artcolor.engine.backends import choose, require_torch
from artcolor.engine.hints import Hint
from artcolor.engine.inputs import item_of, read_guidance
from artcolor.engine.options import DEFAULT_MODEL, Options, checked
from artcolor.engine.painting import LAYER_LIGHTNESS, painted, uncertainty_map
from artcolor.engine.several import check_count, colored_frames, colored_items, colored_pages, colored_stream
from artcolor.engine.stated import fingerprint_of, numbered, stated_options
from artcolor.errors import ConfigError, ImageError
from artcolor.images import Picture, Provenance
from artcolor.images.colored import is_colored
from artcolor.images.notices import warn
from artcolor.images.streams import is_source
from artcolor.models.guidance import Decoding, Guidance, Prediction, guided

if TYPE_CHECKING:
    import torch

    from artcolor.engine.torch_backend import TorchBackend
    from artcolor.models.base import ColorizationModel
    from artcolor.models.pictures import PictureTransform

__all__ = ["DEFAULT_MODEL", "Colorizer", "colorize"]


class Colorizer:
    """Colorizes pictures with one model; safe to use from several threads.

    Args:
        model: name of a model or of weights, path of a weights file, or a model, which is not modified: a copy in
            evaluation mode is used (see `artcolor.models.inference.inference_copy`).
        **options: colorizing options; see `artcolor.engine.options.Options`.

    Attributes:
        backend: runs the network.
        guidance: hints (as a list of `Hint`), palette, reference and sampling, including those of a hints file.
        decoding: how the model's output becomes chroma.

    Raises:
        ConfigError: there is no model of this name, an option is out of range or not accepted by the model, or a hint
            is invalid.
        WeightsError: the weights are missing or damaged.
        ImageError: the reference or the hints cannot be read.
        TypeError: there is no option of this name.

    Example:
        >>> import numpy as np
        >>> Colorizer("cnn", vividness=0)(np.full((40, 30), 128, np.uint8)).shape
        (40, 30, 3)
    """

    def __init__(self, model: "str | Path | ColorizationModel" = DEFAULT_MODEL, **options: Unpack[Options]) -> None:
        given = checked(options)
        self._without_files, self.decoding = guided(given)
        self.batch_size: int = given["batch_size"]
        self.skip_colored: bool = given["skip_colored"]
        self.chroma_only: bool = given["chroma_only"]
        if self.batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, not {self.batch_size}")
        self._choose = functools.partial(choose, model, given)
        self.backend = self._choose(self._without_files)
        self._follow(self._without_files)

    def _follow(self, guidance: Guidance) -> None:
        if self.backend.kind == "onnx" and guidance.given():
            self.backend = self._choose(guidance)
        read = read_guidance(guidance, self.backend.check)
        self.guidance, self._guidance, self._hints = read.stated, read.decoded, read.hints

    @property
    def model(self) -> "ColorizationModel":
        """The model in PyTorch; loaded now if another backend runs the network."""
        return self._in_torch.model

    @property
    def transform(self) -> "PictureTransform":
        """Turns pictures into the input of `model`."""
        return self._in_torch.transform

    @property
    def device(self) -> "torch.device":
        """Device of the network."""
        return self._in_torch.device

    @functools.cached_property
    def _in_torch(self) -> "TorchBackend":
        require_torch()
        from artcolor.engine.torch_backend import TorchBackend  # noqa: PLC0415

        if isinstance(self.backend, TorchBackend):
            return self.backend
        model, given = self._choose.args
        return TorchBackend(model, given["device"], given["size"])

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    # By value: worker processes would share tensors, each through a file descriptor, and a fork server takes too few.
    def __getstate__(self) -> bytes:
        return pickle.dumps(self.__dict__)

    def __setstate__(self, state: bytes) -> None:
        self.__dict__.update(pickle.loads(state))

    def _copy(self) -> Self:
        # The weights file is hashed once for all copies.
        _ = self._identity
        return copy.copy(self)

    def with_hints(self, hints: Any) -> Self:
        """Returns a colorizer with the same model and options, and with other hints.

        Args:
            hints: a hints file or hints; see `artcolor.engine.hint_files.read_hints`. Palette and reference of a hints
                file apply if this colorizer has none.

        Raises:
            ConfigError: a hint is invalid, or the model does not accept what the file says.
            ImageError: the hints or the reference cannot be read.

        Example:
            >>> colorizer = Colorizer("cnn")
            >>> colorizer.with_hints([{"x": 0.5, "y": 0.5, "color": "teal"}]).provenance.options["hints"]
            [{'x': 0.5, 'y': 0.5, 'color': 'teal'}]
        """
        other = self._copy()
        other._follow(dataclasses.replace(self._without_files, hints=hints))
        return other

    def with_reference(self, reference: Any) -> Self:
        """Returns a colorizer with the same model, options and hints, and with another reference.

        Args:
            reference: a colored picture of any type that `__call__` accepts.

        Raises:
            ConfigError: the model does not accept a reference.
            ImageError: the reference cannot be read, or has no color.
        """
        other = self._copy()
        if other.backend.kind == "onnx":
            other.backend = other._choose(dataclasses.replace(self._without_files, reference=reference))
        read = read_guidance(Guidance(reference=reference), other.backend.check)
        other._without_files = dataclasses.replace(self._without_files, reference=reference)
        other.guidance = dataclasses.replace(self.guidance, reference=read.stated.reference)
        other._guidance = dataclasses.replace(self._guidance, reference=read.decoded.reference)
        return other

    def for_picture(self, picture: Picture, *, frame: int = 0) -> Self:
        """Returns a colorizer whose hints are those of one picture.

        Hints with the color `"picture"` get the color of the picture. A warning is logged for each hint whose color
        sRGB cannot show at the lightness of the picture there.

        Args:
            picture: the original.
            frame: number of the page or frame, for hints that are for a single one.

        Raises:
            ConfigError: the hints are for a picture with a different aspect ratio, or take their color from a picture
                that has none there.
            ImageError: a mask cannot be read.
        """
        given = self._hints
        if given is None or not given.hints:
            return self
        from artcolor.engine.hints_on_picture import HintedPicture  # noqa: PLC0415  (imports torch)

        hinted = HintedPicture(picture)
        hints = hinted.hints(given, frame=frame)
        at = LAYER_LIGHTNESS if self.chroma_only else None
        for message in hinted.unshown(given, frame=frame, at_lightness=at):
            warn(message)
        other = self._copy()
        other.guidance, other._guidance = (
            dataclasses.replace(each, hints=hints) for each in (self.guidance, self._guidance)
        )
        other._hints = None
        return other

    def __call__(self, x: Any) -> Any:
        """Colorizes one picture, or each of several.

        Args:
            x: a path (`str` or `os.PathLike`), the bytes of a picture file or a file object, a Pillow image, a NumPy
                array `(H, W)`, `(H, W, 1)` or `(H, W, 3)` (uint8, uint16, or float in 0..1), a tensor `(H, W)`,
                `(C, H, W)` or `(N, C, H, W)` with C 1 or 3 (uint8, uint16, or float in 0..1); or a list, tuple,
                iterator or generator of these. Of color pictures only the lightness is used.

        Returns:
            The colored picture: for a path, bytes or a file object, a `ColoredImage`, which is a Pillow image; for an
            array, an array `(H, W, 3)` of the same type; for a tensor, a tensor with 3 channels of the same type. With
            `samples` above 1, a list of that many for each picture. A list or tuple gives a list; an iterator gives an
            iterator, which reads ahead by no more than `batch_size`.

        Raises:
            ImageError: the picture cannot be read, or its values are invalid; the message says why.
            ConfigError: there are hints, and several pictures; or the hints do not fit the picture.
        """
        if isinstance(x, list | tuple):
            check_count(self, len(x))
            return list(colored_stream(self, x))
        if isinstance(x, Iterator) and not is_source(x):
            return colored_stream(self, x)
        return next(colored_items(self, [item_of(x)]))

    def uncertainty(self, x: Any) -> Image.Image:
        """Computes a map of the model's uncertainty about the colors.

        Args:
            x: one picture of any type that `__call__` accepts.

        Returns:
            A Pillow image of mode L, as large as the picture: 0 means certain of one color bin, 255 means that all are
            equally likely (see `DistributionHead.entropy`).

        Raises:
            ConfigError: the model predicts no distribution.
            ImageError: as for `__call__`; or the tensor holds several pictures.
        """
        pictures = item_of(x).pictures
        if len(pictures) > 1:
            raise ImageError(f"uncertainty takes one picture, not {len(pictures)}")
        (prediction,) = self.for_picture(pictures[0]).predict([self.look(pictures[0])], uncertainty=True)
        return uncertainty_map(prediction, pictures[0])

    def look(self, picture: Picture) -> Any:
        """Returns the input of the network for a picture: L `(1, 1, h, w)` in 0..100 at the working size."""
        return self.backend.look(picture.pixels)

    def predict(
        self,
        seen: Sequence[Any],
        *,
        uncertainty: bool = False,
        frame: int = 0,
        hints: Sequence[Hint] | None = None,
    ) -> list[Prediction]:
        """Predicts the chroma of pictures, with this colorizer's guidance and decoding.

        With hints, call it on what `for_picture` returns.

        Args:
            seen: inputs from `look`, of any sizes.
            uncertainty: also compute the entropy.
            frame: number of the page or frame, for hints that are for a single one.
            hints: replace this colorizer's own.

        Returns:
            A prediction for each picture; its first dimension is the samples.

        Raises:
            ConfigError: the entropy is requested, but the model predicts no distribution.
            WeightsError: the network's output is not finite.
        """
        guidance = self._guidance if hints is None else dataclasses.replace(self._guidance, hints=hints or None)
        return self.backend.predict(
            seen, guidance, self.decoding, uncertainty=uncertainty, batch_size=self.batch_size, frame=frame
        )

    def paint(
        self,
        picture: Picture,
        prediction: Prediction,
        sample: int = 0,
        *,
        frame: int = 0,
        hints: Sequence[Hint] | None = None,
    ) -> Picture:
        """Gives a picture the colors of a prediction, strip by strip as requested; keeps alpha and metadata.

        Args:
            picture: the original.
            prediction: prediction for this picture, from `predict`.
            sample: number of the sample, from 0.
            frame: number of the page or frame, for hints that are for a single one.
            hints: the hints to meet exactly; `None` uses this colorizer's own.
        """
        hints = self._guidance.hints if hints is None else hints
        at = LAYER_LIGHTNESS if self.chroma_only else None
        ab = prediction.ab[sample : sample + 1]
        return painted(picture, ab, hints=hints, frame=frame, at_lightness=at)

    def leaves_alone(self, picture: Picture) -> bool:
        """Returns whether `skip_colored` is on and the picture already has color."""
        return self.skip_colored and is_colored(picture.pixels)

    def pictures(self, pictures: Iterable[Picture], *, animated: bool = False, sample: int = 0) -> Iterator[Picture]:
        """Colorizes the pages or frames of a file one by one, as they are requested.

        Args:
            pictures: pages or frames, for example from `artcolor.images.open_file`.
            animated: whether they are the frames of one animation. Static areas then keep their colors, and
                `skip_colored` checks the first frame only.
            sample: number of the sample, from 0.

        Yields:
            Each picture with colored pixels of the same depth, which `artcolor.images.save_pictures` computes strip by
            strip.

        Raises:
            ConfigError: the hints do not fit a picture; see `for_picture`.
        """
        colored = (colored_frames if animated else colored_pages)(self, pictures, sample)
        count = 0
        for picture in colored:
            yield picture
            count += 1
        self.check_frames(count)

    def check_frames(self, count: int) -> None:
        """Warns of hints for pages or frames that a file with `count` of them does not have."""
        for message in () if self._hints is None else self._hints.beyond(count):
            warn(message)

    @property
    def provenance(self) -> Provenance:
        """Origin of the colors; its hints are those given or, after `for_picture`, those of the picture."""
        return self.provenance_of(self.guidance, self.decoding)

    def provenance_of(self, guidance: Guidance, decoding: Decoding) -> Provenance:
        """Returns the provenance of a picture that this model colorizes with other guidance and decoding.

        Args:
            guidance: hints, palette, reference and sampling.
            decoding: how the model's output becomes chroma.
        """
        options = stated_options(guidance, decoding, chroma_only=self.chroma_only)
        return Provenance(*self._identity, options | {"size": self.backend.size})

    def sample_provenance(self, sample: int) -> Provenance:
        """Returns the provenance of the sample with this number, from 0; of a single sample, that of all results."""
        return self.provenance if self.guidance.samples == 1 else numbered(self.provenance, sample)

    @property
    def fingerprint(self) -> str:
        """A hash of everything that affects the colors, including the contents of files."""
        return fingerprint_of(self.provenance, self._guidance)

    @functools.cached_property
    def _identity(self) -> tuple[str, str]:
        return self.backend.identity()


def colorize(x: Any, model: "str | Path | ColorizationModel" = DEFAULT_MODEL, **options: Unpack[Options]) -> Any:
    """Colorizes a picture, or each of several. The model is kept between calls.

    Args:
        x: a path, bytes, file object, Pillow image, NumPy array or tensor, or a list or iterator of these; see
            `Colorizer.__call__`.
        model: name of a model or of weights, path of a weights file, or a model.
        **options: colorizing options; see `artcolor.engine.options.Options`.

    Returns:
        The colored picture, of the same type as the input; for a path, bytes or a file object, a `ColoredImage`, whose
        `save` keeps the metadata of the file. With `samples` above 1, a list of that many for each picture.

    Raises:
        ImageError: the picture cannot be read, or its values are invalid.
        ConfigError: there is no model of this name, or an option is out of range or not accepted by the model.
        WeightsError: the weights are missing or damaged.
        TypeError: there is no option of this name.

    Example:
        >>> from PIL import Image
        >>> colorize(Image.new("L", (50, 30), 128)).mode
        'RGB'
    """
    return Colorizer(model, **options)(x)
