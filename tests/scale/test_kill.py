"""The command on a Ray of its own, which is killed; and a cluster that loses a machine."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import psutil
import pytest

from artcolor.images import read_provenance
from tests.conftest import ROOT
from tests.scale.collections import BAD, COUNT, check_complete, command, journal_rows, names

SECRET = "wJalrXUtnFEMI"

# The second machine is lost as soon as there are results.
LOSES_A_MACHINE = """
import json, os, signal, sys
import ray
from ray.cluster_utils import Cluster
from artcolor.scale import colorize_dataset

small = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=small)
# Connected to the first one.
ray.init(address=cluster.address, log_to_driver=False)
second = cluster.add_node(num_cpus=1, object_store_memory=100_000_000)
cluster.wait_for_nodes()
lost = []

def progress(counts, total):
    if not lost:
        lost.append(second.all_processes["raylet"][0].process.pid)
        os.kill(lost[0], signal.SIGKILL)

scans, out, journal = sys.argv[1:]
summary = colorize_dataset(scans, out, journal=journal, model="cnn", actors=2, progress=progress)
print(json.dumps({**summary.counts, "machines": len([node for node in ray.nodes() if node["Alive"]])}))
"""


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)


def process_name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def test_the_driver_is_killed(scans: Path, tmp_path: Path) -> None:
    out, journal = tmp_path / "out", tmp_path / "out.journal"
    arguments = (scans, "-o", out, "--engine", "ray", "--actors", 2)
    process = command(*arguments)
    wait_for(lambda: out.is_dir() and any(out.glob("*.png")), process)
    family = psutil.Process(process.pid).children(recursive=True)
    family = [each for each in family if "Agent" not in process_name(each)]
    assert len(family) > 3
    process.kill()
    process.communicate()
    for path in out.rglob("*"):
        if path.is_file() and not path.name.endswith(".tmp"):
            assert read_provenance(path) is not None
    # Its Ray ends with it; only agents of Ray take longer to notice.
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
    again = command(*arguments, "--report", tmp_path / "report.csv")
    stdout, stderr = again.communicate()
    assert again.returncode == 1, stderr
    assert f"of {COUNT} colorized" in stdout
    assert f"failed: {len(BAD)} pictures; the column error of {tmp_path / 'report.csv'} has the reasons" in stderr
    # Nothing of Ray's own.
    assert len(stderr.strip().splitlines()) == 1, stderr
    check_complete(scans, out, journal)
    assert (tmp_path / "report.csv").exists()


def test_a_machine_is_lost(scans: Path, tmp_path: Path) -> None:
    out, journal = tmp_path / "out", tmp_path / "journal"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "0f" * 32,
        # A machine that does not answer for so long is lost.
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_failure_threshold": "4",
    }
    done = subprocess.run(
        [sys.executable, "-c", LOSES_A_MACHINE, scans, out, journal], env=environment, capture_output=True, text=True
    )
    # Its status is that of a Ray one of whose processes was killed.
    assert done.stdout, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == {"colorized": COUNT - len(BAD), "failed": len(BAD), "machines": 1}
    assert len(journal_rows(journal)) == COUNT
    check_complete(scans, out, journal)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment in which there is a store."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "me"}
    settings |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_SECRET_ACCESS_KEY": SECRET}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    yield settings
    server.stop()


def test_from_store_to_store(s3: dict[str, str], scans: Path, tmp_path: Path) -> None:
    store = fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)
    # The servers of one process have their buckets in common.
    if store.exists("museum"):
        store.rm("museum", recursive=True)
    store.mkdir("museum")
    chosen = ["01.png", "02.png", "sub/04.jpg", *BAD]
    for name in chosen:
        store.put_file(str(scans / name), f"museum/scans/{name}")
    # Ray's sockets need a short path.
    logs = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    arguments = ("s3://museum/scans", "-o", "s3://museum/color", "--engine", "ray", "--actors", 1)
    process = command(*arguments, "--report", "s3://museum/report.csv", env={"RAY_TMPDIR": str(logs)})
    stdout, stderr = process.communicate()
    assert process.returncode == 1, stderr
    assert stdout == "3 of 5 colorized into s3://museum/color, 2 failed; the journal is s3://museum/color.journal\n"
    found = sorted(str(key).removeprefix("museum/color/") for key in store.find("museum/color"))
    assert found == ["01.png", "02.png", "sub/04.jpg"]
    store.get("museum/color", str(tmp_path / "out"), recursive=True)
    store.get("museum/color.journal", str(tmp_path / "journal"), recursive=True)
    assert names(tmp_path / "out") == found
    rows = {row["key"]: row for row in journal_rows(tmp_path / "journal")}
    assert rows["01.png"]["result"] == "s3://museum/color/01.png"
    assert rows["07.png"]["error"] == "s3://museum/scans/07.png is not a picture in a format that artcolor reads"
    import hashlib

    for name in found:
        assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == rows[name]["sha256"]
    written = [path for place in (logs, tmp_path) for path in place.rglob("*") if path.is_file()]
    assert len(written) > 10
    for text in (stdout, stderr, *(path.read_bytes().decode(errors="replace") for path in written)):
        assert SECRET not in text
    shutil.rmtree(logs, ignore_errors=True)
    # The bad ones are tried again, and nothing else: these are repaired, and then nothing is left to do.
    for name in BAD:
        store.rm(f"museum/scans/{name}")
    idle = command(*arguments)
    stdout, _ = idle.communicate()
    assert idle.returncode == 0
    assert stdout == "0 of 3 colorized, 3 done before; the journal is s3://museum/color.journal\n"


def test_sigterm_keeps_what_was_done(scans: Path, tmp_path: Path) -> None:
    out, journal = tmp_path / "out", tmp_path / "out.journal"
    process = command(scans, "-o", out, "--engine", "ray", "--actors", 1)
    wait_for(lambda: out.is_dir() and any(out.glob("*.png")), process)
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate()
    if process.returncode == 143:
        assert "interrupted: " in stdout
        assert "the same command continues" in stdout
    for row in journal_rows(journal):
        assert row["status"] == "failed" or Path(row["result"]).exists(), stderr
