import ast
import hashlib
import json

import pytest

import artcolor
from artcolor.errors import ConfigError, WeightsError
from artcolor.zoo import card, manifest, store
from tests.conftest import ROOT


def test_enums_and_manifest_agree_in_both_directions() -> None:
    members = {m.value for name in artcolor.list_models() for m in artcolor.get_model_weights(name)}
    assert members == set(manifest.entries())
    for key in members:
        assert artcolor.get_weight(key).entry.model in artcolor.list_models()


@pytest.mark.parametrize("key", sorted(manifest.entries()))
def test_entries_tell_the_truth_about_their_file(key: str) -> None:
    entry = manifest.entries()[key]
    data = store.find(entry).read_bytes()
    assert entry.bytes == len(data) <= 12 * 2**20
    assert entry.sha256 == hashlib.sha256(data).hexdigest()
    config, _ = store.read(store.find(entry), entry.sha256)
    assert entry.config == config


def test_names() -> None:
    assert artcolor.get_weight("cnn") is artcolor.CNN_Weights.DEFAULT
    assert artcolor.get_weight("cnn.art_v1") is artcolor.CNN_Weights.ART_V1
    assert artcolor.get_weight("CNN_Weights.ART_V1") is artcolor.CNN_Weights.ART_V1
    assert artcolor.CNN_Weights.DEFAULT.meta["licence"] == "Apache-2.0"
    assert artcolor.CNN_Weights.DEFAULT.transforms().size == artcolor.cnn(weights="DEFAULT").size
    with pytest.raises(ConfigError, match=r"no weights called 'cnm'. There are: .*cnn\.art_v1"):
        artcolor.get_weight("cnm")
    with pytest.raises(ConfigError, match="no model called 'cnm'. There are: .*cnn"):
        artcolor.get_model("cnm")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "../../etc/passwd"}, "impossible file"),
        ({"file": "/etc/passwd.safetensors"}, "impossible file"),
        ({"sha256": "abc"}, "impossible sha256"),
        ({"surprise": 1}, "must not have"),
        ({"bytes": None}, None),
    ],
)
def test_hostile_manifests(change: dict[str, object], message: str | None) -> None:
    whole = json.loads(manifest.manifest_path().read_text())
    entry = whole["weights"]["cnn.art_v1"]
    if message is None:
        del entry["bytes"]
        message = r"lacks \['bytes'\]"
    else:
        entry.update(change)
    with pytest.raises(WeightsError, match=message):
        manifest.parse_manifest(json.dumps(whole), "test.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 1}', "nonsense"])
def test_no_manifest_at_all(text: str) -> None:
    with pytest.raises(WeightsError, match="not a manifest"):
        manifest.parse_manifest(text, "test.json")
    with pytest.raises(WeightsError, match="schema version 2"):
        manifest.parse_manifest('{"schema_version": 2, "weights": {}}', "test.json")


def test_readme_shows_the_table_of_the_manifest() -> None:
    shown = (ROOT / "README.md").read_text().split("<!-- zoo -->\n")[1].split("<!-- /zoo -->")[0]
    assert shown == card.markdown_table(), "put the output of artcolor.zoo.card.markdown_table() there"


def test_hub_help_shows_the_figures_of_the_manifest() -> None:
    for key, entry in manifest.entries().items():
        psnr = entry.metrics["paintings-256"]["accurate"]["psnr"]["mean"]
        help_text = ast.get_docstring(
            next(n for n in ast.parse((ROOT / "hubconf.py").read_text()).body if getattr(n, "name", "") == entry.model)
        )
        assert f"PSNR {psnr:.2f} dB" in help_text, key
