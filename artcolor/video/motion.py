"""Motion between neighboring frames, by DIS optical flow (Kroeger et al. 2016)."""

import numpy as np
import numpy.typing as npt

from artcolor.color.srgb import Floats
from artcolor.errors import ConfigError, install_extra

try:
    import cv2
except ImportError as error:
    raise ConfigError(
        f"following motion needs OpenCV: pip install opencv-python-headless, or {install_extra('video')}"
    ) from error

__all__ = ["Flow", "Motion", "Step"]

# Standard deviation in pixels of a blur that takes grain away; flow itself is finer than that.
_BLUR = 1.0
# Flow there and back may miss the start by so many pixels, and by so much of the way.
_MISS, _MISS_SHARE = 0.7, 0.1
# Of 255, in frames without grain.
_UNLIKE = 25.0
# Pixels of an outline for one of the region.
_LARGER = 4
_PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}

_Bytes = npt.NDArray[np.uint8]
_Places = tuple[Floats, Floats, Floats]


class Motion:
    """Estimates the motion from one frame to the next.

    Args:
        preset: `"ultrafast"`, `"fast"` or `"medium"`, of OpenCV's DIS flow.

    Raises:
        ConfigError: there is no such preset.

    Example:
        >>> rows, columns = np.mgrid[:64, :80]
        >>> def light(x): return (50 + 20 * np.sin((columns - x) / 5) + 20 * np.sin(rows / 4)).astype(np.float32)
        >>> flow = Motion().between(light(0), light(2))
        >>> np.median(flow.fore, axis=(0, 1)).round().tolist()
        [2.0, 0.0]
    """

    def __init__(self, preset: str = "fast") -> None:
        if preset not in _PRESETS:
            raise ConfigError(f"preset must be one of {', '.join(_PRESETS)}, not {preset!r}")
        self._preset = _PRESETS[preset]

    def between(self, earlier: Floats, later: Floats) -> "Flow":
        """Finds the motion between two frames.

        Args:
            earlier: `(h, w)`, L in 0..100 of a frame.
            later: `(h, w)`, L in 0..100 of the next frame.

        Returns:
            The motion in both directions.
        """
        first, second = _without_grain(earlier), _without_grain(later)
        # Flow takes brightness as constant, which neither lamps nor old cameras keep.
        second = (second - second.mean()) * _gain(first, second) + first.mean()
        a, b = (np.rint(each.clip(0, 100) * 2.55).astype(np.uint8) for each in (first, second))
        return Flow(self._flow(a, b), self._flow(b, a), a, b)

    def outlines(self, inside: npt.NDArray[np.bool_]) -> list[list[tuple[float, float]]]:
        """Finds polygons around the areas of a region.

        Args:
            inside: `(h, w)`, what belongs to it.

        Returns:
            The corners of each, as fractions of width and height.
        """
        height, width = inside.shape
        # Larger, so that what is one pixel wide has corners.
        large = inside.astype(np.uint8).repeat(_LARGER, axis=0).repeat(_LARGER, axis=1)
        areas, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        corners = [cv2.approxPolyDP(area, 1.0, True).reshape(-1, 2) for area in areas]
        size = np.array([_LARGER * width, _LARGER * height])
        return [[(float(x), float(y)) for x, y in (each + 0.5) / size] for each in corners if len(each) >= 3]

    def _flow(self, start: _Bytes, end: _Bytes) -> Floats:
        # It remembers something of the frames before, which a run that goes on after an interruption has not seen.
        dis = cv2.DISOpticalFlow.create(self._preset)
        # A result that is given is also where the search starts.
        return dis.calc(start, end, np.zeros((*start.shape, 2), np.float32))


class Flow:
    """Motion from one frame to the next.

    Args:
        fore: `(h, w, 2)`, x and y in pixels from where a thing is in the earlier frame to where it is in the later one.
        back: the same from the later frame to the earlier one.
        earlier: `(h, w)`, the earlier frame, 0..255.
        later: `(h, w)`, the later frame, in its exposure, 0..255.

    Attributes:
        fore: see the argument `fore`.
        back: see the argument `back`.
        fore_sure: `(h, w)` in 0..1, how well flow there and back returns to the pixel of the earlier frame, and finds
            the same brightness there. Things that are covered or leave the picture have 0.
        back_sure: the same of the later frame.
    """

    def __init__(self, fore: Floats, back: Floats, earlier: _Bytes, later: _Bytes) -> None:
        self.fore, self.back = fore, back
        self.fore_sure = _sure(fore, back, earlier, later)
        self.back_sure = _sure(back, fore, later, earlier)

    def on_grid(self, grid: tuple[int, int]) -> "Step":
        """The same motion for values on a grid that covers the frame.

        Args:
            grid: its height and width.
        """
        return Step(_on_grid(self.back, self.back_sure, grid), _on_grid(self.fore, self.fore_sure, grid))


class Step:
    """Moves values on a grid from one frame to the next, or back.

    Args:
        onto_later: for each cell of the later frame, the x and y in cells where it comes from, and how sure that is.
        onto_earlier: the same for the earlier frame.
    """

    def __init__(self, onto_later: "_Places", onto_earlier: "_Places") -> None:
        self._onto_later, self._onto_earlier = onto_later, onto_earlier

    def to_later(self, values: Floats) -> tuple[Floats, Floats]:
        """Moves values of the earlier frame to where the things are in the later one.

        Args:
            values: `(h, w, k)`, float32, k at most 4.

        Returns:
            `(h, w, k)`, and how sure each cell is, `(h, w, 1)` in 0..1.
        """
        return _moved(values, self._onto_later)

    def to_earlier(self, values: Floats) -> tuple[Floats, Floats]:
        """Moves values of the later frame to where the things are in the earlier one.

        Args:
            values: `(h, w, k)`, float32, k at most 4.

        Returns:
            `(h, w, k)`, and how sure each cell is, `(h, w, 1)` in 0..1.
        """
        return _moved(values, self._onto_earlier)


def _without_grain(lightness: Floats) -> Floats:
    blurred: Floats = cv2.GaussianBlur(np.ascontiguousarray(lightness, np.float32), (0, 0), _BLUR)
    return blurred


def _gain(first: Floats, second: Floats) -> float:
    spread = float(second.std())
    return float(np.clip(first.std() / spread, 0.5, 2.0)) if spread > 0.1 else 1.0


def _places(flow: Floats) -> tuple[Floats, Floats]:
    rows, columns = np.indices(flow.shape[:2], dtype=np.float32)
    return columns + flow[..., 0], rows + flow[..., 1]


def _sure(there: Floats, back: Floats, start: _Bytes, end: _Bytes) -> Floats:
    x, y = _places(there)
    # Beyond the border, nothing comes back.
    returned = cv2.remap(back, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    miss = np.square(there + returned).sum(-1)
    allowed = _MISS**2 + _MISS_SHARE**2 * (np.square(there) + np.square(returned)).sum(-1)
    height, width = there.shape[:2]
    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
    found = cv2.remap(end, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    unlike = np.square(cv2.absdiff(found, start), dtype=np.float32)
    sure: Floats = np.exp(-miss / allowed - unlike / _UNLIKE**2, dtype=np.float32) * inside
    return sure


def _on_grid(flow: Floats, sure: Floats, grid: tuple[int, int]) -> _Places:
    """Where the cells come from, x and y in cells, and how sure they are."""
    height, width = grid
    cells = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA)
    scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    x, y = _places(cells * scale)
    return x, y, cv2.resize(sure, (width, height), interpolation=cv2.INTER_AREA)[..., None]


def _moved(values: Floats, where: _Places) -> tuple[Floats, Floats]:
    x, y, sure = where
    # Frame after frame, linear interpolation would wash colors out.
    moved = cv2.remap(values, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return moved.reshape(values.shape), sure
