"""What the README shows must run."""

import re

import pytest

from tests.conftest import ROOT

SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_readme_snippets(number: int, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "hubconf.py").symlink_to(ROOT / "hubconf.py")
    monkeypatch.chdir(tmp_path)
    exec(SNIPPETS[number], {})


def test_links_and_pictures_of_the_readme_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text()):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_no_file_is_too_large_and_no_pickle_is_there() -> None:
    for path in (ROOT / "artcolor").rglob("*"):
        assert path.stat().st_size <= 12 * 2**20, path
        assert path.suffix not in (".pth", ".pt", ".pkl", ".bin"), path
