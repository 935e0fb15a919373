"""Examples run as they stand, without arguments, in a folder of their own; the notebook as Jupyter runs it."""

import base64
import functools
import importlib
import io
import json
import re
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image, ImageStat

import artcolor
from artcolor.images import read_provenance
from artcolor.images.colored import is_colored
from tests.conftest import ROOT, make_painting
from tests.hiding import environment_for, stated

EXAMPLES = ROOT / "examples"
RELEASED = [weights.value for name in artcolor.list_models() for weights in artcolor.get_model_weights(name)]


def run(example: str, folder: Path, *arguments: object) -> str:
    """Runs an example as its user does, with only what it states to need, and gives what it printed."""
    command = [sys.executable, str(EXAMPLES / example), *map(str, arguments)]
    with tempfile.TemporaryDirectory() as hiding:
        environment = environment_for(EXAMPLES / example, Path(hiding))
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_hub_load(tmp_path: Path) -> None:
    run("hub_load.py", tmp_path)
    result = pixels(tmp_path / "runs" / "hub_load.png")
    assert result.shape == pixels(EXAMPLES / "aigues_mortes.png").shape
    assert is_colored(result)


def test_colorize_folder(tmp_path: Path) -> None:
    first = run("colorize_folder.py", tmp_path)
    assert "1 colorized" in first
    out = tmp_path / "runs" / "color"
    assert [path.name for path in out.iterdir()] == ["aigues_mortes.png"]
    assert is_colored(pixels(out / "aigues_mortes.png"))
    assert "1 exists" in run("colorize_folder.py", tmp_path)


@pytest.mark.parametrize("color", [False, True], ids=["gray", "in color"])
def test_compare_models(tmp_path: Path, color: bool) -> None:
    make_painting(1, 120, 90).convert("RGB" if color else "L").save(tmp_path / "mine.png")
    printed = run("compare_models.py", tmp_path, "mine.png", "--width", 100)
    shown = ["gray", *RELEASED, *(["original"] if color else [])]
    assert printed.startswith(", ".join(shown) + ":")
    grid = pixels(tmp_path / "runs" / "compare_models.png")
    rows = -(-len(shown) // 3)
    assert grid.shape == (rows * (75 + 24), 300, 3)
    cells = [grid[n // 3 * 99 + 24 : n // 3 * 99 + 99, n % 3 * 100 : n % 3 * 100 + 100] for n in range(len(shown))]
    assert [is_colored(cell) for cell in cells[:2]] == [False, True]
    # Each model gives colors of its own.
    assert len({cell.tobytes() for cell in cells}) == len(shown)


def test_vae_samples(tmp_path: Path) -> None:
    # Another version of the picture, in brown: an unlike reference would count little.
    gray = np.asarray(Image.open(ROOT / "examples" / "aigues_mortes.png").convert("L")).astype(float)
    brown = gray[..., None] * [1.0, 0.95, 0.7]
    Image.fromarray(brown.astype(np.uint8)).save(tmp_path / "brown.png")
    run("vae_samples.py", tmp_path, "--reference", "brown.png", "--samples", 2)
    grid = pixels(tmp_path / "runs" / "vae_samples.png").astype(float)
    rows, columns = grid.shape[0] // 2, grid.shape[1] // 3
    typical, one, two = (grid[:rows, n * columns : (n + 1) * columns] for n in range(3))
    _, brown_one, brown_two = (grid[rows:, n * columns : (n + 1) * columns] for n in range(3))
    assert np.abs(typical - one).mean() > 1
    assert np.abs(one - two).mean() > 1
    for each in (brown_one, brown_two):
        assert (each[..., 0] - each[..., 2]).mean() > (typical[..., 0] - typical[..., 2]).mean() + 10


def test_evaluate(tmp_path: Path) -> None:
    printed = run("evaluate.py", tmp_path, "--limit", 2)
    results = json.loads((tmp_path / "runs" / "evaluate" / "results.json").read_text())
    assert results["n"] == 2
    assert set(RELEASED) < set(results["models"])
    assert all(f"| `{name}` |" in printed for name in RELEASED)
    assert "less that of gray" in printed


def test_finetune(tmp_path: Path) -> None:
    printed = run("finetune.py", tmp_path)
    gains = {line.split(":")[0]: float(line.split("= ")[1].split()[0]) for line in printed.splitlines() if "= " in line}
    # On held-out tiles of the photograph that it was tuned on.
    assert gains["psnr"] > 0
    assert gains["nll"] < 0
    with Image.open(tmp_path / "runs" / "finetune" / "before_after.png") as sheet:
        assert sheet.size == (4 * 240, 6 * 240)


def test_custom_model(tmp_path: Path) -> None:
    assert "finished:" in run("custom_model.py", tmp_path)
    out = tmp_path / "runs" / "custom_model"
    assert (out / "log.csv").read_text().splitlines()[-1].startswith("40,")
    learned = safetensors.torch.load_file(out / "model.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in learned.values())


def test_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES.parent / "scripts"))
    script = importlib.import_module("run_notebook")
    assert script.NOTEBOOK.stat().st_size <= 300e3
    stored = nbformat.read(script.NOTEBOOK, as_version=4)
    notebook = script.executed(tmp_path)
    script.shrink(notebook)
    old, new = (
        [cell.outputs[-1].data for cell in each.cells if cell.cell_type == "code"] for each in (stored, notebook)
    )
    assert len([data for data in new if "image/jpeg" in data]) == 6
    assert all(name in str(new) for name in RELEASED)
    for before, after in zip(old, new, strict=True):
        assert before.keys() == after.keys()
        if "image/jpeg" in after:
            first, second = (Image.open(io.BytesIO(base64.b64decode(each["image/jpeg"]))) for each in (before, after))
            difference = np.abs(np.asarray(first).astype(int) - np.asarray(second)).mean()
            assert difference < 0.5, "it is out of date; run: python scripts/run_notebook.py"
    with Image.open(tmp_path / "color.png") as image:
        assert ImageStat.Stat(image.convert("HSV")).mean[1] > 20
    assert read_provenance(tmp_path / "color.png") is not None


def test_dataloader(tmp_path: Path) -> None:
    # Its workers are processes of their own.
    assert run("dataloader.py", tmp_path).startswith("(1, 3, 256, 256) torch.uint8 mean color ")


def test_web_service(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "web_service.py"), "--port", "0", "--model", "cnn"]
    environment = environment_for(EXAMPLES / "web_service.py", tmp_path)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as service:
        try:
            address = next(found[0] for line in service.stderr if (found := re.findall(r"http://[\d.:]+", line)))
            files = []
            for number in range(4):
                make_painting(number, 90 + 30 * number, 60).convert("L").save(file := io.BytesIO(), "PNG")
                files.append(file.getvalue())
            with ThreadPoolExecutor(8) as threads:
                answers = list(threads.map(functools.partial(post, f"{address}/colorize"), [*files, b"no picture"] * 2))
        finally:
            service.send_signal(signal.SIGINT)
            _, errors = service.communicate(timeout=60)
    assert "Traceback" not in errors
    for file, (status, content) in zip(files * 2, [*answers[:4], *answers[5:9]], strict=True):
        assert status == 200
        with Image.open(io.BytesIO(content)) as image:
            found, expected = (np.asarray(each).astype(int) for each in (image, artcolor.colorize(file, "cnn")))
        assert np.abs(found - expected).max() <= 1
    for status, content in (answers[4], answers[9]):
        assert status == 422
        assert "is not a picture" in json.loads(content)["detail"]


def post(address: str, file: bytes) -> tuple[int, bytes]:
    """Sends a file as a form, and returns status and content of the answer."""
    head = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\n\r\n'
    request = urllib.request.Request(
        address, head + file + b"\r\n--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_examples_state_no_more_than_they_need() -> None:
    for path in EXAMPLES.glob("*.py"):
        text = path.read_text()
        # photographs.py needs scikit-image.
        expected = {"train": "artcolor.Trainer" in text, "evaluate": "photographs" in text or "skimage" in text}
        extras = [word for word in stated(path) if word.startswith(".[")]
        assert extras == (
            [f".[{','.join(extra for extra in expected if expected[extra])}]"] if any(expected.values()) else []
        ), path


def test_the_environment_of_examples_hides_what_they_do_not_state(tmp_path: Path) -> None:
    program = EXAMPLES / "colorize_folder.py"
    script = (
        "import importlib.util as u; print([n for n in ('torch', 'skimage', 'fastapi', 'mkdocs') if u.find_spec(n)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment_for(program, tmp_path)
    )
    assert done.stdout == "['torch']\n", done.stderr


def test_every_example_has_a_test() -> None:
    here = Path(__file__).read_text()
    # photographs.py is what those run that are given no pictures.
    for path in EXAMPLES.glob("*.py"):
        assert path.name == "photographs.py" or f'"{path.name}"' in here, path.name
