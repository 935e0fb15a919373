"""Decoding and encoding pictures so that nothing but the colour changes.

`open_file` opens a file of any format and gives its pages or frames as `Picture`s; `save_pictures` writes them with all
that the original said. What is kept, format by format: docs/formats.md.
"""

from artcolor.images.decoding import Picture, decode, encode
from artcolor.images.formats import FORMATS, SUFFIXES, Format, check_target, format_of, output_suffix
from artcolor.images.provenance import Provenance
from artcolor.images.reading import PictureFile, open_file, open_picture, read_provenance
from artcolor.images.writing import save_picture, save_pictures

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "Format",
    "Picture",
    "PictureFile",
    "Provenance",
    "check_target",
    "decode",
    "encode",
    "format_of",
    "open_file",
    "open_picture",
    "output_suffix",
    "read_provenance",
    "save_picture",
    "save_pictures",
]
