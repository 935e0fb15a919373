"""The page as `artcolor serve` sends it."""

import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from artcolor import __version__
from artcolor.serve import page
from tests.serve.serving import serving
from tests.serve.test_mutated import answer_of, request

WEB = Path(page.__file__).with_name("web")
TOKEN = "a b/#+&-long"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(model="cnn", token=TOKEN) as client:
        yield client


def test_the_page_loads_without_the_token(client: httpx.Client) -> None:
    assert client.get("/").content == (WEB / "index.html").read_bytes()
    for path in WEB.iterdir():
        if path.suffix in (".js", ".css"):
            answer = client.get(f"/{path.name}")
            assert answer.content == path.read_bytes()
            assert answer.headers["content-type"].startswith(
                {".js": "text/javascript", ".css": "text/css"}[path.suffix]
            )
            assert answer.headers["cache-control"] == "no-cache"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            same = client.get(f"/{path.name}", headers={"if-none-match": answer.headers["etag"]})
            assert (same.status_code, same.content) == (304, b"")
    assert client.get("/backend.json").json() == {"api": "api", "version": __version__, "token": True, "samples": True}
    assert client.get("/api/models").status_code == 401
    with serving(model="cnn") as other:
        assert other.get("/backend.json").json()["token"] is False


def test_types_do_not_depend_on_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {"a.mjs": "text/javascript", "b.wasm": "application/wasm", "c.json": "application/json"}
    for name in kinds:
        (tmp_path / name).touch()
    (tmp_path / "index.html").touch()
    monkeypatch.setattr(page, "_WEB", tmp_path)
    with serving(model="cnn") as client:
        for name, kind in kinds.items():
            assert client.get(f"/{name}").headers["content-type"].split(";")[0] == kind


def test_nothing_else_is_read(client: httpx.Client) -> None:
    address = client.base_url.host, client.base_url.port
    for path in (
        "/../page.py",
        "/..%2fpage.py",
        "/%2e%2e/page.py",
        "/..%5cpage.py",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/./../page.py",
        "/index.html/../../page.py",
        "/%00",
        "/index.html%00.js",
        "/" + "a" * 5000,
        "/__pycache__",
        "/C:%5cwindows%5cwin.ini",
    ):
        status, answer = answer_of(address, request("GET", path, b"", "text/plain"))
        assert status == 404, (path, answer)
        assert str(WEB.parent).encode() not in answer
    assert client.post("/index.html").status_code == 405


@pytest.mark.skipif(sys.platform == "win32", reason="needs a script as browser")
def test_open_gives_the_browser_the_token(tmp_path: Path) -> None:
    found, browser = tmp_path / "found", tmp_path / "browser"
    # It loads the page before it returns, as browsers in terminals do.
    code = (
        f"import sys, urllib.request as r; r.urlopen(sys.argv[1]).read(); open({str(found)!r}, 'w').write(sys.argv[1])"
    )
    browser.write_text(f"#!{sys.executable}\n{code}\n")
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [sys.executable, "-c", "from artcolor.cli import main; main()", "serve", "-m", "cnn", "--open"]
    environment = {**os.environ, "BROWSER": f"{browser} %s", "ARTCOLOR_TOKEN": TOKEN}
    with subprocess.Popen([*words, "--port", str(port)], stdout=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stdout.readline()
            while not (found.exists() and found.read_text()):
                assert process.poll() is None
                time.sleep(0.05)
        finally:
            process.terminate()
    assert found.read_text() == f"http://127.0.0.1:{port}/#token=a%20b%2F%23%2B%26-long"
