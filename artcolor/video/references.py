"""References of single shots: pictures whose colors one shot of a film adopts, and the others do not."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from artcolor.engine.colorizer import Colorizer
from artcolor.errors import ConfigError
from artcolor.images.streams import is_source, source_name

__all__ = ["References"]


class References:
    """The colorizers of shots that have a reference of their own.

    Args:
        colorizer: colorizer of the film, with its hints.
        given: number of a frame, from 0 → the reference of the shot that contains it, as `Colorizer.with_reference`
            takes it.

    Raises:
        ConfigError: the model does not accept a reference.
        ImageError: a reference cannot be read, or has no color.
    """

    def __init__(self, colorizer: Colorizer, given: Mapping[int, Any]) -> None:
        self._names = {frame: _name(reference) for frame, reference in sorted(given.items())}
        self._colorizers: dict[int, Colorizer] = {}
        for frame in self._names:
            # Each is made from the one before, so that the model is loaded once.
            colorizer = self._colorizers[frame] = colorizer.with_reference(given[frame])

    @property
    def stated(self) -> dict[str, Any]:
        """The option as the provenance states it; empty if there are no references."""
        return {"reference_at": {str(frame): name for frame, name in self._names.items()}} if self._names else {}

    @property
    def fingerprint(self) -> dict[int, str]:
        """All that the colors depend on, with the content of the references."""
        return {frame: each.fingerprint for frame, each in self._colorizers.items()}

    def of_shots(self, borders: Sequence[int]) -> list[Colorizer | None]:
        """Finds the shots of the references.

        Args:
            borders: number of the first frame of each shot, and the number of all frames.

        Returns:
            For each shot its colorizer; `None` if it has no reference of its own.

        Raises:
            ConfigError: there is no such frame, or a shot has two references.
        """
        for frame, name in self._names.items():
            if not 0 <= frame < borders[-1]:
                raise ConfigError(
                    f"the reference {name} is for frame {frame}, but the frames are 0 to {borders[-1] - 1}"
                )
        found: list[Colorizer | None] = []
        for start, stop in itertools.pairwise(borders):
            inside = [frame for frame in self._names if start <= frame < stop]
            if len(inside) > 1:
                raise ConfigError(
                    f"the references for frames {inside[0]} and {inside[1]} are for the same shot, frames "
                    f"{start} to {stop - 1}; give only one of them"
                )
            found.append(self._colorizers[inside[0]] if inside else None)
        return found


def _name(reference: Any) -> str:
    return Path(source_name(reference)).name if is_source(reference) else f"a {type(reference).__name__}"
