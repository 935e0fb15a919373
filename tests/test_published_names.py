"""artcolor is not published: one page names its owner and the index, and commands work in every shell."""

import re
from pathlib import Path

from tests.conftest import ROOT

# docs/releasing.md uploads to the index and installs from it.
NAMING = {"docs/installation.md", "docs/releasing.md"}
PAGES = [
    *(
        ROOT / name
        for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "hubconf.py", "Dockerfile")
    ),
    *(
        path
        for folder in ("docs", "examples", "integrations", "artcolor", "scripts", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".md", ".py", ".ipynb", ".yaml", ".txt", ".html", ".js"} and "vendor" not in path.parts
    ),
]
NAMES = re.compile(
    r"""\b(?:org|OWNER)/artcolor\b
    | \bpip\ install\ (?:-\S+\ )*["'`]?artcolor\b
    | \bartcolor\[\w
    | \b(?:pypi\.org|github\.com|huggingface\.co)/\S*artcolor""",
    re.VERBOSE,
)
# Single quotes are no quotes for cmd, and `&&` is an error in PowerShell 5.
POSIX = re.compile(
    r"\bpip install (?:-\S+ )*(?:\S+ )*'|^\s*(?:pip|artcolor|python\S*|mkdocs|git|cd|mkdir) [^|\n]*&&", re.MULTILINE
)


def found(pattern: re.Pattern[str], path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return [
        f"{path.relative_to(ROOT)}:{text[: at.start()].count(chr(10)) + 1}: {at[0]}" for at in pattern.finditer(text)
    ]


def test_only_one_page_names_owner_and_index() -> None:
    others = [path for path in PAGES if path.relative_to(ROOT).as_posix() not in NAMING]
    wrong = [line for path in others for line in found(NAMES, path)]
    assert wrong == [], "link docs/installation.md#after-publication, and show what works from a clone"


def test_commands_work_in_every_shell() -> None:
    wrong = [line for path in PAGES for line in found(POSIX, path)]
    assert wrong == [], 'write pip install ".[extra]", and one command a line'
