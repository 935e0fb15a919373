import io
import json
import socket
import time
import zipfile
from collections.abc import Iterator

import httpx
import pytest

from tests.serve.serving import gray, opened, serving


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(model="cnn", max_bytes=200_000, max_pixels=20_000) as client:
        yield client


def packed(**files: bytes) -> bytes:
    """A ZIP file."""
    with zipfile.ZipFile(packed := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as folder:
        for name, content in files.items():
            folder.writestr(name, content)
    return packed.getvalue()


def report_of(answer: httpx.Response) -> list[dict[str, str]]:
    with zipfile.ZipFile(io.BytesIO(answer.content)) as folder:
        return json.loads(folder.read("report.json"))["files"]


def test_a_bad_file_fails_alone(client: httpx.Client) -> None:
    files = {
        "a.png": gray(),
        "sub/ü.JPG": gray(format="JPEG"),
        "page.gif": gray(format="GIF"),
        "bad.png": b"no picture",
        "large.png": gray(200, 150),
        "__MACOSX/a.png": b"",
        "notes.txt": b"",
        "nameless": b"",
        "folder.png/": b"",
        "../../out.png": gray(seed=2),
        "a\\..\\out.png": gray(seed=2),
        "/etc/c.png": gray(seed=3),
        "C:\\d.png": gray(seed=4),
    }
    answer = client.post("/api/folder?vividness=1.5", content=packed(**files).replace(b"nameless", b"\0ameless"))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as folder:
        # Nothing is unpacked outside of a folder.
        assert set(folder.namelist()) == {"a.png", "sub/ü.JPG", "page.gif.png", "etc/c.png", "d.png", "report.json"}
        alone = client.post("/api/colorize?vividness=1.5", content=files["a.png"])
        assert folder.read("a.png") == alone.content
        assert opened(folder.read("sub/ü.JPG")).format == "JPEG"
    assert answer.headers["x-artcolor-failed"] == "2"
    failed = {each["file"]: each["message"] for each in report_of(answer) if each["status"] == "failed"}
    assert set(failed) == {"bad.png", "large.png"}
    assert "the limit is 20000" in failed["large.png"]


def test_mistakes(client: httpx.Client) -> None:
    bomb = packed(**{"a.png": bytes(200_001)})
    assert len(bomb) < 2000
    for content, status in (
        (b"", 400),
        (gray(), 422),
        (packed(**{"a.png": gray()})[:100], 422),
        (bomb, 413),
        (packed(a=b""), 422),
    ):
        assert client.post("/api/folder", content=content).status_code == status
    longest = client.post("/api/folder", content=packed(**{"a" * 2000 + ".png": gray()}))
    assert "the limit is 1000" in report_of(longest)[0]["message"]
    whole = packed(**{"a.png": gray()})
    for query in ("model=nix", "vividness=red"):
        assert client.post(f"/api/folder?{query}", content=whole).status_code == 422
    answer = client.post("/api/folder", files={"picture": whole}, data={"hints": "[]"})
    assert answer.status_code == 422 and "hints are for one picture" in answer.text
    assert "artcolor_places 0.0" in client.get("/metrics").text


def test_warnings_are_in_the_report(client: httpx.Client) -> None:
    answer = client.post("/api/folder?format=bmp", content=packed(**{"a.png": gray()}))
    assert answer.headers["x-artcolor-failed"] == "0"
    assert report_of(answer)[0]["warnings"] == [
        "BMP cannot store provenance; the file does not say that its colors are computed"
    ]


def test_results_of_one_name(client: httpx.Client) -> None:
    files = {"a.gif": gray(format="GIF"), "a.gif.png": gray()}
    answer = client.post("/api/folder", content=packed(**files))
    report = report_of(answer)
    assert [each["status"] for each in report] == ["colorized", "failed"]
    assert "another result has the name a.gif.png" in report[1]["message"]


def test_one_folder_at_a_time(client: httpx.Client) -> None:
    whole = packed(**{f"{number}.png": gray() for number in range(20)})
    head = f"POST /api/folder HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(whole)}\r\n\r\n".encode()
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=60) as first:
        first.sendall(head + whole)
        while "artcolor_places 1.0" not in client.get("/metrics").text:
            time.sleep(0.01)
        second = client.post("/api/folder", content=whole)
        assert (second.status_code, second.headers["retry-after"]) == (503, "10")
        # Single pictures are colorized meanwhile.
        assert client.post("/api/colorize", content=gray()).status_code == 200
        assert first.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_a_limit(client: httpx.Client, method: int) -> None:
    with zipfile.ZipFile(file := io.BytesIO(), "w", method) as folder:
        folder.writestr("a.png", bytes(10_000_000))
    data = bytearray(file.getvalue())
    # The directory says that the entry has 100 bytes.
    at = data.rfind(b"PK\x01\x02") + 24
    data[at : at + 4] = (100).to_bytes(4, "little")
    (entry,) = report_of(client.post("/api/folder", content=bytes(data)))
    assert entry["status"] == "failed"
    assert "is not supported" in entry["message"]


def test_entries_are_counted_before_they_are_read(client: httpx.Client) -> None:
    answer = client.post("/api/folder", content=b"PK\x01\x02" * 10_001)
    assert answer.status_code == 413
    assert "more than 10000 entries" in answer.text
