"""torch.hub from a user's perspective, with a checkout that is not installed."""

import doctest
import inspect
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import artcolor
from artcolor.models.heads import DistributionHead
from tests.conftest import ROOT
from tests.github_server import serving


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The zip file that GitHub would make of this working tree: `git archive`, honoring export-ignore."""
    folder = tmp_path_factory.mktemp("git")
    objects = subprocess.run(["git", "rev-parse", "--git-path", "objects"], cwd=ROOT, capture_output=True, check=True)
    (folder / "objects").mkdir()
    # A separate index and object folder, so the repository is not modified.
    environment = os.environ | {
        "GIT_INDEX_FILE": str(folder / "index"),
        "GIT_OBJECT_DIRECTORY": str(folder / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(ROOT / objects.stdout.decode().strip()),
    }

    def git(*arguments: str) -> bytes:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True, env=environment).stdout

    git("add", "--all")
    tree = git("write-tree").decode().strip()
    return git("archive", "--format=zip", "--prefix=org-artcolor-0123abc/", tree)


@pytest.fixture(scope="module")
def clone(archive: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked checkout."""
    target = tmp_path_factory.mktemp("hub")
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        file.extractall(target)
    return target / "org-artcolor-0123abc"


def run(
    code: str,
    clone: Path,
    tmp_path: Path,
    *,
    packages: list[str] | None = None,
    environment: dict[str, str] | None = None,
) -> str:
    """Runs code in an environment with the dependencies of artcolor, but without artcolor."""
    # An editable install uses a .pth file, which -S ignores, along with all other packages; the latter are added back.
    packages = packages or [p for p in sys.path if p.endswith("site-packages")]
    script = tmp_path / "script.py"
    script.write_text(f"import sys\nsys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n" + code)
    settings = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    settings |= {"PYTHONPATH": os.pathsep.join(packages), "TORCH_HOME": str(tmp_path / "torch"), "REPO": str(clone)}
    command = [sys.executable, "-S", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=settings | (environment or {}))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_sizes_of_checkout_and_wheel_match_the_docs(archive: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        infos = file.infolist()
    names = [info.filename for info in infos]
    assert not [n for n in names if re.search(r"/docs/.*\.(png|jpe?g|webp|gif|svg|avif)$", n)]
    for needed in ("hubconf.py", "weights_manifest.json", "artcolor/weights/cnn.art_v1.safetensors", "README.md"):
        assert f"org-artcolor-0123abc/{needed}" in names
    # A wheel compresses the package and the manifest in the same way; it leaves the sample pictures of the page out.
    of_wheel = re.compile(r"-0123abc/(artcolor/(?!serve/web/samples/)|weights_manifest\.json)")
    packed = [i.compress_size for i in infos if of_wheel.search(i.filename)]
    text = (ROOT / "docs/weights.md").read_text()
    for size, pattern in (
        (len(archive), r"A checkout is a download of ([\d.]+) MB"),
        (sum(packed), r"A wheel is ([\d.]+) MB"),
    ):
        stated = float(re.search(pattern, text)[1])
        assert abs(stated - size / 1e6) < max(0.4, size / 25e6), f"it is {size / 1e6:.1f} MB: update docs/weights.md"
    assert sum(packed) <= 62e6, "the limit; keep the default and the report's models and move the rest to the Hub"


def test_archives_exclude_pictures_of_the_docs() -> None:
    asked = ["docs/a.png", "docs/img/deep/b.webp", "docs/c.md", "examples/d.png"]
    done = subprocess.run(
        ["git", "check-attr", "export-ignore", "--", *asked], cwd=ROOT, capture_output=True, text=True, check=True
    )
    answers = [line.rpartition(": ")[2] for line in done.stdout.splitlines()]
    assert answers == ["set", "set", "unspecified", "unspecified"]


def test_download_load_list_and_help(archive: bytes, tmp_path: Path) -> None:
    """The real torch.hub; only requests to GitHub are redirected to a local server, by proxy and certificate."""
    for name in ("utils", "models"):  # Common names of modules in other repositories.
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("mine = True\n")
    code = f"""
sys.path.insert(0, {str(tmp_path)!r})
import utils, models, torch
model = torch.hub.load("org/artcolor", "cnn", pretrained=True, trust_repo=True, skip_validation=True)
rgb = model.colorize(torch.linspace(0, 1, 48 * 64).reshape(1, 1, 48, 64))
assert rgb.shape == (1, 3, 48, 64) and rgb.std(dim=1).mean() > 0.005
import artcolor, utils, models
assert "org_artcolor_main" in artcolor.__file__, artcolor.__file__
assert utils.mine and models.mine
print("names", *torch.hub.list("org/artcolor", trust_repo=True, skip_validation=True))
print(torch.hub.help("org/artcolor", "cnn", trust_repo=True, skip_validation=True))
"""
    with serving("org/artcolor", archive, tmp_path) as server:
        text = run(code, tmp_path, tmp_path, environment=server.environment)
    names = text.split("names ")[1].split("\n")[0]
    assert sorted(names.split()) == artcolor.list_models()
    for part in ("pretrained", "0..1", "PSNR", ">>> model = torch.hub.load"):
        assert part in text
    assert server.requests[:3] == [
        "github.com/org/artcolor/tree/main/",
        "github.com/org/artcolor/zipball/main",
        "codeload.github.com/org/artcolor/legacy.zip/refs/heads/main",
    ]
    # Later calls only check the branch and use the cached files.
    assert set(server.requests[3:]) == {"github.com/org/artcolor/tree/main/"}


def test_a_different_artcolor_that_is_already_imported(clone: Path, tmp_path: Path) -> None:
    shutil.copytree(clone / "artcolor", tmp_path / "other" / "artcolor", ignore=shutil.ignore_patterns("weights"))
    code = f"""
sys.path.insert(0, {str(tmp_path / "other")!r})
import os, warnings, torch
import artcolor
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    torch.hub.load(os.environ["REPO"], "cnn", source="local", width=16)
(message,) = [str(w.message) for w in caught if "artcolor" in str(w.message)]
assert {str(tmp_path / "other" / "artcolor")!r} in message and os.environ["REPO"] in message, message
"""
    run(code, clone, tmp_path)


def test_torch_hub_names_a_missing_dependency(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    for folder in (Path(p) for p in sys.path if p.endswith("site-packages")):
        for package in folder.iterdir():
            if package.name not in ("safetensors", "artcolor") and package.suffix != ".pth":
                (tmp_path / "packages" / package.name).symlink_to(package)
    code = """
import os, torch
try:
    torch.hub.load(os.environ["REPO"], "cnn", source="local")
except RuntimeError as error:
    assert str(error) == "Missing dependencies: safetensors", error
else:
    raise SystemExit("no error")
"""
    run(code, clone, tmp_path, packages=[str(tmp_path / "packages")])


def test_load_and_colorize(clone: Path, tmp_path: Path) -> None:
    code = """
import os, warnings, torch
warnings.simplefilter("error", UserWarning)  # No warning about another artcolor.
model = torch.hub.load(os.environ["REPO"], "cnn", source="local", pretrained=True)
import artcolor
assert artcolor.__file__.startswith(os.environ["REPO"]), artcolor.__file__
rgb = model.colorize(torch.linspace(0, 1, 48 * 64).reshape(1, 1, 48, 64))
assert rgb.shape == (1, 3, 48, 64) and rgb.std(dim=1).mean() > 0.005
untrained = torch.hub.load(os.environ["REPO"], "cnn", source="local", width=16)
print(sum(p.numel() for p in untrained.parameters()))
"""
    assert int(run(code, clone, tmp_path)) > 0


def test_the_help_documents_arguments_and_options() -> None:
    import hubconf

    for name in artcolor.list_models():
        text = getattr(hubconf, name).__doc__
        assert max(map(len, text.splitlines())) <= 120
        arguments = text.split("\nArgs:\n")[1].split("\nReturns:\n")[0]
        options = text.split("\nOptions of `model.colorize`:\n")[1].split("\nExample:\n")[0]
        parameters = inspect.signature(artcolor.models.registry.get_builder(name)).parameters
        assert re.findall(r"^ {4}(\w+) \(", arguments, re.MULTILINE) == ["pretrained", *parameters]
        for item in re.findall(r"^ {4}\w+ (.*(?:\n {8}.*)*)", arguments, re.MULTILINE):
            assert re.fullmatch(r"\((bool|.+? \| None)\): \S.+", " ".join(item.split())), item
        documented = set(re.findall(r"^ {4}(\w+) \(", options, re.MULTILINE))
        model = artcolor.get_model(name)
        decoding = {"vividness", "temperature"} if isinstance(model.head, DistributionHead) else set()
        assert documented == {"size", "strength"} | decoding | model.accepts
    assert "temperature (float | None, 0.01 to 1): " in hubconf.cnn.__doc__
    assert "samples (int, 1 or more): " in hubconf.vae.__doc__


def test_the_examples_in_the_help_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    import hubconf

    result = doctest.testmod(hubconf)
    assert result.attempted >= 3
    assert result.failed == 0


def test_spawned_loader_workers_find_the_package(clone: Path, tmp_path: Path) -> None:
    code = """
import os, torch
from torch.utils.data import DataLoader
if __name__ == "__main__":
    model = torch.hub.load(os.environ["REPO"], "cnn", source="local", width=16)
    from artcolor.color.transforms import ToLightness
    loader = DataLoader([model.transforms()] * 2, num_workers=1, multiprocessing_context="spawn",
                        collate_fn=list)
    print(sum(isinstance(x, ToLightness) for batch in loader for x in batch))
"""
    assert run(code, clone, tmp_path).strip() == "2"
