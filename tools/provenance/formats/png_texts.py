"""The text chunks of a PNG, read from the bytes within limits, also from a file that is cut off."""

import zlib
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNKS_MOST = 20_000
_TEXTS_MOST = 200
_TEXT_BYTES_MOST = 2_000_000
XMP_KEYWORD = "XML:com.adobe.xmp"


def read_texts(data: bytes) -> list[tuple[str, str]]:
    """Keyword and text of every tEXt, zTXt and iTXt chunk, at most 200; longer texts are cut off.

    Text that does not decompress is left out.
    """
    texts = list[tuple[str, str]]()
    for name, body in _chunks(data):
        if name in (b"tEXt", b"zTXt", b"iTXt") and len(texts) < _TEXTS_MOST:
            read = _text(name, body)
            if read is not None:
                texts.append(read)
    return texts


def read_chunk(data: bytes, wanted: bytes) -> bytes:
    """The first chunk of that name, such as `eXIf`; empty if there is none."""
    return next((body for name, body in _chunks(data) if name == wanted), b"")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    if not data.startswith(_SIGNATURE):
        return
    for _ in range(_CHUNKS_MOST):
        length = int.from_bytes(data[at : at + 4])
        if at + 12 + length > len(data):
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def _text(name: bytes, body: bytes) -> tuple[str, str] | None:
    keyword, _, rest = body.partition(b"\0")
    packed, encoding = name == b"zTXt", "latin-1"
    if packed:
        rest = rest[1:]
    if name == b"iTXt":
        packed, encoding = rest[:1] == b"\1", "utf-8"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    if packed:
        try:
            rest = zlib.decompressobj().decompress(rest, _TEXT_BYTES_MOST)
        except zlib.error:
            return None
    text = rest[:_TEXT_BYTES_MOST].decode(encoding, "replace")
    return keyword[:80].decode("latin-1"), text
