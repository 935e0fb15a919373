"""What the README and the page of the models show must run, and what pages point to must be there."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

RUN = [ROOT / "README.md", ROOT / "docs" / "models.md"]
SNIPPETS = [code for page in RUN for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_snippets(number: int, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "hubconf.py").symlink_to(ROOT / "hubconf.py")
    monkeypatch.chdir(tmp_path)
    exec(SNIPPETS[number], {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        file, _, anchor = target.partition("#")
        if target.startswith("http"):
            continue
        found = page.parent / file if file else page
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}, target


def test_no_file_is_too_large_and_no_pickle_is_there() -> None:
    for path in (ROOT / "artcolor").rglob("*"):
        assert path.stat().st_size <= 12 * 2**20, path
        assert path.suffix not in (".pth", ".pt", ".pkl", ".bin"), path
