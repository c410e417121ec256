"""Picture files made for tests: EXIF with thumbnails, XMP, signed C2PA manifests."""

import datetime
import functools
import io
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import skimage.data
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from tools.provenance.findings import Finding, Provenance

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
PARENT = "xmp:iid:parent"
OFFLINE = {"verify": {"verify_after_sign": False, "remote_manifest_fetch": False}}


def photo(name: str = "astronaut", size: tuple[int, int] = (240, 160)) -> Image.Image:
    """A photograph that comes with scikit-image, at (width, height) px."""
    return Image.fromarray(getattr(skimage.data, name)()).convert("RGB").resize(size)


def saved(image: Image.Image, format: str = "JPEG", **options: Any) -> bytes:
    """The bytes of a picture file."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def of_kind(found: Provenance, kind: str) -> list[Finding]:
    """The findings of a kind."""
    return [it for it in found.findings if it.kind == kind]


# -- EXIF ----------------------------------------------------------------------------------------


def exif(
    main: Mapping[int, object] | None = None,
    photo: Mapping[int, object] | None = None,
    gps: Mapping[int, object] | None = None,
    thumbnail: bytes = b"",
) -> bytes:
    """EXIF for Pillow's `exif=`; values are texts, bytes, whole numbers or triples of them."""
    directories = [{**(main or {})}, {**(photo or {})}, {**(gps or {})}, dict[int, object]()]
    directories[0] |= {0x8769: 0, 0x8825: 0}
    if thumbnail:
        directories[3] = {0x0103: 6, 0x0201: 0, 0x0202: len(thumbnail)}
    starts, packed = [8, 0, 0, 0], list[bytes]()
    for _ in range(2):  # the second time, the places are known
        directories[0] |= {0x8769: starts[1], 0x8825: starts[2]}
        if thumbnail:
            directories[3][0x0201] = starts[3] + len(packed[3]) if packed else 0
        packed, at = [], 8
        for number, held in enumerate(directories):
            starts[number] = at
            following = starts[3] if number == 0 and thumbnail else 0
            packed.append(_directory(held, at, following))
            at += len(packed[-1])
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + b"".join(packed) + thumbnail


def _directory(values: Mapping[int, object], at: int, following: int) -> bytes:
    entries, rest = b"", b""
    place = at + 2 + 12 * len(values) + 4
    for tag, value in sorted(values.items()):
        kind, count, data = _value(value)
        if len(data) <= 4:
            entries += struct.pack("<HHI", tag, kind, count) + data.ljust(4, b"\0")
        else:
            entries += struct.pack("<HHII", tag, kind, count, place + len(rest))
            rest += data + b"\0" * (len(data) % 2)
    return struct.pack("<H", len(values)) + entries + struct.pack("<I", following) + rest


def _value(value: object) -> tuple[int, int, bytes]:
    if isinstance(value, str):
        data = value.encode() + b"\0"
        return 2, len(data), data
    if isinstance(value, bytes):
        return 7, len(value), value
    if isinstance(value, tuple):
        return 5, len(value), b"".join(struct.pack("<II", it, 1) for it in value)
    assert isinstance(value, int)
    return 4, 1, struct.pack("<I", value)


# -- XMP -----------------------------------------------------------------------------------------


def xmp(attributes: str = "", inside: str = "") -> bytes:
    """An XMP packet with one description."""
    spaces = {
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
        "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
        "exif": "http://ns.adobe.com/exif/1.0/",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
        "dcterms": "http://purl.org/dc/terms/",
    }
    declared = " ".join(f'xmlns:{name}="{uri}"' for name, uri in spaces.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {declared} {attributes}>{inside}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


# -- C2PA ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Certificates:
    """A signer's chain and key, and the root that it rests on, all PEM."""

    chain: bytes
    key: bytes
    root: str


@functools.cache
def certificates(signer: str) -> Certificates:
    """A root and a certificate that it issued to the signer, valid from yesterday."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate("Test Root", "Test Root", root_key, root_key)
    leaf = _certificate(signer, "Test Root", key, root_key)
    pem = serialization.Encoding.PEM
    return Certificates(
        leaf.public_bytes(pem) + root.public_bytes(pem),
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        root.public_bytes(pem).decode(),
    )


def _certificate(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    now, is_root = datetime.datetime.now(datetime.UTC), subject == issuer
    use = {"digital_signature": not is_root, "key_cert_sign": is_root, "crl_sign": is_root}
    others = (
        "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "encipher_only", "decipher_only",
    )  # fmt: skip
    built = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**use, **dict.fromkeys(others, False)), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if not is_root:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        built = built.add_extension(usage, critical=True)
    return built.sign(issuer_key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Unmask Test"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def signed(
    data: bytes,
    *,
    actions: Sequence[Mapping[str, object]] = (),
    format: str = "image/jpeg",
    parent: bytes = b"",
    signer: str = "Test Signer",
) -> bytes:
    """The file with a C2PA manifest that lists the actions, signed by a test certificate."""
    import c2pa

    held = certificates(signer)
    manifest = {
        "claim_generator_info": [{"name": "Test Painter", "version": "1.0"}],
        "title": "made.jpg",
        "format": format,
        "assertions": [{"label": "c2pa.actions", "data": {"actions": list(actions)}}],
    }
    context = c2pa.Context.from_dict({**OFFLINE, "builder": {"thumbnail": {"enabled": False}}})
    info = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, held.chain, held.key, None)
    builder, made = c2pa.Builder(json.dumps(manifest), context=context), io.BytesIO()
    if parent:
        described = {"title": "parent.jpg", "relationship": "parentOf", "instance_id": PARENT}
        builder.add_ingredient(json.dumps(described), "image/jpeg", io.BytesIO(parent))
    builder.sign(c2pa.Signer.from_info(info), format, io.BytesIO(data), made)
    return made.getvalue()


def noise(seed: int = 0, size: tuple[int, int] = (32, 24)) -> Image.Image:
    """A small picture without content."""
    drawn = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(drawn)
