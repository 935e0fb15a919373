"""Puts the page together that colorizes in the browser: static files that any host serves."""

import base64
import hashlib
import json
import re
import shutil
from pathlib import Path

from artcolor.engine.options import DEFAULT_MODEL
from artcolor.engine.torch_backend import TorchBackend
from artcolor.errors import ConfigError
from artcolor.models.export import export_onnx
from artcolor.models.registry import get_weight
from sitegen.cache import ROOT, cached, source_of

WEB = ROOT / "artcolor" / "serve" / "web"
"""Sources of the page."""
MOST_BYTES = 11_000_000
"""What the model may take."""
_WORKER, _MODEL, _VENDOR = "service-worker.js", "model.onnx", "vendor"
_EXPORT = {"half": True, "hints": True}
# Only loaded if a server is behind the page.
_SERVER = {"remote.js"}
# Texts for people; the page does not load them.
_UNUSED = {"LICENSE", "ThirdPartyNotices.txt"}
_LIST = re.compile(r"^const PAGE = .*;$", re.MULTILINE)
_EMPTY = 'const PAGE = { version: "", files: {} };'


def model() -> Path:
    """Returns the default model as an ONNX file that follows hints, with its kernels in float16.

    Raises:
        ConfigError: the extra `export` is not installed.
    """
    code = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "artcolor" / "models").glob("*.py"))
    entry = get_weight(DEFAULT_MODEL).entry

    def make(path: Path) -> None:
        backend = TorchBackend(DEFAULT_MODEL)
        tag, sha256 = backend.identity()
        path.write_bytes(export_onnx(backend.model, tag=tag, sha256=sha256, **_EXPORT))

    parts = [entry.sha256, json.dumps(_EXPORT), *source_of("artcolor/zoo/graphs.py", *code)]
    return cached(f"{entry.key}.onnx", parts, make)


def build(out: Path, model_file: Path | None = None) -> dict[str, int]:
    """Writes the page into a folder.

    Args:
        out: the folder; it is made, or replaced if it holds such a page.
        model_file: ONNX file that `export_onnx` made. Default: the default model.

    Returns:
        Size of each file by its path in the folder.

    Raises:
        ConfigError: something is missing that the page needs, the model is too large, or the folder holds other files.
    """
    vendor = WEB / _VENDOR
    if not vendor.is_dir():
        raise ConfigError(f"{vendor} is missing; fetch it from npm: python scripts/fetch_onnxruntime_web.py")
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / _WORKER).exists())):
        raise ConfigError(f"{out} is not empty, and holds no page; name another folder")
    model_file = model_file or model()
    size = model_file.stat().st_size
    if size > MOST_BYTES:
        raise ConfigError(f"{model_file} has {size:,} bytes; the page allows {MOST_BYTES:,}")
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(WEB, out, ignore=lambda _, names: {*_SERVER, _MODEL} & {*names})
    shutil.copyfile(model_file, out / _MODEL)
    list_files(out)
    return {name: (out / name).stat().st_size for name in _files(out)}


def loaded(folder: Path) -> list[str]:
    """Returns the files of a page that it loads, or keeps for use without a network."""
    return [name for name in _files(folder) if name != _WORKER and Path(name).name not in _UNUSED]


def list_files(folder: Path) -> None:
    """Tells the service worker of a page its version, and the hash of each file.

    Raises:
        ConfigError: the service worker has no place for it.
    """
    worker = folder / _WORKER
    hashes = {}
    for name in loaded(folder):
        digest = hashlib.sha256((folder / name).read_bytes()).digest()
        # Hosts may redirect index.html to its folder.
        hashes["" if name == "index.html" else name] = base64.b64encode(digest).decode()
    code, count = _LIST.subn(_EMPTY, worker.read_text(encoding="utf-8"))
    if count != 1:
        raise ConfigError(f"{worker} must have one line `const PAGE = ...;`, but has {count}")
    version = hashlib.sha256(json.dumps([code, hashes]).encode()).hexdigest()[:16]
    content = json.dumps({"version": version, "files": hashes})
    worker.write_text(code.replace(_EMPTY, f"const PAGE = {content};"), encoding="utf-8")


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
