"""Colorizing what people have: files, folders, Pillow images, arrays and tensors."""

import functools
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from artcolor.animation import SteadyChroma
from artcolor.color.lab import (
    decode_8bit,
    encode_8bit,
    gray_8bit_to_lightness,
    linear_to_lightness,
    linear_to_srgb,
    rgb_to_lightness,
)
from artcolor.errors import ConfigError, ImageError
from artcolor.images import (
    SUFFIXES,
    Picture,
    Provenance,
    check_target,
    decode,
    encode,
    open_file,
    open_picture,
    output_suffix,
    save_pictures,
)
from artcolor.models.base import ColorizationModel
from artcolor.models.inference import inference_copy
from artcolor.models.registry import from_pretrained, get_weight
from artcolor.transforms import JoinChroma

DEFAULT_MODEL = "unet"
"""What `colorize` uses unless told otherwise."""

_LOCK = threading.Lock()


class Colorizer:
    """Colorizes pictures with one model; safe to use from several threads.

    Args:
        model: name of a model or of weights, path of a weights file, or a model, which stays as it is: a copy of it
            colorizes, in evaluation mode (see `artcolor.models.inference.inference_copy`).
        vividness: τ ≥ 0: 0 is the most accurate and brownish, 1 vivid; `None` takes what the weights say.
        temperature: T in (0, 1]: lower is more decided; `None` takes what the weights say.
        size: working size in pixels; `None` takes what the weights say. Results are always as large as inputs.
        device: where the network runs.

    Raises:
        ConfigError: there is no model of this name, or an option is out of range.
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
        device: str | torch.device = "cpu",
    ) -> None:
        self._given = model
        self.model = model if isinstance(model, ColorizationModel) else _pretrained(str(model))
        self.device = torch.device(device)
        self.options = {"vividness": vividness, "temperature": temperature}
        self.transform = self.model.transforms(size)

    def __call__(self, x: Any) -> Any:
        """Colorizes one picture, or each of a list.

        Args:
            x: a path (`str` or `pathlib.Path`), a Pillow image, a NumPy array `(H, W)`, `(H, W, 1)` or `(H, W, 3)`
                (uint8, uint16, or float in 0..1), a tensor `(H, W)`, `(C, H, W)` or `(N, C, H, W)` with C 1 or 3
                (uint8, or float in 0..1), or a list or tuple of these. Of colour pictures only the lightness is used.

        Returns:
            The same kind, in colour: a path gives a Pillow image, an array `(H, W, 3)` of the same type, a tensor
            with 3 channels of the same type, a list or tuple a list.

        Raises:
            ImageError: the picture cannot be read or its numbers make no sense; the message says why.
        """
        if isinstance(x, list | tuple):
            return [self(item) for item in x]
        if isinstance(x, str | Path):
            return self._image(open_picture(x))
        if isinstance(x, Image.Image):
            return self._image(decode(x))
        if isinstance(x, np.ndarray):
            return self._array(x)
        if isinstance(x, Tensor):
            return self._tensor(x)
        raise ImageError(
            f"cannot colorize a {type(x).__name__}; give a path, a Pillow image, a NumPy array, a tensor, "
            "or a list of these"
        )

    def _fast(self) -> ColorizationModel:
        return inference_copy(self.model, self.device)

    def pictures(self, pictures: Iterable[Picture], *, animated: bool = False) -> Iterator[Picture]:
        """Colorizes the pages or frames of a file one by one, as they are asked for.

        Args:
            pictures: as `artcolor.images.open_file` gives them.
            animated: they are the frames of one animation: what stands still keeps its colours (`SteadyChroma`).

        Yields:
            Each with coloured pixels of the same depth, for `artcolor.images.save_pictures`.
        """
        steady = SteadyChroma() if animated else None
        for picture in pictures:
            yield Picture(self._pixels(picture.pixels, steady), picture.alpha, picture.info)

    @functools.cached_property
    def provenance(self) -> Provenance:
        """Where the colours come from, for the metadata of the result."""
        options = {key: value for key, value in self.options.items() if value is not None}
        return Provenance(*_identity(self._given), options | {"size": self.transform.size})

    def _image(self, picture: Picture) -> Image.Image:
        return encode(picture, self._pixels(picture.pixels))

    def _array(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if x.ndim == 3 and x.shape[-1] not in (1, 3) and x.shape[0] in (1, 3):
            raise ImageError(
                f"the array has shape {x.shape}, which looks like channels first; "
                "give (H, W), (H, W, 1) or (H, W, 3), as x.transpose(1, 2, 0) does"
            )
        if x.ndim not in (2, 3) or (x.ndim == 3 and x.shape[-1] not in (1, 3)):
            raise ImageError(f"the array has shape {x.shape}; give (H, W), (H, W, 1) or (H, W, 3)")
        if x.size == 0:
            raise ImageError(f"the array is empty: its shape is {x.shape}")
        if x.dtype in (np.uint8, np.uint16):
            return self._pixels(x.squeeze(-1) if x.shape[-1:] == (1,) and x.ndim == 3 else x)
        if not np.issubdtype(x.dtype, np.floating):
            raise ImageError(f"the array holds {x.dtype}; give uint8, uint16, or floats in 0..1")
        _check_range(float(x.min()), float(x.max()), "array")
        flat = x.squeeze(-1) if x.ndim == 3 and x.shape[-1] == 1 else x
        return self._pixels(flat.astype(np.float32)).astype(x.dtype)

    def _tensor(self, x: Tensor) -> Tensor:
        shape = tuple(x.shape)
        if x.ndim not in (2, 3, 4) or (x.ndim > 2 and shape[-3] not in (1, 3)):
            raise ImageError(f"the tensor has shape {shape}; give (H, W), (1|3, H, W) or (N, 1|3, H, W)")
        if x.numel() == 0:
            raise ImageError(f"the tensor is empty: its shape is {shape}")
        if x.dtype != torch.uint8 and not x.is_floating_point():
            raise ImageError(f"the tensor holds {x.dtype}; give torch.uint8, or floats in 0..1")
        scale = 255 if x.dtype == torch.uint8 else 1
        batch = x.reshape(-1, shape[-3] if x.ndim > 2 else 1, *shape[-2:]).to(self.device).float() / scale
        _check_range(float(batch.min()), float(batch.max()), "tensor")
        rgb = self._fast().colorize(batch, size=self.transform.size, **self.options).to(x.device)
        rgb = (rgb * 255).round().byte() if scale == 255 else rgb.to(x.dtype)
        return rgb if x.ndim == 4 else rgb[0]

    @torch.no_grad()
    def _pixels(self, pixels: npt.NDArray[Any], steady: SteadyChroma | None = None) -> npt.NDArray[Any]:
        """Colorizes `(H, W)` or `(H, W, 3)` strip by strip, so that memory is bounded by the picture itself."""
        height, width = pixels.shape[:2]
        small = _lightness(_resized(pixels, self.transform.output_size(height, width)))
        ab = self._fast().predict_ab_grid(small.to(self.device), **self.options).cpu()
        if steady is not None:
            ab = steady(small, ab)
        join = JoinChroma(ab, height, width)
        result = np.empty((height, width, 3), pixels.dtype)
        encode = _encoder(pixels.dtype)
        for start, stop in join.strips():
            rgb = join.rows(_lightness(pixels[start:stop]), start, encode)[0].numpy()
            # Channel by channel is three times as fast as a transposition.
            for channel in range(3):
                result[start:stop, :, channel] = rgb[channel]
        return result


def _check_range(low: float, high: float, what: str) -> None:
    if not (low >= 0 and high <= 1):
        reason = "NaN" if low != low or high != high else f"{low:g} to {high:g}"
        raise ImageError(f"the {what} holds {reason}; floats must lie in 0..1 (divide by 255?)")


def _largest(dtype: np.dtype[Any]) -> int:
    return int(np.iinfo(dtype).max) if np.issubdtype(dtype, np.integer) else 1


def _encoder(dtype: np.dtype[Any]) -> Callable[[Tensor], Tensor]:
    """What makes sRGB pixels of this type out of linear light."""
    if dtype == np.uint8:
        return encode_8bit
    largest = _largest(dtype)
    return linear_to_srgb if largest == 1 else lambda linear: (linear_to_srgb(linear) * largest).round_()


def _lightness(pixels: npt.NDArray[Any]) -> Tensor:
    """L `(1, 1, H, W)` of pixels `(H, W)` or `(H, W, 3)`."""
    shaped = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if pixels.dtype == np.uint8 and pixels.ndim == 2:
        return gray_8bit_to_lightness(torch.from_numpy(np.array(shaped, order="C")))[None]
    if pixels.dtype == np.uint8:
        return linear_to_lightness(decode_8bit(torch.from_numpy(np.array(shaped, order="C"))))[None]
    values = torch.from_numpy(shaped.astype(np.float32)) / _largest(pixels.dtype)
    return rgb_to_lightness(values)[None]


def _resized(pixels: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    height, width = size
    if pixels.dtype == np.uint8:
        return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))
    planes = pixels[..., None] if pixels.ndim == 2 else pixels
    resized = [
        np.asarray(Image.fromarray(plane.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC))
        for plane in planes.transpose(2, 0, 1)
    ]
    values = np.stack(resized, axis=-1) / _largest(pixels.dtype)
    return (values[..., 0] if pixels.ndim == 2 else values).clip(0, 1)


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
) -> Any:
    """Gives a picture, or each of a list, its colours back. The model is kept between calls.

    Args:
        x: a path, Pillow image, NumPy array or tensor, or a list of these; see `Colorizer.__call__`.
        model: name of a model or of weights, path of a weights file, or a model.
        vividness: τ ≥ 0: 0 is the most accurate and brownish, 1 vivid; `None` takes what the weights say.
        temperature: T in (0, 1]: lower is more decided; `None` takes what the weights say.
        size: working size in pixels; `None` takes what the weights say.

    Returns:
        The same kind, in colour; a path gives a Pillow image.

    Raises:
        ImageError: the picture cannot be read or its numbers make no sense.
        ConfigError: there is no model of this name, or an option is out of range.
        WeightsError: the weights are missing or damaged.

    Example:
        >>> from PIL import Image
        >>> colorize(Image.new("L", (50, 30), 128)).mode
        'RGB'
    """
    return Colorizer(model, vividness=vividness, temperature=temperature, size=size)(x)


@dataclass(frozen=True)
class Job:
    """A file to colorize and where the result goes."""

    source: Path
    target: Path


def plan_jobs(inputs: Sequence[Path], out: Path) -> list[Job]:
    """Decides where the result of each input goes; names and sub-folders are kept.

    One file goes to `out` itself if that has a suffix; all else goes into `out` as a folder.

    Args:
        inputs: files and folders.
        out: file or folder.

    Raises:
        ImageError: an input is missing, or two of them would go to the same place.
    """
    if len(inputs) == 1 and inputs[0].is_file() and out.suffix and not out.is_dir():
        return [Job(inputs[0], out)]
    jobs = []
    for given in inputs:
        if given.is_dir():
            jobs += [Job(path, _target(path.relative_to(given), out)) for path in _pictures_in(given, out)]
        else:
            jobs.append(Job(given, _target(Path(given.name), out)))
    taken: dict[Path, Path] = {}
    for job in jobs:
        first = taken.setdefault(job.target, job.source)
        if first != job.source:
            raise ImageError(f"{first} and {job.source} would both become {job.target}; colorize them one by one")
    return jobs


def _pictures_in(folder: Path, out: Path) -> Iterator[Path]:
    # Results of an earlier run may lie below the input.
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.is_relative_to(out):
            yield path


def _target(relative: Path, out: Path) -> Path:
    return out / relative.with_suffix(output_suffix(relative.suffix))


def run_job(colorizer: Colorizer, job: Job, *, force: bool) -> None:
    """Colorizes one file, with all its pages or frames.

    Args:
        colorizer: does it.
        job: what and where.
        force: replace a result that is already there; the input itself is never replaced.

    Raises:
        ImageError: it cannot be read or written, or the result is already there.
    """
    if job.target.exists():
        if job.target.samefile(job.source):
            raise ImageError(f"the result would replace the original {job.source}; choose another -o")
        if not force:
            raise ImageError(f"{job.target} is already there; --force replaces it")
    with open_file(job.source) as file:
        check_target(job.target, *file.size, frames=file.frames)
        pictures = colorizer.pictures(_opaque_enough(file, job.target), animated=file.animated)
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImageError(f"the folder {job.target.parent} cannot be made: {error}") from error
        save_pictures(pictures, job.target, provenance=colorizer.provenance)


def _opaque_enough(pictures: Iterable[Picture], target: Path) -> Iterator[Picture]:
    """Refuses what the target cannot hold before it is colorized."""
    for picture in pictures:
        height, width = picture.pixels.shape[:2]
        check_target(target, width, height, alpha=picture.transparent)
        yield picture


def run_jobs(colorizer: Colorizer, jobs: Iterable[Job], *, force: bool) -> Iterator[tuple[Job, ImageError | None]]:
    """Colorizes files one after another and carries on past bad ones.

    Yields:
        Each job once it is done, with its error if it failed.
    """
    for job in jobs:
        try:
            run_job(colorizer, job, force=force)
        except ImageError as error:
            yield job, error
        else:
            yield job, None
