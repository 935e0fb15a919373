"""remote.js, by which the page uses the server: in Chromium, with a real server behind it."""

import base64
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
import tifffile
import torch

from artcolor.batch.pipe import colorize_stream
from artcolor.engine.colorizer import Colorizer
from artcolor.engine.session import Session
from artcolor.models.guidance import Decoding, Guidance
from tests.serve.serving import gray, opened, serving
from tests.serve.test_folders import packed

TOKEN = "open/sesame+1"
HINTS = {"schema": 1, "size": [96, 80], "hints": [{"x": 0.5, "y": 0.5, "radius": 0.05, "color": "#27408b"}]}
PICTURE = gray()

HELPERS = """async () => {
  const { Engine } = await import("/remote.js");
  window.engine = new Engine(await (await fetch("/backend.json")).json());
  window.blobOf = (text) => new Blob([Uint8Array.from(atob(text), (each) => each.charCodeAt(0))]);
  window.textOf = async (blob) => {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    return btoa(bytes.reduce((text, each) => text + String.fromCharCode(each), ""));
  };
  window.pngOf = async (picture) => {
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    canvas.getContext("2d").drawImage(picture, 0, 0);
    return textOf(await canvas.convertToBlob());
  };
  window.reasonOf = (promise) => promise.then(() => "", ({ reason, detail }) => `${reason}: ${detail}`);
}"""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Computes with as many threads as the server below, because sums depend on their number in the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    words = [sys.executable, "-c", "from artcolor.cli import main; main()", "serve", "--port", "0"]
    environment = {**os.environ, "ARTCOLOR_TOKEN": TOKEN, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        line = process.stdout.readline()
        yield next(word for word in line.split() if word.startswith("http")).rstrip(";")
        process.terminate()


def tab_at(browser: Any, address: str) -> Any:
    tab = browser.new_context().new_page()
    # Of the origin of the page, but without it.
    tab.goto(address)
    tab.evaluate(HELPERS)
    return tab


@pytest.fixture(scope="module")
def tab(browser: Any, address: str) -> Any:
    tab = tab_at(browser, f"{address}/backend.json#token=open%2Fsesame%2B1")
    assert tab.url == f"{address}/backend.json"
    tab.started = tab.evaluate("() => engine.start()")
    return tab


def open_in(tab: Any, picture: bytes, name: str) -> dict[str, Any]:
    return tab.evaluate(
        """async ([text, name]) => {
          const { original, ...rest } = await engine.open(blobOf(text), name);
          return { ...rest, original: await pngOf(original) };
        }""",
        [base64.b64encode(picture).decode(), name],
    )


def rendered(tab: Any, **wanted: Any) -> tuple[np.ndarray, dict[str, Any]]:
    found = tab.evaluate(
        """async (wanted) => {
          const { picture, ...rest } = await engine.render(wanted);
          return { ...rest, picture: await pngOf(picture) };
        }""",
        wanted,
    )
    return pixels(found.pop("picture")), found


def saved(tab: Any, wanted: dict[str, Any], how: dict[str, Any]) -> tuple[str, bytes]:
    name, content = tab.evaluate(
        """async ([wanted, how]) => {
          const { blob, name } = await engine.save(wanted, how);
          return [name, await textOf(blob)];
        }""",
        [wanted, how],
    )
    return name, base64.b64decode(content)


def pixels(png: str) -> np.ndarray:
    return np.asarray(opened(base64.b64decode(png)).convert("RGB"))


def by_command(picture: bytes, **options: Any) -> bytes:
    colorize_stream(Colorizer(**options), picture, file := io.BytesIO())
    return file.getvalue()


def test_the_token_is_asked_for_and_kept(browser: Any, address: str) -> None:
    tab = tab_at(browser, f"{address}/backend.json")
    assert tab.evaluate("() => reasonOf(engine.start())").startswith("needsToken: send the token")
    assert tab.evaluate("() => { engine.token('wrong'); return reasonOf(engine.start()) }").startswith("needsToken")
    assert tab.evaluate("async (token) => { engine.token(token); return (await engine.start()).model }", TOKEN)
    tab.reload()
    tab.evaluate(HELPERS)
    assert tab.evaluate("async () => (await engine.start()).model") == "unet.art_v6"
    tab.context.set_offline(True)
    assert tab.evaluate("() => reasonOf(engine.start())").startswith("noServer")
    tab.context.close()


def test_says_what_the_server_can_do(tab: Any) -> None:
    started = tab.started
    assert started["model"] == started["models"][0] == "unet.art_v6"
    assert len(started["sha256"]) == 64
    assert started["defaults"] == {"vividness": 2, "temperature": 0.2, "strength": 1}
    assert {
        each["format"]: each["lossless"] for each in started["formats"] if each["format"] in ("png", "jpg", "tif")
    } == {"png": True, "jpg": False, "tif": True}
    assert started["mostPixels"] == 64_000_000
    assert tab.evaluate("async () => (await engine.useModel('cnn.art_v1')).model") == "cnn.art_v1"
    assert open_in(tab, PICTURE, "a.png")["model"] == "cnn.art_v1"
    assert tab.evaluate("async () => (await engine.useModel('unet.art_v6')).model") == "unet.art_v6"
    broken = base64.b64encode(b"no picture").decode()
    reason = tab.evaluate("(text) => reasonOf(engine.open(blobOf(text), 'a.png'))", broken)
    assert reason == "refused: a.png is not a picture in a format that artcolor reads"


def test_colors_as_the_command_does(tab: Any) -> None:
    found = open_in(tab, PICTURE, "Great wave.png")
    assert (found["width"], found["height"], found["shown"], found["format"]) == (96, 80, [96, 80], "png")
    original = pixels(found["original"])
    np.testing.assert_array_equal(original, np.asarray(opened(PICTURE).convert("RGB")))
    session, decoding = Session(PICTURE), {"vividness": 1.5, "strength": 0.8}
    preview, about = rendered(tab, decoding=decoding, hints=HINTS)
    guidance = Guidance(hints=HINTS)
    np.testing.assert_array_equal(preview, np.asarray(session.render(guidance, Decoding(**decoding))))
    assert about["used"] == pytest.approx({"temperature": 0.2**0.75, **decoding})
    assert about["options"] == {"size": 224, "hints": HINTS["hints"], **decoding}
    wanted = {"decoding": decoding, "hints": HINTS}
    assert saved(tab, wanted, {"format": "png"}) == (
        "Great wave.color.png",
        by_command(PICTURE, hints=HINTS, **decoding),
    )
    # Other options than those of the preview.
    assert saved(tab, {}, {"format": "png"})[1] == by_command(PICTURE)
    name, layer = saved(tab, wanted, {"what": "layer"})
    assert (name, layer) == ("Great wave.layer.png", by_command(PICTURE, hints=HINTS, chroma_only=True, **decoding))
    name, ora = saved(tab, wanted, {"what": "ora"})
    assert name == "Great wave.ora" and "stack.xml" in zipfile.ZipFile(io.BytesIO(ora)).namelist()
    name, card = saved(tab, wanted, {"what": "card"})
    assert name == "Great wave.html" and card.startswith(b"<!doctype html>")

    places = tab.evaluate(
        "async (hints) => [await engine.suggest(.9, .1), await engine.suggest(.5, .5, 3, { hints })]", HINTS
    )
    assert [each["color"] for each in places[0]] == [each.color for each in session.suggest(0.9, 0.1)]
    session.hint(**HINTS["hints"][0])
    assert [each["color"] for each in places[1]] == [each.color for each in session.suggest(0.5, 0.5, 3)]
    color = tab.evaluate("() => engine.colorAt(.25, 1)")
    assert color == "#{:02x}{:02x}{:02x}".format(*original[79, 24])
    shown = pixels(tab.evaluate("async () => pngOf((await engine.uncertainty()).picture)"))
    np.testing.assert_array_equal(shown[..., 0], np.asarray(session.uncertainty()))


def test_an_alternative_is_rendered_by_its_seed(tab: Any) -> None:
    open_in(tab, PICTURE, "a.png")
    found = tab.evaluate(
        """async (hints) => {
          const found = await engine.alternatives({ hints }, 3, 96);
          return Promise.all(found.map(async ({ seed, picture }) => ({ seed, picture: await pngOf(picture) })));
        }""",
        HINTS,
    )
    assert len({each["picture"] for each in found}) == 3
    for each in found:
        preview, about = rendered(tab, hints=HINTS, seed=each["seed"])
        # Small alternatives are JPEG files.
        assert np.abs(preview.astype(int) - pixels(each["picture"])).mean() < 3
        assert about["options"]["seed"] == each["seed"]


def test_opens_and_saves_what_browsers_cannot(tab: Any) -> None:
    deep = np.linspace(0, 65535, 60 * 80).astype(np.uint16).reshape(60, 80)
    tifffile.imwrite(file := io.BytesIO(), deep)
    found = open_in(tab, file.getvalue(), "scan.tiff")
    assert (found["format"], opened(base64.b64decode(found["original"])).size) == ("tif", (80, 60))
    preview, _ = rendered(tab)
    assert preview.shape == (60, 80, 3)
    name, content = saved(tab, {}, {"format": "tif"})
    assert (name, content) == ("scan.color.tif", by_command(file.getvalue()))
    assert tifffile.imread(io.BytesIO(content)).dtype == np.uint16


def test_sends_the_picture_again_when_it_is_forgotten(tab: Any, address: str) -> None:
    open_in(tab, PICTURE, "a.png")
    rendered(tab, hints=HINTS)
    with httpx.Client(base_url=address, headers={"authorization": f"Bearer {TOKEN}"}) as client:
        for use in (
            lambda: saved(tab, {"hints": HINTS}, {"format": "png"})[1] == by_command(PICTURE, hints=HINTS),
            lambda: rendered(tab, hints=HINTS)[0].shape == (80, 96, 3),
            lambda: tab.evaluate("(hints) => engine.suggest(.5, .5, 5, { hints })", HINTS),
            # Both find out.
            lambda: tab.evaluate("() => Promise.all([engine.uncertainty(), engine.render({})]).then(() => true)"),
        ):
            before = tab.evaluate("() => engine.session.id")
            assert client.delete(f"/api/sessions/{before}").status_code == 204
            assert use()
            assert tab.evaluate("() => engine.session.id") != before
        last = tab.evaluate("() => engine.session.id")
        tab.evaluate("() => engine.close()")
        assert client.get(f"/api/sessions/{last}/result").status_code == 404


def test_sliders_do_not_queue_up(tab: Any) -> None:
    open_in(tab, PICTURE, "a.png")
    sent: list[str] = []
    tab.on("request", lambda request: sent.append(request.method))
    found = tab.evaluate(
        """async () => {
          const renders = [0, 0.2, 0.4, 0.6, 0.8, 1].map((strength) => engine.render({ decoding: { strength } }));
          const reasons = await Promise.all(renders.map(reasonOf));
          return [reasons, (await renders.at(-1)).used.strength];
        }"""
    )
    assert found == [["outdated: "] * 5 + [""], 1]
    assert sent.count("PUT") == 1
    # Of two pictures that are opened at once, only the newer one counts.
    other = gray(50, 30)
    reasons = tab.evaluate(
        """async (texts) => {
          const late = engine.render({});
          const opened = texts.map((text) => engine.open(blobOf(text), "a.png"));
          return Promise.all([late, ...opened].map(reasonOf));
        }""",
        [base64.b64encode(each).decode() for each in (PICTURE, other)],
    )
    assert reasons == ["outdated: ", "outdated: ", ""]
    assert rendered(tab)[0].shape == (30, 50, 3)


def test_folders(tab: Any) -> None:
    whole = base64.b64encode(packed(**{"a.png": PICTURE, "sub/b.png": b"no picture"})).decode()
    name, content, last = tab.evaluate(
        """async (text) => {
          let last;
          const zip = new File([blobOf(text)], "scans.zip");
          const wanted = { decoding: { vividness: 1 } };
          const { blob, name } = await engine.folder(zip, wanted, (progress) => (last = progress));
          return [name, await textOf(blob), last];
        }""",
        whole,
    )
    assert name == "scans.color.zip"
    assert last["done"] == last["total"] == len(base64.b64decode(whole))
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(content))) as folder:
        assert folder.read("a.png") == by_command(PICTURE, vividness=1.0)
        assert [each["status"] for each in json.loads(folder.read("report.json"))["files"]] == ["colorized", "failed"]


def test_waits_while_the_server_is_busy(browser: Any) -> None:
    with serving(model="cnn", threads=1, queue=0) as client:
        tab = tab_at(browser, str(client.base_url.join("/backend.json")))
        # The folder should take about two seconds on any machine: the page repeats for five. The model is loaded first.
        for _ in range(2):
            begin = time.perf_counter()
            assert client.post("/api/colorize", content=PICTURE).status_code == 200
        count = min(max(round(2 / (time.perf_counter() - begin)), 10), 80)
        many = packed(**{f"{number}.png": PICTURE for number in range(count)})
        with ThreadPoolExecutor(1) as pool:
            folder = pool.submit(client.post, "/api/folder", content=many)
            while "artcolor_places 1.0" not in client.get("/metrics").text:
                time.sleep(0.01)
            with tab.expect_response(lambda answer: answer.status == 503):
                tab.evaluate(
                    "(text) => { window.opening = engine.open(blobOf(text), 'a.png') }",
                    base64.b64encode(PICTURE).decode(),
                )
            assert tab.evaluate("async () => (await opening).width") == 96
            assert folder.result().status_code == 200
        tab.context.close()
