"""The places that are searched for weights, and their order."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import artcolor
from artcolor.errors import ConfigError, WeightsError
from artcolor.models.base import ColorizationModel
from artcolor.models.student_report import VAEReportModel
from artcolor.zoo import locate, manifest, places
from tests.hub_server import HubServer, point_client_to
from tests.zoo import blocked

REAL = places.BESIDE


@pytest.fixture(scope="module")
def server() -> Iterator[HubServer]:
    server = HubServer()
    yield server
    server.shutdown()


@pytest.fixture
def published(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> manifest.Entry:
    """cnn.art_v1, as if it were on the Hub and not in the package."""
    entry = artcolor.get_weight("cnn").entry
    revision = server.add("org/cnn.art_v1", {"model.safetensors": (places.BESIDE / entry.file).read_bytes()})
    entry = dataclasses.replace(entry, hub_repo="org/cnn.art_v1", hub_revision=revision)
    monkeypatch.setattr(manifest, "entries", lambda: {entry.key: entry})
    point_client_to(server, tmp_path / "hub", monkeypatch)
    monkeypatch.setattr(places, "BESIDE", tmp_path / "weights")
    monkeypatch.setenv("TQDM_POSITION", "-1")  # Makes the client show bars without a terminal.
    server.requests.clear()
    return entry


def downloads(server: HubServer) -> int:
    # The client makes further requests, which depend on its version and environment.
    return sum(line.startswith("GET") and "/resolve/" in line for line in server.requests)


def test_from_the_hub_then_from_the_cache(
    published: manifest.Entry, server: HubServer, capfd: pytest.CaptureFixture[str]
) -> None:
    beside = artcolor.from_pretrained("cnn", progress=False)
    assert downloads(server) == 1
    assert "model.safetensors" not in capfd.readouterr().err
    server.requests.clear()
    with blocked.sockets():
        again = artcolor.cnn(weights="DEFAULT")
    assert server.requests == []
    for a, b in zip(beside.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_bar_shows_progress(published: manifest.Entry, server: HubServer, capfd: pytest.CaptureFixture[str]) -> None:
    artcolor.cnn(weights="DEFAULT")
    assert "model.safetensors" in capfd.readouterr().err


def test_the_package_comes_before_the_hub(published: manifest.Entry, server: HubServer) -> None:
    places.BESIDE.mkdir()
    shutil.copy(REAL / published.file, places.BESIDE)
    with blocked.sockets():
        assert locate.fetch(published).path == places.BESIDE / published.file
    assert server.requests == []


def test_the_folder_from_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = artcolor.get_weight("cnn").entry
    monkeypatch.setenv("ARTCOLOR_WEIGHTS_DIR", str(tmp_path))
    assert locate.fetch(entry).path == REAL / entry.file, "if the folder lacks the file, the search continues"
    shutil.copy(REAL / entry.file, tmp_path)
    assert locate.fetch(entry).path == tmp_path / entry.file
    (tmp_path / entry.file).write_bytes(b"another file")
    with pytest.raises(WeightsError) as error:
        artcolor.cnn(weights="DEFAULT")
    for part in (str(tmp_path / entry.file), entry.sha256, "unset ARTCOLOR_WEIGHTS_DIR"):
        assert part in str(error.value)


def test_missing_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "BESIDE", tmp_path)
    monkeypatch.setenv("ARTCOLOR_WEIGHTS_DIR", str(tmp_path / "own"))
    # Unpublished weights cause no request to the Hub.
    with blocked.sockets(), pytest.raises(WeightsError, match="reinstall artcolor") as error:
        artcolor.cnn(weights="DEFAULT")
    for folder in (tmp_path, tmp_path / "own"):
        assert str(folder / "cnn.art_v1.safetensors") in str(error.value)


def test_released_weights_need_no_network(painting) -> None:
    with blocked.sockets():
        for key in manifest.entries():
            model = artcolor.from_pretrained(key)
            assert artcolor.colorize(painting, model=model).size == painting.size
        with pytest.raises(AssertionError, match="the network was used"):
            __import__("socket").create_connection(("127.0.0.1", 9))


def test_names_of_the_same_weights(tmp_path: Path) -> None:
    artcolor.cnn(weights="DEFAULT").save_pretrained(tmp_path)
    config = artcolor.from_pretrained("cnn").config
    for name in ("cnn.art_v1", tmp_path / "model.safetensors", f"local-dir:{tmp_path}"):
        assert artcolor.from_pretrained(name).config == config
    for weights in ("ART_V1", "art_v1", "cnn.art_v1", str(tmp_path / "model.safetensors"), f"local-dir:{tmp_path}"):
        assert artcolor.cnn(weights=weights).config == config


def test_a_class_loads_its_own_models() -> None:
    assert ColorizationModel.from_pretrained("cnn").name == "cnn"
    with pytest.raises(ConfigError, match="is a cnn, not a VAEReportModel"):
        VAEReportModel.from_pretrained("cnn")


def test_saving_released_weights_reproduces_their_bytes_and_card(tmp_path: Path) -> None:
    artcolor.from_pretrained("cnn").save_pretrained(tmp_path / "same")
    entry = artcolor.get_weight("cnn").entry
    assert (tmp_path / "same" / "model.safetensors").read_bytes() == (REAL / entry.file).read_bytes()
    assert entry.sha256 in (tmp_path / "same" / "README.md").read_text()
    model = artcolor.from_pretrained("cnn")
    model.head.vividness = 0.5
    model.save_pretrained(tmp_path / "other")
    text = (tmp_path / "other" / "README.md").read_text()
    assert "trained by its owner" in text
    assert "license:" not in text, "only the owner knows it"
