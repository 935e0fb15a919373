"""Writes a result as layers for image editors: an OpenRaster file, which GIMP, Krita and others open.

Written with the standard library, as the format is a ZIP file of PNGs with a list of them. pyora, the one library on
PyPI, has had no release since March 2021, gives the members of the ZIP file absolute names, which ZIP does not allow,
and takes layers as Pillow images, whose colors have 8 bits.
"""

import io
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from artcolor.color import planes
from artcolor.engine.drawing import draw_hints, hints_of
from artcolor.engine.targets import LAYERS_SUFFIXES, opened_for_writing
from artcolor.images import Picture, save_picture
from artcolor.images.write import Target
from artcolor.models.guidance import Decoding, Guidance
from artcolor.models.heads import DistributionHead

if TYPE_CHECKING:
    from artcolor.engine.session import Session

__all__ = ["in_gray", "save_layers"]

_VERSION = "0.0.5"
_THUMBNAIL = 256
_NORMAL, _COLOR = "svg:src-over", "svg:color"

# Name, how it is composed with those below, whether it is shown, and the bytes of its PNG.
_Layer = tuple[str, str, bool, bytes]


def save_layers(
    session: "Session", path: Target, guidance: Guidance = Guidance(), decoding: Decoding = Decoding()
) -> None:
    """Colorizes the picture of a session and writes it as an OpenRaster file with these layers, from the bottom up.

    - Gray: the original without color.
    - Color: the result, with the mode "color", which takes the lightness of the layer below. Editors define this mode
      differently, so colors differ a little in Krita, and strong ones visibly in GIMP, which calls it "HSL Color". The
      mode "LCh Color" of GIMP shows the result within rounding, and the mode "Normal" shows it exactly in any editor.
    - Uncertainty: the map of the model's uncertainty, hidden; only for models that predict a distribution.
    - Hints: all hints, drawn at their positions, hidden; transparent if there are none.

    The merged image in the file, which other programs show, is what `session.render` returns. Layers have 16 bits a
    channel if the original has more than 8.

    Args:
        session: the session, which holds the picture.
        path: path of the file, which ends in `.ora`; an existing file is replaced. Or a binary file that is open for
            writing.
        guidance: hints, palette, reference and sampling.
        decoding: how the output becomes chroma.

    Raises:
        ConfigError: as for `Session.render`.
        ImageError: the suffix is wrong, the file cannot be written or is the original, or hints cannot be read.

    Example:
        >>> import artcolor, tempfile
        >>> session = artcolor.Session(Image.new("L", (50, 30), 128))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_layers(session, f"{folder}/a.ora")
        ...     zipfile.ZipFile(f"{folder}/a.ora").namelist()[0]
        'mimetype'
    """
    image = session.render(guidance, decoding)
    merged = image.to_bytes("png")
    small = image.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    with opened_for_writing(path, LAYERS_SUFFIXES, session.source) as file, zipfile.ZipFile(file, "w") as archive:
        # First and not compressed, so that the kind of file can be told from its beginning.
        _add(archive, "mimetype", b"image/openraster")
        dpi = session.original.info.get("dpi", ())
        resolution = {name: str(max(1, round(value))) for name, value in zip(("xres", "yres"), dpi, strict=False)}
        root = ElementTree.Element(
            "image", {"version": _VERSION, "w": str(image.width), "h": str(image.height), **resolution}
        )
        stack = ElementTree.SubElement(root, "stack")
        for name, mode, shown, data in _layers(session, merged, guidance):
            member = f"data/{name.lower()}.png"
            _add(archive, member, data)
            visibility = "visible" if shown else "hidden"
            attributes = {"name": name, "src": member, "composite-op": mode, "visibility": visibility}
            layer = ElementTree.Element("layer", attributes | {"opacity": "1.0", "x": "0", "y": "0"})
            # The list begins with the topmost layer.
            stack.insert(0, layer)
        _add(archive, "mergedimage.png", merged)
        _add(archive, "Thumbnails/thumbnail.png", _png(small))
        _add(archive, "stack.xml", ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True))


def in_gray(picture: Picture) -> Picture:
    """Returns a picture without its color, in RGB and with its alpha and resolution.

    Args:
        picture: gray, which is returned unchanged; or in color, of which the lightness is kept.

    Example:
        >>> import numpy as np
        >>> in_gray(Picture(np.full((1, 1), 7, np.uint8))).pixels
        array([[[7, 7, 7]]], dtype=uint8)
    """
    rows = picture.rows
    gray = planes.gray_to_rgb(rows) if len(rows.shape) == 2 else planes.join(rows, np.zeros((2, 1, 1)))
    return Picture(gray, picture.alpha, {key: value for key, value in picture.info.items() if key == "dpi"})


def _layers(session: "Session", merged: bytes, guidance: Guidance) -> Iterator[_Layer]:
    """Makes the layers one by one, from the bottom up."""
    original = session.original
    yield "Gray", _NORMAL, True, _png(in_gray(original))
    yield "Color", _COLOR, True, merged
    if isinstance(session.colorizer.model.head, DistributionHead):
        yield "Uncertainty", _NORMAL, False, _png(session.uncertainty(guidance))
    height, width = original.rows.shape[:2]
    yield "Hints", _NORMAL, False, _png(draw_hints(hints_of(session, guidance), (width, height)))


def _png(picture: Picture | Image.Image) -> bytes:
    file = io.BytesIO()
    save_picture(picture, file, format="png")
    return file.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    # Not compressed: PNGs are already. A ZipInfo without a time makes equal files of equal pictures.
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)
