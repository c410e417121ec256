"""What a bundle holds: names, limits and the signed list of hashes.

    README.txt       what this is, and how to check it without Unmask
    SHA256SUMS       a hash per file, as `sha256sum --check` reads it
    SIGNATURE.json   who signed that list: name of the key, public key, signature (Ed25519)
    record.json      the case record: its entries, signed heads and the public keys of their signers
    photos/          the query photos, named by sha256
    exhibits/        the hits' files as they were found, named by hit and sha256
    report.*         the report as HTML, PDF, JSON and CSV, and the JSON's schema

A name that does not fit is refused on import, so no name can lead out of the folder.
"""

import json
import re
from collections.abc import Mapping

FORMAT = "unmask-case/1"
README, SUMS, SIGNATURE, RECORD = "README.txt", "SHA256SUMS", "SIGNATURE.json", "record.json"
UNHASHED = (SUMS, SIGNATURE)
"""The files that cannot be on the list of hashes."""

_HASH, _EXTENSION = "[0-9a-f]{64}", r"(?:\.[a-z0-9]{1,5})?"
PHOTO = re.compile(rf"photos/(?P<sha256>{_HASH}){_EXTENSION}")
EXHIBIT = re.compile(rf"exhibits/H\d{{1,4}}_(?P<sha256>{_HASH})(?P<extension>{_EXTENSION})")
REPORT = re.compile(r"report\.(?:html|pdf|json|csv|schema\.json)")
SUM_LINE = re.compile(rf"({_HASH})  ([\w./-]{{1,200}})")

MAX_FILES = 2_000
MAX_TEXT_BYTES = 256 * 2**20
"""Largest record, report or list."""
MAX_BYTES = 64 * 2**30
MAX_RATIO, RATIO_FROM_BYTES = 100, 64 * 2**20
"""Contents larger than the second may not be more than the first times as large as the file."""


def is_known(name: str) -> bool:
    """Whether a file of this name belongs in a bundle."""
    fixed = name in (README, SUMS, SIGNATURE, RECORD)
    return fixed or any(form.fullmatch(name) for form in (PHOTO, EXHIBIT, REPORT))


def sums_text(hashes: Mapping[str, str]) -> str:
    """The list of hashes, by name."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))


def signed_message(case: str, sums_sha256: str, key: str, at: str) -> bytes:
    """The bytes that are signed: what the list of hashes was when it was exported."""
    return json.dumps([f"bundle of {FORMAT}", case, sums_sha256, key, at]).encode()


README_TEXT = """\
Case {case}, exported by Unmask on {at}
{line}

Begin with report.pdf or report.html. report.json holds the same for programs (described by
report.schema.json), report.csv a table of the hits.

photos/    the photos of the person that was searched for
exhibits/  the files that were found, unchanged, named by hit and sha256
record.json  every step of the case, each chained to the one before by its hash

To check every hash without Unmask:   sha256sum --check SHA256SUMS
To check hashes, chain and signatures: unmask cases verify FILE.zip
To compute everything again:           unmask cases replay FILE.zip
To continue the case:                  unmask cases import FILE.zip

The list of hashes is signed with the key {key}. Ask the person who gave you this file, by another
way, for the name of their key (`unmask cases key`).
{missing}"""
