"""Measures how steady the colors of films are, and what that costs: flicker, accuracy, cuts, speed and memory.

The clips are made from pictures, so that their motion and true colors are known::

    python benchmarks/video.py --pictures docs/pictures --parts steady cuts mood speed memory

Frames have the grain (σ 4 of 255) and the flicker of exposure (± 3 %) of old films.
"""

import argparse
import itertools
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from artcolor import Colorizer
from artcolor.color import planes
from artcolor.color.planes import ChromaJoiner
from artcolor.engine.sequence import Sequence
from artcolor.errors import ConfigError
from artcolor.evaluate.metrics import colorfulness, psnr
from artcolor.video.motion import Motion
from artcolor.video.shots import starts

PARTS = ("steady", "cuts", "mood", "speed", "memory")
GRAIN, EXPOSURE = 4.0, 0.03
SIZE = 224, 280
FILM = 576, 720
# Room around the window that moves over the picture, in its sizes.
ROOM = 1.45


@dataclass
class Clip:
    """A window that moves over a picture.

    Attributes:
        truth: the colors of each frame, `(n, H, W, 3)` uint8.
        gray: the same as an old film shows it, `(n, H, W)` uint8.
        places: for each frame, the affine map `(2, 3)` from its pixels to those of the picture.
    """

    truth: np.ndarray
    gray: np.ndarray
    places: list[np.ndarray]


def old(truth, rng):
    """Makes gray frames with grain and flickering exposure."""
    gray = np.stack([np.asarray(Image.fromarray(each).convert("L"), np.float32) for each in truth])
    gray *= 1 + rng.uniform(-EXPOSURE, EXPOSURE, (len(gray), 1, 1)).astype(np.float32)
    gray += rng.normal(0, GRAIN, gray.shape).astype(np.float32)
    return np.rint(gray.clip(0, 255)).astype(np.uint8)


def clip(picture, *, frames, pan=0.0, zoom=0.0, size=SIZE, seed=0):
    """Makes a clip.

    Args:
        picture: `(H, W, 3)` uint8.
        frames: number of frames.
        pan: pixels a frame, along the longer side of what is left of the picture; it turns around at the border.
        zoom: enlargement a frame.
        size: height and width of the frames.
        seed: of the grain.
    """
    height, width = size
    scale = max(ROOM * height / picture.shape[0], ROOM * width / picture.shape[1])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=method)
    room = np.array([picture.shape[1] - width, picture.shape[0] - height], float)
    way = np.array([room[0] >= room[1], room[0] < room[1]], float)
    places = []
    for number in range(frames):
        most = float(room @ way) - 2
        at = abs((pan * number + most) % (2 * most) - most) if most > 0 else 0.0
        shrunk = (1 + zoom) ** -number
        start = room / 2 * (1 - way) + way * (at + 1 if pan else float(room @ way) / 2)
        start = start + np.array([width, height]) * (1 - shrunk) / 2
        places.append(np.array([[shrunk, 0, start[0]], [0, shrunk, start[1]]]))
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    truth = np.stack([cv2.warpAffine(picture, each, (width, height), flags=flags) for each in places])
    return Clip(truth, old(truth, np.random.default_rng(seed)), places)


def chroma_of(ab, size):
    """Chroma `(H, W, 2)` at full size, as `artcolor.color.planes.join` makes it."""
    return ChromaJoiner(ab[0], *size).ab_rows(0, size[0]).transpose(1, 2, 0)


def warp_error(chroma, places):
    """Mean distance in ab of what is seen in two neighboring frames, along the known motion."""
    found = []
    height, width = chroma[0].shape[:2]
    rows, columns = np.indices((height, width), dtype=np.float32)
    for (before, start), (after, stop) in itertools.pairwise(zip(chroma, places, strict=True)):
        # Both maps scale alike in x and y, and do not turn.
        x = (stop[0, 0] * columns + stop[0, 2] - start[0, 2]) / start[0, 0]
        y = (stop[1, 1] * rows + stop[1, 2] - start[1, 2]) / start[1, 1]
        inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
        moved = cv2.remap(np.ascontiguousarray(before), x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
        found.append(np.linalg.norm(moved - after, axis=-1)[inside].mean())
    return float(np.mean(found))


def histogram(frame):
    counts = [np.bincount(frame[..., channel].ravel(), minlength=256) for channel in range(3)]
    return np.stack(counts) / frame[..., 0].size


def divergence(p, q):
    """Jensen-Shannon divergence of histograms `(channels, bins)`, in nats, averaged over the channels."""
    middle = (p + q) / 2

    def relative(x):
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(x > 0, x * np.log(x / middle), 0).sum(-1)

    return float((relative(p) + relative(q)).mean() / 2)


def consistency(frames):
    """Color distribution consistency (Liu et al. 2021): how far histograms of frames 1, 2 and 4 apart differ."""
    every = [histogram(each) for each in frames]
    return float(
        np.mean([np.mean([divergence(p, q) for p, q in zip(every, every[n:], strict=False)]) for n in (1, 2, 4)])
    )


def measured(colors, clip, clean):
    """Returns warp error, PSNR, colorfulness and color distribution consistency of a colored clip."""
    size = clip.gray.shape[1:]
    chroma = [chroma_of(ab, size) for ab in colors]
    frames = [np.asarray(planes.join(gray, ab[0])) for gray, ab in zip(clean, colors, strict=True)]
    shown, true = (torch.from_numpy(np.stack(each)).permute(0, 3, 1, 2) / 255 for each in (frames, clip.truth))
    return (
        warp_error(chroma, clip.places),
        float(psnr(shown, true).mean()),
        float(colorfulness(shown).mean()),
        consistency(frames) - consistency(clip.truth),
    )


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
    table(
        "Mean color of a place in two shots, distance in ab", ("", "each shot alone", "with the place remembered"), rows
    )


def films(picture, frames, size=FILM):
    """Yields frames of a film of any length, without holding them."""
    made = clip(picture, frames=24, pan=4.5, size=size).gray
    for number in range(frames):
        # There and back.
        yield made[abs((number + 23) % 46 - 23)]


def speed(args):
    """Measures frames a second at 720 × 576, without reading and writing files."""
    picture = next(iter(pictures_of(args).values()))
    frames = list(films(picture, args.frames))
    rows = []
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
    header = ("", "L", "network", "motion and averages", "join in RGB", "frames a second, all four")
    table(f"Speed at 720 × 576 with {args.threads} threads: ms of the processor a frame", header, rows)


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
    rows = []
    for number, _ in enumerate(Sequence(colorizer, motion=Motion()).colors(looks), start=1):
        if number in (100, args.long // 2, args.long):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            rows.append((str(number), f"{pages * resource.getpagesize() / 1e6:.0f}"))
    table("Memory of a shot", ("frames", "resident MB"), rows)


def film(pictures, rng):
    """Makes a film of shots, and says where they begin.

    Returns:
        Gray frames; the numbers of the first frames after hard cuts; ranges of frames with a dissolve, which may each
        hold one cut; and ranges with a fade through black, which must.
    """
    frames, cuts, dissolves, blacks = [], [], [], []
    for number, picture in enumerate(pictures):
        moves = ({}, {"pan": 1.5}, {"pan": 4.5}, {"zoom": 0.01})[number % 4]
        shot = clip(picture, frames=int(rng.integers(12, 40)), seed=number, **moves).truth.astype(np.float32)
        kind = number % 5
        if frames and kind == 3:
            # A dissolve.
            share = np.linspace(0, 1, 10)[1:-1, None, None, None]
            frames[-1] = np.concatenate((frames[-1], frames[-1][-1] * (1 - share) + shot[0] * share))
            dissolves.append((sum(map(len, frames)) - len(share), sum(map(len, frames))))
        elif frames and kind == 4:
            # A fade to black, some black frames, and a fade in.
            down = np.linspace(1, 0, 10)[:, None, None, None]
            start = sum(map(len, frames))
            frames.append(np.concatenate((frames[-1][-1] * down, np.zeros_like(shot[:4]), shot[0] * down[::-1])))
            blacks.append((start, sum(map(len, frames))))
        elif frames:
            cuts.append(sum(map(len, frames)))
        frames.append(shot)
    return old(np.concatenate(frames).clip(0, 255).astype(np.uint8), rng), cuts, dissolves, blacks


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
    print(f"\nF1 {2 * right / (2 * right + wrong + missed):.3f}; {1000 * seconds / len(gray):.2f} ms a frame")


def thumbnail(gray):
    scale = 96 / max(gray.shape)
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return planes.lightness(small)


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
    return parser.parse_args()


if __name__ == "__main__":
    args = parsed()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    for part in args.parts:
        globals()[part](args)
