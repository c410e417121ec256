"""Idempotency keys: a repeated request does not begin the same work twice.

A client sends `Idempotency-Key` with requests that create something. The same key with the same
content answers with what the first request made; with other content it is refused.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from fastapi import Header

from assistant.server.access.roles import Identity
from assistant.server.problems import Problem
from assistant.server.work.ledger import Ledger
from tools.media.hashing import file_sha256

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=128, pattern=r"^[!-~]+$",
        description="The same key and content: the same result, not another one.",
    ),
]  # fmt: skip


class Claim:
    """What a key made before, if anything; otherwise `made` is to be set."""

    def __init__(self, earlier: str | None = None) -> None:
        self.earlier = earlier
        self.made: str | None = None


@contextlib.contextmanager
def claimed(
    ledger: Ledger, who: Identity, key: str | None, fields: Sequence[object], files: Sequence[Path]
) -> Iterator[Claim]:
    """Claim a key for a request of these fields and files; a failure frees it again.

    Raises Problem: 422 if the key was used for another request, 409 if that still runs.
    """
    if key is None:
        yield Claim()
        return
    told = [repr(tuple(fields)), *(f"{it.name} {file_sha256(it)}" for it in files)]
    request = hashlib.sha256("\n".join(told).encode()).hexdigest()
    before = ledger.claim_key(who.name, key, request)
    if before is not None:
        if before[0] != request:
            raise Problem(422, "this Idempotency-Key was used for another request: use a new one")
        if before[1] is None:
            raise Problem(
                409,
                "the first request with this Idempotency-Key is still running, or its server ended "
                "before it: wait, or use a new key",
            )
        yield Claim(before[1])
        return
    claim = Claim()
    try:
        yield claim
    finally:
        ledger.settle_key(who.name, key, claim.made)
