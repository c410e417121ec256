"""Read CSV-like tables in any common encoding, with any delimiter and line ends.

Cells are separated by commas, semicolons (spreadsheets of many countries) or tabs and may be
quoted. Paths may come from Windows, or from `manifest_file.write` for names that are not valid
UTF-8.
"""

import csv
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from tools.media.paths import is_file

_SEPARATORS = ",;\t"


def reader_of(path: Path, columns: Sequence[str], *, strict: bool = False) -> "csv.DictReader[str]":
    """Reader of the lines below the header, which should contain most of `columns`.

    Raises UnicodeDecodeError for undecodable bytes if `strict`; otherwise they stand for the same
    bytes in file names.
    """
    text = _text(path, errors="strict" if strict else "surrogateescape")
    header = re.split(r"[\r\n]", text, maxsplit=1)[0]
    separator = max(_SEPARATORS, key=lambda it: len({*columns} & {*_cells(header, it)}))
    # Not `splitlines`: names may contain characters that it treats as line ends.
    lines = io.StringIO(text, newline="")
    reader = csv.DictReader(
        lines, delimiter=separator, skipinitialspace=True, strict=strict,
        restval=None if strict else "", restkey=None if strict else "",
    )  # fmt: skip
    reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
    return reader


def _text(path: Path, *, errors: str) -> str:
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # "Unicode text" of spreadsheets
        return data.decode("utf-16")
    return data.decode("utf-8-sig", errors=errors)


def _cells(header: str, separator: str) -> list[str]:
    rows = csv.reader([header], delimiter=separator, skipinitialspace=True)
    return [cell.strip() for cell in next(rows, [])]


def path_below(base: Path, text: str) -> str:
    r"""The path in a cell, with forward slashes, relative to the folder `base`.

    Tries the exact name first, then a name with undecodable bytes escaped as `\xff`, then Windows
    separators.
    """
    plain = text.strip()
    if plain == text and "\\" not in text:
        return PurePosixPath(text).as_posix() if text else ""
    for name in (text, plain, _with_bytes(text)):
        if name and is_file(base / name):
            return PurePosixPath(name).as_posix()
    return PurePosixPath(plain.replace("\\", "/")).as_posix() if plain else ""


def _with_bytes(text: str) -> str:
    data = text.encode("utf-8", errors="surrogateescape")
    return os.fsdecode(re.sub(rb"\\x([0-9a-f]{2})", lambda it: bytes([int(it[1], 16)]), data))
