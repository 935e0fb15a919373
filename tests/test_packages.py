"""The packages for an index: they build, pass the checks of twine, install, and work offline."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import artcolor
from tests.conftest import ROOT

VERSION = artcolor.__version__
OFFLINE = """
import sys


def forbid(event, arguments):
    if event.startswith("socket."):
        sys.exit(f"network used: {event}")


sys.addaudithook(forbid)
from artcolor.cli import main

main()
"""


def run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The source distribution, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    sdist, wheel = folder / f"artcolor-{VERSION}.tar.gz", folder / f"artcolor-{VERSION}-py3-none-any.whl"
    assert set(folder.iterdir()) == {sdist, wheel}
    return {"sdist": sdist, "wheel": wheel}


def test_twine_accepts_them(packages: dict[str, Path], tmp_path: Path) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", *packages.values(), cwd=tmp_path)


def test_what_they_hold(packages: dict[str, Path]) -> None:
    with zipfile.ZipFile(packages["wheel"]) as file:
        names = set(file.namelist())
    weights = {f"artcolor/weights/{path.name}" for path in (ROOT / "artcolor/weights").iterdir()}
    assert names >= weights | {"artcolor/weights_manifest.json", "artcolor/py.typed", "artcolor/recipes/unet.yaml"}
    assert f"artcolor-{VERSION}.dist-info/licenses/LICENSE" in names
    assert {name.split("/")[0] for name in names} == {"artcolor", f"artcolor-{VERSION}.dist-info"}
    assert not [name for name in names if "/samples/" in name]
    with tarfile.open(packages["sdist"]) as file:
        tops = {name.split("/")[1] for name in file.getnames()}
    assert tops >= {"artcolor", "tests", "LICENSE", "README.md", "pyproject.toml", "weights_manifest.json"}
    assert not tops & {"docs", ".cache", "runs"}


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_they_install_and_colorize_offline(kind: str, packages: dict[str, Path], tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / Path(sys.executable).name
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    # The dependencies of this environment; their downloads would take minutes.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed"]
    run(sys.executable, "-m", "pip", "--python", python, "install", *options, packages[kind], cwd=tmp_path)

    where = run(python, "-c", "import artcolor; print(artcolor.__file__)", cwd=tmp_path).strip()
    assert Path(where).is_relative_to(site)
    assert run(scripts / "artcolor", "--version", cwd=tmp_path).strip() == VERSION
    picture = ROOT / "examples/aigues_mortes.png"
    run(python, "-c", OFFLINE, "colorize", picture, "-o", "color.png", cwd=tmp_path)
    assert "unet.art_v6" in run(python, "-m", "artcolor", "inspect", "color.png", cwd=tmp_path)
