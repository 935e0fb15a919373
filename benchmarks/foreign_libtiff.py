"""TIFF files that the tools of libtiff write, of random legal forms."""

import io
import subprocess
import tempfile
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
    Rng,
    UnwritableError,
    alpha_scene,
    at_bits,
    gray_scene,
    page,
    pick,
    saved,
    scene,
    size,
    steps,
)
from foreign_tiff import palette
from PIL import Image


def run(*arguments: str | Path, data: bytes | None = None) -> bytes:
    """Runs a command. Returns its output.

    Raises:
        UnwritableError: the command fails.
    """
    # Without OpenEXR, ImageMagick writes a file named `exr:-` into the working directory.
    with tempfile.TemporaryDirectory() as here:
        done = subprocess.run(
            [str(each) for each in arguments], input=data, capture_output=True, timeout=120, check=False, cwd=here
        )
    if done.returncode:
        raise UnwritableError(f"{arguments[0]}: {done.stderr.decode(errors='replace')[-300:]}")
    return done.stdout


def _base(rng: Rng, folder: Path) -> tuple[Path, Array, Array | None, str]:
    """Writes a plain TIFF for libtiff's tools. Returns it, expected pixels and alpha, and the kind."""
    kind = pick(rng, ("bilevel", "gray", "gray", "rgb", "rgb", "gray16", "rgb16", "float", "rgba", "palette"))
    alpha: Array | None = None
    keywords: dict[str, Any] = {"photometric": "rgb" if "rgb" in kind else "minisblack", "metadata": None}
    shown = scene(rng, 3 if "rgb" in kind else 1)
    if kind == "bilevel":
        samples: Array = shown > 0.5
        expected = samples.astype(float)
    elif kind == "float":
        samples, expected = shown.astype(np.float32), shown
    elif kind == "palette":
        samples, keywords["colormap"], expected = palette(rng, size(rng))
        keywords["photometric"] = "palette"
    else:
        bits = 16 if "16" in kind else 8
        samples, expected = steps(shown, bits), at_bits(shown, bits)
    if kind == "rgba":
        alpha = at_bits(alpha_scene(rng, samples.shape), 8)
        samples = np.dstack([samples, steps(alpha, 8)])
        keywords["extrasamples"] = ["unassalpha"]
    path = folder / "base.tif"
    tifffile.imwrite(path, samples, **keywords)
    return path, expected, alpha, kind


def with_libtiff(rng: Rng, folder: Path) -> Foreign:
    """Draws a TIFF that a tool of libtiff wrote."""
    tool = pick(rng, ("tiffcp",) * 6 + ("tiffset", "tiffdither", "fax2tiff", "ppm2tiff", "tiff2rgba", "tiff2bw"))
    target = folder / "made.tif"
    if tool == "fax2tiff":
        return _fax(rng, folder)
    if tool == "ppm2tiff":
        return _from_ppm(rng, folder)
    source, expected, alpha, kind = _base(rng, folder)
    orientation, tolerance, commands = 1, LOSSLESS, [["tiffcp", source, target]]
    if tool == "tiffcp":
        options, tolerance = _copy_options(rng, kind)
        commands = [["tiffcp", *options, source, target]]
    elif tool == "tiffset":
        orientation = int(rng.integers(1, 9))
        commands.append(["tiffset", "-s", "274", str(orientation), target])
    elif tool == "tiffdither":
        if kind != "gray":
            raise UnwritableError
        # Dithering leaves pure black and white as they are.
        bilevel = (gray_scene(rng) > 0.5).astype(np.uint8) * 255
        tifffile.imwrite(source, bilevel, photometric="minisblack", metadata=None)
        expected = bilevel / 255
        compression = pick(rng, ("none", "g3", "g3:1d", "g3:2d", "g4", "lzw", "zip", "packbits"))
        commands = [["tiffdither", "-c", compression, *pick(rng, ([], ["-f", "lsb2msb"])), source, target]]
    elif tool == "tiff2rgba":
        if kind == "float":
            raise UnwritableError
        options = ["-c", pick(rng, ("none", "lzw", "zip", "packbits")), *pick(rng, ([], ["-n"], ["-b"], ["-n", "-b"]))]
        commands = [["tiff2rgba", *options, source, target]]
        # It reduces 16 bits to 8, and multiplies color by alpha; -n drops alpha over black.
        if "-n" in options and (alpha is not None or "-b" in options):
            # With -b, -n writes four samples into a file of three.
            raise UnwritableError
        if alpha is not None:
            tolerance = LOSSY
    elif tool == "tiff2bw":
        if kind != "rgb":
            raise UnwritableError
        weights = (30, 59, 11)
        commands = [["tiff2bw", "-R", "30", "-G", "59", "-B", "11", "-c", pick(rng, ("none", "lzw")), source, target]]
        expected = expected @ (np.array(weights) / 100)
        tolerance = LOSSY
    for command in commands:
        run(*command)
    if tool == "tiffdither":
        # It drops the last row.
        expected = expected[:-1]
    how = " && ".join(" ".join(Path(each).name for each in map(str, command)) for command in commands)
    compared = None if alpha is None or tool != "tiff2rgba" else alpha > 0.3
    made = page(expected, alpha, orientation, compared)
    return Foreign(target.read_bytes(), ".tif", f"{kind}: {how}", [made], tolerance)


def _copy_options(rng: Rng, kind: str) -> tuple[list[str], float]:
    compressions = ["none", "lzw", "zip", "packbits", "lzma", "zstd"]
    tolerance = LOSSLESS
    if kind == "bilevel":
        compressions += ["g3", "g3:1d", "g3:2d", "g3:2d:fill", "g4", "g4", "jbig"]
    elif kind == "float":
        compressions += ["zip:3", "lzw:3", "lerc:0.0001"]
    elif kind != "palette":
        compressions += ["lzw:2", "zip:2", "zstd:2", "lerc"]
    if kind in ("gray", "rgb"):
        compressions += ["jpeg:95", "jpeg:r:95"]
    if kind in ("rgb", "rgba"):
        compressions += ["webp:100"]
    compression = pick(rng, compressions)
    if compression.startswith(("jpeg", "webp")):
        tolerance = SUBSAMPLED
    options = ["-c", compression, *pick(rng, ([], ["-p", "contig"], ["-p", "separate"]))]
    options += pick(rng, (["-s"], ["-s", "-r", "7"], ["-t", "-w", "32", "-l", "16"], ["-t", "-w", "64", "-l", "64"]))
    # libtiff itself reads noise from LZW of floats in big-endian order.
    orders: tuple[list[str], ...] = ([], ["-L"]) if compression == "lzw:3" else ([], ["-B"], ["-L"])
    options += [*pick(rng, orders), *pick(rng, ([], [], ["-8"])), *pick(rng, ([], [], ["-f", "lsb2msb"]))]
    return options, tolerance


def _fax(rng: Rng, folder: Path) -> Foreign:
    """Draws a fax: the raw data of a bilevel TIFF, which fax2tiff wraps or recodes."""
    black = gray_scene(rng) < 0.5
    # The data do not state their polarity: fax2tiff takes zero for white.
    data = saved(Image.fromarray(~black), "TIFF", compression="group4", strip_size=1 << 24)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        first = file.pages.first
        raw = data[first.dataoffsets[0] : first.dataoffsets[0] + first.databytecounts[0]]
        inverted = int(first.photometric) == 1
    (folder / "fax.g4").write_bytes(raw)
    options = ["-4", "-M", "-X", str(black.shape[1]), *pick(rng, (["-7", "-5"], ["-7", "-6"], ["-8"], ["-u"], ["-z"]))]
    options += [*pick(rng, (["-m"], ["-l"])), *pick(rng, (["-c"], ["-f"])), *pick(rng, ([], ["-r", "16"]))]
    run("fax2tiff", *options, "-o", folder / "made.tif", folder / "fax.g4")
    expected = (black if inverted else ~black).astype(float)
    with tifffile.TiffFile(folder / "made.tif") as file:
        rows = file.pages.first.imagelength
    compared = np.ones((rows, black.shape[1]), bool)
    if rows == len(expected) + 1:
        # fax2tiff counts the end-of-block marker as another row.
        expected, compared[-1] = np.vstack([expected, expected[-1:]]), False
    how = f"fax2tiff {' '.join(options)} -o made.tif fax.g4"
    return Foreign((folder / "made.tif").read_bytes(), ".tif", how, [page(expected, compared=compared)])


def _from_ppm(rng: Rng, folder: Path) -> Foreign:
    channels, bits = pick(rng, (1, 3)), pick(rng, (8, 8, 16))
    values = scene(rng, channels)
    head = f"P{5 if channels == 1 else 6}\n{values.shape[1]} {values.shape[0]}\n{(1 << bits) - 1}\n".encode()
    (folder / "a.ppm").write_bytes(head + steps(values, bits).astype(f">u{bits // 8}").tobytes())
    options = ["-c", pick(rng, ("none", "lzw", "zip", "packbits")), *pick(rng, ([], ["-r", "5"]))]
    run("ppm2tiff", *options, folder / "a.ppm", folder / "made.tif")
    how = f"{bits} bits, {channels} channels: ppm2tiff {' '.join(options)}"
    return Foreign((folder / "made.tif").read_bytes(), ".tif", how, [page(at_bits(values, bits))])
