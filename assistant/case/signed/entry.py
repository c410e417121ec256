"""One row of a case record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CaseEntry:
    """One row of the record; `hash` covers the previous row's hash and this row's content."""

    seq: int
    at: str
    kind: str
    body: Mapping[str, Any]
    hash: str
