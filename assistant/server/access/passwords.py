"""Passwords as they are stored: salted scrypt (RFC 7914), with its parameters beside each hash.

The cost is one of those that OWASP's Password Storage Cheat Sheet calls equally strong: 32 MiB of
memory, three times.
"""

import base64
import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass

from tools.errors import SetupError

SHORTEST, LONGEST = 12, 256
"""Characters of a password."""

_MOST_MEMORY = 128 * 1024 * 1024
_SALT_BYTES, _KEY_BYTES = 16, 32


@dataclass(frozen=True, slots=True)
class Cost:
    """scrypt's parameters: `n` is a power of two; memory is 128 · n · r bytes."""

    n: int = 2**15
    r: int = 8
    p: int = 3


COST = Cost()


def hashed(password: str, cost: Cost = COST) -> str:
    """What is stored of a password. Raises SetupError for one that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise SetupError(
            f"a password has {SHORTEST} to {LONGEST} characters: several words that are not "
            "known together are easy to remember"
        )
    salt = secrets.token_bytes(_SALT_BYTES)
    return _stored(cost, salt, _key(password, salt, cost))


def matches(password: str, stored: str | None) -> bool:
    """Whether it is the password; without one, the same work is done and the answer is no."""
    _, n, r, p, salt, key = (stored or _NOBODYS).split("$")
    made = _key(password[:LONGEST], base64.b64decode(salt), Cost(int(n), int(r), int(p)))
    return hmac.compare_digest(made, base64.b64decode(key)) and stored is not None


def _key(password: str, salt: bytes, cost: Cost) -> bytes:
    # The same characters, however a keyboard composes them.
    text = unicodedata.normalize("NFKC", password).encode("utf-8", "replace")
    return hashlib.scrypt(
        text, salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=_MOST_MEMORY, dklen=_KEY_BYTES
    )


def _stored(cost: Cost, salt: bytes, key: bytes) -> str:
    parts = (base64.b64encode(it).decode("ascii") for it in (salt, key))
    return "$".join(["scrypt", str(cost.n), str(cost.r), str(cost.p), *parts])


_NOBODYS = _stored(COST, bytes(_SALT_BYTES), bytes(_KEY_BYTES))
