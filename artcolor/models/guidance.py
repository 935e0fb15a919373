"""Inputs and output of a prediction: `Guidance` and `Decoding` go in, a `Prediction` comes out.

This module does not import torch at run time, because the command line parses options before torch is needed.
"""

import math
import numbers
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from artcolor.errors import ConfigError
from artcolor.models.options import ModelOptions, Option

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Decoding", "Guidance", "Prediction", "guided"]


# torch takes seeds of 63 bits.
_LARGEST = (1 << 63) - 1
# Bits of an integer that messages show.
_LONG = 100


@dataclass(frozen=True, eq=False)
class Guidance:
    """Constraints on the colors. A model supports the fields listed in its `accepts`.

    Attributes:
        hints: colors of cells of the model's output, as `artcolor.models.spread.Observations`; `artcolor.colorize`,
            `Colorizer` and `Session` take hints files instead.
        palette: `(k, 2)`, a and b of 2 to 16 colors that the result uses where they fit; `artcolor.colorize`,
            `Colorizer` and `Session` take names of colors instead.
        reference: `(1, 3, H, W)`, sRGB in 0..1, a colored picture whose colors the result adopts where objects look
            alike; `artcolor.colorize`, `Colorizer` and `Session` take a path instead.
        seed: seed of a random coloring, 0 to 2⁶³ - 1; `None` is the most typical coloring.
        samples: number of alternative colorings, at least 1, spread evenly over the plausible ones.
        spread: distance of samples from the most typical coloring in standard deviations, 0 to 100; `None` is the
            model's default.

    Raises:
        ConfigError: a value is out of range, or `spread` is given without `seed` or `samples`.

    Example:
        >>> sorted(Guidance(seed=3, samples=4).given())
        ['samples', 'seed']
    """

    hints: Any = None
    palette: Any = None
    reference: Any = None
    seed: int | None = None
    samples: int = 1
    spread: float | None = None

    def __post_init__(self) -> None:
        _check(self)
        if self.spread is not None and not self.draws:
            raise ConfigError("spread has no effect on the most typical coloring; add seed or samples")

    @property
    def draws(self) -> bool:
        """Whether colorings are sampled at random; otherwise the model computes the most typical one."""
        return self.seed is not None or self.samples > 1

    def given(self) -> frozenset[str]:
        """Returns the names of the fields that differ from their defaults."""
        return frozenset(_changed(self))


@dataclass(frozen=True)
class Decoding:
    """How a model's output is decoded to chroma.

    Attributes:
        vividness: τ, 0 to 100; how strongly rare colors are favored. 0 is the most accurate and muted; 2, the default
            of released weights, is as colorful as real paintings; `None` uses the model's default.
        temperature: T in 0.01..1 of the annealed mean; lower sharpens the distribution; `None` uses the model's
            default, which rises to 1 as vividness falls from its default to 0.
        strength: factor on chroma, 0 to 100; 0 is gray.

    Raises:
        ConfigError: a value is out of range.

    Example:
        >>> Decoding(vividness=0.5)
        Decoding(vividness=0.5, temperature=None, strength=1.0)
    """

    vividness: float | None = None
    temperature: float | None = None
    strength: float = 1.0

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted chroma, and the model's uncertainty. The planes are tensors, or arrays from ONNX Runtime.

    Attributes:
        ab: `(N, 2, h, w)`, chroma in Lab units at the resolution of the network's output. With several samples, N is
            samples · pictures, ordered by sample, then by picture.
        lightness: `(N, 1, H, W)`, the L in 0..100 that the chroma was predicted from.
        entropy: `(N, 1, h, w)` in 0..1 (see `DistributionHead.entropy`); `None` if not requested.
        raw: `(N, C, h, w)`, the raw output of the head; `None` if not kept.
    """

    ab: "Tensor"
    lightness: "Tensor"
    entropy: "Tensor | None" = None
    raw: "Tensor | None" = None


def guided(options: Mapping[str, Any]) -> tuple[Guidance, Decoding]:
    """Builds `Guidance` and `Decoding` from options.

    Args:
        options: values by option, as listed in `ModelOptions`; all other keys are ignored.

    Returns:
        Guidance and decoding; options that are not given have their defaults.

    Raises:
        ConfigError: a value is out of range.

    Example:
        >>> guided({"seed": 3, "vividness": 0.5})[1].vividness
        0.5
    """
    guidance, decoding = (
        {field.name: options[field.name] for field in fields(kind) if field.name in options}
        for kind in (Guidance, Decoding)
    )
    return Guidance(**guidance), Decoding(**decoding)


def _check(value: Guidance | Decoding) -> None:
    """Checks the numbers by the ranges of `ModelOptions`, and makes Python's own of those of NumPy."""
    hints = typing.get_type_hints(ModelOptions, include_extras=True)
    for field in fields(value):
        kind, option = typing.get_args(hints[field.name])
        given = getattr(value, field.name)
        if option.minimum is None or (given is None and field.default is None):
            continue
        whole = kind in (int, int | None)
        object.__setattr__(value, field.name, _number(field.name, given, option, whole=whole))


def _number(name: str, given: Any, option: Option, *, whole: bool) -> float:
    fits = isinstance(given, numbers.Integral if whole else numbers.Real) and not isinstance(given, bool)
    if not fits:
        raise ConfigError(f"{name} must be {'an integer' if whole else 'a number'}, {option.range}, not {given!r}")
    minimum, maximum = option.minimum or 0, math.inf if option.maximum is None else option.maximum
    # Before anything else: integers may be larger than any float, and have too many digits to be shown.
    shown = "a huge integer" if isinstance(given, int) and given.bit_length() > _LONG else given
    if not minimum <= given <= maximum:
        raise ConfigError(f"{name} must be {option.range}, not {shown}")
    if whole and given > _LARGEST:
        raise ConfigError(f"{name} must be at most {_LARGEST}, not {shown}")
    return int(given) if whole else float(given)


def _changed(value: Guidance) -> Iterator[str]:
    for field in fields(value):
        now = getattr(value, field.name)
        if now is not field.default and (field.name in ("hints", "palette", "reference") or now != field.default):
            yield field.name
