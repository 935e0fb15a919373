"""Measures the disk space of each way of installing, in fresh environments; writes docs/results/install.json.

    python benchmarks/install.py
    python benchmarks/install.py --ways plain light
    python scripts/update_tables.py

Sizes are what the files take on disk, with pip and compiled Python, as `du` counts them. Use --ways to leave out
ways that cannot be installed here, for example without access to an index; they are reported as not measured.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from artcolor.files import write_atomically

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results" / "install.json"
WAYS = {
    "plain": ["pip install ."],
    "cpu": [
        "pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu",
        "pip install .",
    ],
    "light": ["pip install -r requirements-onnx.txt", "pip install --no-deps ."],
}
NAMES = {"plain": "plain", "cpu": "torch for the CPU only", "light": "light: onnxruntime, without torch"}


def measure(commands):
    """Returns the bytes of an environment made by these commands."""
    with tempfile.TemporaryDirectory(prefix="artcolor-install-") as place:
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        for command in commands:
            arguments = [Path(place) / "bin" / "python", "-m", *command.split(), "--quiet"]
            subprocess.run(arguments, check=True, cwd=ROOT)
        folders = (Path(folder, name) for folder, _, names in os.walk(place) for name in names)
        return sum(path.lstat().st_blocks * 512 for path in folders)


def machine():
    """Returns the kind of system, without what differs from run to run."""
    return f"{platform.system()} {platform.machine()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    args = parser.parse_args()
    ways = {}
    for way, commands in WAYS.items():
        size = measure(commands) if way in args.ways else None
        ways[NAMES[way]] = {"commands": commands, "bytes": size}
        print(f"{NAMES[way]}: {'not measured' if size is None else f'{size / 1e9:.2f} GB'}", flush=True)
    found = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "machine": machine(),
        "ways": ways,
    }
    write_atomically(RESULTS, (json.dumps(found, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
