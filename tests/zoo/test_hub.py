"""The real huggingface_hub client against a server on loopback."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import artcolor
from artcolor.errors import ConfigError, WeightsError
from tests.hub_server import HubServer


@pytest.fixture(scope="module")
def server() -> Iterator[HubServer]:
    server = HubServer()
    yield server
    server.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    artcolor.cnn(width=16).save_pretrained(folder)
    return folder


def client(code: str, server: HubServer, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own, since huggingface_hub reads its settings when it is imported."""
    import os

    settings = {"HF_ENDPOINT": server.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", **environment}
    return subprocess.run(
        [sys.executable, "-c", f"import artcolor\n{code}"], capture_output=True, text=True, env=os.environ | settings
    )


def test_saved_folders_load_again(folder: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    model = artcolor.from_pretrained(f"local-dir:{folder}")
    assert (
        model.config
        == artcolor.cnn(weights=f"local-dir:{folder}").config
        == json.loads((folder / "config.json").read_text())
    )
    assert "license: apache-2.0" in (folder / "README.md").read_text()


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_without_a_file_is_an_error(folder: Path, tmp_path: Path, missing: str) -> None:
    shutil.copytree(folder, tmp_path / "m")
    (tmp_path / "m" / missing).unlink()
    with pytest.raises(WeightsError, match=f"has no {missing}"):
        artcolor.from_pretrained(f"local-dir:{tmp_path / 'm'}")


def test_a_changed_config_is_an_error(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "m")
    (tmp_path / "m" / "config.json").write_text('{"model": "other"}')
    with pytest.raises(WeightsError, match="differ, so one of them was changed"):
        artcolor.from_pretrained(f"local-dir:{tmp_path / 'm'}")


def test_push_and_load_back(folder: Path, server: HubServer, tmp_path: Path) -> None:
    code = f"""
model = artcolor.from_pretrained("local-dir:{folder}")
commit = model.push_to_hub("org/painter", token="hf_test")
again = artcolor.from_pretrained("hf-hub:org/painter@" + commit)
assert again.config == model.config
assert all((a == b).all() for a, b in zip(again.state_dict().values(), model.state_dict().values()))
"""
    done = client(code, server, tmp_path)
    assert done.returncode == 0, done.stderr
    _, files = server.at("org/painter", "main") or ("", {})
    assert files["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    # What is in the cache, at a pinned revision, needs no network.
    commit = server.commits["org/painter"][-1][0]
    asked = len(server.requests)
    done = client(f"artcolor.from_pretrained('hf-hub:org/painter@{commit}')", server, tmp_path, HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert len(server.requests) == asked


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("artcolor.from_pretrained('hf-hub:org/nothing')", "cannot be had from the Hub"),
        ("artcolor.from_pretrained('hf-hub:org/half')", "cannot be had from the Hub"),
        ("artcolor.cnn(width=16).push_to_hub('org/x', token='wrong')", "could not be uploaded.*token that may write"),
    ],
)
def test_refusals_say_what_to_do(code: str, message: str, server: HubServer, tmp_path: Path) -> None:
    server.add("org/half", {"config.json": b"{}"})
    script = (
        f"import re\ntry:\n    {code}\nexcept artcolor.ArtcolorError as error:\n"
        f"    assert re.search({message!r}, str(error), re.DOTALL), error\nelse:\n    raise SystemExit('no error')\n"
    )
    done = client(script, server, tmp_path)
    assert done.returncode == 0, done.stderr


def test_offline_without_a_cached_copy(server: HubServer, tmp_path: Path) -> None:
    done = client("artcolor.from_pretrained('hf-hub:org/painter')", server, tmp_path, HF_HUB_OFFLINE="1")
    assert "use local-dir:PATH" in done.stderr


@pytest.mark.parametrize("name", ["hf-hub:", "hf-hub:painter", "hf-hub:a/b/c", "hf-hub:../x@main/.."])
def test_names_that_make_no_sense(name: str) -> None:
    with pytest.raises(ConfigError, match="names no repository"):
        artcolor.from_pretrained(name)
