"""Words of documents, help texts and comments are spelled right, in American English.

The words that codespell does not know are listed in pyproject.toml.
"""

import subprocess
import sys

from tests.conftest import ROOT

PLACES = (
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "artcolor", "examples", "hubconf.py"),
    *("integrations", "overrides", "scripts", "mkdocs.yml"),
)


def test_spelling() -> None:
    command = [sys.executable, "-m", "codespell_lib", *PLACES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_spelling_is_american() -> None:
    command = [sys.executable, "-m", "codespell_lib", "-"]
    done = subprocess.run(command, cwd=ROOT, input="the colour of teh sky", capture_output=True, text=True)
    assert "color" in done.stdout
    assert "the" in done.stdout
