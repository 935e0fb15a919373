import io
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from artcolor.errors import ConfigError
from artcolor.serve.settings import Settings
from tests.conftest import make_painting
from tests.serve.serving import gray, serving

TOKEN = "correct-horse"
FRIEND = "https://friend.example"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(model="cnn", token=TOKEN, allow_origins=(FRIEND,), allow_hosts=("art.example",)) as client:
        client.headers["authorization"] = f"Bearer {TOKEN}"
        yield client


def test_other_hosts_need_a_token() -> None:
    for host in ("0.0.0.0", "::", "192.168.0.7", "example.org"):
        with pytest.raises(ConfigError, match="--token"):
            Settings(host=host)
        assert Settings(host=host, token=TOKEN).host == host
    for wrong in ({"token": ""}, {"token": "naïve"}, {"allow_origins": ("*",)}):
        with pytest.raises(ConfigError):
            Settings(**wrong)


@pytest.mark.parametrize("path", ["/api/models", "/metrics", "/api/sessions/a/result", "/api/"])
def test_the_token_is_required(client: httpx.Client, path: str) -> None:
    for wrong in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ä".encode("latin-1")):
        assert client.get(path, headers={"authorization": wrong}).status_code == 401
    assert client.get(path).status_code in (200, 404)
    assert client.get("/healthz", headers={"authorization": ""}).status_code == 200


def test_names_that_point_here_are_refused(client: httpx.Client) -> None:
    for host in (
        "evil.example",
        "evil.example:7860",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "a:b:c",
        "[::1%evil.com]",
        "::1%evil.com:1",
    ):
        assert client.get("/api/models", headers={"host": host}).status_code == 421, host
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80", "art.example:443"):
        assert client.get("/api/models", headers={"host": host}).status_code == 200, host


def test_posts_from_other_sites_are_refused(client: httpx.Client) -> None:
    picture = gray()
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", f"{FRIEND}.evil.example"):
        answer = client.post("/api/colorize", content=picture, headers={"origin": origin})
        assert answer.status_code == 403, origin
        assert "access-control-allow-origin" not in answer.headers
    for site in ("cross-site", "same-site"):
        assert client.post("/api/colorize", content=picture, headers={"sec-fetch-site": site}).status_code == 403
    own = str(client.base_url).rstrip("/")
    assert client.post("/api/colorize", content=picture, headers={"origin": own}).status_code == 200


def test_behind_a_proxy_with_tls(client: httpx.Client) -> None:
    # The server sees HTTP; browsers say HTTPS.
    seen = {"host": "art.example", "origin": FRIEND, "sec-fetch-site": "same-origin"}
    assert client.post("/api/colorize", content=gray(), headers=seen).status_code == 200
    assert client.get("/", headers={"host": "art.example", "sec-fetch-site": "none"}).status_code == 200
    assert client.get("/", headers={"host": "other.example"}).status_code == 421


def test_cors_only_for_those_named(client: httpx.Client) -> None:
    answer = client.post("/api/colorize", content=gray(), headers={"origin": FRIEND, "sec-fetch-site": "cross-site"})
    assert answer.headers["access-control-allow-origin"] == FRIEND
    preflight = {
        "origin": FRIEND,
        "authorization": "",
        "access-control-request-method": "PUT",
        "access-control-request-headers": "authorization, content-type",
    }
    assert client.options("/api/sessions/a/guidance", headers=preflight).status_code == 200
    assert client.options("/api/colorize", headers={**preflight, "origin": "https://evil.example"}).status_code == 403


def test_headers(client: httpx.Client) -> None:
    for path in ("/api/docs", "/api/models", "/nothing", "/api/colorize"):
        headers = client.get(path).headers
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers
    assert client.get("/api/models").headers["cache-control"] == "no-store"


def test_limits_of_bytes_and_pixels() -> None:
    with serving(model="cnn", max_bytes=20_000, max_pixels=10_000, seconds=2) as client:
        assert client.post("/api/colorize", content=bytes(20_001)).status_code == 413
        assert client.post("/api/colorize", content=iter([bytes(15_000)] * 2)).status_code == 413
        assert client.post("/api/colorize", files={"picture": bytes(20_001)}).status_code == 413
        for path in ("/api/colorize", "/api/sessions"):
            answer = client.post(path, content=gray(200, 100))
            assert answer.status_code in (413, 422) and "pixels" in answer.json()["error"]
            files = {"picture": gray(), "reference": gray(200, 100)}
            assert client.post(path, files=files).status_code in (413, 422)
        # Each page is small enough, but all of them are not.
        page = make_painting(1, 40, 25).convert("L")
        for count, status in ((2, 200), (11, 413)):
            page.save(file := io.BytesIO(), "TIFF", save_all=True, append_images=[page] * (count - 1))
            assert client.post("/api/colorize", content=file.getvalue()).status_code == status
        assert client.post("/api/colorize", content=gray()).status_code == 200
        # A client that sends slowly does not hold its place.
        with socket.create_connection((client.base_url.host, client.base_url.port)) as slow:
            slow.sendall(b"POST /api/colorize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
            assert slow.recv(100).startswith(b"HTTP/1.1 408")
        # One that hangs up neither.
        for _ in range(5):
            with socket.create_connection((client.base_url.host, client.base_url.port)) as gone:
                gone.sendall(b"POST /api/colorize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
        assert client.post("/api/colorize", content=gray()).status_code == 200
        assert "artcolor_places 0.0" in client.get("/metrics").text


def test_many_at_once_get_a_picture_or_are_told_to_wait() -> None:
    with serving(model="cnn", threads=1, queue=2) as client:
        picture, together = gray(400, 300), threading.Barrier(24)
        wanted = client.post("/api/colorize", content=picture).content

        def post(_: int) -> httpx.Response:
            together.wait()
            return httpx.post(client.base_url.join("/api/colorize"), content=picture, timeout=60)

        with ThreadPoolExecutor(24) as threads:
            answers = list(threads.map(post, range(24)))
        assert {answer.status_code for answer in answers} == {200, 503}
        for answer in answers:
            if answer.status_code == 200:
                assert answer.content == wanted
            else:
                assert answer.headers["retry-after"] == "1"
        assert client.post("/api/colorize", content=picture).content == wanted
        assert "artcolor_places 0.0" in client.get("/metrics").text


def test_a_picture_that_takes_too_long() -> None:
    with serving(model="cnn", seconds=0.001) as client:
        answer = client.get("/api/models")
        assert answer.status_code == 200
        answer = client.post("/api/colorize", content=gray(900, 700))
        assert answer.status_code in (408, 503)
