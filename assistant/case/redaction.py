"""Delete a picture from a case, so that the rest of the record still verifies as a chain.

A case is evidence about more than one picture, so it is not deleted whole when one of them is.
Entries about the deleted picture are emptied: number, time and kind stay, the words "deleted on
2026-11-29" take the place of the content. All hashes from the first emptied entry on are computed
again, since a hash over the old content would prove to anybody with the picture that it was here.
An entry at the end says when and how many entries were emptied, and whether the record verified
until then: a deletion never repairs a record that had been changed. The new head is signed with the
same key. `unmask cases verify` reports the deletion beside the signature.

If the picture was a photo that the user asked about, every entry from its arrival on is emptied,
except galleries, the arrival of other photos and the reviewer's decisions about other pictures:
searches, measurements, notes and sentences are about the person in it, but without a later decision
an earlier one, which the reviewer had changed, would be in force again. If it was only among the
hits, its hits and the entries that name it are.

Does not show: what the emptied entries said. A head that was noted elsewhere before the deletion no
longer matches. Words about the picture that do not name it (by handle, in free text) stay.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.case.record import Case
from assistant.case.signed.chain import GENESIS_HASH, canonical, chained
from assistant.case.signed.entry import CaseEntry
from assistant.case.signed.record_file import CASE_DB_FILE, signed_heads
from assistant.case.signed.verification import DELETED, DELETION
from tools.errors import SetupError
from tools.gallery.database_file import transaction
from tools.gallery.locking.state import ARCHIVE
from tools.media.file_names import printable

_KEPT = ("gallery", DELETED, DELETION)
_ABOUT_ANOTHER = ("other_version", "missing_version")
_WAIT_MS = 3000
_SHORTEST_NAME = 6  # the length of "1a.jpg": shorter names may stand for anything


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be deleted: `ids` of pictures, videos or faces, and `paths` of their files.

    An id of a picture also stands for its faces and frames, whose ids begin with it.
    """

    ids: frozenset[str]
    paths: frozenset[Path] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """The texts that name it in a record: ids and absolute paths."""
        written = {text for it in self.paths for text in (str(it), printable(it))}
        return tuple(sorted({*self.ids, *written}))


@dataclass(frozen=True, slots=True)
class HeldInCase:
    """What a case holds of a subject: the numbers of `entries`, and private copies."""

    entries: tuple[int, ...]
    copies: tuple[Path, ...]

    def __bool__(self) -> bool:
        return bool(self.entries or self.copies)


def held_in_case(case: Case, subject: Subject) -> HeldInCase:
    """Which entries and private copies of a case are about the subject. Raises SetupError."""
    before = case.entries()
    after = _emptied(before, subject, on="")
    changed = tuple(one.seq for one, two in zip(before, after, strict=True) if one != two)
    kept = (*case.photos_folder.glob("*"), *case.exhibits_folder.glob("*"))
    copies = [it for it in sorted(kept) if it.name.split(".")[0] in subject.ids]
    return HeldInCase(changed, tuple(copies))


def redact(case: Case, subject: Subject) -> None:
    """Empty all entries about the subject, sign the record anew and delete the private copies.

    Raises SetupError if the record cannot be written; the same call then does the rest.
    """
    held = held_in_case(case, subject)
    if held.entries:
        verified = not case.verification().problems
        at = datetime.now(UTC)
        on = at.date().isoformat()
        body = {"on": on, "entries": len(held.entries), "verified": verified}
        _rewrite(
            case,
            lambda entries: [
                *_emptied(entries, subject, on=on),
                CaseEntry(len(entries) + 1, at.isoformat(timespec="milliseconds"), DELETION, body,
                          ""),
            ],
        )  # fmt: skip
    scrub_case(case)
    for copy in held.copies:
        copy.unlink(missing_ok=True)


def scrub_case(case: Case) -> None:
    """Overwrite what a deletion left in the record's files; also after one that was interrupted.

    Raises SetupError if another process keeps reading the record.
    """
    with case.file.connected() as connection:
        connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("VACUUM")
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        own = next((it for it in signed_heads(connection) if it.key == case.keys.id), None)
    if busy:
        raise SetupError(
            f"case {case.id!r} is open in another process (the chat?): close that, then run the "
            "same command again; what is deleted already stays deleted"
        )
    newest = case.entries()[-1]
    # An interruption between the record and the key's folder must not look like a forgery.
    ours = own is not None and newest.kind == DELETION and own.hash == newest.hash
    if own is not None and ours and case.keys.verify_head(own):
        case.keys.keep(own)


def delete_case(case: Case, *, sessions: Path) -> None:
    """Delete a case whole: its record, photos, signed head, and browsers' notes in `sessions`.

    The record goes last, so that an interrupted call can be repeated. Raises OSError.
    """
    for note in sorted(sessions.glob("*")):
        if note.is_file() and note.read_bytes() == case.id.encode():
            note.unlink()
    case.keys.drop(case.id)
    last = (CASE_DB_FILE, ARCHIVE)
    for file in sorted(case.folder.rglob("*"), key=lambda it: (it.name in last, it.name)):
        if not file.is_dir():
            file.unlink(missing_ok=True)
    for folder in sorted(case.folder.rglob("*"), reverse=True):
        folder.rmdir()
    if case.folder.is_dir():
        case.folder.rmdir()


def _rewrite(case: Case, change: Callable[[Sequence[CaseEntry]], Sequence[CaseEntry]]) -> None:
    """Replace the entries, with new hashes and a new signature, all or nothing."""
    with case.file.connected() as connection:
        connection.execute("PRAGMA secure_delete = ON")
        with transaction(connection):
            rows = connection.execute("SELECT seq, at, kind, body, hash FROM entries ORDER BY seq")
            before = [
                CaseEntry(seq, at, kind, json.loads(body), hash)
                for seq, at, kind, body, hash in rows
            ]
            own = next((it for it in signed_heads(connection) if it.key == case.keys.id), None)
            connection.execute("DELETE FROM entries")
            previous, seq = GENESIS_HASH, 0
            for entry in change(before):
                seq, previous = entry.seq, chained(previous, replace(entry, hash=""))
                row = (seq, entry.at, entry.kind, canonical(entry.body), previous)
                connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", row)
            first = seq if own is None else own.first  # older entries were never signed
            head = case.keys.sign(case=case.id, first=first, entries=seq, hash=previous)
            _replace_head(connection, case, None if head is None else astuple(head))
    if head is not None:
        case.keys.keep(head)


def _replace_head(
    connection: sqlite3.Connection, case: Case, row: tuple[object, ...] | None
) -> None:
    if row is not None:
        connection.execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?, ?)", row)


def _emptied(entries: Sequence[CaseEntry], subject: Subject, *, on: str) -> list[CaseEntry]:
    """The entries without the subject."""
    asked_about = [it.seq for it in entries if it.kind == "photo" and _of(it.body, subject)]
    first = min(asked_about, default=None)
    names: Collection[str] = subject.names
    if first is None and any(_named(it.body, names) for it in entries):
        # A tool's answer names a hit by its file's name alone.
        files = {it.name for it in (*subject.paths, *_hit_paths(entries, names))}
        names = (*names, *(it for it in files if len(it) > _SHORTEST_NAME))
    return list(_each_emptied(entries, subject, names, first, on))


def _hit_paths(entries: Sequence[CaseEntry], names: Collection[str]) -> Iterator[Path]:
    for entry in (it for it in entries if it.kind == "search"):
        for hit in entry.body["findings"]["hits"]:
            other = hit.get("other_version")  # hits of older records have none
            itself = {key: it for key, it in hit.items() if key not in _ABOUT_ANOTHER}
            if _named(itself, names):
                yield from (Path(it) for it in (hit["path"], *hit["other_paths"]))
            if other is not None and _named(other, names):
                yield Path(other["path"])


def _each_emptied(
    entries: Sequence[CaseEntry],
    subject: Subject,
    names: Collection[str],
    first: int | None,
    on: str,
) -> Iterator[CaseEntry]:
    for entry in entries:
        asked = first is not None and entry.seq >= first and entry.kind not in _KEPT
        stays = entry.kind == "decision" or (entry.kind == "photo" and not _of(entry.body, subject))
        if (asked and not stays) or _named(entry.body, names):
            yield _empty(entry, names, on, whole=asked)
        else:
            yield entry


def _of(body: Mapping[str, Any], subject: Subject) -> bool:
    return body.get("sha256") in subject.ids


def _named(value: object, names: Collection[str]) -> bool:
    """Whether any text in a JSON value names the subject."""
    if isinstance(value, str):
        return any(name in value for name in names)
    if isinstance(value, Mapping):
        return any(_named(it, names) for pair in value.items() for it in pair)
    return isinstance(value, list) and any(_named(it, names) for it in value)


def _empty(entry: CaseEntry, names: Collection[str], on: str, *, whole: bool) -> CaseEntry:
    body = entry.body
    if entry.kind == "search" and not whole:
        found = dict(body["findings"])
        found["hits"] = [hit for hit in found["hits"] if not _named(hit, names)]
        lighter = {**body, "findings": {**found, "deleted_on": on}}
        if not _named(lighter, names):
            return replace(entry, body=lighter)
    if entry.kind == "step":
        step = _empty_step(body, on)
        if step is not None and not _named(step, names):
            return replace(entry, body=step)
    handle = {"handle": body["handle"]} if entry.kind == "photo" else {}
    return replace(entry, kind=DELETED, body={"was": entry.kind, "on": on, **handle})


def _empty_step(body: Mapping[str, Any], on: str) -> dict[str, Any] | None:
    """The step with a mark in place of its words; None for a kind without words."""
    mark = f"Deleted on {on}."
    said: list[dict[str, Any]] = [
        {"text": mark, "cites": [], "source": "plain", "finding": None, "refused": None}
    ]
    marks: dict[str, dict[str, Any]] = {
        "user_turn": {"text": mark},
        "model_text": {"sentences": said, "offers": []},
        "explanation": {"sentences": said},
        "tool_call": {"arguments": {}},
        "tool_result": {"content": json.dumps({"error": mark}), "ok": False, "count": None},
        "stopped": {"unchecked": ""},
        "failed": {"message": mark},
    }
    change = marks.get(str(body.get("kind")))
    return None if change is None else {**body, **change}
