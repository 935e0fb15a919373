"""What lies in object stores: in the memory of this process, and in S3, for which moto's server stands in."""

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from artcolor.batch.addresses import Address, path_of, without_secrets
from artcolor.batch.scratch import scratch_folder
from artcolor.cli.app import app
from artcolor.errors import ArtcolorError, ConfigError
from artcolor.images import read_provenance
from tests.batch.runs import rows
from tests.conftest import ROOT, make_painting

SECRET = "wJalrXUtnFEMI"


def colorize(*arguments: object) -> Result:
    done = CliRunner().invoke(app, ["colorize", "-m", "cnn", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit | ArtcolorError), done.exception
    assert "/artcolor-" not in f"{done.output}{done.exception}"
    return done


def encoded(seed: int, format: str = "PNG", mode: str = "L") -> bytes:
    make_painting(seed, 60, 50).convert(mode).save(file := io.BytesIO(), format)
    return file.getvalue()


def names(store: Any, root: str) -> list[str]:
    return sorted(str(key).lstrip("/").removeprefix(f"{root}/") for key in store.find(root))


def fill(store: Any, root: str) -> None:
    """Three pictures, a damaged one, and what is no picture."""
    for number, name in enumerate(("a.png", "sub/b.png", "sub/deep er/ü.png")):
        store.pipe_file(f"{root}/{name}", encoded(number))
    store.pipe_file(f"{root}/bad.jpg", b"\xff\xd8\xff no picture")
    store.pipe_file(f"{root}/notes.txt", b"no picture")
    store.pipe_file(f"{root}/.hidden.png", b"no picture")


@pytest.fixture
def memory() -> Iterator[Any]:
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty bucket `museum`."""
    settings = {"AWS_ENDPOINT_URL": s3_address, "AWS_ACCESS_KEY_ID": "me", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in (settings | {"AWS_SECRET_ACCESS_KEY": SECRET}).items():
        monkeypatch.setenv(name, value)
    store = fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)
    if store.exists("museum"):
        store.rm("museum", recursive=True)
    store.mkdir("museum")
    return store


@pytest.mark.parametrize("scheme", ["memory", "s3"])
def test_a_folder_is_colorized_resumed_and_reported(scheme: str, request: Any, tmp_path: Path) -> None:
    store = request.getfixturevalue(scheme)
    fill(store, "museum/scans")
    scans, out, report = (f"{scheme}://museum/{name}" for name in ("scans", "color", "report.csv"))
    first = colorize(scans, "-o", out, "--report", report)
    assert first.exit_code == 1
    assert f"failed: {scans}/bad.jpg" in first.output
    assert f"3 of 4 colorized into {out}, 1 failed" in first.output
    results = ["a.png", "sub/b.png", "sub/deep er/ü.png"]
    assert names(store, "museum/color") == results
    for name in results:
        assert read_provenance(store.cat_file(f"museum/color/{name}")) is not None
    assert store.cat_file("museum/scans/a.png") == encoded(0)
    (tmp_path / "report.csv").write_bytes(store.cat_file("museum/report.csv"))
    table = {row["file"]: (row["status"], row["result"]) for row in rows(tmp_path / "report.csv")}
    assert table[f"{scans}/sub/b.png"] == ("colorized", f"{out}/sub/b.png")
    assert table[f"{scans}/bad.jpg"] == ("failed", "")
    # Only what is missing is colorized again, and the report goes on.
    store.rm("museum/color/a.png")
    store.pipe_file("museum/scans/bad.jpg", encoded(4, "JPEG"))
    before = store.cat_file("museum/color/sub/b.png")
    again = colorize(scans, "-o", out, "--report", report, "--resume", "--json")
    assert again.exit_code == 0, again.output
    said = [json.loads(line) for line in again.stdout.splitlines() if line.startswith("{")]
    assert {Path(each["file"]).name: each["status"] for each in said} == {
        "a.png": "colorized",
        "bad.jpg": "colorized",
        "b.png": "exists",
        "ü.png": "exists",
    }
    assert store.cat_file("museum/color/sub/b.png") == before
    (tmp_path / "report.csv").write_bytes(store.cat_file("museum/report.csv"))
    assert {row["file"]: row["status"] for row in rows(tmp_path / "report.csv")}[f"{scans}/bad.jpg"] == "colorized"
    assert len(rows(tmp_path / "report.csv")) == 6
    refused = colorize(scans, "-o", out)
    assert refused.exit_code == 1
    assert f"all 4 results already exist, for example {out}/a.png" in str(refused.exception)
    assert colorize(scans, "-o", out, "--force").exit_code == 0
    assert not list(Path(tempfile.gettempdir()).glob("artcolor-*/memory"))


def test_results_in_the_folder_of_the_originals(memory: Any) -> None:
    fill(memory, "scans")
    memory.rm("/scans/bad.jpg")
    assert colorize("memory://scans", "-o", "memory://scans/color").exit_code == 0
    second = colorize("memory://scans", "-o", "memory://scans/color", "--resume")
    assert "0 of 3 colorized, 3 already existed" in second.output
    assert "would mix results with originals" in str(colorize("memory://scans", "-o", "memory://scans").exception)
    # Without an output, they lie beside them.
    beside = colorize("memory://scans/sub", "--format", "jpg")
    assert "2 of 2 colorized into memory://scans/sub.color" in beside.output
    assert names(memory, "scans/sub.color") == ["b.jpg", "deep er/ü.jpg"]


def test_single_files_and_paths(memory: Any, tmp_path: Path) -> None:
    memory.pipe_file("/a.png", encoded(1))
    local = tmp_path / "local.png"
    local.write_bytes(encoded(2))
    done = colorize("memory://a.png", "-o", tmp_path / "a.png")
    assert f"1 of 1 colorized into {tmp_path / 'a.png'}" in done.output
    assert Image.open(tmp_path / "a.png").mode == "RGB"
    done = colorize(local, "-o", "memory://out/b.jpg", "--uncertainty", "-m", "vae")
    assert done.exit_code == 0
    assert "into memory://out/b.jpg; also written: uncertainty map b.jpg.uncertainty.png" in done.output
    assert names(memory, "out") == ["b.jpg", "b.jpg.uncertainty.png"]
    assert local.read_bytes() == encoded(2)
    assert "into memory://a.color.png" in colorize("memory://a.png").output
    assert "memory://a.color.png already exists; --force" in str(colorize("memory://a.png").exception)
    assert "would replace the original memory://a.png" in str(
        colorize("memory://a.png", "-o", "memory://a.png", "--force").exception
    )
    listed = tmp_path / "list.txt"
    listed.write_text(f"memory://a.png\n{local}\nfile://{local}\n")
    done = colorize("--files-from", listed, "-o", "memory://both/", "-v")
    assert "2 of 2 colorized into memory://both" in done.output
    assert f"{local} colorized into memory://both/local.png" in done.output
    done = colorize(f"file://{local}", "-o", f"file://{tmp_path}/sub/c.png", "--report", f"file://{tmp_path}/r.csv")
    assert f"into {tmp_path / 'sub' / 'c.png'}" in done.output
    assert rows(tmp_path / "r.csv")[0]["file"] == str(local)


def test_mistakes(memory: Any, tmp_path: Path) -> None:
    memory.pipe_file("/scans/a.png", encoded(1))
    memory.pipe_file("/scans/bad.png", b"no picture")

    def message(*arguments: object) -> str:
        done = colorize(*arguments)
        assert done.exit_code
        return f"{done.exception} {done.output}"

    assert "there is no file or folder memory://nowhere/a.png" in message("memory://nowhere/a.png", "-o", tmp_path)
    assert "memory://scans/bad.png" in message("memory://scans/bad.png", "-o", tmp_path / "x.png")
    assert "--samples cannot be combined with object-store addresses" in message("memory://scans", "--samples", 2)
    assert "--watch cannot be combined" in message("memory://scans", "--watch", "-o", tmp_path)
    assert "- cannot be combined with object-store addresses" in message("memory://scans/a.png", "-o", "-")
    assert "names no file or folder" in message("s3://")
    assert "on another machine" in message("file://server/share/a.png")
    assert "does not use the network here" in message("https://a.org/a.png")
    # Its results would go into another bucket, which may be somebody else's.
    assert "the results of s3://museum need an output folder" in message("s3://museum/")
    (tmp_path / "film.mp4").write_bytes(b"no film")
    for arguments in (
        ["memory://scans/film.mp4"],
        [tmp_path / "film.mp4", "-o", "memory://film.mp4"],
        [tmp_path / "film.mp4", "--report", "memory://report.csv"],
        ["memory://scans", "--sequence"],
        [tmp_path, "--sequence", "-o", "memory://frames"],
    ):
        assert "films and numbered frames cannot be combined with object-store" in message(*arguments)


def test_films_in_folders_are_left_out(memory: Any, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.png").write_bytes(encoded(1))
    (tmp_path / "sub" / "film.mp4").write_bytes(b"no film")
    done = colorize(tmp_path, "-o", "memory://color")
    assert "films in object stores are not supported; download them" in done.output
    assert "1 of 1 colorized into memory://color" in done.output


def test_a_report_replaces_nothing_else(memory: Any) -> None:
    for name in ("scans/a.png", "scans/b.png", "other.png"):
        memory.pipe_file(f"/{name}", encoded(1))
    for report in ("scans/a.png", "other.png"):
        for more in ([], ["--resume"], ["--force"]):
            done = colorize("memory://scans", "-o", "memory://color", "--report", f"memory://{report}", *more)
            assert f"memory://{report} exists and is not a report of artcolor" in str(done.exception)
            assert memory.cat_file(f"/{report}") == encoded(1)
    assert "it is a folder" in str(colorize("memory://scans", "--report", "memory://scans").exception)
    # A run that does not begin leaves the report of the one before.
    given = ("memory://scans", "-o", "memory://color", "--report", "memory://report.csv")
    assert colorize(*given).exit_code == 0
    before = memory.cat_file("/report.csv")
    assert before.count(b"colorized") == 2
    assert "all 2 results already exist" in str(colorize(*given).exception)
    assert memory.cat_file("/report.csv") == before


def test_a_report_is_uploaded_during_the_run(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from artcolor.batch import mirror as module
    from artcolor.batch.plan import plan_jobs
    from artcolor.batch.saving import Saving
    from artcolor.engine.colorizer import Colorizer

    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    monkeypatch.setattr(module, "time", clock := Clock())
    for number in range(17):
        memory.pipe_file(f"/scans/{number:02}.png", encoded(number))
    seen = []
    with module.Mirror() as mirror:
        jobs = plan_jobs([mirror.input(path_of("memory://scans"))], mirror.path(path_of("memory://color")))
        report = mirror.report(path_of("memory://report.csv"), resume=False)
        for _ in mirror.run_jobs(Colorizer("cnn"), jobs, Saving()):
            with report.open("a") as file:
                file.write("row\n")
            clock.now += 10
            seen.append(memory.cat_file("/report.csv") if memory.exists("/report.csv") else b"")
    assert seen[15:] == [b"", b"row\n" * 16]
    assert memory.cat_file("/report.csv") == b"row\n" * 17


def test_results_in_two_buckets(memory: Any, s3: Any) -> None:
    if not s3.exists("library"):
        s3.mkdir("library")
    for bucket in ("museum", "library"):
        # More than are looked for one by one; damaged ones take no time.
        for number in range(17):
            s3.pipe_file(f"{bucket}/scans/{number}.jpg", b"no picture")
        s3.pipe_file(f"{bucket}/scans/0.jpg", encoded(1, "JPEG"))
        s3.pipe_file(f"{bucket}/scans.color/0.jpg", encoded(1, "JPEG"))
    done = colorize("s3://museum/scans", "s3://library/scans", "--resume")
    assert "0 of 34 colorized, 2 already existed, 32 failed" in done.output


def test_a_run_that_can_upload_nothing_stops(s3: Any) -> None:
    for number in range(3):
        s3.pipe_file(f"museum/scans/{number}.png", encoded(1))
    done = colorize("s3://museum/scans", "-o", "s3://no-such-bucket/color")
    assert "stopped, because the other results cannot be written either: s3://no-such-bucket/" in str(done.exception)
    assert "failed: " not in done.output
    done = colorize("s3://museum/scans", "-o", "s3://museum/color", "--report", "s3://no-such-bucket/report.csv")
    assert "s3://no-such-bucket/report.csv cannot be written: there is no such file or bucket" in str(done.exception)
    assert not s3.exists("museum/color")


def test_what_a_killed_run_left_is_removed_by_the_next(s3: Any, tmp_path: Path) -> None:
    for number in range(40):
        s3.pipe_file(f"museum/scans/{number}.png", encoded(number))
    code = "from artcolor.cli import main; main()"
    given = ["colorize", "-m", "cnn", "s3://museum/scans", "-o", "s3://museum/color", "--report", "s3://museum/r.csv"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    running = subprocess.Popen([sys.executable, "-c", code, *given], env=environment, stderr=subprocess.DEVNULL)
    try:
        while not s3.exists("museum/color"):
            assert running.poll() is None
            time.sleep(0.1)
        (left,) = tmp_path.glob("artcolor-*")
        # One that is in use stays.
        with scratch_folder(tmp_path) as other:
            assert left.is_dir()
    finally:
        running.kill()
        running.wait()
    assert not other.exists()
    assert s3.cat_file("museum/r.csv").startswith(b"\xef\xbb\xbffile,result")
    assert left.is_dir()
    with scratch_folder(tmp_path) as other:
        assert list(tmp_path.glob("artcolor-*")) == [other]
    assert not list(tmp_path.glob("artcolor-*"))


@pytest.mark.parametrize(
    "address",
    [
        f"s3://me:{SECRET}@museum/a.png",
        f"s3://museum/a.png?X-Amz-Signature={SECRET}",
        f"gs://museum/a.png?key={SECRET}",
        f"https://me:{SECRET}@museum.org/a.png",
        f"https://museum.org/a.png?X-Amz-Signature={SECRET}",
    ],
)
def test_credentials_in_addresses_are_not_shown(address: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(1))
    given = (
        [address],
        [tmp_path / "a.png", "-o", address],
        [tmp_path / "a.png", "-o", tmp_path / "b.png", "--report", address],
    )
    for arguments in given[: 2 if address.startswith("https") else 3]:
        done = colorize(*arguments)
        assert done.exit_code
        assert SECRET not in f"{done.output}{done.exception}"
    assert SECRET not in CliRunner().invoke(app, [address]).output
    assert SECRET not in without_secrets(f"cannot reach {address}: denied")


def test_addresses() -> None:
    address = path_of("s3://museum//scans/a b.png")
    assert isinstance(address, Address)
    assert (str(address), str(address.parent / "c.png")) == ("s3://museum/scans/a b.png", "s3://museum/scans/c.png")
    assert str(path_of(str(Path("gs://museum/a.png")))) == "gs://museum/a.png"
    assert path_of("file:///tmp/a%20b.png") == Path("/tmp/a b.png")
    for wrong in ("s3://", "memory://", "s3://museum/../x", "s3://me@museum/a"):
        with pytest.raises(ConfigError):
            path_of(wrong)


def test_a_store_that_cannot_be_reached_or_refuses(s3: Any, s3_address: str, monkeypatch: Any, tmp_path: Path) -> None:
    s3.pipe_file("museum/a.png", encoded(1))
    done = colorize("s3://museum/a.png", "-o", "s3://no-such-bucket/a.png")
    assert done.exit_code == 1
    assert "s3://no-such-bucket/a.png cannot be written: there is no such file or bucket" in done.output
    # Nothing listens there any more.
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    done = colorize("s3://museum/a.png", "-o", tmp_path / "a.png")
    assert "s3://museum/a.png cannot be read" in f"{done.exception}{done.output}"
    assert SECRET not in f"{done.exception}{done.output}"


def test_the_command_logs_no_credentials(s3: Any, tmp_path: Path) -> None:
    s3.pipe_file("museum/a.png", encoded(1))
    code = "from artcolor.cli import main; main()"
    command = [sys.executable, "-c", code, "colorize", "-m", "cnn", "s3://museum/a.png", "-o", "s3://museum/b.png"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"1 of 1 colorized into s3://museum/b.png\n", done.stdout)
    assert "credential" not in done.stderr.lower()
    assert SECRET not in done.stderr
    assert s3.exists("museum/b.png")


def test_without_the_package_of_a_store_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    done = colorize("gs://museum/a.png", "-o", "x.png")
    assert 'gs:// needs gcsfs, which is not installed: pip install ".[gs]"' in str(done.exception)
