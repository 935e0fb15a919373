"""Clips whose motion is known."""

import functools
from typing import Any

import cv2
import numpy as np
from PIL import Image

from tests.conftest import ROOT

Array = np.ndarray[Any, Any]


@functools.cache
def painting(name: str = "bruegel_harvesters", width: int = 240) -> Array:
    """A painting in gray, `(H, W)` uint8."""
    image = Image.open(ROOT / "docs" / "pictures" / f"{name}.jpg").convert("L")
    return np.asarray(image.resize((width, round(width * image.height / image.width)), Image.Resampling.LANCZOS))


def window(picture: Array, x: float, y: float = 4, size: tuple[int, int] = (96, 128)) -> Array:
    """What a window shows whose upper left corner is at `x`, `y`."""
    place = np.array([[1, 0, x], [0, 1, y]], np.float32)
    return cv2.warpAffine(picture, place, size[::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)


def old(frames: list[Array], seed: int = 0) -> list[Array]:
    """The same with grain (σ 4) and flickering exposure (±3%)."""
    rng = np.random.default_rng(seed)
    grainy = (each * (1 + rng.uniform(-0.03, 0.03)) + rng.normal(0, 4, each.shape) for each in frames)
    return [np.rint(each.clip(0, 255)).astype(np.uint8) for each in grainy]


def pan(count: int, step: float = 1.5, seed: int = 0, name: str = "bruegel_harvesters") -> list[Array]:
    """An old film of a camera that moves to the right, over a painting."""
    return old([window(painting(name), 2 + step * number) for number in range(count)], seed)
