"""Provenance: XMP that states in each result that its colors were computed, and how."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.dom import minidom

from artcolor import __version__
from artcolor.images import xmp as xmp_packet
from artcolor.images.notices import warn
from artcolor.images.xmp import RDF, XMLNS

ALGORITHMICALLY_ENHANCED = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
"""IPTC's term for a real picture that was changed by an algorithm."""

_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_OWN = "urn:artcolor:provenance:1#"

_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"/></x:xmpmeta>'
    '<?xpacket end="w"?>'
)


@dataclass(frozen=True)
class Provenance:
    """The origin of the colors of a picture.

    Written by the IPTC Photo Metadata Standard 2025.1 (`DigitalSourceType`, `AISystemUsed`, `AISystemVersionUsed`),
    which other programs show, with model, weights and options in a namespace of our own.

    Attributes:
        model: tag of the weights, such as `cnn.art_v1`.
        weights_sha256: SHA-256 of the weights file; empty if it is not known.
        options: options that the picture was colored with.
        version: version of artcolor.
        source_type: a term of IPTC's vocabulary.
    """

    model: str
    weights_sha256: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    version: str = __version__
    source_type: str = ALGORITHMICALLY_ENHANCED

    def into(self, xmp: bytes | None) -> bytes:
        """Adds this to XMP and keeps everything else, except for the provenance of an earlier coloring.

        Args:
            xmp: existing XMP of the picture. If it cannot be read, it is dropped with a warning.

        Returns:
            XMP with this in it.

        Example:
            >>> mine = Provenance("cnn.art_v1", options={"vividness": 1.0})
            >>> provenance_in(mine.into(None)) == mine
            True
        """
        document = xmp_packet.parsed(xmp) if xmp else None
        root = xmp_packet.rdf_of(document) if document else None
        if document is None or root is None:
            if xmp:
                warn("the XMP of the picture cannot be read and is dropped")
            document = minidom.parseString(_EMPTY.encode())
            root = xmp_packet.rdf_of(document)
            assert root is not None
        values = self._properties()
        about = xmp_packet.subject_of(root)
        xmp_packet.remove(root, values)
        description = document.createElementNS(RDF, "rdf:Description")
        description.setAttributeNS(XMLNS, "xmlns:rdf", RDF)
        description.setAttributeNS(XMLNS, "xmlns:Iptc4xmpExt", _IPTC)
        description.setAttributeNS(XMLNS, "xmlns:artcolor", _OWN)
        description.setAttributeNS(RDF, "rdf:about", about)
        for (space, name), value in values.items():
            prefix = "Iptc4xmpExt" if space == _IPTC else "artcolor"
            description.setAttributeNS(space, f"{prefix}:{name}", value)
        root.appendChild(description)
        return xmp_packet.serialized(document)

    def shortened(self) -> "Provenance":
        """Returns a copy without long lists in the options; only their lengths are kept.

        Example:
            >>> Provenance("unet.art_v6", options={"hints": [{"x": 0.5}], "size": 224}).shortened().options
            {'hints_left_out': 1, 'size': 224}
        """
        options = {
            f"{name}_left_out" if isinstance(value, list) else name: len(value) if isinstance(value, list) else value
            for name, value in self.options.items()
        }
        return dataclasses.replace(self, options=options)

    def _properties(self) -> dict[tuple[str, str], str]:
        return {
            (_IPTC, "DigitalSourceType"): self.source_type,
            (_IPTC, "AISystemUsed"): "artcolor",
            (_IPTC, "AISystemVersionUsed"): self.version,
            (_OWN, "Model"): self.model,
            (_OWN, "WeightsSHA256"): self.weights_sha256,
            (_OWN, "Options"): json.dumps(dict(self.options), sort_keys=True),
        }


def provenance_in(xmp: bytes | None) -> Provenance | None:
    """Reads provenance written by `Provenance.into`.

    Args:
        xmp: XMP of a picture.

    Returns:
        The provenance; `None` if artcolor did not color the picture.
    """
    document = xmp_packet.parsed(xmp) if xmp else None
    root = xmp_packet.rdf_of(document) if document else None
    if root is None:
        return None
    model = xmp_packet.value_of(root, _OWN, "Model")
    if model is None:
        return None
    try:
        options = json.loads(xmp_packet.value_of(root, _OWN, "Options") or "{}")
    except (ValueError, RecursionError):
        options = {}
    return Provenance(
        model=model,
        weights_sha256=xmp_packet.value_of(root, _OWN, "WeightsSHA256") or "",
        options=options if isinstance(options, dict) else {},
        version=xmp_packet.value_of(root, _IPTC, "AISystemVersionUsed") or "",
        source_type=xmp_packet.value_of(root, _IPTC, "DigitalSourceType") or "",
    )
