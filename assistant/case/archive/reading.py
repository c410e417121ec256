"""Read a bundle without trusting it: names, sizes, kinds, hashes and the signature are checked.

Nothing is unpacked by the names in the file: every destination is made here. Raises SetupError,
one line that says what is wrong, for anything that is not a whole and unchanged bundle.
"""

import hashlib
import json
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from assistant.case.archive.layout import (
    FORMAT,
    MAX_BYTES,
    MAX_FILES,
    MAX_RATIO,
    MAX_TEXT_BYTES,
    RATIO_FROM_BYTES,
    RECORD,
    SIGNATURE,
    SUM_LINE,
    SUMS,
    UNHASHED,
    is_known,
    signed_message,
)
from assistant.case.signed.entry import CaseEntry
from assistant.case.signed.signing import PublicKeys, SignedHead, key_name, signature_holds
from tools.errors import SetupError
from tools.media.file_names import printable

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_CASE_ID = re.compile(r"[0-9A-Za-z][\w-]{0,63}", re.ASCII)
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class ReceivedRecord:
    """The record in a bundle, as it is: entries, signed heads, and the signers' public keys."""

    case: str
    entries: tuple[CaseEntry, ...]
    heads: tuple[SignedHead, ...]
    signers: PublicKeys


class Bundle:
    """An opened bundle; `key` names the key that signed it, `exported` when (ISO 8601).

    Use `open_bundle`, which checks names, sizes and the signature. Hashes of files are checked as
    they are read.
    """

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive, self._path = archive, path
        self._members = self._checked_members()
        self._sums = self._listed_sums()
        signature = self._checked_signature()
        self.case, self.key = str(signature["case"]), str(signature["key"])
        self.exported = str(signature["exported"])

    @property
    def names(self) -> tuple[str, ...]:
        """The files whose hashes are listed."""
        return tuple(self._sums)

    def sha256(self, name: str) -> str:
        """The listed hash of a file."""
        return self._sums[name]

    @property
    def unpacked_bytes(self) -> int:
        """The size of all files."""
        return sum(it.file_size for it in self._members.values())

    def record(self) -> ReceivedRecord:
        """The case record; its chain and signatures are for `Case.verification` to judge."""
        try:
            data = json.loads(self.read(RECORD))
            signers = {
                key_name(raw): raw.hex() for raw in map(bytes.fromhex, data["signers"].values())
            }
            record = ReceivedRecord(
                str(data["case"]),
                tuple(_entry(row) for row in data["entries"]),
                tuple(SignedHead(**row) for row in data["heads"]),
                signers,
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._refused(f"its record is damaged ({type(error).__name__})") from error
        if record.case != self.case or not _CASE_ID.fullmatch(record.case) or not record.entries:
            raise self._refused("its record is not that of the case it names")
        return record

    def read(self, name: str) -> bytes:
        """A text or report, checked against its hash."""
        if name not in self._sums:
            raise self._refused(f"{name} is missing")
        parts = list[bytes]()
        self._copy(name, parts.append)
        return b"".join(parts)

    def extract(self, name: str, file: IO[bytes]) -> None:
        """Write a file's bytes, checked against its hash."""
        self._copy(name, file.write)

    def _copy(self, name: str, write: Callable[[bytes], object]) -> None:
        digest = hashlib.sha256()
        for block in self._blocks(name):
            digest.update(block)
            write(block)
        if name not in UNHASHED and digest.hexdigest() != self._sums[name]:
            raise self._refused(f"{name} was changed: its hash is not the listed one")

    def _blocks(self, name: str) -> Iterator[bytes]:
        left = self._members[name].file_size
        try:
            with self._archive.open(self._members[name]) as member:
                while block := member.read(_BLOCK):
                    left -= len(block)
                    if left < 0:
                        raise self._refused(f"{name} is larger than it says")
                    yield block
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise self._refused(f"{name} is damaged") from error

    def _checked_members(self) -> Mapping[str, zipfile.ZipInfo]:
        """The files by name, none of which can surprise."""
        members = self._archive.infolist()
        if len(members) > MAX_FILES:
            raise self._refused(f"it holds {len(members):,} files, more than {MAX_FILES:,}")
        found = dict[str, zipfile.ZipInfo]()
        for it in members:
            name = it.orig_filename
            if not is_known(name):
                raise self._refused(f"it holds {name[:80]!r}, which belongs in no bundle")
            if name in found:
                raise self._refused(f"it holds {name} twice")
            kind = stat.S_IFMT(it.external_attr >> 16)
            if kind not in (0, stat.S_IFREG):
                raise self._refused(f"{name} is a link or a device, not a file")
            if it.flag_bits & _ENCRYPTED or it.compress_type not in _METHODS:
                raise self._refused(f"{name} is encrypted, or packed in an unknown way")
            original = name.startswith(("photos/", "exhibits/"))
            if it.file_size > (MAX_BYTES if original else MAX_TEXT_BYTES):
                raise self._refused(f"{name} is too large")
            found[name] = it
        total, size = sum(it.file_size for it in members), self._path.stat().st_size
        if total > MAX_BYTES or (total > RATIO_FROM_BYTES and total > MAX_RATIO * size):
            raise self._refused(f"it would unpack to {total:,} bytes")
        for name in (SUMS, SIGNATURE, RECORD):
            if name not in found:
                raise self._refused(f"{name} is missing: it is not a bundle of a case, or cut off")
        return found

    def _listed_sums(self) -> Mapping[str, str]:
        lines = self._raw(SUMS).decode("utf-8", "replace").splitlines()
        matches = [SUM_LINE.fullmatch(line) for line in lines]
        sums = {match[2]: match[1] for match in matches if match}
        if len(sums) != len(lines) or {*sums, *UNHASHED} != {*self._members}:
            raise self._refused("its list of hashes does not name the files that are in it")
        return sums

    def _checked_signature(self) -> Mapping[str, Any]:
        try:
            given = json.loads(self._raw(SIGNATURE))
            fields = ("format", "case", "exported", "key", "public_key", "signature")
            format, case, at, key, public, signature = (str(given[name]) for name in fields)
            raw = bytes.fromhex(public)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._refused("its signature is damaged") from error
        if format != FORMAT:
            raise self._refused(f"its format is {format[:40]!r}; this version reads {FORMAT}")
        listed = hashlib.sha256(self._raw(SUMS)).hexdigest()
        message = signed_message(case, listed, key, at)
        if key_name(raw) != key or not signature_holds(
            message, public_key=public, signature=signature
        ):
            raise self._refused("its signature does not hold: a file or the list was changed")
        return dict(given)

    def _raw(self, name: str) -> bytes:
        return b"".join(self._blocks(name))

    def _refused(self, why: str) -> SetupError:
        return _refused(self._path, why)


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """Open a bundle and check names, sizes and signature."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield Bundle(archive, path)
    except (zipfile.BadZipFile, zlib.error, UnicodeDecodeError) as error:
        raise _refused(path, "it is no ZIP file, or it is cut off or damaged") from error
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error


def _entry(row: Mapping[str, Any]) -> CaseEntry:
    body = row["body"]
    if not isinstance(body, dict) or not isinstance(row["seq"], int):
        raise TypeError
    return CaseEntry(row["seq"], str(row["at"]), str(row["kind"]), body, str(row["hash"]))


def _refused(path: Path, why: str) -> SetupError:
    return SetupError(
        f"{printable(Path(path.name))!r} is not read: {why}; ask for it again, and change nothing"
    )
