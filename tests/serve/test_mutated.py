"""Requests that are wrong in many ways: none makes the server fail, and nothing of them stays."""

import contextlib
import json
import os
import random
import socket
import time

import httpx

from tests.serve.serving import gray, serving
from tests.serve.test_folders import packed

COUNT = int(os.environ.get("ARTCOLOR_MUTATED_REQUESTS", "200"))
HINTS = json.dumps({"schema": 1, "size": [96, 80], "hints": [{"x": 0.5, "y": 0.5, "color": "#27408b", "radius": 0.1}]})


def request(method: str, path: str, body: bytes, kind: str) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode("latin-1") + body


def form(**parts: bytes) -> bytes:
    lines = [
        b'--limit\r\nContent-Disposition: form-data; name="%s"; filename="a"\r\n\r\n%s\r\n' % (name.encode(), part)
        for name, part in parts.items()
    ]
    return b"".join(lines) + b"--limit--\r\n"


def mutated(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(changed))
        match rng.randrange(5):
            case 0:
                changed[at] = rng.randrange(256)
            case 1:
                del changed[at : at + rng.choice((1, 4, 100))]
            case 2:
                changed[at:at] = rng.choice(
                    (b"\0", b"\r\n", b"--limit", b'"', b"{", b"1e999", b"-1", b"%00", b"\xff" * 9)
                )
            case 3:
                changed[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
            case 4:
                changed += changed[at : at + 50]
        if not changed:
            break
    return bytes(changed)


def mutated_request(method: str, path: str, body: bytes, kind: str, rng: random.Random) -> bytes:
    match rng.randrange(8):
        case 0:
            path = "/" + mutated(path.encode(), rng).decode("latin-1").replace(" ", "+").replace("\r\n", "")
        case 1:
            kind = mutated(kind.encode(), rng).decode("latin-1").replace("\r\n", "")
        case _ if body:
            body = mutated(body, rng)
    return request(method, path, body, kind)


def answer_of(address: tuple[str, int], data: bytes) -> tuple[int, bytes]:
    """Status of the answer, and the answer; 0 if there is none."""
    with socket.create_connection(address, timeout=2) as connection:
        answer = b""
        # It waits in vain where the request says that more will come.
        with contextlib.suppress(TimeoutError, ConnectionError):
            connection.sendall(data)
            while more := connection.recv(1 << 16):
                answer += more
    return (int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0), answer


def test_no_mutated_request_makes_the_server_fail() -> None:
    rng = random.Random(0)
    with serving(model="cnn", sessions=2, seconds=1) as client:
        address = client.base_url.host, client.base_url.port
        session = f"/api/sessions/{client.post('/api/sessions', content=gray(40, 30)).json()['id']}"
        picture, tiff, jpeg = gray(40, 30), gray(40, 30, "TIFF"), gray(40, 30, "JPEG")
        kind = "multipart/form-data; boundary=limit"
        whole = [
            ("POST", "/api/colorize?vividness=1.5&size=64&format=png", picture, "image/png"),
            ("POST", "/api/colorize", tiff, "image/tiff"),
            ("POST", "/api/colorize", jpeg, "image/jpeg"),
            ("POST", "/api/colorize", form(picture=picture, hints=HINTS.encode(), reference=jpeg), kind),
            ("POST", "/api/folder", packed(**{"a.png": picture, "b/c.jpg": jpeg}), "application/zip"),
            ("POST", "/api/sessions?size=64", form(picture=jpeg, hints=HINTS.encode()), kind),
            ("PUT", f"{session}/guidance?side=30", HINTS.encode(), "application/json"),
            ("PUT", f"{session}/guidance", b'{"vividness": 1, "palette": ["navy", "ivory"]}', "application/json"),
            ("GET", f"{session}/suggestions?x=0.5&y=0.5&k=3", b"", "text/plain"),
            ("GET", f"{session}/alternatives?count=2&side=30", b"", "text/plain"),
            ("GET", f"{session}/result?format=jpg&quality=80&depth=8", b"", "text/plain"),
        ]
        found: dict[int, int] = {}
        for number in range(COUNT):
            data = mutated_request(*whole[number % len(whole)], rng)
            status, answered = answer_of(address, data)
            found[status] = found.get(status, 0) + 1
            assert status != 500, (answered, data[:2000])
        assert found.keys() > {200, 400, 422}, found
        assert client.post("/api/colorize", content=picture).status_code == 200
        counted = client.get("/metrics").text
        while "artcolor_places 0.0" not in counted:
            # Work goes on where a client gave up.
            time.sleep(0.1)
            counted = client.get("/metrics").text
        assert any(f"artcolor_sessions {count}.0" in counted for count in (0, 1, 2))


def test_a_closed_connection_frees_its_place() -> None:
    with serving(model="cnn", threads=1, queue=0, seconds=20) as client:
        data = request("POST", "/api/colorize", gray(), "image/png")
        for end in (len(data) // 2, len(data)):
            with socket.create_connection((client.base_url.host, client.base_url.port)) as gone:
                gone.sendall(data[:end])
        for _ in range(100):
            answer = client.post("/api/colorize", content=gray())
            if answer.status_code == 200:
                break
        assert isinstance(answer, httpx.Response) and answer.status_code == 200


def test_text_and_numbers_that_cannot_be_written() -> None:
    with serving(model="cnn") as client:
        session = client.post("/api/sessions", content=gray()).json()["id"]
        half = r"\ud800"
        hint = r'{"x": 0.5, "y": 0.5, "color": "red", "\udfff": 1}'
        values = (
            f'{{"{half}": 1}}',
            f'{{"hints": {{"{half}": 1}}}}',
            f'{{"hints": [{hint}]}}',
            f'{{"hints": [{{"x": 0.5, "y": 0.5, "color": "{half}"}}]}}',
            f'{{"palette": ["{half}", "red"]}}',
            *(f'{{"{name}": 1{"0" * 400}}}' for name in ("vividness", "temperature", "strength", "spread", "seed")),
        )
        for value in values:
            answer = client.put(f"/api/sessions/{session}/guidance", content=value)
            assert answer.status_code in (400, 422), value
        # What is written in two halves is one character.
        pair = client.put(f"/api/sessions/{session}/guidance", content=r'{"hints": {"\ud83c\udfa8": 1}}')
        assert "🎨" in pair.json()["error"]
        kind = "multipart/form-data; boundary=limit"
        for charset, name in (("utf-7", b"+2AA-"), ("unicode_escape", rb"\ud800"), ("latin-1", b"hints"), ("x", b"a")):
            answer = client.post(
                "/api/colorize",
                content=form(picture=gray()).replace(b"picture", name),
                headers={"content-type": f"{kind}; charset={charset}"},
            )
            assert answer.status_code == 400
            assert "must be utf-8" in answer.text
        answer = client.post(
            "/api/colorize", content=form(picture=gray()), headers={"content-type": f'{kind}; charset="UTF-8"'}
        )
        assert answer.status_code == 200
        answer = client.post("/api/colorize", files={"picture": gray()}, data={"hints": f"[{hint}]"})
        assert answer.status_code == 400
