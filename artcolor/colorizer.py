"""Colorizing what people have: files, bytes, Pillow images, arrays and tensors."""

import functools
import hashlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from artcolor import pixels as px
from artcolor.animation import SteadyChroma
from artcolor.errors import ConfigError, ImageError
from artcolor.images import Picture, Provenance, decode, encode, open_picture
from artcolor.images.coloured import is_coloured
from artcolor.images.sources import is_source
from artcolor.models.base import ColorizationModel
from artcolor.models.heads import DistributionHead
from artcolor.models.inference import inference_copy
from artcolor.models.registry import from_pretrained, get_weight
from artcolor.models.vae import VAEModel

DEFAULT_MODEL = "unet"
"""What `colorize` uses unless told otherwise."""

LAYER_LIGHTNESS = 60.0
"""L of a layer that holds colour alone: where sRGB has most room for the colours of paintings."""

_LOCK = threading.Lock()
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)


@dataclass(frozen=True)
class Guess:
    """What a network makes of one picture.

    Attributes:
        ab: `(1, 2, h, w)`, chroma in Lab units at the resolution of the network's output.
        entropy: `(1, 1, h, w)` in 0..1, how unsure it is (see `DistributionHead.entropy`); `None` if it was not asked.
    """

    ab: Tensor
    entropy: Tensor | None = None


@dataclass(frozen=True)
class _Item:
    """One thing to colorize: its pictures, and how the thing is made again of their coloured pixels."""

    pictures: list[Picture]
    rebuilt: Callable[[list[px.Pixels]], Any]


class Colorizer:
    """Colorizes pictures with one model; safe to use from several threads.

    Args:
        model: name of a model or of weights, path of a weights file, or a model, which stays as it is: a copy of it
            colorizes, in evaluation mode (see `artcolor.models.inference.inference_copy`).
        vividness: τ ≥ 0: 0 is the most accurate and brownish, 1 vivid; `None` takes what the weights say.
        temperature: T in (0, 1]: lower is more decided; `None` takes what the weights say.
        size: working size in pixels; `None` takes what the weights say. Results are always as large as inputs.
        strength: every chroma is multiplied by it, 0 or more; 1 is what the model says, 0 is gray.
        seed: of a random colouring, for models that have several (`vae`); `None` is the most typical one.
        skip_coloured: pictures that have colour already come back as they are (see `artcolor.images.coloured`).
        chroma_only: give the colour as a layer of its own, all of it at L = 60, to be laid over the gray picture in
            the mode that programs call "Color" (GIMP: "LCh Color").
        batch_size: how many pictures of one working size go through the network together.
        device: where the network runs.

    Raises:
        ConfigError: there is no model of this name, or an option is out of range or not for this model.
        WeightsError: the weights are missing or damaged.

    Example:
        >>> import numpy as np
        >>> Colorizer("cnn", vividness=0)(np.full((40, 30), 128, np.uint8)).shape
        (40, 30, 3)
    """

    def __init__(
        self,
        model: str | Path | ColorizationModel = DEFAULT_MODEL,
        *,
        vividness: float | None = None,
        temperature: float | None = None,
        size: int | None = None,
        strength: float = 1.0,
        seed: int | None = None,
        skip_coloured: bool = False,
        chroma_only: bool = False,
        batch_size: int = 4,
        device: str | torch.device = "cpu",
    ) -> None:
        if not 0 <= strength < float("inf"):
            raise ConfigError(f"strength must be 0 or more, not {strength}")
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, not {batch_size}")
        self._given = model
        self.model = model if isinstance(model, ColorizationModel) else _pretrained(str(model))
        if seed is not None and not isinstance(self.model, VAEModel):
            raise ConfigError(f"seed={seed}: {self.model.name} gives one colouring only; seed is for vae")
        self.device = _device(device)
        self.options = {"vividness": vividness, "temperature": temperature}
        self.strength, self.seed, self.batch_size = strength, seed, batch_size
        self.skip_coloured, self.chroma_only = skip_coloured, chroma_only
        self.transform = self.model.transforms(size)

    def __call__(self, x: Any) -> Any:
        """Colorizes one picture, or each of several.

        Args:
            x: a path (`str` or `os.PathLike`), the bytes of a picture file or a file object, a Pillow image, a NumPy
                array `(H, W)`, `(H, W, 1)` or `(H, W, 3)` (uint8, uint16, or float in 0..1), a tensor `(H, W)`,
                `(C, H, W)` or `(N, C, H, W)` with C 1 or 3 (uint8, or float in 0..1); or a list, tuple, iterator or
                generator of these. Of colour pictures only the lightness is used.

        Returns:
            The same kind, in colour: a path, bytes or a file object give a Pillow image, an array `(H, W, 3)` of the
            same type, a tensor with 3 channels of the same type. A list or tuple gives a list; an iterator gives an
            iterator, which reads ahead by no more than `batch_size`.

        Raises:
            ImageError: the picture cannot be read or its numbers make no sense; the message says why.
        """
        if isinstance(x, list | tuple):
            return list(self._stream(x))
        if isinstance(x, Iterator) and not is_source(x):
            return self._stream(x)
        return next(self._finished([self._item(x)]))

    def uncertainty(self, x: Any) -> Image.Image:
        """Maps how unsure the model is of its colours.

        Args:
            x: one picture, as `__call__` takes it.

        Returns:
            A Pillow image of mode L, as large as the picture: 0 is certain of one bin of colour, 255 finds all equally
            likely (see `DistributionHead.entropy`).

        Raises:
            ConfigError: the model predicts no distribution.
            ImageError: as for `__call__`; or the tensor holds several pictures.
        """
        pictures = self._item(x).pictures
        if len(pictures) > 1:
            raise ImageError(f"uncertainty takes one picture, not {len(pictures)}")
        (guess,) = self.predict([self.look(pictures[0])], uncertainty=True)
        return uncertainty_map(guess, pictures[0])

    def look(self, picture: Picture) -> Tensor:
        """What the network sees of a picture: L `(1, 1, h, w)` in 0..100 at working size."""
        height, width = picture.rows.shape[:2]
        return px.lightness(px.resized(picture.pixels, self.transform.output_size(height, width)))

    @torch.no_grad()
    def predict(self, seen: Sequence[Tensor], *, uncertainty: bool = False) -> list[Guess]:
        """Gives the network's guesses. What has one size goes through it together, at most `batch_size` at once.

        Args:
            seen: from `look`, of any sizes.
            uncertainty: ask for the entropy, too.

        Raises:
            ConfigError: the model predicts no distribution, which an entropy could be of.
            WeightsError: the network's output is not finite.
        """
        model = self._fast()
        head = model.head
        if uncertainty and not isinstance(head, DistributionHead):
            raise ConfigError(f"{model.name} predicts colours, not a distribution over them, so it is never unsure")
        groups: dict[torch.Size, list[int]] = {}
        for number, light in enumerate(seen):
            groups.setdefault(light.shape, []).append(number)
        guesses: dict[int, Guess] = {}
        for numbers in groups.values():
            for start in range(0, len(numbers), self.batch_size):
                part = numbers[start : start + self.batch_size]
                lightness = torch.cat([seen[number] for number in part]).to(self.device)
                raw = self._raw(model, lightness)
                ab = (head.decode(raw, lightness, **self.options) * self.strength).cpu()
                unsure = head.entropy(raw).cpu() if uncertainty and isinstance(head, DistributionHead) else None
                for place, number in enumerate(part):
                    one = slice(place, place + 1)
                    guesses[number] = Guess(ab[one], None if unsure is None else unsure[one])
        return [guesses[number] for number in range(len(seen))]

    def _raw(self, model: ColorizationModel, lightness: Tensor) -> Tensor:
        if self.seed is not None and isinstance(model, VAEModel):
            return model.sample_raw(lightness, seed=self.seed)
        return model.predict_raw(lightness)

    def paint(self, picture: Picture, guess: Guess) -> Picture:
        """Gives `picture` the colours of `guess`, strip by strip as they are asked for; alpha and metadata stay."""
        at = LAYER_LIGHTNESS if self.chroma_only else None
        return Picture(px.joined(picture.rows, guess.ab, at_lightness=at), picture.alpha, picture.info)

    def leaves_alone(self, picture: Picture) -> bool:
        """Whether `skip_coloured` is on and the picture has colour already."""
        return self.skip_coloured and is_coloured(picture.pixels)

    def pictures(self, pictures: Iterable[Picture], *, animated: bool = False) -> Iterator[Picture]:
        """Colorizes the pages or frames of a file one by one, as they are asked for.

        Args:
            pictures: as `artcolor.images.open_file` gives them.
            animated: they are the frames of one animation: what stands still keeps its colours (`SteadyChroma`), and
                `skip_coloured` looks at the first frame only.

        Yields:
            Each with coloured pixels of the same depth, which `artcolor.images.save_pictures` makes strip by strip.
        """
        steady = SteadyChroma() if animated else None
        alone: bool | None = None
        for picture in pictures:
            alone = self.leaves_alone(picture) if alone is None or not animated else alone
            if alone:
                yield _in_rgb(picture)
                continue
            light = self.look(picture)
            (guess,) = self.predict([light])
            yield self.paint(picture, guess if steady is None else Guess(steady(light, guess.ab)))

    @functools.cached_property
    def provenance(self) -> Provenance:
        """Where the colours come from, for the metadata of the result."""
        options = {key: value for key, value in self.options.items() if value is not None}
        options["size"] = self.transform.size
        if self.strength != 1:
            options["strength"] = self.strength
        if self.seed is not None:
            options["seed"] = self.seed
        if self.chroma_only:
            options["chroma_only"] = True
        return Provenance(*_identity(self._given), options)

    def _fast(self) -> ColorizationModel:
        return inference_copy(self.model, self.device)

    def _stream(self, xs: Iterable[Any]) -> Iterator[Any]:
        waiting: list[_Item] = []
        for x in xs:
            try:
                waiting.append(self._item(x))
            except ImageError:
                # Those before the bad one are good.
                yield from self._finished(waiting)
                raise
            if len(waiting) >= self.batch_size:
                yield from self._finished(waiting)
                waiting = []
        yield from self._finished(waiting)

    def _finished(self, items: Sequence[_Item]) -> Iterator[Any]:
        every = [picture for item in items for picture in item.pictures]
        gray = [number for number, picture in enumerate(every) if not self.leaves_alone(picture)]
        guesses = dict(zip(gray, self.predict([self.look(every[number]) for number in gray]), strict=True))
        number = 0
        for item in items:
            done = []
            for picture in item.pictures:
                guess = guesses.get(number)
                done.append((_in_rgb(picture) if guess is None else self.paint(picture, guess)).pixels)
                number += 1
            yield item.rebuilt(done)

    def _item(self, x: Any) -> _Item:
        if isinstance(x, str) and _ADDRESS.match(x):
            raise ImageError(
                f"{x[:100]} is an address, and artcolor fetches nothing from the network; "
                "download the picture and give its path or its bytes"
            )
        if isinstance(x, Image.Image):
            return _of_picture(decode(x))
        if isinstance(x, np.ndarray):
            return _Item([Picture(px.of_array(x))], lambda done: done[0].astype(x.dtype, copy=False))
        if isinstance(x, Tensor):
            return _Item([Picture(each) for each in px.of_tensor(x)], lambda done: px.as_tensor(done, x))
        if is_source(x):
            return _of_picture(open_picture(x))
        raise ImageError(
            f"cannot colorize a {type(x).__name__}; give a path, the bytes of a file, a file object, a Pillow image, "
            "a NumPy array, a tensor, or a list or iterator of these"
        )


def uncertainty_map(guess: Guess, picture: Picture) -> Image.Image:
    """A picture of the entropy of `guess`, in mode L and as large as `picture`, which it was made of."""
    assert guess.entropy is not None, "predict(..., uncertainty=True) gives it"
    height, width = picture.rows.shape[:2]
    small = (guess.entropy[0, 0] * 255).round().byte().numpy()
    return Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR)


def _of_picture(picture: Picture) -> _Item:
    return _Item([picture], lambda done: encode(picture, done[0]))


def _in_rgb(picture: Picture) -> Picture:
    """The picture as it is, gray or not, with three channels."""
    return Picture(px.in_rgb(picture.rows), picture.alpha, picture.info)


def _device(device: str | torch.device) -> torch.device:
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"device {device} cannot be used here ({reason}); the CPU always can: 'cpu'") from error
    return found


@functools.lru_cache(maxsize=4)
def _loaded(name: str) -> ColorizationModel:
    return from_pretrained(name)


def _identity(model: str | Path | ColorizationModel) -> tuple[str, str]:
    """Tag and SHA-256 of the weights that were asked for; a model made in memory has only a name."""
    if isinstance(model, ColorizationModel):
        return model.name, ""
    try:
        entry = get_weight(str(model)).entry
        return entry.key, entry.sha256
    except ConfigError:
        path = Path(model)
    if not path.is_file():
        return str(model), ""
    with path.open("rb") as file:
        return path.stem, hashlib.file_digest(file, "sha256").hexdigest()


def _pretrained(name: str) -> ColorizationModel:
    # Without the lock, two threads that come first would both load.
    with _LOCK:
        return _loaded(name)


def colorize(
    x: Any,
    model: str | Path | ColorizationModel = DEFAULT_MODEL,
    *,
    vividness: float | None = None,
    temperature: float | None = None,
    size: int | None = None,
    strength: float = 1.0,
    seed: int | None = None,
    skip_coloured: bool = False,
    chroma_only: bool = False,
    batch_size: int = 4,
    device: str | torch.device = "cpu",
) -> Any:
    """Gives a picture, or each of several, its colours back. The model is kept between calls.

    Args:
        x: a path, bytes, file object, Pillow image, NumPy array or tensor, or a list or iterator of these; see
            `Colorizer.__call__`.
        model: name of a model or of weights, path of a weights file, or a model.
        vividness: τ ≥ 0: 0 is the most accurate and brownish, 1 vivid; `None` takes what the weights say.
        temperature: T in (0, 1]: lower is more decided; `None` takes what the weights say.
        size: working size in pixels; `None` takes what the weights say.
        strength: every chroma is multiplied by it; 1 is what the model says.
        seed: of a random colouring, for models that have several (`vae`).
        skip_coloured: pictures that have colour already come back as they are.
        chroma_only: give the colour as a layer of its own; see `Colorizer`.
        batch_size: how many pictures go through the network together.
        device: where the network runs.

    Returns:
        The same kind, in colour; a path, bytes or a file object give a Pillow image.

    Raises:
        ImageError: the picture cannot be read or its numbers make no sense.
        ConfigError: there is no model of this name, or an option is out of range.
        WeightsError: the weights are missing or damaged.

    Example:
        >>> from PIL import Image
        >>> colorize(Image.new("L", (50, 30), 128)).mode
        'RGB'
    """
    return Colorizer(
        model,
        vividness=vividness,
        temperature=temperature,
        size=size,
        strength=strength,
        seed=seed,
        skip_coloured=skip_coloured,
        chroma_only=chroma_only,
        batch_size=batch_size,
        device=device,
    )(x)
