"""How results are written. This module does not import torch, because the command builds its options from it."""

from dataclasses import dataclass
from typing import Annotated

from artcolor.errors import ConfigError
from artcolor.models.options import FILES, MANY, Option

__all__ = ["Saving"]


@dataclass(frozen=True)
class Saving:
    """How results are written. The command's options for files are generated from these fields.

    Attributes:
        force: replace existing results. Originals are never replaced.
        resume: skip existing results, which are always complete, and remove temporary files of killed runs.
        format: format of all results, for example `"png"`; `None` follows the suffix of the target.
        quality: 1..100 for JPEG, WebP, AVIF and HEIC; `None` follows the original (see `save_picture`).
        depth: 8 or 16 bits per channel; `None` keeps 16 where the format supports it (see `save_picture`).
        provenance: record in each file that its colors were computed, and how.
        uncertainty: write a map of the model's uncertainty beside each result (see `map_path`).
        allow_truncated: read truncated JPEG files as far as possible (see `open_file`).
        max_pixels: largest page or frame to open, in pixels; `None` uses Pillow's limit of 179 million.

    Raises:
        ConfigError: `depth` is neither 8 nor 16.
    """

    force: Annotated[bool, Option("Replace existing results.", group=FILES, short="-f")] = False
    resume: Annotated[bool, Option("Skip existing results.", group=MANY)] = False
    format: Annotated[
        str | None,
        Option("Output format: png, jpg, tif, webp, ... Default: the format of each input.", group=FILES),
    ] = None
    quality: Annotated[
        int | None,
        Option("Quality for JPEG, WebP, AVIF and HEIC. Default: about that of each input.", 1, 100, group=FILES),
    ] = None
    depth: Annotated[int | None, Option("Bits per channel: 8 or 16. Default: that of each input.", group=FILES)] = None
    provenance: Annotated[
        bool,
        Option(
            "Record in the file that its colors were computed.",
            group=FILES,
            turn_off="Do not record in the file that its colors were computed.",
        ),
    ] = True
    uncertainty: Annotated[bool, Option("Write a map of the model's uncertainty beside each result.")] = False
    allow_truncated: Annotated[
        bool, Option("Read truncated JPEG files as far as possible, with a warning.", group=FILES)
    ] = False
    max_pixels: Annotated[
        int | None, Option("Largest picture to open, in pixels. Default: 179 million.", 1, group=FILES)
    ] = None

    def __post_init__(self) -> None:
        if self.depth not in (None, 8, 16):
            raise ConfigError(f"depth must be 8 or 16 bits, not {self.depth}")
