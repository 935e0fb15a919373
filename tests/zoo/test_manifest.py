import ast
import copy
import hashlib
import json
import re

import jsonschema
import pytest
import torch

import artcolor
import hubconf
from artcolor.errors import ConfigError, WeightsError
from artcolor.models.verify import golden_difference, verify
from artcolor.zoo import card, manifest, places, store
from tests.conftest import ROOT

WHOLE = json.loads(manifest.manifest_path().read_text())
SCHEMA = json.loads((ROOT / "weights_manifest.schema.json").read_text())


def is_valid(whole: object) -> bool:
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(whole)


def test_the_manifest_follows_its_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(WHOLE)
    assert (ROOT / WHOLE["$schema"]).samefile(ROOT / "weights_manifest.schema.json")


def test_enums_and_manifest_agree_in_both_directions() -> None:
    members = {m.value for name in artcolor.list_models() for m in artcolor.get_model_weights(name)}
    assert members == set(manifest.entries())
    for key in members:
        assert artcolor.get_weight(key).entry.model in artcolor.list_models()


@pytest.mark.parametrize("key", sorted(manifest.entries()))
def test_entries_match_their_files(key: str) -> None:
    entry = manifest.entries()[key]
    path = places.BESIDE / entry.file
    data = path.read_bytes()
    assert entry.bytes == len(data) <= 12 * 2**20
    assert entry.sha256 == hashlib.sha256(data).hexdigest()
    # Strict loading, config, parameters, multiply-adds and golden colors.
    verdict = verify(entry)
    assert verdict.problems == ()
    assert verdict.path == path


def test_every_weights_file_is_in_the_manifest() -> None:
    assert {p.name for p in places.BESIDE.iterdir()} == {e.file for e in manifest.entries().values()}


def test_golden_outputs_detect_a_changed_network() -> None:
    entry = manifest.entries()["cnn.art_v1"]
    model = artcolor.cnn(weights="DEFAULT")
    state = model.state_dict()
    for name, change in {
        "network.layers.0.weight": lambda t: t * 1.05,
        "network.layers.3.running_mean": lambda t: t + t.std() / 10,
        "head.codebook.centres": lambda t: t.flip(1),
        "head.codebook.prior": lambda t: t.flip(0),
    }.items():
        model.load_state_dict({**state, name: change(state[name])})
        assert golden_difference(model, entry.golden) > entry.golden["tolerance"], name
    model.load_state_dict(state)
    model.head.vividness = 0.0
    assert golden_difference(model, entry.golden) > entry.golden["tolerance"]


@pytest.mark.parametrize(
    "golden",
    [
        {},
        {"lightness": {"shape": [1, 1, 2, 2], "dtype": "uint8", "data": "AAAA"}},
        {"lightness": {"shape": [1, 1, 10**9, 10**9], "dtype": "uint8", "data": ""}},
        {"lightness": {"shape": [1], "dtype": "object", "data": "gASVAAAAAAAAAAAu"}},
    ],
)
def test_damaged_golden_tensors(golden: dict[str, object]) -> None:
    with pytest.raises(WeightsError, match="golden tensors of cnn are damaged"):
        golden_difference(artcolor.cnn(width=16), golden)


def test_names() -> None:
    assert artcolor.get_weight("cnn") is artcolor.CNN_Weights.DEFAULT
    assert artcolor.get_weight("cnn.art_v1") is artcolor.CNN_Weights.ART_V1
    assert artcolor.get_weight("CNN_Weights.ART_V1") is artcolor.CNN_Weights.ART_V1
    assert artcolor.CNN_Weights.DEFAULT.meta["license"] == "Apache-2.0"
    assert artcolor.CNN_Weights.DEFAULT.transforms().size == artcolor.cnn(weights="DEFAULT").size
    with pytest.raises(ConfigError, match=r"no weights called 'cnm'. Did you mean 'cnn'\?"):
        artcolor.get_weight("cnm")
    with pytest.raises(ConfigError, match="no model called 'cnm'. Did you mean 'cnn'"):
        artcolor.get_model("cnm")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "../../etc/passwd"}, "invalid file"),
        ({"file": "/etc/passwd.safetensors"}, "invalid file"),
        ({"file": "..\\..\\x.safetensors"}, "invalid file"),
        ({"file": "C:x.safetensors"}, "invalid file"),
        ({"file": None}, "invalid file"),
        ({"sha256": "abc"}, "invalid sha256"),
        ({"bytes": 0}, "invalid bytes"),
        ({"bytes": 2**40}, "invalid bytes"),
        ({"bytes": "1"}, "invalid bytes"),
        ({"parameters": -1}, "invalid parameters"),
        ({"commit": "main"}, "invalid commit"),
        ({"config": []}, "invalid config"),
        ({"hub_repo": "../x", "hub_revision": "0" * 40}, "invalid hub_repo"),
        ({"hub_repo": "org/x", "hub_revision": "main"}, "invalid hub_revision"),
        ({"hub_repo": "org/x", "hub_revision": None}, "both hub_repo and hub_revision, or neither"),
        ({"surprise": 1}, "must not have"),
        ({"bytes": ...}, r"lacks \['bytes'\]"),
    ],
)
def test_hostile_manifests(change: dict[str, object], message: str) -> None:
    whole = copy.deepcopy(WHOLE)
    entry = {**whole["weights"]["cnn.art_v1"], **change}
    whole["weights"]["cnn.art_v1"] = {name: value for name, value in entry.items() if value is not ...}
    with pytest.raises(WeightsError, match=message):
        manifest.parse_manifest(json.dumps(whole), "test.json")
    assert not is_valid(whole)


@pytest.mark.parametrize("key", ["../x.y", "cnn", "cnn.art v1", "CNN.x", "a.b.c"])
def test_invalid_keys(key: str) -> None:
    whole = {**WHOLE, "weights": {key: WHOLE["weights"]["cnn.art_v1"]}}
    with pytest.raises(WeightsError, match="invalid key"):
        manifest.parse_manifest(json.dumps(whole), "test.json")
    assert not is_valid(whole)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 2}', "nonsense", "[" * 10**5])
def test_no_manifest_at_all(text: str) -> None:
    with pytest.raises(WeightsError, match="not a manifest"):
        manifest.parse_manifest(text, "test.json")


def test_another_schema_version() -> None:
    with pytest.raises(WeightsError, match=r"schema version 1; this artcolor reads 2. Update artcolor"):
        manifest.parse_manifest('{"schema_version": 1, "weights": {}}', "test.json")


def test_update_keeps_other_fields_and_refuses_invalid_values(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights_manifest.json"
    path.write_text(manifest.manifest_path().read_text())
    monkeypatch.setattr(manifest, "manifest_path", lambda: path)
    before = path.read_bytes()
    manifest.update("cnn.art_v1", {"license": "Apache-2.0"})
    assert path.read_bytes() == before
    for values in ({"hub_repo": "org/x"}, {"surprise": 1}):
        with pytest.raises(WeightsError):
            manifest.update("cnn.art_v1", values)
    with pytest.raises(WeightsError):
        manifest.update("cnn.new", {"license": "Apache-2.0"})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    manifest.update("cnn.art_v1", {"hub_repo": "org/x", "hub_revision": "0" * 40})
    assert manifest.entries()["cnn.art_v1"].hub_repo == "org/x"
    manifest.entries.cache_clear()


def test_new_weights_replace_unpublished_ones_in_place(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = tmp_path / "weights_manifest.json"
    copied.write_bytes(manifest.manifest_path().read_bytes())
    monkeypatch.setattr(manifest, "manifest_path", lambda: copied)
    before = json.loads(copied.read_text())["weights"]
    with pytest.raises(WeightsError):  # Fields of the replaced entry are not inherited.
        manifest.update("unet.new", {"license": "Apache-2.0"}, replaces="unet.art_v6")
    assert json.loads(copied.read_text())["weights"] == before
    manifest.update("unet.new", before["unet.art_v6"], replaces="unet.art_v6")
    after = json.loads(copied.read_text())["weights"]
    assert list(after) == [key.replace("unet.art_v6", "unet.new") for key in before]
    assert list(after.values()) == list(before.values())
    assert "unet.art_v6" not in manifest.entries()
    manifest.update("unet.new", {"hub_repo": "org/x", "hub_revision": "0" * 40})
    with pytest.raises(ConfigError, match="unet.new is published on the Hub and cannot be replaced"):
        manifest.update("unet.newer", before["unet.art_v6"], replaces="unet.new")
    with pytest.raises(ConfigError, match="no weights called 'unet.old'"):
        manifest.update("unet.newer", before["unet.art_v6"], replaces="unet.old")
    manifest.entries.cache_clear()


def test_hub_help_shows_the_figures_of_the_manifest() -> None:
    for key, entry in manifest.entries().items():
        figures = entry.metrics["paintings-whole"]
        psnr = figures.get("accurate", figures["default"])["psnr"]["mean"]
        help_text = " ".join(getattr(hubconf, entry.model).__doc__.split())
        assert f"PSNR {psnr:.2f} dB" in help_text, key
        assert f"Default weights: {key}, {entry.parameters / 1e6:.2f} M parameters" in help_text
        assert f"{figures['default']['delta_colorfulness']['mean']:+.1f} relative to the originals" in help_text
        assert f"FD-grid {figures['default']['fd_grid']['mean']:.0f}" in help_text


@pytest.mark.parametrize("key", sorted(manifest.entries()))
def test_cards_state_figures_data_license_limits_and_usage(key: str) -> None:
    entry = manifest.entries()[key]
    text = card.model_card(entry.config, entry, repo=f"org/{key}", pictures=True)
    psnr = entry.metrics["paintings-256"]["default"]["psnr"]["mean"]
    for part in (
        f"license: {entry.license.lower()}\n",
        entry.data,
        entry.sha256,
        f"{psnr:.2f} (",
        "## Limits",
        f'from_pretrained("hf-hub:org/{key}")',
        *card.PICTURES,
    ):
        assert part in text, part
    assert "{" not in text


def test_json_of_the_zoo_is_the_manifest() -> None:
    found = json.loads(card.as_json())
    for key, entry in WHOLE["weights"].items():
        assert found[key].items() >= entry.items()
        assert f"{found[key]['model']}.{found[key]['tag']}" == key


def test_only_two_places_unpickle_and_both_are_guarded() -> None:
    calls = []
    for path in sorted((ROOT / "artcolor").rglob("*.py")):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                found = re.search(r"\b(pickle|cPickle|dill|joblib|shelve|marshal)\b", " ".join(names))
                # A colorizer is pickled for other processes; only what is being unpickled anyway is read there.
                assert not found or path == ROOT / "artcolor/engine/colorizer.py", path
            if isinstance(node, ast.FunctionDef) and node.name not in ("__getstate__", "__setstate__"):
                assert not re.search(r"\bpickle\.", ast.unparse(node)), path
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "load_state_dict_from_url"):
                assert "weights_only=True" in ast.unparse(node), path
                calls.append(path.relative_to(ROOT).as_posix())
            if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "weights_only"):
                assert ast.unparse(node.value) == str(node.arg == "weights_only"), path
    assert sorted(set(calls)) == ["artcolor/models/lite0.py", "artcolor/train/checkpoint.py"]


def test_equal_models_are_equal_files() -> None:
    torch.manual_seed(0)
    model = artcolor.cnn(width=16)
    assert store.pack(model.config, model.state_dict()) == store.pack(model.config, model.state_dict())
