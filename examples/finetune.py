"""Fine-tune a model on pictures of one artist, and evaluate it on other pictures of that artist.

    pip install ".[train,evaluate]"
    python examples/finetune.py [DATA --artist "Vincent van Gogh"] [--model cnn] [--steps 20] [--out runs/finetune]

DATA is a folder of color pictures with a metadata.csv that has the columns file_name, split and artist. Pictures of
the splits val and test are held out. Without DATA, tiles of a photograph stand in for the artist. A real collection
needs more steps: for example, 150 for fifty pictures.
"""

import argparse
import csv
import shutil
from pathlib import Path

import numpy as np
from photographs import save_tiles
from PIL import Image

import artcolor
from artcolor.evaluate.benchmark import evaluate


def pictures_of(artist, data, out, count=50):
    """Copies the artist's pictures into a small data set: up to `count` for training, all held-out ones for testing."""
    with (data / "metadata.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["artist"] == artist]
    train = [row["file_name"] for row in rows if row["split"] == "train"]
    # Spread over the list, because neighboring entries often come from one source.
    train = train[:: max(1, len(train) // count)][:count]
    test = [row["file_name"] for row in rows if row["split"] != "train"]
    if min(len(train), len(test)) < 8:
        raise SystemExit(
            f"{data} has {len(train)} training and {len(test)} held-out pictures of {artist!r}; 8 of each are needed"
        )
    for split, names in (("train", train), ("test", test)):
        (out / split).mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copy(data / name, out / split / name.replace("/", "-"))
    return out


def sheet(paths, models, path, side=240):
    """Saves one row per picture: gray, before, after, truth."""
    rows = []
    for picture in paths:
        truth = Image.open(picture).convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
        cells = [truth.convert("L").convert("RGB"), *(artcolor.colorize(truth, model=m) for m in models), truth]
        rows.append(np.concatenate([np.asarray(cell) for cell in cells], axis=1))
    Image.fromarray(np.concatenate(rows)).save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--artist", default="coffee")
    parser.add_argument("--model", default="cnn")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("runs/finetune"))
    given = parser.parse_args()

    data = given.data or save_tiles(given.out / "photographs")
    small = pictures_of(given.artist, data, given.out / "data")
    before, model = (artcolor.from_pretrained(given.model) for _ in range(2))
    # With so few pictures, only the head is trained: it adapts to the artist's palette, the features stay the same.
    config = artcolor.TrainConfig(
        steps=given.steps, batch_size=8, size=128, learning_rate=1e-3, warmup_steps=5, frozen=("network",)
    )
    after = artcolor.Trainer(model, config, artcolor.ArtDataset(small, "train"), None, out=given.out / "run").fit()

    tuned = artcolor.from_pretrained(after)
    before.name, tuned.name = "before", "after"
    results = evaluate([before, tuned], small, out=given.out, seconds=False)
    for metric in ("psnr", "abrmse", "delta_e", "nll"):
        gain = results.compare("after", "before", metric)
        print(f"{metric}: after − before = {gain.mean:+.3f} (95% interval {gain.low:+.3f} to {gain.high:+.3f})")
    sheet(artcolor.ArtDataset(small, "test").paths[:6], [before, tuned], given.out / "before_after.png")
    print(f"{results.n} held-out pictures; {given.out / 'before_after.png'} shows six: gray, before, after, truth")


if __name__ == "__main__":
    main()
