"""Examples run as they stand."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def test_custom_model(art: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "custom_model.py"), str(art), str(tmp_path / "run"), "30"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "finished:" in done.stdout
    rows = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert rows[-1].startswith("30,")
    assert (tmp_path / "run" / "model.safetensors").exists()
