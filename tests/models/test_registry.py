import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import artcolor
from artcolor.errors import ConfigError, WeightsError
from artcolor.models.registry import models_accepting
from tests.conftest import ROOT, make_painting

TOY = '''
"""`toy`: a model in one file."""

from typing import ClassVar

from torch import Tensor, nn

from artcolor.models.base import ColorizationModel
from artcolor.models.network import Network
from artcolor.models.heads import DistributionHead
from artcolor.models.registry import WeightsArgument, WeightsEnum, assemble, register_model


class Toy_Weights(WeightsEnum):
    """There are no released weights."""


class Toy(Network):
    stride, out_stride, channels = 4, 4, 8

    def __init__(self) -> None:
        super().__init__()
        self.config = {}
        self.layer = nn.Conv2d(1, 8, 4, stride=4)

    def forward(self, lightness: Tensor) -> Tensor:
        return self.layer(lightness / 100)


class ToyModel(ColorizationModel):
    accepts: ClassVar[frozenset[str]] = frozenset({"seed"})


@register_model(Toy_Weights)
def toy(*, weights: WeightsArgument = None, progress: bool = True, size: int | None = None) -> ToyModel:
    """Builds `toy`: a single convolution.

    Args:
        weights: the path of a weights file; `None` builds an untrained network.
        progress: show a progress bar while downloading weights.
        size: working size in pixels, 192 if not given.
    """
    return assemble(
        "toy", Toy, DistributionHead, weights, network={}, head={}, size=size, progress=progress, model_type=ToyModel
    )
'''

CHECK = """
import json, sys
import hubconf
found = {"hub": "toy" in vars(hubconf), "torch": "torch" in sys.modules, "help": hubconf.toy.__doc__}
import torch
import artcolor
from artcolor.models.registry import models_accepting
found |= {"file": artcolor.__file__, "models": artcolor.list_models(), "accepting": models_accepting("seed")}
model = hubconf.toy(size=64)
found |= {"name": model.name, "shape": list(model.colorize(torch.rand(1, 1, 33, 47)).shape)}
artcolor.save_weights(model, "toy.safetensors")
found["loaded"] = artcolor.from_pretrained("./toy.safetensors").config == model.config
print(json.dumps(found))
"""


def test_a_new_model_is_one_file(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "artcolor", tmp_path / "artcolor", ignore=shutil.ignore_patterns("weights", "__pycache__"))
    for file in ("hubconf.py", "weights_manifest.json"):
        shutil.copy(ROOT / file, tmp_path)
    (tmp_path / "artcolor" / "models" / "toy.py").write_text(TOY)
    done = subprocess.run(
        [sys.executable, "-c", CHECK],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["file"] == str(tmp_path / "artcolor" / "__init__.py")
    assert found["models"] == sorted([*artcolor.list_models(), "toy"])
    assert found["accepting"] == sorted([*models_accepting("seed"), "toy"])
    assert found["hub"]
    assert not found["torch"], "listing the entries must not import torch"
    for part in ("Builds `toy`: a single convolution.", "There are no released weights.", "\n    seed (int | None, 0"):
        assert part in found["help"]
    assert "samples (" not in found["help"]
    assert found["name"] == "toy"
    assert found["shape"] == [1, 3, 33, 47]
    assert found["loaded"]


def test_models_accepting() -> None:
    for field in ("palette", "seed", "samples", "spread"):
        assert models_accepting(field) == ["ae", "cic", "cnn", "splitbrain", "unet", "vae"]
    for field in ("hints", "reference"):
        assert models_accepting(field) == artcolor.list_models()
    assert models_accepting("nothing") == []
    for name in artcolor.list_models():
        fields = ("hints", "palette", "reference", "seed", "samples", "spread")
        assert artcolor.get_model(name).accepts == {field for field in fields if name in models_accepting(field)}


def test_models_are_listed_by_pattern() -> None:
    assert artcolor.list_models("u*") == ["unet"]
    assert artcolor.list_models("*_report") == ["ae_report", "cnn_report", "vae_report"]
    assert artcolor.list_models("nothing*") == []
    assert artcolor.list_models(pretrained=True) == [
        name for name in artcolor.list_models() if list(artcolor.get_model_weights(name))
    ]


def test_models_take_pretrained_or_weights_or_a_name_with_weights() -> None:
    released = artcolor.from_pretrained("cnn").config
    assert artcolor.get_model("cnn", pretrained=False, width=16).network.config == {"width": 16}
    assert artcolor.get_model("cnn", pretrained=True).config == released
    assert artcolor.get_model("cnn", pretrained=True, weights=None).config == released
    for name in ("cnn.art_v1", "CNN_Weights.ART_V1"):
        model = artcolor.get_model(name, pretrained=True, progress=False)
        assert model.config == released
        assert not model.training
    with pytest.raises(ConfigError, match=r"either pretrained=True or weights=\.\.\., not both"):
        artcolor.get_model("cnn", pretrained=True, weights="ART_V1")
    with pytest.raises(ConfigError, match=r"either the name 'cnn\.art_v1' or weights=\.\.\., not both"):
        artcolor.get_model("cnn.art_v1", weights="ART_V1")
    with pytest.raises(ConfigError, match=r"no weights called 'unet\.art_v0'\. Did you mean 'unet\.art_v6'\?"):
        artcolor.get_model("unet.art_v0")
    for name in ("unett", "UNet"):
        with pytest.raises(
            ConfigError, match=rf"no model called '{name}'\. Did you mean 'unet'\? The models are: ae, "
        ):
            artcolor.get_model(name)
    with pytest.raises(ConfigError, match=r"of CNN_Weights, a name or a path, not True; get_model\('cnn', pre"):
        artcolor.cnn(weights=True)
    with pytest.raises(ConfigError, match="width=16 contradicts"):
        artcolor.get_model("cnn.art_v1", width=16)


def test_encoders_alone() -> None:
    extractor = artcolor.get_model("unet.art_v6", features_only=True)
    assert not extractor.training
    light = extractor.transforms()(make_painting(2, 300, 200))[None]
    assert [light.shape[-2] / each.shape[-2] for each in extractor(light)] == [4, 8, 16, 32]
    whole = artcolor.get_model("unet.art_v6")
    assert torch.equal(extractor(light)[3], whole.network.features(light)[3])
    assert artcolor.get_model("ae", features_only=True, width=48).channels == (8, 16, 32, 48)
    with pytest.raises(ConfigError, match="cnn has no encoder, so features_only does not work"):
        artcolor.get_model("cnn", features_only=True)
    # The message names all that have one.
    for name in artcolor.list_models():
        has = bool(artcolor.get_model(name).network.feature_strides)
        assert has == (name in ("ae", "ae_report", "unet", "vae", "vae_report"))


def test_weights_files_load_under_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    small = artcolor.cnn(width=16)
    for name in ("a.safetensors", "B.SafeTensors", "weights.bin", "painter", "cnn.art_v9", "cnn", "art_v1"):
        artcolor.save_weights(small, name)
        for path in (f"./{name}", f"~/{name}", Path(name)):
            assert artcolor.from_pretrained(path).config == small.config
        if name not in ("cnn", "art_v1"):
            assert artcolor.from_pretrained(name).config == small.config
            assert artcolor.cnn(weights=name).config == small.config
    # Names of the zoo win over files of that name.
    released = artcolor.get_weight("cnn").entry.config
    assert artcolor.from_pretrained("cnn").config == artcolor.cnn(weights="art_v1").config == released


def test_other_names_say_what_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    artcolor.cnn(width=16).save_pretrained("mine")
    with pytest.raises(WeightsError, match="mine is a folder; write local-dir:mine"):
        artcolor.from_pretrained("mine")
    with pytest.raises(WeightsError, match="no weights file org/cnn; for a repository on the Hub write hf-hub:org/cnn"):
        artcolor.from_pretrained("org/cnn")


def test_weights_of_another_model_are_refused() -> None:
    with pytest.raises(ConfigError, match="are weights of ae, not of cnn"):
        artcolor.cnn(weights=artcolor.AE_Weights.DEFAULT)
    with pytest.raises(ConfigError, match="no weights called 'ae.art_v2'"):
        artcolor.cnn(weights="ae.art_v2")
    with pytest.raises(ConfigError, match="no weights called 'nothing'"):
        artcolor.cnn(weights="nothing")
