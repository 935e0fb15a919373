"""From a prediction to pixels: the colored picture, and the map of uncertainty."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from artcolor.color import planes
from artcolor.engine.hints import Hint
from artcolor.images import Picture
from artcolor.models.guidance import Prediction

LAYER_LIGHTNESS = 60.0
"""L of a layer that holds color alone: where sRGB has most room for the colors of paintings."""


def painted(
    picture: Picture, ab: Any, *, hints: Sequence[Hint] | None, frame: int, at_lightness: float | None
) -> Picture:
    """Gives a picture colors, strip by strip as requested; keeps alpha and metadata.

    Args:
        picture: the original.
        ab: `(1, 2, h, w)` in Lab units, an array or a tensor on the CPU.
        hints: the hints to meet exactly; `None` or empty if there are none.
        frame: number of the page or frame, for hints that are for a single one.
        at_lightness: L in 0..100 that replaces the picture's own; `None` keeps it.
    """
    if hints:
        # A model that follows hints has imported torch.
        from torch import as_tensor  # noqa: PLC0415

        from artcolor.engine.observations import enforce  # noqa: PLC0415

        ab = enforce(as_tensor(ab), hints, picture.pixels.shape[:2], frame=frame)
    return Picture(planes.join(picture.rows, np.asarray(ab)[0], at_lightness=at_lightness), picture.alpha, picture.info)


def in_rgb(picture: Picture) -> Picture:
    """The picture as it is, gray or not, with three channels."""
    return Picture(planes.gray_to_rgb(picture.rows), picture.alpha, picture.info)


def uncertainty_map(prediction: Prediction, picture: Picture) -> Image.Image:
    """A picture of the entropy of `prediction`, in mode L and as large as `picture`, which it was made of."""
    assert prediction.entropy is not None, "predict(..., uncertainty=True) computes it"
    height, width = picture.rows.shape[:2]
    small = (np.asarray(prediction.entropy)[0, 0] * 255).round().astype(np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR)
