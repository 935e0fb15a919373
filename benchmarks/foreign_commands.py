"""Files that command-line tools write, of random legal forms: ImageMagick, ExifTool, libtiff, libjxl and libvips."""

import shutil
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
    saved,
    scene,
    seen_through,
    steps,
    to_linear,
)
from foreign_tiff import run, with_libtiff
from PIL import Image

# ImageMagick 7 is called "magick"; "convert" of version 6 may be hidden behind another program of that name.
_MAGICK = ("magick", "convert-im6.q16", "convert-im6", "convert")


@dataclass(frozen=True)
class Command:
    """A tool that is called as a command.

    Attributes:
        draw: makes a file with it.
        programs: names of which one must be installed.
        package: of Debian, that installs it.
    """

    draw: Callable[[Rng, Path], Foreign]
    programs: tuple[str, ...]
    package: str

    def missing(self) -> str | None:
        """Returns why it cannot be used here, or `None`."""
        if any(map(shutil.which, self.programs)):
            return None
        return f"{self.programs[0]} is not installed: apt-get install {self.package}"


# ImageMagick.


def _raw(samples: Array) -> tuple[list[str], bytes]:
    """Returns options with which ImageMagick reads samples of 16 bits, and their bytes."""
    kind = {1: "gray", 3: "rgb", 4: "rgba"}[1 if samples.ndim == 2 else samples.shape[2]]
    given = ["-size", f"{samples.shape[1]}x{samples.shape[0]}", "-depth", "16", "-endian", "MSB", f"{kind}:-"]
    return given, samples.astype(">u2").tobytes()


def with_magick(rng: Rng, folder: Path) -> Foreign:
    """Draws a file of ImageMagick."""
    kind = pick(rng, ("png", "png", "tif", "tif", "tif", "jpg", "pnm", "bmp", "gif", "modern", "other"))
    return _MAGICK_KINDS[kind](rng, folder)


def _magick(
    source: Array, options: list[str], target: str, made: Page, tolerance: float = LOSSLESS, *, optional: bool = False
) -> Foreign:
    program = next(filter(shutil.which, _MAGICK))
    given, data = _raw(source)
    written = run(program, *given, *options, f"{target}:-", data=data)
    suffix = {"png": ".png", "tif": ".tif", "ptif": ".tif", "bmp": ".bmp"}.get(target.rstrip("0123456789"), f".{target}")
    shown = " ".join(option if len(option) < 60 else f"…{Path(option).name}" for option in [*given, *options])
    return Foreign(written, suffix, f"convert {shown} {target}:-", [made], tolerance, 0.02, alpha_optional=optional)


def _magick_scene(rng: Rng, share_of_alpha: float, bits: int) -> tuple[Array, Array, Array | None]:
    """Returns samples of 16 bits that so many bits hold exactly, what they mean, and alpha."""
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
        # +gamma states a gamma without a change of the pixels.
        options += ["+gamma", f"{gamma:.5f}"]
        made = _magick(samples, options, target, page(values, alpha), tolerance)
        place = made.data.find(b"gAMA")
        stated = int.from_bytes(made.data[place + 4 : place + 8], "big") / 100000 if place > 0 else None
        if stated is not None and b"sRGB" not in made.data[:place] and b"sRGB\0\0\0\0" not in made.data[:200]:
            made.pages = [page(seen_through(values, 1 / stated), alpha)]
            # Near that of sRGB, libpng and others take its curve.
            if abs(stated / 0.45455 - 1) < 0.05:
                made.pages = [page(values, alpha)]
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
    kind = pick(rng, ("plain", "plain", "plain", "bilevel", "few bits", "float", "cmyk", "lab", "jpeg", "palette", "gray", "webp"))
    if kind == "bilevel":
        values = (gray_scene(rng) > 0.5).astype(float)
        options += ["-type", "Bilevel", "-compress", pick(rng, ("Fax", "Group4", "None", "LZW", "Zip", "RLE"))]
        options += pick(rng, ([], ["-define", "quantum:polarity=min-is-white"], ["-define", "quantum:polarity=min-is-black"]))
        return _magick(steps(values, 16), options, target if target != "ptif" else "tif", page(values))
    if kind == "few bits":
        bits = pick(rng, (2, 4, 10, 12, 14))
        values = at_bits(gray_scene(rng), bits)
        options += ["-depth", str(bits), "-compress", pick(rng, compressions)]
        options += pick(rng, ([], ["-define", "quantum:polarity=min-is-white"]))
        return _magick(steps(values, 16), options, "tif", page(values))
    bits = pick(rng, (8, 16))
    samples, values, alpha = _magick_scene(rng, 0.3 if kind in ("plain", "cmyk", "float") else 0, bits)
    expected, tolerance, compared = values, LOSSLESS if bits == 8 else LOSSY, None
    if kind == "jpeg":
        options += ["-compress", "JPEG", "-quality", "97", "-depth", "8"]
        options += pick(rng, ([], ["-colorspace", "YCbCr"])) if values.ndim == 3 else []
        options += pick(rng, ([], ["-sampling-factor", "1x1"], ["-sampling-factor", "2x2"]))
        return _magick(samples, options, target, page(values), SUBSAMPLED)
    if kind == "webp":
        return _magick(samples, [*options, "-compress", "WebP", "-quality", "100", "-depth", "8"], "tif", page(values), SUBSAMPLED)
    options += ["-compress", pick(rng, compressions)]
    if kind == "float":
        options += ["-define", "quantum:format=floating-point", "-depth", pick(rng, ("16", "24", "32", "64"))]
    else:
        options += ["-depth", str(bits)]
    if kind == "cmyk":
        options += ["-colorspace", "CMYK"]
    elif kind == "lab":
        # ImageMagick's Lab is relative to D65, so only gray is the same in all readers.
        samples = samples if samples.ndim == 2 else samples[..., 1]
        expected, tolerance = values if values.ndim == 2 else values[..., 1], LOSSY
        options += ["-colorspace", "Lab"]
    elif kind == "gray" and values.ndim == 3:
        options += ["-colorspace", "Gray"]
        expected, tolerance = values @ [0.212656, 0.715158, 0.072186], LOSSY
    elif kind == "palette":
        options += ["-type", "Palette", *pick(rng, (["-colors", "256"], ["-colors", "16"]))]
        tolerance = 3 * QUANTIZED if options[-1] == "16" else QUANTIZED
        if values.ndim == 2:
            # Its palette of gray is gray of few levels.
            tolerance = 3 * QUANTIZED
    if alpha is not None and chance(rng, 0.4):
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
    options = ["-quality", str(int(rng.integers(93, 101))), *pick(rng, ([], ["-interlace", "JPEG"], ["-interlace", "Plane"]))]
    options += pick(rng, ([], ["-sampling-factor", "4:4:4"], ["-sampling-factor", "4:2:0"], ["-sampling-factor", "4:1:1"]))
    expected = values
    kind = pick(rng, ("plain", "plain", "cmyk", "gray", "rgb", "profile", "arithmetic"))
    if kind == "cmyk":
        options += ["-colorspace", "CMYK"]
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
    return _magick(samples, options, "jpg", page(expected), SUBSAMPLED)


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
    options, tolerance = list(pick(rng, ([], [], ["-compress", "RLE"], ["-type", "Palette"], ["-type", "TrueColor"]))), LOSSLESS
    if target == "bmp" and alpha is None and chance(rng, 0.3):
        options, tolerance = ["-define", f"bmp:subtype={pick(rng, ('RGB565', 'RGB555', 'ARGB4444', 'ARGB1555'))}"], LOSSY
        tolerance = QUANTIZED
    elif values.ndim == 3 and set(options) & {"RLE", "Palette"}:
        tolerance = QUANTIZED
    return _magick(samples, options, target, page(values, alpha), tolerance, optional=True)


def _magick_gif(rng: Rng, folder: Path) -> Foreign:
    samples, values, _ = _magick_scene(rng, 0, 8)
    options = [*pick(rng, ([], ["-interlace", "GIF"])), *pick(rng, (["+dither"], ["-dither", "FloydSteinberg"]))]
    return _magick(samples, options, pick(rng, ("gif", "gif87")), page(values), QUANTIZED)


def _magick_modern(rng: Rng, folder: Path) -> Foreign:
    target = pick(rng, ("webp", "webp", "jp2", "jp2", "j2k", "avif", "heic"))
    bits = pick(rng, (8, 8, 12, 16)) if target in ("jp2", "j2k") else 8
    samples, values, alpha = _magick_scene(rng, 0.3 if target != "j2k" else 0, bits)
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
    target = pick(rng, ("tga", "pcx", "miff", "psd", "sgi", "ras", "dpx", "fits", "mng", "jng", "ico", "xpm", "exr", "hdr", "pdf", "cin"))
    samples, values, _ = _magick_scene(rng, 0, 8)
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


# ExifTool.


def with_exiftool(rng: Rng, folder: Path) -> Foreign:
    """Draws a plain file, of which ExifTool changes what it says about itself."""
    suffix = pick(rng, (".jpg", ".jpg", ".png", ".png", ".tif", ".tif", ".webp", ".jp2"))
    values = at_bits(scene(rng, pick(rng, (1, 3)) if suffix != ".webp" else 3), 8)
    image, path = Image.fromarray(steps(values, 8)), folder / f"a{suffix}"
    keywords = {".jpg": {"quality": 97, "subsampling": 0}, ".webp": {"lossless": True}}.get(suffix, {})
    path.write_bytes(saved(image, {".jpg": "JPEG", ".tif": "TIFF", ".jp2": "JPEG2000"}.get(suffix, suffix[1:].upper()), **keywords))
    tolerance = LOSSY if suffix == ".jpg" else LOSSLESS
    orientation, expected, options = 1, values, list[str]()
    where = pick(rng, ("", "IFD0", "XMP-tiff", "both", "IFD1"))
    first = int(rng.integers(1, 9))
    if where in ("IFD0", "both") and suffix != ".jp2":
        options.append(f"-IFD0:Orientation={first}")
        orientation = first
    if where in ("XMP-tiff", "both"):
        second = first if where == "XMP-tiff" else int(rng.integers(1, 9))
        options.append(f"-XMP-tiff:Orientation={second}")
        # EXIF comes first where both say something, as viewers and the Metadata Working Group have it.
        if where == "XMP-tiff" or suffix == ".jp2":
            orientation = second
    if where == "IFD1" and suffix == ".jpg":
        # That of a thumbnail turns no picture.
        thumbnail = folder / "t.jpg"
        thumbnail.write_bytes(saved(image.resize((16, 12)), "JPEG"))
        options += [f"-ThumbnailImage<={thumbnail}", f"-IFD1:Orientation={first}"]
    if suffix in (".jpg", ".png", ".tif", ".webp") and chance(rng, 0.5):
        space = pick(rng, (["-ExifIFD:ColorSpace=2"], ["-ExifIFD:ColorSpace=65535", "-InteropIndex=R03"], ["-ExifIFD:ColorSpace=1"], ["-ExifIFD:ColorSpace=65535"]))
        options += space
        # Only JPEG of cameras takes its color space from EXIF (DCF 2.0); in other files readers differ, so gray of
        # sRGB is expected there, or a picture that is read like that of a camera.
        if space in (["-ExifIFD:ColorSpace=2"], ["-ExifIFD:ColorSpace=65535", "-InteropIndex=R03"]):
            expected = seen_through(values, 2.19921875, "Adobe RGB")
    elif suffix == ".png" and chance(rng, 0.6):
        gamma = pick(rng, (1.0, 1.8, 2.6))
        options.append(f"-PNG:Gamma={gamma}")
        expected = seen_through(values, gamma)
    options += pick(rng, ([], ["-XResolution=300", "-YResolution=300", "-ResolutionUnit=2"], ["-Artist=A. Näme"], ["-XMP-dc:Source=shelf"]))
    if not options:
        raise UnwritableError
    run("exiftool", "-q", "-q", "-n", "-overwrite_original", *options, path)
    made = page(expected, None, orientation)
    shown = " ".join(option.replace(str(folder), "") for option in options)
    return Foreign(path.read_bytes(), suffix, f"exiftool -n {shown} a{suffix} (Pillow, {image.mode})", [made], tolerance)


# libjxl.


def with_jxl(rng: Rng, folder: Path) -> Foreign:
    """Draws a JPEG XL file of cjxl, or what djxl makes of one."""
    bits = pick(rng, (8, 16))
    values = at_bits(scene(rng, pick(rng, (1, 3))), bits)
    source, jxl = folder / "a.png", folder / "a.jxl"
    if values.ndim == 2 or bits == 8:
        source.write_bytes(saved(Image.fromarray(steps(values, bits)), "PNG"))
    else:
        head = f"P6\n{values.shape[1]} {values.shape[0]}\n65535\n".encode()
        source = folder / "a.ppm"
        source.write_bytes(head + steps(values, 16).astype(">u2").tobytes())
    options = ["-d", pick(rng, ("0", "0", "0.3")), "-e", "3", *pick(rng, ([], ["--container=1"], ["-p"]))]
    run("cjxl", source, jxl, *options)
    target = pick(rng, ("jxl", "jxl", "png", "png", "ppm", "pfm", "jpg"))
    how, tolerance = f"cjxl {source.name} a.jxl {' '.join(options)}", LOSSLESS if "0" in options else LOSSY
    if target == "jxl":
        return Foreign(jxl.read_bytes(), ".jxl", how, [page(values)], tolerance, must_name="JPEG XL")
    made = folder / f"b.{target if values.ndim == 3 or target != 'ppm' else 'pgm'}"
    run("djxl", jxl, made, *(["-j", "-q", "97"] if target == "jpg" else []))
    tolerance = SUBSAMPLED if target == "jpg" else max(tolerance, LOSSY if target == "pfm" else 0)
    return Foreign(made.read_bytes(), made.suffix, f"{how} && djxl a.jxl {made.name}", [page(values)], tolerance)


# libvips.


def with_vips(rng: Rng, folder: Path) -> Foreign:
    """Draws a file of libvips."""
    bits = pick(rng, (8, 8, 16))
    values, alpha = at_bits(scene(rng, pick(rng, (1, 3))), bits), None
    samples = steps(values, bits)
    saver = pick(rng, ("tiff", "tiff", "tiff", "png", "png", "jpeg", "webp", "jp2k", "heif", "gif", "ppm", "rad", "jxl"))
    if saver in ("tiff", "png", "webp", "heif", "jp2k") and chance(rng, 0.25):
        alpha = at_bits(alpha_scene(rng, values.shape), bits)
        samples = np.dstack([samples, steps(alpha, bits)])
    source = folder / "a.tif"
    extra = {"extrasamples": ["unassalpha"]} if alpha is not None else {}
    tifffile.imwrite(source, samples, photometric="rgb" if values.ndim == 3 else "minisblack", metadata=None, **extra)
    options, tolerance, compared, expected = list[str](), LOSSLESS, None, values
    suffix = {"tiff": ".tif", "jpeg": ".jpg", "jp2k": ".jp2", "heif": ".avif", "rad": ".hdr"}.get(saver, f".{saver}")
    # Formats of 8 bits round.
    tolerance = LOSSY if bits == 16 else LOSSLESS
    names = ""
    if saver == "tiff":
        compression = pick(rng, ("none", "lzw", "deflate", "packbits", "zstd", "webp", "jp2k", "jpeg", "ccittfax4"))
        options += ["--compression", compression, *pick(rng, ([], ["--predictor", "none"], ["--predictor", "horizontal"]))]
        options += pick(rng, ([], ["--tile", "--tile-width", "32", "--tile-height", "16"], ["--tile", "--tile-width", "32", "--tile-height", "32", "--pyramid"]))
        options += [*pick(rng, ([], [], ["--bigtiff"])), *pick(rng, ([], [], ["--properties"])), *pick(rng, ([], [], ["--subifd"]))]
        if compression in ("webp", "jp2k", "jpeg"):
            options += ["--Q", "97", *(["--lossless"] if compression == "webp" else [])]
            compared = None if alpha is None else alpha > 0.3
            tolerance = SUBSAMPLED
        if compression == "ccittfax4" or (values.ndim == 2 and alpha is None and bits == 8 and chance(rng, 0.3)):
            depth = 1 if compression == "ccittfax4" else pick(rng, (1, 2, 4))
            if values.ndim == 3 or alpha is not None or bits == 16 or "--pyramid" in options or compression in ("webp", "jp2k", "jpeg"):
                raise UnwritableError
            options += ["--bitdepth", str(depth), *(pick(rng, ([], ["--miniswhite"])) if depth == 1 else [])]
            # libvips keeps the high bits, so values that these hold are written.
            expected = at_bits(values, depth)
            tifffile.imwrite(source, steps(expected, 8), photometric="minisblack", metadata=None)
    elif saver == "png":
        options += pick(rng, ([], ["--interlace"]))
        if bits == 8 and chance(rng, 0.3):
            options.append("--palette")
            tolerance = QUANTIZED
            compared = None if alpha is None else alpha > 0.3
    elif saver in ("jpeg", "heif", "jp2k", "webp"):
        options += ["--Q", "97"]
        tolerance, compared = SUBSAMPLED, None if alpha is None else alpha > 0.3
        if saver == "jpeg":
            options += [*pick(rng, ([], ["--interlace"])), *pick(rng, ([], ["--subsample-mode", "off"])), *pick(rng, ([], ["--optimize-coding"]))]
        elif saver == "heif":
            options += ["--compression", "av1", *pick(rng, ([], ["--subsample-mode", "off"]))]
            options += ["--bitdepth", pick(rng, ("8", "10", "12"))]
        else:
            options += pick(rng, ([], ["--lossless"]))
    elif saver == "gif":
        tolerance = QUANTIZED
    elif saver == "ppm":
        options += pick(rng, ([], ["--ascii"])) if bits == 8 else []
    elif saver == "rad":
        tolerance, names = SUBSAMPLED, "high dynamic range"
    elif saver == "jxl":
        tolerance, names = SUBSAMPLED, "JPEG XL"
    if saver in ("tiff", "png", "jpeg") and "--bitdepth" not in options and "--palette" not in options and chance(rng, 0.2):
        icc = profile(rng, 1 if values.ndim == 2 else 3)
        (folder / "p.icc").write_bytes(icc.data)
        options += ["--profile", str(folder / "p.icc")]
        expected = icc.to_srgb(values)
    made = folder / f"made{suffix}"
    run("vips", f"{saver}save", source, made, *options)
    shown = " ".join(option.replace(str(folder) + "/", "") for option in options)
    kind = f"{'gray' if values.ndim == 2 else 'rgb'}{' + alpha' * (alpha is not None)}, {bits} bits"
    return Foreign(made.read_bytes(), suffix, f"{kind}: vips {saver}save a.tif made{suffix} {shown}", [page(expected, alpha, 1, compared)], tolerance, 0.02, must_name=names)


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "magick": Command(with_magick, _MAGICK, "imagemagick"),
        "exiftool": Command(with_exiftool, ("exiftool",), "libimage-exiftool-perl"),
        "libtiff": Command(with_libtiff, ("tiffcp",), "libtiff-tools"),
        "libjxl": Command(with_jxl, ("cjxl",), "libjxl-tools"),
        "libvips": Command(with_vips, ("vips",), "libvips-tools"),
    }
)
