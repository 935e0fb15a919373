"""Models exported to ONNX: complete files that say what they are, and their 8-bit variants."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from typer.testing import CliRunner, Result

import artcolor
from artcolor.cli.app import app
from artcolor.engine.onnx_backend import OnnxBackend
from artcolor.errors import ConfigError, WeightsError
from artcolor.models.base import ColorizationModel
from artcolor.models.export import export_onnx
from artcolor.models.guidance import Decoding, Guidance
from artcolor.models.kernel import ChromaKernel
from artcolor.models.quantization import quantize
from artcolor.zoo import graphs
from tests.conftest import make_painting


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def model() -> ColorizationModel:
    torch.manual_seed(0)
    return artcolor.cnn(weights="DEFAULT")


@pytest.fixture(scope="module")
def exported(model: ColorizationModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "mine.onnx"
    path.write_bytes(export_onnx(model, tag="cnn.mine", sha256="0" * 64))
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(16):
        make_painting(number).convert("L").resize((120, 90)).save(folder / f"{number}.png")
    return folder


def chroma(backend: OnnxBackend, decoding: Decoding = Decoding()) -> np.ndarray:
    pixels = np.asarray(make_painting(3).convert("L"))
    (found,) = backend.predict([backend.look(pixels)], Guidance(), decoding)
    return np.asarray(found.ab)


def test_a_file_says_what_it_is_and_stands_alone(model: ColorizationModel, exported: Path) -> None:
    meta = onnxruntime.InferenceSession(exported).get_modelmeta().custom_metadata_map
    stated = json.loads(meta["artcolor"])
    assert stated["config"] == model.config
    assert (stated["tag"], stated["sha256"], stated["size"]) == ("cnn.mine", "0" * 64, model.size)
    centers = model.distribution_head().codebook.centers
    np.testing.assert_allclose(stated["codebook"], centers, atol=1e-4)
    assert (stated["head"]["limit"], stated["head"]["cast"]) == ([40, 70], 0.2)
    assert np.shape(stated["head"]["log_weights"]) == (20, len(centers))
    backend = OnnxBackend(str(exported))
    assert backend.identity() == ("cnn.mine", "0" * 64)
    for decoding in (Decoding(), Decoding(vividness=0)):
        light = torch.from_numpy(backend.look(np.asarray(make_painting(3).convert("L"))))
        expected = model.predict(light, decoding=decoding).ab
        np.testing.assert_allclose(chroma(backend, decoding), expected, atol=0.02)


def test_changed_files_are_refused_and_replaced_ones_are_read_anew(exported: Path, tmp_path: Path) -> None:
    data = bytearray(exported.read_bytes())
    data[len(data) // 2] ^= 4
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(data)
    with pytest.raises(WeightsError, match=r"damaged\.onnx is damaged or was modified"):
        OnnxBackend(str(damaged))

    path = tmp_path / "one.onnx"
    path.write_bytes(exported.read_bytes())
    before = OnnxBackend(str(path))
    expected = chroma(before)
    torch.manual_seed(1)
    path.write_bytes(export_onnx(artcolor.cnn(width=16), tag="other"))
    assert OnnxBackend(str(path)).identity()[0] == "other"
    assert before.identity()[0] == "cnn.mine"
    before.limit_threads(1)
    np.testing.assert_allclose(chroma(before), expected, atol=1e-3)


def test_impossible_colors_are_refused(exported: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    for fault in (1e30, float("nan")):
        model = artcolor.cnn(width=16)
        model.distribution_head().codebook.centres.fill_(fault)
        path = tmp_path / f"{fault}.onnx"
        path.write_bytes(export_onnx(model))
        with pytest.raises(WeightsError, match="impossible colors"):
            chroma(OnnxBackend(str(path)), Decoding(vividness=0))


def test_kernels_in_float16_take_half_the_space_and_give_the_same_colors(exported: Path, half_onnx: Path) -> None:
    assert half_onnx.stat().st_size < 0.55 * exported.stat().st_size
    exact, found = (chroma(OnnxBackend(str(path))) for path in (exported, half_onnx))
    np.testing.assert_allclose(found, exact, atol=1e-3)


def test_files_for_hints_know_what_the_kernel_knows(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = artcolor.cnn(width=16)
    model.kernel = ChromaKernel([16], hidden=8, near=(4, 3), rank=5)
    torch.nn.init.normal_(model.kernel.out.weight)
    path = tmp_path / "hints.onnx"
    path.write_bytes(export_onnx(model, hints=True))
    session = onnxruntime.InferenceSession(path)
    config = json.loads(session.get_modelmeta().custom_metadata_map["artcolor"])
    assert (config["kernel"]["near"], config["kernel"]["rank"]) == ([7, 6, 3, 0], 5)
    assert config["kernel"]["objects"] == [[1, 3.0], [2, 0.15]]
    # The second and third are padded.
    for size in ((64, 96), (100, 68), (44, 72)):
        light = torch.rand(1, 1, *size) * 100
        (found,) = session.run(["embedding"], graphs.inputs_of(light.numpy(), config, 0, 1))
        features = model.encode(light)
        expected = model.embedding(features, model.predict_raw(features))
        parts = [*expected.near, expected.amplitude, expected.shared.flatten(2), expected.scale.flatten(2)]
        planes = torch.cat((*parts, expected.noise[..., None], expected.mean), dim=2)[0].mT.detach()
        height, width = expected.size
        np.testing.assert_allclose(found[0, :, :height, :width], planes.reshape(-1, height, width), atol=1e-4)
    assert OnnxBackend(str(path)).identity()[0] == "cnn"


def test_eight_bits_are_smaller_and_nearly_the_same(exported: Path, pictures: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.onnx"
    small.write_bytes(quantize(exported.read_bytes(), sorted(pictures.iterdir())))
    assert small.stat().st_size < 0.5 * exported.stat().st_size
    exact, found = (chroma(OnnxBackend(str(path))) for path in (exported, small))
    assert 0 < np.abs(found - exact).mean() < 1.5
    assert OnnxBackend(str(small)).identity() == ("cnn.mine-int8", "0" * 64)
    with pytest.raises(ConfigError, match="at least 16 pictures"):
        quantize(exported.read_bytes(), [])


def test_the_command_writes_files_that_colorize_reads(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "cnn.onnx"
    done = run("export", "cnn", "-o", out)
    assert done.exit_code == 0, done.output
    assert run("colorize", pictures / "1.png", "-o", tmp_path / "1.png", "--model", out).exit_code == 0
    found = np.asarray(artcolor.images.open_picture(tmp_path / "1.png").pixels).astype(int)
    expected = np.asarray(artcolor.Colorizer("cnn", backend="torch")(pictures / "1.png")).astype(int)
    assert np.abs(found - expected).max() <= 1
    for arguments, message in (
        (("cnn", "-o", tmp_path / "cnn.pt"), "must end in .onnx"),
        (("cnn", "-o", out, "--int8"), "must be given together"),
        (("cnn_report", "-o", tmp_path / "r.onnx"), "cannot be exported"),
        (("cnn", "-o", out, "--half", "--int8", "--pictures", pictures), "cannot be combined"),
        (("cnn", "-o", out, "--hints", "--int8", "--pictures", pictures), "cannot be combined"),
        (("nope", "-o", out), "nope"),
        (("cnn", "-o", out), "already exists; --force replaces it"),
        (("cnn", "-o", tmp_path / "c.onnx", "--int8", "--pictures", tmp_path / "none"), "there is no folder"),
        (("cnn", "-o", tmp_path / "c.onnx", "--int8", "--pictures", tmp_path), "needs at least 16 pictures"),
    ):
        failed = run("export", *arguments)
        assert failed.exit_code != 0
        assert message in " ".join(str(failed.exception or failed.output).split())
