"""Names of released models and weights, checked without importing torch."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

from artcolor.errors import ConfigError, WeightsError
from artcolor.zoo.manifest import REPO, entries

__all__ = ["HUB", "LOCAL", "check_name", "missing_file", "unknown_name"]

HUB, LOCAL = "hf-hub:", "local-dir:"
"""Prefixes of weights in a repository on the Hub, and in a folder."""

# Weights by the names of their enums, such as `UNet_Weights.DEFAULT`.
_MEMBER = re.compile(r"\w+_Weights\.\w+")


def check_name(name: str) -> None:
    """Checks that a name or path can be that of weights. Files are looked for, but not read.

    Args:
        name: name of a model or of weights, path of a weights file, `hf-hub:org/repo@revision`, or `local-dir:path`.

    Raises:
        ConfigError: there is no model and no weights of this name.
        WeightsError: there is no such file or folder.

    Example:
        >>> check_name("unet"), check_name("unet.art_v6")
        (None, None)
        >>> check_name("unett")
        Traceback (most recent call last):
            ...
        artcolor.errors.ConfigError: there is no model and there are no weights called 'unett'. Did you mean 'unet'?
    """
    known = {text for key, entry in entries().items() for text in (key, entry.model)}
    if name in known or name.startswith(HUB) or _MEMBER.fullmatch(name):
        return
    if name.startswith(LOCAL):
        folder = Path(name.removeprefix(LOCAL)).expanduser()
        if not folder.is_dir():
            raise WeightsError(f"there is no folder {folder}")
        return
    path = Path(name).expanduser()
    if path.is_file():
        return
    if path.is_dir():
        raise WeightsError(f"{path} is a folder, not a weights file; for a saved model write {LOCAL}{path}")
    if "/" in name or "\\" in name or path.suffix in (".safetensors", ".onnx"):
        raise missing_file(name)
    raise unknown_name(name, known)


def unknown_name(name: str, known: Iterable[str]) -> ConfigError:
    """Returns the error for a name that no model and no weights have.

    Args:
        name: the name.
        known: names of all models and weights.
    """
    known = sorted(known)
    near = difflib.get_close_matches(name, known, 1)
    models = ", ".join(each for each in known if "." not in each)
    hint = f"Did you mean {near[0]!r}?" if near else f"The models are {models}."
    return ConfigError(f"there is no model and there are no weights called {name!r}. {hint}")


def missing_file(name: str) -> WeightsError:
    """Returns the error for a weights file that is not there.

    Args:
        name: its path, or what was given as such.
    """
    hint = ""
    if REPO.fullmatch(name) and not name.lower().endswith(".safetensors"):
        hint = f"; for a repository on the Hub write {HUB}{name}"
    return WeightsError(f"there is no weights file {name}{hint}")
