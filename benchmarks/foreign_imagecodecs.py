"""Files that imagecodecs writes, of random legal forms."""

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from foreign_files import (
    LOSSLESS,
    LOSSY,
    SUBSAMPLED,
    Array,
    Foreign,
    Rng,
    UnwritableError,
    alpha_scene,
    at_bits,
    chance,
    cmyk_of,
    color_scene,
    described,
    page,
    pick,
    rgb_of_cmyk,
    scene,
    steps,
    to_linear,
)
from foreign_png import color_chunks, with_chunks


def _samples(rng: Rng, channels: int, bits: int) -> tuple[Array, Array, Array | None]:
    """Returns samples of so many bits, expected sRGB, and expected alpha."""
    values, alpha = scene(rng, 1 if channels < 3 else 3), None
    samples, expected = steps(values, bits), at_bits(values, bits)
    if channels in (2, 4):
        alpha = alpha_scene(rng, values.shape)
        samples, alpha = np.dstack([samples, steps(alpha, bits)]), at_bits(alpha, bits)
    return np.ascontiguousarray(samples), expected, alpha


def _made(
    data: Any,
    suffix: str,
    how: str,
    expected: Array,
    alpha: Array | None = None,
    tolerance: float = LOSSLESS,
    compared: Array | None = None,
) -> Foreign:
    return Foreign(
        bytes(data),
        suffix,
        f"imagecodecs, {suffix[1:]}: {how}",
        [page(expected, alpha, compared=compared)],
        tolerance,
        0.02,
        # A bare codestream does not say which channel is alpha.
        alpha_optional=suffix == ".j2k",
        must_name="JPEG XL" if suffix == ".jxl" else "",
    )


def _codec_png(rng: Rng) -> Foreign:
    bits, channels = pick(rng, (8, 16, 16)), int(rng.integers(1, 5))
    samples, expected, alpha = _samples(rng, channels, bits)
    encode = pick(rng, (imagecodecs.png_encode, imagecodecs.spng_encode, imagecodecs.apng_encode))
    chunks, seen, words = color_chunks(rng)
    data = with_chunks(encode(samples), chunks)
    how = f"{bits} bits, {channels} channels, {encode.__name__}, {words}"
    return _made(data, ".png", how, seen(expected), alpha, LOSSY if "gAMA" in how and "0.455" in how else LOSSLESS)


def _codec_jpeg(rng: Rng) -> Foreign:
    kind = pick(rng, ("gray", "ycbcr", "rgb", "cmyk", "ycck", "12 bits", "lossless"))
    if kind in ("cmyk", "ycck"):
        inks = cmyk_of(color_scene(rng))
        # With an Adobe marker, ink is stored inverted; libjpeg writes one.
        data = imagecodecs.jpeg8_encode(255 - steps(inks, 8), level=97, colorspace="CMYK", outcolorspace=kind.upper())
        return _made(data, ".jpg", kind, rgb_of_cmyk(at_bits(inks, 8)), None, SUBSAMPLED)
    if kind == "12 bits":
        values = scene(rng, pick(rng, (1, 3)))
        data = imagecodecs.jpeg8_encode(steps(values, 12), level=97, bitspersample=12)
        return _made(data, ".jpg", kind, values, None, LOSSY)
    if kind == "lossless":
        bits = pick(rng, (8, 12, 16))
        values = scene(rng, pick(rng, (1, 3)))
        data = imagecodecs.jpeg8_encode(
            steps(values, bits), lossless=True, bitspersample=bits, predictor=int(rng.integers(1, 8))
        )
        return _made(data, ".jpg", f"lossless, {bits} bits, {values.ndim} dimensions", values, None, LOSSY)
    samples, expected, _ = _samples(rng, 1 if kind == "gray" else 3, 8)
    keywords = {} if kind == "gray" else {"outcolorspace": kind, "subsampling": pick(rng, ("444", "422", "420", "411"))}
    keywords = {key: value for key, value in keywords.items() if kind != "rgb" or key != "subsampling"}
    data = imagecodecs.jpeg8_encode(samples, level=97, **keywords)
    return _made(data, ".jpg", described(kind=kind, **keywords), expected, None, SUBSAMPLED)


def _codec_jpeg2000(rng: Rng) -> Foreign:
    bits, channels, form = pick(rng, (8, 8, 10, 12, 16)), pick(rng, (1, 3, 3, 4)), pick(rng, ("jp2", "j2k"))
    samples, expected, alpha = _samples(rng, channels, bits)
    keywords = {
        "codecformat": form,
        "bitspersample": bits,
        "reversible": chance(rng, 0.7),
        "mct": channels == 3 and chance(rng, 0.5),
    }
    encode, suffix = imagecodecs.jpeg2k_encode, f".{form}"
    if chance(rng, 0.2) and channels != 4 and bits in (8, 16):
        encode, keywords = imagecodecs.htj2k_encode, {"reversible": True}
    data = encode(samples, **keywords)
    return _made(
        data, suffix, f"{channels} channels, {bits} bits, {encode.__name__}, {keywords}", expected, alpha, LOSSY
    )


def _codec_webp(rng: Rng) -> Foreign:
    lossless = chance(rng, 0.6)
    samples, expected, alpha = _samples(rng, pick(rng, (3, 4)), 8)
    data = imagecodecs.webp_encode(samples, level=98, lossless=lossless)
    compared = None if alpha is None else alpha > 0.2
    return _made(data, ".webp", f"lossless={lossless}", expected, alpha, LOSSLESS if lossless else SUBSAMPLED, compared)


def _codec_avif(rng: Rng) -> Foreign:
    bits, channels = pick(rng, (8, 10, 12)), pick(rng, (1, 3, 3, 4))
    samples, expected, alpha = _samples(rng, channels, bits)
    keywords = {
        "level": 97,
        "bitspersample": bits,
        "pixelformat": "YUV400" if channels == 1 else pick(rng, ("YUV444", "YUV422", "YUV420")),
    }
    compared = None if alpha is None else alpha > 0.2
    # Names differ between versions of imagecodecs.
    numbers = {**keywords, "pixelformat": imagecodecs.AVIF.PIXEL_FORMAT[keywords["pixelformat"]]}
    data = imagecodecs.avif_encode(samples, speed=9, numthreads=1, **numbers)
    return _made(data, ".avif", f"{channels} channels, {keywords}", expected, alpha, SUBSAMPLED, compared)


def _codec_other(rng: Rng) -> Foreign:
    """Formats that artcolor may refuse."""
    name = pick(rng, ("jpegxl", "jpegxl", "jpegxr", "jpegls", "qoi", "bmp", "gif", "rgbe"))
    samples, expected, alpha = _samples(rng, 1 if name == "jpegls" else 3, 8)
    if name == "gif":
        samples, expected = samples[..., 0].copy(), expected[..., 0]
    if name == "rgbe":
        samples, expected = to_linear(expected).astype(np.float32), expected
    data = getattr(imagecodecs, f"{name}_encode")(samples)
    suffix = {"jpegxl": "jxl", "jpegxr": "jxr", "jpegls": "jls", "rgbe": "hdr"}.get(name, name)
    return _made(data, f".{suffix}", name, expected, alpha, LOSSY)


_CODECS = (
    _codec_png,
    _codec_png,
    _codec_jpeg,
    _codec_jpeg,
    _codec_jpeg2000,
    _codec_jpeg2000,
    _codec_webp,
    _codec_avif,
    _codec_other,
)


def with_imagecodecs(rng: Rng, folder: Path) -> Foreign:
    """Draws a file of any format that imagecodecs writes."""
    codec = pick(rng, _CODECS)
    try:
        made: Foreign = codec(rng)
    except (ValueError, RuntimeError, TypeError) as error:
        raise UnwritableError(f"{codec.__name__}: {type(error).__name__}: {error}") from error
    return made
