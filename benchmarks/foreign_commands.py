"""Files that command-line tools write, of random legal forms: ImageMagick, ExifTool, libtiff, libjxl and libvips."""

import shutil
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
    Rng,
    UnwritableError,
    alpha_scene,
    at_bits,
    chance,
    page,
    pick,
    profile,
    saved,
    scene,
    seen_through,
    steps,
)
from foreign_libtiff import run, with_libtiff
from foreign_magick import MAGICK, with_magick
from PIL import Image


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


# ExifTool.


def with_exiftool(rng: Rng, folder: Path) -> Foreign:
    """Draws a plain file whose metadata ExifTool has changed."""
    suffix = pick(rng, (".jpg", ".jpg", ".png", ".png", ".tif", ".tif", ".webp", ".jp2"))
    values = at_bits(scene(rng, pick(rng, (1, 3)) if suffix != ".webp" else 3), 8)
    image, path = Image.fromarray(steps(values, 8)), folder / f"a{suffix}"
    keywords = {".jpg": {"quality": 100, "subsampling": 0}, ".webp": {"lossless": True}}.get(suffix, {})
    path.write_bytes(
        saved(image, {".jpg": "JPEG", ".tif": "TIFF", ".jp2": "JPEG2000"}.get(suffix, suffix[1:].upper()), **keywords)
    )
    orientation, expected, options = 1, values, list[str]()
    where = pick(rng, ("", "IFD0", "XMP-tiff", "both", "IFD1"))
    first = int(rng.integers(1, 9))
    if where in ("IFD0", "both") and suffix != ".jp2":
        options.append(f"-IFD0:Orientation={first}")
        orientation = first
    if where in ("XMP-tiff", "both"):
        second = first if where == "XMP-tiff" else int(rng.integers(1, 9))
        options.append(f"-XMP-tiff:Orientation={second}")
        # EXIF takes precedence over XMP (Metadata Working Group, guidelines 2.0).
        if where == "XMP-tiff" or suffix == ".jp2":
            orientation = second
    if where == "IFD1" and suffix == ".jpg":
        # The orientation of a thumbnail does not apply to the picture.
        thumbnail = folder / "t.jpg"
        thumbnail.write_bytes(saved(image.resize((16, 12)), "JPEG"))
        options += [f"-ThumbnailImage<={thumbnail}", f"-IFD1:Orientation={first}"]
    if suffix in (".jpg", ".png", ".tif", ".webp") and chance(rng, 0.5):
        space = pick(
            rng,
            (
                ["-ExifIFD:ColorSpace=2"],
                ["-ExifIFD:ColorSpace=65535", "-InteropIndex=R03"],
                ["-ExifIFD:ColorSpace=1"],
                ["-ExifIFD:ColorSpace=65535"],
            ),
        )
        options += space
        # DCF 2.0 states Adobe RGB in this way.
        if space in (["-ExifIFD:ColorSpace=2"], ["-ExifIFD:ColorSpace=65535", "-InteropIndex=R03"]):
            expected = seen_through(values, 2.19921875, "Adobe RGB")
    elif suffix == ".png" and chance(rng, 0.6):
        gamma = pick(rng, (1.0, 1.8, 2.6))
        options.append(f"-PNG:Gamma={gamma}")
        expected = seen_through(values, gamma)
    options += pick(
        rng,
        (
            [],
            ["-XResolution=300", "-YResolution=300", "-ResolutionUnit=2"],
            ["-Artist=A. Näme"],
            ["-XMP-dc:Source=shelf"],
        ),
    )
    if not options:
        raise UnwritableError
    run("exiftool", "-q", "-q", "-n", "-overwrite_original", *options, path)
    made = page(expected, None, orientation)
    shown = " ".join(option.replace(str(folder), "") for option in options)
    return Foreign(path.read_bytes(), suffix, f"exiftool -n {shown} a{suffix} (Pillow, {image.mode})", [made])


# libjxl.


def with_jxl(rng: Rng, folder: Path) -> Foreign:
    """Draws a JPEG XL file of cjxl, or a file that djxl converts it to."""
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
    saver = pick(rng, ("tiff",) * 4 + ("png", "png", "jpeg", "webp", "jp2k", "heif", "gif", "ppm", "rad", "jxl"))
    if saver in ("tiff", "png", "webp", "heif", "jp2k") and chance(rng, 0.25):
        alpha = at_bits(alpha_scene(rng, values.shape), bits)
    if saver == "tiff":
        options, tolerance, levels = _vips_tiff(rng, bits, values, alpha)
        # libvips keeps the high bits, so values that these hold are written.
        values = values if levels is None else at_bits(values, levels)
    else:
        options, tolerance = _vips_options(rng, saver, bits, alpha)
    expected = values
    if saver in ("tiff", "png", "jpeg") and not {"--bitdepth", "--palette"} & set(options) and chance(rng, 0.2):
        icc = profile(rng, 1 if values.ndim == 2 else 3)
        (folder / "p.icc").write_bytes(icc.data)
        options += ["--profile", str(folder / "p.icc")]
        expected = icc.to_srgb(values)
    samples = steps(values, bits)
    extra = {} if alpha is None else {"extrasamples": ["unassalpha"]}
    if alpha is not None:
        samples = np.dstack([samples, steps(alpha, bits)])
    suffix = {"tiff": ".tif", "jpeg": ".jpg", "jp2k": ".jp2", "heif": ".avif", "rad": ".hdr"}.get(saver, f".{saver}")
    source, made = folder / "a.tif", folder / f"made{suffix}"
    tifffile.imwrite(source, samples, photometric="rgb" if values.ndim == 3 else "minisblack", metadata=None, **extra)
    run("vips", f"{saver}save", source, made, *options)
    shown = " ".join(option.replace(str(folder) + "/", "") for option in options)
    kind = f"{'gray' if values.ndim == 2 else 'rgb'}{'' if alpha is None else ' + alpha'}, {bits} bits"
    return Foreign(
        made.read_bytes(),
        suffix,
        f"{kind}: vips {saver}save a.tif made{suffix} {shown}",
        # Codecs change what cannot be seen.
        [page(expected, alpha, 1, None if alpha is None or tolerance == LOSSLESS else alpha > 0.3)],
        tolerance,
        0.02,
        must_name={"rad": "high dynamic range", "jxl": "JPEG XL"}.get(saver, ""),
    )


def _vips_tiff(rng: Rng, bits: int, values: Array, alpha: Array | None) -> tuple[list[str], float, int | None]:
    """Returns options, the tolerance, and bits per sample if fewer than 8."""
    compression = pick(rng, ("none", "lzw", "deflate", "packbits", "zstd", "webp", "jp2k", "jpeg", "ccittfax4"))
    options = ["--compression", compression]
    options += pick(rng, ([], ["--predictor", "none"], ["--predictor", "horizontal"]))
    tile = ["--tile", "--tile-width", "32", "--tile-height"]
    options += pick(rng, ([], [*tile, "16"], [*tile, "32", "--pyramid"]))
    options += [*pick(rng, ([], [], ["--bigtiff"])), *pick(rng, ([], [], ["--properties"]))]
    options += pick(rng, ([], [], ["--subifd"]))
    if compression == "jpeg" and alpha is not None:
        raise UnwritableError("libvips composites it onto black")
    if compression == "webp" and (bits == 16 or values.ndim == 2):
        raise UnwritableError("libvips reports success, but leaves the strips empty")
    if compression in ("webp", "jp2k", "jpeg"):
        return [*options, "--Q", "97", *(["--lossless"] if compression == "webp" else [])], SUBSAMPLED, None
    plain = values.ndim == 2 and alpha is None and bits == 8 and "--pyramid" not in options
    if compression == "ccittfax4" and not plain:
        raise UnwritableError("fax is bilevel")
    if compression == "ccittfax4" or (plain and chance(rng, 0.4)):
        levels = 1 if compression == "ccittfax4" else int(pick(rng, (1, 2, 4)))
        inverted = levels == 1 and chance(rng, 0.5)
        return [*options, "--bitdepth", str(levels), *(["--miniswhite"] if inverted else [])], LOSSLESS, levels
    return options, LOSSLESS, None


def _vips_options(rng: Rng, saver: str, bits: int, alpha: Array | None) -> tuple[list[str], float]:
    """Returns options and the tolerance of a format other than TIFF."""
    if saver == "png":
        options = [*pick(rng, ([], ["--interlace"]))]
        if bits == 8 and chance(rng, 0.3):
            return [*options, "--palette"], QUANTIZED
        return options, LOSSLESS
    if saver == "ppm":
        return [*pick(rng, ([], ["--ascii"]))] if bits == 8 else [], LOSSLESS
    if saver == "gif":
        return [], QUANTIZED
    if saver in ("rad", "jxl"):
        return [], SUBSAMPLED
    options = ["--Q", "97"]
    if saver == "jpeg":
        options += [*pick(rng, ([], ["--interlace"])), *pick(rng, ([], ["--subsample-mode", "off"]))]
        options += pick(rng, ([], ["--optimize-coding"]))
    elif saver == "heif":
        # With alpha and more than 8 bits, libvips writes a file without a picture.
        options += ["--compression", "av1", "--bitdepth", pick(rng, ("8", "10", "12")) if alpha is None else "8"]
        options += pick(rng, ([], ["--subsample-mode", "off"]))
    else:
        options += pick(rng, ([], ["--lossless"]))
    return options, SUBSAMPLED


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "magick": Command(with_magick, MAGICK, "imagemagick"),
        "exiftool": Command(with_exiftool, ("exiftool",), "libimage-exiftool-perl"),
        "libtiff": Command(with_libtiff, ("tiffcp",), "libtiff-tools"),
        "libjxl": Command(with_jxl, ("cjxl",), "libjxl-tools"),
        "libvips": Command(with_vips, ("vips",), "libvips-tools"),
    }
)
