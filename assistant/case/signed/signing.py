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
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from tools.media.private_files import open_private, private_folder, restrict_permissions

KEY_FILE, SIGNERS_FILE = "case-key.pem", "signers.json"
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


PublicKeys = Mapping[str, str]
"""Public keys (64 hex digits) by name."""


def key_name(raw: bytes) -> str:
    """The name of a public key (32 bytes): the start of its sha256, 16 hex digits."""
    return hashlib.sha256(raw).hexdigest()[:16]


def signature_holds(message: bytes, *, public_key: str, signature: str) -> bool:
    """Whether a public key (64 hex digits) made this signature (hex); False for malformed ones."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_signers(folder: Path) -> PublicKeys:
    """The public keys that came with an imported case; empty if there are none.

    A key whose name does not fit it is left out.
    """
    try:
        known = json.loads((folder / SIGNERS_FILE).read_text("utf-8"))
        return {key_name(raw): raw.hex() for raw in map(bytes.fromhex, known)}
    except (OSError, ValueError, TypeError):
        return {}


def write_signers(folder: Path, keys: PublicKeys) -> None:
    """Keep public keys beside a case. Raises OSError."""
    with open_private(folder / SIGNERS_FILE) as file:
        json.dump(sorted(keys.values()), file)


class SigningKeys:
    """The signing key of one user, in `folder`; created on the first signature."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trouble = ""
        """The reason why no key can be used; empty if there was no error."""

    @property
    def id(self) -> str:
        """The name of the existing key; empty if there is none or it cannot be read."""
        return "" if (key := self._loaded()) is None else key_name(_raw(key))

    @property
    def public_key(self) -> str:
        """The public half of the existing key, 64 hex digits; empty if there is none."""
        return "" if (key := self._loaded()) is None else _raw(key).hex()

    def ensure(self) -> str:
        """Make the key if there is none; its name, or "" with the reason in `trouble`."""
        return "" if (key := self._made()) is None else key_name(_raw(key))

    def sign(self, *, case: str, first: int, entries: int, hash: str) -> SignedHead | None:
        """A signed head; None, with the reason in `trouble`, if no key can be used or created."""
        key = self._made()
        if key is None:
            return None
        bare = SignedHead(case, first, entries, hash, key_name(_raw(key)), "")
        return SignedHead(case, first, entries, hash, bare.key, key.sign(bare.message).hex())

    def verify_head(self, head: SignedHead, *, others: PublicKeys | None = None) -> bool:
        """Whether the existing key, or one of the `others`, made its signature."""
        if self.verify_message(head.message, key=head.key, signature=head.signature):
            return True
        known = (others or {}).get(head.key, "")
        return signature_holds(head.message, public_key=known, signature=head.signature)

    def sign_message(self, message: bytes) -> tuple[str, str] | None:
        """The key's name and the signature (hex); None, with the reason in `trouble`, without one.

        A message begins with its purpose, so that no signature passes for one of another kind.
        """
        key = self._made()
        return None if key is None else (key_name(_raw(key)), key.sign(message).hex())

    def verify_message(self, message: bytes, *, key: str, signature: str) -> bool:
        """Whether the existing key has this name and made this signature (hex)."""
        mine = self.public_key
        return key == self.id and signature_holds(message, public_key=mine, signature=signature)

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


def _raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
