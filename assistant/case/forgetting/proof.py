"""The proof of a deletion: a small signed JSON file without a face, a name or a path.

It says when, what kind of subject, and how much was deleted. The subject is a salted scrypt hash,
and the salt stands beside it: a person who has the photo (or knows the case's id) can check that a
proof is about it, and nobody can read the photo's own hash from it. The name of a gallery can be
guessed; scrypt makes every guess slow.

Does not show: that nothing else existed. The counts are what Unmask found below its data folder.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.case.forgetting.request import Kind, salted_hash
from assistant.case.signed.signing import SigningKeys
from tools.media.private_files import open_private, private_folder

_PURPOSE = "deletion by Unmask, version 1"


@dataclass(frozen=True, slots=True)
class Proof:
    """A deletion: `at` (UTC, ISO 8601), `kind`, `counts` of what was deleted by category.

    `subject` is the salted hash (64 hex digits) with its `salt` (32 hex digits). `interrupted` is
    true if it took more than one run. `key` names the key and `signature` is hex; both are empty if
    no key could be used.
    """

    at: str
    kind: Kind
    counts: Mapping[str, int]
    salt: str
    subject: str
    interrupted: bool = False
    key: str = ""
    signature: str = ""

    @property
    def message(self) -> bytes:
        """The signed bytes."""
        told = [_PURPOSE, self.at, self.kind, dict(self.counts), self.salt, self.subject,
                self.interrupted]  # fmt: skip
        return json.dumps(told, sort_keys=True, ensure_ascii=True).encode()

    def is_about(self, kind: Kind, key: str) -> bool:
        """Whether this is the proof of a subject's deletion."""
        return (
            kind == self.kind and salted_hash(kind, key, bytes.fromhex(self.salt)) == self.subject
        )


def write_proof(
    home: Path, keys: SigningKeys, *, kind: Kind, counts: Mapping[str, int], salt: str,
    subject: str, interrupted: bool,
) -> tuple[Path, Proof]:  # fmt: skip
    """Sign and store a proof; returns its file and the proof. Raises OSError."""
    now = datetime.now(UTC)
    bare = Proof(now.isoformat(timespec="seconds"), kind, dict(counts), salt, subject, interrupted)
    signed = keys.sign_message(bare.message)
    proof = bare if signed is None else Proof(**{**asdict(bare), "key": signed[0],
                                                 "signature": signed[1]})  # fmt: skip
    folder = private_folder(proofs_folder(home))
    path = folder / f"{now.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}.json"
    with open_private(path) as file:
        file.write(json.dumps(asdict(proof), indent=1) + "\n")
    return path, proof


def list_proofs(home: Path, keys: SigningKeys) -> list[tuple[Path, Proof | None, str]]:
    """All proofs, oldest first, each with "valid" or the reason why it proves nothing.

    The proof is None if its file cannot be read.
    """
    return [(path, *_read(path, keys)) for path in sorted(proofs_folder(home).glob("*.json"))]


def proofs_folder(home: Path) -> Path:
    """The folder of all proofs in a data folder."""
    return home / "proofs"


def _read(path: Path, keys: SigningKeys) -> tuple[Proof | None, str]:
    try:
        data: Any = json.loads(path.read_text("utf-8"))
        proof = Proof(**data)
        message = proof.message
    except (OSError, ValueError, TypeError):
        return None, "damaged"
    if not proof.signature:
        return proof, "not signed"
    if keys.id != proof.key:
        return proof, f"cannot be checked: signed with the key {proof.key}, not with the one here"
    if keys.verify_message(message, key=proof.key, signature=proof.signature):
        return proof, "valid"
    return proof, "was changed"
