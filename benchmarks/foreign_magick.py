"""Files that ImageMagick writes, of random legal forms."""

import io
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import tifffile
from foreign_files import (
    LOSSLESS,
    LOSSY,
    QUANTIZED,
    SUBSAMPLED,
    Array,
    Foreign,
    Page,
    Rng,
    UnwritableError,
    alpha_scene,
    at_bits,
    chance,
    gray_scene,
    page,
    pick,
    profile,
    scene,
    seen_through,
    steps,
)
from foreign_libtiff import run

# ImageMagick 7 is called "magick"; "convert" of version 6 may be hidden behind another program of that name.
MAGICK = ("magick", "convert-im6.q16", "convert-im6", "convert")


def _raw(samples: Array) -> tuple[list[str], bytes]:
    """Returns options with which ImageMagick reads samples of 16 bits, and their bytes."""
    kind = {1: "gray", 3: "rgb", 4: "rgba"}[1 if samples.ndim == 2 else samples.shape[2]]
    given = ["-size", f"{samples.shape[1]}x{samples.shape[0]}", "-depth", "16", "-endian", "MSB", f"{kind}:-"]
    return given, samples.astype(">u2").tobytes()


def with_magick(rng: Rng, folder: Path) -> Foreign:
    """Draws a file of ImageMagick."""
    kind = pick(rng, ("png", "png", "tif", "tif", "tif", "jpg", "pnm", "bmp", "gif", "modern", "other"))
    return _MAGICK_KINDS[kind](rng, folder)


def _subfile_types(data: bytes) -> list[int]:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return [int(each.subfiletype) for each in file.pages]


def _magick(
    source: Array, options: list[str], target: str, made: Page, tolerance: float = LOSSLESS, *, optional: bool = False
) -> Foreign:
    program = next(filter(shutil.which, MAGICK))
    icc = Path(options[options.index("-profile") + 1]).read_bytes() if "-profile" in options else b""
    given, data = _raw(source)
    written = run(program, *given, *options, f"{target}:-", data=data)
    if icc and not any(mark in written for mark in (icc, b"iCCP")):
        raise UnwritableError("ImageMagick dropped the profile")
    if target == "ptif" and any(not tag & 1 for tag in _subfile_types(written)[1:]):
        raise UnwritableError("ImageMagick calls the smaller copies pages")
    suffix = {"png": ".png", "tif": ".tif", "ptif": ".tif", "bmp": ".bmp"}.get(
        target.rstrip("0123456789"), f".{target}"
    )
    shown = " ".join(option if len(option) < 60 else f"…{Path(option).name}" for option in [*given, *options])
    return Foreign(written, suffix, f"convert {shown} {target}:-", [made], tolerance, 0.02, alpha_optional=optional)


def _magick_scene(rng: Rng, share_of_alpha: float, bits: int) -> tuple[Array, Array, Array | None]:
    """Returns samples of 16 bits that are exact in so many bits, expected values, and alpha."""
    values, alpha = at_bits(scene(rng, pick(rng, (1, 3, 3))), bits), None
    samples = steps(values, 16)
    if chance(rng, share_of_alpha):
        alpha = at_bits(alpha_scene(rng, values.shape), bits)
        samples = np.dstack([samples if values.ndim == 3 else np.dstack([samples] * 3), steps(alpha, 16)])
    return samples, values, alpha


def _magick_png(rng: Rng, folder: Path) -> Foreign:
    bits = pick(rng, (8, 8, 16, 4, 2, 1))
    if bits < 8:
        values = at_bits(gray_scene(rng), bits)
        options = pick(rng, ([], ["-define", f"png:bit-depth={bits}"], ["-define", "png:color-type=3"]))
        options = ["-depth", str(bits), *options, *pick(rng, ([], ["-interlace", "PNG"]))]
        return _magick(steps(values, 16), options, "png", page(values))
    samples, values, alpha = _magick_scene(rng, 0.3, bits)
    target = pick(rng, ("png", "png", "png24", "png32", "png48", "png64", "png00", "png8"))
    tolerance = LOSSY if bits == 16 else LOSSLESS
    if target == "png8":
        # ImageMagick draws its own palette, with hard transparency.
        samples, alpha, tolerance = samples[..., :3] if samples.ndim == 3 else samples, None, QUANTIZED
    elif target in ("png24", "png48") and alpha is not None:
        raise UnwritableError
    options = ["-depth", str(bits), *pick(rng, ([], [], ["-interlace", "PNG"]))]
    expected = values
    if chance(rng, 0.3) and target != "png8":
        gamma = pick(rng, (1.0, 0.5, 0.55556, 0.7))
        # +gamma states a gamma and leaves the pixels unchanged.
        options += ["+gamma", f"{gamma:.5f}"]
        made = _magick(samples, options, target, page(values, alpha), tolerance)
        place = made.data.find(b"gAMA")
        stated = int.from_bytes(made.data[place + 4 : place + 8], "big") / 100000 if place > 0 else None
        # Gammas near that of sRGB mean its curve, as in libpng.
        if stated is not None and b"sRGB" not in made.data and abs(stated / 0.45455 - 1) >= 0.05:
            made.pages = [page(seen_through(values, 1 / stated), alpha)]
        return made
    if chance(rng, 0.25) and target != "png8":
        icc = profile(rng, 1 if values.ndim == 2 and alpha is None else 3)
        (folder / "p.icc").write_bytes(icc.data)
        options += ["-profile", str(folder / "p.icc")]
        expected = icc.to_srgb(values)
    return _magick(samples, options, target, page(expected, alpha), tolerance)


def _magick_tiff(rng: Rng, folder: Path) -> Foreign:
    options = [*pick(rng, ([], ["-endian", "MSB"], ["-endian", "LSB"])), *pick(rng, ([], ["-interlace", "plane"]))]
    options += pick(rng, ([], [], ["-define", "tiff:rows-per-strip=9"], ["-define", "tiff:tile-geometry=32x32"]))
    options += pick(rng, ([], [], [], ["-define", "tiff:fill-order=lsb"]))
    target = pick(rng, ("tif", "tif", "tif", "tiff64", "ptif"))
    compressions = ["None", "LZW", "Zip", "RLE", "LZMA", "ZSTD"]
    kind = pick(
        rng,
        ("plain", "plain", "plain", "bilevel", "few bits", "float", "cmyk", "lab", "jpeg", "palette", "gray", "webp"),
    )
    if kind == "bilevel":
        values = (gray_scene(rng) > 0.5).astype(float)
        options += ["-type", "Bilevel", "-compress", pick(rng, ("Fax", "Group4", "None", "LZW", "Zip", "RLE"))]
        if options[-1] in ("Fax", "Group4"):
            # With other compressions it states a polarity that it does not write.
            options += pick(
                rng, ([], *(["-define", f"quantum:polarity=min-is-{color}"] for color in ("white", "black")))
            )
        return _magick(steps(values, 16), options, target if target != "ptif" else "tif", page(values))
    if kind == "few bits":
        bits = pick(rng, (2, 4, 10, 12, 14))
        values = at_bits(gray_scene(rng), bits)
        if "tiff:tile-geometry=32x32" in options:
            raise UnwritableError("ImageMagick mixes up the bits of such tiles")
        options += ["-depth", str(bits), "-compress", pick(rng, compressions)]
        return _magick(steps(values, 16), options, "tif", page(values))
    bits = pick(rng, (8, 16))
    samples, values, alpha = _magick_scene(rng, 0.3 if kind in ("plain", "cmyk", "float") else 0, bits)
    expected, tolerance, compared = values, LOSSLESS if bits == 8 else LOSSY, None
    if kind == "jpeg":
        options += ["-compress", "JPEG", "-quality", "97", "-depth", "8"]
        if values.ndim == 3 and "plane" not in options:
            # ImageMagick itself reads other colors from planes of YCbCr.
            options += pick(rng, ([], ["-colorspace", "YCbCr"]))
        options += pick(rng, ([], ["-sampling-factor", "1x1"], ["-sampling-factor", "2x2"]))
        return _magick(samples, options, target, page(values), SUBSAMPLED)
    if kind == "webp":
        return _magick(
            samples, [*options, "-compress", "WebP", "-quality", "100", "-depth", "8"], "tif", page(values), SUBSAMPLED
        )
    options += ["-compress", pick(rng, compressions)]
    if kind == "float":
        options += ["-define", "quantum:format=floating-point", "-depth", pick(rng, ("16", "24", "32", "64"))]
    else:
        options += ["-depth", str(bits)]
    if kind == "cmyk":
        options += ["-colorspace", "CMYK"]
    elif kind == "lab":
        if "plane" in options:
            raise UnwritableError("ImageMagick itself reads other colors from such files")
        # ImageMagick's Lab is relative to D65, so only gray is the same in all readers.
        samples = samples if samples.ndim == 2 else samples[..., 1]
        expected, tolerance = values if values.ndim == 2 else values[..., 1], LOSSY
        options += ["-colorspace", "Lab"]
    elif kind == "gray" and values.ndim == 3:
        options += ["-colorspace", "Gray"]
        expected, tolerance = values @ [0.212656, 0.715158, 0.072186], LOSSY
    elif kind == "palette":
        if "tiff:tile-geometry=32x32" in options:
            raise UnwritableError("ImageMagick mixes up the bits of such tiles")
        options += ["-type", "Palette", *pick(rng, (["-colors", "256"], ["-colors", "16"]))]
        tolerance = 3 * QUANTIZED if options[-1] == "16" else QUANTIZED
        if values.ndim == 2:
            # Its palette of a gray picture has few levels.
            tolerance = 3 * QUANTIZED
    if "24" in options and "tiff:tile-geometry=32x32" in options:
        raise UnwritableError("ImageMagick itself reads noise from such tiles")
    # It does not premultiply separate planes, and premultiplied ink is not defined.
    if alpha is not None and kind != "cmyk" and "plane" not in options and chance(rng, 0.4):
        options += ["-define", "tiff:alpha=associated"]
        # Where alpha is small, little of the color is left.
        compared, tolerance = alpha > 0.3, LOSSY
    if kind not in ("cmyk", "lab", "gray", "palette") and chance(rng, 0.2) and alpha is None:
        icc = profile(rng, 1 if values.ndim == 2 else 3)
        (folder / "p.icc").write_bytes(icc.data)
        options += ["-profile", str(folder / "p.icc")]
        expected = icc.to_srgb(values)
    orientation = 1
    if chance(rng, 0.2):
        orientation = int(rng.integers(1, 9))
        names = "TopLeft TopRight BottomRight BottomLeft LeftTop RightTop RightBottom LeftBottom"
        options += ["-orient", names.split()[orientation - 1]]
    return _magick(samples, options, target, page(expected, alpha, orientation, compared), tolerance)


def _magick_jpeg(rng: Rng, folder: Path) -> Foreign:
    samples, values, _ = _magick_scene(rng, 0, 8)
    options = [
        "-quality",
        str(int(rng.integers(93, 101))),
        *pick(rng, ([], ["-interlace", "JPEG"], ["-interlace", "Plane"])),
    ]
    options += pick(
        rng, ([], ["-sampling-factor", "4:4:4"], ["-sampling-factor", "4:2:0"], ["-sampling-factor", "4:1:1"])
    )
    expected = values
    kind = pick(rng, ("plain", "plain", "cmyk", "gray", "rgb", "profile", "arithmetic"))
    tolerance = SUBSAMPLED
    if kind == "cmyk":
        options += ["-colorspace", "CMYK"]
        # Inks are subsampled too, and black counts for more than chroma does.
        tolerance = 2 * SUBSAMPLED
    elif kind == "gray" and values.ndim == 3:
        options += ["-colorspace", "Gray"]
        expected = values @ [0.212656, 0.715158, 0.072186]
    elif kind == "profile":
        icc = profile(rng, 1 if values.ndim == 2 else 3)
        (folder / "p.icc").write_bytes(icc.data)
        options += ["-profile", str(folder / "p.icc")]
        expected = icc.to_srgb(values)
    elif kind == "arithmetic":
        options += ["-define", "jpeg:arithmetic-coding=on"]
    return _magick(samples, options, "jpg", page(expected), tolerance)


def _magick_pnm(rng: Rng, folder: Path) -> Foreign:
    target = pick(rng, ("pbm", "pgm", "ppm", "pnm", "pam", "pfm"))
    bits = {"pbm": 1, "pfm": 16}.get(target) or pick(rng, (8, 8, 16, 4, 10, 12))
    values = at_bits(scene(rng, {"pbm": 1, "pgm": 1, "ppm": 3}.get(target) or pick(rng, (1, 3))), bits)
    options = ["-depth", str(bits if target != "pfm" else 32), *pick(rng, ([], ["-compress", "none"]))]
    if target == "pfm":
        options += pick(rng, ([], ["-endian", "LSB"], ["-endian", "MSB"]))
    samples, alpha = steps(values, 16), None
    if target == "pam" and values.ndim == 3 and chance(rng, 0.5):
        alpha = at_bits(alpha_scene(rng, values.shape), bits)
        samples = np.dstack([samples, steps(alpha, 16)])
    return _magick(samples, options, target, page(values, alpha))


def _magick_bmp(rng: Rng, folder: Path) -> Foreign:
    target = pick(rng, ("bmp", "bmp2", "bmp3", "bmp"))
    samples, values, alpha = _magick_scene(rng, 0.3 if target == "bmp" else 0, 8)
    options, tolerance = (
        list(pick(rng, ([], [], ["-compress", "RLE"], ["-type", "Palette"], ["-type", "TrueColor"]))),
        LOSSLESS,
    )
    if target == "bmp" and alpha is None and chance(rng, 0.3):
        options, tolerance = (
            ["-define", f"bmp:subtype={pick(rng, ('RGB565', 'RGB555', 'ARGB4444', 'ARGB1555'))}"],
            LOSSY,
        )
        tolerance = QUANTIZED
    elif values.ndim == 3 and set(options) & {"RLE", "Palette"}:
        tolerance = QUANTIZED
    if "Palette" in options:
        # With alpha, its palette has to hold all kinds of transparency too.
        tolerance = QUANTIZED if alpha is None else 3 * QUANTIZED
    return _magick(samples, options, target, page(values, alpha), tolerance, optional=True)


def _magick_gif(rng: Rng, folder: Path) -> Foreign:
    samples, values, _ = _magick_scene(rng, 0, 8)
    options = [*pick(rng, ([], ["-interlace", "GIF"])), *pick(rng, (["+dither"], ["-dither", "FloydSteinberg"]))]
    return _magick(samples, options, pick(rng, ("gif", "gif87")), page(values), QUANTIZED)


def _magick_modern(rng: Rng, folder: Path) -> Foreign:
    target = pick(rng, ("webp", "webp", "jp2", "jp2", "j2k", "avif", "heic"))
    bits = pick(rng, (8, 8, 12, 16)) if target in ("jp2", "j2k") else 8
    # ImageMagick 6 leaves out the alpha of HEIC and AVIF, and a bare codestream does not say what a channel is.
    samples, values, alpha = _magick_scene(rng, 0.3 if target in ("webp", "jp2") else 0, bits)
    options, tolerance = ["-depth", str(bits), "-quality", "97"], SUBSAMPLED
    if target == "webp" and chance(rng, 0.5):
        options, tolerance = ["-define", "webp:lossless=true", "-quality", "100"], LOSSLESS
    elif target in ("jp2", "j2k"):
        options, tolerance = ["-depth", str(bits), "-quality", "100"], LOSSY
        if chance(rng, 0.3):
            options += ["-define", "jp2:progression-order=RPCL", "-define", "jp2:number-resolutions=3"]
    # Codecs change what cannot be seen.
    compared = None if alpha is None else alpha > 0.3
    return _magick(samples, options, target, page(values, alpha, 1, compared), tolerance)


def _magick_other(rng: Rng, folder: Path) -> Foreign:
    """Formats that artcolor may refuse."""
    target = pick(
        rng,
        (
            "tga",
            "pcx",
            "miff",
            "psd",
            "sgi",
            "ras",
            "dpx",
            "fits",
            "mng",
            "jng",
            "ico",
            "xpm",
            "exr",
            "hdr",
            "pdf",
            "cin",
        ),
    )
    samples, values, _ = _magick_scene(rng, 0, 8)
    made = _magick(samples, ["-depth", "8"], target, page(values), SUBSAMPLED)
    if target == "exr" and not made.data:
        # Debian has the module for OpenEXR in a package of its own.
        target = "hdr"
        made = _magick(samples, ["-depth", "8"], target, page(values), SUBSAMPLED)
    made.must_name = {"psd": "Photoshop", "exr": "high dynamic range", "hdr": "high dynamic range"}.get(target, "")
    return made


_MAGICK_KINDS: Mapping[str, Callable[[Rng, Path], Foreign]] = MappingProxyType(
    {
        "png": _magick_png,
        "tif": _magick_tiff,
        "jpg": _magick_jpeg,
        "pnm": _magick_pnm,
        "bmp": _magick_bmp,
        "gif": _magick_gif,
        "modern": _magick_modern,
        "other": _magick_other,
    }
)
