"""Fetching onnxruntime-web: only the package with the pinned hash is taken, and only what is needed of it."""

import base64
import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytest.importorskip("onnxruntime")
NEEDED = {"ort.wasm.bundle.min.mjs": b"code", "ort-wasm-simd-threaded.wasm": b"\0asm"}


def package(path: Path, files: dict[str, bytes]) -> tuple[str, str]:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path.as_uri(), "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def fetch(out: Path, url: str, integrity: str) -> subprocess.CompletedProcess[str]:
    script = ROOT / "scripts" / "fetch_onnxruntime_web.py"
    command = [sys.executable, script, "--out", out, "--url", url, "--integrity", integrity]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_takes_what_the_page_needs_and_the_license(tmp_path: Path) -> None:
    files = {
        "package.json": b"{}",
        "dist/ort.all.js": b"more",
        **{f"dist/{name}": data for name, data in NEEDED.items()},
    }
    done = fetch(tmp_path / "out", *package(tmp_path / "a.tgz", files))
    assert done.returncode == 0, done.stderr
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert b"MIT License" in written.pop("LICENSE")
    assert written.pop("ThirdPartyNotices.txt")
    assert written == NEEDED


def test_refuses_other_packages(tmp_path: Path) -> None:
    url, _ = package(tmp_path / "a.tgz", {f"dist/{name}": data for name, data in NEEDED.items()})
    other, integrity = package(tmp_path / "b.tgz", {"dist/ort.all.js": b"more"})
    for given, message in (((url, integrity), "has the hash"), ((other, integrity), "has no file")):
        done = fetch(tmp_path / "out", *given)
        assert done.returncode == 1
        assert message in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
