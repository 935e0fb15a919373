"""The road without PyTorch: the same colors, from the same weights, with torch out of reach."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import artcolor
from artcolor.engine.backends import choose
from artcolor.engine.onnx_backend import OnnxBackend
from artcolor.engine.options import checked
from artcolor.errors import ConfigError, WeightsError
from artcolor.images import read_provenance
from artcolor.models.guidance import Decoding, Guidance
from artcolor.zoo import graphs, manifest
from tests.conftest import ROOT, make_painting

GRAPHS = sorted(path.stem for path in graphs.FOLDER.glob("*.onnx"))
FREE = sorted((ROOT / "docs" / "pictures").glob("*.jpg"))

_BLOCKED = """
import socket, sys

def refuse(*args, **keywords):
    raise OSError("no network in this test")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
"""


@pytest.fixture(scope="module")
def without_torch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all installed packages but PyTorch and the exporter's, as a light installation has it."""
    folder = tmp_path_factory.mktemp("light")
    for place in map(Path, {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}):
        for package in place.iterdir():
            if not package.name.startswith(("torch", "functorch", "onnx-", "onnx_ir", "onnxscript")):
                (folder / package.name).symlink_to(package)
    (folder / "onnx").unlink()
    return folder


def in_fresh_process(code: str, *args: str | Path, packages: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a program; with `packages`, it has no others, and no network."""
    program = ("import sys\n" if packages is None else _BLOCKED) + code
    places = [ROOT] if packages is None else [ROOT, packages]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}
    command = [sys.executable, *(() if packages is None else ("-S",)), "-c", program, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


COMMAND = "from artcolor.cli import main\nsys.argv[0] = 'artcolor'\nmain()"


def test_graphs_belong_to_the_released_weights() -> None:
    assert {"unet", "vae"} <= {manifest.entry_of(key).model for key in GRAPHS}
    assert {path.stem for path in graphs.FOLDER.iterdir()} == set(GRAPHS)
    for key in GRAPHS:
        entry = manifest.entry_of(key)
        backend = OnnxBackend(key)
        assert backend.identity() == (key, entry.sha256)
        assert backend.size == entry.config["size"]
    assert sum(path.stat().st_size for path in graphs.FOLDER.iterdir()) < 1 << 20


@pytest.mark.parametrize("key", GRAPHS)
def test_predictions_are_those_of_pytorch(key: str) -> None:
    onnx, torch = (artcolor.Colorizer(key, backend=backend) for backend in ("onnx", "torch"))
    pictures = [np.asarray(Image.open(path).convert("L").resize(size)) for path, size in zip(FREE, SIZES, strict=False)]
    for decoding in (Decoding(), Decoding(vividness=0.4), Decoding(vividness=0, strength=0.5), Decoding(temperature=1)):
        found, expected = (
            each.backend.predict(
                [each.backend.look(pixels) for pixels in pictures],
                Guidance(),
                decoding,
                uncertainty=True,
                batch_size=2,
                frame=0,
            )
            for each in (onnx, torch)
        )
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(np.asarray(a.ab), np.asarray(b.ab), atol=0.02)
            assert a.entropy is not None
            assert b.entropy is not None
            np.testing.assert_allclose(np.asarray(a.entropy), np.asarray(b.entropy), atol=1e-3)


# Two of one size, which go through the network together, an odd one, and a narrow one.
SIZES = ((300, 200), (300, 200), (301, 97), (40, 400))


@pytest.mark.parametrize("name", ["unet", "vae"])
def test_fifty_files_differ_by_at_most_one_step(name: str, tmp_path: Path) -> None:
    onnx, torch = (artcolor.Colorizer(name, backend=backend) for backend in ("onnx", "torch"))
    for number in range(50):
        if number < len(FREE):
            gray = Image.open(FREE[number]).convert("L").resize((180 + number, 240 - number))
        else:
            gray = make_painting(number).convert("L")
        gray.save(tmp_path / "gray.png")
        found, expected = (np.asarray(each(tmp_path / "gray.png")).astype(int) for each in (onnx, torch))
        assert np.abs(found - expected).max() <= 1, number


def test_the_command_needs_no_torch_and_no_network(tmp_path: Path, without_torch: Path) -> None:
    source, folder = tmp_path / "a.jpg", tmp_path / "in"
    make_painting(1).convert("L").save(source)
    folder.mkdir()
    for number in range(3):
        make_painting(number).convert("L").save(folder / f"{number}.png")
    for given, out in ((source, tmp_path / "out.jpg"), (folder, tmp_path / "out")):
        done = in_fresh_process(COMMAND, "colorize", given, "-o", out, "--uncertainty", packages=without_torch)
        assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").glob("?.png"))) == 3
    expected = artcolor.Colorizer(backend="torch")
    artcolor.save(expected(source), tmp_path / "torch.jpg")
    found, wanted = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("out.jpg", "torch.jpg"))
    assert np.ptp(found, axis=-1).mean() > 3
    assert np.abs(found - wanted).max() <= 3, "one step before JPEG"
    stated = read_provenance(tmp_path / "out.jpg")
    assert stated == read_provenance(tmp_path / "torch.jpg")
    assert stated is not None
    assert stated.weights_sha256 == manifest.entry_of(stated.model).sha256


def test_the_command_imports_no_torch_where_it_is_installed(tmp_path: Path) -> None:
    make_painting(1).convert("L").save(tmp_path / "a.png")
    code = """
from artcolor.cli import main
sys.argv[0] = "artcolor"
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""
    done = in_fresh_process("import json\n" + code, "colorize", tmp_path / "a.png", "-o", tmp_path / "b.png")
    assert done.returncode == 0, done.stderr
    assert not {"torch", "torchvision", "onnx"} & set(json.loads(done.stderr.splitlines()[-1]))


def test_what_needs_torch_says_so_where_it_is_missing(tmp_path: Path, without_torch: Path) -> None:
    make_painting(1).convert("L").save(tmp_path / "a.png")
    command = ("colorize", tmp_path / "a.png", "-o", tmp_path / "b.png", "--seed", "3")
    done = in_fresh_process(COMMAND, *command, packages=without_torch)
    assert done.returncode == 1
    message = " ".join(done.stderr.split())
    for part in ("needs PyTorch, which is not installed", "does not support seed", "pip install torch"):
        assert part in message, message
    assert not (tmp_path / "b.png").exists()
    done = in_fresh_process(COMMAND, "verify", packages=without_torch)
    assert (done.returncode, "needs PyTorch, which is not installed" in done.stderr) == (1, True), done.stderr
    done = in_fresh_process("import artcolor; artcolor.Session", packages=without_torch)
    assert "ImportError: artcolor.Session needs PyTorch, which is not installed" in done.stderr


def test_auto_takes_the_backend_that_can_do_what_is_asked() -> None:
    def kind(model: object, **options: object) -> str:
        return choose(model, checked(options), Guidance(seed=options.get("seed"))).kind  # type: ignore[arg-type]

    # In this process torch is imported already.
    assert kind("unet") == "torch"
    assert kind("unet", backend="onnx") == "onnx"
    for model, options, message in (
        ("unet", {"seed": 3}, "does not support seed"),
        ("unet", {"device": "cuda"}, "runs on the CPU, not on cuda"),
        ("cnn_report", {}, "no ONNX graph of cnn_report.art_v1"),
        ("mine.safetensors", {}, "artcolor export mine.safetensors"),
        (artcolor.cnn(width=16), {}, "not models in memory"),
    ):
        with pytest.raises(ConfigError, match=message):
            kind(model, backend="onnx", **options)
    with pytest.raises(ConfigError, match="auto, torch, onnx"):
        kind("unet", backend="tensorflow")


def test_hints_switch_to_torch_unless_onnx_is_asked_for(tmp_path: Path) -> None:
    hints = [{"x": 0.5, "y": 0.5, "color": "teal"}]
    with pytest.raises(ConfigError, match="does not support hints"):
        artcolor.Colorizer("unet", backend="onnx").with_hints(hints)
    code = """
import artcolor, numpy as np
colorizer = artcolor.Colorizer("unet")
assert colorizer.backend.kind == "onnx" and "torch" not in sys.modules
guided = colorizer.with_hints([{"x": 0.5, "y": 0.5, "color": "teal"}])
assert guided.backend.kind == "torch" and colorizer.backend.kind == "onnx"
r, g, b = guided(np.full((64, 64), 120, np.uint8))[32, 32]
assert b > r + 30, (r, g, b)
"""
    done = in_fresh_process(code)
    assert done.returncode == 0, done.stderr


def test_hints_of_files_are_followed_by_the_command(tmp_path: Path) -> None:
    Image.new("L", (96, 64), 120).save(tmp_path / "a.png")
    hints = {"schema": 1, "hints": [{"x": 0.5, "y": 0.5, "color": "teal"}]}
    (tmp_path / "a.json").write_text(json.dumps(hints))
    command = ("colorize", tmp_path / "a.png", "-o", tmp_path / "b.png", "--hints", tmp_path / "a.json")
    done = in_fresh_process("import sys\n" + COMMAND, *command)
    assert done.returncode == 0, done.stderr
    r, _, b = np.asarray(Image.open(tmp_path / "b.png"))[32, 48].astype(int)
    assert b > r + 30


def test_damaged_files_are_named(tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no network")
    with pytest.raises(WeightsError, match=r"bad\.onnx is not an ONNX file of artcolor"):
        OnnxBackend(str(bad))
    with pytest.raises(WeightsError, match=r"no weights file .*missing\.onnx"):
        OnnxBackend(str(tmp_path / "missing.onnx"))
    with pytest.raises(ConfigError, match="at least 16"):
        OnnxBackend("unet", 3)
