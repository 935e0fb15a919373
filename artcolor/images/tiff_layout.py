"""Classifying TIFF pages by their tags."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from tifffile import COMPRESSION, TiffPage

from artcolor.errors import ImageError

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR, CIELAB, ICCLAB = 0, 1, 2, 3, 4, 5, 6, 8, 9
"""Supported photometric interpretations, tag 262 (TIFF 6.0; ICCLab: Adobe Photoshop TIFF Technical Notes)."""
_COLORS = {
    WHITE_IS_ZERO: 1,
    BLACK_IS_ZERO: 1,
    RGB: 3,
    PALETTE: 1,
    MASK: 1,
    CMYK: 4,
    YCBCR: 3,
    CIELAB: 3,
    ICCLAB: 3,
}
_PHOTOMETRICS = {10: "ITU Lab", 32844: "Pixar LogL", 32845: "Pixar LogLuv", 51177: "depth map", 52527: "semantic mask"}

CCITT, OLD_JPEG, JPEG, LERC = (2, 3, 4), 6, 7, 34887
_NAMES = {
    2: "CCITT 1D",
    3: "CCITT group 3",
    4: "CCITT group 4",
    5: "LZW",
    6: "old-style JPEG",
    7: "JPEG",
    8: "Deflate",
    9: "JBIG on T.85",
    10: "JBIG on T.43",
    32771: "word-aligned CCITT 1D",
    32773: "PackBits",
    32946: "Deflate",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34661: "JBIG",
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    34933: "PNG",
    34934: "JPEG XR",
    22610: "JPEG XR",
    50000: "ZSTD",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
NONE = 1
BYTE_CODECS = frozenset({5, 8, 32773, 32946, 34925, 50000})
"""Compressions of arbitrary bytes."""
PREDICTED = BYTE_CODECS - {32773}
"""Compressions that can be combined with a predictor. Elsewhere the tag is ignored, as by libtiff."""
IMAGE_CODECS = frozenset({7, 22610, 33003, 33005, 34712, 34887, 34933, 34934, 50001, 50002, 52546})
"""Compressions whose strips and tiles are pictures of their own."""
_INK_SET = 332
_MOST_SAMPLES = 16
_LARGEST_TILE = 1 << 22


@dataclass(frozen=True)
class Layout:
    """The kind and arrangement of the samples of a page.

    Attributes:
        width: stored width of the page in pixels.
        height: stored height of the page in pixels.
        photometric: photometric interpretation, tag 262.
        kind: `"u"` for unsigned integers, `"i"` for signed integers, `"f"` for floating point.
        bits: bits per sample.
        samples: number of stored channels.
        colors: number of color channels, which come first.
        alpha: index of the alpha channel, or `None`.
        associated: whether color is premultiplied by alpha.
        compression: compression scheme, tag 259.
    """

    width: int
    height: int
    photometric: int
    kind: str
    bits: int
    samples: int
    colors: int
    alpha: int | None
    associated: bool
    compression: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of decoded samples in memory."""
        if self.kind == "f":
            return np.dtype(np.float32)
        size = next(size for size in (8, 16, 32, 64) if size >= self.bits)
        return np.dtype(f"u{size // 8}")


def compression_name(number: int) -> str:
    """Returns what messages call a compression.

    Args:
        number: the value of tag 259.

    Example:
        >>> compression_name(34887)
        'TIFF compression 34887 (LERC)'
    """
    try:
        name = _NAMES.get(number) or COMPRESSION(number).name
    except ValueError:
        name = "unknown"
    return f"TIFF compression {number} ({name})"


def layout_of(page: TiffPage) -> Layout:
    """Classifies a page by its tags.

    Args:
        page: the directory of the page.

    Returns:
        The layout of its samples; sizes and counts have been checked.

    Raises:
        ImageError: the page is not a picture, or of an unsupported kind, which the message names.
    """
    width, height = page.imagewidth, page.imagelength
    if min(width, height) < 1:
        raise ImageError(f"the picture is empty: {width} × {height} pixels")
    if page.imagedepth != 1 or page.tiledepth not in (0, 1):
        raise ImageError(f"the page is a volume of {page.imagedepth} slices, not a picture")
    compression = int(page.compression)
    if compression not in (NONE, *CCITT, *BYTE_CODECS, *IMAGE_CODECS):
        raise ImageError(
            f"{compression_name(compression)} is not supported; save the file with LZW or Deflate compression"
        )
    samples, photometric = page.samplesperpixel, _photometric(page)
    if photometric not in _COLORS:
        name = _PHOTOMETRICS.get(photometric, "of unknown meaning")
        raise ImageError(f"the samples are {name} (photometric interpretation {photometric}), which is not supported")
    colors = 1 if photometric in (CIELAB, ICCLAB) and samples < 3 else _COLORS[photometric]
    if not colors <= samples <= _MOST_SAMPLES:
        raise ImageError(
            f"the page has {samples} channels; {colors} to {_MOST_SAMPLES} are supported for its color space"
        )
    if photometric == CMYK and page.tags.valueof(_INK_SET, 1) != 1:
        raise ImageError("the inks of the page are not CMYK (InkSet is not 1); convert it to CMYK or RGB")
    extra = [*map(int, page.extrasamples or ()), *[0] * samples][: samples - colors]
    alpha = next((number for number, kind in enumerate(extra) if kind in (1, 2)), None)
    kind, bits = _sample_kind(page)
    layout = Layout(
        width,
        height,
        photometric,
        kind,
        bits,
        samples,
        colors,
        None if alpha is None else colors + alpha,
        alpha is not None and extra[alpha] == 1,
        compression,
    )
    _check_storage(page, layout)
    return layout


def _photometric(page: TiffPage) -> int:
    if page.tags.get(262) is not None or int(page.compression) == OLD_JPEG:
        return int(page.photometric)
    # The tag is mandatory, but some writers leave it out.
    return RGB if page.samplesperpixel >= 3 else WHITE_IS_ZERO if page.compression in CCITT else BLACK_IS_ZERO


def _sample_kind(page: TiffPage) -> tuple[str, int]:
    bits, format = page.bitspersample, page.sampleformat
    if not isinstance(bits, int):
        raise ImageError(f"channels of different depths ({', '.join(map(str, bits))} bits) are not supported")
    kind = {1: "u", 2: "i", 3: "f", 4: "u"}.get(int(format))
    if kind is None:
        raise ImageError("the samples are complex numbers; they are not a picture")
    if (kind, bits) == ("u", 24):
        raise ImageError("integers of 24 bits are not supported: programs disagree about their byte order")
    allowed = {"u": (*range(1, 33), 64), "i": (8, 16, 32, 64), "f": (16, 24, 32, 64)}[kind]
    if bits not in allowed:
        word = {"u": "unsigned integers", "i": "signed integers", "f": "floating point"}[kind]
        raise ImageError(f"samples of {bits} bits as {word} are not supported")
    return kind, bits


def _check_storage(page: TiffPage, layout: Layout) -> None:
    """Checks sizes and counts before anything is allocated or decoded."""
    if layout.compression in CCITT and (layout.bits, layout.samples) != (1, 1):
        raise ImageError(f"{compression_name(layout.compression)} holds 1 bit a pixel, not {layout.bits}")
    if layout.compression == LERC and layout.bits > 8 and page.parent.byteorder == ">":
        raise ImageError("LERC in a big-endian TIFF is not supported: programs disagree about its byte order")
    if page.fillorder == 2 and layout.compression in IMAGE_CODECS - {JPEG}:
        raise ImageError(f"{compression_name(layout.compression)} with reversed bits (FillOrder 2) is not supported")
    subsampled = subsampling(page, layout) is not None
    predictor = int(page.predictor)
    if layout.compression in PREDICTED and predictor != 1:
        fits = layout.bits in (8, 16, 32, 64) and (layout.kind == "f" or predictor == 2)
        if predictor not in (2, 3) or not fits or subsampled:
            raise ImageError(f"TIFF predictor {predictor} is not supported for samples of {layout.bits} bits")
    if page.is_tiled:
        across, down = page.tilewidth, page.tilelength
        if min(across, down) < 1 or across * down > max(_LARGEST_TILE, 2 * layout.width * layout.height):
            raise ImageError(f"the tiles of the page have {across} × {down} pixels; the file is damaged")


def subsampling(page: TiffPage, layout: Layout) -> tuple[int, int] | None:
    """Returns how many luma samples across and down share one chroma sample.

    Args:
        page: the directory of the page.
        layout: the layout of its samples.

    Returns:
        Two factors; `None` if chroma is complete, or a codec restores it.

    Raises:
        ImageError: the factors are invalid, or not supported with these samples.
    """
    if layout.photometric != YCBCR or layout.compression not in (NONE, *BYTE_CODECS):
        return None
    factors: Any = page.subsampling or (2, 2)
    if np.shape(factors) != (2,) or any(factor not in (1, 2, 4) for factor in factors):
        raise ImageError("the chroma subsampling of the page is invalid; the file is damaged")
    across, down = map(int, factors)
    if (across, down) == (1, 1):
        return None
    if int(page.planarconfig) == 2 or layout.samples != 3 or layout.bits not in (8, 16):
        raise ImageError("YCbCr with subsampled chroma is supported in 8 or 16 bits, interleaved, without alpha")
    return across, down
