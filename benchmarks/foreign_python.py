"""Files that Pillow and imagecodecs write, of random legal forms."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from foreign_files import (
    D65,
    LOSSLESS,
    LOSSY,
    PRIMARIES,
    QUANTIZED,
    SUBSAMPLED,
    Array,
    Exif,
    Foreign,
    Page,
    Rng,
    UnwritableError,
    alpha_scene,
    at_bits,
    chance,
    cmyk_of,
    color_scene,
    columns,
    described,
    exif,
    gray_scene,
    lab_of,
    page,
    pick,
    profile,
    rgb_of_cmyk,
    saved,
    scene,
    seen_through,
    size,
    steps,
    to_linear,
    to_srgb,
    ycbcr_of,
)
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

Mode = tuple[Image.Image, Array, Array | None]


def _image(rng: Rng, mode: str, shape: tuple[int, int] | None = None) -> Mode:
    """Makes an image of a mode. Returns it, expected sRGB, and expected alpha."""
    if mode in ("1", "L", "LA", "I;16", "I;16B", "I", "F"):
        values = gray_scene(rng, shape)
        if mode == "1":
            return Image.fromarray(values > 0.5), (values > 0.5).astype(float), None
        if mode == "F":
            return Image.fromarray(values.astype(np.float32)), values, None
        if mode in ("I;16", "I;16B", "I"):
            samples = steps(values, 16).astype({"I;16": "<u2", "I;16B": ">u2", "I": "i4"}[mode])
            return Image.fromarray(samples), at_bits(values, 16), None
        gray, expected = Image.fromarray(steps(values, 8)), at_bits(values, 8)
        return _with_alpha(rng, gray, expected) if mode == "LA" else (gray, expected, None)
    if mode in ("P", "PA"):
        return _indexed(rng, mode, shape)
    values = color_scene(rng, shape)
    if mode == "CMYK":
        inks = cmyk_of(values)
        return _from(steps(inks, 8), "CMYK"), rgb_of_cmyk(at_bits(inks, 8)), None
    if mode == "YCbCr":
        # Away from the corners of the cube, so that rounding does not clip.
        values = 0.1 + 0.8 * values
        return _from(np.round(ycbcr_of(values)).astype(np.uint8), "YCbCr"), values, None
    if mode == "LAB":
        lab = np.round(lab_of(values) * [2.55, 1, 1]).astype(int)
        return _from(lab.astype(np.uint8), "LAB"), values, None
    image, expected = Image.fromarray(steps(values, 8)), at_bits(values, 8)
    return _with_alpha(rng, image, expected) if mode == "RGBA" else (image.convert(mode), expected, None)


def _from(samples: Array, mode: str) -> Image.Image:
    return Image.frombytes(mode, (samples.shape[1], samples.shape[0]), samples.tobytes())


def _with_alpha(rng: Rng, image: Image.Image, expected: Array) -> Mode:
    alpha = steps(alpha_scene(rng, expected.shape), 8)
    image.putalpha(Image.fromarray(alpha))
    return image, expected, alpha / 255


def _indexed(rng: Rng, mode: str, shape: tuple[int, int] | None, colors: int | None = None) -> Mode:
    count = colors or int(pick(rng, (2, 4, 16, 100, 256)))
    indices = np.round(gray_scene(rng, shape) * (count - 1)).astype(np.uint8)
    ramp = np.linspace(0, 1, count)
    table = steps(np.stack([ramp ** rng.uniform(0.5, 2) for _ in range(3)], -1), 8)
    order = rng.permutation(count)
    indices, table = order[indices].astype(np.uint8), table[np.argsort(order)]
    image = Image.fromarray(indices).convert("P")
    image.putdata(indices.ravel())
    image.putpalette(table.tobytes())
    expected, alpha = table[indices] / 255, None
    if mode == "PA":
        alpha = steps(alpha_scene(rng, indices.shape), 8)
        image = image.convert("PA")
        image.putalpha(Image.fromarray(alpha))
        alpha = alpha / 255
    return image, expected, alpha


# PNG.


def color_chunks(rng: Rng, channels: int) -> tuple[list[tuple[bytes, bytes]], Callable[[Array], Array], str]:
    """Draws chunks that state the color space of a PNG. Returns them, what they make of values, and words."""
    kind = pick(rng, ("none", "none", "sRGB", "gAMA", "gAMA", "gAMA and cHRM", "cICP", "sRGB and gAMA"))
    space = pick(rng, list(PRIMARIES))
    white, primaries = PRIMARIES[space]
    gamma = pick(rng, (1.0, 1 / 1.8, 1 / 2.2, 1 / 1.4))
    said_gamma = (b"gAMA", struct.pack(">I", round(gamma * 100000)))
    chromaticities = (b"cHRM", struct.pack(">8I", *(round(value * 100000) for value in (*white, *primaries))))
    if kind == "sRGB":
        return [(b"sRGB", b"\0")], lambda x: x, kind
    if kind == "sRGB and gAMA":
        # sRGB comes first, whatever gAMA says (PNG specification, third edition, section 4.3).
        return [(b"sRGB", b"\0"), said_gamma], lambda x: x, kind
    if kind.startswith("gAMA"):
        chunks = [said_gamma] + [chromaticities] * (kind != "gAMA")
        # Decoders may take 1/2.2 for the curve of sRGB, from which it differs by up to 2 of L in the shadows.
        power = 1 / gamma
        return chunks, lambda x: seen_through(x, power, space if kind != "gAMA" else "sRGB"), f"{kind} {gamma:.3f} {space}"
    if kind == "cICP":
        number = {"sRGB": 1, "Display P3": 12, "BT.2020": 9}.get(space, 1)
        space = {1: "sRGB", 12: "Display P3", 9: "BT.2020"}[number]
        transfer = pick(rng, (13, 13, 8, 4, 1, 16))
        words = f"cICP {number} {transfer}"
        chunk = (b"cICP", bytes((number, transfer, 0, 1)))
        if transfer in (13, 1):
            # The curve of BT.709 is shown as that of sRGB, by browsers too.
            return [chunk], lambda x: to_srgb(_matrixed(to_linear(x), space)), words
        if transfer == 16:
            return [chunk], lambda x: to_srgb(_matrixed(_perceptual_quantizer(x), space)), words
        return [chunk], lambda x: seen_through(x, {8: 1.0, 4: 2.2}[transfer], space), words
    return [], lambda x: x, ""


def _matrixed(linear: Array, space: str) -> Array:
    if linear.ndim == 2:
        return linear
    return linear @ (np.linalg.inv(columns(*PRIMARIES["sRGB"], D65)) @ columns(*PRIMARIES[space], D65)).T


def _perceptual_quantizer(values: Array) -> Array:
    """Returns light relative to a white of 203 cd/m² (ITU-R BT.2100, BT.2408)."""
    power = values ** (1 / 78.84375)
    return 10000 / 203 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)


def _png(rng: Rng) -> Foreign:
    mode = pick(rng, ("1", "L", "L", "LA", "P", "P", "RGB", "RGB", "RGBA", "I;16", "I"))
    image, expected, alpha = _image(rng, mode)
    keywords: dict[str, Any] = {"compress_level": int(rng.integers(0, 10))}
    said, info, icc = exif(rng), PngInfo(), None
    chunks, seen, words = color_chunks(rng, 1 if expected.ndim == 2 else 3)
    if chance(rng, 0.2):
        icc, chunks, words = profile(rng, 1 if expected.ndim == 2 else 3), [], ""
        seen = icc.to_srgb
        keywords["icc_profile"] = icc.data
    for name, data in chunks:
        info.add(name, data)
    if mode in ("1", "L", "RGB") and chance(rng, 0.4):
        samples = np.asarray(image)
        point = samples[int(rng.integers(len(samples))), int(rng.integers(samples.shape[1]))]
        keywords["transparency"] = tuple(int(each) for each in point) if mode == "RGB" else int(point) * (255 if mode == "1" else 1)
        same = samples == point
        alpha = 1.0 - (same.all(-1) if mode == "RGB" else same)
    elif mode == "P":
        count = len(image.getpalette() or ()) // 3
        if chance(rng, 0.4):
            table = rng.integers(0, 256, count).astype(np.uint8)
            keywords["transparency"], alpha = table.tobytes(), table[np.asarray(image)] / 255
        if count <= 16 and chance(rng, 0.5):
            keywords["bits"] = next(bits for bits in (1, 2, 4) if 1 << bits >= count)
    if said.image is not None:
        keywords["exif"] = said.image
    data = saved(image, "PNG", pnginfo=info, **keywords)
    keywords.pop("icc_profile", None)
    how = described(mode=mode, color=words or (icc and icc.name), **keywords | {"exif": said.how})
    tolerance = LOSSY if words.startswith("gAMA") and "0.455" in words else LOSSLESS
    return Foreign(data, ".png", f"Pillow, PNG: {how}", [page(seen(expected), alpha, said.orientation)], tolerance)


def _animation(rng: Rng) -> Foreign:
    format = pick(rng, ("PNG", "WEBP", "GIF", "TIFF", "AVIF", "MPO"))
    mode, count, shape = ("RGB", "P")[format == "GIF"], int(rng.integers(2, 5)), size(rng)
    # Frames of a GIF with one palette need no other colors.
    frames = [_indexed(rng, "P", shape, 64) if mode == "P" else _image(rng, mode, shape) for _ in range(count)]
    keywords: dict[str, Any] = {"duration": 80} if format != "TIFF" else {"compression": "tiff_lzw"}
    keywords |= {"lossless": True} if format == "WEBP" else {"quality": 97, "subsampling": "4:4:4"} if format in ("AVIF", "MPO") else {}
    data = saved(frames[0][0], format, save_all=True, append_images=[each for each, _, _ in frames[1:]], **keywords)
    # Further pictures of an MPO are views for other screens.
    pages = [page(expected) for _, expected, _ in (frames[:1] if format == "MPO" else frames)]
    return Foreign(data, f".{format.lower()}", f"Pillow, {count} frames: {format}, {keywords}", pages, LOSSY if format in ("AVIF", "MPO") else LOSSLESS)


# Other formats of Pillow.


def _described(rng: Rng, expected: Array, keywords: dict[str, Any], *, color_space: bool = False) -> tuple[Array, Exif, str]:
    """Adds a profile or EXIF. Returns what is expected, the EXIF, and words."""
    said, words = exif(rng, color_space=color_space), ""
    if said.image is not None:
        keywords["exif"] = said.image
    if chance(rng, 0.25):
        icc = profile(rng, 1 if expected.ndim == 2 else 3)
        keywords["icc_profile"] = icc.data
        # A profile comes before the color space of EXIF.
        return icc.to_srgb(expected), said, f"profile {icc.name}, {said.how}"
    return said.to_srgb(expected), said, said.how


def _jpeg(rng: Rng) -> Foreign:
    mode = pick(rng, ("L", "L", "RGB", "RGB", "RGB", "CMYK", "YCbCr"))
    image, expected, _ = _image(rng, mode)
    keywords: dict[str, Any] = {"quality": int(rng.integers(92, 101)), "progressive": chance(rng, 0.3), "optimize": chance(rng, 0.3)}
    if mode in ("RGB", "YCbCr"):
        keywords["subsampling"] = pick(rng, (0, 0, 1, 2))
        keywords["keep_rgb"] = mode == "RGB" and keywords["subsampling"] == 0 and chance(rng, 0.2)
    if chance(rng, 0.2):
        keywords["restart_marker_blocks"] = 3
    shown = dict(keywords)
    said, words = Exif(), ""
    if mode != "CMYK":
        expected, said, words = _described(rng, expected, keywords, color_space=mode != "L")
    data = saved(image, "JPEG", **keywords)
    how = f"Pillow, JPEG: {described(mode=mode, said=words, **shown)}"
    return Foreign(data, pick(rng, (".jpg", ".jfif", ".jpe")), how, [page(expected, None, said.orientation)], SUBSAMPLED)


_TIFF_COMPRESSIONS = {
    "1": (None, "tiff_ccitt", "group3", "group4", "group4", "tiff_lzw", "packbits", "tiff_adobe_deflate"),
    "L": (None, "tiff_lzw", "tiff_deflate", "packbits", "jpeg", "zstd", "lzma", "tiff_sgilog"),
    "RGB": (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma", "webp"),
    "RGBA": (None, "tiff_lzw", "tiff_adobe_deflate", "webp"),
    "YCbCr": (None, "tiff_lzw", "jpeg"),
    "CMYK": (None, "tiff_lzw", "jpeg"),
}


def _tiff(rng: Rng) -> Foreign:
    mode = pick(rng, ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "I;16", "I;16B", "I", "F"))
    image, expected, alpha = _image(rng, mode)
    tags, words = ImageFileDirectory_v2(), ""
    compression = pick(rng, _TIFF_COMPRESSIONS.get(mode, (None, "tiff_lzw", "tiff_adobe_deflate", "packbits")))
    keywords: dict[str, Any] = {"compression": compression, "big_tiff": chance(rng, 0.15)}
    if compression in ("jpeg", "webp"):
        keywords["quality"] = 97
    orientation = int(rng.integers(1, 9)) if chance(rng, 0.3) else 1
    tags[274], tags[305] = orientation, "scanner"
    if chance(rng, 0.2):
        keywords["strip_size"] = 1024
    if compression in ("tiff_lzw", "tiff_adobe_deflate") and mode not in ("1", "P", "PA") and chance(rng, 0.4):
        tags[317] = 2
    if chance(rng, 0.2) and mode not in ("CMYK", "LAB", "YCbCr"):
        icc = profile(rng, 1 if expected.ndim == 2 else 3)
        keywords["icc_profile"], expected, words = icc.data, icc.to_srgb(expected), icc.name
    data = saved(image, "TIFF", tiffinfo=tags, **keywords)
    keywords.pop("icc_profile", None)
    lossy = SUBSAMPLED if keywords.get("quality") else LOSSY if mode in ("LAB", "YCbCr") else LOSSLESS
    how = f"Pillow, TIFF: {described(mode=mode, orientation=orientation, profile=words, predictor=tags.get(317), **keywords)}"
    return Foreign(data, ".tif", how, [page(expected, alpha, orientation)], lossy)


def _bmp(rng: Rng) -> Foreign:
    mode = pick(rng, ("1", "L", "P", "RGB", "RGBA"))
    image, expected, alpha = _image(rng, mode)
    data = saved(image, format := pick(rng, ("BMP", "DIB")))
    # Without masks the fourth byte of a pixel is reserved, not alpha.
    return Foreign(data, f".{format.lower()}", f"Pillow, {format}: {mode}", [page(expected, alpha)], alpha_optional=True)


def _gif(rng: Rng) -> Foreign:
    mode = pick(rng, ("1", "L", "P", "P", "RGB"))
    image, expected, alpha = _image(rng, mode)
    keywords: dict[str, Any] = {"interlace": int(rng.integers(2))}
    if mode == "P" and chance(rng, 0.5):
        keywords["transparency"] = int(np.asarray(image)[0, -1])
        alpha = 1.0 - (np.asarray(image) == keywords["transparency"])
    how = f"Pillow, GIF: {described(mode=mode, **keywords)}"
    return Foreign(saved(image, "GIF", **keywords), ".gif", how, [page(expected, alpha)], QUANTIZED if mode == "RGB" else LOSSLESS)


def _webp(rng: Rng) -> Foreign:
    mode, lossless = pick(rng, ("RGB", "RGBA", "L")), chance(rng, 0.6)
    image, expected, alpha = _image(rng, mode)
    keywords: dict[str, Any] = {"lossless": lossless, "quality": 97, "exact": chance(rng, 0.7)}
    compared = None if alpha is None or (lossless and keywords["exact"]) else alpha > 0.2
    shown = dict(keywords)
    expected, said, words = _described(rng, expected if mode != "L" else np.dstack([expected] * 3), keywords)
    made = page(expected, alpha, said.orientation, compared)
    how = f"Pillow, WEBP: {described(mode=mode, said=words, **shown)}"
    return Foreign(saved(image, "WEBP", **keywords), ".webp", how, [made], LOSSLESS if lossless else SUBSAMPLED, 0.02)


def _avif(rng: Rng) -> Foreign:
    mode = pick(rng, ("RGB", "RGBA", "L"))
    image, expected, alpha = _image(rng, mode)
    keywords: dict[str, Any] = {"quality": 96, "subsampling": pick(rng, ("4:4:4", "4:2:0", "4:2:2")), "speed": 9}
    keywords |= pick(rng, ({}, {"range": "limited"}))
    shown = dict(keywords)
    expected, said, words = _described(rng, expected if mode != "L" else np.dstack([expected] * 3), keywords)
    compared = None if alpha is None else alpha > 0.2
    how = f"Pillow, AVIF: {described(mode=mode, said=words, **shown)}"
    return Foreign(saved(image, "AVIF", **keywords), ".avif", how, [page(expected, alpha, said.orientation, compared)], SUBSAMPLED, 0.02)


def _jpeg2000(rng: Rng) -> Foreign:
    mode = pick(rng, ("L", "LA", "RGB", "RGBA", "I;16", "YCbCr"))
    image, expected, alpha = _image(rng, mode)
    keywords: dict[str, Any] = {"irreversible": chance(rng, 0.3), "no_jp2": chance(rng, 0.3)}
    if chance(rng, 0.3):
        keywords |= {"tile_size": (32, 32), "num_resolutions": 3}
    # A bare codestream does not say which channel is alpha.
    how = f"Pillow, JPEG 2000: {described(mode=mode, **keywords)}"
    data, suffix = saved(image, "JPEG2000", **keywords), ".j2k" if keywords["no_jp2"] else ".jp2"
    return Foreign(data, suffix, how, [page(expected, alpha)], LOSSY, alpha_optional=keywords["no_jp2"])


def _ppm(rng: Rng) -> Foreign:
    mode = pick(rng, ("1", "L", "RGB", "I;16", "I", "F"))
    image, expected, _ = _image(rng, mode)
    return Foreign(saved(image, "PPM"), ".pfm" if mode == "F" else ".ppm", f"Pillow, PPM: {mode}", [page(expected)])


def _other(rng: Rng) -> Foreign:
    """Formats that artcolor may refuse."""
    formats = {"ICO": "RGBA", "ICNS": "RGBA", "TGA": "RGB", "PCX": "L", "SGI": "RGB", "IM": "L", "MSP": "1", "XBM": "1"}
    formats |= {"DDS": "RGB", "SPIDER": "F", "PDF": "RGB", "EPS": "L", "BLP": "P", "QOI": "RGB"}
    format = pick(rng, list(formats))
    image, expected, alpha = _image(rng, formats[format])
    return Foreign(saved(image, format), f".{format.lower()}", f"Pillow, {format}: {image.mode}", [page(expected, alpha)], alpha_optional=True)


_PILLOW = (_png,) * 6 + (_jpeg,) * 5 + (_tiff,) * 6 + (_animation,) * 2 + (_bmp, _gif, _webp, _webp, _avif, _jpeg2000, _ppm, _other)


def with_pillow(rng: Rng, folder: Path) -> Foreign:
    """Draws a file of any format that Pillow writes."""
    made: Foreign = pick(rng, _PILLOW)(rng)
    return made


# imagecodecs.


def _samples(rng: Rng, channels: int, bits: int) -> tuple[Array, Array, Array | None]:
    """Returns samples of so many bits, expected sRGB, and expected alpha."""
    values, alpha = scene(rng, 1 if channels < 3 else 3), None
    samples, expected = steps(values, bits), at_bits(values, bits)
    if channels in (2, 4):
        alpha = alpha_scene(rng, values.shape)
        samples, alpha = np.dstack([samples, steps(alpha, bits)]), at_bits(alpha, bits)
    return np.ascontiguousarray(samples), expected, alpha


def _codec_png(rng: Rng) -> tuple[Any, ...]:
    bits, channels = pick(rng, (8, 16, 16)), int(rng.integers(1, 5))
    samples, expected, alpha = _samples(rng, channels, bits)
    encode = pick(rng, (imagecodecs.png_encode, imagecodecs.spng_encode, imagecodecs.apng_encode))
    data = _with_chunks(encode(samples), chunks_drawn := color_chunks(rng, 1 if channels < 3 else 3))
    how = f"{bits} bits, {channels} channels, {encode.__name__}, {chunks_drawn[2]}"
    return data, ".png", how, chunks_drawn[1](expected), alpha, LOSSY if "gAMA 0.455" in how else LOSSLESS


def _with_chunks(png: bytes, drawn: tuple[list[tuple[bytes, bytes]], Any, str]) -> bytes:
    """Puts chunks behind the header, in place of those that say something about color."""
    import zlib

    result, at, made = png[:8], 8, b""
    for name, data in drawn[0]:
        made += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big") + 12
        kind = png[at + 4 : at + 8]
        if kind not in (b"sRGB", b"gAMA", b"cHRM", b"iCCP", b"cICP"):
            result += png[at : at + length]
        if kind == b"IHDR":
            result += made
        at += length
    return result


def _codec_jpeg(rng: Rng) -> tuple[Any, ...]:
    kind = pick(rng, ("gray", "ycbcr", "rgb", "cmyk", "ycck", "12 bits", "lossless"))
    if kind in ("cmyk", "ycck"):
        inks = cmyk_of(color_scene(rng))
        # With an Adobe marker, ink is stored inverted; libjpeg writes one.
        data = imagecodecs.jpeg8_encode(255 - steps(inks, 8), level=97, colorspace="CMYK", outcolorspace=kind.upper())
        return data, ".jpg", kind, rgb_of_cmyk(at_bits(inks, 8)), None, SUBSAMPLED
    if kind == "12 bits":
        values = scene(rng, pick(rng, (1, 3)))
        return imagecodecs.jpeg8_encode(steps(values, 12), level=97, bitspersample=12), ".jpg", kind, values, None, LOSSY
    if kind == "lossless":
        bits = pick(rng, (8, 12, 16))
        values = scene(rng, pick(rng, (1, 3)))
        data = imagecodecs.jpeg8_encode(steps(values, bits), lossless=True, bitspersample=bits, predictor=int(rng.integers(1, 8)))
        return data, ".jpg", f"lossless, {bits} bits, {values.ndim} dimensions", values, None, LOSSY
    samples, expected, _ = _samples(rng, 1 if kind == "gray" else 3, 8)
    keywords = {} if kind == "gray" else {"outcolorspace": kind, "subsampling": pick(rng, ("444", "422", "420", "411"))}
    keywords = {key: value for key, value in keywords.items() if kind != "rgb" or key != "subsampling"}
    return imagecodecs.jpeg8_encode(samples, level=97, **keywords), ".jpg", described(kind=kind, **keywords), expected, None, SUBSAMPLED


def _codec_jpeg2000(rng: Rng) -> tuple[Any, ...]:
    bits, channels, form = pick(rng, (8, 8, 10, 12, 16)), pick(rng, (1, 3, 3, 4)), pick(rng, ("jp2", "j2k"))
    samples, expected, alpha = _samples(rng, channels, bits)
    keywords = {"codecformat": form, "bitspersample": bits, "reversible": chance(rng, 0.7), "mct": channels == 3 and chance(rng, 0.5)}
    encode, suffix = imagecodecs.jpeg2k_encode, f".{form}"
    if chance(rng, 0.2) and channels != 4 and bits in (8, 16):
        encode, keywords = imagecodecs.htj2k_encode, {"reversible": True}
    data = encode(samples, **keywords)
    return data, suffix, f"{channels} channels, {bits} bits, {encode.__name__}, {keywords}", expected, alpha, LOSSY


def _codec_webp(rng: Rng) -> tuple[Any, ...]:
    lossless = chance(rng, 0.6)
    samples, expected, alpha = _samples(rng, pick(rng, (3, 4)), 8)
    data = imagecodecs.webp_encode(samples, level=98, lossless=lossless)
    compared = None if alpha is None else alpha > 0.2
    return data, ".webp", f"lossless={lossless}", expected, alpha, LOSSLESS if lossless else SUBSAMPLED, compared


def _codec_avif(rng: Rng) -> tuple[Any, ...]:
    bits, channels = pick(rng, (8, 10, 12)), pick(rng, (1, 3, 3, 4))
    samples, expected, alpha = _samples(rng, channels, bits)
    keywords = {"level": 97, "bitspersample": bits, "pixelformat": "400" if channels == 1 else pick(rng, ("444", "422", "420"))}
    compared = None if alpha is None else alpha > 0.2
    data = imagecodecs.avif_encode(samples, speed=9, numthreads=1, **keywords)
    return data, ".avif", f"{channels} channels, {keywords}", expected, alpha, SUBSAMPLED, compared


def _codec_other(rng: Rng) -> tuple[Any, ...]:
    """Formats that artcolor may refuse."""
    name = pick(rng, ("jpegxl", "jpegxl", "jpegxr", "jpegls", "qoi", "bmp", "gif", "rgbe"))
    samples, expected, alpha = _samples(rng, 1 if name == "jpegls" else 3, 8)
    if name == "gif":
        samples, expected = samples[..., 0].copy(), expected[..., 0]
    if name == "rgbe":
        samples, expected = to_linear(expected).astype(np.float32), expected
    data = getattr(imagecodecs, f"{name}_encode")(samples)
    suffix = {"jpegxl": "jxl", "jpegxr": "jxr", "jpegls": "jls", "rgbe": "hdr"}.get(name, name)
    return data, f".{suffix}", name, expected, alpha, LOSSY


_CODECS = (_codec_png, _codec_png, _codec_jpeg, _codec_jpeg, _codec_jpeg2000, _codec_jpeg2000, _codec_webp, _codec_avif, _codec_other)


def with_imagecodecs(rng: Rng, folder: Path) -> Foreign:
    """Draws a file of any format that imagecodecs writes."""
    codec = pick(rng, _CODECS)
    try:
        data, suffix, how, expected, alpha, tolerance, *compared = codec(rng)
    except (ValueError, RuntimeError, TypeError) as error:
        raise UnwritableError(f"{codec.__name__}: {type(error).__name__}: {error}") from error
    made = Page(expected, alpha, *compared)
    names = {".jxl": "JPEG XL"}
    bare = suffix == ".j2k"
    how = f"imagecodecs, {suffix[1:]}: {how}"
    return Foreign(bytes(data), suffix, how, [made], tolerance, 0.02, alpha_optional=bare, must_name=names.get(suffix, ""))
