"""Models on the Hugging Face Hub, and in folders laid out as there: `config.json`, `model.safetensors`, a card.

Unlike huggingface_hub's mixin this is strict: without config or weights there is an error, never a random network.
"""

import contextlib
import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from torch import Tensor

from artcolor.errors import ConfigError, WeightsError
from artcolor.files import write_atomically
from artcolor.zoo import card, store
from artcolor.zoo.manifest import REPO, Entry, entries

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
HUB, LOCAL = "hf-hub:", "local-dir:"

Contents = tuple[Path, dict[str, Any], dict[str, Tensor]]
"""The path of a weights file, the config in its header, and its tensors."""

# Slashes, since branches may have them, but no step upward: the client keeps a file of this name in its cache.
_REVISION = re.compile(r"[A-Za-z0-9_]([\w./-]*[\w-])?", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def open_folder(folder: Path) -> Contents:
    """Reads the model in a folder that `save` has made.

    Raises:
        WeightsError: the folder lacks a file, or one of them is damaged.
    """
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            raise WeightsError(
                f"{folder} has no {file}; a model's folder holds {CONFIG} and {WEIGHTS}, "
                "as model.save_pretrained makes it"
            )
    config, tensors = store.read(folder / WEIGHTS)
    _agree(folder / CONFIG, config)
    return folder / WEIGHTS, config, tensors


def open_repository(name: str, *, progress: bool) -> Contents:
    """Reads the model in a repository on the Hub, or the cached copy of it.

    Args:
        name: `organization/repository@revision`. Without `@revision` the main branch is taken.
        progress: show a bar while something is downloaded.

    Raises:
        ConfigError: the name makes no sense.
        WeightsError: the repository lacks a file, one of them is damaged, or the Hub cannot be reached.
    """
    repo, at, revision = name.partition("@")
    if not REPO.fullmatch(repo):
        raise ConfigError(f"{name!r} names no repository; write {HUB}organization/repository[@revision]")
    if at and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise ConfigError(f"{revision!r} in {name!r} names no revision; write a branch, a tag or a commit")
    stated = _download(repo, CONFIG, revision or None, progress=progress)
    # The cache has a folder a commit: both files are of the same one, though somebody may be pushing another.
    path, config, tensors = open_verified(repo, stated.parent.name, None, progress=progress)
    _agree(stated, config)
    return path, config, tensors


def open_verified(repo: str, revision: str | None, sha256: str | None, *, progress: bool) -> Contents:
    """Reads weights from the cache or the Hub; if they are damaged, they are downloaded once more.

    Args:
        repo: `organization/repository`.
        revision: branch, tag or commit. A commit that is in the cache needs no network.
        sha256: what the file must hash to; `None` takes what the Hub said when it was downloaded.
        progress: show a bar while something is downloaded.

    Raises:
        WeightsError: damaged twice, not there, or the Hub cannot be reached.
    """
    cure = "Delete it and try again; if it happens again, look at what serves it (HF_ENDPOINT, a proxy)."
    path = _download(repo, WEIGHTS, revision, progress=progress)
    try:
        return path, *store.read(path, sha256 or _stated_hash(path), cure=cure)
    except store.DamagedError as error:
        damaged = error
    _forget(path)
    try:
        path = _download(repo, WEIGHTS, revision, progress=progress)
    except WeightsError as error:
        raise WeightsError(f"{damaged} And it could not be downloaded again: {error}") from error
    try:
        return path, *store.read(path, sha256 or _stated_hash(path), cure=cure)
    except store.DamagedError:
        _forget(path)
        raise


def _blob(path: Path) -> Path | None:
    """The file that an entry of the cache stands for, where the cache is made of links."""
    target = path.parent / path.readlink() if path.is_symlink() else None
    return target if target is not None and target.parent.name == "blobs" else None


def _stated_hash(path: Path) -> str | None:
    """The SHA-256 that the Hub gave for a large file: the cache keeps it under that name."""
    blob = _blob(path)
    return blob.name if blob is not None and _SHA256.fullmatch(blob.name) else None


def _forget(path: Path) -> None:
    """Takes a damaged file out of the cache, so that it is downloaded again."""
    with contextlib.suppress(OSError):
        blob = _blob(path)
        path.unlink()
        if blob is not None:
            blob.unlink()


def _download(repo: str, file: str, revision: str | None, *, progress: bool) -> Path:
    try:
        with _bars(progress):
            return Path(hf_hub_download(repo, file, revision=revision))
    except Exception as error:  # What the client raises differs from version to version.
        _explain(error, repo)


@contextlib.contextmanager
def _bars(shown: bool) -> Iterator[None]:
    if shown or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def _explain(error: Exception, repo: str) -> NoReturn:
    why = f"{error}" if error.__cause__ is None else f"{error} ({error.__cause__})"
    if isinstance(error, LocalEntryNotFoundError):
        raise WeightsError(
            f"{repo} is not in the cache and the Hub cannot be reached: {why}. "
            "Check the network, HF_ENDPOINT and HF_HUB_OFFLINE, or download it elsewhere and use local-dir:PATH."
        ) from error
    if isinstance(error, OSError) and error.errno is not None:
        raise WeightsError(
            f"{repo} cannot be kept: {why}. Make room, or let HF_HOME name a folder that may be written to."
        ) from error
    raise WeightsError(
        f"{repo} cannot be had from the Hub: {why}. Check the name and the revision; "
        "a private or gated repository needs a token (HF_TOKEN)."
    ) from error


def _agree(stated: Path, config: Mapping[str, Any]) -> None:
    try:
        same = json.loads(stated.read_text(encoding="utf-8")) == config
    except (ValueError, OSError, RecursionError) as error:
        raise WeightsError(f"{stated} is not JSON: {error}") from error
    if not same:
        raise WeightsError(
            f"{stated} and the header of {WEIGHTS} beside it differ, so one of them was changed. "
            "Save the model again with model.save_pretrained."
        )


def save(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Writes config, weights and card into a folder, each whole or not at all.

    Args:
        folder: is made if it is not there.
        config: of the model.
        tensors: its state. If they are those of released weights, the card has their figures.
    """
    data = store.pack(config, tensors)
    sha256 = hashlib.sha256(data).hexdigest()
    released = next((entry for entry in entries().values() if entry.sha256 == sha256), None)
    _write(folder, _files(config, data, card.model_card(config, released)))


def _files(config: Mapping[str, Any], data: bytes, text: str) -> dict[str, bytes]:
    stated = json.dumps(config, indent=2, sort_keys=True) + "\n"
    return {WEIGHTS: data, CONFIG: stated.encode(), CARD: text.encode()}


def files_of(entry: Entry, data: bytes, pictures: Mapping[str, bytes], repo: str) -> dict[str, bytes]:
    """What the repository of released weights holds.

    Args:
        entry: what the manifest says of them.
        data: the bytes of their file.
        pictures: `artcolor.zoo.card.PICTURES`, which the card shows.
        repo: `organization/repository`.
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
    """Uploads config, weights and card as one commit; the repository is made if it is not there.

    Args:
        repo: `organization/repository`.
        config: of the model.
        tensors: its state.
        private: whether a new repository is private.
        token: of the Hub; `None` takes the one you are logged in with.
        message: of the commit.

    Returns:
        The commit, in hexadecimal.

    Raises:
        ConfigError: the name makes no sense.
        WeightsError: the Hub refused or cannot be reached.
    """
    check_repository(repo)
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), config, tensors)
        return _upload(repo, Path(folder), private=private, token=token, message=message)


def check_repository(repo: str) -> None:
    """Refuses what names no repository.

    Raises:
        ConfigError: the name makes no sense.
    """
    if not REPO.fullmatch(repo):
        raise ConfigError(f"{repo!r} names no repository; write organization/repository")


def _upload(repo: str, folder: Path, *, private: bool, token: str | None, message: str) -> str:
    """Uploads a folder as one commit; the repository is made if it is not there.

    Returns:
        The commit, in hexadecimal.

    Raises:
        WeightsError: the Hub refused or cannot be reached.
    """
    api = HfApi(token=token)
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        return str(api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message).oid)
    except Exception as error:  # As in `_download`.
        raise WeightsError(
            f"{repo} could not be uploaded: {error}. Log in with `hf auth login`, or set HF_TOKEN "
            "to a token that may write."
        ) from error


def publish(entry: Entry, data: bytes, pictures: Mapping[str, bytes], repo: str) -> str:
    """Uploads released weights, byte for byte, with a card that has their figures, as whoever is logged in.

    Args:
        entry: what the manifest says of them.
        data: the bytes of their file.
        pictures: see `files_of`.
        repo: `organization/repository`.

    Returns:
        The commit, in hexadecimal.

    Raises:
        ConfigError: the name makes no sense.
        WeightsError: the Hub refused or cannot be reached.
    """
    check_repository(repo)
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), files_of(entry, data, pictures, repo))
        return _upload(repo, Path(folder), private=False, token=None, message=f"Publish {entry.key}")
