"""Writes the ONNX graphs that the package contains, for released weights; run it after each release.

python scripts/make_graphs.py [cnn.art_v1 ...]

A graph holds no weights: it takes them from the safetensors file of the release, so it is small and cannot differ.
"""

import json
import sys

from artcolor.errors import ConfigError
from artcolor.files import write_atomically
from artcolor.models.export import graph_of
from artcolor.models.registry import from_pretrained
from artcolor.zoo.graphs import FOLDER
from artcolor.zoo.manifest import entries, entry_of


def main() -> None:
    """Writes the graphs of the named weights, or of all, and deletes those that are no longer released."""
    chosen = [entry_of(key) for key in sys.argv[1:]] or list(entries().values())
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.iterdir():
        if path.stem not in entries():
            path.unlink()
    for entry in chosen:
        try:
            graph = graph_of(from_pretrained(entry.key), tag=entry.key, sha256=entry.sha256)
        except ConfigError as error:
            print(f"{entry.key}: none, because {error}")
            continue
        write_atomically(FOLDER / f"{entry.key}.onnx", graph.data)
        write_atomically(FOLDER / f"{entry.key}.json", (json.dumps(graph.external) + "\n").encode())
        print(f"{entry.key}: {len(graph.data):,} bytes, {len(graph.external)} tensors of {entry.file}")


if __name__ == "__main__":
    main()
