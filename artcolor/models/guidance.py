"""The values that travel with a picture: what a person wants (`Guidance`), how output is decoded, what came out.

This module imports no torch at run time: the command reads its options before torch is needed.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from artcolor.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Decoding", "Guidance", "Prediction", "guided"]


@dataclass(frozen=True, eq=False)
class Guidance:
    """What a person knows or wants of the colors. A model reads the fields that its `accepts` names.

    Attributes:
        reference: a colored picture whose colors are taken over: a tensor `(1, 3, H, W)`, sRGB in 0..1; `Colorizer`
            and `Session` also take a path or anything else that they colorize.
        seed: of a random coloring; `None` is the most typical one.
        samples: number of different colorings, spread evenly over what is plausible.
        spread: standard deviations that samples lie from the most typical coloring; `None` is the model's default.

    Raises:
        ConfigError: a value is out of range, or `spread` is given although nothing is drawn.

    Example:
        >>> sorted(Guidance(seed=3, samples=4).given())
        ['samples', 'seed']
    """

    reference: Any = None
    seed: int | None = None
    samples: int = 1
    spread: float | None = None

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ConfigError(f"samples must be at least 1, not {self.samples}")
        if self.seed is not None and self.seed < 0:
            raise ConfigError(f"seed must be 0 or more, not {self.seed}")
        if self.spread is not None and not 0 <= self.spread < math.inf:
            raise ConfigError(f"spread must be 0 or more, not {self.spread}")
        if self.spread is not None and not self.draws:
            raise ConfigError("spread has no effect on the most typical coloring; add seed or samples")

    @property
    def draws(self) -> bool:
        """Whether colorings are drawn at random; if not, the most typical one is computed."""
        return self.seed is not None or self.samples > 1

    def given(self) -> frozenset[str]:
        """Names of the fields that differ from their default."""
        return frozenset(_changed(self))


@dataclass(frozen=True)
class Decoding:
    """How a model's output becomes chroma. `None` is the default of the weights.

    Attributes:
        vividness: τ ≥ 0; 0 is the most accurate and brownish, 1 weighs bins by the class weights of Zhang et al. 2016.
        temperature: T in (0, 1] of the annealed mean; lower sharpens the distribution.
        strength: factor on chroma, 0 or more; 0 is gray.

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
        if self.vividness is not None and not 0 <= self.vividness < math.inf:
            raise ConfigError(f"vividness must be 0 or more, not {self.vividness}")
        if self.temperature is not None and not 0 < self.temperature <= 1:
            raise ConfigError(f"temperature must be above 0 and at most 1, not {self.temperature}")
        if not 0 <= self.strength < math.inf:
            raise ConfigError(f"strength must be 0 or more, not {self.strength}")


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted chroma, and how certain the model is of it.

    Attributes:
        ab: `(N, 2, h, w)`, chroma in Lab units at the resolution of the network's output. With several samples, N is
            samples · pictures, all pictures of the first sample first.
        lightness: `(N, 1, H, W)`, the L in 0..100 that it was predicted from.
        entropy: `(N, 1, h, w)` in 0..1 (see `DistributionHead.entropy`); `None` if not requested.
        raw: `(N, C, h, w)`, the head's raw output; `None` where it was not kept.
    """

    ab: "Tensor"
    lightness: "Tensor"
    entropy: "Tensor | None" = None
    raw: "Tensor | None" = None


def guided(options: Mapping[str, Any]) -> tuple[Guidance, Decoding]:
    """Sorts options into the value that guides the model and the one that decodes its output.

    Args:
        options: as `ModelOptions` lists them; others are passed over.

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


def _changed(value: Guidance) -> Iterator[str]:
    for field in fields(value):
        now = getattr(value, field.name)
        if now is not field.default and (field.name == "reference" or now != field.default):
            yield field.name
