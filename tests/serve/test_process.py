import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serve.serving import gray
from tests.serve.test_mutated import form

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals that end programs")


@contextlib.contextmanager
def command(folder: Path) -> Iterator[tuple[subprocess.Popen, httpx.URL]]:
    """`artcolor serve` in a process whose temporary files go into a folder."""
    words = [sys.executable, "-c", "from artcolor.cli import main; main()", "serve", "--port", "0", "-m", "cnn"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(folder)}
    ) as process:
        try:
            line = process.stdout.readline()
            yield process, httpx.URL(next(word for word in line.split() if word.startswith("http")).rstrip(";"))
        finally:
            process.kill()


def held_bytes(address: httpx.URL) -> float:
    """Bytes of bodies that the server has read."""
    found = re.search(r"^artcolor_held_bytes (.+)$", httpx.get(address.join("/metrics")).text, re.MULTILINE)
    assert found
    return float(found[1])


@contextlib.contextmanager
def begun(address: httpx.URL) -> Iterator[tuple[socket.socket, bytes]]:
    """A form that the server has begun to read, and what is left to be sent."""
    # With more than 1 MiB, it would go into a temporary file if the server wrote one.
    body = form(picture=gray(1200, 1000, "BMP"))
    head = f"POST /api/colorize?format=jpg HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: multipart/form-data; boundary=limit\r\n\r\n"
    with socket.create_connection((address.host, address.port), timeout=60) as connection:
        connection.sendall(head.encode() + body[:-5])
        while held_bytes(address) == 0:
            time.sleep(0.01)
        yield connection, body[-5:]


def test_sigterm_lets_what_has_begun_be_answered(tmp_path: Path) -> None:
    with command(tmp_path) as (process, address):
        # What libraries write as they are imported, not what requests bring.
        before = set(tmp_path.rglob("*"))
        with begun(address) as (connection, rest):
            process.send_signal(signal.SIGTERM)
            with pytest.raises(httpx.TransportError):
                # It takes nothing new.
                while True:
                    httpx.get(address.join("/healthz"))
            assert process.poll() is None
            connection.sendall(rest)
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        head, _, picture = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        assert picture.startswith(b"\xff\xd8") and picture.endswith(b"\xff\xd9")
        assert process.wait(60) == 143
        assert set(tmp_path.rglob("*")) <= before


def test_a_killed_server_leaves_no_file(tmp_path: Path) -> None:
    with command(tmp_path) as (process, address):
        before = set(tmp_path.rglob("*"))
        with begun(address):
            process.kill()
            process.wait(60)
        assert set(tmp_path.rglob("*")) <= before
