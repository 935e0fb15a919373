"""Decodes and encodes pictures so that only the color changes.

`open_file` opens a file of any format (its path, its bytes, or an open binary file) and yields its pages or frames as
`Picture`s; `save_pictures` writes them with the metadata of the original. The guide "Files and formats" lists what is
kept.
"""

from artcolor.images.formats import FORMATS, SUFFIXES, Format, check_target, format_of, output_suffix
from artcolor.images.picture import Picture, decode, encode, opaque_rgb
from artcolor.images.provenance import Provenance
from artcolor.images.read import PictureFile, open_file, open_picture, open_rgb, read_provenance
from artcolor.images.streams import Source, is_source
from artcolor.images.write import check_settings, save_picture, save_pictures

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "Format",
    "Picture",
    "PictureFile",
    "Provenance",
    "Source",
    "check_settings",
    "check_target",
    "decode",
    "encode",
    "format_of",
    "is_source",
    "opaque_rgb",
    "open_file",
    "open_picture",
    "open_rgb",
    "output_suffix",
    "read_provenance",
    "save_picture",
    "save_pictures",
]
