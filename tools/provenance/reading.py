"""Reads what a file says about its origin: all readers, within limits of bytes and time."""

from collections.abc import Iterator
from pathlib import Path

from tools.errors import SetupError
from tools.media.pictures.decoding import image_id
from tools.media.pictures.metadata import UNMASK_MARK
from tools.media.pictures.opening import read_bytes
from tools.media.skip_reasons import UnreadableImage
from tools.provenance.content_credentials import credentials_findings
from tools.provenance.contradictions import date_findings, dimension_findings, location_findings
from tools.provenance.double_compression.signs import compression_findings, untouched_findings
from tools.provenance.findings import Finding, Provenance, clean, in_order, quoted
from tools.provenance.formats.exif import Exif, parse_exif
from tools.provenance.formats.file_parts import FileParts, take_apart
from tools.provenance.formats.jpeg_segments import read_segments
from tools.provenance.formats.xmp import MalformedPacket, Property, parse_packet
from tools.provenance.generator_texts import exif_findings, texts_findings
from tools.provenance.manifest_store import read_manifest_store
from tools.provenance.quantisation import tables_findings
from tools.provenance.thumbnails import thumbnail_findings
from tools.provenance.xmp_findings import xmp_findings

LOOKED_FOR = (
    "C2PA manifests",
    "IPTC source types and histories in XMP",
    "EXIF: camera, software, dates, dimensions, position, thumbnail",
    "texts of image generators",
    "JPEG quantisation tables",
    "signs of double JPEG compression",
)

_TRUST_BYTES_MOST = 4_000_000
_MAKE, _MODEL, _DESCRIPTION = 0x010F, 0x0110, 0x010E


def read_provenance(
    path: Path, *, trust_anchors: str = "", show_location: bool = False
) -> Provenance:
    """Read a file's provenance; raises UnreadableImage, which names the file, if it cannot be read.

    Any regular file of at most 256 MB will do: a damaged picture gives what can still be read, and
    a video its C2PA manifests. `trust_anchors` are PEM certificates of trusted signers.
    """
    try:
        data = read_bytes(path)
    except UnreadableImage as error:
        raise UnreadableImage(error.reason, error.detail, path=path) from error
    return provenance_of(data, trust_anchors=trust_anchors, show_location=show_location)


def provenance_of(
    data: bytes, *, trust_anchors: str = "", show_location: bool = False
) -> Provenance:
    """The provenance of a file's bytes; never raises because of what they hold."""
    held = read_manifest_store(data, trust_anchors=trust_anchors)
    found = list(credentials_findings(held, trust_given=bool(trust_anchors)))
    parts = take_apart(data)
    exif, properties = Exif(), list[Property]()
    try:
        exif = parse_exif(parts.exif) if parts.exif else exif
    except UnreadableImage:
        found.append(Finding("unread", "fact", "EXIF", "is there but malformed"))
    try:
        properties = parse_packet(parts.xmp) if parts.xmp else properties
    except MalformedPacket as error:
        text = f"is there but malformed: {quoted(error)}"
        found.append(Finding("unread", "fact", "XMP", text))
    found += xmp_findings(properties)
    found += texts_findings(parts.texts)
    found += exif_findings(exif)
    found += _of_exif(exif, parts, data)
    found += date_findings(exif, properties)
    found += dimension_findings(exif, properties, size=parts.size, format=parts.format)
    found += location_findings(exif, properties, show=show_location)
    if parts.jpeg is not None:
        thumbnail = read_segments(exif.thumbnail) if exif.thumbnail else None
        found += tables_findings(parts.jpeg, thumbnail)
        found += compression_findings(data)
        found += untouched_findings(exif, found)
    return Provenance(image_id(data), parts.format, in_order(found), LOOKED_FOR)


def read_trust_anchors(path: Path) -> str:
    """PEM certificates from a file, for `trust_anchors`; raises SetupError if it holds none."""
    try:
        with path.open("rb") as file:
            text = file.read(_TRUST_BYTES_MOST).decode("ascii", "replace")
    except OSError as error:
        raise SetupError(f"{str(path)!r}: {error.strerror or error}") from error
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise SetupError(f"{str(path)!r} holds no certificate in PEM format")
    return text


def _of_exif(exif: Exif, parts: FileParts, data: bytes) -> Iterator[Finding]:
    make, model = exif.text(_MAKE), exif.text(_MODEL)
    # Many a model repeats its make: "Canon EOS 5D".
    repeats = model.casefold().startswith(make.casefold().split(" ")[0])
    camera = model if model and repeats else " ".join(filter(None, (make, model)))
    if camera and not any(it.where in ("EXIF Make", "EXIF Model") for it in exif_findings(exif)):
        yield Finding("camera", "captured", "EXIF", f"names a camera: {quoted(camera)}")
    texts = [("EXIF ImageDescription", exif.text(_DESCRIPTION))]
    texts += [(f"text {clean(keyword)}", text) for keyword, text in parts.texts]
    for where, text in texts:
        if UNMASK_MARK in text:
            yield Finding("forgery mark", "edited", where, f"says {quoted(text)}")
    if exif.thumbnail:
        yield from thumbnail_findings(exif.thumbnail, data)
