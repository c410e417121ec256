"""Tables as people have them: text with or without a mark of its encoding, with any line ends.

Cells are separated by commas, semicolons (spreadsheets of many countries) or tabs, may be quoted,
and paths may have been written on Windows, or by `manifest_file.write` for names that are no text.
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
    """The lines of a table below its header, in which most of `columns` should be.

    Raises UnicodeDecodeError, when `strict`, for bytes that are no text; otherwise they stand for
    the same bytes in the names of files.
    """
    text = _text(path, errors="strict" if strict else "surrogateescape")
    header = re.split(r"[\r\n]", text, maxsplit=1)[0]
    separator = max(_SEPARATORS, key=lambda it: len({*columns} & {*_cells(header, it)}))
    # Not `splitlines`: names may hold signs that it takes for the end of a line.
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
    r"""The path in a cell, with forward slashes, below the folder `base`.

    A file that is called exactly so is meant first, then one in whose name bytes that are no
    UTF-8 were written as `\xff`, then one written with Windows' separators.
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
