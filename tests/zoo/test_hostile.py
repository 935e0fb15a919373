"""Malicious files cause a clear error, quickly, with little memory, and none of their code runs."""

import json
import os
import pickle
import re
import zipfile
from pathlib import Path

import pytest
import torch

import artcolor
from artcolor.errors import ConfigError, WeightsError
from artcolor.zoo import store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    artcolor.save_weights(artcolor.cnn(width=16), path)
    return path


def put(path: Path, header: object, body: bytes = b"", length: int | None = None) -> Path:
    """Writes a file with any header; `length` is the stated length of the header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + body)
    return path


def parts(path: Path) -> tuple[dict[str, dict[str, object]], bytes]:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


class Bomb:
    """Creates a folder when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_a_disguised_pickle_is_not_run(kind: str, tmp_path: Path) -> None:
    target, path = tmp_path / "harm", tmp_path / "model.safetensors"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Bomb(target)))
    else:
        torch.save(Bomb(target), path)
        assert zipfile.is_zipfile(path)
    with pytest.raises(WeightsError, match="not a safetensors file"):
        artcolor.from_pretrained(path)
    assert not target.exists()


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**40, 10**6])
def test_a_header_that_claims_to_be_huge(length: int, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="not a safetensors file, or is truncated"):
        artcolor.from_pretrained(put(tmp_path / "x.safetensors", {}, length=length))


def test_a_header_that_is_huge(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="header of 2,000,000 bytes"):
        artcolor.from_pretrained(put(tmp_path / "x.safetensors", b" " * 2_000_000))


def test_an_oversized_file_is_not_read(file: Path) -> None:
    os.truncate(file, 2**42)  # Sparse: it occupies no disk space.
    with pytest.raises(WeightsError, match=r"has 4,398,046,511,104 bytes"):
        artcolor.from_pretrained(file)


@pytest.mark.parametrize("config", ["[" * 50_000, '{"a": ' * 50_000, "NaN", '{"size": Infinity}', "[1]", "9" * 10_000])
def test_configs_that_break_parsers(config: str, tmp_path: Path) -> None:
    path = put(tmp_path / "x.safetensors", {"__metadata__": {"artcolor": config}})
    with pytest.raises(WeightsError, match="no artcolor config|is not a mapping"):
        artcolor.from_pretrained(path)


def _second(header: dict[str, dict[str, object]]) -> dict[str, object]:
    """Returns the tensor whose data come second."""
    tensors = [value for name, value in header.items() if name != "__metadata__"]
    return sorted(tensors, key=lambda value: value["data_offsets"])[1]


def _overlap(header) -> None:
    tensor = _second(header)
    tensor["data_offsets"] = [edge - 4 for edge in tensor["data_offsets"]]


def _negative(header) -> None:
    tensor = _second(header)
    tensor["data_offsets"] = [-4, tensor["data_offsets"][1]]


def _beyond(header) -> None:
    tensor = _second(header)
    tensor["data_offsets"] = [edge + 2**40 for edge in tensor["data_offsets"]]


def _shape(header) -> None:
    _second(header)["shape"] = [2**40, 2**40]


def _unknown_type(header) -> None:
    _second(header)["dtype"] = "OBJECT"


@pytest.mark.parametrize("change", [_overlap, _negative, _beyond, _shape, _unknown_type])
def test_wrong_offsets_shapes_and_types(change, file: Path) -> None:
    header, body = parts(file)
    change(header)
    with pytest.raises(WeightsError, match="not a safetensors file, or is truncated"):
        artcolor.from_pretrained(put(file, header, body))


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.zeros(138, dtype=torch.float64), "has dtype torch.float64 instead of torch.float32"),
        (torch.zeros(138, dtype=torch.int64), "has dtype torch.int64"),
        (torch.zeros(138, dtype=torch.bool), "has dtype torch.bool"),
        (torch.full((138,), torch.nan), "contains NaN or infinity in head.project.bias"),
    ],
)
def test_tensors_of_another_type_and_nan(tensor: torch.Tensor, message: str, tmp_path: Path) -> None:
    from safetensors.torch import save

    model = artcolor.cnn(width=16, bins=138)
    tensors = {**model.state_dict(), "head.project.bias": tensor}
    path = tmp_path / "x.safetensors"
    path.write_bytes(save(tensors, {"artcolor": json.dumps(model.config)}))
    with pytest.raises(WeightsError, match=re.escape(message)):
        artcolor.from_pretrained(path)


def test_an_oversized_config_is_refused_before_memory_is_allocated(file: Path) -> None:
    config, tensors = store.read(file)
    store.write(file, {**config, "network": {"width": 65536}}, tensors)  # 32 GB of weights, if it were built
    with pytest.raises(WeightsError, match="does not fit"):
        artcolor.from_pretrained(file)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")  # Reading it would block forever.
    with pytest.raises(WeightsError, match="is not a regular file"):
        artcolor.from_pretrained(tmp_path / "pipe.safetensors")
    with pytest.raises(WeightsError, match="is a folder; write local-dir:"):
        artcolor.from_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="there is no weights file .*nothing.safetensors"):
        artcolor.from_pretrained(tmp_path / "nothing.safetensors")
    (tmp_path / "round.safetensors").symlink_to(tmp_path / "round.safetensors")
    with pytest.raises(WeightsError, match="cannot be read"):
        artcolor.from_pretrained(tmp_path / "round.safetensors")


@pytest.mark.parametrize("text", ["", "[" * 100_000, "null", '{"model": "../../x"}', "\xff"])
def test_config_files_beside_the_weights(text: str, tmp_path: Path) -> None:
    artcolor.cnn(width=16).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(WeightsError, match="is not JSON|differ, so one of them was modified"):
        artcolor.from_pretrained(f"local-dir:{tmp_path}")


@pytest.mark.parametrize(
    "name",
    ["hf-hub:", "hf-hub:painter", "hf-hub:a/b/c", "hf-hub:../x@main", "hf-hub:/etc/x", "hf-hub:a/..", "hf-hub:a/b\n"],
)
def test_invalid_repositories(name: str) -> None:
    with pytest.raises(ConfigError, match="is not the name of a repository"):
        artcolor.from_pretrained(name)


@pytest.mark.parametrize("revision", ["", "../../../../x", "/etc/x", "a/../b", "..", "a\n", "x?y", "a b", "@"])
def test_revisions_that_would_escape_the_cache(revision: str) -> None:
    with pytest.raises(ConfigError, match="is not a revision"):
        artcolor.from_pretrained(f"hf-hub:org/painter@{revision}")
