"""TIFF files that tifffile writes, of random legal forms."""

import copy
import io
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from foreign_files import (
    LOSSLESS,
    LOSSY,
    SUBSAMPLED,
    Array,
    Foreign,
    Page,
    Rng,
    UnwritableError,
    alpha_scene,
    at_bits,
    chance,
    cmyk_of,
    cmyk_profile,
    color_scene,
    described,
    gray_scene,
    lab_of,
    page,
    pick,
    profile,
    rgb_of_cmyk,
    scene,
    size,
    steps,
    ycbcr_of,
)

logging.getLogger("tifffile").addFilter(lambda record: False)

_UNSPECIFIED, _ASSOCIATED, _STRAIGHT = 0, 1, 2
_ORIENTATION, _MAX_SAMPLE_VALUE = 274, 281
_ICCLAB = 9
_GRAYS_AND_RGB = ("minisblack", "minisblack", "miniswhite", "rgb", "rgb", "rgb")
_MEANINGS = (*_GRAYS_AND_RGB, "palette", "separated", 8, _ICCLAB, "ycbcr")
_EXTRA = (
    (),
    (),
    (),
    (_STRAIGHT,),
    (_ASSOCIATED,),
    (_UNSPECIFIED,),
    (_UNSPECIFIED, _STRAIGHT),
    (_STRAIGHT, _UNSPECIFIED),
)
_BYTES = (None, None, "lzw", "adobe_deflate", "deflate", "packbits", "lzma", "zstd")
_PICTURES = ("jpeg",) * 4 + ("jpeg2000", "jpegxl", "jpegxr", "lerc", "png", "webp", "jpegxr_ndpi", "aperio_jp2000_rgb")
# JPEG XR keeps floating point with a few bits less.
_LOSSY_PICTURES = {"jpeg": SUBSAMPLED, "jpegxr": LOSSY, "jpegxr_ndpi": LOSSY}


class Stored:
    """How one kind of samples stores values in 0..1.

    Attributes:
        name: of the kind, for messages.
        bits: of a sample where it is not that of the type, as `tifffile` takes it.
        tags: extra tags that explain the samples.
    """

    def __init__(self, rng: Rng, inverted: bool) -> None:
        kinds = ("u1", "u1", "u2", "u2", "u4", "u8", "i1", "i2", "i4", "f2", "f4", "f4", "f8")
        self.name = pick(
            rng, (*kinds, "bool", *(f"packed {bits}" for bits in (2, 3, 4, 6, 10, 12, 14, 20, 24)), "u2 of 12")
        )
        self.bits: int | None = None
        self.tags: list[tuple[Any, ...]] = []
        self.inverted = inverted
        self.gain = 1.0
        if self.name in ("f4", "f8") and not inverted:
            # Some writers scale to 255; sharpening overshoots, here to 1.004.
            self.gain = pick(rng, (1.0, 1.0, 1.0, 1.004, 255.0))
            self.name += f" up to {self.gain:g}" if self.gain != 1 else ""
        self._says_12 = chance(rng, 0.6)

    def upright(self) -> "Stored":
        """Returns the same kind, not inverted, as alpha is stored."""
        same = copy.copy(self)
        same.inverted = False
        return same

    def write(self, values: Array) -> tuple[Array, Array]:
        """Returns the samples, and the values in 0..1 that they mean."""
        kind = self.name.split()[0]
        turned = 1 - values if self.inverted else values
        if kind == "bool":
            samples: Array = turned > 0.5
            means: Array = samples.astype(float)
        elif kind == "packed":
            self.bits = int(self.name.split()[1])
            samples, means = steps(turned, self.bits), at_bits(turned, self.bits)
        elif self.name == "u2 of 12":
            samples, means = steps(turned, 12), at_bits(turned, 12)
            if self._says_12:
                self.tags = [(_MAX_SAMPLE_VALUE, 3, 1, 4095, True)]
        elif kind[0] == "f":
            samples = (turned * self.gain).astype(kind)
            means = (turned * self.gain).clip(0, 1) if self.gain < 2 else turned
        else:
            bits = 8 * int(kind[1]) - (kind[0] == "i")
            samples, means = steps(turned, bits).astype(kind), at_bits(turned, bits)
        return samples, 1 - means if self.inverted else means


def _lab(rng: Rng, rgb: Array, icc: bool) -> tuple[Array, str]:
    """Returns Lab as TIFF 6.0 (photometric 8) or Technical Note 4 (photometric 9) stores it, and the type."""
    values, kind = lab_of(rgb), pick(rng, ("u1", "u2", "f4"))
    if kind == "f4":
        return values.astype(np.float32), kind
    unit = 1 if kind == "u1" else 256
    top = 255 * unit if icc else 256 * unit - 1
    signed = np.round(values[..., 1:] * unit).astype(int) + (128 * unit if icc else 0)
    return np.dstack([np.round(values[..., :1] / 100 * top).astype(int), signed]).astype(kind), kind


def palette(rng: Rng, shape: tuple[int, int]) -> tuple[Array, Array, Array]:
    """Returns indices, the color map of 16 bits, and expected RGB."""
    bits = pick(rng, (8, 8, 16))
    indices = steps(gray_scene(rng, shape), bits)
    ramp = np.linspace(0, 1, 1 << bits)
    colors = np.stack([ramp ** rng.uniform(0.5, 2) for _ in range(3)], -1)
    table = steps(colors, 16) if chance(rng, 0.5) else steps(colors, 8).astype(np.uint16) * 257
    return indices, table.T.copy(), table[indices] / 65535


@dataclass
class _Content:
    """Samples of a page, what they mean, and the keywords with which tifffile writes them."""

    samples: Array
    expected: Array
    alpha: Array | None = None
    name: str = ""
    tolerance: float = LOSSLESS
    keywords: dict[str, Any] = field(default_factory=dict)


def _intensities(rng: Rng, meaning: str, stored: Stored, shape: tuple[int, int]) -> _Content:
    """Gray, RGB or CMYK; sometimes with alpha, a channel of unspecified meaning, and a profile."""
    shown = scene(rng, 1 if meaning.startswith("minis") else 3, shape)
    values = cmyk_of(shown) if meaning == "separated" else shown
    extra = pick(rng, _EXTRA)
    alpha, added = None, dict[int, Array]()
    if _ASSOCIATED in extra or _STRAIGHT in extra:
        alpha = alpha_scene(rng, shape)
        if _ASSOCIATED in extra:
            if stored.inverted or meaning == "separated" or stored.name in ("bool", "packed 2", "packed 3"):
                raise UnwritableError("multiplied ink is not defined, and few bits keep little of multiplied color")
            # Where alpha is small, little of the color is left.
            alpha = alpha.clip(0.5, 1)
            values = values * _beside(alpha, values)
        added[max(extra)], alpha = stored.upright().write(alpha)
    samples, means = stored.write(values)
    if _ASSOCIATED in extra and alpha is not None:
        means = (means / _beside(alpha, means)).clip(0, 1)
    made = _Content(samples, rgb_of_cmyk(means) if meaning == "separated" else means, alpha, stored.name)
    if extra:
        added[_UNSPECIFIED] = stored.write(np.full(shape, 0.25))[0]
        made.samples = np.dstack([samples, *(added[kind] for kind in extra)])
        made.keywords["extrasamples"] = list(extra)
    if chance(rng, 0.25):
        icc = cmyk_profile() if meaning == "separated" else profile(rng, 1 if means.ndim == 2 else 3)
        made.keywords["iccprofile"], made.expected = icc.data, icc.to_srgb(means)
        made.tolerance = LOSSY if meaning == "separated" else LOSSLESS
        made.name += f", profile {icc.name}"
    if stored.bits:
        made.keywords["bitspersample"] = stored.bits
    return made


def _beside(alpha: Array, values: Array) -> Array:
    return alpha if values.ndim == 2 else alpha[..., None]


def _lab_content(rng: Rng, meaning: int, shape: tuple[int, int]) -> _Content:
    expected = color_scene(rng, shape)
    samples, name = _lab(rng, expected, meaning == _ICCLAB)
    # In 8 bits, a and b are rounded to whole units.
    made = _Content(samples, expected, None, name, LOSSY if name == "u1" else LOSSLESS)
    if chance(rng, 0.3):
        bits, alpha = 8 * samples.itemsize, alpha_scene(rng, shape)
        added, made.alpha = (alpha, alpha) if name == "f4" else (steps(alpha, bits), at_bits(alpha, bits))
        made.samples = np.dstack([samples, added.astype(samples.dtype)])
        made.keywords["extrasamples"] = [_STRAIGHT]
    return made


def _content(rng: Rng, meaning: str | int, stored: Stored, shape: tuple[int, int]) -> _Content:
    if isinstance(meaning, int):
        return _lab_content(rng, meaning, shape)
    if meaning == "palette":
        samples, colors, expected = palette(rng, shape)
        return _Content(samples, expected, name=samples.dtype.str, keywords={"colormap": colors})
    if meaning == "ycbcr":
        # Far from the corners of the cube, so that rounding does not clip.
        expected = 0.1 + 0.8 * color_scene(rng, shape)
        samples = np.round(ycbcr_of(expected)).astype(np.uint8)
        return _Content(samples, expected, name="u1", keywords={"subsampling": (1, 1)})
    return _intensities(rng, meaning, stored, shape)


def _compress(rng: Rng, meaning: str | int, made: _Content) -> None:
    """Draws a compression, and adds it to the keywords."""
    compression = pick(rng, _PICTURES if chance(rng, 0.4) else _BYTES)
    if compression is None or "bitspersample" in made.keywords or made.samples.dtype == bool:
        # tifffile packs uncompressed samples only.
        return
    made.keywords["compression"] = compression
    if compression not in (*_PICTURES, "packbits") and chance(rng, 0.5):
        made.keywords["predictor"] = True
    if compression == "jpeg":
        made.keywords["compressionargs"] = {"level": 97}
        if meaning == "rgb":
            made.keywords["subsampling"] = pick(rng, ((1, 1), (2, 1), (2, 2)))
            made.keywords["compressionargs"] |= pick(rng, ({}, {"outcolorspace": "rgb"}))
    elif compression in ("jpegxl", "webp"):
        made.keywords["compressionargs"] = {"lossless": True}
    elif compression == "lerc":
        made.keywords["compressionargs"] = pick(rng, ({}, {"compression": "zstd"}, {"compression": "deflate"}))
    made.tolerance = max(made.tolerance, _LOSSY_PICTURES.get(compression, LOSSLESS))


def _write_page(
    rng: Rng, writer: Any, byteorder: str, orientation: int, shape: tuple[int, int]
) -> tuple[Page, str, float]:
    """Writes a page. Returns what is expected, how it was written, and the tolerance."""
    meaning = pick(rng, _MEANINGS)
    stored = Stored(rng, meaning == "miniswhite")
    made = _content(rng, meaning, stored, shape)
    _compress(rng, meaning, made)
    keywords: dict[str, Any] = {"photometric": meaning, **made.keywords}
    samples, bits = made.samples, made.keywords.get("bitspersample", 8)
    if samples.ndim == 3:
        keywords["planarconfig"] = pick(rng, ("contig", "contig", "separate"))
        if keywords["planarconfig"] == "separate":
            samples = np.ascontiguousarray(np.moveaxis(samples, -1, 0))
        elif samples.dtype == bool:
            raise UnwritableError("tifffile packs the bits of each channel apart, which only tifffile reads")
    if bits > 8 and (byteorder == ">" or bits == 24):
        raise UnwritableError("tifffile packs big-endian samples without swapping them, and 24 bits always swapped")
    if chance(rng, 0.3):
        keywords["tile"] = tuple(16 * int(side) for side in rng.integers(1, 5, 2))
    elif chance(rng, 0.5):
        keywords["rowsperstrip"] = pick(rng, (1, 7, 8, 16, 64))
    tags = stored.tags if isinstance(meaning, str) and stored.name in made.name else []
    if orientation != 1 or chance(rng, 0.2):
        tags = [*tags, (_ORIENTATION, 3, 1, orientation, True)]
    if chance(rng, 0.2):
        keywords |= {"software": "scanner", "description": "a scene", "resolution": (300, 300)}
    subifd = chance(rng, 0.1)
    try:
        _check_writer(samples, byteorder, keywords)
        writer.write(samples, subifds=int(subifd), extratags=tags, metadata=None, **keywords)
        if subifd:
            writer.write(np.zeros((8, 8), np.uint8), photometric="minisblack", subfiletype=1, metadata=None)
    except Exception as error:
        raise UnwritableError(f"tifffile: {error}") from error
    keywords = {key: value for key, value in keywords.items() if key not in ("iccprofile", "colormap")}
    how = described(samples=made.name, shape=samples.shape, subifd=subifd, tags=tags or None, **keywords)
    return page(made.expected, made.alpha, orientation), how, made.tolerance


def _check_writer(samples: Array, byteorder: str, keywords: dict[str, Any]) -> None:
    """Rejects what tifffile writes wrongly, such as big-endian samples that it compresses without swapping."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, byteorder=byteorder, metadata=None, **keywords)
    buffer.seek(0)
    written = tifffile.imread(buffer)
    scale = max(1.0, float(np.abs(samples).max()))
    if np.abs(written.astype(float) - samples).mean() > 0.03 * scale:
        raise UnwritableError("tifffile does not read what it wrote")


def with_tifffile(rng: Rng, folder: Path) -> Foreign:
    """Draws a TIFF of tifffile: pages of any kind, with smaller copies, thumbnails and masks among them."""
    buffer, orientation = io.BytesIO(), int(rng.integers(1, 9)) if chance(rng, 0.3) else 1
    options = {"byteorder": pick(rng, ("<", ">")), "bigtiff": chance(rng, 0.2)}
    pages, hows, tolerance, optional = [], [], LOSSLESS, False
    with tifffile.TiffWriter(buffer, **options) as writer:
        for _ in range(pick(rng, (1, 1, 1, 1, 2, 3))):
            shape = size(rng)
            made, how, limit = _write_page(rng, writer, options["byteorder"], orientation, shape)
            pages.append(made)
            hows.append(how)
            tolerance = max(tolerance, limit)
            after = rng.random()
            if after < 0.08:
                writer.write(np.zeros((9, 12), np.uint8), photometric="minisblack", subfiletype=1, metadata=None)
                hows.append("a reduced copy")
            elif after < 0.16 and made.alpha is None:
                # The mask may become alpha or be ignored.
                mask = alpha_scene(rng, shape) > 0.5
                writer.write(mask, photometric=4, subfiletype=4, metadata=None)
                made.alpha = page(mask.astype(float), None, orientation).pixels
                hows.append("a mask")
                optional = True
    how = f"tifffile: {described(**options)}; " + "; ".join(hows)
    # JPEG changes alpha as it changes color.
    alpha_tolerance = 0.006 if tolerance < SUBSAMPLED else 0.03
    return Foreign(buffer.getvalue(), ".tif", how, pages, tolerance, alpha_tolerance, alpha_optional=optional)
