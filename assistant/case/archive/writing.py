"""Write a case as a bundle: record, photos, the hits' originals, reports, signed hashes."""

import hashlib
import json
import re
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from assistant.case.archive.layout import (
    FORMAT,
    README,
    README_TEXT,
    RECORD,
    SIGNATURE,
    SUMS,
    signed_message,
    sums_text,
)
from assistant.case.exhibits import find_exhibit
from assistant.case.record import Case
from assistant.case.signed.signing import read_signers
from assistant.case.signed.verification import is_intact
from tools.errors import SetupError
from tools.media.file_names import printable
from tools.media.private_files import open_private
from tools.search.results import Findings


def write_bundle(
    path: Path, case: Case, findings: Findings | None, reports: Mapping[str, str | bytes]
) -> Path:
    """Write the bundle and return its path; an earlier file stays until the new one is whole.

    `findings` are the hits whose files are included; `reports` are further files by name. Files
    that are missing or changed are left out, and README.txt names them. Raises SetupError for a
    record that does not verify, without a signing key, or if the file cannot be written.
    """
    problems = case.verification().problems
    if problems:
        raise SetupError(
            f"case {case.id!r} is not exported, because its record is not intact: {problems[0]}"
        )
    key, public = case.keys.ensure(), case.keys.public_key
    if not key:
        raise SetupError(f"case {case.id!r} cannot be signed: {case.keys.trouble}")
    draft = path.with_name(f".{secrets.token_hex(6)}.part")
    at = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        with open_private(draft, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            sums, missing = _write_files(archive, case, findings, reports)
            title = README_TEXT.format(
                case=case.id, at=at, line="=" * (32 + len(case.id) + len(at)), key=key,
                missing="".join(f"\nNot included: {it}" for it in missing) + "\n",
            )  # fmt: skip
            sums[README] = _write_text(archive, README, title)
            listed = _write_text(archive, SUMS, sums_text(sums))
            signed = case.keys.sign_message(signed_message(case.id, listed, key, at))
            signature = {
                "format": FORMAT, "case": case.id, "exported": at, "key": key,
                "public_key": public, "signature": signed[1] if signed else "",
            }  # fmt: skip
            _write_text(archive, SIGNATURE, json.dumps(signature, indent=1) + "\n")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise SetupError(f"the bundle {printable(path)!r} cannot be written: {reason}") from error
    return path


def _write_files(
    archive: zipfile.ZipFile,
    case: Case,
    findings: Findings | None,
    reports: Mapping[str, str | bytes],
) -> tuple[dict[str, str], list[str]]:
    """Everything but the list of hashes; the hashes by name, and what is missing."""
    sums = {RECORD: _write_text(archive, RECORD, _record(case))}
    for name, content in reports.items():
        sums[name] = _write_text(archive, name, content)
    missing = list[str]()
    for name, file, sha256, what in (*_photos(case), *_exhibits(case, findings)):
        if file is None:
            missing.append(f"{what}, sha256 {sha256} (missing, or changed since it was recorded)")
        elif name not in sums:
            sums[name] = _write_file(archive, name, file)
    return sums, missing


def _record(case: Case) -> str:
    signers = dict(read_signers(case.folder))
    if case.keys.id:
        signers[case.keys.id] = case.keys.public_key
    return json.dumps(
        {
            "format": FORMAT,
            "case": case.id,
            "entries": [asdict(entry) for entry in case.entries()],
            "heads": [asdict(head) for head in case.heads()],
            "signers": signers,
        },
        ensure_ascii=False, indent=1,
    )  # fmt: skip


_EXTENSION = re.compile(r"\.[a-z0-9]{1,5}")

_Listed = tuple[str, Path | None, str, str]
"""Name in the bundle, file (None if it is missing or changed), sha256, and what it is."""


def _photos(case: Case) -> Iterator[_Listed]:
    for handle, copy in case.photos().items():
        intact = copy if is_intact(copy) else None
        yield f"photos/{copy.name}", intact, copy.name, f"query photo {handle}"


def _exhibits(case: Case, findings: Findings | None) -> Iterator[_Listed]:
    for hit in () if findings is None else findings.hits:
        sha256 = hit.image_id.partition("@")[0]
        found = find_exhibit(case, sha256, hit.paths)
        extension = _EXTENSION.fullmatch((found or hit.path).suffix.lower())
        suffix = extension[0] if extension else ""
        yield f"exhibits/{hit.handle}_{sha256}{suffix}", found, sha256, f"exhibit {hit.handle}"


def _write_text(archive: zipfile.ZipFile, name: str, content: str | bytes) -> str:
    data = content.encode("utf-8") if isinstance(content, str) else content
    archive.writestr(_info(name), data, zipfile.ZIP_DEFLATED)
    return hashlib.sha256(data).hexdigest()


def _write_file(archive: zipfile.ZipFile, name: str, file: Path) -> str:
    """Copy a file; the hash is that of the bytes that were written."""
    digest = hashlib.sha256()
    info = _info(name)
    info.file_size = file.stat().st_size
    with file.open("rb") as given, archive.open(info, "w") as member:
        while block := given.read(1 << 20):
            digest.update(block)
            member.write(block)
    return digest.hexdigest()


def _info(name: str) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name, datetime.now().timetuple()[:6])
    made.external_attr = 0o100600 << 16  # a regular file, its owner's only
    return made
