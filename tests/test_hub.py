"""torch.hub as its users meet it, from a checkout that is not installed."""

import doctest
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import artcolor
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `git clone` gives: the files that git knows of, and nothing else."""
    target = tmp_path_factory.mktemp("hub") / "checkout"
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def run(code: str, clone: Path, tmp_path: Path) -> str:
    """Runs code where artcolor is not installed, only its dependencies are."""
    # An editable install reaches its folder through a .pth file, which -S leaves out, with all other packages;
    # so the packages are put back by their folder.
    packages = [p for p in sys.path if p.endswith("site-packages")]
    script = tmp_path / "script.py"
    script.write_text(f"import sys\nsys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n" + code)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"PYTHONPATH": os.pathsep.join(packages), "TORCH_HOME": str(tmp_path), "REPO": str(clone)}
    done = subprocess.run([sys.executable, "-S", script], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_downloaded(clone: Path, tmp_path: Path) -> None:
    """Puts the clone where torch.hub keeps what it has downloaded, since list and help know no local source."""
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "org_artcolor_main").symlink_to(clone)


def test_load_and_colorize(clone: Path, tmp_path: Path) -> None:
    code = """
import os, torch
model = torch.hub.load(os.environ["REPO"], "cnn", source="local", pretrained=True)
import artcolor
assert artcolor.__file__.startswith(os.environ["REPO"]), artcolor.__file__
rgb = model.colorize(torch.linspace(0, 1, 48 * 64).reshape(1, 1, 48, 64))
assert rgb.shape == (1, 3, 48, 64) and rgb.std(dim=1).mean() > 0.005
untrained = torch.hub.load(os.environ["REPO"], "cnn", source="local", width=16)
print(sum(p.numel() for p in untrained.parameters()))
"""
    assert int(run(code, clone, tmp_path)) > 0


def test_list_shows_exactly_the_zoo(clone: Path, tmp_path: Path) -> None:
    code = "import torch\nprint('names', *torch.hub.list('org/artcolor:main', trust_repo=True, skip_validation=True))"
    as_downloaded(clone, tmp_path)
    names = run(code, clone, tmp_path).split("names ")[1]
    assert sorted(names.split()) == artcolor.list_models()


def test_help_tells_arguments_ranges_figures_and_an_example(clone: Path, tmp_path: Path) -> None:
    code = "import torch\nprint(torch.hub.help('org/artcolor:main', 'cnn', trust_repo=True, skip_validation=True))"
    as_downloaded(clone, tmp_path)
    text = run(code, clone, tmp_path)
    for part in ("pretrained", "0..1", "PSNR", ">>> model = torch.hub.load"):
        assert part in text


def test_the_example_in_the_help_runs(monkeypatch: pytest.MonkeyPatch) -> None:
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
    from artcolor.transforms import ToLightness
    loader = DataLoader([model.transforms()] * 2, num_workers=1, multiprocessing_context="spawn",
                        collate_fn=list)
    print(sum(isinstance(x, ToLightness) for batch in loader for x in batch))
"""
    assert run(code, clone, tmp_path).strip() == "2"
