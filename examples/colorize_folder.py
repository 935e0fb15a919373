"""Colorize a folder with its sub-folders, leave alone what has colour already, and go on where a run was stopped.

    python examples/colorize_folder.py [FOLDER] [--out runs/colour] [--model unet]

`artcolor colorize FOLDER -o OUT --resume --skip-coloured` does the same; here each outcome can be acted on.
"""

import argparse
from collections import Counter
from pathlib import Path

from artcolor import Colorizer
from artcolor.folder import Saving, plan_jobs, run_jobs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).resolve().parent)
    parser.add_argument("--out", type=Path, default=Path("runs/colour"))
    parser.add_argument("--model", default="unet")
    given = parser.parse_args()

    colorizer = Colorizer(given.model, skip_coloured=True)
    counts = Counter()
    for outcome in run_jobs(colorizer, plan_jobs([given.folder], given.out), Saving(resume=True)):
        counts[outcome.status] += 1
        # Either of "colorized", "coloured" (it had colour already), "there" (an earlier run wrote it), or "failed".
        print(f"{outcome.job.source}: {outcome.status}", outcome.error or "")
    print(f"{given.out}:", ", ".join(f"{count} {status}" for status, count in counts.items()))


if __name__ == "__main__":
    main()
