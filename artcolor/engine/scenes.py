"""Keeps moods consistent: a shot of the same place as an earlier one gets its mean color and chroma."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from artcolor.color.srgb import Floats
from artcolor.engine.steady import cell_means

__all__ = ["Scenes", "Shift"]

# Cells across and down at which places are compared, and how alike they must be, where 1 is the same.
_ACROSS, _DOWN, _ALIKE = 16, 12, 0.85
# In L: contrast that is still grain.
_GRAIN = 1.5
# Larger differences are not a matter of mood.
_MOST_SCALE, _MOST_OFFSET = 1.25, 6.0
# Places that are remembered; the oldest are forgotten.
_PLACES = 100


@dataclass(frozen=True)
class Shift:
    """Changes the mood of a shot.

    Attributes:
        scale: factor on chroma.
        offset: a and b in Lab units, added.
    """

    scale: float = 1.0
    offset: tuple[float, float] = (0.0, 0.0)

    def __call__(self, ab: Floats) -> Floats:
        """Shifts `(h, w, 2)`."""
        shifted: Floats = ab * np.float32(self.scale) + np.array(self.offset, np.float32)
        return shifted


class Scenes:
    """What the shots of a film have shown so far, at their beginnings and ends.

    Args:
        state: `state` of an earlier instance, to continue from there; `None` starts empty.

    Example:
        >>> light, scenes = np.tile(np.linspace(0, 90, 64, dtype=np.float32), (48, 1)), Scenes()
        >>> scenes.add(light, [np.full((4, 4, 2), 9, np.float32)])
        >>> round(scenes.shift(light + 3, [np.full((4, 4, 2), 8, np.float32)]).scale, 2)
        1.13
    """

    def __init__(self, state: Any = None) -> None:
        self._places: list[dict[str, Any]] = [dict(place) for place in (state or {}).get("places", ())]

    @property
    def state(self) -> dict[str, Any]:
        """The state, as JSON values."""
        return {"places": [dict(place) for place in self._places]}

    def add(self, lightness: Floats, colors: Sequence[Floats]) -> None:
        """Remembers a place.

        Args:
            lightness: `(h, w)`, L of a frame.
            colors: chroma `(h, w, 2)` of that frame and those around it.
        """
        mean, chroma = _mood(colors)
        self._places.append(
            {
                "light": [round(value) for value in _cells(lightness).ravel().tolist()],
                "mean": [round(value, 2) for value in mean],
                "chroma": round(chroma, 2),
            }
        )
        del self._places[:-_PLACES]

    def shift(self, lightness: Floats, colors: Sequence[Floats]) -> Shift:
        """Finds the shift that gives a shot the mood of an earlier one of the same place.

        Args:
            lightness: `(h, w)`, L of its first frame.
            colors: chroma `(h, w, 2)` of its first frames.

        Returns:
            The shift; none if there was no such shot.
        """
        seen = _contrast(_cells(lightness))
        alike = [_likeness(seen, place["light"]) for place in self._places]
        if not alike or max(alike) < _ALIKE:
            return Shift()
        # Of equals, the first one, so that moods do not wander.
        place = self._places[alike.index(max(alike))]
        mean, chroma = _mood(colors)
        scale = float(np.clip(place["chroma"] / max(chroma, 1e-3), 1 / _MOST_SCALE, _MOST_SCALE))
        a, b = (
            float(np.clip(wanted - scale * now, -_MOST_OFFSET, _MOST_OFFSET))
            for wanted, now in zip(place["mean"], mean, strict=True)
        )
        return Shift(scale, (a, b))


def _cells(lightness: Floats) -> Floats:
    return cell_means(lightness, (_DOWN, _ACROSS))


def _contrast(cells: Floats) -> Floats:
    centered = cells - cells.mean()
    contrast: Floats = centered / np.sqrt(np.square(centered).mean() + _GRAIN**2)
    return contrast


def _likeness(seen: Floats, light: Sequence[float]) -> float:
    other = np.array(light, np.float32)
    # Stored for a grid of another size.
    return float((seen * _contrast(other.reshape(seen.shape))).mean()) if other.size == seen.size else 0.0


def _mood(colors: Sequence[Floats]) -> tuple[tuple[float, float], float]:
    every = np.stack(colors)
    a, b = every.mean(axis=(0, 1, 2)).tolist()
    return (a, b), float(np.linalg.norm(every, axis=-1).mean())
