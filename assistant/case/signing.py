"""Sign case records with an Ed25519 key; key and latest signed heads are stored apart from cases.

The signed head of a record consists of its number of entries and the newest entry's hash. The
user's key is created on first use in the configuration folder. The newest head of every case is
kept beside it, so that an older state of a record, or one without its signature, does not pass for
the present one.

Does not show: changes by a person who has the key, or who can write beside it: they can sign again.
"""

import contextlib
import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from tools.media.private_files import open_private, private_folder, restrict_permissions

KEY_FILE = "case-key.pem"
_HEADS = "heads"
_PURPOSE = "head of an Unmask case record, version 1"


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A signed head: `case` has `entries` entries, the newest with `hash`.

    `first` is the first entry that was signed when it was written (1: all of them); `key` names the
    key, `signature` is hex.
    """

    case: str
    first: int
    entries: int
    hash: str
    key: str
    signature: str

    @property
    def message(self) -> bytes:
        """The signed bytes."""
        told = [_PURPOSE, self.case, self.first, self.entries, self.hash, self.key]
        return json.dumps(told, ensure_ascii=True).encode()


class SigningKeys:
    """The signing key of one user, in `folder`; created on the first signature."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trouble = ""
        """The reason why no key can be used; empty if there was no error."""

    @property
    def id(self) -> str:
        """The name of the existing key; empty if there is none or it cannot be read."""
        return "" if (key := self._loaded()) is None else _name(key)

    def sign(self, *, case: str, first: int, entries: int, hash: str) -> SignedHead | None:
        """A signed head; None, with the reason in `trouble`, if no key can be used or created."""
        key = self._made()
        if key is None:
            return None
        bare = SignedHead(case, first, entries, hash, _name(key), "")
        return SignedHead(case, first, entries, hash, bare.key, key.sign(bare.message).hex())

    def verify_head(self, head: SignedHead) -> bool:
        """Whether the existing key made this signature."""
        return self.verify_message(head.message, key=head.key, signature=head.signature)

    def sign_message(self, message: bytes) -> tuple[str, str] | None:
        """The key's name and the signature (hex); None, with the reason in `trouble`, without one.

        A message begins with its purpose, so that no signature passes for one of another kind.
        """
        key = self._made()
        return None if key is None else (_name(key), key.sign(message).hex())

    def verify_message(self, message: bytes, *, key: str, signature: str) -> bool:
        """Whether the existing key has this name and made this signature (hex)."""
        mine = self._loaded()
        if mine is None or key != _name(mine):
            return False
        try:
            mine.public_key().verify(bytes.fromhex(signature), message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def keep(self, head: SignedHead) -> None:
        """Store the newest head of a case beside the key."""
        place = self._place(head.case)
        with contextlib.suppress(OSError):  # then only the record's own copy exists
            private_folder(place.parent)
            draft = place.with_suffix(f".{secrets.token_hex(4)}")
            with open_private(draft) as file:
                json.dump(asdict(head), file)
            draft.replace(place)

    def drop(self, case: str) -> None:
        """Delete the stored head of a case that was deleted. Raises OSError."""
        self._place(case).unlink(missing_ok=True)

    def latest_head(self, case: str) -> SignedHead | None:
        """The newest stored head of a case, signed by any key; None if there is none."""
        try:
            head = SignedHead(**json.loads(self._place(case).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return head if head.case == case else None

    def _place(self, case: str) -> Path:
        return self.folder / _HEADS / f"{case}.json"

    def _made(self) -> Ed25519PrivateKey | None:
        """The key, created if there is none."""
        file = self.folder / KEY_FILE
        try:
            if not file.exists():
                private_folder(self.folder)
                _write_once(file)
        except OSError as error:
            self.trouble = f"no signing key can be made in {self.folder} ({error.strerror})"
            return None
        return self._loaded()

    def _loaded(self) -> Ed25519PrivateKey | None:
        file = self.folder / KEY_FILE
        restrict_permissions(file)
        try:
            key = load_pem_private_key(file.read_bytes(), password=None)
        except FileNotFoundError:
            self.trouble = f"there is no signing key in {self.folder}"
            return None
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if isinstance(key, Ed25519PrivateKey):
            self.trouble = ""
            return key
        self.trouble = f"the signing key {file} cannot be read: restore it, or move it away"
        return None


def _write_once(file: Path) -> None:
    """Put a new key in place atomically; if another process was faster, its key stays."""
    draft = file.with_suffix(f".{secrets.token_hex(4)}")
    with open_private(draft, "wb") as out:
        out.write(
            Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
        )
        out.flush()
        os.fsync(out.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    except OSError:  # a file system without links
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _name(key: Ed25519PrivateKey) -> str:
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]
