"""Runs a program as on a machine that has only what it states to need: other installed packages are not found."""

import ast
import contextlib
import importlib.metadata
import os
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

_SITE = """
import os
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, PackageNotFoundError

hidden, find, named = set(os.environ["HIDDEN"].split()), PathFinder.find_spec, Distribution.from_name

def find_spec(name, path=None, target=None):
    return None if path is None and name in hidden else find(name, path, target)

def from_name(name):
    # Some libraries ask for the version first.
    if name.lower().replace("_", "-") in hidden:
        raise PackageNotFoundError(name)
    return named(name)

PathFinder.find_spec, Distribution.from_name = find_spec, from_name
"""


def stated(program: Path) -> list[str]:
    """What the first `pip install` in the docstring of a program names."""
    docstring = ast.get_docstring(ast.parse(program.read_text())) or ""
    found = re.search(r"^ *pip install (.*)$", docstring, re.MULTILINE)
    return found[1].replace('"', "").split() if found else []


def required(program: Path) -> set[str]:
    """Names of all distributions that artcolor and what a program states bring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = list(project["dependencies"])
    for word in stated(program):
        if word.startswith(".["):
            for extra in word[2:-1].split(","):
                texts += project["optional-dependencies"][extra]
        else:
            texts.append(word)
    waiting, found = list(map(Requirement, texts)), set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, *requirement.extras) in found:
            continue
        found.add((name, *requirement.extras))
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            for each in map(Requirement, importlib.metadata.requires(name) or ()):
                extras = ("", *requirement.extras)
                if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras):
                    waiting.append(each)
    return {name for name, *_ in found}


def environment_for(program: Path, folder: Path) -> dict[str, str]:
    """Environment variables in which Python finds only what a program needs.

    Args:
        program: its docstring states what to install.
        folder: an empty folder.
    """
    # From Python 3.14 on, an editable installation counts as one of the package.
    needed = required(program) | {"artcolor"}
    hidden: set[str] = set()
    for module, names in importlib.metadata.packages_distributions().items():
        distributions = set(map(canonicalize_name, names))
        if needed.isdisjoint(distributions):
            hidden |= {module, *distributions}
    (folder / "sitecustomize.py").write_text(_SITE)
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "HIDDEN": " ".join(hidden), "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
