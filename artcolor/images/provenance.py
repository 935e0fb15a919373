"""A coloring says that it is one: XMP that is written into results and read back."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.dom import minidom
from xml.dom.minidom import Document, Element
from xml.parsers.expat import ExpatError

from artcolor import __version__

_LOG = logging.getLogger(__name__)

ALGORITHMICALLY_ENHANCED = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
"""What IPTC's vocabulary calls a picture that is real, but was changed by an algorithm."""

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMLNS = "http://www.w3.org/2000/xmlns/"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_OWN = "urn:artcolor:provenance:1#"
_LARGEST = 16 << 20

_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"/></x:xmpmeta>'
    '<?xpacket end="w"?>'
)


@dataclass(frozen=True)
class Provenance:
    """Where the colors of a picture come from.

    Written by the IPTC Photo Metadata Standard 2025.1 (`DigitalSourceType`, `AISystemUsed`, `AISystemVersionUsed`),
    which other programs show, with model, weights and options in a namespace of our own.

    Attributes:
        model: tag of the weights, as `cnn.art_v1`.
        weights_sha256: of the weights file; empty if it is not known.
        options: what the picture was colored with.
        version: of artcolor.
        source_type: from IPTC's vocabulary.
    """

    model: str
    weights_sha256: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    version: str = __version__
    source_type: str = ALGORITHMICALLY_ENHANCED

    def into(self, xmp: bytes | None) -> bytes:
        """Adds this to XMP; all else of it stays. What was said there of an earlier coloring is replaced.

        Args:
            xmp: that the picture has already. If it cannot be read, it is left out, with a warning.

        Returns:
            XMP with this in it.

        Example:
            >>> mine = Provenance("cnn.art_v1", options={"vividness": 1.0})
            >>> provenance_in(mine.into(None)) == mine
            True
        """
        document = _parsed(xmp) if xmp else None
        root = _rdf(document) if document else None
        if document is None or root is None:
            if xmp:
                _LOG.warning("the XMP of the picture cannot be read and is left out")
            document = minidom.parseString(_EMPTY.encode())
            root = _rdf(document)
            assert root is not None
        values = self._properties()
        about = _about(root)
        _without(root, values)
        description = document.createElementNS(_RDF, "rdf:Description")
        description.setAttributeNS(_XMLNS, "xmlns:rdf", _RDF)
        description.setAttributeNS(_XMLNS, "xmlns:Iptc4xmpExt", _IPTC)
        description.setAttributeNS(_XMLNS, "xmlns:artcolor", _OWN)
        description.setAttributeNS(_RDF, "rdf:about", about)
        for (space, name), value in values.items():
            prefix = "Iptc4xmpExt" if space == _IPTC else "artcolor"
            description.setAttributeNS(space, f"{prefix}:{name}", value)
        root.appendChild(description)
        # Some readers do not know an XML declaration inside of a packet.
        return b"".join(node.toxml("utf-8") for node in document.childNodes)

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
    """Reads what `Provenance.into` has written.

    Args:
        xmp: of a picture.

    Returns:
        `None` if it does not speak of a coloring by artcolor.
    """
    document = _parsed(xmp) if xmp else None
    root = _rdf(document) if document else None
    if root is None:
        return None
    model = _value(root, _OWN, "Model")
    if model is None:
        return None
    try:
        options = json.loads(_value(root, _OWN, "Options") or "{}")
    except (ValueError, RecursionError):
        options = {}
    return Provenance(
        model=model,
        weights_sha256=_value(root, _OWN, "WeightsSHA256") or "",
        options=options if isinstance(options, dict) else {},
        version=_value(root, _IPTC, "AISystemVersionUsed") or "",
        source_type=_value(root, _IPTC, "DigitalSourceType") or "",
    )


def _parsed(xmp: bytes) -> Document | None:
    # Entities are how XML grows in memory; XMP has no use for them.
    if len(xmp) > _LARGEST or b"<!" in xmp.replace(b"<!--", b"").replace(b"<![CDATA[", b""):
        return None
    try:
        # Readers pad packets, and some end them with a zero.
        return minidom.parseString(xmp.strip(b"\0 \t\r\n"))
    except (ExpatError, ValueError, LookupError, RecursionError):
        return None


def _rdf(document: Document) -> Element | None:
    found = document.getElementsByTagNameNS(_RDF, "RDF")
    return found[0] if found else None


def _descriptions(root: Element) -> Iterator[Element]:
    for node in list(root.childNodes):
        if isinstance(node, Element) and (node.namespaceURI, node.localName) == (_RDF, "Description"):
            yield node


def _about(root: Element) -> str:
    # All descriptions of a packet must be about the same.
    return next((node.getAttributeNS(_RDF, "about") for node in _descriptions(root)), "")


def _elements(description: Element, space: str, name: str) -> list[Element]:
    return [
        node
        for node in description.childNodes
        if isinstance(node, Element) and (node.namespaceURI, node.localName) == (space, name)
    ]


def _without(root: Element, properties: Mapping[tuple[str, str], str]) -> None:
    """Removes properties, which XMP may hold as attributes or as elements."""
    for description in _descriptions(root):
        for space, name in properties:
            if description.hasAttributeNS(space, name):
                description.removeAttributeNS(space, name)
            for element in _elements(description, space, name):
                description.removeChild(element)
        says = any(isinstance(node, Element) for node in description.childNodes) or any(
            attribute.namespaceURI not in (_XMLNS, _RDF) for attribute in description.attributes.values()
        )
        if not says:
            root.removeChild(description)


def _value(root: Element, space: str, name: str) -> str | None:
    for description in _descriptions(root):
        if description.hasAttributeNS(space, name):
            return str(description.getAttributeNS(space, name))
        for element in _elements(description, space, name):
            return "".join(child.data for child in element.childNodes if child.nodeType == child.TEXT_NODE).strip()
    return None
