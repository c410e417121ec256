"""What the decoder process and its parent write to each other.

A message is a JSON object and, behind it, any number of bytes: `>II` with both lengths, then both.
Nothing that is read can run code.
"""

import json
import struct
from collections.abc import Mapping
from typing import IO, Any

_LENGTHS = struct.Struct(">II")
_LONGEST_HEADER = 64 * 1024 * 1024


class Closed(Exception):
    """The other side is gone, or wrote something that is no message."""


def send(pipe: IO[bytes], header: Mapping[str, Any], body: "bytes | memoryview" = b"") -> None:
    """Write one message. Raises OSError if nobody reads."""
    text = json.dumps(header).encode("ascii")
    size = memoryview(body).nbytes
    _write(pipe, memoryview(_LENGTHS.pack(len(text), size) + text))
    if size:
        _write(pipe, memoryview(body).cast("B"))


def receive(pipe: IO[bytes]) -> tuple[dict[str, Any], bytearray]:
    """Read one message. Raises Closed."""
    header_length, body_length = _LENGTHS.unpack(_read(pipe, _LENGTHS.size))
    if header_length > _LONGEST_HEADER:
        raise Closed
    try:
        header = json.loads(_read(pipe, header_length))
    except (ValueError, RecursionError) as error:
        raise Closed from error
    if not isinstance(header, dict):
        raise Closed
    return header, _read(pipe, body_length)


def _write(pipe: IO[bytes], rest: memoryview) -> None:
    while len(rest):
        rest = rest[pipe.write(rest) :]


def _read(pipe: IO[bytes], length: int) -> bytearray:
    whole = bytearray(length)
    rest = memoryview(whole)
    while len(rest):
        got = pipe.readinto(rest)  # type: ignore[attr-defined]
        if not got:
            raise Closed
        rest = rest[got:]
    return whole
