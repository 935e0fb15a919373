"""The commands for released weights."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from typer.testing import CliRunner, Result

from artcolor.cli.app import app
from artcolor.zoo import card, locate, manifest, places
from tests.conftest import ROOT
from tests.hub_server import HubServer, point_client_to
from tests.zoo import blocked


def run(*arguments: object) -> Result:
    """Runs the command in this process. An `ArtcolorError` is in `exception`."""
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A writable manifest, and the picture for the model cards."""
    (tmp_path / "examples").mkdir()
    shutil.copy(ROOT / "examples" / "aigues_mortes.png", tmp_path / "examples")
    shutil.copy(ROOT / "weights_manifest.json", tmp_path)
    monkeypatch.setattr(manifest, "manifest_path", lambda: tmp_path / "weights_manifest.json")
    manifest.entries.cache_clear()
    yield tmp_path
    manifest.entries.cache_clear()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    server = HubServer()
    point_client_to(server, tmp_path / "hub", monkeypatch)
    yield server
    server.shutdown()


def test_models_as_json_is_json_and_needs_no_torch() -> None:
    code = "import sys; from artcolor.cli.app import app; app(standalone_mode=False); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code, "models", "--json"], capture_output=True, text=True, check=True)
    stated = json.loads((ROOT / "weights_manifest.json").read_text())["weights"]
    assert {key: value["sha256"] for key, value in json.loads(done.stdout).items()} == {
        key: value["sha256"] for key, value in stated.items()
    }


def test_verify_every_model_without_network() -> None:
    code = blocked.IN_A_PROCESS + "from artcolor.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "verify"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for key in manifest.entries():
        assert re.search(rf"{re.escape(key)}.*right.*Lab units", done.stdout)


def test_verify_names_what_is_wrong(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = manifest.entries()["cnn.art_v1"]
    golden = {**entry.golden, "lightness": {**entry.golden["lightness"], "data": "AAAA" * 1024}}
    manifest.update("cnn.art_v1", {"parameters": 1, "golden": golden})
    done = run("verify", "cnn")
    assert done.exit_code == 1
    assert "parameters is 4339466, but the manifest says 1" in done.output
    assert "differ from the golden ones by up to" in done.output
    (checkout / entry.file).write_bytes(b"another file")
    monkeypatch.setenv("ARTCOLOR_WEIGHTS_DIR", str(checkout))
    done = run("verify")
    assert done.exit_code == 1
    assert "damaged or was modified" in done.output


def test_publish_download_verify(checkout: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", server.token)
    before = (checkout / "weights_manifest.json").read_bytes()
    with blocked.sockets():
        done = run("publish", "cnn", "--org", "org", "--dry-run")
    assert done.exit_code == 0, done.output
    entry = manifest.entries()["cnn.art_v1"]
    for part in ("org/cnn.art_v1", f"model.safetensors: {entry.bytes:,} bytes", "config.json", "README.md", "gray.png"):
        assert part in done.output
    assert server.requests == []
    assert (checkout / "weights_manifest.json").read_bytes() == before

    done = run("publish", "--org", "org")
    assert done.exit_code == 0, done.output
    published = manifest.entries()
    assert all(e.hub_repo == f"org/{key}" for key, e in published.items())
    entry = published["cnn.art_v1"]
    assert HfApi(endpoint=server.url).model_info("org/cnn.art_v1").sha == entry.hub_revision
    _, files = server.at("org/cnn.art_v1", "main") or ("", {})
    assert set(files) == {"model.safetensors", "config.json", "README.md", *card.PICTURES}
    assert hashlib.sha256(files["model.safetensors"]).hexdigest() == entry.sha256
    assert json.loads(files["config.json"]) == entry.config
    assert files["color.jpg"].startswith(b"\xff\xd8")

    monkeypatch.setattr(places, "BESIDE", checkout / "weights")
    done = run("download", "--all", "-o", checkout / "copies")
    assert done.exit_code == 0, done.output
    assert (checkout / "copies" / entry.file).read_bytes() == files["model.safetensors"]
    with blocked.sockets():
        assert run("verify").exit_code == 0
        monkeypatch.setenv("ARTCOLOR_WEIGHTS_DIR", str(checkout / "copies"))
        assert locate.fetch(entry).path == checkout / "copies" / entry.file


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["download"], "give the names of models or weights to download, or --all"),
        (["download", "cnn", "--all"], "give the names of models or weights to download, or --all"),
        (["download", "nope"], "no weights called 'nope'"),
        (["publish"], "give an organization with --org"),
        (["publish", "--org", "../x"], "is not the name of a repository"),
    ],
)
def test_errors(arguments: list[str], message: str) -> None:
    assert message in str(run(*arguments).exception)


def test_publishing_needs_a_checkout_and_a_token(
    checkout: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (checkout / "weights_manifest.json").read_bytes()
    monkeypatch.setenv("HF_TOKEN", "wrong")
    assert "token with write access" in str(run("publish", "cnn", "--org", "org").exception)
    assert (checkout / "weights_manifest.json").read_bytes() == before
    shutil.rmtree(checkout / "examples")
    assert "publishing requires a checkout" in str(run("publish", "cnn", "--org", "org").exception)
