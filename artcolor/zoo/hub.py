"""Models on the Hugging Face Hub, and in folders laid out as there: `config.json`, `model.safetensors`, a card.

Unlike huggingface_hub's mixin this is strict: without config or weights there is an error, never a random network.
"""

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from torch import Tensor

from artcolor.errors import ConfigError, WeightsError
from artcolor.zoo import card, store
from artcolor.zoo.manifest import Entry

CONFIG, WEIGHTS = "config.json", "model.safetensors"
HUB, LOCAL = "hf-hub:", "local-dir:"
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def locate(name: str) -> Path:
    """Finds the weights file that `hf-hub:org/repo@revision` or `local-dir:path` means.

    Args:
        name: with its prefix. Without `@revision` the main branch is taken.

    Returns:
        Path of `model.safetensors`; `config.json` lies beside it and agrees with its header.

    Raises:
        ConfigError: the name makes no sense.
        WeightsError: the folder or repository lacks a file, or the Hub cannot be reached.
    """
    if name.startswith(LOCAL):
        folder = Path(name.removeprefix(LOCAL))
    else:
        repo, _, revision = name.removeprefix(HUB).partition("@")
        if not _REPO.fullmatch(repo):
            raise ConfigError(f"{name!r} names no repository; write {HUB}organisation/repository[@revision]")
        folder = _download(repo, revision or None)
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            raise WeightsError(
                f"{folder} has no {file}; a model's folder holds {CONFIG} and {WEIGHTS}, "
                "as model.save_pretrained makes it"
            )
    _agree(folder)
    return folder / WEIGHTS


def _download(repo: str, revision: str | None) -> Path:
    path = ""
    try:
        for file in (CONFIG, WEIGHTS):
            path = hf_hub_download(repo, file, revision=revision)
    except LocalEntryNotFoundError as error:
        raise WeightsError(
            f"{repo} is not in the cache and the Hub cannot be reached ({error}). "
            "Check the network, HF_ENDPOINT and HF_HUB_OFFLINE, or download it elsewhere and use local-dir:PATH."
        ) from error
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise WeightsError(
            f"{repo} cannot be had from the Hub: {error}. Check the name and the revision; "
            "a private or gated repository needs a token (HF_TOKEN)."
        ) from error
    return Path(path).parent


def _agree(folder: Path) -> None:
    try:
        stated = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise WeightsError(f"{folder / CONFIG} is not JSON: {error}") from error
    config, _ = store.read(folder / WEIGHTS)
    if stated != config:
        raise WeightsError(
            f"{folder / CONFIG} and the header of {WEIGHTS} beside it differ, so one of them was changed. "
            "Save the model again with model.save_pretrained."
        )


def save(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], entry: Entry | None = None) -> None:
    """Writes config, weights and card into a folder, each whole or not at all.

    Args:
        folder: is made if it is not there.
        config: of the model.
        tensors: its state.
        entry: what the manifest says of it, for the card; `None` for a model of one's own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store.write(folder / WEIGHTS, config, tensors)
    store.replace_with(folder / CONFIG, (json.dumps(config, indent=2, sort_keys=True) + "\n").encode())
    store.replace_with(folder / "README.md", card.model_card(config, entry).encode())


def push(
    repo: str,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    *,
    private: bool,
    token: str | None,
    message: str,
) -> str:
    """Uploads config, weights and card as one commit; the repository is made if it is not there.

    Returns:
        The commit, in hexadecimal.

    Raises:
        ConfigError: the name makes no sense.
        WeightsError: the Hub refused or cannot be reached.
    """
    if not _REPO.fullmatch(repo):
        raise ConfigError(f"{repo!r} names no repository; write organisation/repository")
    api = HfApi(token=token)
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), config, tensors)
        try:
            api.create_repo(repo, private=private, exist_ok=True)
            return str(api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message).oid)
        except (HfHubHTTPError, OSError) as error:
            raise WeightsError(
                f"{repo} could not be uploaded: {error}. Log in with `hf auth login`, or set HF_TOKEN "
                "to a token that may write."
            ) from error
