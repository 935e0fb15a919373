"""Measures how long whole processes take that import artcolor or colorize one picture, beside `import torch` alone.

python benchmarks/start.py [--rounds 7]

Each command runs in a process of its own, in turn, after a first run that warms the disk cache.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PICTURE = Path(__file__).resolve().parent.parent / "examples" / "aigues_mortes.png"
COMMANDS = {
    "import torch": "import torch",
    "import artcolor": "import artcolor",
    "import artcolor.engine": "import artcolor.engine.colorizer, artcolor.engine.session",
    "import artcolor.models.unet": "from artcolor.models import unet",
    "artcolor --help": "import sys; sys.argv = ['artcolor', '--help']; from artcolor.cli import main; main()",
    "artcolor colorize": "import sys; sys.argv = ['artcolor', 'colorize', {picture!r}, '-o', {out!r}, '--force']; "
    "from artcolor.cli import main; main()",
}


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        codes = {
            name: code.format(picture=str(PICTURE), out=str(Path(folder) / "out.png"))
            for name, code in COMMANDS.items()
        }
        for code in codes.values():
            seconds(code)
        found: dict[str, list[float]] = {name: [] for name in codes}
        for _ in range(rounds):
            for name, code in codes.items():
                found[name].append(seconds(code))
    torch = statistics.median(found["import torch"])
    print("| process | median, s | times `import torch` |\n|---|--:|--:|")
    for name, times in found.items():
        median = statistics.median(times)
        print(f"| `{name}` | {median:.2f} | {median / torch:.2f} |")


if __name__ == "__main__":
    main()
