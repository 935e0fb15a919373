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
    """Draws a plain file, of which ExifTool changes what it says about itself."""
    suffix = pick(rng, (".jpg", ".jpg", ".png", ".png", ".tif", ".tif", ".webp", ".jp2"))
    values = at_bits(scene(rng, pick(rng, (1, 3)) if suffix != ".webp" else 3), 8)
    image, path = Image.fromarray(steps(values, 8)), folder / f"a{suffix}"
    keywords = {".jpg": {"quality": 97, "subsampling": 0}, ".webp": {"lossless": True}}.get(suffix, {})
    path.write_bytes(
        saved(image, {".jpg": "JPEG", ".tif": "TIFF", ".jp2": "JPEG2000"}.get(suffix, suffix[1:].upper()), **keywords)
    )
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
        # Only JPEG of cameras takes its color space from EXIF (DCF 2.0); in other files readers differ, so gray of
        # sRGB is expected there, or a picture that is read like that of a camera.
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
    return Foreign(
        path.read_bytes(), suffix, f"exiftool -n {shown} a{suffix} (Pillow, {image.mode})", [made], tolerance
    )


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
    saver = pick(
        rng, ("tiff", "tiff", "tiff", "png", "png", "jpeg", "webp", "jp2k", "heif", "gif", "ppm", "rad", "jxl")
    )
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
        options += [
            "--compression",
            compression,
            *pick(rng, ([], ["--predictor", "none"], ["--predictor", "horizontal"])),
        ]
        options += pick(
            rng,
            (
                [],
                ["--tile", "--tile-width", "32", "--tile-height", "16"],
                ["--tile", "--tile-width", "32", "--tile-height", "32", "--pyramid"],
            ),
        )
        options += [
            *pick(rng, ([], [], ["--bigtiff"])),
            *pick(rng, ([], [], ["--properties"])),
            *pick(rng, ([], [], ["--subifd"])),
        ]
        if compression == "jpeg" and alpha is not None:
            raise UnwritableError("libvips lays it over black")
        if compression == "webp" and (bits == 16 or values.ndim == 2):
            raise UnwritableError("libvips reports success, but leaves the strips empty")
        if compression in ("webp", "jp2k", "jpeg"):
            options += ["--Q", "97", *(["--lossless"] if compression == "webp" else [])]
            compared = None if alpha is None else alpha > 0.3
            tolerance = SUBSAMPLED
        if compression == "ccittfax4" or (values.ndim == 2 and alpha is None and bits == 8 and chance(rng, 0.3)):
            depth = 1 if compression == "ccittfax4" else pick(rng, (1, 2, 4))
            if (
                values.ndim == 3
                or alpha is not None
                or bits == 16
                or "--pyramid" in options
                or compression in ("webp", "jp2k", "jpeg")
            ):
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
            options += [
                *pick(rng, ([], ["--interlace"])),
                *pick(rng, ([], ["--subsample-mode", "off"])),
                *pick(rng, ([], ["--optimize-coding"])),
            ]
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
    if (
        saver in ("tiff", "png", "jpeg")
        and "--bitdepth" not in options
        and "--palette" not in options
        and chance(rng, 0.2)
    ):
        icc = profile(rng, 1 if values.ndim == 2 else 3)
        (folder / "p.icc").write_bytes(icc.data)
        options += ["--profile", str(folder / "p.icc")]
        expected = icc.to_srgb(values)
    made = folder / f"made{suffix}"
    run("vips", f"{saver}save", source, made, *options)
    shown = " ".join(option.replace(str(folder) + "/", "") for option in options)
    kind = f"{'gray' if values.ndim == 2 else 'rgb'}{' + alpha' * (alpha is not None)}, {bits} bits"
    return Foreign(
        made.read_bytes(),
        suffix,
        f"{kind}: vips {saver}save a.tif made{suffix} {shown}",
        [page(expected, alpha, 1, compared)],
        tolerance,
        0.02,
        must_name=names,
    )


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "magick": Command(with_magick, MAGICK, "imagemagick"),
        "exiftool": Command(with_exiftool, ("exiftool",), "libimage-exiftool-perl"),
        "libtiff": Command(with_libtiff, ("tiffcp",), "libtiff-tools"),
        "libjxl": Command(with_jxl, ("cjxl",), "libjxl-tools"),
        "libvips": Command(with_vips, ("vips",), "libvips-tools"),
    }
)
