"""Unfinished deletions: what an interrupted one had begun, so that the next run finishes it.

Written before the first byte is deleted, and removed after the proof was written. Holds no subject:
only its salted hash, the counts, and which galleries and cases must be overwritten once more.
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from assistant.case.forgetting.request import ForgetRequest, Kind, salted_hash
from tools.media.private_files import open_private, private_folder


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A deletion that began at `began` (UTC, ISO 8601) and has no proof yet; `file` holds it."""

    file: Path
    kind: Kind
    salt: str
    subject: str
    began: str
    counts: Mapping[str, int]
    galleries: tuple[str, ...]
    cases: tuple[str, ...]

    def is_about(self, request: ForgetRequest) -> bool:
        """Whether the request is the one that was interrupted."""
        salted = salted_hash(request.kind, request.key, bytes.fromhex(self.salt))
        return request.kind == self.kind and salted == self.subject


def unfinished_deletions(home: Path) -> list[Unfinished]:
    """All unfinished deletions, oldest first; a file that was cut off is left out."""
    found = []
    for file in sorted(_folder(home).glob("*.json")):
        try:
            data = json.loads(file.read_text("utf-8"))
            data |= {"galleries": tuple(data["galleries"]), "cases": tuple(data["cases"])}
            found.append(Unfinished(file=file, **data))
        except (ValueError, TypeError, KeyError):
            continue
    return found


def begin(
    home: Path, request: ForgetRequest, *, counts: Mapping[str, int], galleries: tuple[str, ...],
    cases: tuple[str, ...], resumed: Unfinished | None,
) -> Unfinished:  # fmt: skip
    """Note a deletion before it begins; one that is `resumed` keeps its salt and larger counts."""
    salt = secrets.token_hex(16) if resumed is None else resumed.salt
    before: Mapping[str, int] = {} if resumed is None else resumed.counts
    now = datetime.now(UTC)
    folder = private_folder(_folder(home))
    noted = Unfinished(
        file=folder / f"{now:%Y%m%d-%H%M%S}-{salt[:6]}.json" if resumed is None else resumed.file,
        kind=request.kind,
        salt=salt,
        subject=salted_hash(request.kind, request.key, bytes.fromhex(salt)),
        began=now.isoformat(timespec="seconds") if resumed is None else resumed.began,
        counts={it: max(counts.get(it, 0), before.get(it, 0)) for it in {**before, **counts}},
        galleries=_both(galleries, resumed.galleries if resumed else ()),
        cases=_both(cases, resumed.cases if resumed else ()),
    )
    fields = {name: value for name, value in asdict(noted).items() if name != "file"}
    draft = noted.file.with_suffix(".draft")
    with open_private(draft) as file:
        json.dump(fields, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(noted.file)
    return noted


def finish(noted: Unfinished) -> None:
    """Remove the note of a deletion that has its proof. Raises OSError."""
    noted.file.unlink(missing_ok=True)


def _folder(home: Path) -> Path:
    return home / "forgetting"


def _both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*one, *other]))
