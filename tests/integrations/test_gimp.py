"""The plug-in for GIMP 3: its protocol with a real server and the real command, and GIMP itself where there is one."""

import dataclasses
import http.server
import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import httpx
import numpy as np
import pytest
from PIL import Image

import artcolor
from artcolor.images import read_provenance
from tests.conftest import ROOT, make_painting
from tests.serve.serving import gray, opened, serving

GIMP = shutil.which("gimp-console") or shutil.which("gimp")
PLUG_IN = ROOT / "integrations" / "gimp" / "artcolor" / "artcolor.py"


@pytest.fixture(scope="module")
def plug_in() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("gimp_plug_in", PLUG_IN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def server() -> Iterator[httpx.Client]:
    with serving() as client:
        yield client


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """The command `artcolor` of this checkout, with a path that must be quoted."""
    path = tmp_path / "my programs" / "artcolor"
    path.parent.mkdir()
    code = "from artcolor.cli import main; main()"
    path.write_text(
        f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -c "{code}" "$@"\n'
    )
    path.chmod(0o755)
    return path


@contextmanager
def answering(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """The address of a server that answers each request with a function."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{found.server_port}"
        finally:
            found.shutdown()
            thread.join()


def send(handler: http.server.BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def address_of(server: httpx.Client) -> str:
    return str(server.base_url).rstrip("/")


def difference(a: Image.Image, b: Image.Image) -> int:
    return int(np.abs(np.asarray(a.convert("RGB"), int) - np.asarray(b.convert("RGB"), int)).max())


def test_needs_only_the_standard_library() -> None:
    # -S leaves out what is installed.
    code = f"import runpy; runpy.run_path({str(PLUG_IN)!r})"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
    assert os.access(PLUG_IN, os.X_OK)
    # GIMP wants the folder and the file to have the same name.
    assert PLUG_IN.stem == PLUG_IN.parent.name


def test_names_of_models(plug_in: ModuleType) -> None:
    assert sorted(plug_in.MODELS) == artcolor.list_models(pretrained=True)


def test_server(plug_in: ModuleType, server: httpx.Client) -> None:
    picture = gray()
    made = plug_in.colorize(picture, plug_in.Settings(server=address_of(server), command=""))
    assert difference(opened(made), artcolor.colorize(picture)) <= 1
    settings = plug_in.Settings(server=address_of(server), command="", model="vae", vividness=0.5, strength=1.5)
    made = plug_in.colorize(picture, settings)
    assert difference(opened(made), artcolor.colorize(picture, model="vae", vividness=0.5, strength=1.5)) <= 1
    assert read_provenance(made).model.startswith("vae")


def test_depth_and_transparency_survive(plug_in: ModuleType, server: httpx.Client) -> None:
    painting = make_painting(2)
    painting.putalpha(painting.convert("L"))
    painting.save(file := io.BytesIO(), "PNG")
    made = opened(plug_in.colorize(file.getvalue(), plug_in.Settings(server=address_of(server), command="")))
    assert made.mode == "RGBA"
    assert made.getchannel("A").tobytes() == painting.getchannel("A").tobytes()


def test_command_where_no_server_runs(plug_in: ModuleType, command: Path) -> None:
    picture = gray()
    settings = plug_in.Settings(server=free_address(), command=str(command), model="cnn", strength=0.5)
    made = plug_in.colorize(picture, settings)
    assert difference(opened(made), artcolor.colorize(picture, model="cnn", strength=0.5)) <= 1
    with pytest.raises(plug_in.ColorizeError, match=r"^artcolor says: --vividness requires a model that predicts"):
        plug_in.colorize(picture, dataclasses.replace(settings, model="ae_report", vividness=1.0))


def test_command_without_gimps_python(plug_in: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "artcolor"
    command.write_text('#!/bin/sh\necho "home: $PYTHONHOME, path: $PYTHONPATH, $*" >&2\nexit 3\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONHOME", "/gimp")
    monkeypatch.setenv("PYTHONPATH", "/gimp/modules")
    settings = plug_in.Settings(server="", vividness=1.5)
    with pytest.raises(
        plug_in.ColorizeError, match=r"^artcolor says: home: , path: , colorize - -o - --vividness 1.5$"
    ):
        plug_in.colorize(b"", settings)
    command.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(plug_in.ColorizeError, match=r"^artcolor says: it ended with status 3$"):
        plug_in.colorize(b"", settings)
    command.write_bytes(b"\x00")
    with pytest.raises(plug_in.ColorizeError, match=r"^The command .* cannot be run: "):
        plug_in.colorize(b"", settings)


def test_mistakes_are_told_in_sentences(plug_in: ModuleType, server: httpx.Client) -> None:
    settings = plug_in.Settings(server=address_of(server), command="")
    with pytest.raises(plug_in.ColorizeError, match=r"^artcolor says: .*not a picture"):
        plug_in.colorize(b"nonsense", settings)
    with pytest.raises(plug_in.ColorizeError, match=r"^artcolor says: .*nosuch"):
        plug_in.colorize(gray(), dataclasses.replace(settings, model="nosuch"))
    for address in ("http://example.org:80", "https://127.0.0.1", "http://127.0.0.1:x", "127.0.0.1:7860", "http://["):
        with pytest.raises(
            plug_in.ColorizeError,
            match=re.escape(f"must be on this machine, such as http://127.0.0.1:7860, not {address}"),
        ):
            plug_in.colorize(gray(), plug_in.Settings(server=address))
    nothing = plug_in.Settings(server=free_address(), command="no-such-command")
    with pytest.raises(plug_in.ColorizeError, match=r"command no-such-command is not found. Run `artcolor serve`"):
        plug_in.colorize(gray(), nothing)


def test_a_picture_is_not_sent_to_another_program(plug_in: ModuleType) -> None:
    seen = []

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        seen.append(handler.command)
        send(handler, 200, b'{"info": {"title": "another"}}')

    with answering(answer) as address, pytest.raises(plug_in.ColorizeError, match="does not answer"):
        plug_in.colorize(gray(), plug_in.Settings(server=address, command=""))
    assert seen == ["GET"]


def test_busy_server_is_asked_again(plug_in: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    posted, colored = [], gray()

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        if handler.command == "GET":
            send(handler, 200, b'{"info": {"title": "artcolor"}}')
            return
        posted.append((handler.path, handler.headers["Authorization"]))
        if len(posted) < 3:
            send(handler, 503, b'{"error": "busy"}', Retry_After="0")
        elif len(posted) == 3:
            send(handler, 200, colored)
        else:
            send(handler, 500, b"<html>")

    monkeypatch.setenv("ARTCOLOR_TOKEN", "secret")
    with answering(answer) as address:
        settings = plug_in.Settings(server=address, command="", strength=2)
        assert plug_in.colorize(b"picture", settings) == colored
        assert posted == [("/api/colorize?strength=2", "Bearer secret")] * 3
        with pytest.raises(plug_in.ColorizeError, match=r"^artcolor says: HTTP status 500$"):
            plug_in.colorize(b"picture", settings)
        posted.clear()
        monkeypatch.setattr(plug_in, "TRIES", 2)
        with pytest.raises(plug_in.ColorizeError, match=r"^artcolor says: busy$"):
            plug_in.colorize(b"picture", settings)


@pytest.mark.parametrize("said", [b"", b"abcd", gray()[:-20]])
def test_what_is_no_picture_is_refused(plug_in: ModuleType, tmp_path: Path, said: bytes) -> None:
    command, file = tmp_path / "artcolor", tmp_path / "said"
    file.write_bytes(said)
    command.write_text(f"#!/bin/sh\ncat > /dev/null\ncat {shlex.quote(str(file))}\n")
    command.chmod(0o755)
    with pytest.raises(plug_in.ColorizeError, match=rf"^The answer is not a PNG file \({len(said)} bytes\)"):
        plug_in.colorize(gray(), plug_in.Settings(server="", command=str(command)))

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        send(handler, 200, b'{"info": {"title": "artcolor"}}' if handler.command == "GET" else said)

    with answering(answer) as address, pytest.raises(plug_in.ColorizeError, match="^The answer is not a PNG file"):
        plug_in.colorize(gray(), plug_in.Settings(server=address, command=""))


def gimp_version() -> str:
    if GIMP is None:
        return ""
    done = subprocess.run([GIMP, "--version"], capture_output=True, text=True)
    return (re.findall(r"version (\d+)", done.stdout) or [""])[-1]


IN_GIMP = """
import json
import gi
gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, Gio

given = json.loads(GIVEN)
quiet = Gimp.RunMode.NONINTERACTIVE
said = []


def call(image, **options):
    procedure = Gimp.get_pdb().lookup_procedure("artcolor-colorize")
    config = procedure.create_config()
    for name, value in dict(options, server=given["server"], command="").items():
        config.set_property(name.replace("_", "-"), value)
    config.set_property("run-mode", quiet)
    config.set_property("image", image)
    config.set_core_object_array("drawables", image.get_selected_drawables())
    status = procedure.run(config).index(0)
    error = Gimp.get_pdb().get_last_error()
    layers = [[each.get_name(), each.get_mode().value_nick, *list(each.get_offsets())[1:], each.get_width(),
               each.get_height()] for each in image.get_layers()]
    said.append([status.value_nick, error, image.get_base_type().value_nick, layers])


def load():
    return Gimp.file_load(quiet, Gio.File.new_for_path(given["picture"]))


image = load()
call(image)
image.merge_visible_layers(Gimp.MergeType.CLIP_TO_IMAGE)
Gimp.file_save(quiet, image, Gio.File.new_for_path(given["visible"]), None)

image = load()
layer = Gimp.Layer.new_from_drawable(image.get_layers()[0], image)
image.insert_layer(layer, None, 0)
layer.scale(40, 30, False)
layer.set_offsets(20, 10)
image.set_selected_layers([layer])
call(image, source="layer", model="vae", strength=1.5)
call(image, model="ae_report", set_vividness=True, vividness=1.0)

with open(given["said"], "w") as file:
    json.dump(said, file)
"""


@pytest.mark.skipif(gimp_version() != "3", reason="GIMP 3 is not installed")
def test_in_gimp(server: httpx.Client, tmp_path: Path) -> None:
    folder = tmp_path / "config" / "plug-ins" / "artcolor"
    folder.mkdir(parents=True)
    shutil.copy(PLUG_IN, folder)
    picture = gray()
    (tmp_path / "gray.png").write_bytes(picture)
    files = {name: str(tmp_path / name) for name in ("visible", "said")}
    given = files | {"visible": files["visible"] + ".png", "picture": str(tmp_path / "gray.png")}
    code = f"GIVEN = {json.dumps(given | {'server': address_of(server)})!r}\n{IN_GIMP}"
    (tmp_path / "code.py").write_text(code)
    batch = f"exec(open({str(tmp_path / 'code.py')!r}).read())"
    assert GIMP is not None
    words = [GIMP, "-idf", "--batch-interpreter", "python-fu-eval", "-b", batch, "--quit"]
    done = subprocess.run(
        words, env=os.environ | {"GIMP3_DIRECTORY": str(tmp_path / "config")}, capture_output=True, text=True
    )
    assert Path(given["said"]).is_file(), done.stdout + done.stderr
    visible, layer, failed = json.loads(Path(given["said"]).read_text())
    name, mode = "Colors, a guess (artcolor)", "lch-color"
    assert visible[0] == "success"
    # A gray image becomes one in color.
    assert visible[2] == "rgb"
    assert visible[3][0] == [name, mode, 0, 0, 96, 80]
    assert len(visible[3]) == 2
    with Image.open(given["visible"]) as image:
        # The mode computes in its own way.
        assert np.abs(np.asarray(image.convert("RGB"), int) - np.asarray(artcolor.colorize(picture), int)).mean() < 2
    assert layer[0] == "success"
    assert layer[3][0] == [name, mode, 20, 10, 40, 30]
    assert len(layer[3]) == 3
    assert failed[0] == "execution-error"
    assert failed[1].startswith("artcolor says: vividness has no effect")
    assert len(failed[3]) == 3
