"""Applies hints to a picture: checks sizes, picks colors from it, and finds colors that sRGB cannot show."""

import dataclasses
import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from artcolor.color import planes
from artcolor.color.isolation import isolated
from artcolor.color.lab import to_gamut
from artcolor.engine.hint_files import HintFile
from artcolor.engine.hints import FROM_PICTURE, Hint, along, mask_of, region_of
from artcolor.errors import ConfigError
from artcolor.images import Picture
from artcolor.images.colored import is_colored

__all__ = ["HintedPicture"]

# A side of a reduced picture may be rounded by a pixel; beyond that, aspects may differ by so much.
_ASPECT = 0.05
# A stroke with the colors of the picture becomes at most so many points, about so far apart in short sides.
_STROKE_POINTS, _STROKE_STEP = 48, 1 / 64
# Longer side at which the pixels of regions are read.
_REGION_SIDE = 512
# Chroma up to which a picture is neutral, and from which a place in it has color.
_NEUTRAL, _SURVIVING = 1.0, 5.0
# A smaller difference in ab does not need to be mentioned.
_NOTABLE = 2.0
_MOST_WARNINGS = 5


class HintedPicture:
    """A picture that hints are for. Costly steps run once, and only if a hint needs them.

    Args:
        picture: the original, gray or partly colored.
    """

    def __init__(self, picture: Picture) -> None:
        self._pixels = picture.pixels

    @isolated()
    def hints(self, given: HintFile, *, frame: int = 0) -> list[Hint]:
        """Resolves hints for one picture.

        Args:
            given: the hints.
            frame: number of the page or frame; hints of others stay as they are.

        Returns:
            The hints, with the colors of the picture in place of `"picture"`: of a point the median of three by three
            pixels, of a region the median of all. A stroke becomes points, because its color differs along it.

        Raises:
            ConfigError: the hints or a mask are for a picture with a different aspect ratio, or a hint takes its color
                from a picture that has none; the message names the hint.
            ImageError: a mask cannot be read.

        Example:
            >>> picture = Picture(np.full((40, 40, 3), 99, np.uint8))
            >>> picture.pixels[:20] = [200, 40, 40]
            >>> (hint,) = HintedPicture(picture).hints(HintFile(hints=[Hint(x=0.5, y=0.2, color="picture")]))
            >>> hint.color
            [60.87, 40.84]
        """
        about = [hint.frame in (None, frame) for hint in given.hints]
        height, width = self._pixels.shape[:2]
        if given.size is not None and any(about):
            _check_aspect(given.name or "the hints", given.size, (width, height))
        found: list[Hint] = []
        for number, (hint, holds) in enumerate(zip(given.hints, about, strict=True)):
            if holds and hint.mask is not None:
                _check_aspect(f"{given.entry(number)}: the mask {hint.mask}", mask_of(hint.mask).size, (width, height))
            taken = self._with_own_color(hint) if holds and hint.is_from_picture else [hint]
            if not taken:
                raise ConfigError(
                    f'{given.entry(number)}: its color is "{FROM_PICTURE}", but the picture is gray or toned there; '
                    "give a color such as '#27408b'"
                )
            found += taken
        return found

    @isolated()
    def unshown(self, given: HintFile, *, frame: int = 0, at_lightness: float | None = None) -> list[str]:
        """Finds hints whose color sRGB cannot show at the lightness of the picture there.

        For a region, the median lightness counts.

        Args:
            given: the hints.
            frame: number of the page or frame; hints of others are ignored.
            at_lightness: L in 0..100 that replaces the picture's own.

        Returns:
            Warnings that name the hint, its color, and the color that appears instead.

        Example:
            >>> white = Picture(np.full((40, 40), 250, np.uint8))
            >>> HintedPicture(white).unshown(HintFile(hints=[Hint(x=0.5, y=0.2, color="navy")]))
            ["hint 1: sRGB cannot show 'navy' (a 47.5, b -64.7) at lightness 98; it is shown as a 1.88, b -2.56"]
        """
        places: list[tuple[int, tuple[float, float]]] = []
        owners, lights = [], []
        for number, hint in enumerate(given.hints):
            if hint.frame not in (None, frame) or hint.color is None or hint.is_from_picture:
                continue
            if hint.is_region:
                owners.append(number)
                lights.append(self._in_region(hint)[0].median())
            else:
                places += [(number, point) for point in hint.points]
        if places:
            owners += [number for number, _ in places]
            lights += self._at(np.array([point for _, point in places]))[0, 0].unbind()
        if not owners:
            return []
        light = torch.stack(lights)
        if at_lightness is not None:
            light = torch.full_like(light, at_lightness)
        ab = light.new_tensor([given.hints[number].ab for number in owners]).T[:, None]
        shown = to_gamut(light.reshape(1, 1, -1), ab)
        lost = (shown - ab).norm(dim=0)[0]
        # A stroke is reported once, with its worst place.
        worst: dict[int, int] = {}
        for place in lost.argsort(stable=True).tolist():
            if lost[place] > _NOTABLE:
                worst[owners[place]] = place
        found = [
            f"{given.entry(number)}: sRGB cannot show {given.hints[number].color!r} ({_in_words(ab[:, 0, place])}) at "
            f"lightness {float(light[place]):.0f}; it is shown as {_in_words(shown[:, 0, place])}"
            for number, place in sorted(worst.items())
        ]
        if len(found) > _MOST_WARNINGS:
            rest = len(found) - _MOST_WARNINGS
            found[_MOST_WARNINGS:] = [_inside_of(given, f"sRGB cannot show the colors of {rest} further hints either")]
        return found

    def _at(self, points: np.ndarray[Any, Any], *, around: int = 0) -> Tensor:
        """Lab `(3, (2 · around + 1)², n)` of points `(n, 2)` and of the pixels around each."""
        height, width = self._pixels.shape[:2]
        near = np.arange(-around, around + 1)
        column, row = (np.minimum(points * (width, height), (width - 1, height - 1)).astype(int)).T
        rows = (row + near[:, None, None]).clip(0, height - 1)
        columns = (column + near[:, None]).clip(0, width - 1)
        pixels = self._pixels[rows, columns]
        return _lab(pixels.reshape(-1, len(points), *pixels.shape[3:]))

    def _in_region(self, hint: Hint) -> Tensor:
        """Lab `(3, n)` of the pixels in a region of the reduced picture."""
        return self._small_lab[:, torch.from_numpy(region_of(hint, self._small.shape[:2]))]

    def _along(self, hint: Hint) -> np.ndarray[Any, Any]:
        """Points `(n, 2)` along a stroke, or the place of a point."""
        height, width = self._pixels.shape[:2]
        sides = np.array((width, height)) / min(height, width)
        path = along(np.array(hint.points) * sides, _STROKE_STEP) / sides
        chosen: np.ndarray[Any, Any] = path[
            np.linspace(0, len(path) - 1, min(len(path), _STROKE_POINTS)).round().astype(int)
        ].clip(0, 1)
        return chosen

    def _with_own_color(self, hint: Hint) -> list[Hint]:
        """Gives a hint the color of the picture there; none if that is no color."""
        if hint.is_region:
            colors = self._in_region(hint)[1:].median(1, keepdim=True).values
            made = [dataclasses.replace(hint, color=_numbers(colors[:, 0]))]
        else:
            places = self._along(hint)
            colors = self._at(places, around=1)[1:].median(1).values
            made = [
                dataclasses.replace(hint, polyline=None, x=x, y=y, color=_numbers(color))
                for (x, y), color in zip(places.tolist(), colors.T, strict=True)
            ]
        return made if self._is_color(colors) else []

    def _is_color(self, ab: Tensor) -> bool:
        """Whether any of some chroma `(2, n)` from the picture is color, and not a tone."""
        if self._colored:
            return True
        # In a neutral picture there is no tone, however little color is left.
        chroma = self._small_lab[1:].norm(dim=0)
        return bool(chroma.median() < _NEUTRAL) and bool(ab.norm(dim=0).max() > _SURVIVING)

    @functools.cached_property
    def _colored(self) -> bool:
        return is_colored(self._pixels)

    @functools.cached_property
    def _small(self) -> np.ndarray[Any, Any]:
        height, width = self._pixels.shape[:2]
        scale = min(1.0, _REGION_SIDE / max(height, width))
        return planes.resize(self._pixels, (max(1, round(height * scale)), max(1, round(width * scale))))

    @functools.cached_property
    def _small_lab(self) -> Tensor:
        return _lab(self._small)


def _lab(pixels: np.ndarray[Any, Any]) -> Tensor:
    """Lab `(3, H, W)` of gray or colored pixels."""
    if pixels.ndim == 3:
        return torch.from_numpy(planes.lab(pixels))
    light = torch.from_numpy(planes.lightness(pixels))
    return torch.stack((light, torch.zeros_like(light), torch.zeros_like(light)))


def _check_aspect(what: str, size: tuple[int, int], of_picture: tuple[int, int]) -> None:
    (w, h), (width, height) = size, of_picture
    ratio = (w * height) / (h * width)
    if max(ratio, 1 / ratio) > 1 + _ASPECT + 1 / min(*size, *of_picture):
        raise ConfigError(
            f"{what}: made for a picture of {w} × {h} pixels, but this one has {width} × {height}, a different "
            "aspect ratio; check that they belong together"
        )


def _numbers(ab: Tensor) -> list[float]:
    return [round(float(value), 2) + 0.0 for value in ab]


def _in_words(ab: Tensor) -> str:
    a, b = _numbers(ab)
    return f"a {a:g}, b {b:g}"


def _inside_of(given: HintFile, what: str) -> str:
    return f"{given.name}: {what}" if given.name else what
