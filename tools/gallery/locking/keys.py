"""Keys of locked folders: a passphrase or a key file, both as the `age` tool knows them.

Data is encrypted to an X25519 identity. A key file holds the identity itself and lies elsewhere.
For a passphrase a new identity is made, and beside the archive lies only that identity encrypted
with the passphrase (scrypt, about 3 s a guess): `age -d -i locked.key.age locked.age` opens it too.

Does not show: passphrases that can be guessed. Without passphrase or key file nobody can open it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyrage

from tools.errors import SetupError
from tools.gallery.locking.state import WRAPPED_KEY
from tools.media.file_names import printable
from tools.media.private_files import write_private

SHORTEST_PASSPHRASE = 10
"""Characters; a random one of this length, or four words, withstands offline guessing."""

_PREFIX = "AGE-SECRET-KEY-"


@dataclass(frozen=True, slots=True)
class LockKey:
    """A key to lock with; `wrapped` is what is stored beside the archive, for a passphrase."""

    identity: pyrage.x25519.Identity = field(repr=False)
    wrapped: bytes | None = None


KeyFinder = Callable[[Path], pyrage.x25519.Identity]
"""From a locked folder to the identity that opens it. Raises SetupError for a wrong key."""


def passphrase_key(passphrase: str) -> LockKey:
    """A new key that the passphrase opens. Raises SetupError for a short passphrase."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise SetupError(
            f"the passphrase is too short: take at least {SHORTEST_PASSPHRASE} characters, or four "
            "words"
        )
    identity = pyrage.x25519.Identity.generate()
    wrapped = pyrage.passphrase.encrypt(f"{identity}\n".encode(), passphrase, armored=True)
    return LockKey(identity, wrapped)


def write_key_file(path: Path) -> str:
    """Write a new key file, owner-only; returns the public key. Raises SetupError if it exists."""
    if path.exists():
        raise SetupError(f"{printable(path)!r} exists already: choose another name for the key")
    identity = pyrage.x25519.Identity.generate()
    text = (
        f"# A key of Unmask, in the age format\n# public key: {identity.to_public()}\n{identity}\n"
    )
    write_private(path, text, what="key file")
    return str(identity.to_public())


def read_key_file(path: Path) -> LockKey:
    """The key in a file, as `age-keygen` and `unmask lock --new-key` write it; SetupError."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise SetupError(
            f"the key file {printable(path)!r} cannot be read ({error.strerror}); "
            "`unmask lock --new-key FILE` makes one"
        ) from error
    found = [line.strip() for line in lines if line.strip().startswith(_PREFIX)]
    try:
        (line,) = found
        return LockKey(pyrage.x25519.Identity.from_str(line))
    except (ValueError, pyrage.IdentityError) as error:
        raise SetupError(
            f"{printable(path)!r} is no key file: it needs one line that begins with "
            f"{_PREFIX}1…; `unmask lock --new-key FILE` makes one"
        ) from error


@dataclass(frozen=True)
class PassphraseFinder:
    """Opens the keys that a passphrase protects; equal ones, of one `lock --all`, only once."""

    passphrase: str = field(repr=False)
    _known: dict[bytes, pyrage.x25519.Identity] = field(default_factory=dict, repr=False)

    def __call__(self, folder: Path) -> pyrage.x25519.Identity:
        """The identity that opens a folder. Raises SetupError."""
        try:
            wrapped = (folder / WRAPPED_KEY).read_bytes()
        except FileNotFoundError as error:
            raise SetupError(
                "it was locked with a key file: name that file with --key-file"
            ) from error
        if wrapped not in self._known:
            try:
                text = pyrage.passphrase.decrypt(wrapped, self.passphrase).decode("ascii")
                self._known[wrapped] = pyrage.x25519.Identity.from_str(text.strip())
            except (pyrage.DecryptError, pyrage.IdentityError, UnicodeDecodeError) as error:
                raise SetupError("the passphrase is wrong: nothing was changed") from error
        return self._known[wrapped]


def key_file_finder(path: Path) -> KeyFinder:
    """Opens folders that were locked with a key file. Raises SetupError."""
    key = read_key_file(path)

    def find(folder: Path) -> pyrage.x25519.Identity:
        if (folder / WRAPPED_KEY).is_file():
            raise SetupError(
                "it was locked with a passphrase: leave out --key-file, and unset UNMASK_KEY_FILE"
            )
        return key.identity

    return find
