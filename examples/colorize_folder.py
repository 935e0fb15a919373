"""Colorize a folder with its subfolders, skip pictures that already have color, and resume interrupted runs.

    python examples/colorize_folder.py [FOLDER] [--out runs/color] [--model unet]

`artcolor colorize FOLDER -o OUT --resume --skip-colored` does the same; here your code can react to each outcome.
"""

import argparse
from collections import Counter
from pathlib import Path

from artcolor import Colorizer
from artcolor.batch.plan import plan_jobs
from artcolor.batch.run import run_jobs
from artcolor.batch.saving import Saving


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).resolve().parent)
    parser.add_argument("--out", type=Path, default=Path("runs/color"))
    parser.add_argument("--model", default="unet")
    given = parser.parse_args()

    colorizer = Colorizer(given.model, skip_colored=True)
    counts = Counter()
    for outcome in run_jobs(colorizer, plan_jobs([given.folder], given.out), Saving(resume=True)):
        counts[outcome.status] += 1
        # One of "colorized", "already_colored", "exists" (an earlier run wrote the result), or "failed".
        print(f"{outcome.job.source}: {outcome.status}", outcome.error or "")
    print(f"{given.out}:", ", ".join(f"{count} {status}" for status, count in counts.items()))


if __name__ == "__main__":
    main()
