import base64
import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from artcolor.engine.session import Session
from artcolor.images import read_provenance
from artcolor.models.guidance import Decoding, Guidance
from tests.serve.serving import gray, opened, serving

POINT = {"x": 0.5, "y": 0.5, "color": "#27408b"}
PICTURE = gray(format="JPEG")


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(sessions=3) as client:
        yield client


def start(client: httpx.Client, picture: bytes = PICTURE, **options: Any) -> str:
    answer = client.post("/api/sessions", content=picture, **options)
    assert answer.status_code == 201, answer.text
    return f"/api/sessions/{answer.json()['id']}"


@pytest.fixture
def session(client: httpx.Client) -> str:
    return start(client)


def test_guidance_gives_a_preview_and_then_the_result(client: httpx.Client, session: str) -> None:
    guidance = {"hints": {"schema": 1, "hints": [POINT]}, "vividness": 1.0, "seed": None}
    preview = client.put(f"{session}/guidance?side=48", json=guidance)
    assert preview.status_code == 200, preview.text
    assert (opened(preview.content).format, opened(preview.content).size) == ("PNG", (48, 40))
    result = client.get(f"{session}/result")
    assert result.headers["content-type"] == "image/jpeg"
    file = io.BytesIO()
    Session(PICTURE).save(file, Guidance(hints=[POINT]), Decoding(vividness=1.0), format="jpg")
    assert result.content == file.getvalue()
    found = read_provenance(result.content)
    assert found is not None and found.options["hints"] == [POINT]
    assert result.headers["x-artcolor-model"] == found.model
    assert opened(client.get(f"{session}/result?format=png").content).format == "PNG"


def test_guidance_is_replaced_as_a_whole(client: httpx.Client, session: str) -> None:
    plain = client.get(f"{session}/result").content
    assert client.put(f"{session}/guidance", json={"hints": [POINT]}).status_code == 200
    assert client.get(f"{session}/result").content != plain
    assert client.put(f"{session}/guidance", json={}).status_code == 200
    assert client.get(f"{session}/result").content == plain


def test_wrong_guidance_changes_nothing(client: httpx.Client, session: str) -> None:
    plain = client.get(f"{session}/result").content
    for given in ({"hints": "a.json"}, {"vividness": "much"}, {"samples": 4}, {"palette": ["red"]}, [], {"seed": 1e9}):
        answer = client.put(f"{session}/guidance", json=given)
        assert answer.status_code == 422, (given, answer.text)
    other_aspect = {"hints": {"size": [500, 100], "hints": [POINT]}}
    assert client.put(f"{session}/guidance", json=other_aspect).status_code == 422
    assert client.put(f"{session}/guidance", content=b"{").status_code == 400
    assert client.get(f"{session}/result").content == plain


def test_suggestions_follow_hints(client: httpx.Client, session: str) -> None:
    found = client.get(f"{session}/suggestions?x=0.5&y=0.5").json()["suggestions"]
    assert 1 <= len(found) <= 5
    assert {"color", "ab", "probability"} == set(found[0])
    client.put(f"{session}/guidance", json={"hints": [POINT]})
    for _ in range(2):
        (only,) = client.get(f"{session}/suggestions?x=0.5&y=0.5").json()["suggestions"]
        assert only["probability"] == 1
    assert "y is missing" in client.get(f"{session}/suggestions?x=0.5").json()["error"]
    assert client.get(f"{session}/suggestions?x=1.5&y=0").status_code == 422


def test_alternatives_by_seed(client: httpx.Client, session: str) -> None:
    client.put(f"{session}/guidance", json={"hints": [POINT]})
    before = client.get(f"{session}/result").content
    found = client.get(f"{session}/alternatives?count=3&side=48").json()["alternatives"]
    assert [each["seed"] for each in found] == [1, 2, 3]
    assert len({each["picture"] for each in found}) == 3
    assert client.get(f"{session}/result").content == before
    for each in found:
        guidance = {"hints": [POINT], "seed": each["seed"]}
        same = client.put(f"{session}/guidance?side=48&format=jpg", json=guidance)
        assert base64.b64decode(each["picture"].partition(",")[2]) == same.content
    assert client.get(f"{session}/alternatives?count=100").status_code == 422
    plain = start(client, params={"model": "cnn_report"})
    assert "deterministic" in client.get(f"{plain}/alternatives").json()["error"]


def test_uncertainty(client: httpx.Client, session: str) -> None:
    shown = opened(client.get(f"{session}/uncertainty").content)
    assert (shown.mode, shown.size) == ("L", (96, 80))
    regression = start(client, params={"model": "cnn_report"})
    assert "distribution" in client.get(f"{regression}/uncertainty").json()["error"]


def test_a_reference_stays(client: httpx.Client, painting) -> None:
    painting.save(reference := io.BytesIO(), "PNG")
    session = client.post("/api/sessions", files={"picture": PICTURE, "reference": reference.getvalue()}).json()["id"]
    for _ in range(2):
        answer = client.put(f"/api/sessions/{session}/guidance", json={})
        assert "reference" in answer.headers["x-artcolor-options"]


def test_the_newest_are_kept(client: httpx.Client) -> None:
    names = [start(client) for _ in range(4)]
    assert [client.get(f"{name}/result").status_code for name in names] == [404, 200, 200, 200]
    assert "artcolor_sessions 3.0" in client.get("/metrics").text
    assert client.delete(names[1]).status_code == 204
    assert client.delete(names[1]).status_code == 404
    assert client.get(f"{names[1]}/result").status_code == 404
    assert "artcolor_sessions 2.0" in client.get("/metrics").text


def test_unused_sessions_end() -> None:
    with serving(model="cnn", session_seconds=0) as client:
        name = start(client)
        assert client.get(f"{name}/result").status_code == 404
        assert "artcolor_sessions 0.0" in client.get("/metrics").text
