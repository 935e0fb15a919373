"""Reads data sets of paintings: decodes and resizes once, augments as a function of (seed, epoch, index)."""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor, from_numpy
from torch.utils.data import Dataset

from artcolor.color import planes
from artcolor.data.tables import read_table
from artcolor.errors import DataError, ImageError
from artcolor.files import sha256_of
from artcolor.images import open_rgb
from artcolor.images.formats import UNSUPPORTED
from artcolor.images.walk import check_listing, walk

if TYPE_CHECKING:
    from datasets import Dataset as HuggingFaceDataset

_LOG = logging.getLogger(__name__)
_SPLITS = ("train", "val", "test")
# A plain folder holds out one picture in ten for val and one in ten for test, by the hash of its name.
_HELD_OUT = 10
# Part of every key: raise it when files are decoded differently.
_CACHE_VERSION = 3


@dataclass(frozen=True)
class Augmentation:
    """Random variation of training pictures.

    Attributes:
        crop: smallest side of the square crop, as a fraction of the short side; the largest is 1.
        flip: mirror half of the pictures.
        lightness: range of the lightness jitter: L / 100 is raised to a power whose logarithm is uniform in ± this.

    Example:
        >>> Augmentation(flip=False)
        Augmentation(crop=0.62, flip=False, lightness=0.15)
    """

    crop: float = 0.62
    flip: bool = True
    lightness: float = 0.15


@dataclass(frozen=True, slots=True)
class Sample:
    """The key of one training picture.

    Attributes:
        index: index of the picture in the data set.
        epoch: number of the epoch, from 0; each epoch augments a picture differently.
        size: side of the square crop, in pixels.
    """

    index: int
    epoch: int
    size: int


def cache_folder() -> Path:
    """Returns the folder of the cache: `$ARTCOLOR_CACHE`, or `~/.cache/artcolor`."""
    return Path(os.environ.get("ARTCOLOR_CACHE") or Path.home() / ".cache" / "artcolor")


def list_pictures(root: str | Path, split: str | None = None) -> list[Path]:
    """Lists the pictures of a data set, or of one of its splits.

    The splits come from the columns `file_name` and `split` of `metadata.csv`, if it exists; else from subfolders named
    `train`, `val` and `test`; else from a hash of each file name, which assigns 8 of 10 pictures to `train`.

    Args:
        root: folder of the data set.
        split: `"train"`, `"val"` or `"test"`; `None` for all pictures.

    Returns:
        Sorted paths of the pictures.

    Raises:
        DataError: the folder does not exist, or contains no picture of this split.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"there is no folder {root}; --data must be a folder of pictures")
    table = root / "metadata.csv"
    if table.exists():
        paths = _listed(table, split)
    else:
        folders = _split_folders(root)
        if split is not None and folders:
            paths = _below(folders[split]) if split in folders else []
        else:
            paths = [path for path in _below(root) if split in (None, _split_of(root, path))]
    if not paths:
        which = f" of split {split!r}" if split else ""
        raise DataError(f"{root} contains no pictures{which}")
    return sorted(paths)


def _listed(table: Path, split: str | None) -> list[Path]:
    rows = read_table(table, {"file_name", "split"})
    return [table.parent / row["file_name"] for row in rows if split in (None, row["split"].strip().casefold())]


def _split_folders(root: Path) -> dict[str, Path]:
    """The subfolders named like splits, in any case: `train`, `Train`, `TRAIN`."""
    return {each.name.casefold(): each for each in root.iterdir() if each.name.casefold() in _SPLITS and each.is_dir()}


def _below(folder: Path) -> list[Path]:
    found: list[Path] = []
    skipped: list[Path] = []
    for path in walk(folder):
        if path.is_dir():
            try:
                check_listing(path)
            except ImageError as error:
                raise DataError(str(error)) from error
        (skipped if path.suffix.lower() in UNSUPPORTED else found).append(path)
    if skipped:
        _LOG.warning("skipping %d pictures in unsupported formats, for example %s", len(skipped), skipped[0])
    return found


def _split_of(root: Path, path: Path) -> str:
    digest = hashlib.sha256(path.relative_to(root).as_posix().encode()).digest()
    return {0: "val", 1: "test"}.get(digest[0] % _HELD_OUT, "train")


def _paths_in(rows: "HuggingFaceDataset") -> list[Path]:
    columns = [name for name, feature in rows.features.items() if type(feature).__name__ == "Image"]
    if len(columns) != 1:
        raise DataError(
            f"the data set needs exactly one column of images; of its columns {list(rows.features)}, these are: "
            f"{columns or 'none'}"
        )
    # Without decoding, a row holds the path of its file.
    feature = type(rows.features[columns[0]])(decode=False)
    paths = [row["path"] for row in rows.cast_column(columns[0], feature)[columns[0]]]
    if not paths or not all(path and Path(path).is_file() for path in paths):
        raise DataError(
            "the pictures of the data set are not files on disk. Load it with "
            'load_dataset("imagefolder", data_dir=FOLDER), or turn it into a folder with `artcolor dataset build`.'
        )
    return [Path(path) for path in paths]


class PictureCache:
    """Decoded pictures in one memory-mapped file, keyed by the contents of their files.

    Several processes may build the same cache at once: each writes its own folder, and the first to finish wins.

    Args:
        paths: paths of the picture files.
        side: longest short side in pixels; larger pictures are reduced to it.
        folder: folder that holds all caches; `None` uses `cache_folder()`.

    Raises:
        DataError: a picture cannot be read, or the cache cannot be written.
    """

    def __init__(self, paths: Sequence[Path], side: int, folder: Path | None = None) -> None:
        folder = (folder or cache_folder()) / "pictures"
        self.path = folder / hash_of_contents(paths, f"{_CACHE_VERSION} {side}")[:32]
        if not (self.path / "index.json").exists():
            _LOG.info("decoding %d pictures once into %s", len(paths), self.path)
            try:
                _build_cache(paths, side, self.path)
            except OSError as error:
                raise DataError(
                    f"the cache {folder} cannot be written: {error.strerror or error}. Set ARTCOLOR_CACHE to a folder "
                    "that can be written, on a disk with enough space."
                ) from error
        self.index: list[tuple[int, int, int]] = [
            (offset, height, width)
            for offset, height, width in json.loads((self.path / "index.json").read_text(encoding="utf-8"))
        ]
        self._pixels: npt.NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.index)

    def __getstate__(self) -> dict[str, object]:
        # Pickling the map would send every pixel to the loader's workers; each maps the file itself.
        return {**self.__dict__, "_pixels": None}

    def __getitem__(self, number: int) -> npt.NDArray[np.uint8]:
        """Returns the picture as `(H, W, 3)`, sRGB in 0..255; a view into the file."""
        if self._pixels is None:
            self._pixels = np.memmap(self.path / "pixels.bin", dtype=np.uint8, mode="r")
        offset, height, width = self.index[number]
        return self._pixels[offset : offset + 3 * height * width].reshape(height, width, 3)


def hash_of_contents(paths: Sequence[Path], prefix: str = "") -> str:
    """Computes a SHA-256 over the contents of files in their order, in hexadecimal.

    Args:
        paths: paths of the files.
        prefix: text that is hashed before the files.

    Raises:
        DataError: a file is missing or cannot be read.
    """

    def digest(path: Path) -> bytes:
        try:
            return bytes.fromhex(sha256_of(path))
        except OSError as error:
            raise unreadable(path, error) from error

    with ThreadPoolExecutor() as pool:
        whole = hashlib.sha256(prefix.encode())
        for content in pool.map(digest, paths):
            whole.update(content)
    return whole.hexdigest()


def unreadable(path: Path, error: Exception) -> DataError:
    """Returns the error for a picture that training or evaluation cannot read.

    Args:
        path: path of the picture.
        error: the cause, for the message.
    """
    return DataError(
        f"the picture {path} cannot be read ({error}). Remove it, or clean the folder with `artcolor dataset build`."
    )


def _decode(path: Path, side: int) -> npt.NDArray[np.uint8]:
    try:
        # A JPEG is decoded at 1/2, 1/4 or 1/8 size if that is large enough for a good reduction.
        rgb = Image.fromarray(open_rgb(path, short_side=2 * side))
    except ImageError as error:
        raise unreadable(path, error) from error
    scale = side / min(rgb.size)
    if scale < 1:
        rgb = rgb.resize(
            (max(side, round(rgb.width * scale)), max(side, round(rgb.height * scale))), Image.Resampling.LANCZOS
        )
    return np.asarray(rgb)


def _build_cache(paths: Sequence[Path], side: int, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        index: list[tuple[int, int, int]] = []
        offset = 0
        with (temporary / "pixels.bin").open("wb") as file, ThreadPoolExecutor() as pool:
            for chunk in _chunks(paths, 256):
                for pixels in pool.map(lambda path: _decode(path, side), chunk):
                    file.write(pixels.tobytes())
                    index.append((offset, *pixels.shape[:2]))
                    offset += pixels.size
            file.flush()
            os.fsync(file.fileno())
        (temporary / "index.json").write_text(json.dumps(index), encoding="utf-8")
        try:
            temporary.rename(target)
        except OSError:
            # Another process finished first with the same pictures.
            if not (target / "index.json").exists():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _chunks(paths: Sequence[Path], length: int) -> Iterator[Sequence[Path]]:
    for start in range(0, len(paths), length):
        yield paths[start : start + length]


class ArtDataset(Dataset[tuple[Tensor, Tensor]]):
    """A data set of pictures as (L, ab).

    An integer index returns the whole picture. A `Sample` returns a square crop that depends on (seed, epoch, index)
    only, so any training step can be repeated.

    Files are decoded by `artcolor.images`: color profiles, orientation and high bit depth are honored, and transparent
    pixels become white.

    Args:
        root: folder of the data set (see `list_pictures` for the layouts), or a data set from
            `datasets.load_dataset("imagefolder", data_dir=..., split=...)` whose files are on disk.
        split: `"train"`, `"val"` or `"test"`; `None` for all pictures. Ignored for a Hugging Face data set, which is
            one split already.
        side: longest short side of the cached pictures, in pixels; larger pictures are reduced to it.
        seed: random seed of the augmentation.
        augmentation: random variation of samples; `None` takes the central crop.
        limit: use only this many pictures of a fixed shuffle; `None` for all.
        cache: folder for decoded pictures; `None` uses `cache_folder()`.

    Raises:
        DataError: there are no pictures, or one of them cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (80, 60), "teal").save(f"{folder}/sea.png")
        ...     sea = ArtDataset(folder, None, cache=Path(folder))
        ...     lightness, ab = sea[0]
        >>> lightness.shape, ab.shape
        (torch.Size([1, 60, 80]), torch.Size([2, 60, 80]))
    """

    def __init__(
        self,
        root: "str | Path | HuggingFaceDataset",
        split: str | None = "train",
        *,
        side: int = 256,
        seed: int = 0,
        augmentation: Augmentation | None = Augmentation(),
        limit: int | None = None,
        cache: Path | None = None,
    ) -> None:
        if isinstance(root, str | Path):
            self.root, self.paths = Path(root), list_pictures(root, split)
        else:
            self.root, self.paths = Path(), _paths_in(root)
        if limit is not None:
            chosen = np.random.default_rng(0).permutation(len(self.paths))[:limit]
            self.paths = [self.paths[i] for i in sorted(chosen)]
        self.seed, self.augmentation = seed, augmentation
        self.pictures = PictureCache(self.paths, side, cache)

    def __len__(self) -> int:
        return len(self.pictures)

    def labels(self, column: str) -> list[str]:
        """Reads a column of `metadata.csv`, in the order of the pictures.

        Args:
            column: name of the column, such as `"style"`.

        Returns:
            One label per picture; `""` where the cell is empty.

        Raises:
            DataError: `metadata.csv` does not exist or has no such column.
        """
        table = self.root / "metadata.csv"
        if not table.exists():
            raise DataError(f"{self.root} has no metadata.csv, which is needed for the {column} of each picture")
        labels = {self.root / row["file_name"]: row[column] for row in read_table(table, {"file_name", column})}
        return [labels[path] for path in self.paths]

    def __getitem__(self, key: int | Sample) -> tuple[Tensor, Tensor]:
        """Returns L `(1, H, W)` in 0..100 and ab `(2, H, W)` in Lab units.

        Args:
            key: index of a picture, or a `Sample`.
        """
        if not isinstance(key, Sample):
            return _to_lab(self.pictures[key])
        pixels = self.pictures[key.index]
        height, width = pixels.shape[:2]
        side, change = float(min(height, width)), self.augmentation
        rng = np.random.default_rng([self.seed, key.epoch, key.index])
        x, y, flip, power = 0.5, 0.5, False, 1.0
        if change is not None:
            share, x, y, mirror, jitter = rng.random(5)
            side *= change.crop + (1 - change.crop) * share
            flip = change.flip and mirror < 0.5
            power = float(np.exp((2 * jitter - 1) * change.lightness))
        left, top = x * (width - side), y * (height - side)
        crop = Image.fromarray(pixels).resize(
            (key.size, key.size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side)
        )
        square = np.asarray(crop)
        lightness, ab = _to_lab(square[:, ::-1] if flip else square)
        if power != 1:
            lightness = 100 * (lightness.clamp(0, 100) / 100) ** power
        return lightness, ab

    def statistics(self, *, pictures: int = 4000) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields L `(1, 1, h, w)` and ab `(1, 2, h, w)` of pictures spread evenly over the set.

        `DistributionHead.fit` takes them as training statistics.

        Args:
            pictures: largest number of pictures.
        """
        for index in np.linspace(0, len(self) - 1, min(pictures, len(self))).round():
            # Averaged over 4 × 4 pixels, like the output of a network.
            pixels = Image.fromarray(self.pictures[int(index)])
            lightness, ab = _to_lab(np.asarray(pixels.reduce(4)))
            yield lightness.unsqueeze(0), ab.unsqueeze(0)


def _to_lab(pixels: npt.NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    lab = from_numpy(planes.lab(pixels))
    return lab[:1], lab[1:]
