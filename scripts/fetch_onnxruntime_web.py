"""Fetches onnxruntime-web from npm; the page runs models in the browser with it.

Run from a checkout, before the page is used without a server: python scripts/fetch_onnxruntime_web.py
"""

import base64
import hashlib
import importlib.util
import io
import tarfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from artcolor.files import write_atomically

_VERSION = "1.30.0"
_URL = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{_VERSION}.tgz"
# As `npm view onnxruntime-web@VERSION dist.integrity` prints it.
_INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
# The bundle has the glue code of the wasm file in it. The wasm file runs with one thread, too.
_FILES = ("dist/ort.wasm.bundle.min.mjs", "dist/ort-wasm-simd-threaded.wasm")
# The npm package has no license text; the Python package of the same project has.
_LICENSES = ("LICENSE", "ThirdPartyNotices.txt")
_VENDOR = Path(__file__).resolve().parent.parent / "artcolor" / "serve" / "web" / "vendor"
_SECONDS = 120


def fetch(url: str, integrity: str, files: Sequence[str]) -> dict[str, bytes]:
    """Downloads an npm package, checks its hash, and extracts files.

    Args:
        url: of the package.
        integrity: `sha512-` and the hash in base64, as npm states it.
        files: paths in the package.

    Returns:
        Content by name of the file, without folders.

    Raises:
        ValueError: the package is another than expected.
        OSError: it cannot be downloaded.
    """
    with urllib.request.urlopen(url, timeout=_SECONDS) as answer:
        package = answer.read()
    found = "sha512-" + base64.b64encode(hashlib.sha512(package).digest()).decode()
    if found != integrity:
        raise ValueError(f"{url} has the hash {found}, expected {integrity}")
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        return {Path(name).name: _content(archive, f"package/{name}") for name in files}


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    try:
        file = archive.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        raise ValueError(f"the package has no file {name}")
    return file.read()


def licenses() -> dict[str, bytes]:
    """Returns the license texts of ONNX Runtime by name of the file.

    Raises:
        ValueError: the Python package onnxruntime is not installed.
    """
    found = importlib.util.find_spec("onnxruntime")
    if found is None or found.origin is None:
        raise ValueError('the license is copied from the package onnxruntime: pip install ".[onnx]"')
    return {name: (Path(found.origin).parent / name).read_bytes() for name in _LICENSES}


def main(
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = _VENDOR,
    url: Annotated[str, typer.Option(help="Address of the npm package.")] = _URL,
    integrity: Annotated[str, typer.Option(help="Its sha512, as npm states it.")] = _INTEGRITY,
) -> None:
    """Fetches the files of onnxruntime-web that the page needs."""
    try:
        files = {**licenses(), **fetch(url, integrity, _FILES)}
    except (ValueError, OSError) as error:
        raise SystemExit(f"onnxruntime-web was not fetched: {error}") from None
    save(files, out)


def save(files: dict[str, bytes], out: Path) -> None:
    """Writes files to a folder, and prints their names.

    Args:
        files: content by name.
        out: the folder, which is made if it is missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(out / name, content)
        print(f"{len(content):>12,} {out / name}")


if __name__ == "__main__":
    typer.run(main)
