"""The page's modules in Node, compared with artcolor: the same L, the same chroma, the same pixels."""

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from artcolor.color import planes, srgb
from artcolor.engine.onnx_backend import OnnxBackend
from artcolor.engine.suggest import likeliest_colors
from artcolor.models.guidance import Decoding, Guidance
from artcolor.zoo import graphs
from tests.conftest import ROOT, make_painting

WEB = ROOT / "artcolor" / "serve" / "web"
FREE = sorted((ROOT / "docs" / "pictures").glob("*.jpg"))


def find_node() -> str | None:
    """Node of the machine, or the one in Playwright's package."""
    found = shutil.which("node")
    if found is None and importlib.util.find_spec("playwright"):
        from playwright._impl._driver import compute_driver_executable

        found = str(compute_driver_executable()[0])
    return found


NODE = find_node()
pytestmark = pytest.mark.skipif(NODE is None, reason="needs Node.js, which runs the page's modules")


def run(folder: Path, task: dict[str, Any]) -> dict[str, Any]:
    # Browsers take .js as modules where the page says so; Node, where a package.json does.
    shutil.copytree(WEB, folder / "web", dirs_exist_ok=True)
    (folder / "web" / "package.json").write_text('{"type": "module"}')
    (folder / "task.json").write_text(json.dumps(task))
    assert NODE is not None
    done = subprocess.run(
        [NODE, ROOT / "tests" / "serve" / "colorize.mjs", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads((folder / "answer.json").read_text())
    return answer


def steps(found: np.ndarray, expected: np.ndarray) -> int:
    return int(np.abs(found.astype(int) - expected.astype(int)).max())


DECODINGS: tuple[dict[str, float], ...] = (
    {},
    {"vividness": 0},
    {"vividness": 0.4, "strength": 0.5},
    {"vividness": 6, "temperature": 0.05, "strength": 1.7},
)
# Odd sizes; a wide one, whose long side is padded; one that is smaller than the grid.
SIZES = ((301, 200), (97, 310), (31, 24))

PLACES = ((0.0, 0.0), (0.41, 0.63), (0.5, 0.1), (0.9, 0.45), (1.0, 1.0))


def test_pictures_come_out_as_from_python(tmp_path: Path, half_onnx: Path) -> None:
    network = Path(shutil.copy(half_onnx, tmp_path))
    backend, session = OnnxBackend(str(network)), onnxruntime.InferenceSession(network)
    config = json.loads(session.get_modelmeta().custom_metadata_map[graphs.METADATA])
    pictures: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
    tasks = []
    for number, (path, (height, width)) in enumerate(zip(FREE, SIZES, strict=False)):
        mode, channels = ("L", 1) if number else ("RGB", 3)
        pixels = np.asarray(Image.open(path).convert(mode).resize((width, height)))
        light = backend.look(pixels)
        given = graphs.inputs_of(light, config, 0, 1)
        logits = session.run(["logits"], given)[0][0]
        name = f"picture{number}"
        pictures[name] = pixels, given["lightness"], logits
        (tmp_path / f"{name}.pixels").write_bytes(pixels.tobytes())
        (tmp_path / f"{name}.logits").write_bytes(logits.tobytes())
        padded = logits.shape[1:]
        tasks.append(
            {
                "name": name,
                "channels": channels,
                "size": (height, width),
                "padded": padded,
                "decodings": DECODINGS,
            }
        )
    sizes = [(3000, 4000), (200, 200), (50, 9000), (17, 13), (1001, 333)]
    answer = run(tmp_path, {"onnx": network.name, "sizes": sizes, "pictures": tasks, "places": PLACES})
    assert len(tasks) == len(SIZES)
    assert answer["sizes"] == [list(backend._working.of(*size)) for size in sizes]

    def floats(name: str) -> np.ndarray:
        return np.fromfile(tmp_path / name, np.float32)

    for name, (pixels, seen, logits) in pictures.items():
        rows, columns = answer[name]["grid"]
        for (x, y), found in zip(PLACES, answer[name]["suggestions"], strict=True):
            row, column = min(int(y * rows), rows - 1), min(int(x * columns), columns - 1)
            log_p = torch.log_softmax(torch.from_numpy(logits[:, row, column]), dim=0)
            light = float(seen[0, 0, row * config["out_stride"], column * config["out_stride"]])
            likely = likeliest_colors(log_p, torch.tensor(config["codebook"]), light, None, 5)
            assert len(found) == len(likely)
            for one, other in zip(found, likely, strict=True):
                np.testing.assert_allclose(one["ab"], other.ab, atol=0.02)
                assert one["probability"] == pytest.approx(other.probability, abs=1e-4)
                assert steps(*(np.array(list(bytes.fromhex(each[1:]))) for each in (one["color"], other.color))) <= 1
        assert answer[name]["size"] == list(seen.shape[2:])
        np.testing.assert_allclose(floats(f"{name}.seen"), seen.ravel(), atol=1e-3)
        for number, decoding in enumerate(DECODINGS):
            (expected,) = backend.predict(
                [backend.look(pixels)], Guidance(), Decoding(**decoding), uncertainty=not decoding
            )
            ab = np.asarray(expected.ab)[0]
            assert answer[name]["grid"] == list(ab.shape[1:])
            np.testing.assert_allclose(floats(f"{name}.{number}.ab"), ab.ravel(), atol=0.02)
            rgba = np.fromfile(tmp_path / f"{name}.{number}.rgba", np.uint8).reshape(*pixels.shape[:2], 4)
            color = np.asarray(planes.join(pixels, ab))
            assert steps(rgba[..., :3], color) <= 1, (name, decoding)
            assert (rgba[..., 3] == 255).all()
            if expected.entropy is not None:
                np.testing.assert_allclose(floats(f"{name}.entropy"), np.asarray(expected.entropy).ravel(), atol=1e-4)


def test_resizing_is_that_of_pillow_and_joining_stays_in_gamut(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    resizes, joins = [], []
    for number, (channels, size, to) in enumerate(
        (
            (1, (90, 121), (40, 60)),
            (3, (33, 70), (90, 31)),
            (4, (64, 64), (64, 20)),
        )
    ):
        pixels = rng.integers(0, 256, (*size, channels), np.uint8)
        (tmp_path / f"{number}.pixels").write_bytes(pixels.tobytes())
        resizes.append({"name": str(number), "channels": channels, "from": size, "to": to})
    # Larger than the grid, smaller than it, and one of each; strong colors, dark and light.
    for number, (size, grid) in enumerate((((40, 50), (9, 12)), ((7, 6), (20, 31)), ((5, 64), (11, 16)))):
        light = rng.uniform(0, 100, size).astype(np.float32)
        # Rounding takes black and white a little outside.
        light.flat[:5] = 0, 100, 100.00001, 100.1, -0.1
        ab = rng.normal(0, 60, (2, *grid)).astype(np.float32)
        (tmp_path / f"join{number}.light").write_bytes(light.tobytes())
        (tmp_path / f"join{number}.ab").write_bytes(ab.tobytes())
        joins.append({"name": f"join{number}", "size": size, "grid": grid})
    colors = [(0, 0, 0), (255, 255, 255), (39, 64, 139), (200, 1, 7)]
    numbers = [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, -0.6, 0.4, 7]
    answer = run(tmp_path, {"resizes": resizes, "joins": joins, "colors": colors, "numbers": numbers})
    assert answer["rounded"] == [round(number) for number in numbers]
    for task in resizes:
        before = np.fromfile(tmp_path / f"{task['name']}.pixels", np.uint8).reshape(*task["from"], task["channels"])
        found = np.fromfile(tmp_path / f"{task['name']}.resized", np.uint8).reshape(*task["to"], task["channels"])
        for channel in range(task["channels"]):
            expected = planes.resize(np.ascontiguousarray(before[..., channel]), task["to"])
            np.testing.assert_array_equal(found[..., channel], expected)
    for task in joins:
        name, (height, width) = task["name"], task["size"]
        light = np.fromfile(tmp_path / f"{name}.light", np.float32).reshape(height, width)
        ab = np.fromfile(tmp_path / f"{name}.ab", np.float32).reshape(2, *task["grid"])
        expected = planes.ChromaJoiner(ab, height, width).rows(light, 0, srgb.encode_8bit)
        found = np.fromfile(tmp_path / f"{name}.rgba", np.uint8).reshape(height, width, 4)
        assert steps(found[..., :3], expected.transpose(1, 2, 0)) <= 1
    np.testing.assert_allclose(answer["lab"], planes.lab(np.uint8([colors]))[:, 0].T, atol=2e-3)


def test_files_that_are_no_networks_are_refused(tmp_path: Path) -> None:
    make_painting(0).save(tmp_path / "a.png")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "cut").write_bytes(b"\x08\x0a\x3a\xff\x7f")
    # A graph of the package has no table of class weights; it stands for files of older versions.
    shutil.copy(sorted(graphs.FOLDER.glob("*.onnx"))[0], tmp_path / "old")
    answer = run(tmp_path, {"damaged": ["a.png", "empty", "cut", "old"]})
    for message, expected in zip(
        answer["errors"], ("damaged|cut off|not an ONNX", "not an ONNX", "cut off", "another version"), strict=True
    ):
        assert any(part in message for part in expected.split("|")), message
