"""Limits of connections and memory, with real connections."""

import contextlib
import gc
import io
import socket
import time
import weakref
import zipfile

import httpx

from artcolor.serve.sessions import Sessions
from artcolor.serve.settings import Settings
from artcolor.serve.work import FEATURE_BYTES, working_pixels
from tests.serve.serving import gray, serving
from tests.serve.test_folders import packed, report_of


def connected(client: httpx.Client, sent: bytes = b"") -> socket.socket:
    connection = socket.create_connection((client.base_url.host, client.base_url.port), timeout=60)
    connection.sendall(sent)
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Waits until the server says something or hangs up."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def value_of(client: httpx.Client, name: str) -> float:
    return next(float(line.split()[1]) for line in client.get("/metrics").text.splitlines() if line.startswith(name))


def test_idle_connections_do_not_keep_others_out() -> None:
    with serving(model="cnn", connections=50) as client, contextlib.ExitStack() as open_:
        # Some say nothing, some begin a request, some have been answered.
        begun = (b"", b"POST /api/colorize HTTP/1.1\r\nHost: loc", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        idle = [open_.enter_context(connected(client, begun[number % 3])) for number in range(300)]
        assert client.post("/api/colorize", content=gray()).status_code == 200
        # The oldest had to go.
        assert is_closed(idle[0])
        assert httpx.get(client.base_url.join("/healthz")).status_code == 200


def test_connections_that_ask_for_nothing_end() -> None:
    with serving(model="cnn", idle_seconds=0.2, seconds=60) as client, contextlib.ExitStack() as open_:
        slow = b"POST /api/colorize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na"
        silent, half, sending = (open_.enter_context(connected(client, each)) for each in (b"", b"GET / HTTP", slow))
        assert is_closed(silent) and is_closed(half)
        # Bodies have a limit of their own.
        sending.sendall(b"bc")
        assert sending.recv(100).startswith(b"HTTP/1.1 422")


def test_a_client_that_does_not_take_its_answer_is_cut_off() -> None:
    with serving(model="cnn", idle_seconds=0.2) as client:
        picture = gray(2500, 2000, "JPEG", quality=30)
        head = f"POST /api/colorize?format=bmp HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(picture)}\r\n\r\n"
        with connected(client) as lazy:
            lazy.sendall(head.encode() + picture)
            assert lazy.recv(12) == b"HTTP/1.1 200"
            while value_of(client, "artcolor_held_bytes"):
                time.sleep(0.05)
            taken = 0
            with contextlib.suppress(ConnectionError):
                while more := lazy.recv(1 << 20):
                    taken += len(more)
            assert taken < 3 * 2500 * 2000
        assert client.post("/api/colorize", content=gray()).status_code == 200


def test_slow_bodies_do_not_keep_others_out() -> None:
    # A place is taken only once the body has arrived.
    with serving(model="cnn", threads=1, queue=0) as client, contextlib.ExitStack() as open_:
        slow = b"POST /api/%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\na"
        for name in (b"colorize", b"folder", b"sessions") * 3:
            open_.enter_context(connected(client, slow % name))
        assert client.post("/api/colorize", content=gray()).status_code == 200
        assert client.post("/api/folder", content=packed(**{"a.png": gray()})).status_code == 200


def test_slow_connections_end_first() -> None:
    with serving(model="cnn", connections=20) as client, contextlib.ExitStack() as open_:
        slow = b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\na"
        idle = [open_.enter_context(connected(client, slow)) for _ in range(60)]
        for _ in range(3):
            assert httpx.get(client.base_url.join("/healthz")).status_code == 200
        assert is_closed(idle[0])


def test_a_body_must_not_arrive_too_slowly() -> None:
    with serving(model="cnn", slow_seconds=0.2, bytes_per_second=10**9) as client:
        with connected(client) as slow:
            slow.sendall(b"POST /api/colorize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na")
            assert slow.recv(12) == b"HTTP/1.1 408"
        assert client.post("/api/colorize", content=gray()).status_code == 200


def test_bodies_and_answers_have_a_limit_together() -> None:
    with serving(model="cnn", held_bytes=100_000, threads=1, queue=5) as client:
        head = b"POST /api/colorize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000\r\n\r\n"
        with connected(client, head + bytes(60_000)) as first:
            while value_of(client, "artcolor_held_bytes") < 60_000:
                time.sleep(0.01)
            answer = client.post("/api/colorize", content=bytes(50_000))
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert client.post("/api/colorize", content=gray()).status_code == 200
            first.sendall(bytes(10_000))
            assert first.recv(12) == b"HTTP/1.1 422"
        # The answer has no room.
        assert client.post("/api/colorize?format=bmp", content=gray(300, 200)).status_code == 503
        assert value_of(client, "artcolor_held_bytes") == 0
        assert value_of(client, "artcolor_places") == 0


def test_sessions_have_a_limit_of_memory() -> None:
    # Most of it is what the network keeps.
    features = FEATURE_BYTES * (2 * working_pixels(50, 40, 192) + working_pixels(100, 60, 192))
    with serving(model="cnn", session_bytes=features + 30_000) as client:

        def start(width: int, height: int, query: str = "") -> str:
            answer = client.post(f"/api/sessions{query}", content=gray(width, height))
            assert answer.status_code == 201
            # A small preview, because previews count, too.
            return f"/api/sessions/{answer.json()['id']}/original?side=10"

        names = [start(50, 40), start(50, 40), start(100, 60), start(50, 40)]
        assert [client.get(name).status_code for name in names] == [404, 200, 200, 200]
        # A single one may be larger.
        names.append(start(50, 40, "?size=600"))
        assert [client.get(name).status_code for name in names] == [404] * 4 + [200]


def test_pictures_in_cycles_of_references_are_freed() -> None:
    sessions = Sessions(Settings(session_bytes=1000))

    class Node:
        pass

    node = Node()
    node.itself, found = node, weakref.ref(node)
    was = gc.isenabled()
    gc.disable()
    try:
        del node
        sessions.make_room(10)
        assert found() is not None
        sessions.make_room(900)
        assert found() is None
    finally:
        if was:
            gc.enable()


def test_a_large_picture_takes_the_place_of_sessions() -> None:
    with serving(model="cnn", max_pixels=20_000, session_bytes=20_000) as client:

        def start() -> str:
            return f"/api/sessions/{client.post('/api/sessions', content=gray(50, 40)).json()['id']}"

        name = start()
        assert client.post("/api/colorize", content=gray(30, 40)).status_code == 200
        assert client.get(f"{name}/original?side=10").status_code == 200
        assert client.post("/api/colorize", content=gray(100, 70)).status_code == 200
        assert client.get(f"{name}/original?side=10").status_code == 404


def test_the_time_of_a_folder_is_limited() -> None:
    with serving(model="cnn", folder_seconds=0) as client:
        answer = client.post("/api/folder", content=packed(**{"a.png": gray()}))
        assert answer.status_code == 200
        assert [each["status"] for each in report_of(answer)] == ["failed"]
        assert "send the rest separately" in report_of(answer)[0]["message"]
        assert zipfile.ZipFile(io.BytesIO(answer.content)).namelist() == ["report.json"]
