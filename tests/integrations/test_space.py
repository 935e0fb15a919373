"""The Space: a real Gradio server, called as programs call it.

Gradio requires an older Pillow than the other tests use, so .ci/run installs it into a folder of its own, which
ARTCOLOR_TEST_GRADIO names.
"""

import os
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from packaging.requirements import Requirement
from PIL import Image

import artcolor
from artcolor.images import read_provenance
from tests.conftest import ROOT, make_painting

SPACE = ROOT / "integrations" / "space"
FOLDER = os.environ.get("ARTCOLOR_TEST_GRADIO")
needs_gradio = pytest.mark.skipif(not FOLDER and find_spec("gradio") is None, reason="gradio is not installed")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A client of `python app.py`."""
    if FOLDER and find_spec("gradio_client") is None:
        sys.path.append(FOLDER)
    from gradio_client import Client

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [FOLDER, str(ROOT), os.environ.get("PYTHONPATH")])),
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, str(SPACE / "app.py")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = []
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if "Running on" in line:
                break
        else:
            pytest.fail("".join(said))
        yield Client(f"http://127.0.0.1:{port}", verbose=False)
    finally:
        process.terminate()
        process.communicate()


def edited(folder: Path, picture: Image.Image, layer: Image.Image | None = None) -> dict[str, Any]:
    """What the editor sends."""
    from gradio_client import handle_file

    picture.save(folder / "picture.png")
    if layer is not None:
        layer.save(folder / "layer.png")
    layers = [] if layer is None else [handle_file(str(folder / "layer.png"))]
    return {"background": handle_file(str(folder / "picture.png")), "layers": layers, "composite": None}


def difference(path: str, expected: Image.Image) -> int:
    with Image.open(path) as image:
        return int(np.abs(np.asarray(image, int) - np.asarray(expected, int)).max())


@needs_gradio
def test_gives_what_artcolor_gives(client: Any, tmp_path: Path) -> None:
    picture = make_painting(3).convert("L")
    made = client.predict(edited(tmp_path, picture), 2.0, 0.2, 1.0, 0, api_name="/colorize")
    expected = artcolor.colorize(picture)
    assert difference(made, expected) <= 1
    assert read_provenance(made) == expected.provenance
    made = client.predict(edited(tmp_path, picture), 1.0, 0.5, 1.3, 5, api_name="/colorize")
    expected = artcolor.colorize(picture, vividness=1.0, temperature=0.5, strength=1.3, seed=5)
    assert difference(made, expected) <= 1
    with pytest.raises(Exception, match="Open a picture first"):
        client.predict({"background": None, "layers": [], "composite": None}, 2, 0.2, 1, 0, api_name="/colorize")


@needs_gradio
def test_painting_on_the_picture_gives_hints(client: Any, tmp_path: Path) -> None:
    picture = make_painting(4).convert("L")
    layer = Image.new("RGBA", picture.size)
    layer.paste((39, 64, 139, 255), (20, 40, 30, 46))
    made = client.predict(edited(tmp_path, picture, layer), 2.0, 0.2, 1.0, 0, api_name="/colorize")
    assert difference(made, artcolor.colorize(picture, hints=str(tmp_path / "layer.png"))) <= 1
    assert len(read_provenance(made).options["hints"]) == 60
    empty = client.predict(
        edited(tmp_path, picture, Image.new("RGBA", picture.size)), 2, 0.2, 1, 0, api_name="/colorize"
    )
    assert difference(empty, artcolor.colorize(picture)) <= 1


@needs_gradio
def test_alternatives(client: Any, tmp_path: Path) -> None:
    picture = make_painting(5).convert("L")
    made = client.predict(edited(tmp_path, picture), 2.0, 0.2, 1.0, api_name="/alternatives")
    assert [each["caption"] for each in made] == [f"seed {n}" for n in (1, 2, 3, 4)]
    with Image.open(made[2]["image"]) as image:
        expected = artcolor.colorize(picture, seed=3)
        # The gallery shows lossy files.
        assert np.abs(np.asarray(image, int) - np.asarray(expected, int)).mean() < 8
    assert len({Path(each["image"]).read_bytes() for each in made}) == 4


def test_files_of_the_space() -> None:
    assert len((SPACE / "app.py").read_text().splitlines()) < 120
    front = yaml.safe_load((SPACE / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert front["sdk"] == "gradio"
    assert (SPACE / front["app_file"]).is_file()
    assert len(front["short_description"]) <= 60
    lines = [line for line in (SPACE / "requirements.txt").read_text().splitlines() if re.match(r"\w", line)]
    needed = {each.name: each.specifier for each in map(Requirement, lines)}
    assert artcolor.__version__ in needed["artcolor"]
    assert front["sdk_version"] in needed["gradio"]
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert front["python_version"] in Requirement("x" + tomllib.load(file)["project"]["requires-python"]).specifier
    for path in [FOLDER] if FOLDER else []:
        (installed,) = [each.version for each in distributions(path=[path]) if each.name == "gradio"]
        assert installed in needed["gradio"]
