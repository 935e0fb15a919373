"""How results are written. Imports no torch, as the command makes its options from it."""

from dataclasses import dataclass
from typing import Annotated

from artcolor.models.options import FILES, MANY, Option


@dataclass(frozen=True)
class Saving:
    """How results are written. The options of the command about files are made from these fields.

    Attributes:
        force: replace results that exist. Originals are never replaced.
        resume: skip results that exist (they are whole), and remove what a killed run left half-written.
        format: of all files, as `artcolor.images.format_of` takes it; `None` goes by the suffix of the target.
        quality: 1..100, as `save_picture` takes it.
        depth: 8 or 16 bits a channel, as `save_picture` takes it.
        provenance: state in each file that its colors were computed, and how.
        uncertainty: write a map of the model's uncertainty beside each result (see `map_path`).
        max_pixels: of one page or frame, as `open_file` takes it.
    """

    force: Annotated[bool, Option("Replace results that exist.", group=FILES)] = False
    resume: Annotated[bool, Option("Skip results that exist.", group=MANY)] = False
    format: Annotated[
        str | None, Option("png, jpg, tif, webp, ... Default: the format of each input.", group=FILES)
    ] = None
    quality: Annotated[int | None, Option("Of JPEG, WebP, AVIF, HEIC.", 1, 100, group=FILES)] = None
    depth: Annotated[int | None, Option("Bits per channel: 8 or 16.", group=FILES)] = None
    provenance: Annotated[bool, Option("State in the file that its colors were computed.", group=FILES)] = True
    uncertainty: Annotated[bool, Option("Write a map of the model's uncertainty beside each result.")] = False
    max_pixels: Annotated[
        int | None, Option("Largest picture that is opened. Default: 179 million pixels.", 1, group=FILES)
    ] = None
