"""Measures the speed of colorizing a folder compared with the network alone, and prints Markdown tables.

    python benchmarks/folder.py
    python benchmarks/folder.py --model unet --workers 1 2 4 --sizes 400x300 --kinds jpg jpg:png --rounds 3

The network alone runs on the same number of pictures at working size, with the same batch size and number of threads,
alternating with the folder within one process. Each stage is also timed separately, one picture at a time on a thread:
CPU time, and wall time, which also counts waiting for the disk. "Other" is the CPU time of a picture in the folder
beyond that of the stages: planning, threads, and stages that are slower while others use the same caches. The sum of
the stages yields the largest share that could be reached if no core ever waited. (A network on the CPU shares the cores
with the other stages, so this is far below 100 % for large pictures.)
"""

import argparse
import io
import os
import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import artcolor
from artcolor import images
from artcolor.batch.plan import plan_jobs
from artcolor.batch.run import run_jobs
from artcolor.batch.saving import Saving
from artcolor.files import replacing
from artcolor.images.colored import color_measure


def gray(width, height, seed):
    """Returns a picture of soft fields with grain like that of scans."""
    rng = np.random.default_rng(seed)
    fields = Image.fromarray(rng.integers(40, 216, (12, 16), dtype=np.uint8))
    pixels = np.array(fields.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    grain = np.resize(rng.normal(0, 4, (512, width)).round().astype(np.int16), (height, width))
    return Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8))


def make(folder, width, height, kind, count):
    folder.mkdir()
    for number in range(count):
        # A dozen different pictures are enough.
        if number < 12:
            options = {"quality": 95} if kind == "jpg" else {}
            gray(width, height, number).save(folder / f"{number:04}.{kind}", **options)
        else:
            shutil.copy(folder / f"{number % 12:04}.{kind}", folder / f"{number:04}.{kind}")


def network_alone(colorizer, count, height, width):
    seen = [colorizer.backend.look(np.asarray(gray(width, height, 0)))] * count
    begun = time.perf_counter()
    colorizer.predict(seen)
    return time.perf_counter() - begun


def folder_run(colorizer, source, target, count, workers, format):
    """Returns the wall and CPU time of a folder, in seconds."""
    shutil.rmtree(target, ignore_errors=True)
    begun = time.perf_counter(), time.process_time()
    jobs = plan_jobs([source], target, format=format)
    outcomes = list(run_jobs(colorizer, jobs, Saving(format=format), workers=workers))
    spent = time.perf_counter() - begun[0], time.process_time() - begun[1]
    assert [outcome.status for outcome in outcomes] == ["colorized"] * count
    return spent


def stages(colorizer, source, target, rounds):
    """Returns the CPU and wall time of each stage for one picture on one thread, in seconds."""
    # Threads that wait for each other also use CPU time.
    colorizer.backend.limit_threads(1)
    spent = {"read": [], "L": [], "network": [], "join": [], "encode": [], "write": []}

    def timed(stage, function, *args, each=1, **keywords):
        begun = time.process_time(), time.perf_counter()
        result = function(*args, **keywords)
        spent[stage].append(((time.process_time() - begun[0]) / each, (time.perf_counter() - begun[1]) / each))
        return result

    def write(data):
        with replacing(target) as file:
            file.write(data)

    target.parent.mkdir(exist_ok=True)
    for path in sorted(source.iterdir())[:rounds]:
        picture = timed("read", images.open_picture, path)
        light = timed("L", lambda picture=picture: (color_measure(picture.pixels), colorizer.look(picture))[1])
        batch = [light] * colorizer.batch_size
        predictions = timed("network", colorizer.predict, batch, each=len(batch))
        # Computes all rows now; otherwise they would be joined while they are encoded.
        joined = timed("join", lambda picture=picture, found=predictions[0]: colorizer.paint(picture, found).pixels)
        painted = images.Picture(joined, picture.alpha, picture.info)
        file = io.BytesIO()
        timed("encode", images.save_picture, painted, file, format=target.suffix, provenance=colorizer.provenance)
        timed("write", write, file.getvalue())
    colorizer.backend.limit_threads(None)
    return {stage: tuple(map(statistics.median, zip(*seconds[1:], strict=True))) for stage, seconds in spent.items()}


def table(title, header, rows):
    print(f"\n### {title}\n")
    for cells in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="unet")
    parser.add_argument("--sizes", nargs="+", default=["400x300", "1000x750", "3000x2000"])
    parser.add_argument(
        "--kinds", nargs="+", default=["jpg", "png"], help="suffix of files, or of originals and results as jpg:png"
    )
    parser.add_argument("--workers", nargs="+", type=int, default=[0], help="0 is the default of `artcolor colorize`")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument(
        "--seconds",
        type=float,
        default=3,
        help="duration of the network alone, which determines the number of pictures",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--backend", choices=("torch", "onnx"), default="torch")
    args = parser.parse_args()
    colorizer = artcolor.Colorizer(args.model, batch_size=args.batch_size, device=args.device, backend=args.backend)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(
        f"`{args.model}` in {args.backend} on {args.device}, {cores} cores, {torch.get_num_threads()} threads of torch "
        f"{torch.__version__}, Python {platform.python_version()}; batches of {args.batch_size}"
    )
    shares, times = [], []
    for size in args.sizes:
        width, height = map(int, size.split("x"))
        network_alone(colorizer, 8, height, width)
        count = max(8, round(args.seconds * 16 / network_alone(colorizer, 16, height, width)))
        count = min(count, max(24, int(1.5e8 / (width * height))))
        for kind in args.kinds:
            kind, _, format = kind.partition(":")
            with tempfile.TemporaryDirectory() as place:
                source, target = Path(place) / "in", Path(place) / "out"
                make(source, width, height, kind, count)
                cost = stages(colorizer, source, Path(place) / "one" / f"out.{format or kind}", 8)
                alone, whole = [], {workers: [] for workers in args.workers}
                for _ in range(args.rounds):
                    alone.append(network_alone(colorizer, count, height, width))
                    for workers, seconds in whole.items():
                        seconds.append(folder_run(colorizer, source, target, count, workers or None, format or None))
            name = f"{width} × {height}", " to ".join(filter(None, (kind, format)))
            best = statistics.median(alone) / count
            around = sum(cpu for stage, (cpu, _) in cost.items() if stage != "network")
            on_cpu = cost["network"][0] if args.device == "cpu" else 0.0
            bound = min(1.0, best * cores / (on_cpu + around))
            for workers, seconds in whole.items():
                share = [a / wall for a, (wall, _) in zip(alone, seconds, strict=True)]
                wall, cpu = (statistics.median(column) / count for column in zip(*seconds, strict=True))
                shares.append(
                    (
                        *name,
                        str(workers or "default"),
                        f"{1 / best:.1f}",
                        f"{1 / wall:.1f}",
                        f"{statistics.median(share):.0%} ({min(share):.0%} to {max(share):.0%})",
                        f"{bound:.0%}",
                        f"{1000 * cpu:.1f}",
                        f"{1000 * (cpu - on_cpu - around):.1f}",
                    )
                )
            times.append((*name, *(f"{1000 * cpu:.1f} ({1000 * wall:.1f})" for cpu, wall in cost.values())))
    header = ("picture", "file", "workers", "network alone", "folder", "share", "largest possible share")
    table("Pictures per second", (*header, "CPU time of one, ms", "of it other, ms"), shares)
    table("CPU (wall) time of the stages of one picture, in ms", ("picture", "file", *cost), times)


if __name__ == "__main__":
    main()
