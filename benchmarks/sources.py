"""What a model achieves on each source of a data set, and what it would on another split's mix of them.

    artcolor evaluate MODEL ... --data DATA --split val --out OUT
    python benchmarks/sources.py OUT/pictures.csv DATA [--split val] [--like test] [--than MODEL]

A choice made on one split carries over to another only as far as their pictures come from the same places. Prints, for
each model, the mean PSNR of each source, of all pictures, and of all with each weighted so that sources have the shares
they have in --like; with what that is above --than, and the standard error of the difference.
"""

import csv
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer


def main(
    pictures: Annotated[Path, typer.Argument(help="pictures.csv of `artcolor evaluate`.")],
    data: Annotated[Path, typer.Argument(help="Folder of the data set, with its metadata.csv.")],
    split: Annotated[str, typer.Option(help="Split that was judged on.")] = "val",
    like: Annotated[str, typer.Option(help="Split whose shares of sources count.")] = "test",
    than: Annotated[str, typer.Option(help="Model that the others are compared with.")] = "gray",
) -> None:
    """Reads and prints."""
    with (data / "metadata.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    source_of = {Path(row["file_name"]).name: row["source"] for row in rows if row["split"] == split}
    wanted = Counter(row["source"] for row in rows if row["split"] == like)
    if not wanted:
        raise typer.BadParameter(f"{data / 'metadata.csv'} knows no split {like!r}", param_hint="--like")

    judged: dict[str, dict[str, float]] = {}
    with pictures.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            judged.setdefault(row["model"], {})[row["picture"]] = float(row["psnr"])
    if than not in judged:
        raise typer.BadParameter(f"{than!r} was not judged; judged were {', '.join(judged)}", param_hint="--than")
    names = list(judged[than])
    if unknown := [name for name in names if name not in source_of]:
        raise typer.BadParameter(f"{unknown[0]} of {pictures} is not in split {split!r}", param_hint="--split")
    sources = np.array([source_of[name] for name in names])
    found = Counter(sources.tolist())
    absent = sorted(set(wanted) - set(found))
    if absent:
        raise typer.BadParameter(f"no picture of {pictures} is from {', '.join(absent)}, which {like} has")
    weights = np.array([wanted[source] / found[source] for source in sources])
    weights /= weights.sum()

    shares = "  ".join(f"{source} {found[source]}, {wanted[source]}" for source in sorted(found))
    print(f"Pictures here and in {like}: {shares}\n")
    print("| model | " + " | ".join(sorted(found)) + f" | all | as {like} | above {than} |")
    print("|---|" + "---|" * (len(found) + 3))
    other = np.array([judged[than][name] for name in names])
    for model, values in judged.items():
        psnr = np.array([values[name] for name in names])
        by_source = [f"{psnr[sources == source].mean():.2f}" for source in sorted(found)]
        more = psnr - other
        mean = weights @ more
        error = np.sqrt(np.square(weights * (more - mean)).sum())
        cells = [*by_source, f"{psnr.mean():.3f}", f"{weights @ psnr:.3f}", f"{mean:+.3f} ± {error:.3f}"]
        print(f"| `{model}` | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    typer.run(main)
