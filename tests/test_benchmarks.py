import subprocess
import sys

from tests.conftest import ROOT


def test_speed_prints_its_tables() -> None:
    options = "--models cnn --rivals --megapixels 0.01 --batches 1 --rounds 1 --parts network files stages memory"
    command = [sys.executable, ROOT / "benchmarks" / "speed.py", *options.split()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for heading in ("Network, batch of 1", "File to file, 0.01", "Where the time of `cnn` goes", "Peak memory"):
        assert f"### {heading}" in done.stdout
    # A stage whose function has another name by now would be missing.
    for stage in ("decode", "resize", "network", "decode of the head", "upsampling", "gamut and sRGB", "encode"):
        assert f"| {stage} |" in done.stdout
