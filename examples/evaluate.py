"""Judge models on colored pictures, beside gray and other trivial guesses.

    python examples/evaluate.py [DATA] [--models unet unet:vividness=0,temperature=1] [--limit 4] [--out runs/evaluate]

DATA is a folder of colored pictures, of which the split `test` is taken (see docs/training.md); without one, tiles of
photographs are judged. Models are all released ones unless they are named. The intervals of four pictures are wide:
raise --limit for figures to rely on. `artcolor evaluate MODEL... --data DATA --out OUT` does the same.
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
    gain = results.compare(best, "gray", "auc")
    print(f"AuC of {best} less that of gray: {gain.mean:+.2f} (95 % interval {gain.low:+.2f} to {gain.high:+.2f})")
    print(f"pictures beside each other, histograms, calibration: {given.out / 'report.html'}")


if __name__ == "__main__":
    main()
