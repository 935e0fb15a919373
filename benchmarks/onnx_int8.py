"""Measures what quantization to 8 bits gains and costs: speed, size and accuracy, as a Markdown table.

    artcolor export unet -o unet.onnx
    artcolor export unet -o unet-int8.onnx --int8 --pictures FOLDER
    python benchmarks/onnx_int8.py unet.onnx unet-int8.onnx --pictures ../shared/art/val --count 100

Speed is CPU time on one thread for 256 × 256 pixels, network and decoding. Accuracy is the PSNR of chroma on
the grid of the output, at vividness 0, against that of colored pictures; each network also against the first one.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from artcolor.color import planes
from artcolor.engine.onnx_backend import OnnxBackend
from artcolor.images import open_picture
from artcolor.images.walk import is_picture, walk
from artcolor.models.guidance import Decoding, Guidance

SIDE = 256
PEAK = 255.0


def chroma(backend, light, decoding):
    (found,) = backend.predict([light], Guidance(), decoding)
    return np.asarray(found.ab)[0]


def cpu_ms(backend, rounds):
    light = np.random.default_rng(0).random((1, 1, SIDE, SIDE), dtype=np.float32) * 100
    spent = []
    for _ in range(rounds):
        begun = time.process_time()
        chroma(backend, light, Decoding())
        spent.append(1000 * (time.process_time() - begun))
    return statistics.median(spent)


def psnr(a, b):
    return 10 * np.log10(PEAK**2 / np.square(a - b).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", help="ONNX files; the first one is what the others are compared with")
    parser.add_argument("--pictures", type=Path, required=True, help="folder of colored pictures")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args()
    backends = {name: OnnxBackend(name) for name in args.networks}
    for backend in backends.values():
        backend.limit_threads(1)
    accuracy = {name: [] for name in backends}
    changed = {name: [] for name in backends}
    paths = sorted(path for path in walk(args.pictures) if is_picture(path))
    for path in paths[:: max(1, len(paths) // args.count)][: args.count]:
        pixels = open_picture(path).pixels
        found = {}
        for name, backend in backends.items():
            light = backend.look(pixels)
            found[name] = chroma(backend, light, Decoding(vividness=0))
            rows, columns = found[name].shape[-2:]
            truth = planes.lab(planes.resize(pixels, light.shape[-2:]))[1:]
            truth = truth.reshape(2, rows, light.shape[-2] // rows, columns, -1).mean((2, 4))
            accuracy[name].append(psnr(found[name], truth))
            changed[name].append(np.abs(found[name] - found[args.networks[0]]).mean())
    print("| network | MB | CPU ms | PSNR of chroma, dB | mean change of a and b |\n|---|--:|--:|--:|--:|")
    for name, backend in backends.items():
        size, cost = Path(name).stat().st_size / 1e6, cpu_ms(backend, args.rounds)
        mean, change = np.mean(accuracy[name]), np.mean(changed[name])
        print(f"| `{Path(name).name}` | {size:.1f} | {cost:.1f} | {mean:.2f} | {change:.2f} |")


if __name__ == "__main__":
    main()
