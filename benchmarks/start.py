"""Measures how long whole processes take to import artcolor or to colorize one picture, compared with `import torch`.

python benchmarks/start.py [--rounds 7]

Each command runs in its own process, and all commands take turns.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

PICTURE = Path(__file__).resolve().parent.parent / "examples" / "aigues_mortes.png"
SIZE = (600, 356)
COMMANDS = {
    "import torch": "import torch",
    "import artcolor": "import artcolor",
    "import artcolor.engine": "import artcolor.engine.colorizer, artcolor.engine.session",
    "import artcolor.models.unet": "from artcolor.models import unet",
    "artcolor --help": "import sys; sys.argv = ['artcolor', '--help']; from artcolor.cli import main; main()",
    **{
        f"artcolor colorize --backend {backend}": "import sys; sys.argv = ['artcolor', 'colorize', {picture!r}, '-o', "
        f"{{out!r}}, '--force', '--backend', '{backend}']; from artcolor.cli import main; main()"
        for backend in ("torch", "onnx")
    },
}


def measure(code: str) -> tuple[float, float]:
    """Runs a process; returns its seconds, and the most memory that it held, in MiB."""
    start = time.perf_counter()
    errors = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=errors, text=True)
    _, status, usage = os.wait4(process.pid, 0)
    spent = time.perf_counter() - start
    if status:
        raise SystemExit(f"{code}\nended with status {status}:\n{process.stderr.read() if process.stderr else ''}")
    return spent, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        picture, out = str(Path(folder) / "in.jpg"), str(Path(folder) / "out.jpg")
        Image.open(PICTURE).convert("L").resize(SIZE).save(picture)
        codes = {name: code.format(picture=picture, out=out) for name, code in COMMANDS.items()}
        for code in codes.values():
            measure(code)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in codes}
        for _ in range(rounds):
            for name, code in codes.items():
                found[name].append(measure(code))
    torch = statistics.median(seconds for seconds, _ in found["import torch"])
    print("| process | median, s | times `import torch` | memory, MiB |\n|---|--:|--:|--:|")
    for name, measured in found.items():
        seconds, memory = (statistics.median(column) for column in zip(*measured, strict=True))
        print(f"| `{name}` | {seconds:.2f} | {seconds / torch:.2f} | {memory:.0f} |")


if __name__ == "__main__":
    main()
