import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from artcolor.evaluate.benchmark import evaluate
from tests.conftest import ROOT, make_painting


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


def test_folder_says_where_the_time_goes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    options = "--model cnn --sizes 40x30 --kinds jpg:png --seconds 0.01 --rounds 1"
    monkeypatch.setattr(sys, "argv", ["folder.py", *options.split()])
    runpy.run_path(str(ROOT / "benchmarks" / "folder.py"), run_name="__main__")
    shown = capsys.readouterr().out
    assert "| 40 × 30 | jpg to png | default |" in shown
    assert "| picture | file | read | L | network | join | encode | write |" in shown
    times = [float(cell.split()[0]) for cell in shown.splitlines()[-1].split("|")[3:-1]]
    assert len(times) == 6
    assert max(times) == times[2] > 0


def test_sources_weighs_pictures_as_another_split_mixes_them(tmp_path: Path) -> None:
    data, rows = tmp_path / "data", []
    mixes = {"val": ["museum", "museum", "museum", "books"], "test": ["museum", "books", "books", "books"]}
    for split, mix in mixes.items():
        (data / split).mkdir(parents=True)
        for number, source in enumerate(mix):
            make_painting(number).save(data / split / f"{number}.png")
            rows.append(f"{split}/{number}.png,{split},{source}\n")
    (data / "metadata.csv").write_text("file_name,split,source\n" + "".join(rows))
    judged = evaluate([], data, split="val", out=tmp_path / "out", seconds=False)
    command = [sys.executable, ROOT / "benchmarks" / "sources.py", tmp_path / "out" / "pictures.csv", data]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    psnr = judged.models["gray"].table["psnr"]
    line = next(line for line in done.stdout.splitlines() if line.startswith("| `gray` |"))
    books, museum, every, as_test = (float(cell) for cell in line.split("|")[2:6])
    assert (books, museum) == pytest.approx((psnr[3], psnr[:3].mean()), abs=0.006)
    assert every == pytest.approx(psnr.mean(), abs=0.0006)
    assert as_test == pytest.approx(0.75 * psnr[3] + 0.25 * psnr[:3].mean(), abs=0.0006)


def test_video_measures_steadiness_cuts_speed_and_memory(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    results = tmp_path / "video.json"
    results.write_text('{"memory": {"old": true}}')
    options = f"--model cnn --count 1 --frames 5 --films 1 --shots 6 --road 6 --long 6 --threads 1 --json {results}"
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setattr(sys, "argv", ["video.py", "--pictures", str(ROOT / "docs" / "pictures"), *options.split()])
    runpy.run_path(str(ROOT / "benchmarks" / "video.py"), run_name="__main__")
    shown = capsys.readouterr().out
    for clip in ("still", "pan, 1.5 px a frame", "pan, 4.5 px a frame", "zoom, 1 % a frame", "all clips"):
        (line,) = re.findall(
            rf"### Steady: {re.escape(clip)}\n.*?\| averaged along the motion \|(.*?)\|\n", shown, re.S
        )
        assert float(line.split("|")[1]) < 0.5
    assert re.search(r"^F1 (1\.000|0\.9\d\d);", shown, re.M)
    for heading in ("Mean color of a place in two shots", "Speed at 720 × 576 with 1 threads", "Memory of a shot"):
        assert f"### {heading}" in shown
    found = json.loads(results.read_text())
    assert list(found) == ["steady", "cuts", "mood", "speed", "road", "memory"]
    assert found["road"]["command"] == "python benchmarks/video.py --parts road --road 6"
    assert found["road"]["frames"] == 6
    assert "old" not in found["memory"]


def test_scale_measures_the_driver_and_counts_requests(tmp_path: Path) -> None:
    options = f"--model cnn --files 20 --parts requests rows --json {tmp_path / 'scale.json'}"
    command = [sys.executable, ROOT / "benchmarks" / "scale.py", *options.split()]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "scale.json").read_text())
    assert found["requests"] == {"0.05": {"GET": 1.0, "PUT": 1.0}, "12": {"GET": 1.0, "PUT": 1.0}}
    assert found["rows"]["rows"] == 200
    assert found["rows"]["journal_bytes_a_row"] > 0
    assert "### rows" in done.stdout
