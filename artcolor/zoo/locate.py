"""Locates weights: an explicit path, ARTCOLOR_WEIGHTS_DIR, the package, the Hub's cache, the Hub, in this order."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from artcolor.errors import WeightsError
from artcolor.zoo import hub, names, store
from artcolor.zoo.manifest import REPO, Entry
from artcolor.zoo.places import WEIGHTS_DIR, find, places, remedy


@dataclass(frozen=True)
class Weights:
    """The content of a weights file.

    Attributes:
        path: path of the file.
        config: the model's config, from the header.
        tensors: all tensors by name.
        released: whether the file was verified against an entry of the manifest.
    """

    path: Path
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    released: bool = False


def fetch(entry: Entry, *, progress: bool = True) -> Weights:
    """Reads released weights from the first place that has them.

    The places are the folder named by ARTCOLOR_WEIGHTS_DIR, the package, the Hub's cache, and the Hub.

    Args:
        entry: manifest entry of the weights.
        progress: show a progress bar while downloading.

    Returns:
        The content of the file, with verified hash.

    Raises:
        WeightsError: the weights could not be found, or the file is damaged.
    """
    path = find(entry)
    if path is not None:
        return Weights(path, *store.read(path, entry.sha256, remedy=remedy(path)), released=True)
    if entry.hub_repo is None:
        raise WeightsError(
            f"the weights {entry.key} should be at {' or '.join(map(str, places(entry)))}, but there is no such file, "
            "and they are not on the Hub. The installation is incomplete: reinstall artcolor, or clone it again."
        )
    try:
        contents = hub.open_verified(entry.hub_repo, entry.hub_revision, entry.sha256, progress=progress)
    except WeightsError as error:
        raise WeightsError(
            f"the weights {entry.key} are not at {' or '.join(map(str, places(entry)))}, and: {error} "
            f"Alternatively, copy {entry.file} from elsewhere into a folder and set {WEIGHTS_DIR} to it."
        ) from error
    return Weights(*contents, released=True)


def open_weights(name: str | Path, *, progress: bool = True) -> Weights:
    """Reads weights from a file, a folder, or a repository on the Hub.

    Args:
        name: the path of a weights file, `local-dir:path`, or `hf-hub:org/repo@revision`.
        progress: show a progress bar while downloading.

    Returns:
        The content of the weights file.

    Raises:
        ConfigError: the name is invalid.
        WeightsError: the weights are missing, damaged, or not weights of artcolor.
    """
    if isinstance(name, str) and name.startswith(names.HUB):
        return Weights(*hub.open_repository(name.removeprefix(names.HUB), progress=progress))
    if isinstance(name, str) and name.startswith(names.LOCAL):
        return Weights(*hub.open_folder(Path(name.removeprefix(names.LOCAL))))
    path = Path(name).expanduser()
    if isinstance(name, str) and REPO.fullmatch(name) and path.suffix != ".safetensors" and not path.exists():
        raise names.missing_file(name)
    return Weights(path, *store.read(path))
