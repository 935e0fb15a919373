"""Measure the memory that colorizing a large picture takes; prints a Markdown table.

    python benchmarks/memory.py
    python benchmarks/memory.py --megapixels 100 --cases "gray JPEG" "gray PNG"

Each case runs in a separate process, from file to file: `open_file`, `Colorizer.pictures`, `save_pictures`. Its peak is
the largest resident memory above that of the loaded library, which has already colorized a small picture. The limit is
three times the decoded picture as Pillow holds it (1 byte a pixel for L, 2 for I;16, 4 for RGB), plus 1 GB.
Inputs are made strip by strip in a memory-mapped file, so they need disk rather than memory (`--folder`).
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile

from artcolor import Colorizer
from artcolor.images import Picture, open_file, save_pictures

# Name: suffix of both files, channels, type, sides as a ratio.
CASES = {
    "RGB JPEG": (".jpg", 3, np.uint8, 2 / 3),
    "gray JPEG": (".jpg", 1, np.uint8, 2 / 3),
    "RGB PNG": (".png", 3, np.uint8, 2 / 3),
    "gray PNG": (".png", 1, np.uint8, 2 / 3),
    "gray PNG, 1:200": (".png", 1, np.uint8, 1 / 200),
    "RGB TIFF": (".tif", 3, np.uint8, 2 / 3),
    "gray TIFF": (".tif", 1, np.uint8, 2 / 3),
    "gray TIFF, 200:1": (".tif", 1, np.uint8, 200),
    "gray TIFF, 16 bit": (".tif", 1, np.uint16, 2 / 3),
}


def make(path, height, width, channels, kind):
    """Writes a picture with smooth gradients and the grain of scans."""
    rng = np.random.default_rng(0)
    shape = (height, width) if channels == 1 else (height, width, channels)
    scale = np.iinfo(kind).max // 255
    grain = rng.normal(0, 4, (64, *shape[1:])).astype(np.float32)
    across = np.sin(np.arange(width) / width * 9) * 50 + 120
    with tempfile.NamedTemporaryFile(dir=path.parent) as file:
        pixels = np.memmap(file, kind, "w+", shape=shape)
        for top in range(0, height, 64):
            strip = pixels[top : top + 64]
            soft = across + 40 * np.cos(top / height * 7)
            strip[:] = ((soft if channels == 1 else soft[:, None]) + grain[: len(strip)]) * scale
        if path.suffix == ".tif":
            photometric = "minisblack" if channels == 1 else "rgb"
            tifffile.imwrite(path, pixels, photometric=photometric, compression="lzw", rowsperstrip=64, metadata=None)
        else:
            encode = imagecodecs.jpeg8_encode if path.suffix == ".jpg" else imagecodecs.png_encode
            path.write_bytes(encode(pixels, level=90 if path.suffix == ".jpg" else 1))


def resident(which):
    """Returns `VmRSS` or `VmHWM` of this process, in bytes."""
    return int(Path("/proc/self/status").read_text().partition(f"{which}:")[2].split()[0]) * 1024


def measure(source, target):
    """Colorizes a file; prints the peak, the time, and properties of the result."""
    colorizer = Colorizer()
    list(colorizer.pictures([Picture(np.zeros((300, 300), np.uint8))]))
    Path("/proc/self/clear_refs").write_text("5")
    loaded, begun = resident("VmRSS"), time.perf_counter()
    with open_file(source, max_pixels=1 << 40) as file:
        save_pictures(colorizer.pictures(file), target, provenance=colorizer.provenance)
    print(json.dumps([resident("VmHWM") - loaded, loaded, time.perf_counter() - begun]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=600)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE")
    parser.add_argument("--folder", type=Path, help="temporary folder for the pictures; needs several GB")
    parser.add_argument("--measure", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure)
        return
    print("| case | pixels | as Pillow holds it, GB | peak above the library, GB | ratio | bar, GB | kept | s |")
    print("|---|---|---|---|---|---|---|---|")
    for case in options.cases:
        suffix, channels, kind, ratio = CASES[case]
        height = round((options.megapixels * 1e6 * ratio) ** 0.5)
        width = round(height / ratio)
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            source, target = Path(folder, f"in{suffix}"), Path(folder, f"out{suffix}")
            make(source, height, width, channels, kind)
            command = [sys.executable, __file__, "--measure", source, target]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            with open_file(target, max_pixels=1 << 40) as file:
                assert file.size == (width, height), file.size
        peak, _, seconds = json.loads(done.stdout)
        held = height * width * (4 if channels == 3 else np.dtype(kind).itemsize)
        bar = 3 * held + 1e9
        figures = f"{held / 1e9:.2f} | {peak / 1e9:.2f} | {peak / held:.1f} | {bar / 1e9:.2f}"
        print(f"| {case} | {width} × {height} | {figures} | {'yes' if peak <= bar else 'no'} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
