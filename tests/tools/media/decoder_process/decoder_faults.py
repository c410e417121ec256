"""What bad decoders do, for the decoder process to survive: run there by name."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.media.decoder_process.limits import MEMORY_BYTES

Answers = Iterator[tuple[dict[str, Any], bytes]]


def fill_memory(_: bytes) -> Answers:
    """Ask for more than is allowed."""
    bytearray(MEMORY_BYTES * 11 // 10)
    yield {}, b""


def crash(_: bytes) -> Answers:
    """As a decoder that writes beyond its memory."""
    os.kill(os.getpid(), signal.SIGSEGV)
    yield {}, b""


def be_killed(_: bytes) -> Answers:
    """As by a system that is out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    yield {}, b""


def spin(_: bytes) -> Answers:
    """Never end."""
    while True:
        pass
    yield {}, b""


def speak(data: bytes) -> Answers:
    """Print, as libraries do, and answer."""
    print("warning: this is no message")
    os.write(1, b"nor this")
    sys.stderr.write("nor that")
    yield {"length": len(data)}, data[::-1]


def write_a_file(_: bytes, *, to: str) -> Answers:
    """Try to leave something on the disk."""
    try:
        Path(to).write_bytes(b"x" * 10)
    except OSError as error:
        yield {"error": type(error).__name__, "left": Path(to).stat().st_size}, b""
    else:
        yield {"error": ""}, b""


def count(_: bytes, *, to: int) -> Answers:
    """Several answers."""
    for number in range(to):
        yield {"number": number, "process": os.getpid()}, bytes(number)
