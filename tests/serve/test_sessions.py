import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import numpy as np
import pytest
import tifffile
from PIL import Image

from artcolor.batch.pipe import colorize_stream
from artcolor.engine.colorizer import Colorizer
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
    files = {"picture": ("a.jpg", PICTURE), "reference": ("/home/me/mood.png", reference.getvalue())}
    session = f"/api/sessions/{client.post('/api/sessions', files=files).json()['id']}"
    wanted = client.post("/api/colorize", files=files).content
    for _ in range(2):
        answer = client.put(f"{session}/guidance", json={})
        assert json.loads(answer.headers["x-artcolor-options"])["reference"] == "mood.png"
        assert client.get(f"{session}/result").content == wanted
        assert client.get(f"{session}/alternatives?count=1&side=20").status_code == 200


def test_says_what_colors(client: httpx.Client) -> None:
    listed = {each["name"]: each for each in client.get("/api/models").json()["models"]}
    for model, decoding in (
        ("unet", {"vividness": 2.0, "temperature": 0.2, "strength": 1.0}),
        ("ae_report", {"strength": 1.0}),
    ):
        started = client.post(f"/api/sessions?model={model}", content=PICTURE).json()
        assert (started["width"], started["height"], started["format"]) == (96, 80, "jpg")
        assert started["defaults"] == decoding
        entry = listed[started["model"]]
        assert (entry["sha256"], entry["defaults"]) == (started["sha256"], decoding)
        preview = client.put(f"/api/sessions/{started['id']}/guidance", json={"strength": 0.5})
        assert json.loads(preview.headers["x-artcolor-used"]) == decoding | {"strength": 0.5}


def test_the_original_and_the_map_as_large_as_the_preview(client: httpx.Client, painting) -> None:
    deep = np.linspace(0, 65535, 60 * 80).astype(np.uint16).reshape(60, 80)
    tifffile.imwrite(file := io.BytesIO(), deep)
    session = start(client, file.getvalue())
    shown = opened(client.get(f"{session}/original?side=40").content)
    assert (shown.format, shown.size, shown.mode) == ("PNG", (40, 30), "RGB")
    np.testing.assert_allclose(np.asarray(shown)[..., 0], np.asarray(shown)[..., 2])
    assert opened(client.get(f"{session}/original?format=jpg").content).size == (80, 60)
    assert opened(client.get(f"{session}/uncertainty?side=40").content).size == (40, 30)
    painting.save(file := io.BytesIO(), "PNG")
    shown = np.asarray(opened(client.get(f"{start(client, file.getvalue())}/original").content))
    np.testing.assert_array_equal(shown, np.asarray(painting))


def test_further_results(client: httpx.Client, session: str, tmp_path: Path) -> None:
    client.put(f"{session}/guidance", json={"hints": [POINT]})
    same, guidance = Session(PICTURE), Guidance(hints=[POINT])
    layer = client.get(f"{session}/result?what=layer")
    same.save(file := io.BytesIO(), guidance, format="png", chroma_only=True)
    assert layer.content == file.getvalue()
    found = read_provenance(layer.content)
    assert found is not None and found.options["chroma_only"]
    assert json.loads(layer.headers["x-artcolor-options"])["chroma_only"]
    for what, kind, save in (
        ("ora", "image/openraster", same.save_layers),
        ("card", "text/html; charset=utf-8", same.save_card),
    ):
        answer = client.get(f"{session}/result?what={what}")
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-disposition"].startswith("attachment")
        save(file := io.BytesIO(), guidance)
        assert answer.content == file.getvalue()
        assert client.get(f"{session}/result?what={what}&format=png").status_code == 422
    answer = client.get(f"{session}/result?what=psd")
    assert answer.status_code == 422 and "must be one of picture, layer, ora, card" in answer.json()["error"]


def test_names_of_pictures(client: httpx.Client) -> None:
    named = client.post("/api/sessions?name=sub/Ünter%20Bäumen.jpg", content=PICTURE)
    in_form = client.post("/api/sessions", files={"picture": ("<b>.jpg", PICTURE)})
    for answer, name in ((named, "Ünter Bäumen.jpg"), (in_form, "&lt;b&gt;.jpg")):
        card = client.get(f"/api/sessions/{answer.json()['id']}/result?what=card")
        assert f"<h1>{name}</h1>" in card.text
    wrong = client.post("/api/sessions?name=a.png", content=gray()[:300])
    assert wrong.status_code == 422 and wrong.json()["error"].startswith("a.png ")


def test_warnings_are_told_again(client: httpx.Client) -> None:
    started = client.post("/api/sessions", content=gray(300, 200, "JPEG")[:-2]).json()
    assert started["warnings"] == ["the end marker is missing; all pixels are present"]
    assert started["accepts"] == ["hints", "palette", "reference", "samples", "seed", "spread"]
    session, blue = f"/api/sessions/{started['id']}", {"x": 0.5, "y": 0.5, "color": "#0000ff"}
    for _ in range(2):
        answer = client.put(f"{session}/guidance?side=48", json={"hints": [blue]})
        first, second = json.loads(unquote(answer.headers["x-artcolor-warnings"]))
        assert first == started["warnings"][0]
        assert "sRGB cannot show '#0000ff'" in second
    assert client.get(f"{session}/alternatives?count=1&side=20").json()["warnings"] == [first, second]
    result = client.get(f"{session}/result?format=bmp")
    assert len(json.loads(unquote(result.headers["x-artcolor-warnings"]))) == 3


def test_alternatives_of_a_transparent_picture(client: httpx.Client) -> None:
    Image.new("LA", (60, 40), (120, 100)).save(file := io.BytesIO(), "PNG")
    (only,) = client.get(f"{start(client, file.getvalue())}/alternatives?count=1").json()["alternatives"]
    kind, _, data = only["picture"].partition(",")
    assert kind == "data:image/webp;base64"
    assert opened(base64.b64decode(data)).getpixel((0, 0))[3] == 100


def test_layers_have_a_limit() -> None:
    with serving(max_pixels=20_000) as client:
        answer = client.get(f"{start(client)}/result?what=ora")
        assert answer.status_code == 413 and "the limit of layers is 5000 here" in answer.json()["error"]


def test_painted_hints(client: httpx.Client, tmp_path: Path) -> None:
    layer = Image.new("RGBA", (96, 80))
    layer.paste((39, 64, 139, 255), (40, 30, 46, 36))
    layer.save(tmp_path / "hints.png")
    files = {"picture": PICTURE, "hints": ("hints.png", (tmp_path / "hints.png").read_bytes(), "image/png")}
    answer = client.post("/api/colorize", files=files)
    assert answer.status_code == 200, answer.text
    colorize_stream(Colorizer(hints=tmp_path / "hints.png"), PICTURE, file := io.BytesIO())
    assert answer.content == file.getvalue()
    session = client.post("/api/sessions", files=files).json()["id"]
    assert client.get(f"/api/sessions/{session}/result").content == file.getvalue()
    Image.new("RGBA", (96, 80)).save(empty := io.BytesIO(), "PNG")
    for wrong, status in ((b"no picture", 422), (empty.getvalue(), 422), (gray(), 422)):
        answer = client.post("/api/colorize", files=files | {"hints": ("a.png", wrong, "image/png")})
        assert answer.status_code == status, answer.text


def test_several_pages_are_refused(client: httpx.Client) -> None:
    page = opened(gray())
    page.save(pages := io.BytesIO(), "TIFF", save_all=True, append_images=[page])
    answer = client.post("/api/sessions", content=pages.getvalue())
    assert answer.status_code == 422
    assert "the file has 2 pages or frames, but only one can be worked on here" in answer.json()["error"]


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
