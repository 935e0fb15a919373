"""Tests of the real huggingface_hub client against a local server."""

import dataclasses
import hashlib
import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi, constants

import artcolor
from artcolor.errors import WeightsError
from artcolor.zoo import locate, manifest
from tests.hub_server import HubServer, point_client_to
from tests.zoo import blocked

FILE = "model.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    artcolor.cnn(width=16).save_pretrained(folder)
    return folder


@pytest.fixture
def server() -> Iterator[HubServer]:
    server = HubServer()
    yield server
    server.shutdown()


@pytest.fixture
def entry(server: HubServer, folder: Path) -> manifest.Entry:
    """Small weights that exist only on the Hub."""
    data = (folder / FILE).read_bytes()
    revision = server.add("org/painter", {p.name: p.read_bytes() for p in folder.iterdir()})
    return dataclasses.replace(
        artcolor.get_weight("cnn").entry,
        key="cnn.small",
        file="cnn.small.safetensors",
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        hub_repo="org/painter",
        hub_revision=revision,
    )


@pytest.fixture
def cache(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; the client in this process uses it and the server, as with HF_HOME and HF_ENDPOINT."""
    cache = tmp_path / "hub"
    point_client_to(server, cache, monkeypatch)
    return cache


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Durations that the client waits between attempts; the waits are skipped."""
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    return waits


def client(code: str, server: HubServer, home: Path, *prefix: str, **environment: str) -> subprocess.Popen[str]:
    """Runs code in a new process, since huggingface_hub reads its settings at import."""
    settings = {"HF_ENDPOINT": server.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", **environment}
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", f"import artcolor\n{code}"],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | settings,
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


def contents(cache: Path) -> list[str]:
    """Returns the files in the cache, complete or not."""
    kept = [p for p in cache.rglob("*") if p.is_file() and {"blobs", "snapshots"} & set(p.parts)]
    return [str(p.relative_to(cache)) for p in kept]


def downloads(server: HubServer) -> int:
    return sum(line.startswith("GET") and line.endswith(FILE) for line in server.requests)


def test_saved_folders_load_again(folder: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", "config.json", FILE]
    model = artcolor.from_pretrained(f"local-dir:{folder}")
    assert (
        model.config
        == artcolor.cnn(weights=f"local-dir:{folder}").config
        == json.loads((folder / "config.json").read_text())
    )


@pytest.mark.parametrize("missing", ["config.json", FILE])
def test_a_folder_without_a_file_is_an_error(folder: Path, tmp_path: Path, missing: str) -> None:
    shutil.copytree(folder, tmp_path / "m")
    (tmp_path / "m" / missing).unlink()
    with pytest.raises(WeightsError, match=f"has no {missing}"):
        artcolor.from_pretrained(f"local-dir:{tmp_path / 'm'}")


def test_push_load_back_and_offline_through_the_environment(folder: Path, server: HubServer, tmp_path: Path) -> None:
    code = f"""
model = artcolor.from_pretrained("local-dir:{folder}")
commit = model.push_to_hub("org/pushed", token="hf_test")
again = artcolor.from_pretrained("hf-hub:org/pushed@" + commit)
assert again.config == model.config
assert all((a == b).all() for a, b in zip(again.state_dict().values(), model.state_dict().values()))
"""
    finish(client(code, server, tmp_path))
    commit, files = server.at("org/pushed", "main") or ("", {})
    assert files[FILE] == (folder / FILE).read_bytes()
    info = HfApi(endpoint=server.url).model_info("org/pushed")
    assert info.sha == commit
    assert {s.rfilename for s in info.siblings or []} == {"README.md", "config.json", FILE}
    asked = len(server.requests)
    code = f"""
artcolor.from_pretrained("hf-hub:org/pushed@{commit}")
artcolor.from_pretrained("hf-hub:org/pushed@{commit}")
try:
    artcolor.from_pretrained("hf-hub:org/other")
except artcolor.ArtcolorError as error:
    assert "use local-dir:PATH" in str(error), error
else:
    raise SystemExit("no error")
"""
    finish(client(blocked.IN_A_PROCESS + code, server, tmp_path, HF_HUB_OFFLINE="1"))
    assert len(server.requests) == asked


def test_a_branch_is_updated_and_a_cached_commit_needs_no_network(
    entry: manifest.Entry, server: HubServer, cache: Path, folder: Path
) -> None:
    assert artcolor.from_pretrained("hf-hub:org/painter").config["network"] == {"width": 16}
    artcolor.cnn(width=8).save_pretrained(cache / "new")
    server.add("org/painter", {p.name: p.read_bytes() for p in (cache / "new").iterdir()})
    assert artcolor.from_pretrained("hf-hub:org/painter").config["network"] == {"width": 8}
    with blocked.sockets():
        pinned = artcolor.from_pretrained(f"hf-hub:org/painter@{entry.hub_revision}")
    assert pinned.config["network"] == {"width": 16}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "could not be downloaded from the Hub.*404.*Check the name"),
        ({"config.json": b"{}"}, "could not be downloaded from the Hub.*404"),
        ({"model.safetensors": b""}, "could not be downloaded from the Hub.*404"),
        ({"config.json": b"{}", "model.safetensors": b""}, "not a safetensors file"),
    ],
)
def test_404_and_repositories_with_missing_files(
    files: dict[str, bytes], message: str, server: HubServer, cache: Path
) -> None:
    if files:
        server.add("org/half", files)
    with pytest.raises(WeightsError, match=f"(?s){message}"):
        artcolor.from_pretrained("hf-hub:org/half")


def test_a_config_that_contradicts_the_weights(entry: manifest.Entry, server: HubServer, cache: Path) -> None:
    server.add("org/painter", {"config.json": b'{"model": "other"}'})
    with pytest.raises(WeightsError, match="differ, so one of them was modified"):
        artcolor.from_pretrained("hf-hub:org/painter")


def test_401_asks_for_a_token_and_a_token_helps(
    entry: manifest.Entry, server: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.private.add("org/painter")
    with pytest.raises(WeightsError, match=r"(?s)401.*needs a token \(HF_TOKEN\)"):
        locate.fetch(entry)
    monkeypatch.setenv("HF_TOKEN", server.token)
    assert locate.fetch(entry).config["network"] == {"width": 16}
    with pytest.raises(WeightsError, match="(?s)could not be uploaded.*token with write access"):
        artcolor.cnn(width=16).push_to_hub("org/x", token="wrong")


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_429_waits_and_retries(
    method: str, entry: manifest.Entry, server: HubServer, cache: Path, waits: list[float]
) -> None:
    server.faults[f"{method} {FILE}"] = iter(["429", "429"])
    assert locate.fetch(entry).config["network"] == {"width": 16}
    assert any(wait >= 3 for wait in waits), "Retry-After is three seconds"


@pytest.mark.parametrize("fault", ["429", "500"])
def test_persistent_429_and_500(
    fault: str, entry: manifest.Entry, server: HubServer, cache: Path, waits: list[float]
) -> None:
    server.faults[f"HEAD {FILE}"] = itertools.repeat(fault)
    with pytest.raises(WeightsError, match=f"(?s){fault}.*ARTCOLOR_WEIGHTS_DIR"):
        locate.fetch(entry)
    assert contents(cache) == []
    server.faults.clear()
    assert locate.fetch(entry).config["network"] == {"width": 16}


def test_one_500_is_survived(entry: manifest.Entry, server: HubServer, cache: Path, waits: list[float]) -> None:
    server.faults[f"HEAD {FILE}"] = iter(["500"])
    assert locate.fetch(entry).config["network"] == {"width": 16}


def test_a_connection_cut_in_the_middle(
    entry: manifest.Entry, server: HubServer, cache: Path, waits: list[float]
) -> None:
    server.faults[f"GET {FILE}"] = itertools.repeat("cut")
    with pytest.raises(WeightsError, match="could not be|cannot be"):
        locate.fetch(entry)
    assert contents(cache) == []
    server.faults[f"GET {FILE}"] = iter(["cut"])
    assert locate.fetch(entry).config["network"] == {"width": 16}


def test_a_truncated_body(entry: manifest.Entry, server: HubServer, cache: Path, waits: list[float]) -> None:
    server.faults[f"GET {FILE}"] = iter(["short"])
    with pytest.raises(WeightsError, match=f"should be of size {entry.bytes} but has size {entry.bytes // 2}"):
        locate.fetch(entry)
    assert contents(cache) == []
    assert locate.fetch(entry).config["network"] == {"width": 16}


@pytest.mark.parametrize("by_name", [False, True])
def test_a_corrupted_file_is_downloaded_once_more(
    by_name: bool, entry: manifest.Entry, server: HubServer, cache: Path
) -> None:
    def load() -> object:
        name = f"hf-hub:org/painter@{entry.hub_revision}"
        return artcolor.from_pretrained(name) if by_name else locate.fetch(entry)

    server.faults[f"GET {FILE}"] = iter(["corrupt", "corrupt"])
    with pytest.raises(WeightsError) as error:
        load()
    for part in (str(cache), FILE, entry.sha256, "its SHA-256 is", "Delete it and try again"):
        assert part in str(error.value)
    assert downloads(server) == 2
    assert not [name for name in contents(cache) if name.endswith(FILE)]
    server.faults[f"GET {FILE}"] = iter(["corrupt"])
    load()
    assert downloads(server) == 4


def test_a_cached_file_is_checked_too(
    entry: manifest.Entry, server: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = locate.fetch(entry).path
    good = path.read_bytes()
    path.resolve().write_bytes(good[:-1] + b"?")
    assert locate.fetch(entry).path.read_bytes() == good
    path.resolve().write_bytes(good[:-1] + b"?")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="(?s)damaged or was modified.*could not be downloaded again"):
        locate.fetch(entry)


def test_a_redirect_to_another_host_does_not_send_the_token(
    entry: manifest.Entry, server: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = HubServer()
    elsewhere.commits = server.commits
    server.elsewhere = elsewhere
    monkeypatch.setenv("HF_TOKEN", server.token)
    assert locate.fetch(entry).config["network"] == {"width": 16}
    assert f"Bearer {server.token}" in server.tokens
    assert elsewhere.tokens == [None]
    elsewhere.shutdown()


def test_two_processes_at_once(entry: manifest.Entry, server: HubServer, tmp_path: Path) -> None:
    server.faults[f"HEAD {FILE}"] = iter(["meet", "meet"])
    code = f"artcolor.from_pretrained('hf-hub:org/painter@{entry.hub_revision}')"
    both = [client(code, server, tmp_path) for _ in range(2)]
    for process in both:
        finish(process)
    assert sum(line.startswith("HEAD") and line.endswith(FILE) for line in server.requests) == 2
    (path,) = (tmp_path / "hub").rglob(f"snapshots/*/{FILE}")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry.sha256
    assert not list(tmp_path.rglob("*.incomplete"))


def test_a_read_only_cache(entry: manifest.Entry, server: HubServer, tmp_path: Path) -> None:
    # Root ignores permissions unless it drops that capability.
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    server.add("org/second", {"config.json": b"{}"})
    code = f"""
import os, pathlib
artcolor.from_pretrained("hf-hub:org/painter@{entry.hub_revision}")
folders = [pathlib.Path(p) for p, _, _ in os.walk(os.environ["HF_HOME"])]
for folder in folders:
    folder.chmod(0o555)
try:
    artcolor.from_pretrained("hf-hub:org/painter@{entry.hub_revision}")
    try:
        artcolor.from_pretrained("hf-hub:org/second")
    except artcolor.ArtcolorError as error:
        assert "could not be saved to the cache" in str(error) and "HF_HOME" in str(error), error
    else:
        raise SystemExit("no error")
finally:
    for folder in folders:
        folder.chmod(0o755)
"""
    finish(client(code, server, tmp_path / "home", *prefix))


def test_a_full_disk(entry: manifest.Entry, server: HubServer, cache: Path) -> None:
    # Exceeding the limit on file size fails in the middle of writing, like a full disk.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (entry.bytes // 2, hard))
    try:
        with pytest.raises(WeightsError, match="could not be saved to the cache.*Free some space"):
            locate.fetch(entry)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(cache) == []
    assert locate.fetch(entry).config["network"] == {"width": 16}
