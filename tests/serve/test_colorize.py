import io
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote

import httpx
import numpy as np
import pytest
import tifffile

from artcolor.batch.pipe import colorize_stream
from artcolor.batch.saving import Saving
from artcolor.engine.colorizer import Colorizer
from artcolor.images import read_provenance
from tests.serve.serving import gray, opened, serving

HINTS = {"schema": 1, "hints": [{"x": 0.5, "y": 0.5, "color": "#27408b"}]}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(model="cnn") as client:
        yield client


def written(picture: bytes, model: str = "cnn", saving: Saving | None = None, **options: object) -> bytes:
    """What the command writes."""
    colorize_stream(Colorizer(model, **options), picture, file := io.BytesIO(), saving)
    return file.getvalue()


def test_the_bytes_are_those_that_the_command_writes(client: httpx.Client) -> None:
    for picture, kind in ((gray(), "png"), (gray(format="JPEG"), "jpeg")):
        answer = client.post("/api/colorize?vividness=1.5", content=picture)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == f"image/{kind}"
        assert answer.content == written(picture, vividness=1.5)


def test_depth_survives(client: httpx.Client) -> None:
    pixels = np.linspace(0, 65535, 60 * 80).reshape(60, 80).astype(np.uint16)
    tifffile.imwrite(file := io.BytesIO(), pixels)
    answer = client.post("/api/colorize", content=file.getvalue())
    assert answer.headers["content-type"] == "image/tiff"
    assert tifffile.imread(io.BytesIO(answer.content)).dtype == np.uint16


def test_a_form_carries_hints_and_reference(client: httpx.Client) -> None:
    picture = gray()
    answer = client.post(
        "/api/colorize?model=unet", files={"picture": ("a.png", picture)}, data={"hints": json.dumps(HINTS)}
    )
    assert answer.status_code == 200, answer.text
    assert answer.content == written(picture, "unet", hints=HINTS)
    found = read_provenance(answer.content)
    assert found is not None and found.options["hints"] == HINTS["hints"]
    assert answer.headers["x-artcolor-model"] == found.model
    assert answer.headers["x-artcolor-weights-sha256"] == found.weights_sha256


def test_a_reference_is_named_without_its_folder(client: httpx.Client, painting) -> None:
    painting.save(reference := io.BytesIO(), "PNG")
    files = {"picture": ("a.png", gray()), "reference": ("/home/me/b.png", reference.getvalue())}
    answer = client.post("/api/colorize?model=unet", files=files)
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.headers["x-artcolor-options"])["reference"] == "b.png"


def test_options_of_files(client: httpx.Client) -> None:
    answer = client.post("/api/colorize?format=webp&quality=80&provenance=false", content=gray())
    assert opened(answer.content).format == "WEBP"
    assert read_provenance(answer.content) is None


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("vividness=red", "vividness must be a number"),
        ("vividness=nan", "vividness must be 0 to 100"),
        ("seed=-1", "seed must be 0 or more"),
        ("seed=1&seed=2", "seed is given 2 times"),
        ("size=100000", "size must be at most 1024"),
        ("colour=red", "there is no option 'colour'"),
        ("device=cuda", "there is no option 'device'"),
        ("model=/etc/passwd", "there is no model"),
        ("model=hf-hub:a/b@main", "there is no model"),
        ("provenance=perhaps", "provenance must be true or false"),
        ("depth=7", "depth must be 8 or 16"),
        ("format=gif", "cannot hold a coloring"),
        ("spread=1", "spread has no effect"),
    ],
)
def test_mistakes_in_options(client: httpx.Client, query: str, words: str) -> None:
    answer = client.post(f"/api/colorize?{query}", content=gray())
    assert answer.status_code == 422
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    ("hints", "status", "words"),
    [
        ("{", 400, "not valid JSON"),
        ("[" * 100_000, 400, "not valid JSON"),
        ('{"size": [NaN, 1]}', 400, "not valid JSON"),
        ('"/etc/passwd"', 422, "must be an object"),
        ('{"reference": "/etc/passwd"}', 422, "cannot name a reference"),
        ('{"hints": [{"mask": "/etc/passwd", "color": "red"}]}', 422, "has a mask"),
        ('[{"x": 2, "y": 0, "color": "red"}]', 422, "hint 1"),
        (json.dumps(HINTS["hints"] * 1001), 422, "the limit is 1000"),
        (json.dumps([{"polyline": [[0, 0]] * 3000, "color": "red"}] * 2), 422, "have 6000 corners"),
    ],
)
def test_mistakes_in_hints(client: httpx.Client, hints: str, status: int, words: str) -> None:
    answer = client.post("/api/colorize?model=unet", files={"picture": gray()}, data={"hints": hints})
    assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text
    assert "passwd" not in answer.text


def test_mistakes_in_pictures(client: httpx.Client) -> None:
    for content, status in ((b"", 400), (b"GIF89a", 422), (b"8BPS" + bytes(60), 415), (gray()[:300], 422)):
        answer = client.post("/api/colorize", content=content)
        assert answer.status_code == status, answer.text
        assert str(Path.cwd()) not in answer.text and "--" not in answer.json()["error"]
    assert client.post("/api/colorize", files={"a": b"b"}).status_code == 400
    kind = {"content-type": "multipart/form-data"}
    assert client.post("/api/colorize", content=b"a", headers=kind).status_code == 400


def test_messages_suit_clients() -> None:
    cut, palette = gray(300, 200, "JPEG")[:3000], "palette=red"
    page = opened(gray())
    page.save(pages := io.BytesIO(), "TIFF", save_all=True, append_images=[page])
    with serving(model="cnn", max_pixels=70_000) as client:
        for path, picture, words in (
            ("/api/colorize", cut, "allow_truncated=true"),
            (f"/api/colorize?{palette}", gray(), "repeat palette for each color"),
            ("/api/colorize", gray(400, 300), "the limit is 70000"),
            ("/api/sessions", pages.getvalue(), "2 pages or frames, but only one can be worked on here"),
            ("/api/folder", gray(), "is not a ZIP file"),
        ):
            answer = client.post(path, content=picture)
            assert answer.status_code == 422
            assert words in answer.json()["error"]
            assert not any(each in answer.text for each in ("--", "max_pixels", "open_file")), answer.text
        assert client.post("/api/colorize?allow_truncated=true", content=cut).status_code == 200


def warnings_of(answer: httpx.Response) -> list[str]:
    return json.loads(unquote(answer.headers.get("x-artcolor-warnings", "[]")))


def test_warnings_are_told(client: httpx.Client) -> None:
    deep = np.linspace(0, 65535, 60 * 80).reshape(60, 80).astype(np.uint16)
    tifffile.imwrite(file := io.BytesIO(), deep)
    sent = [(file.getvalue(), "jpg"), (gray(), "bmp"), (gray(), "png")] * 4
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(lambda each: client.post(f"/api/colorize?format={each[1]}", content=each[0]), sent)
        found = [warnings_of(answer) for answer in answers]
    assert found[0] == ["written with 8 bits per channel; JPEG cannot hold more"]
    assert found[1] == ["BMP cannot store provenance; the file does not say that its colors are computed"]
    # Nothing of other requests, though they were worked on at the same time.
    assert found == [found[0], found[1], []] * 4


def test_messages_name_the_picture(client: httpx.Client) -> None:
    answer = client.post("/api/colorize", files={"picture": ("C:\\scans\\old.png", gray()[:300])})
    assert answer.status_code == 422 and answer.json()["error"].startswith("old.png ")


def test_models_tell_what_they_take(client: httpx.Client) -> None:
    from artcolor.models.heads import DistributionHead
    from artcolor.models.registry import get_model

    for each in client.get("/api/models").json()["models"]:
        model = get_model(each["name"])
        distribution = isinstance(model.head, DistributionHead)
        assert set(each["accepts"]) == model.accepts
        assert each["decoding"] == (["vividness", "temperature", "strength"] if distribution else ["strength"])
        assert each["uncertainty"] is distribution


def test_models_description_and_metrics(client: httpx.Client) -> None:
    listed = client.get("/api/models").json()
    assert listed["default"] == "cnn"
    assert {"unet", "cnn"} <= {each["model"] for each in listed["models"]}
    description = client.get("/api/openapi.json").json()
    names = {each["name"] for each in description["paths"]["/api/colorize"]["post"]["parameters"]}
    assert {"model", "vividness", "seed", "format", "quality"} <= names
    assert "device" not in names
    result = description["paths"]["/api/sessions/{id}/result"]["get"]
    what = next(each for each in result["parameters"] if each["name"] == "what")
    assert what["schema"]["enum"] == ["picture", "layer", "ora", "card"]
    assert {"image/*", "image/openraster", "text/html"} == result["responses"]["200"]["content"].keys()
    page = client.get("/api/docs")
    assert "<script" not in page.text and "/api/sessions/{id}/guidance" in page.text
    for listed in ("Form parts", "reference", "JSON fields", "X-Artcolor-Used", "X-Artcolor-Failed"):
        assert listed in page.text
    assert client.get("/healthz").json() == {"status": "ok"}
    counted = client.get("/metrics").text
    assert 'artcolor_requests_total{endpoint="_openapi",status="200"} 1.0' in counted
    assert "artcolor_places 0.0" in counted


def test_names_of_weights_in_headers_and_messages(tmp_path: Path) -> None:
    weights = tmp_path / "été-漢.safetensors"
    shutil.copy(files("artcolor") / "weights" / "cnn.art_v1.safetensors", weights)
    with serving(model=str(weights)) as client:
        answer = client.post("/api/colorize", content=gray())
        assert answer.status_code == 200, answer.text
        assert unquote(answer.headers["x-artcolor-model"]) == "été-漢"
        assert client.get("/api/models").json()["default"] == weights.name
        for query in ("model=x", "spread=1", "temperature=0.5&seed=-1"):
            assert str(tmp_path) not in client.post(f"/api/colorize?{query}", content=gray()).text
