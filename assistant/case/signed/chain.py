"""The hash chain of a case record: each entry's hash covers the entry before it."""

import hashlib
import json
from collections.abc import Sequence

from assistant.case.signed.entry import CaseEntry

GENESIS_HASH = "0" * 64


def chained(previous: str, entry: CaseEntry) -> str:
    """sha256 over the previous entry's hash and this entry's canonical JSON."""
    written = canonical([entry.seq, entry.at, entry.kind, entry.body])
    return hashlib.sha256((previous + written).encode()).hexdigest()


def canonical(value: object) -> str:
    """Canonical JSON: one form per value; NaN is a bug and raises ValueError."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def unbroken_length(entries: Sequence[CaseEntry]) -> int:
    """The length of the unbroken chain from the first entry."""
    previous = GENESIS_HASH
    for place, entry in enumerate(entries, start=1):
        if entry.seq != place or entry.hash != chained(previous, entry):
            return place - 1
        previous = entry.hash
    return len(entries)
