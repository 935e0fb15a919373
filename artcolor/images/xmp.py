"""XMP packets: parsing, changing and writing them, and keeping them true to the pixels."""

from collections.abc import Iterable, Iterator
from xml.dom import minidom
from xml.dom.minidom import Document, Element
from xml.parsers.expat import ExpatError

_LARGEST = 16 << 20

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMLNS = "http://www.w3.org/2000/xmlns/"
_TIFF, _EXIF = "http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/exif/1.0/"
_PHOTOSHOP, _XMP = "http://ns.adobe.com/photoshop/1.0/", "http://ns.adobe.com/xap/1.0/"
_DC, _EXIF_EX = "http://purl.org/dc/elements/1.1/", "http://cipa.jp/exif/1.0/"
_CAMERA_RAW = "http://ns.adobe.com/camera-raw-settings/1.0/"
# What describes the pixels of the original, and not of the result.
_STORAGE = {
    (_TIFF, name)
    for name in (
        *("Orientation", "ImageWidth", "ImageLength", "BitsPerSample", "Compression", "PhotometricInterpretation"),
        *("SamplesPerPixel", "PlanarConfiguration", "YCbCrSubSampling", "YCbCrPositioning", "YCbCrCoefficients"),
        *("TransferFunction", "WhitePoint", "PrimaryChromaticities", "ReferenceBlackWhite"),
    )
}
_STORAGE |= {(_EXIF, name) for name in ("ColorSpace", "PixelXDimension", "PixelYDimension", "Gamma")}
_STORAGE |= {(_PHOTOSHOP, "ColorMode"), (_PHOTOSHOP, "ICCProfile"), (_XMP, "Thumbnails"), (_XMP, "PageImage")}
_STORAGE |= {(_DC, "format"), (_EXIF_EX, "Gamma")}
# Faces and panoramas: places in the picture as the original lay, and its sizes.
_PLACES = (
    "http://www.metadataworkinggroup.com/schemas/regions/",
    "http://ns.google.com/photos/1.0/panorama/",
    "http://ns.microsoft.com/photo/1.2/",
)


def fitted(xmp: bytes, *, moved: bool = False) -> bytes:
    """Removes what contradicts the pixels of the result: orientation, sizes, bits, format, color space, thumbnails.

    Develop settings of raw converters go too: programs would apply them to the result once more.

    Args:
        xmp: XMP of the original.
        moved: the pixels were turned or mirrored, so that places in the picture no longer hold.

    Returns:
        XMP that fits the upright sRGB result; the same bytes if there was nothing to remove.
    """
    document = parsed(xmp)
    root = rdf_of(document) if document else None
    if document is None or root is None:
        return xmp
    spaces = {_CAMERA_RAW, *(_PLACES if moved else ())}
    others = {
        (node.namespaceURI or "", node.localName or "")
        for description in descriptions(root)
        for node in (*description.attributes.values(), *description.childNodes)
        if node.namespaceURI in spaces
    }
    changed = remove(root, _STORAGE | others)
    return serialized(document) if changed else xmp


def serialized(document: Document) -> bytes:
    """The bytes of a packet."""
    # Some readers do not know an XML declaration inside of a packet.
    return b"".join(node.toxml("utf-8") for node in document.childNodes)


def parsed(xmp: bytes) -> Document | None:
    """The document of a packet; `None` if it is no XML, too large, or has entities."""
    # Entities are how XML grows in memory; XMP has no use for them.
    if len(xmp) > _LARGEST or b"<!" in xmp.replace(b"<!--", b"").replace(b"<![CDATA[", b""):
        return None
    try:
        # Readers pad packets, and some end them with a zero.
        return minidom.parseString(xmp.strip(b"\0 \t\r\n"))
    except (ExpatError, ValueError, LookupError, RecursionError):
        return None


def rdf_of(document: Document) -> Element | None:
    """The `rdf:RDF` element of a packet."""
    found = document.getElementsByTagNameNS(RDF, "RDF")
    return found[0] if found else None


def descriptions(root: Element) -> Iterator[Element]:
    """The `rdf:Description` elements of `rdf:RDF`."""
    for node in list(root.childNodes):
        if isinstance(node, Element) and (node.namespaceURI, node.localName) == (RDF, "Description"):
            yield node


def subject_of(root: Element) -> str:
    """What the descriptions of a packet are about."""
    # All descriptions of a packet must be about the same.
    return next((node.getAttributeNS(RDF, "about") for node in descriptions(root)), "")


def _elements(description: Element, space: str, name: str) -> list[Element]:
    return [
        node
        for node in description.childNodes
        if isinstance(node, Element) and (node.namespaceURI, node.localName) == (space, name)
    ]


def remove(root: Element, properties: Iterable[tuple[str, str]]) -> bool:
    """Removes properties, which XMP may hold as attributes or as elements.

    Args:
        root: the `rdf:RDF` element.
        properties: namespace and local name of each.

    Returns:
        Whether there was one of them.
    """
    properties, found = list(properties), False
    for description in descriptions(root):
        for space, name in properties:
            if description.hasAttributeNS(space, name):
                description.removeAttributeNS(space, name)
                found = True
            for element in _elements(description, space, name):
                description.removeChild(element)
                found = True
        says = any(isinstance(node, Element) for node in description.childNodes) or any(
            attribute.namespaceURI not in (XMLNS, RDF) for attribute in description.attributes.values()
        )
        if not says:
            root.removeChild(description)
    return found


def value_of(root: Element, space: str, name: str) -> str | None:
    """Reads the value of a simple property.

    Args:
        root: the `rdf:RDF` element.
        space: namespace of the property.
        name: its local name.

    Returns:
        The value; `None` if the property is missing.
    """
    for description in descriptions(root):
        if description.hasAttributeNS(space, name):
            return str(description.getAttributeNS(space, name))
        for element in _elements(description, space, name):
            return "".join(child.data for child in element.childNodes if child.nodeType == child.TEXT_NODE).strip()
    return None
