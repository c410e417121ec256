"""File names as printable text: on Unix they are bytes and need not be UTF-8."""

import os
from pathlib import Path


def printable(path: Path) -> str:
    """A path as text that JSON and terminals accept; undecodable bytes are escaped."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


def encodable(text: str) -> str:
    r"""Escape lone surrogates in text that may contain such a path: `\xff`."""
    try:
        data = text.encode("utf-8", errors="surrogateescape")
    except UnicodeEncodeError:  # surrogates that encode no byte
        data = text.encode("utf-8", errors="surrogatepass")
    return data.decode("utf-8", errors="backslashreplace")
