"""What is fetched, and what is not: tried with servers on loopback that are allowed by name and port."""

import io
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from artcolor.iiif.fetch import Fetcher, FetchError, Limits, is_public
from artcolor.iiif.manifest import Manifest
from artcolor.iiif.pictures import fetch_picture
from tests.iiif.host import Host, drip, manifest, redirect, send

SMALL, LARGE = {"width": 150, "height": 100}, {"width": 300, "height": 200}
QUICK = Limits(max_bytes=50_000, seconds=30, pause=0, redirects=3)


def fetcher(host: Host, limits: Limits = QUICK) -> Fetcher:
    return Fetcher(limits, allow_hosts=[host.name])


def refusal(given: Fetcher, address: str) -> str:
    with pytest.raises(FetchError) as caught:
        given.read(address, given.limits.max_bytes)
    return str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:4136::1", "a.org", ""),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_public_addresses() -> None:
    assert all(map(is_public, ("8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")))


def test_fetches_from_an_allowed_host_only(host: Host) -> None:
    host.files["/a"] = b"hello"
    assert fetcher(host).read(f"{host.address}/a", 5) == b"hello"
    assert f"--allow-host {host.name.partition(':')[0]} allows it" in refusal(Fetcher(QUICK), f"{host.address}/a")
    assert host.asked == ["/a"]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("file:///etc/passwd", "only http and https"),
        ("ftp://a.org/x", "only http and https"),
        ("http:///x", "only http and https"),
        ("http://[::1/x", "not an address"),
        ("http://a.org:99999/", "not an address"),
        ("http://me:secret@a.org/x?key=hidden", "contains a user name or password"),
        ("http://no-such-host.invalid/x?key=hidden", "there is no host"),
        ("http://0x7f000001/", "not a public address"),
        ("http://localhost/", "not a public address"),
        ("http://[::ffff:127.0.0.1]/", "not a public address"),
    ],
)
def test_refused_addresses(address: str, reason: str) -> None:
    message = refusal(Fetcher(QUICK), address)
    assert reason in message
    assert "secret" not in message
    assert "hidden" not in message


def test_each_redirect_is_checked(host: Host) -> None:
    other = Host()
    try:
        other.files["/private"] = b"secret"
        name = "localhost" + other.address[len("http://127.0.0.1") :]
        for number, target in enumerate((f"{other.address}/private", f"http://{name}/private", "file:///etc/passwd")):
            host.files[f"/{number}"] = redirect(target)
            host.files[f"/again{number}"] = redirect(f"/{number}")
            assert "is not fetched" in refusal(fetcher(host), f"{host.address}/again{number}")
        assert other.asked == []
    finally:
        other.close()
    host.files["/b"], host.files["/c"] = redirect("c"), b"hello"
    assert fetcher(host).read(f"{host.address}/b", 5) == b"hello"
    host.files["/loop"] = redirect("/loop")
    assert "too many redirects" in refusal(fetcher(host), f"{host.address}/loop")


def test_limits_of_bytes_and_time(host: Host) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(bytes(10_000))

    host.files |= {
        "/announced": bytes(50_001),
        "/endless": endless,
        "/drip": drip,
        "/cut": lambda handler: send(handler, b"abc", Content_Length="9"),
        "/zipped": lambda handler: send(handler, b"abc", Content_Encoding="gzip"),
        "/broken": lambda handler: handler.wfile.write(b"HTTP/1.1 999999 ?\r\n\r\n"),
    }
    quick = fetcher(host)
    assert "larger than 50,000 bytes" in refusal(quick, f"{host.address}/announced")
    assert "larger than 50,000 bytes" in refusal(quick, f"{host.address}/endless")
    assert "ended after 3 of 9 bytes" in refusal(quick, f"{host.address}/cut")
    assert "compressed it" in refusal(quick, f"{host.address}/zipped")
    assert "cannot be fetched" in refusal(quick, f"{host.address}/broken")
    assert "the server answered 404" in refusal(quick, f"{host.address}/nothing")
    hasty = fetcher(host, Limits(seconds=0.3, pause=0))
    assert "took more than 0.3 seconds" in refusal(hasty, f"{host.address}/drip")
    with pytest.raises(FetchError, match="is not JSON"):
        quick.json(f"{host.address}/announced")


def test_requests_are_paced(host: Host) -> None:
    host.files["/a"] = b"a"
    slow = fetcher(host, Limits(pause=0.05))
    begin = time.monotonic()
    for _ in range(4):
        slow.read(f"{host.address}/a", 1)
    assert time.monotonic() - begin >= 0.15


def test_a_busy_server_is_asked_again(host: Host) -> None:
    busy = iter([True, True, False])
    host.files["/a"] = lambda handler: send(handler, b"a", 429 if next(busy) else 200, Retry_After="0")
    assert fetcher(host).read(f"{host.address}/a", 1) == b"a"
    host.files["/b"] = lambda handler: send(handler, b"b", 503, Retry_After="3600")
    assert "asks clients to wait 3600 seconds" in refusal(fetcher(host), f"{host.address}/b")
    late = {"Retry-After": "Fri, 31 Dec 2099 23:59:59 GMT"}
    host.files["/d"] = lambda handler: send(handler, b"d", 503, **late)
    assert "asks clients to wait" in refusal(fetcher(host), f"{host.address}/d")
    host.files["/c"] = lambda handler: send(handler, b"c", 503, Retry_After="0")
    assert "the server answered 503" in refusal(fetcher(host), f"{host.address}/c")


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names under .test are on loopback, but only the first time they are asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def once(name: str, *arguments: Any, **keywords: Any) -> Any:
        if not name.endswith(".test"):
            return real(name, *arguments, **keywords)
        asked.append(name)
        return real("127.0.0.1" if asked.count(name) == 1 else "198.51.100.1", *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", once)
    return asked


def test_a_name_is_resolved_once(host: Host, resolved: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # A proxy would resolve it again.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    seen = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["Host"])
        send(handler, b"a")

    host.files["/a"] = answer
    name = f"museum.test:{host.address.rpartition(':')[2]}"
    assert Fetcher(QUICK, allow_hosts=[name]).read(f"http://{name}/a", 1) == b"a"
    assert (resolved, seen) == (["museum.test"], [name])


@pytest.fixture
def encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of an HTTPS server with a certificate for museum.test, which is trusted."""
    import ssl

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=museum.test"
    names = ["-addext", "subjectAltName=DNS:museum.test", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            send(self, b"a")

        def log_message(self, *arguments: object) -> None:
            pass

    import threading

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_certificates_are_those_of_the_name(encrypted: int, resolved: list[str]) -> None:
    allowed = Fetcher(QUICK, allow_hosts=["museum.test", "other.test"])
    assert allowed.read(f"https://museum.test:{encrypted}/a", 1) == b"a"
    assert "cannot be fetched" in refusal(allowed, f"https://other.test:{encrypted}/a")


@pytest.mark.parametrize(
    ("kind", "profile", "info", "asked"),
    [
        ("ImageService3", "level1", {}, "full/max/0/default.jpg"),
        ("ImageService2", "level1", {}, "full/full/0/default.jpg"),
        ("ImageService2", "level1", {"maxWidth": 100}, "full/max/0/default.jpg"),
        ("ImageService1", "level1", {}, "full/full/0/native.jpg"),
        ("ImageService3", "level2", {"width": 2000, "height": 1000}, "full/200,100/0/default.jpg"),
        ("ImageService2", "level1", {"width": 2000, "height": 1000}, "full/200,/0/default.jpg"),
        ("ImageService3", "level2", {"width": 10**400, "height": 10**400}, "full/max/0/default.jpg"),
        ("ImageService3", "level0", {"profile": "level0", "sizes": [LARGE, SMALL]}, "full/150,100/0/default.jpg"),
        ("ImageService2", "level0", {"profile": ["level0.json"], "sizes": [SMALL]}, "full/150,/0/default.jpg"),
        (
            "ImageService2",
            "level0",
            {"profile": ["level0.json"], "sizes": [7, {}]},
            "full/full/0/default.jpg",
        ),
        ("ImageService3", "level2", {"width": "many", "height": None}, "full/max/0/default.jpg"),
    ],
)
def test_image_services(host: Host, kind: str, profile: str, info: dict[str, Any], asked: str) -> None:
    document = manifest(host.address, "p1")
    body = document["items"][0]["items"][0]["items"][0]["body"]
    body["service"] = [{"@id": f"{host.address}/p1/", "@type": kind, "profile": profile}]
    host.files |= {"/p1/info.json": {"width": 96, "height": 80} | info, f"/p1/{asked}": b"picture"}
    (painting,) = Manifest.parse(_json(document), "m").paintings
    fetch_picture(painting, fetcher(host), file := io.BytesIO(), max_pixels=20_000)
    assert file.getvalue() == b"picture"
    assert host.asked == ["/p1/info.json", f"/p1/{asked}"]


def test_without_its_image_service_the_picture_itself_is_fetched(host: Host) -> None:
    host.files["/p1/full/max/0/default.jpg"] = b"picture"
    (painting,) = Manifest.parse(_json(manifest(host.address, "p1")), "m").paintings
    fetch_picture(painting, fetcher(host), file := io.BytesIO(), max_pixels=20_000)
    assert file.getvalue() == b"picture"


def test_a_service_that_has_tiles_only(host: Host) -> None:
    document = manifest(host.address, "p1")
    document["items"][0]["items"][0]["items"][0]["body"]["id"] = f"{host.address}/whole.jpg"
    host.files |= {"/p1/info.json": {"width": 96, "height": 80}, "/whole.jpg": b"picture"}
    (painting,) = Manifest.parse(_json(document), "m").paintings
    fetch_picture(painting, fetcher(host), file := io.BytesIO(), max_pixels=20_000)
    assert file.getvalue() == b"picture"
    # What the service said is said, as that was tried first.
    del host.files["/whole.jpg"]
    with pytest.raises(FetchError, match=r"/p1/full/max/0/default.jpg cannot be fetched: the server answered 404"):
        fetch_picture(painting, fetcher(host), io.BytesIO(), max_pixels=20_000)


def test_a_name_with_many_addresses_takes_no_longer(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def silent(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address)
        time.sleep(timeout)
        raise TimeoutError

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"8.8.8.{number}", 80)) for number in range(100)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **keywords: found)
    monkeypatch.setattr(socket, "create_connection", silent)
    assert "took more than 0.1 seconds" in refusal(Fetcher(Limits(seconds=0.1)), "http://museum.test/a")
    assert len(tried) == 1


def _json(document: dict[str, Any]) -> bytes:
    import json

    return json.dumps(document).encode()
