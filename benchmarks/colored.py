"""Measure how often `artcolor.images.colored` misclassifies gray, toned and color pictures made from a data set.

    python benchmarks/colored.py DATA [--split test] [--limit N] [--choose] [--hard] [--sheet FILE]

Each color picture is saved as JPEG unchanged, as its lightness in RGB, and toned as photographs and prints are.
Qualities, subsampling, tones and noise are random but the same in every run. Prints a Markdown table of the errors.
--choose prints the errors at each threshold; use it with --split val only. --sheet writes a PNG of the misclassified
pictures, row by row in the order in which they are listed. --hard measures borderline cases instead: how many pictures
of each kind count as colored.
"""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image, ImageDraw

from artcolor.color.lab import lab_to_rgb_in_gamut, linear_to_srgb, rgb_to_lab, srgb_to_linear
from artcolor.images.colored import COLORED, color_measure

# R, G, B of a gray: the row sums of Microsoft's sepia matrix.
SEPIA_MATRIX = np.array([1.351, 1.203, 0.937])
LIMITS = np.arange(0.3, 3.01, 0.1)
SHOWN, SIDE = 80, 192

Rng = np.random.Generator


def lightness_of(pixels):
    """Returns L in 0..100, `(H, W)`."""
    return rgb_to_lab(torch.tensor(pixels).movedim(-1, 0) / 255)[0].numpy()


def joined(lightness, a, b):
    """Returns RGB in 0..255 of Lab planes."""
    lab = torch.from_numpy(np.stack((lightness, a, b)).astype(np.float32))
    return lab_to_rgb_in_gamut(lab[:1], lab[1:]).movedim(0, -1).numpy() * 255


def gray_of(lightness):
    return joined(lightness, np.zeros_like(lightness), np.zeros_like(lightness))


def wave(hue, chroma, lightness, peak):
    """Returns a and b of a tint that is strongest at the lightness `peak` in 0..1, and zero in black and white."""
    t = lightness.clip(0, 100) / 100
    power = np.log(0.5) / np.log(peak)
    strength = chroma * np.sin(np.pi * t**power)
    return strength * np.cos(np.radians(hue)), strength * np.sin(np.radians(hue))


def mapped(gray, stops):
    """Applies a gradient map, as Photoshop, GIMP and ImageMagick's -clut do."""
    places = np.linspace(0, 255, len(stops))
    return np.stack([np.interp(gray[..., 0], places, [stop[c] for stop in stops]) for c in range(3)], axis=-1)


def near(rng: Rng, *color):
    return np.clip(np.array(color) + rng.uniform(-15, 15, 3), 0, 255)


def sepia_matrix(rng: Rng, lightness):
    gray, strength = gray_of(lightness), rng.uniform(0.3, 1)
    return gray * (1 - strength) + np.minimum(gray * SEPIA_MATRIX, 255) * strength


def sepia_tint(rng: Rng, lightness):
    tint = wave(rng.uniform(50, 90), rng.uniform(6, 30), lightness, rng.uniform(0.35, 0.65))
    return joined(lightness, *tint)


def cyanotype(rng: Rng, lightness):
    return mapped(gray_of(lightness), [near(rng, 20, 35, 75), near(rng, 75, 120, 165), near(rng, 238, 238, 225)])


def selenium(rng: Rng, lightness):
    tint = wave(rng.uniform(-60, 40), rng.uniform(3, 10), lightness, rng.uniform(0.2, 0.4))
    return joined(lightness, *tint)


def split_toned(rng: Rng, lightness):
    hue = rng.uniform(0, 360)
    shadows = wave(hue, rng.uniform(6, 18), lightness, rng.uniform(0.2, 0.3))
    highlights = wave(hue + rng.uniform(90, 270), rng.uniform(6, 18), lightness, rng.uniform(0.7, 0.8))
    return joined(lightness, shadows[0] + highlights[0], shadows[1] + highlights[1])


def duotone(rng: Rng, lightness):
    """Prints two inks on paper: each has its own curve, and they multiply because light passes through both."""
    gray = gray_of(lightness) / 255
    inks = [np.zeros(3) + rng.uniform(0, 0.15, 3), rng.uniform(0.1, 0.9, 3)]
    paper = np.array([1, 0.97, 0.92]) ** rng.uniform(0, 2)
    covers = [(1 - gray) ** rng.uniform(0.7, 2) for _ in inks]
    return 255 * paper * np.prod([1 - cover * (1 - ink) for cover, ink in zip(covers, inks, strict=True)], axis=0)


def yellowed(rng: Rng, lightness):
    """Ages the paper under a gray picture: linear light loses blue and some green, more on one side or at the edges."""
    height, width = lightness.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    side = (x * np.cos(angle) + y * np.sin(angle)) / 2
    edges = ((x - rng.uniform(-0.3, 0.3)) ** 2 + (y - rng.uniform(-0.3, 0.3)) ** 2) / 2
    amount = rng.uniform(0.15, 0.6) * (1 + rng.uniform(0, 0.5) * side + rng.uniform(0, 0.4) * (edges - 0.3))
    paper = np.array([0.95, 0.8, 0.5]) ** amount[..., None]
    # Faded silver is brown rather than black, and dust and scanner flare lift the blacks.
    ink = np.array([0.02, 0.014, 0.008]) * rng.uniform(0, 1)
    linear = srgb_to_linear(torch.from_numpy(gray_of(lightness) / 255)).numpy() * (paper - ink) + ink
    return linear_to_srgb(torch.from_numpy(linear)).numpy() * 255


def plain(rng: Rng, lightness):
    return gray_of(lightness)


def noisy(rng: Rng, pixels):
    """Adds chroma noise of a sensor or scanned film: single pixels, or spots of about 3 pixels."""
    height, width, _ = pixels.shape
    step = int(rng.integers(1, 4))
    grain = rng.normal(0, rng.uniform(1, 3), (height // step + 1, width // step + 1, 3))
    if step > 1:
        planes = [Image.fromarray(grain[..., c].astype(np.float32)) for c in range(3)]
        size = ((width // step + 1) * step, (height // step + 1) * step)
        grain = np.stack([np.asarray(p.resize(size, Image.Resampling.BICUBIC)) for p in planes], axis=-1)
    return pixels + grain[:height, :width]


def as_jpeg(rng: Rng, pixels, qualities=(60, 95)):
    """Returns the pixels after a round trip through JPEG at a random quality and subsampling."""
    file = io.BytesIO()
    image = Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))
    image.save(file, "JPEG", quality=int(rng.integers(*qualities, endpoint=True)), subsampling=int(rng.integers(0, 3)))
    return np.asarray(Image.open(file))


TONES: tuple[Callable, ...] = (sepia_matrix, sepia_tint, cyanotype, selenium, split_toned, duotone, yellowed)


def made(pixels, number):
    """Yields kind, sub-kind and pixels of everything made from one picture, by its number in the data set."""
    rng = np.random.default_rng([2016, number])
    lightness = lightness_of(pixels)
    tones = (("gray", plain), ("toned", TONES[number % len(TONES)]))
    for kind, tone in tones:
        result, grainy = tone(rng, lightness), bool(rng.integers(2))
        name = f"{tone.__name__.replace('_', ' ')}{', noise' if grainy else ''}"
        yield kind, name, as_jpeg(rng, noisy(rng, result) if grainy else result)
    yield "color", "unchanged", as_jpeg(rng, pixels)


def mounted(pixels, color):
    whole = np.zeros((pixels.shape[0] + 60, pixels.shape[1] + 60, 3)) + color
    whole[30:-30, 30:-30] = pixels
    return whole


def spotted(pixels, share):
    """Tints a square in the middle half red."""
    (height, width, _), result = pixels.shape, pixels.copy()
    side = round((height * width * share) ** 0.5)
    square = result[height // 2 :, width // 2 :][:side, :side]
    square[:] = square / 2 + np.array([100, 10, 30])
    return result


def difficult(pixels, number):
    """Yields name and pixels of borderline cases."""
    rng = np.random.default_rng([2017, number])
    lightness = lightness_of(pixels)
    gray, sepia = gray_of(lightness), sepia_matrix(rng, lightness)
    height, width = lightness.shape
    for deviation in (4, 9):
        name = f"gray, noise of {deviation} levels in each channel"
        yield name, as_jpeg(rng, gray + rng.normal(0, deviation, gray.shape))
    for most in (0.15, 0.3, 0.6):
        spots = Image.fromarray(rng.uniform(0, most, (4, 4)).astype(np.float32))
        stains = np.asarray(spots.resize((width, height), Image.Resampling.BICUBIC))[..., None]
        yield f"gray, brown stains, strength {most}", as_jpeg(rng, gray * np.array([0.95, 0.85, 0.6]) ** stains)
    shifted = np.stack([np.roll(gray[..., c], c - 1, axis=1) for c in range(3)], axis=-1)[:, 1:-1]
    yield "gray, channels misregistered by a pixel", as_jpeg(rng, shifted)
    yield "gray in a cream mount", as_jpeg(rng, mounted(gray, (235, 228, 207)))
    yield "sepia in a white mount", as_jpeg(rng, mounted(sepia, 255))
    yield "sepia, JPEG of quality 30", as_jpeg(rng, sepia, (30, 30))
    for share in (0.002, 0.005):
        yield f"gray with a red spot, {share:.1%} of the area", as_jpeg(rng, spotted(gray, share))
        yield f"sepia with a red spot, {share:.1%} of the area", as_jpeg(rng, spotted(sepia, share))
    for share in (0.5, 0.3, 0.2, 0.1):
        yield f"color, {share:.0%} of its chroma", as_jpeg(rng, gray + (pixels - gray) * share)


def read(data, split, limit):
    with (data / "metadata.csv").open(newline="") as file:
        names = [row["file_name"] for row in csv.DictReader(file) if row["split"] == split]
    for number, name in enumerate(names[:limit]):
        with Image.open(data / name) as image:
            yield number, name, np.asarray(image.convert("RGB"))


def table(kinds, names, measures, limit):
    wrong = (measures > limit) != (kinds == "color")
    print(f"\nThreshold {limit:g}:\n\n| kind | sub-kind | pictures | errors | fraction | 1 % | median | 99 % |")
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    for kind in ("gray", "toned", "color"):
        subs = sorted(set(names[kinds == kind]))
        for sub in ["all", *subs] if len(subs) > 1 else ["all"]:
            of = (kinds == kind) & ((names == sub) | (sub == "all"))
            low, median, high = np.quantile(measures[of], (0.01, 0.5, 0.99))
            share = f"{wrong[of].mean():.1%} | {low:.2f} | {median:.2f} | {high:.2f} |"
            print(f"| {kind} | {sub} | {of.sum()} | {wrong[of].sum()} | {share}")
    return np.flatnonzero(wrong)


def hard_table(data, split, limit):
    measures: dict[str, list[float]] = {}
    for number, _, pixels in read(data, split, limit):
        for name, picture in difficult(pixels, number):
            measures.setdefault(name, []).append(color_measure(picture))
    print("| picture | number | colored | median | 99 % |\n|---|--:|--:|--:|--:|")
    for name, found in measures.items():
        share = np.mean(np.array(found) > COLORED)
        print(f"| {name} | {len(found)} | {share:.0%} | {np.median(found):.2f} | {np.quantile(found, 0.99):.2f} |")


def limits(kinds, measures):
    print("\n| threshold | gray errors | toned | color |\n|--:|--:|--:|--:|")
    for limit in LIMITS:
        wrong = (measures > limit) != (kinds == "color")
        counts = [f"{wrong[kinds == kind].mean():.1%}" for kind in ("gray", "toned", "color")]
        print(f"| {limit:.1f} | {' | '.join(counts)} |")


def draw(shown, path):
    rows = -(-len(shown) // 8)
    whole = Image.new("RGB", (8 * SIDE, rows * SIDE), "white")
    for place, (measure, pixels) in enumerate(shown):
        tile = Image.fromarray(pixels)
        tile.thumbnail((SIDE - 8, SIDE - 20))
        corner = (place % 8 * SIDE, place // 8 * SIDE)
        whole.paste(tile, (corner[0] + 4, corner[1] + 16))
        ImageDraw.Draw(whole).text((corner[0] + 4, corner[1] + 2), f"{place}: {measure:.2f}", fill="black")
    whole.save(path)


def main(
    data: Annotated[Path, typer.Argument(help="Folder of color pictures with metadata.csv.")],
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    limit: Annotated[int | None, typer.Option(help="Only so many pictures.")] = None,
    choose: Annotated[bool, typer.Option("--choose", help="Print the errors at each threshold.")] = False,
    hard: Annotated[bool, typer.Option("--hard", help="Measure difficult pictures instead.")] = False,
    sheet: Annotated[Path | None, typer.Option(help="PNG of the misclassified pictures.")] = None,
) -> None:
    """Measures and prints."""
    if hard:
        return hard_table(data, split, limit)
    found = []
    mistaken = []
    for number, name, pixels in read(data, split, limit):
        for kind, sub, picture in made(pixels, number):
            measure = color_measure(picture)
            found.append((kind, sub, name, measure))
            if (measure > COLORED) != (kind == "color"):
                mistaken.append((measure, picture))
    if not found:
        raise typer.BadParameter(f"metadata.csv in {data} names no picture of split {split!r}")
    kinds, subs, names, measures = (np.array(column) for column in zip(*found, strict=True))
    if choose:
        limits(kinds, measures)
    for place, i in enumerate(table(kinds, subs, measures, COLORED)):
        print(f"{'' if place else chr(10)}{place}. {names[i]}, {kinds[i]}, {subs[i]}: {measures[i]:.2f}")
    if sheet is not None and mistaken:
        draw(mistaken[:SHOWN], sheet)


if __name__ == "__main__":
    typer.run(main)
