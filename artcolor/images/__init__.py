"""Decoding and encoding pictures so that nothing but the colour changes.

`open_file` opens a file of any format (its path, its bytes, or an open binary file) and gives its pages or frames as
`Picture`s; `save_pictures` writes them with all that the original said. What is kept is listed in docs/formats.md.
"""

from artcolor.images.decoding import Picture, decode, encode
from artcolor.images.formats import FORMATS, SUFFIXES, Format, check_target, format_of, output_suffix
from artcolor.images.provenance import Provenance
from artcolor.images.reading import PictureFile, open_file, open_picture, read_provenance
from artcolor.images.sources import Source, is_source
from artcolor.images.writing import save_picture, save_pictures

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "Format",
    "Picture",
    "PictureFile",
    "Provenance",
    "Source",
    "check_target",
    "decode",
    "encode",
    "format_of",
    "is_source",
    "open_file",
    "open_picture",
    "output_suffix",
    "read_provenance",
    "save_picture",
    "save_pictures",
]
