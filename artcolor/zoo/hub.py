"""Models on the Hugging Face Hub and in folders of the same layout: `config.json`, `model.safetensors`, `README.md`.

Unlike huggingface_hub's mixin, this module is strict: a missing config or weights file is an error, and never results
in a randomly initialized network.
"""

import contextlib
import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from torch import Tensor

from artcolor.errors import ConfigError, WeightsError
from artcolor.files import write_atomically
from artcolor.zoo import card, store
from artcolor.zoo.manifest import REPO, Entry, entries
from artcolor.zoo.names import HUB
from artcolor.zoo.places import DamagedError

_CONFIG, _WEIGHTS, _CARD = "config.json", "model.safetensors", "README.md"

_Contents = tuple[Path, dict[str, Any], dict[str, Tensor]]
"""The path of a weights file, the config in its header, and its tensors."""

# Branches may contain slashes. Steps upward are refused, because the client caches a file of this name.
_REVISION = re.compile(r"[A-Za-z0-9_]([\w./-]*[\w-])?", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def open_folder(folder: Path) -> _Contents:
    """Reads the model in a `folder` written by `save`.

    Raises:
        WeightsError: a file is missing or damaged.
    """
    for file in (_CONFIG, _WEIGHTS):
        if not (folder / file).is_file():
            raise WeightsError(
                f"{folder} has no {file}; a model folder must contain {_CONFIG} and {_WEIGHTS}, "
                "as written by model.save_pretrained"
            )
    config, tensors = store.read(folder / _WEIGHTS)
    _check_agreement(folder / _CONFIG, config)
    return folder / _WEIGHTS, config, tensors


def open_repository(name: str, *, progress: bool) -> _Contents:
    """Reads the model in a repository on the Hub, or its cached copy.

    Args:
        name: `organization/repository@revision`; without `@revision`, the main branch.
        progress: show a progress bar while downloading.

    Raises:
        ConfigError: the name is invalid.
        WeightsError: a file is missing or damaged, or the Hub cannot be reached.
    """
    repo, at, revision = name.partition("@")
    if not REPO.fullmatch(repo):
        raise ConfigError(f"{name!r} is not the name of a repository; write {HUB}organization/repository[@revision]")
    if at and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise ConfigError(f"{revision!r} in {name!r} is not a revision; write a branch, a tag or a commit")
    stated = _download(repo, _CONFIG, revision or None, progress=progress)
    # The cache has one folder per commit. Reading both files from one commit is safe if a new one is pushed meanwhile.
    path, config, tensors = open_verified(repo, stated.parent.name, None, progress=progress)
    _check_agreement(stated, config)
    return path, config, tensors


def open_verified(repo: str, revision: str | None, sha256: str | None, *, progress: bool) -> _Contents:
    """Reads weights from the cache or the Hub. A damaged file is downloaded once more.

    Args:
        repo: `organization/repository`.
        revision: branch, tag or commit; `None` is the main branch. A cached commit requires no network.
        sha256: expected SHA-256 of the file; `None` expects the hash that the Hub stated at the download.
        progress: show a progress bar while downloading.

    Raises:
        WeightsError: the file is missing, was damaged twice, or the Hub cannot be reached.
    """
    remedy = "Delete it and try again; if it happens again, check the server of the file (HF_ENDPOINT, a proxy)."
    path = _download(repo, _WEIGHTS, revision, progress=progress)
    try:
        return path, *store.read(path, sha256 or _stated_hash(path), remedy=remedy)
    except DamagedError as error:
        damaged = error
    _forget(path)
    try:
        path = _download(repo, _WEIGHTS, revision, progress=progress)
    except WeightsError as error:
        raise WeightsError(f"{damaged} It could not be downloaded again: {error}") from error
    try:
        return path, *store.read(path, sha256 or _stated_hash(path), remedy=remedy)
    except DamagedError:
        _forget(path)
        raise


def _blob(path: Path) -> Path | None:
    """Returns the file that a cache entry links to; `None` if the cache has no links."""
    target = path.parent / path.readlink() if path.is_symlink() else None
    return target if target is not None and target.parent.name == "blobs" else None


def _stated_hash(path: Path) -> str | None:
    """Returns the SHA-256 that the Hub stated for a large file; the cache uses it as the name of the file."""
    blob = _blob(path)
    return blob.name if blob is not None and _SHA256.fullmatch(blob.name) else None


def _forget(path: Path) -> None:
    """Removes a damaged file from the cache, so that it is downloaded again."""
    with contextlib.suppress(OSError):
        blob = _blob(path)
        path.unlink()
        if blob is not None:
            blob.unlink()


def _download(repo: str, file: str, revision: str | None, *, progress: bool) -> Path:
    from huggingface_hub import hf_hub_download  # noqa: PLC0415  (a download can wait for it, colorizing should not)

    try:
        with _bars(progress):
            return Path(hf_hub_download(repo, file, revision=revision))
    except Exception as error:  # The exceptions of the client differ between versions.
        _explain(error, repo)


@contextlib.contextmanager
def _bars(shown: bool) -> Iterator[None]:
    from huggingface_hub.utils.tqdm import (  # noqa: PLC0415
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if shown or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def _explain(error: Exception, repo: str) -> NoReturn:
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415

    why = f"{error}" if error.__cause__ is None else f"{error} ({error.__cause__})"
    if isinstance(error, LocalEntryNotFoundError):
        raise WeightsError(
            f"{repo} is not in the cache, and the Hub cannot be reached: {why}. "
            "Check the network, HF_ENDPOINT and HF_HUB_OFFLINE, or download it elsewhere and use local-dir:PATH."
        ) from error
    if isinstance(error, OSError) and error.errno is not None:
        raise WeightsError(
            f"{repo} could not be saved to the cache: {why}. Free some space, or set HF_HOME to a writable folder."
        ) from error
    raise WeightsError(
        f"{repo} could not be downloaded from the Hub: {why}. Check the name and the revision; "
        "a private or gated repository needs a token (HF_TOKEN)."
    ) from error


def _check_agreement(stated: Path, config: Mapping[str, Any]) -> None:
    try:
        same = json.loads(stated.read_text(encoding="utf-8")) == config
    except (ValueError, OSError, RecursionError) as error:
        raise WeightsError(f"{stated} is not JSON: {error}") from error
    if not same:
        raise WeightsError(
            f"{stated} and the header of {_WEIGHTS} in the same folder differ, so one of them was modified. "
            "Save the model again with model.save_pretrained."
        )


def save(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Writes config, weights and model card into a folder. Each file is written atomically.

    Args:
        folder: the folder to write to; created if missing.
        config: the model's config.
        tensors: the model's state. If it equals released weights, the card includes their figures.

    Raises:
        WeightsError: a tensor contains NaN or infinity.
    """
    data = store.pack(config, tensors)
    sha256 = hashlib.sha256(data).hexdigest()
    released = next((entry for entry in entries().values() if entry.sha256 == sha256), None)
    _write(folder, _files(config, data, card.model_card(config, released)))


def _files(config: Mapping[str, Any], data: bytes, text: str) -> dict[str, bytes]:
    stated = json.dumps(config, indent=2, sort_keys=True) + "\n"
    return {_WEIGHTS: data, _CONFIG: stated.encode(), _CARD: text.encode()}


def files_of(entry: Entry, data: bytes, pictures: Mapping[str, bytes], repo: str) -> dict[str, bytes]:
    """Returns the contents of the Hub repository of released weights.

    Args:
        entry: manifest entry of the weights.
        data: content of the weights file.
        pictures: content of each of `artcolor.zoo.card.PICTURES`, by file name.
        repo: `organization/repository`.

    Returns:
        The content of each file, by file name.
    """
    return {**_files(entry.config, data, card.model_card(entry.config, entry, repo=repo, pictures=True)), **pictures}


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(folder / name, content)


def push(
    repo: str,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    *,
    private: bool,
    token: str | None,
    message: str,
) -> str:
    """Uploads config, weights and model card as one commit. A missing repository is created.

    Args:
        repo: `organization/repository`.
        config: the model's config.
        tensors: the model's state.
        private: make a new repository private.
        token: access token of the Hub; `None` uses the token you are logged in with.
        message: commit message.

    Returns:
        The commit hash.

    Raises:
        ConfigError: the name of the repository is invalid.
        WeightsError: the Hub refused the upload or cannot be reached.
    """
    check_repository(repo)
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), config, tensors)
        return _upload(repo, Path(folder), private=private, token=token, message=message)


def check_repository(repo: str) -> None:
    """Checks that `repo` is a valid name of a repository.

    Raises:
        ConfigError: the name is invalid.
    """
    if not REPO.fullmatch(repo):
        raise ConfigError(f"{repo!r} is not the name of a repository; write organization/repository")


def _upload(repo: str, folder: Path, *, private: bool, token: str | None, message: str) -> str:
    """Uploads a folder as one commit and returns the commit hash. A missing repository is created."""
    from huggingface_hub import HfApi  # noqa: PLC0415

    api = HfApi(token=token)
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        return str(api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message).oid)
    except Exception as error:  # As in `_download`, these differ between versions.
        raise WeightsError(
            f"{repo} could not be uploaded: {error}. Log in with `hf auth login`, or set HF_TOKEN "
            "to a token with write access."
        ) from error


def publish(entry: Entry, data: bytes, pictures: Mapping[str, bytes], repo: str) -> str:
    """Uploads released weights, byte for byte, with a model card that includes their figures.

    The upload uses the token you are logged in with.

    Args:
        entry: manifest entry of the weights.
        data: content of the weights file.
        pictures: content of each of `artcolor.zoo.card.PICTURES`, by file name.
        repo: `organization/repository`.

    Returns:
        The commit hash.

    Raises:
        ConfigError: the name of the repository is invalid.
        WeightsError: the Hub refused the upload or cannot be reached.
    """
    check_repository(repo)
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), files_of(entry, data, pictures, repo))
        return _upload(repo, Path(folder), private=False, token=None, message=f"Publish {entry.key}")
