"""Clips of old films made from pictures, so that their motion and true colors are known, and measures of their colors.

Frames have the grain (σ 4 of 255) and the flicker of exposure (±3%) of old films.
"""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from PIL import Image

from artcolor.color import planes
from artcolor.color.planes import ChromaJoiner
from artcolor.evaluate.metrics import colorfulness, psnr

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
        frames: so many.
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


def films(picture, frames, size=FILM):
    """Yields frames of a film of any length, without holding them."""
    made = clip(picture, frames=24, pan=4.5, size=size).gray
    for number in range(frames):
        # There and back.
        yield made[abs((number + 23) % 46 - 23)]


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


def thumbnail(gray):
    scale = 96 / max(gray.shape)
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return planes.lightness(small)


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
