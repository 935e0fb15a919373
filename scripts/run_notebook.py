"""Runs examples/quickstart.ipynb and stores its outputs in it, with small pictures, so that GitHub shows results.

Run it from a checkout after a release of weights: python scripts/run_notebook.py
"""

import base64
import io
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

from artcolor.files import write_atomically

_ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = _ROOT / "examples" / "quickstart.ipynb"
_LONGEST, _QUALITY = 1000, 70


def executed(folder: Path) -> Any:
    """Runs the notebook.

    Args:
        folder: where it runs and writes its files.

    Returns:
        The notebook with its outputs.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (folder / "aigues_mortes.png").symlink_to(NOTEBOOK.with_name("aigues_mortes.png"))
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def shrink(notebook: Any) -> None:
    """Replaces the pictures of all outputs by small ones, and drops what changes with each run."""
    for cell in notebook.cells:
        cell.get("metadata", {}).pop("execution", None)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                data["image/jpeg"] = _small(base64.b64decode(data.pop("image/png")))
                # It names an address in memory.
                data.pop("text/plain", None)


def _small(png: bytes) -> str:
    with Image.open(io.BytesIO(png)) as image:
        picture = image.convert("RGB")
    picture.thumbnail((_LONGEST, _LONGEST), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def main() -> None:
    """Runs the notebook and writes it with its outputs."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = executed(Path(folder))
    shrink(notebook)
    write_atomically(NOTEBOOK, (nbformat.writes(notebook) + "\n").encode())


if __name__ == "__main__":
    main()
