import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

import artcolor
from artcolor.errors import ConfigError, WeightsError
from artcolor.files import write_atomically
from artcolor.models.loading import load_state
from artcolor.zoo import places, store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    artcolor.save_weights(artcolor.cnn(width=16), path)
    return path


def _with(path: Path, change: dict[str, torch.Tensor | None]) -> Path:
    """Rewrites the file with changed tensors; `None` removes one."""
    config, tensors = store.read(path)
    tensors.update({name: value for name, value in change.items() if value is not None})
    for name, value in change.items():
        if value is None:
            del tensors[name]
    store.write(path, config, tensors)
    return path


def test_a_wrong_hash_is_an_error_with_a_remedy(file: Path) -> None:
    right = hashlib.sha256(file.read_bytes()).hexdigest()
    config, tensors = store.read(file, right)
    assert config["model"] == "cnn"
    assert "head.codebook.centres" in tensors
    wrong = "0" * 64
    with pytest.raises(WeightsError) as error:
        store.read(file, wrong)
    for part in (str(file), right, wrong, "reinstall artcolor"):
        assert part in str(error.value)


def test_one_flipped_bit_of_released_weights_is_detected(tmp_path: Path) -> None:
    entry = artcolor.get_weight("cnn").entry
    data = bytearray((places.BESIDE / entry.file).read_bytes())
    data[-100] ^= 1
    damaged = tmp_path / entry.file
    damaged.write_bytes(data)
    with pytest.raises(WeightsError, match="damaged or was modified"):
        store.read(damaged, entry.sha256)


def test_a_missing_tensor_is_named(file: Path) -> None:
    _with(file, {"network.layers.0.weight": None})
    with pytest.raises(WeightsError, match=r"network\.layers\.0\.weight is missing.*train it again"):
        artcolor.from_pretrained(file)


def test_an_extra_tensor_and_a_wrong_shape_are_named(file: Path) -> None:
    _with(file, {"network.extra": torch.zeros(1), "head.project.bias": torch.zeros(7)})
    with pytest.raises(WeightsError, match=r"network\.extra is not part.*head\.project\.bias has shape \(7,\)"):
        artcolor.from_pretrained(file)


def test_a_failed_load_does_not_change_the_model() -> None:
    model = artcolor.cnn(width=16)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    other = {name: torch.ones_like(tensor) for name, tensor in before.items()}
    del other["head.project.bias"]
    with pytest.raises(WeightsError):
        load_state(model, other, "test")
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("keep", [0, 7, 100, -10])
def test_truncated(file: Path, keep: int) -> None:
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(WeightsError, match="not a safetensors file, or is truncated"):
        artcolor.from_pretrained(file)


def test_foreign_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(save({"a": torch.zeros(2)}))
    with pytest.raises(WeightsError, match="no artcolor config in its header"):
        artcolor.from_pretrained(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 99}, "Update artcolor"),
        ({"model": "nothing"}, "no model called 'nothing'"),
        ({"network": {"width": 16, "depth": 3}}, "does not support depth"),
        ({"head": {"kind": "Oracle"}}, "head called 'Oracle'"),
        ({"head": {"kind": "DistributionHead", "bins": 2}}, "no model can be built from: .* 5 bins"),
        ({"head": {"kind": "DistributionHead", "bins": -1}}, "no model can be built"),
        ({"head": {"kind": ["DistributionHead"]}}, "no model can be built"),
        ({"head": "DistributionHead"}, "invalid head"),
        ({"network": None}, "invalid network"),
        ({"network": {"width": 10**12}}, "invalid network"),
        ({"network": {"width": [[1]]}}, "invalid network"),
        ({"network": {"width": "wide"}}, "no model can be built"),
        ({"network": {"width": 60000}}, r"layers\.0\.weight has shape \(4, 1, 5, 5\) instead of \(15000, 1, 5, 5\)"),
        ({"network": {"self": 1}}, "does not support self"),
        ({"size": 10**9}, "invalid size"),
        ({"size": 0}, "invalid size"),
        ({"size": "192"}, "invalid size"),
        ({"schema": [1]}, "Update artcolor"),
        ({"model": {"a": 1}}, "no model called"),
    ],
)
def test_strange_configs(file: Path, change: dict[str, object], message: str) -> None:
    config, tensors = store.read(file)
    store.write(file, {**config, **change}, tensors)
    with pytest.raises((WeightsError, ConfigError), match=message):
        artcolor.from_pretrained(file)


def test_kernels_are_half_and_statistics_are_not(file: Path) -> None:
    tensors = load(file.read_bytes())
    assert tensors["network.layers.2.weight"].dtype == torch.float16
    for name in ("network.layers.3.running_var", "head.codebook.centres", "head.codebook.prior_given_l"):
        assert tensors[name].dtype == torch.float32, name


def test_nan_is_never_saved(tmp_path: Path) -> None:
    model = artcolor.cnn(width=16)
    torch.nn.init.constant_(model.head.project.bias, float("nan"))
    with pytest.raises(WeightsError, match=r"head\.project\.bias contains NaN"):
        artcolor.save_weights(model, tmp_path / "x.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_header_is_plain_json(file: Path) -> None:
    data = file.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert json.loads(header["__metadata__"]["artcolor"])["model"] == "cnn"
