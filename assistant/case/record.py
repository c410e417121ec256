"""Case record: every step of an investigation, in order, in a signed hash chain (SQLite).

A case is a folder with one SQLite file (WAL) and private copies of the query photos, named by their
sha256. Each entry's hash covers the entry before it. After every entry the head (number of entries
and the newest hash) is signed with the user's key, which is stored elsewhere (`signing`). So
`verify` finds entries that were changed, removed, inserted, reordered or cut off, even if every
hash was recomputed. Does not show: changes by a person who has the key; the deletion of a whole
case; the rewriting of a case from before signing, or of one whose key is lost.
"""

import contextlib
import json
import re
import secrets
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from assistant.case.chain import GENESIS_HASH, canonical, chained, unbroken_length
from assistant.case.entry import CaseEntry
from assistant.case.signing import SignedHead, SigningKeys, read_signers
from assistant.case.verification import (
    DELETED,
    Verification,
    deleted_photos,
    is_intact,
    verify_record,
)
from assistant.conversation.steps import Step, UserTurn, from_json, to_json
from assistant.settings import Settings
from tools.agent_tools.review import Decision, HitNote, ReviewEntry
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError, ToolError
from tools.gallery.database_file import transaction
from tools.gallery.locking.state import ARCHIVE, require_unlocked
from tools.media.file_names import printable
from tools.media.private_files import (
    open_private,
    private_file,
    private_folder,
    restrict_permissions,
)
from tools.search.model_bundle import ModelBundle
from tools.search.query_files import readable
from tools.verdict.handles import Fact

CASE_DB_FILE = "case.sqlite3"

_ID = re.compile(r"\w[\w-]{0,63}")
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS entries (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, "
    "kind TEXT NOT NULL, body TEXT NOT NULL, hash TEXT NOT NULL)"
)
_HEADS = (
    "CREATE TABLE IF NOT EXISTS heads (id TEXT NOT NULL, first INTEGER NOT NULL, entries INTEGER "
    "NOT NULL, hash TEXT NOT NULL, key TEXT PRIMARY KEY, signature TEXT NOT NULL)"
)
_STEP, _PHOTO, _GALLERY, _SEARCH, _FACTS = "step", "photo", "gallery", "search", "facts"
_DECISION, _NOTE = "decision", "note"


@dataclass(frozen=True, slots=True)
class RestoredCase:
    """A workspace restored from a case; `notes` tell the user, in sentences, what differs."""

    workspace: Workspace
    notes: tuple[str, ...]


class Case:
    """The record of one investigation; safe to use from several threads and processes.

    `Case.create` begins one below `home`, `Case.open` opens an existing one (SetupError for an
    unknown id). `keys` sign it; by default the user's keys. Every method raises SetupError for a
    record that is damaged or cannot be read or written.
    """

    def __init__(self, folder: Path, *, keys: SigningKeys | None = None) -> None:
        self.folder = folder
        if keys is not None:
            self.keys = keys

    @cached_property
    def keys(self) -> SigningKeys:
        """The keys that sign the record."""
        return SigningKeys(Settings.load().keys_dir)

    @property
    def id(self) -> str:
        """The case's name: its start time and a random part."""
        return self.folder.name

    @classmethod
    def create(cls, home: Path, *, gallery: str, keys: SigningKeys | None = None) -> Self:
        """Begin a case that investigates a gallery."""
        began = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        folder = private_folder(cases_folder(home)) / f"{began}-{secrets.token_hex(3)}"
        case = cls(folder, keys=keys)
        private_folder(case.photos_folder)
        private_file(folder / CASE_DB_FILE)
        with case._connected() as connection:
            connection.execute(_SCHEMA)
        case._add((_GALLERY, {"name": gallery}))
        return case

    @classmethod
    def rebuild(
        cls,
        folder: Path,
        entries: Sequence[CaseEntry],
        heads: Sequence[SignedHead],
        *,
        keys: SigningKeys | None = None,
    ) -> Self:
        """Write a received record into a new folder as it is; `verification` judges it."""
        case = cls(folder, keys=keys)
        private_file(private_folder(folder) / CASE_DB_FILE)
        rows = [(it.seq, it.at, it.kind, canonical(it.body), it.hash) for it in entries]
        with case._connected() as connection, transaction(connection):
            connection.execute(_SCHEMA)
            connection.execute(_HEADS)
            connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", rows)
            signed = [astuple(head) for head in heads]
            connection.executemany("INSERT INTO heads VALUES (?, ?, ?, ?, ?, ?)", signed)
        return case

    @classmethod
    def open(cls, home: Path, id: str, *, keys: SigningKeys | None = None) -> Self:
        """Open an existing case; SetupError for one that is locked."""
        found = cls.find(home, id, keys=keys)
        found.require_unlocked()
        return found

    @classmethod
    def find(cls, home: Path, id: str, *, keys: SigningKeys | None = None) -> Self:
        """An existing case, which may be locked: then it can be unlocked or deleted, not read."""
        folder = cases_folder(home) / id
        if not _ID.fullmatch(id) or folder not in case_folders(home):
            known = ", ".join(it.name for it in case_folders(home)[:5]) or "none yet"
            raise SetupError(f"there is no case {id!r}; the latest: {known}")
        restrict_case(home, folder)
        return cls(folder, keys=keys)

    def require_unlocked(self) -> None:
        """Raise SetupError if the case is locked."""
        require_unlocked(self.folder, f"case {self.id!r}", unlock=f"--case {self.id}")

    @property
    def photos_folder(self) -> Path:
        """The folder of the private copies."""
        return self.folder / "photos"

    @property
    def exhibits_folder(self) -> Path:
        """The folder of the hits' files of an imported case, named by sha256; may not exist."""
        return self.folder / "exhibits"

    def append(self, step: Step) -> None:
        """Record a step; it is on disk when this returns."""
        self._add((_STEP, to_json(step)))

    def begin_turn(
        self,
        text: str,
        photos: Mapping[str, Path],
        *,
        gallery: str,
        names: Mapping[str, str] | None = None,
    ) -> UserTurn:
        """Record the user's text, the attached photos (already kept) and the gallery searched.

        All of it or nothing; `photos` maps handles to files, `names` to the names that these had
        when they were given.
        """
        known, turn = self.photos(), UserTurn(text, tuple(photos))
        new = {handle: copy for handle, copy in photos.items() if handle not in known}
        switched = [(_GALLERY, {"name": gallery})] if gallery != self.gallery else []
        named = names or {}
        kept = [
            (
                _PHOTO,
                {"handle": it, "sha256": copy.name} | ({"name": named[it]} if it in named else {}),
            )
            for it, copy in new.items()
        ]
        self._add(*switched, *kept, (_STEP, to_json(turn)))
        return turn

    def steps(self) -> list[Step]:
        """All steps in order."""
        with self.reading():
            return [from_json(entry.body) for entry in self.entries() if entry.kind == _STEP]

    def record_facts(self, facts: tuple[Fact, ...]) -> None:
        """Record the facts cited by the previous step, with their values at that time."""
        self._add((_FACTS, {"facts": [fact.to_json() for fact in facts]}))

    def steps_with_facts(self) -> list[tuple[Step, dict[str, Fact]]]:
        """All steps, each with its cited facts as they were at that time."""
        told: list[tuple[Step, dict[str, Fact]]] = []
        with self.reading():
            for entry in self.entries():
                if entry.kind == _STEP:
                    told.append((from_json(entry.body), {}))
                elif entry.kind == _FACTS and told:
                    told[-1][1].update({row["id"]: _fact(row) for row in entry.body["facts"]})
        return told

    def keep_photos(self, paths: Sequence[Path]) -> list[Path]:
        """Keep private copies of photos or videos, named by content hash, each content once.

        If one file is neither, no copy is kept: UnreadableImage, which names the file.
        """
        self.require_unlocked()  # nothing plain may come to lie beside the encrypted archive
        copies = [self.photos_folder / readable(path) for path in paths]
        try:
            for path, copy in zip(paths, copies, strict=True):
                if not is_intact(copy):
                    whole = copy.with_suffix(f".{secrets.token_hex(4)}")
                    with path.open("rb") as given, open_private(whole, "wb") as file:
                        shutil.copyfileobj(given, file)
                    whole.replace(copy)
        except OSError as error:
            raise SetupError(
                f"case {self.id!r}: the photo cannot be kept ({error.strerror or error}); check "
                "the disk, or choose another data folder by setting UNMASK_HOME"
            ) from error
        return copies

    def photos(self) -> dict[str, Path]:
        """The private copies by handle, in the order of their arrival.

        A photo that was deleted by `unmask forget` keeps its handle; its file does not exist.
        """
        with self.reading():
            return {
                entry.body["handle"]: self.photos_folder / _photo_name(entry)
                for entry in self.entries()
                if entry.kind == _PHOTO or (entry.kind == DELETED and "handle" in entry.body)
            }

    def photo_names(self) -> dict[str, str]:
        """The names that the photos had when they were given, by handle; older cases know none."""
        with self.reading():
            photos = (entry.body for entry in self.entries() if entry.kind == _PHOTO)
            return {str(it["handle"]): str(it["name"]) for it in photos if it.get("name")}

    @property
    def gallery(self) -> str:
        """The gallery under investigation."""
        with self.reading():
            return str([it.body["name"] for it in self.entries() if it.kind == _GALLERY][-1])

    def switch_gallery(self, name: str) -> None:
        """Record that the investigation continues on another gallery."""
        if name != self.gallery:
            self._add((_GALLERY, {"name": name}))

    def record_search(
        self,
        arguments: Mapping[str, Any],
        findings: Mapping[str, Any],
        *,
        chosen: Mapping[str, int] | None = None,
        made_with: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a search: its arguments and all its findings.

        `chosen` maps the handles of photos with several faces to the number of the chosen face;
        `made_with` describes what measured (`assistant.case.instruments`).
        """
        asked = {"arguments": dict(arguments), "chosen": dict(chosen or {})}
        made = {} if made_with is None else {"made_with": dict(made_with)}
        self._add((_SEARCH, {**asked, "findings": dict(findings), **made}))

    def record_decision(self, made: ReviewEntry) -> None:
        """Record a reviewer's decision or note about a picture, or that one was undone."""
        self._add((_DECISION if isinstance(made, Decision) else _NOTE, made.to_json()))

    def decisions(self) -> list[Decision]:
        """All decisions in order, also those that were taken back."""
        return [made for made in self.review_entries() if isinstance(made, Decision)]

    def review_entries(self) -> list[ReviewEntry]:
        """All decisions and notes in order, also those that were taken back."""
        kinds: dict[str, type[Decision] | type[HitNote]] = {_DECISION: Decision, _NOTE: HitNote}
        with self.reading():
            return [
                kinds[entry.kind].from_json(entry.body)
                for entry in self.entries()
                if entry.kind in kinds
            ]

    def record_label(self, kind: str, value: str | bool) -> None:
        """Record a label of the whole case, in place of any earlier one of this kind."""
        self._add((kind, {"value": value}))

    def record_copies(self, entries: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Record entries of another case, all of them or none."""
        self._add(*entries)

    def latest_search(self) -> Mapping[str, Any] | None:
        """`arguments`, `chosen` faces and `findings` of the latest search on the present gallery.

        None before the first search; older cases have no `chosen` and no `made_with`.
        """
        latest = None
        for entry in self.entries():
            if entry.kind in (_SEARCH, _GALLERY):
                latest = entry.body if entry.kind == _SEARCH else None
        return latest

    def restore(self, instruments: ModelBundle, *, home: Path, user: str = "") -> RestoredCase:
        """Restore photos, gallery, decisions and the latest search to a workspace, to resume.

        The search is run again, by `user`, on the gallery as it is now; comparisons are not, and
        the hit list has no filter.
        """
        workspace = Workspace(instruments, home=home, gallery=self.gallery)
        workspace.user = user
        workspace.review.restore(self.review_entries())
        notes = self._put_back_photos(workspace)
        note = self._search_again(workspace)
        return RestoredCase(workspace, (*notes, *([note] if note else [])))

    def _put_back_photos(self, workspace: Workspace) -> list[str]:
        """Restore photos under their old handles; missing photos keep theirs too."""
        notes, deleted = [], deleted_photos(self.entries())
        for handle, copy in self.photos().items():
            if is_intact(copy):
                workspace.add_photo(copy)
                continue
            workspace.add_missing_photo(copy)
            gone = f"was deleted on {deleted[handle]}" if handle in deleted else ""
            notes.append(f"the photo {handle} {gone or 'is missing or was changed, and left out'}")
        return notes

    def _search_again(self, workspace: Workspace) -> str | None:
        """Repeat the latest search; returns a sentence about any difference."""
        latest = self.latest_search()
        if latest is None:
            return None
        arguments, chosen = dict(latest["arguments"]), latest.get("chosen", {})
        try:
            from tools import toolkit  # LangChain, which is needed only here

            for handle, number in chosen.items():
                workspace.choose_face(handle, number)
                arguments.pop("face", None)  # it is one of those
            # Through the tool: older cases hold arguments as the model wrote them.
            find_person = next(tool for tool in toolkit(workspace) if tool.name == "find_person")
            find_person.invoke(arguments)
        except (ToolError, SetupError) as error:
            return f"the latest search could not be run again: {error}"
        hits = latest["findings"]["hits"]
        # Ranks too: a hit that was deleted from the record leaves a gap in them.
        before = [(hit.get("rank", at), hit["image_id"]) for at, hit in enumerate(hits, 1)]
        found = workspace.last_search[0].hits if workspace.last_search else ()
        if {hit["face_id"] for hit in hits} == {hit.face_id for hit in found}:
            # A list that grew keeps its numbers, which differ from the ranks of one long search.
            found = workspace.restore_order([hit["face_id"] for hit in hits]).hits
        same = before == [(hit.rank, hit.image_id) for hit in found]
        return None if same else "the gallery has changed since: the hits are numbered anew"

    @property
    def head(self) -> str:
        """The newest entry's hash."""
        with self.reading():
            return self.entries()[-1].hash

    def entries(self) -> list[CaseEntry]:
        """All entries of the record."""
        with self.reading(), self._connected() as connection:
            rows = connection.execute("SELECT seq, at, kind, body, hash FROM entries ORDER BY seq")
            return [
                CaseEntry(seq, at, kind, json.loads(body), hash)
                for seq, at, kind, body, hash in rows
            ]

    def heads(self) -> list[SignedHead]:
        """The signed heads, one per key; empty for a case from before signing."""
        with self._connected() as connection:
            return _heads(connection)

    def verify(self) -> tuple[str, ...]:
        """The problems found, one sentence each; empty if record and photos are unchanged."""
        return self.verification().problems

    def verification(self, *, known_heads: bool = True) -> Verification:
        """Check chain, signature and photos.

        With `known_heads`, the newest head beside the user's key counts too: it shows when an
        earlier state of the record was put back.
        """
        entries = self.entries()
        return verify_record(
            self.id, entries, sound=unbroken_length(entries), heads=self.heads(), keys=self.keys,
            photos=self.photos(), signers=read_signers(self.folder), known_heads=known_heads,
        )  # fmt: skip

    def _add(self, *added: tuple[str, Mapping[str, Any]]) -> None:
        """Record entries, all of them or none, and sign the new head."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._connected() as connection, transaction(connection):
            last = connection.execute("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1")
            before = seq, previous = last.fetchone() or (0, GENESIS_HASH)
            for kind, given in added:
                # The hash covers the values as they will be read back.
                body, seq = json.loads(canonical(given)), seq + 1
                previous = chained(previous, CaseEntry(seq, at, kind, body, ""))
                row = seq, at, kind, canonical(body), previous
                connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", row)
            head = self._signed(connection, before, (seq, previous))
        if head is not None:
            self.keys.keep(head)

    def _signed(
        self, connection: sqlite3.Connection, before: tuple[int, str], now: tuple[int, str]
    ) -> SignedHead | None:
        """Sign the present head, unless the record differs from the last signed state."""
        connection.execute(_HEADS)
        mine, kept = self.keys.id, self.keys.latest_head(self.id)
        own = next((head for head in _heads(connection) if head.key == mine), None)
        if kept is not None and kept.key != mine:
            kept = None
        if not self._goes_on(own, kept, before):
            return None  # changes stay visible: no new signature covers them
        first = before[0] + 1 if own is None else own.first
        head = self.keys.sign(case=self.id, first=first, entries=now[0], hash=now[1])
        if head is not None:
            row = astuple(head)
            connection.execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?, ?)", row)
        return head

    def _goes_on(
        self, own: SignedHead | None, kept: SignedHead | None, before: tuple[int, str]
    ) -> bool:
        """Whether the record, before the new entries, is the state that was signed last.

        `own` is the head in the record, `kept` the one beside the key, which is written later and
        may lag behind.
        """
        if own is None:
            return kept is None
        same = (
            own.case == self.id and (own.entries, own.hash) == before and self.keys.verify_head(own)
        )
        lags = kept is None or kept.entries < own.entries or kept == own
        return same and lags

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Report content that does not fit our record format as damage."""
        try:
            yield
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise SetupError(
                f"case {self.id!r} is damaged ({type(error).__name__}: {error}); restore its "
                "folder from a backup, or begin a new case"
            ) from error

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection for one operation: threads share nothing."""
        self.require_unlocked()
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(
                self.folder / CASE_DB_FILE, isolation_level=None, timeout=30
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
        except sqlite3.DatabaseError as error:
            if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
                raise  # a bug of ours
            raise SetupError(
                f"case {self.id!r} cannot be read or written ({error}); check the disk and the "
                "rights on its folder, or choose another data folder by setting UNMASK_HOME"
            ) from error
        finally:
            if connection is not None:
                connection.close()


def cases_folder(home: Path) -> Path:
    """The folder of all cases in a data folder."""
    return home / "cases"


def case_folders(home: Path) -> list[Path]:
    """The folders of all cases, newest first, locked ones too."""
    names = (CASE_DB_FILE, ARCHIVE)
    found = {it.parent for name in names for it in cases_folder(home).glob(f"*/{name}")}
    return sorted(found, reverse=True)


def restrict_case(home: Path, folder: Path) -> None:
    """Restrict the permissions of older cases that other users could read."""
    private_folder(cases_folder(home))
    restrict_permissions(folder)


def names_of(
    photos: Sequence[Path], copies: Sequence[Path], handles: Mapping[str, Path]
) -> dict[str, str]:
    """The names of given photos by handle; `copies` are their private copies, in the same order.

    Of two files with the same content, the name of the first.
    """
    names: dict[Path, str] = {}
    for photo, copy in zip(photos, copies, strict=True):
        names.setdefault(copy, printable(Path(photo.name)))
    return {handle: names[copy] for handle, copy in handles.items()}


def _photo_name(entry: CaseEntry) -> str:
    """The file name of a private copy; of a deleted photo, one that no copy has."""
    if entry.kind == DELETED:
        return f"deleted-{entry.body['handle']}"
    return Path(entry.body["sha256"]).name


def _heads(connection: sqlite3.Connection) -> list[SignedHead]:
    """The signed heads, one per key; empty for a case from before signing."""
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'heads'").fetchone()
    rows = connection.execute("SELECT * FROM heads").fetchall() if there else []
    return [SignedHead(*row) for row in rows]


def _fact(row: Mapping[str, Any]) -> Fact:
    return Fact(**{name: value for name, value in row.items() if name != "shown"})
