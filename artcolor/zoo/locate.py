"""Where weights come from: a path, ARTCOLOR_WEIGHTS_DIR, beside the code, the Hub's cache, the Hub; in this order."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from artcolor.errors import WeightsError
from artcolor.zoo import hub, store
from artcolor.zoo.manifest import Entry

WEIGHTS_DIR = "ARTCOLOR_WEIGHTS_DIR"
"""Name of the environment variable for a folder of weights files that is looked into first."""

BESIDE = Path(__file__).resolve().parent.parent / "weights"
"""The weights that came with the code, in a wheel and in a checkout alike."""


@dataclass(frozen=True)
class Weights:
    """A weights file that has been read.

    Attributes:
        path: of the file.
        config: from its header.
        tensors: all of them.
        released: whether its hash is that of an entry of the manifest.
    """

    path: Path
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    released: bool = False


def find(entry: Entry) -> Path | None:
    """Where the file of released weights lies on this machine, the Hub's cache left aside; `None` if nowhere."""
    return next((path for path in _places(entry) if path.is_file()), None)


def _places(entry: Entry) -> list[Path]:
    own = os.environ.get(WEIGHTS_DIR)
    return [*([Path(own).expanduser() / entry.file] if own else []), BESIDE / entry.file]


def fetch(entry: Entry, *, progress: bool = True) -> Weights:
    """Reads released weights from the first place that has them.

    Args:
        entry: of the manifest.
        progress: show a bar while something is downloaded.

    Raises:
        WeightsError: no place has them, or the file that was found is damaged.
    """
    path = find(entry)
    if path is not None:
        cure = "Delete it and install artcolor again."
        if path.parent != BESIDE:
            cure = f"Delete it, put the right one there, or unset {WEIGHTS_DIR}."
        return Weights(path, *store.read(path, entry.sha256, cure=cure), released=True)
    if entry.hub_repo is None:
        raise WeightsError(
            f"the weights {entry.key} should be at {' or '.join(map(str, _places(entry)))}, but there is no such file, "
            "and they are not on the Hub. The installation is incomplete: install artcolor again, or clone it again."
        )
    try:
        contents = hub.open_verified(entry.hub_repo, entry.hub_revision, entry.sha256, progress=progress)
    except WeightsError as error:
        raise WeightsError(
            f"the weights {entry.key} are not at {' or '.join(map(str, _places(entry)))}, and: {error} "
            f"A copy of {entry.file} from elsewhere can be put into a folder that {WEIGHTS_DIR} names."
        ) from error
    return Weights(*contents, released=True)


def open_weights(name: str | Path, *, progress: bool = True) -> Weights:
    """Reads the weights that a path, `hf-hub:org/repo@revision` or `local-dir:path` means.

    Args:
        name: a path, or a name with its prefix.
        progress: show a bar while something is downloaded.

    Raises:
        ConfigError: the name makes no sense.
        WeightsError: they are not there, damaged, or no weights of artcolor.
    """
    if isinstance(name, str) and name.startswith(hub.HUB):
        return Weights(*hub.open_repository(name.removeprefix(hub.HUB), progress=progress))
    if isinstance(name, str) and name.startswith(hub.LOCAL):
        return Weights(*hub.open_folder(Path(name.removeprefix(hub.LOCAL))))
    return Weights(Path(name), *store.read(Path(name)))
