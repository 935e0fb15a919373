"""Measures how steady the colors of films are, and what that costs: flicker, accuracy, cuts, speed and memory.

The clips are made from pictures, so that their motion and true colors are known (see `clips.py`). The figures in the
docs are those of these runs, each of which replaces its part of the results::

    python benchmarks/video.py --parts steady cuts mood --count 4 --frames 24 --shots 17 --json docs/results/video.json
    python benchmarks/video.py --parts speed road memory --count 1 --json docs/results/video.json
    python scripts/update_tables.py
"""

import argparse
import datetime
import json
import os
import platform
import resource
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from clips import FILM, clip, film, films, measured, thumbnail
from PIL import Image

from artcolor import Colorizer
from artcolor.color import planes
from artcolor.engine.sequence import Sequence
from artcolor.errors import ConfigError
from artcolor.video.film import colorize_film
from artcolor.video.motion import Motion
from artcolor.video.shots import starts

# Part → the options that it depends on.
OF_PARTS = {
    "steady": ("count", "frames"),
    "cuts": ("shots", "films"),
    "mood": ("count",),
    "speed": ("frames",),
    "road": ("road",),
    "memory": ("long",),
}
PARTS = tuple(OF_PARTS)


class Still:
    """Motion of pictures in which nothing moves."""

    def between(self, earlier, later):
        return self

    def on_grid(self, grid):
        return self

    def to_later(self, values):
        return values, np.ones((*values.shape[:2], 1), np.float32)

    to_earlier = to_later


class Predicted:
    """A colorizer that has predicted already."""

    def __init__(self, colorizer, found):
        self.guidance, self.batch_size, self._found = colorizer.guidance, colorizer.batch_size, found

    def predict(self, seen, *, frame=0, hints=None):
        return self._found[frame : frame + len(seen)]


METHODS = {
    "held where lightness stands still": None,
    "averaged without motion": Still(),
    "averaged along the motion": Motion(),
}
CLIPS = {
    "still": {},
    "pan, 1.5 px a frame": {"pan": 1.5},
    "pan, 4.5 px a frame": {"pan": 4.5},
    "zoom, 1 % a frame": {"zoom": 0.01},
}


def pictures_of(args, count=None):
    paths = sorted(each for each in args.pictures.iterdir() if each.suffix in (".jpg", ".png", ".webp"))
    count = count or args.count
    chosen = paths[:: max(1, len(paths) // count)][:count]
    return {path.stem: np.asarray(Image.open(path).convert("RGB")) for path in chosen}


def table(title, header, rows):
    print(f"\n### {title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    sys.stdout.flush()


def steady(args):
    """Measures flicker and accuracy."""
    colorizer = Colorizer(args.model)
    every = {}
    for title, how in CLIPS.items():
        found = {}
        for number, picture in enumerate(pictures_of(args).values()):
            made = clip(picture, frames=args.frames, seed=number, **how)
            clean = [np.asarray(Image.fromarray(each).convert("L")) for each in made.truth]
            looks = [colorizer.backend.look(each) for each in made.gray]
            predicted = colorizer.predict(looks)
            results = {ALONE: [np.asarray(each.ab)[:1] for each in predicted]}
            for name, motion in METHODS.items():
                results[name] = list(Sequence(Predicted(colorizer, predicted), motion=motion).colors(looks))
            for name, colors in results.items():
                found.setdefault(name, []).append(measured(colors, made, clean))
        for name, values in found.items():
            every.setdefault(name, []).extend(values)
        table(f"Steady: {title}", HEADER, rows_of(found))
    table("Steady: all clips", HEADER, rows_of(every))
    means = {name: np.mean(values, axis=0).tolist() for name, values in every.items()}
    first = means[ALONE]
    methods = {
        name: {"warp": warp, "psnr": decibels, "delta_colorfulness": colorful - first[2], "excess": excess}
        for name, (warp, decibels, colorful, excess) in means.items()
    }
    return {"methods": methods}


ALONE = "each frame alone"
HEADER = ("", "warp error", "of frame by frame", "PSNR", "Δ CF", "1000 · CDC excess", "of frame by frame")


def rows_of(found):
    means = {name: np.mean(values, axis=0) for name, values in found.items()}
    first = means[ALONE]
    for name, (warp, decibels, colorful, excess) in means.items():
        yield (
            name,
            f"{warp:.3f}",
            f"{warp / first[0]:.2f}",
            f"{decibels:.2f}",
            f"{colorful - first[2]:+.2f}",
            f"{1000 * excess:.2f}",
            f"{excess / first[3]:.2f}",
        )


def mood(args):
    """Measures how far the mean colors of two shots of one place differ, after another shot in between."""
    colorizer = Colorizer(args.model)
    rows = []
    every = list(pictures_of(args).items())
    for number, (name, picture) in enumerate(every):
        other = every[number - 1][1]
        shots = [clip(each, frames=12, seed=seed, pan=1.5) for seed, each in enumerate((picture, other, picture))]
        # Another take: darker, with more contrast.
        shots[2].gray = np.rint((shots[2].gray * 1.15 - 25.0).clip(0, 255)).astype(np.uint8)
        apart = []
        for sequences in (
            [Sequence(colorizer, motion=Motion()) for _ in shots],
            [Sequence(colorizer, motion=Motion())] * 3,
        ):
            means = []
            for sequence, shot in zip(sequences, shots, strict=True):
                colors = sequence.colors([colorizer.backend.look(each) for each in shot.gray])
                means.append(np.mean([ab.mean((0, 2, 3)) for ab in colors], axis=0))
            apart.append(float(np.linalg.norm(means[0] - means[2])))
        rows.append((name, *(f"{each:.2f}" for each in apart)))
    rows.append(("mean", *(f"{np.mean([float(row[n]) for row in rows]):.2f}" for n in (1, 2))))
    found = dict(zip(("alone", "remembered"), map(float, rows[-1][1:]), strict=True))
    table(
        "Mean color of a place in two shots, distance in ab", ("", "each shot alone", "with the place remembered"), rows
    )
    return found


def speed(args):
    """Measures frames a second at 720 × 576, without reading and writing files."""
    picture = next(iter(pictures_of(args).values()))
    frames = list(films(picture, args.frames))
    rows, fast = [], {}
    for name, colorizer in (("PyTorch", Colorizer(args.model, backend="torch")), ("ONNX Runtime", onnx(args.model))):
        if colorizer is None:
            continue
        look = colorizer.backend.look
        colorizer.predict([look(each) for each in frames[:4]])
        looks, light = timed(lambda look=look: [look(each) for each in frames])
        found, network = timed(lambda colorizer=colorizer, looks=looks: colorizer.predict(looks))
        ready = Sequence(Predicted(colorizer, found), motion=Motion())
        found, mean = timed(lambda ready=ready, looks=looks: list(ready.colors(looks)))
        _, join = timed(
            lambda found=found: [np.asarray(planes.join(each, ab[0])) for each, ab in zip(frames, found, strict=True)]
        )
        every = light, network, mean, join
        wall = sum(each[0] for each in every)
        rows.append((name, *(f"{1000 * s / len(frames):.1f}" for _, s in every), f"{len(frames) / wall:.1f}"))
        fast[name] = len(frames) / wall
    header = ("", "L", "network", "motion and averages", "join in RGB", "frames a second, all four")
    table(f"Speed at 720 × 576 with {args.threads} threads: ms of the processor a frame", header, rows)
    return {"frames_per_second": fast}


def road(args):
    """Measures frames a second of the whole road at 720 × 576: from an H.264 file to another one, in shots of 5 s."""
    every = list(pictures_of(args, max(1, args.road // 125)).values())
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.mp4"), Path(folder, "b.mp4")
        with av.open(str(source), "w") as output:
            video = output.add_stream("libx264", rate=Fraction(25), options={"crf": "18"})
            video.width, video.height, video.pix_fmt = FILM[1], FILM[0], "yuv420p"
            for number in range(args.road):
                if number % 125 == 0:
                    shot = films(every[number // 125 % len(every)], 125)
                frame = av.VideoFrame.from_ndarray(next(shot), "gray").reformat(format="yuv420p")
                frame.pts = number
                output.mux(video.encode(frame))
            output.mux(video.encode())
        colorizer = Colorizer(args.model)
        colorizer(next(films(every[0], 1)))
        report, (wall, spent) = timed(lambda: colorize_film(colorizer, source, target))
    fast, slow = report.frames / wall, 1000 * spent / report.frames
    rows = [(str(report.frames), str(report.shots), f"{fast:.1f}", f"{slow:.0f}")]
    header = ("frames", "shots", "frames a second", "ms of the processor a frame")
    table(f"The whole road at 720 × 576 with {args.threads} threads, {colorizer.backend.kind}", header, rows)
    return {
        "frames": report.frames,
        "backend": colorizer.backend.kind,
        "frames_per_second": fast,
        "processor_ms_per_frame": slow,
    }


def timed(task):
    """Runs a task; returns its result and its seconds, of the clock and of the processor."""
    wall, spent = time.perf_counter(), time.process_time()
    result = task()
    return result, (time.perf_counter() - wall, time.process_time() - spent)


def onnx(model):
    try:
        return Colorizer(model, backend="onnx")
    except ConfigError:
        return None


def memory(args):
    """Measures the memory of one long shot at 720 × 576."""
    colorizer = Colorizer(args.model)
    picture = next(iter(pictures_of(args).values()))
    looks = map(colorizer.backend.look, films(picture, args.long))
    rows, megabytes = [], {}
    for number, _ in enumerate(Sequence(colorizer, motion=Motion()).colors(looks), start=1):
        if number in (100, args.long // 2, args.long):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            megabytes[str(number)] = round(pages * resource.getpagesize() / 1e6)
            rows.append((str(number), str(megabytes[str(number)])))
    table("Memory of a shot", ("frames", "resident MB"), rows)
    return {"resident_mb": megabytes}


def cuts(args):
    """Measures how well the beginnings of shots are found."""
    right = wrong = missed = 0
    rows = []
    every = list(pictures_of(args, args.shots).values())
    for seed in range(args.films):
        rng = np.random.default_rng(seed)
        gray, true, dissolves, blacks = film([every[n] for n in rng.permutation(len(every))], rng)
        begun = time.perf_counter()
        found = [n for n, each in enumerate(starts(map(thumbnail, gray))) if each and n]
        seconds = time.perf_counter() - begun
        hit = {n for n in true if any(abs(n - each) <= 1 for each in found)}
        rest = [n for n in found if not any(abs(n - each) <= 1 for each in true)]
        inside = {span: [n for n in rest if span[0] <= n <= span[1]] for span in dissolves + blacks}
        rest = [n for n in rest if not any(n in each for each in inside.values())]
        shattered = sum(max(0, len(each) - 1) for each in inside.values())
        unseen = sum(not inside[span] for span in blacks)
        right, wrong, missed = right + len(hit), wrong + len(rest) + shattered, missed + len(true) - len(hit) + unseen
        right += len(blacks) - unseen
        rows.append((str(len(gray)), str(len(true)), str(len(hit)), str(len(rest)), str(len(inside)), str(shattered)))
    table("Cuts", ("frames", "hard cuts", "found within a frame", "wrong", "fades", "extra cuts in fades"), rows)
    f1 = 2 * right / (2 * right + wrong + missed)
    print(f"\nF1 {f1:.3f}; {1000 * seconds / len(gray):.2f} ms a frame")
    names = ("frames", "cuts", "found", "wrong", "fades", "extra")
    totals = dict(zip(names, np.array(rows, int).sum(0).tolist(), strict=True))
    return {"films": args.films, **totals, "f1": f1}


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="unet")
    parser.add_argument("--pictures", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--count", type=int, default=6, help="pictures to make clips from")
    parser.add_argument("--shots", type=int, default=30, help="pictures to make films with cuts from")
    parser.add_argument("--films", type=int, default=3, help="films with cuts to make")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--frames", type=int, default=40, help="of a clip")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--long", type=int, default=2000, help="frames of the film whose memory is measured")
    parser.add_argument("--road", type=int, default=500, help="frames of the film that is colorized as a whole")
    parser.add_argument("--json", type=Path, help="file of results, in which the parts are replaced")
    return parser.parse_args()


def command_of(part, args):
    """The command that measures a part again."""
    usual = {"count": 6, "frames": 40, "shots": 30, "films": 3, "road": 500, "long": 2000}
    given = [f" --{name} {getattr(args, name)}" for name in OF_PARTS[part] if getattr(args, name) != usual[name]]
    return f"python benchmarks/video.py --parts {part}{''.join(given)}"


def main():
    """Measures, and replaces the parts in the file of results that were measured."""
    args = parsed()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    results = json.loads(args.json.read_text(encoding="utf-8")) if args.json and args.json.exists() else {}
    for part in args.parts:
        # Speed depends on what else the machine does.
        load = os.getloadavg()[0]
        found = globals()[part](args)
        results[part] = {
            "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "load": round(load, 1),
            "model": args.model,
            "threads": args.threads,
            "command": command_of(part, args),
            **rounded(found),
        }
        if args.json:
            ordered = {name: results[name] for name in PARTS if name in results}
            args.json.write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def rounded(value):
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return round(value, 5) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
