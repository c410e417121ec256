"""An XMP packet as a flat list of properties.

The parser refuses document types and so entities: a packet needs none, and they can be made to
fill the memory. Nothing is fetched.
"""

from dataclasses import dataclass
from xml.parsers import expat

PACKET_BYTES_MOST = 4_000_000
_PROPERTIES_MOST = 5000
_TEXT_MOST = 20_000

_DC, _XAP = "http://purl.org/dc/terms/", "http://ns.adobe.com/xap/1.0/"
PREFIXES = {
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
    _XAP: "xmp",
    f"{_XAP}mm/": "xmpMM",
    f"{_XAP}sType/ResourceEvent#": "stEvt",
    f"{_XAP}sType/ResourceRef#": "stRef",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    _DC: "dcterms",
}
"""Namespaces whose properties are used."""


class MalformedPacket(ValueError):
    """An XMP packet that is no well-formed XML, or that holds what a packet never needs."""


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a packet: `name` with its usual prefix (`xmp:CreatorTool`), `value` as text."""

    name: str
    value: str


def parse_packet(packet: bytes) -> list[Property]:
    """The properties in document order, those without text left out; raises MalformedPacket."""
    text = _decoded(packet[:PACKET_BYTES_MOST])
    return _Reader().read(text) if text else []


def _decoded(packet: bytes) -> str:
    wide = b"\0" in packet[:200]
    encoding = "utf-8-sig"
    if wide:
        encoding = "utf-16" if packet[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-16-be"
        if packet[1:2] == b"\0":
            encoding = "utf-16-le"
    return packet.decode(encoding, "replace").strip("\0 \r\n\t\ufeff")


class _Reader:
    """Collects attributes and the text of elements without children."""

    def __init__(self) -> None:
        self._found: list[Property] = []
        self._open: list[str] = []
        self._text: list[str] = []

    def read(self, text: str) -> list[Property]:
        parser = expat.ParserCreate("utf-8", " ")
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(text.encode("utf-8", "replace"), True)
        except expat.ExpatError as error:
            raise MalformedPacket(str(error)) from error
        return self._found

    def _refuse(self, *_: object) -> None:
        raise MalformedPacket("it declares a document type")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(_short(name))
        self._text.clear()
        for key, value in attributes.items():
            self._add(_short(key), value)

    def _end(self, _name: str) -> None:
        name = self._open.pop()
        value = "".join(self._text).strip()
        self._text.clear()
        if value:
            # An item of a list belongs to the property that holds the list.
            named = [it for it in [*self._open, name] if not it.startswith("rdf:")]
            self._add(named[-1] if named else name, value)

    def _characters(self, data: str) -> None:
        if len(self._text) < 100:
            self._text.append(data[:_TEXT_MOST])

    def _add(self, name: str, value: str) -> None:
        if len(self._found) < _PROPERTIES_MOST and ":" in name and value.strip():
            self._found.append(Property(name, value.strip()[:_TEXT_MOST]))


def _short(name: str) -> str:
    space, _, local = name.rpartition(" ")
    return f"{PREFIXES[space]}:{local}" if space in PREFIXES else local
