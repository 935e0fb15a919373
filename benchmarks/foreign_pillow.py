"""Files that Pillow writes, of random legal forms."""

from pathlib import Path
from typing import Any

import numpy as np
from foreign_files import (
    LOSSLESS,
    LOSSY,
    QUANTIZED,
    SUBSAMPLED,
    Array,
    Exif,
    Foreign,
    Rng,
    alpha_scene,
    at_bits,
    chance,
    cmyk_of,
    cmyk_profile,
    color_scene,
    described,
    exif,
    gray_scene,
    lab_of,
    page,
    pick,
    profile,
    rgb_of_cmyk,
    saved,
    size,
    steps,
    ycbcr_of,
)
from foreign_png import color_chunks
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


def cmyk_samples(image: Image.Image) -> Array:
    """Returns the inks of an image of mode CMYK, in 0..1."""
    return np.asarray(image) / 255


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


def _png(rng: Rng) -> Foreign:
    mode = pick(rng, ("1", "L", "L", "LA", "P", "P", "RGB", "RGB", "RGBA", "I;16", "I"))
    image, expected, alpha = _image(rng, mode)
    keywords: dict[str, Any] = {"compress_level": int(rng.integers(0, 10))}
    said, info, icc = exif(rng), PngInfo(), None
    chunks, seen, words = color_chunks(rng)
    if chance(rng, 0.2):
        icc, chunks, words = profile(rng, 1 if expected.ndim == 2 else 3), [], ""
        seen = icc.to_srgb
        keywords["icc_profile"] = icc.data
    for name, data in chunks:
        info.add(name, data)
    if mode in ("1", "L", "RGB") and chance(rng, 0.4):
        samples = np.asarray(image)
        point = samples[int(rng.integers(len(samples))), int(rng.integers(samples.shape[1]))]
        keywords["transparency"] = tuple(int(each) for each in point) if mode == "RGB" else int(point)
        if mode == "1":
            # Only the lowest bit counts (PNG specification, third edition, section 11.3.1.1).
            keywords["transparency"] = int(point) * pick(rng, (1, 255))
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
    # Few colors, so that Pillow keeps the palette of a GIF.
    frames = [_indexed(rng, "P", shape, 64) if mode == "P" else _image(rng, mode, shape) for _ in range(count)]
    keywords: dict[str, Any] = {"duration": 80} if format != "TIFF" else {"compression": "tiff_lzw"}
    keywords |= (
        {"lossless": True}
        if format == "WEBP"
        else {"quality": 97, "subsampling": "4:4:4"}
        if format in ("AVIF", "MPO")
        else {}
    )
    data = saved(frames[0][0], format, save_all=True, append_images=[each for each, _, _ in frames[1:]], **keywords)
    # The further pictures of an MPO are previews.
    pages = [page(expected) for _, expected, _ in (frames[:1] if format == "MPO" else frames)]
    return Foreign(
        data,
        f".{format.lower()}",
        f"Pillow, {count} frames: {format}, {keywords}",
        pages,
        LOSSY if format in ("AVIF", "MPO") else LOSSLESS,
    )


# Other formats of Pillow.


def _described(
    rng: Rng, expected: Array, keywords: dict[str, Any], *, color_space: bool = False
) -> tuple[Array, Exif, str]:
    """Adds a profile or EXIF. Returns what is expected, the EXIF, and words."""
    said = exif(rng, color_space=color_space)
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
    keywords: dict[str, Any] = {
        "quality": int(rng.integers(92, 101)),
        "progressive": chance(rng, 0.3),
        "optimize": chance(rng, 0.3),
    }
    if mode in ("RGB", "YCbCr"):
        keywords["subsampling"] = pick(rng, (0, 0, 1, 2))
        keywords["keep_rgb"] = mode == "RGB" and keywords["subsampling"] == 0 and chance(rng, 0.2)
    if chance(rng, 0.2):
        keywords["restart_marker_blocks"] = 3
    shown = dict(keywords)
    said, words = Exif(), ""
    if mode != "CMYK":
        expected, said, words = _described(rng, expected, keywords, color_space=mode != "L")
    elif chance(rng, 0.4):
        icc = cmyk_profile()
        keywords["icc_profile"], expected, words = icc.data, icc.to_srgb(cmyk_samples(image)), icc.name
    data = saved(image, "JPEG", **keywords)
    how = f"Pillow, JPEG: {described(mode=mode, said=words, **shown)}"
    return Foreign(
        data, pick(rng, (".jpg", ".jfif", ".jpe")), how, [page(expected, None, said.orientation)], SUBSAMPLED
    )


_TIFF_COMPRESSIONS = {
    "1": (None, "tiff_ccitt", "group3", "group4", "group4", "tiff_lzw", "packbits", "tiff_adobe_deflate"),
    "L": (None, "tiff_lzw", "tiff_deflate", "packbits", "jpeg", "zstd", "lzma", "tiff_sgilog"),
    "RGB": (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma", "webp"),
    "RGBA": (None, "tiff_lzw", "tiff_adobe_deflate", "webp"),
    "YCbCr": (None, "tiff_lzw", "jpeg"),
    "CMYK": (None, "tiff_lzw", "jpeg"),
}


def _tiff(rng: Rng) -> Foreign:
    mode = pick(
        rng, ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "I;16", "I;16B", "I", "F")
    )
    image, expected, alpha = _image(rng, mode)
    tags, words = ImageFileDirectory_v2(), ""
    compression = pick(rng, _TIFF_COMPRESSIONS.get(mode, (None, "tiff_lzw", "tiff_adobe_deflate", "packbits")))
    # Pillow leaves the offset of the pixels zero in a big-endian BigTIFF.
    keywords: dict[str, Any] = {"compression": compression, "big_tiff": mode != "I;16B" and chance(rng, 0.15)}
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
    how = described(mode=mode, orientation=orientation, profile=words, predictor=tags.get(317), **keywords)
    return Foreign(data, ".tif", f"Pillow, TIFF: {how}", [page(expected, alpha, orientation)], lossy)


def _bmp(rng: Rng) -> Foreign:
    mode = pick(rng, ("1", "L", "P", "RGB", "RGBA"))
    image, expected, alpha = _image(rng, mode)
    data = saved(image, format := pick(rng, ("BMP", "DIB")))
    # Without masks the fourth byte of a pixel is reserved, not alpha.
    return Foreign(
        data, f".{format.lower()}", f"Pillow, {format}: {mode}", [page(expected, alpha)], alpha_optional=True
    )


def _gif(rng: Rng) -> Foreign:
    mode = pick(rng, ("1", "L", "P", "P", "RGB"))
    image, expected, alpha = _image(rng, mode)
    keywords: dict[str, Any] = {"interlace": int(rng.integers(2))}
    if mode == "P" and chance(rng, 0.5):
        keywords["transparency"] = int(np.asarray(image)[0, -1])
        alpha = 1.0 - (np.asarray(image) == keywords["transparency"])
    how = f"Pillow, GIF: {described(mode=mode, **keywords)}"
    return Foreign(
        saved(image, "GIF", **keywords), ".gif", how, [page(expected, alpha)], QUANTIZED if mode == "RGB" else LOSSLESS
    )


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
    return Foreign(
        saved(image, "AVIF", **keywords),
        ".avif",
        how,
        [page(expected, alpha, said.orientation, compared)],
        SUBSAMPLED,
        0.02,
    )


def _jpeg2000(rng: Rng) -> Foreign:
    mode = pick(rng, ("L", "LA", "RGB", "RGBA", "I;16", "YCbCr"))
    image, expected, alpha = _image(rng, mode)
    # A bare codestream does not say that channels are YCbCr, or which one is alpha.
    keywords: dict[str, Any] = {"irreversible": chance(rng, 0.3), "no_jp2": mode != "YCbCr" and chance(rng, 0.3)}
    if chance(rng, 0.3) and mode != "I;16":
        # Pillow writes the last tiles of 16 bits wrongly.
        keywords |= {"tile_size": (32, 32), "num_resolutions": 3}
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
    return Foreign(
        saved(image, format),
        f".{format.lower()}",
        f"Pillow, {format}: {image.mode}",
        [page(expected, alpha)],
        alpha_optional=True,
    )


_PILLOW = (
    (_png,) * 6
    + (_jpeg,) * 5
    + (_tiff,) * 6
    + (_animation,) * 2
    + (_bmp, _gif, _webp, _webp, _avif, _jpeg2000, _ppm, _other)
)


def with_pillow(rng: Rng, folder: Path) -> Foreign:
    """Draws a file of any format that Pillow writes."""
    made: Foreign = pick(rng, _PILLOW)(rng)
    return made
