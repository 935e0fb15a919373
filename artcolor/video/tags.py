"""The color tags of a film: matrix, primaries, transfer curve and range, by the numbers of ITU-T H.273."""

from dataclasses import dataclass

from artcolor.color.yuv import WEIGHTS
from artcolor.errors import UnsupportedError

UNSPECIFIED = 2
"""Value of an unspecified matrix, primaries or transfer curve."""
LIMITED, FULL = 1, 2
"""Ranges, as FFmpeg numbers them; 0 is unspecified."""

_BT709, _PAL, _NTSC = (1, 1, 1), (5, 5, 6), (6, 6, 6)
_HDR = {16: "PQ", 18: "HLG"}
# FFmpeg has decoders give RGB and gray in full range unless the film says otherwise; these codecs never do.
_LIMITED_GRAY = ("h264", "hevc", "vp9", "av1")


@dataclass(frozen=True)
class Tags:
    """Color tags.

    Attributes:
        matrix: coefficients that convert R'G'B' to Y', Cb and Cr.
        primaries: primaries of R, G and B.
        transfer: curve between light and code values.
        full: whether codes use the full range (0..255), and not the limited one (16..235).
    """

    matrix: int
    primaries: int
    transfer: int
    full: bool


def complete(
    name: str, size: tuple[int, int], tags: tuple[int, int, int, int], *, kind: str, codec: str, rgb: bool
) -> Tags:
    """Completes tags that are missing, by the size of the picture, as players do.

    Args:
        name: name of the film, for the message.
        size: width and height.
        tags: matrix, primaries, transfer and range as FFmpeg gives them.
        kind: pixel format.
        codec: name of the codec.
        rgb: whether the pixels are RGB, which will be written with the matrix that is guessed.

    Raises:
        UnsupportedError: the film is HDR, or has a matrix that is not supported.

    Example:
        >>> complete("a", (720, 576), (2, 2, 2, 0), kind="yuv420p", codec="h264", rgb=False)
        Tags(matrix=5, primaries=5, transfer=6, full=False)
    """
    matrix, primaries, transfer, range = tags
    if transfer in _HDR:
        raise UnsupportedError(
            f"{name} is HDR ({_HDR[transfer]}), which artcolor does not support; convert it to SDR first: "
            "ffmpeg -i IN -vf zscale=t=linear:npl=100,tonemap=hable,zscale=p=bt709:t=bt709:m=bt709:r=tv,format=yuv420p "
            "-c:a copy OUT"
        )
    width, height = size
    if width >= 1280 or height > 576:
        usual = _BT709
    elif height == 576:
        usual = _PAL
    else:
        usual = _NTSC
    if rgb or matrix in (0, UNSPECIFIED):
        matrix = usual[0]
    if matrix not in WEIGHTS:
        raise UnsupportedError(
            f"{name} has color tags that artcolor does not support (matrix {matrix} of H.273); convert it first: "
            "ffmpeg -i IN -vf scale=out_color_matrix=bt709,format=yuv420p -c:a copy OUT"
        )
    if range == 0:
        gray = kind.startswith("gray") and codec not in _LIMITED_GRAY
        range = FULL if rgb or gray or kind.startswith("yuvj") else LIMITED
    return Tags(
        matrix,
        usual[1] if primaries in (0, UNSPECIFIED) else primaries,
        usual[2] if transfer in (0, UNSPECIFIED) else transfer,
        range == FULL,
    )
