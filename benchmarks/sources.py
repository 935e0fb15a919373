"""Compare models per source of a data set, and with sources weighted as in another split.

    artcolor evaluate MODEL ... --data DATA --split val --out OUT
    python benchmarks/sources.py OUT/pictures.csv DATA [--split val] [--like test] [--than MODEL]

A choice made on one split holds on another only if both mix sources alike. For each model, the table shows the mean
PSNR of each source, of all pictures, and of all pictures weighted such that sources have the same shares as in --like.
The last column is the weighted difference to --than, with its standard error.
"""

import csv
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer


def main(
    pictures: Annotated[Path, typer.Argument(help="pictures.csv from `artcolor evaluate`.")],
    data: Annotated[Path, typer.Argument(help="Folder of the data set, with metadata.csv.")],
    split: Annotated[str, typer.Option(help="Split that was evaluated.")] = "val",
    like: Annotated[str, typer.Option(help="Split whose shares of sources are used as weights.")] = "test",
    than: Annotated[str, typer.Option(help="Model with which the others are compared.")] = "gray",
) -> None:
    """Prints the table of models and sources."""
    with (data / "metadata.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    source_of = {Path(row["file_name"]).name: row["source"] for row in rows if row["split"] == split}
    wanted = Counter(row["source"] for row in rows if row["split"] == like)
    if not wanted:
        raise typer.BadParameter(f"{data / 'metadata.csv'} has no split {like!r}", param_hint="--like")

    psnr_of: dict[str, dict[str, float]] = {}
    with pictures.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            psnr_of.setdefault(row["model"], {})[row["picture"]] = float(row["psnr"])
    if than not in psnr_of:
        raise typer.BadParameter(f"{pictures} has no model {than!r}, only {', '.join(psnr_of)}", param_hint="--than")
    names = list(psnr_of[than])
    if unknown := [name for name in names if name not in source_of]:
        raise typer.BadParameter(f"{unknown[0]} of {pictures} is not in split {split!r}", param_hint="--split")
    sources = np.array([source_of[name] for name in names])
    found = Counter(sources.tolist())
    absent = sorted(set(wanted) - set(found))
    if absent:
        raise typer.BadParameter(f"{pictures} has no picture from {', '.join(absent)}, which split {like!r} has")
    weights = np.array([wanted[source] / found[source] for source in sources])
    weights /= weights.sum()

    counts = "; ".join(f"{source} {found[source]} and {wanted[source]}" for source in sorted(found))
    print(f"Pictures evaluated, and in {like}: {counts}\n")
    print("| model | " + " | ".join(sorted(found)) + f" | all | as {like} | above {than} |")
    print("|---|" + "---|" * (len(found) + 3))
    other = np.array([psnr_of[than][name] for name in names])
    for model, values in psnr_of.items():
        psnr = np.array([values[name] for name in names])
        by_source = [f"{psnr[sources == source].mean():.2f}" for source in sorted(found)]
        difference = psnr - other
        mean = weights @ difference
        error = np.sqrt(np.square(weights * (difference - mean)).sum())
        cells = [*by_source, f"{psnr.mean():.3f}", f"{weights @ psnr:.3f}", f"{mean:+.3f} ± {error:.3f}"]
        print(f"| `{model}` | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    typer.run(main)
