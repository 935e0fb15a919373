"""Reference constants of the evaluation: mean colors for trivial baselines, and a codebook with its prior.

`scripts/make_reference.py` fits them to `art/train` and writes `reference.safetensors`. They do not depend on the
evaluated model.
"""

import functools
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from artcolor.color.codebook import L_BINS, Codebook
from artcolor.errors import DataError
from artcolor.files import write_atomically

_FILE = Path(__file__).with_name("reference.safetensors")
# 139 bins have at least this fraction of the pixels of the training paintings.
_MIN_SHARE = 1.1e-5


@dataclass(frozen=True)
class Reference:
    """Constants of the trivial baselines, and the codebook on which all models are evaluated.

    Attributes:
        constant: `(2,)`, mean ab of all pixels, in Lab units.
        l_table: `(20, 2)`, mean ab of the pixels in each of 20 bins of L, 5 units wide, in Lab units.
        codebook: bins of the evaluation with their smoothed priors.
    """

    constant: Tensor
    l_table: Tensor
    codebook: Codebook

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All tensors, named as in the file."""
        buffers = {f"codebook.{name}": buffer for name, buffer in self.codebook.named_buffers()}
        return {"constant": self.constant, "l_table": self.l_table, **buffers}

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all tensors, in hexadecimal."""
        return hashlib.sha256(safetensors.torch.save(self.tensors)).hexdigest()


def l_bin(lightness: Tensor) -> Tensor:
    """Returns the row of `Reference.l_table` for each L in 0..100."""
    return (lightness / (100 / L_BINS)).long().clamp(0, L_BINS - 1)


def fit_reference(pictures: Iterable[tuple[Tensor, Tensor]]) -> Reference:
    """Fits the constants to pictures.

    Args:
        pictures: pairs of L `(N, 1, H, W)` in 0..100 and ab `(N, 2, H, W)` in Lab units.

    Returns:
        The fitted constants and codebook.

    Raises:
        DataError: there are no pictures, or too few colors in them.
    """
    sums = torch.zeros(L_BINS, 2, dtype=torch.float64)
    pixels = torch.zeros(L_BINS, 1, dtype=torch.float64)

    def counted() -> Iterator[tuple[Tensor, Tensor]]:
        for lightness, ab in pictures:
            rows = l_bin(lightness).flatten()
            sums.index_add_(0, rows, ab.movedim(1, -1).reshape(-1, 2).double())
            pixels.index_add_(0, rows, torch.ones(len(rows), 1, dtype=torch.float64))
            yield lightness, ab

    codebook = Codebook.fit(counted(), min_share=_MIN_SHARE)
    constant = sums.sum(0) / pixels.sum()
    # A bin of L without pixels uses the overall mean.
    l_table = torch.where(pixels > 0, sums / pixels.clamp(min=1), constant)
    return Reference(constant.float(), l_table.float(), codebook)


def save_reference(reference: Reference, path: Path) -> None:
    """Writes a reference as a safetensors file.

    Args:
        reference: constants and codebook.
        path: path of the file.
    """
    write_atomically(path, safetensors.torch.save(reference.tensors))


@functools.cache
def load_reference(path: Path = _FILE) -> Reference:
    """Reads a reference.

    Args:
        path: path of a file from `save_reference`; by default, the one that artcolor ships.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        tensors = safetensors.torch.load_file(path)
        codebook = Codebook(len(tensors["codebook.prior"]))
        codebook.load_state_dict({name: tensors[f"codebook.{name}"] for name, _ in codebook.named_buffers()})
        return Reference(tensors["constant"], tensors["l_table"], codebook)
    except (OSError, safetensors.SafetensorError, KeyError, RuntimeError) as error:
        raise DataError(
            f"{path}, the reference constants of the evaluation, cannot be read ({error}). Reinstall artcolor, or "
            "create the file with scripts/make_reference.py."
        ) from error
