"""TIFF files that tifffile writes, of random legal forms."""

import io
import logging
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
    size,
    steps,
    ycbcr_of,
)

logging.getLogger("tifffile").addFilter(lambda record: False)

_UNSPECIFIED, _ASSOCIATED, _STRAIGHT = 0, 1, 2
_ORIENTATION, _MAX_SAMPLE_VALUE = 274, 281
_BYTES = (None, None, "lzw", "adobe_deflate", "deflate", "packbits", "lzma", "zstd")
_PICTURES = ("jpeg2000", "jpegxl", "jpegxr", "lerc", "png", "webp", "jpegxr_ndpi", "aperio_jp2000_rgb")
# JPEG XR keeps float16 and float32 with a few bits less.
_NEARLY = {"jpegxr": LOSSY, "jpegxr_ndpi": LOSSY}


class Stored:
    """How one kind of samples stores values in 0..1.

    Attributes:
        name: of the kind, for people.
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
            # 255 for those that divide by nothing; 1.004 for what sharpening leaves.
            self.gain = pick(rng, (1.0, 1.0, 1.0, 1.004, 255.0))
            self.name += f" up to {self.gain:g}" if self.gain != 1 else ""
        self._says_12 = chance(rng, 0.6)

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


def _write_page(
    rng: Rng, writer: Any, byteorder: str, orientation: int, shape: tuple[int, int]
) -> tuple[Page, str, float]:
    """Writes a page. Returns what is expected, how it was written, and the tolerance."""
    meaning = pick(
        rng, ("minisblack", "minisblack", "miniswhite", "rgb", "rgb", "rgb", "palette", "separated", 8, 9, "ycbcr")
    )
    keywords: dict[str, Any] = {"photometric": meaning, "extratags": [], "metadata": None}
    alpha, compared, names, stored = None, None, "", Stored(rng, meaning == "miniswhite")
    tolerance = LOSSLESS
    extra = [pick(rng, (_UNSPECIFIED, _ASSOCIATED, _STRAIGHT, _STRAIGHT)) for _ in range(pick(rng, (0, 0, 0, 1, 2)))]
    if extra.count(_ASSOCIATED) + extra.count(_STRAIGHT) > 1:
        extra = extra[:1]
    if meaning in ("minisblack", "miniswhite", "rgb", "separated"):
        shown = gray_scene(rng, shape) if "minis" in str(meaning) else color_scene(rng, shape)
        values = cmyk_of(shown) if meaning == "separated" else shown
        kinds = [kind for kind in extra if kind != _UNSPECIFIED]
        if kinds:
            alpha = alpha_scene(rng, shape)
            if kinds[0] == _ASSOCIATED:
                # Where alpha is small, little of the color is left.
                alpha = alpha.clip(0.5, 1)
                if stored.inverted or meaning == "separated" or stored.name in ("bool", "packed 2", "packed 3"):
                    # What multiplied ink means is not defined; one or two bits keep no color at all.
                    raise UnwritableError
                values = values * (alpha if values.ndim == 2 else alpha[..., None])
        samples, means = stored.write(values)
        names = stored.name
        if kinds:
            plain_alpha = Stored.__new__(Stored)
            plain_alpha.__dict__ |= stored.__dict__ | {"inverted": False}
            alpha_samples, alpha = plain_alpha.write(alpha)
            if kinds[0] == _ASSOCIATED:
                share = np.maximum(alpha if means.ndim == 2 else alpha[..., None], 1e-9)
                means = (means / share).clip(0, 1)
        if extra:
            filling = stored.write(np.full(shape, 0.25))[0]
            channels = [filling if kind == _UNSPECIFIED else alpha_samples for kind in extra]
            samples = np.dstack([samples, *channels])
            keywords["extrasamples"] = extra
        expected = rgb_of_cmyk(means) if meaning == "separated" else means
        if chance(rng, 0.25) and meaning != "separated":
            icc = profile(rng, 1 if means.ndim == 2 else 3)
            keywords["iccprofile"], expected = icc.data, icc.to_srgb(means)
            names += f", profile {icc.name}"
        elif meaning == "separated" and chance(rng, 0.25):
            icc = cmyk_profile()
            keywords["iccprofile"], expected, tolerance = icc.data, icc.to_srgb(means), LOSSY
            names += f", profile {icc.name}"
        if stored.bits:
            keywords["bitspersample"] = stored.bits
    elif meaning == "palette":
        samples, keywords["colormap"], expected = palette(rng, shape)
        names = f"{8 * samples.itemsize} bits"
    elif meaning == "ycbcr":
        # Far from the corners of the cube, so that rounding does not clip.
        expected = 0.1 + 0.8 * color_scene(rng, shape)
        samples = np.round(ycbcr_of(expected)).clip(0, 255).astype(np.uint8)
        keywords["subsampling"] = (1, 1)
    else:
        expected = color_scene(rng, shape)
        samples, names = _lab(rng, expected, meaning == 9)
        if chance(rng, 0.3):
            alpha = alpha_scene(rng, shape)
            bits = 8 * samples.itemsize
            scale = 1 if names == "f4" else (1 << bits) - 1
            added = alpha if names == "f4" else steps(alpha, bits)
            samples = np.dstack([samples, added.astype(samples.dtype)])
            keywords["extrasamples"], alpha = [_STRAIGHT], added / scale
        tolerance = LOSSY if names == "u1" else LOSSLESS
    compression = pick(rng, _PICTURES + ("jpeg",) * 4 if chance(rng, 0.4) else _BYTES)
    if stored.bits or stored.name == "bool":
        # tifffile packs uncompressed samples only.
        compression = None
    if compression:
        keywords["compression"] = compression
    if compression in ("lzw", "adobe_deflate", "deflate", "lzma", "zstd") and chance(rng, 0.5):
        keywords["predictor"] = True
    if compression == "jpeg":
        if meaning == "rgb":
            keywords["subsampling"] = pick(rng, ((1, 1), (2, 1), (2, 2)))
            keywords["compressionargs"] = {"level": 97} | pick(rng, ({}, {"outcolorspace": "rgb"}))
        else:
            keywords["compressionargs"] = {"level": 97}
        tolerance = SUBSAMPLED
    elif compression in ("jpegxl", "webp"):
        keywords["compressionargs"] = {"lossless": True}
    elif compression == "lerc":
        keywords["compressionargs"] = pick(rng, ({}, {"compression": "zstd"}, {"compression": "deflate"}))
    tolerance = max(tolerance, _NEARLY.get(str(compression), 0))
    if samples.ndim == 3 and chance(rng, 0.3):
        keywords["planarconfig"] = "separate"
        samples = np.ascontiguousarray(np.moveaxis(samples, -1, 0))
    elif samples.ndim == 3:
        keywords["planarconfig"] = "contig"
    if chance(rng, 0.3):
        keywords["tile"] = tuple(16 * int(side) for side in rng.integers(1, 5, 2))
    elif chance(rng, 0.5):
        keywords["rowsperstrip"] = pick(rng, (1, 7, 8, 16, 64))
    if orientation != 1 or chance(rng, 0.2):
        keywords["extratags"].append((_ORIENTATION, 3, 1, orientation, True))
    keywords["extratags"] += stored.tags
    if chance(rng, 0.2):
        keywords |= {"software": "scanner", "description": "a scene", "resolution": (300, 300)}
    if samples.ndim == 3 and samples.dtype == bool and keywords["planarconfig"] == "contig":
        raise UnwritableError("tifffile packs the bits of each channel apart, which only tifffile reads")
    if stored.bits and stored.bits > 8 and (byteorder == ">" or stored.bits == 24):
        # It packs big-endian samples without swapping them, and 24 bits in big-endian order in any file.
        raise UnwritableError(f"tifffile packs {stored.bits} bits wrongly")
    subifd = chance(rng, 0.1)
    try:
        _check_writer(samples, byteorder, keywords)
        writer.write(samples, subifds=int(subifd), **keywords)
        if subifd:
            writer.write(np.zeros((8, 8), np.uint8), photometric="minisblack", subfiletype=1, metadata=None)
    except Exception as error:
        raise UnwritableError(f"tifffile: {error}") from error
    shown_keywords = {
        key: value for key, value in keywords.items() if key not in ("iccprofile", "colormap", "metadata")
    }
    how = described(samples=names, shape=samples.shape, subifd=subifd, **shown_keywords)
    return page(expected, alpha, orientation, compared), how, tolerance


def _check_writer(samples: Array, byteorder: str, keywords: dict[str, Any]) -> None:
    """Refuses what tifffile writes wrongly, such as big-endian samples that it packs or compresses without swapping."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, byteorder=byteorder, **keywords)
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
                # The mask may become alpha or be left out.
                mask = alpha_scene(rng, shape) > 0.5
                writer.write(mask, photometric=4, subfiletype=4, metadata=None)
                made.alpha = page(mask.astype(float), None, orientation).pixels
                hows.append("a mask")
                optional = True
    how = f"tifffile: {described(**options)}; " + "; ".join(hows)
    return Foreign(buffer.getvalue(), ".tif", how, pages, tolerance, alpha_optional=optional)
