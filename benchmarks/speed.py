"""Measure how fast models colorize, compared with the networks of eccv16 and siggraph17; prints Markdown tables.

    pip install rz-colorization ipython
    python benchmarks/speed.py
    python benchmarks/speed.py --parts network files stages --megapixels 1 --models unet

eccv16 and siggraph17 (Zhang et al. 2016 and 2017, from the package rz-colorization) have random weights and their own
pre- and post-processing, at 256 px. Everything compared runs alternately within one process, so ratios are more
reliable than times; they are minimum / median / maximum over the rounds.
"""

import argparse
import contextlib
import importlib
import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image

import artcolor
from artcolor.color import planes
from artcolor.color.planes import ChromaJoiner
from artcolor.engine import inputs, result
from artcolor.engine.onnx_backend import OnnxBackend
from artcolor.models.base import ColorizationModel
from artcolor.models.guidance import Decoding, Guidance
from artcolor.models.heads import Head
from artcolor.models.inference import inference_copy
from artcolor.zoo.graphs import why_missing

PARTS = ("start", "network", "files", "stages", "memory")
RIVALS = ("eccv16", "siggraph17")
RIVAL_SIDE = 256
# As artcolor writes JPEG.
JPEG = {"quality": 95, "subsampling": 0}
# scikit-image takes about 250 bytes a pixel.
RIVAL_MEGAPIXELS = 12


def picture(megapixels, path):
    """Writes a gray picture with smooth gradients and the grain of scans."""
    rng = np.random.default_rng(0)
    height, width = (round((megapixels * 1e6 * ratio) ** 0.5) for ratio in (0.75, 4 / 3))
    fields = Image.fromarray(rng.integers(40, 216, (12, 16), dtype=np.uint8))
    pixels = np.array(fields.resize((width, height), Image.Resampling.BICUBIC))
    grain = rng.normal(0, 4, (512, width)).round().astype(np.int16)
    for start in range(0, height, 512):
        strip = pixels[start : start + 512]
        strip[:] = (strip + grain[: len(strip)]).clip(0, 255)
    Image.fromarray(pixels).save(path, **(JPEG if path.suffix == ".jpg" else {}))


def model_of(name):
    """Returns a model of the zoo, untrained if it has no released weights; its speed is nearly the same."""
    released = "DEFAULT" in artcolor.get_model_weights(name).__members__
    return artcolor.get_model(name, weights="DEFAULT" if released else None).eval()


def rival_of(name):
    return getattr(importlib.import_module("colorizers"), name)(pretrained=False).eval()


@torch.inference_mode()
def rival_colorize(network, source, target):
    colorizers = importlib.import_module("colorizers")
    whole, small = colorizers.preprocess_img(colorizers.load_img(source), HW=(RIVAL_SIDE, RIVAL_SIDE))
    rgb = colorizers.postprocess_tens(whole, network(small))
    save(Image.fromarray((rgb * 255).astype(np.uint8)), target)


def our_colorize(colorizer, source, target):
    colorizer(source).save(target)


def save(image, path):
    image.save(path, **(JPEG if path.suffix == ".jpg" else {}))


def runner(name):
    """Returns a function that colorizes from file to file."""
    if name in RIVALS:
        network = rival_of(name)
        return lambda source, target: rival_colorize(network, source, target)
    colorizer = artcolor.Colorizer(model_of(name))
    return lambda source, target: our_colorize(colorizer, source, target)


def in_turns(tasks, rounds):
    """Returns the seconds of each task in each round, after one warm-up round."""
    seconds = {name: [] for name in tasks}
    for number in range(rounds + 1):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            if number:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def spread(values, form="{:.1f}"):
    return " / ".join(form.format(f(values)) for f in (min, statistics.median, max))


def ratio(slow, fast):
    return spread([a / b for a, b in zip(slow, fast, strict=True)]) if slow else ""


def table(title, header, rows):
    print(f"\n### {title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    sys.stdout.flush()


def ms(seconds):
    return f"{1000 * statistics.median(seconds):.1f}"


def start(args):
    """Measures import and loading, in separate processes."""
    programs = {"import torch": "import torch", "import artcolor": "import artcolor"}
    programs["import artcolor.Colorizer"] = "from artcolor import Colorizer"
    for name in (*args.models, *args.rivals):
        programs[f"`{name}`: import and load"] = (
            f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import speed; speed.runner({name!r})"
        )
    commands = {
        what: lambda program=program: subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)
        for what, program in programs.items()
    }
    commands = {"an empty program": lambda: subprocess.run([sys.executable, "-c", ""], check=True), **commands}
    rows = [(what, spread(seconds, "{:.2f}")) for what, seconds in in_turns(commands, min(args.rounds, 3)).items()]
    table("Start, in seconds", ("", "min / median / max"), rows)


@torch.inference_mode()
def network(args):
    """Measures networks alone, as `Colorizer` runs them, at their own working size and at that of the rivals."""
    rivals = {name: rival_of(name) for name in args.rivals}
    ours = {name: inference_copy(model_of(name)) for name in args.models}
    onnx = {name: OnnxBackend(name) for name in (*args.models, *args.onnx) if why_missing(name) is None}
    for backend in onnx.values():
        backend.limit_threads(torch.get_num_threads())
    for batch in args.batches:
        tasks = {}
        for name, model in rivals.items():
            light = torch.rand(batch, 1, RIVAL_SIDE, RIVAL_SIDE) * 100
            tasks[name, RIVAL_SIDE] = lambda model=model, light=light: model(light)
        for name, model in ours.items():
            fixed = model.network.fixed_size
            for side in sorted({fixed} if fixed else {model.size, RIVAL_SIDE}):
                light = torch.rand(batch, 1, side, side) * 100
                tasks[name, side] = lambda model=model, light=light: model(light)
        for name, backend in onnx.items():
            for side in (backend.size, RIVAL_SIDE):
                light = torch.rand(batch, 1, side, side) * 100
                tasks[f"{Path(name).name}, ONNX with decoding", side] = onnx_task(backend, light)
        seconds = in_turns(tasks, args.rounds if batch == 1 else min(args.rounds, 2))
        rows = [
            (
                f"`{name}`",
                str(side),
                ms([s / batch for s in spent]),
                *(ratio(seconds[rival, RIVAL_SIDE], spent) for rival in rivals),
            )
            for (name, side), spent in seconds.items()
        ]
        table(
            f"Network, batch of {batch}",
            ("", "size in px", "ms per picture", *(f"{rival} takes × as long" for rival in rivals)),
            rows,
        )


def onnx_task(backend, light):
    """Returns a function that runs network and decoding in ONNX Runtime."""
    seen = list(light.numpy()[:, None])
    return lambda: backend.predict(seen, Guidance(), Decoding(), batch_size=len(seen))


def pillow(source, target):
    """Returns a function that decodes the input and encodes a result with Pillow, with nothing in between."""
    colors = Image.open(target)
    colors.load()

    def task():
        Image.open(source).load()
        save(colors, target)

    return task


def files(args):
    """Measures the time from file to file."""
    for kind in args.formats:
        for megapixels in args.megapixels:
            with tempfile.TemporaryDirectory() as folder:
                source = Path(folder) / f"gray.{kind}"
                picture(megapixels, source)
                names = args.models if megapixels <= RIVAL_MEGAPIXELS else args.models[:1]
                rivals = args.rivals if megapixels <= RIVAL_MEGAPIXELS else []
                tasks = {}
                for name in (*rivals, *names):
                    run, target = runner(name), Path(folder) / f"{name}.{kind}"
                    tasks[name] = lambda run=run, target=target, source=source: run(source, target)
                tasks[names[0]]()
                tasks["Pillow decodes and encodes"] = pillow(source, Path(folder) / f"{names[0]}.{kind}")
                seconds = in_turns(tasks, args.rounds if megapixels <= 1 else min(args.rounds, 2))
            rows = [
                (
                    name if " " in name else f"`{name}`",
                    ms(spent),
                    *(ratio(seconds[rival], spent) for rival in rivals),
                )
                for name, spent in seconds.items()
            ]
            table(
                f"File to file, {megapixels:g} megapixels, {kind}",
                ("", "ms", *(f"{rival} takes × as long" for rival in rivals)),
                rows,
            )


class Stages:
    """Adds up the time of each stage, without that of the stages it calls."""

    def __init__(self):
        self.seconds, self.running = {}, []

    def wrap(self, stage, function):
        def timed(*args, **keywords):
            self.running.append(0.0)
            begun = time.perf_counter()
            try:
                return function(*args, **keywords)
            finally:
                spent = time.perf_counter() - begun
                inner = self.running.pop()
                self.seconds[stage] = self.seconds.get(stage, 0.0) + spent - inner
                if self.running:
                    self.running[-1] += spent

        return timed

    @contextlib.contextmanager
    def watch(self, model):
        places = [
            (inputs, "open_picture", "decode"),
            (planes, "resize", "resize"),
            (planes, "lightness", "L of pixels"),
            (ColorizationModel, "predict_raw", "network"),
            (type(model.head), "decode", "decode of the head"),
            (ChromaJoiner, "__init__", "upsampling"),
            (ChromaJoiner, "ab_rows", "upsampling"),
            (ChromaJoiner, "rows", "gamut and sRGB"),
            (result, "encode", "encode"),
            (result, "save_picture", "encode"),
        ]
        assert isinstance(model.head, Head)
        with contextlib.ExitStack() as stack:
            for owner, name, stage in places:
                stack.enter_context(mock.patch.object(owner, name, self.wrap(stage, getattr(owner, name))))
            yield


def stages(args):
    """Measures the stages of the first model, and everything but the network relative to Pillow."""
    model = model_of(args.models[0])
    colorizer = artcolor.Colorizer(model)
    for kind in args.formats:
        columns, around = {}, []
        for megapixels in args.megapixels:
            with tempfile.TemporaryDirectory() as folder:
                source, target = Path(folder) / f"gray.{kind}", Path(folder) / f"color.{kind}"
                picture(megapixels, source)
                our_colorize(colorizer, source, target)
                plain, runs, decoded = pillow(source, target), [], []
                for _ in range(args.rounds if megapixels <= 1 else min(args.rounds, 2)):
                    watch = Stages()
                    with watch.watch(model):
                        watch.wrap("other", our_colorize)(colorizer, source, target)
                    runs.append(watch.seconds)
                    begun = time.perf_counter()
                    plain()
                    decoded.append(time.perf_counter() - begun)
            columns[megapixels] = {stage: ms([run[stage] for run in runs]) for stage in runs[0]}
            rest = [sum(run.values()) - run["network"] for run in runs]
            around.append((f"{megapixels:g}", ms(rest), ms(decoded), ratio(rest, decoded)))
        names = [f"{megapixels:g} MP" for megapixels in args.megapixels]
        rows = [(stage, *(column[stage] for column in columns.values())) for stage in columns[args.megapixels[0]]]
        table(f"Where the time of `{args.models[0]}` goes, {kind}, ms", ("", *names), rows)
        header = ("megapixels", "all but the network, ms", "Pillow decodes and encodes, ms", "ratio; the goal is 2")
        table(f"Around the network, {kind}", header, around)


def peak(name, source, target):
    """Prints the peak memory of this process in MiB, before and after one picture."""
    run = runner(name)
    before = resident_peak()
    run(Path(source), Path(target))
    print(before, resident_peak())


def resident_peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def memory(args):
    """Measures peak memory, each picture in a separate process."""
    rows = []
    for megapixels in args.megapixels:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "gray.jpg"
            picture(megapixels, source)
            for name in (*args.models[:1], *(args.rivals if megapixels <= RIVAL_MEGAPIXELS else [])):
                command = [sys.executable, "-W", "ignore", __file__, "--peak", name, source, Path(folder) / "out.jpg"]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                before, after = map(int, done.stdout.split()[-2:])
                rows.append((f"{megapixels:g}", f"`{name}`", str(before), str(after), str(after - before)))
    table("Peak memory, MiB", ("megapixels", "", "loaded", "with the picture", "the picture alone"), rows)


def machine():
    """Prints the machine and versions."""
    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), model)
        flags = next((line for line in lines if line.startswith("flags")), "").split()
        model += "".join(f", {flag}" for flag in ("avx2", "avx512f", "amx_bf16") if flag in flags)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "pillow"))
    busy = f"load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    print(
        f"{model}; {os.cpu_count()} cores, {torch.get_num_threads()} threads; Python {platform.python_version()}, "
        f"{versions}, artcolor {artcolor.__version__}; {time.strftime('%Y-%m-%d')}; {busy}"
    )


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument(
        "--models", nargs="+", default=["unet", "cnn"], help="Models of the zoo; the first one is measured in detail."
    )
    parser.add_argument(
        "--onnx", nargs="*", default=[], help="ONNX files, such as those of 8 bits; for the part network"
    )
    parser.add_argument("--rivals", nargs="*", choices=RIVALS, default=RIVALS)
    parser.add_argument("--megapixels", nargs="+", type=float, default=[0.065536, 1, 12, 100])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16])
    parser.add_argument("--formats", nargs="+", choices=("jpg", "png"), default=["jpg"])
    parser.add_argument("--rounds", type=int, default=7, help="Slow parts run at most 2.")
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    """Runs the requested parts."""
    # Pillow warns of pictures beyond 90 megapixels, torch of some of the rivals' arguments.
    warnings.simplefilter("ignore")
    args = arguments()
    if args.peak:
        peak(*args.peak)
        return
    machine()
    for part in args.parts:
        {"start": start, "network": network, "files": files, "stages": stages, "memory": memory}[part](args)


if __name__ == "__main__":
    main()
