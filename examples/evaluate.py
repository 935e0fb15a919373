"""Evaluate models on color pictures, together with trivial baselines.

    pip install ".[evaluate]"
    python examples/evaluate.py [DATA] [--models unet unet:vividness=0,temperature=1] [--limit 4] [--out runs/evaluate]

DATA is a folder of color pictures, whose split `test` is used (see docs/training.md). Without it, the example uses
tiles of photographs. By default, it evaluates all released models. Intervals over four pictures are wide; raise --limit
for reliable figures. `artcolor evaluate MODEL... --data DATA --out OUT` does the same.
"""

import argparse
from pathlib import Path

from photographs import save_tiles

import artcolor
from artcolor.evaluate.benchmark import evaluate


def main():
    released = [weights.value for name in artcolor.list_models() for weights in artcolor.get_model_weights(name)]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--models", nargs="+", default=released)
    parser.add_argument("--limit", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("runs/evaluate"))
    given = parser.parse_args()

    data = given.data or save_tiles(given.out / "photographs")
    results = evaluate(given.models, data, limit=given.limit, out=given.out, seconds=False)
    print(results.to_markdown())

    best = max(given.models, key=lambda name: results.interval(name, "auc").mean)
    difference = results.compare(best, "gray", "auc")
    interval = f"95% interval {difference.low:+.2f} to {difference.high:+.2f}"
    print(f"AuC of {best} less that of gray: {difference.mean:+.2f} ({interval})")
    print(f"pictures side by side, histograms, calibration: {given.out / 'report.html'}")


if __name__ == "__main__":
    main()
