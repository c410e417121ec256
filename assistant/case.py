"""The case record: every step of an investigation, in order, in a chain that shows tampering.

A case is a folder with one SQLite file (WAL) and private copies of the query photos, named by
their sha256. Each entry's hash covers the entry before it, so a changed, removed or inserted
entry is found by `verify`. Does not show: that the newest entries were cut off, unless `head`
was noted elsewhere; nor who wrote the record.
"""

import contextlib
import hashlib
import json
import re
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from assistant.steps import Step, UserTurn, from_json, to_json
from tools.desk import Desk
from tools.errors import SetupError, ToolError
from tools.gallery_file import transaction
from tools.handles import Fact
from tools.images import image_id, read_bytes, read_photo
from tools.search import Instruments

RECORD = "case.sqlite3"
GENESIS = "0" * 64
PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700

_ID = re.compile(r"\w[\w-]{0,63}")
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS entries (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, "
    "kind TEXT NOT NULL, body TEXT NOT NULL, hash TEXT NOT NULL)"
)
_STEP, _PHOTO, _GALLERY, _SEARCH, _FACTS = "step", "photo", "gallery", "search", "facts"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the record; `hash` covers the row before and everything in this one."""

    seq: int
    at: str
    kind: str
    body: Mapping[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class Restored:
    """A desk as the case left it; `notes` are sentences for the person about what differs."""

    desk: Desk
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """A line of the list of cases; `asked` is the first thing that the person said."""

    id: str
    began: str
    steps: int
    asked: str


class Case:
    """One investigation's record; safe to use from several threads and processes.

    `Case.create` begins one below `home`, `Case.open` goes on with one (SetupError when there is
    none of that id).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def id(self) -> str:
        """The case's name: when it began, and something random."""
        return self.folder.name

    @classmethod
    def create(cls, home: Path, *, gallery: str) -> Self:
        """Begin a case that investigates a gallery."""
        began = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        case = cls(cases_folder(home) / f"{began}-{secrets.token_hex(3)}")
        case.folder.mkdir(parents=True, mode=PRIVATE_FOLDER)
        case.photos_folder.mkdir(mode=PRIVATE_FOLDER)
        (case.folder / RECORD).touch(mode=PRIVATE_FILE)
        with case._connected() as connection:
            connection.execute(_SCHEMA)
        case._add(_GALLERY, {"name": gallery})
        return case

    @classmethod
    def open(cls, home: Path, id: str) -> Self:
        """Go on with a case."""
        folder = cases_folder(home) / id
        if not _ID.fullmatch(id) or not (folder / RECORD).is_file():
            known = ", ".join(summary.id for summary in cases(home)[:5]) or "none yet"
            raise SetupError(f"there is no case {id!r}; the latest: {known}")
        return cls(folder)

    @property
    def photos_folder(self) -> Path:
        """Where the private copies lie."""
        return self.folder / "photos"

    def append(self, step: Step) -> None:
        """Record a step; it is on disk when this returns."""
        self._add(_STEP, to_json(step))

    def steps(self) -> list[Step]:
        """All steps in order."""
        return [from_json(entry.body) for entry in self.entries() if entry.kind == _STEP]

    def append_facts(self, facts: tuple[Fact, ...]) -> None:
        """Record what the step before cites, with the values as they were then."""
        self._add(_FACTS, {"facts": [fact.to_json() for fact in facts]})

    def told(self) -> list[tuple[Step, dict[str, Fact]]]:
        """All steps, each with the facts that it cites as they were then."""
        told: list[tuple[Step, dict[str, Fact]]] = []
        for entry in self.entries():
            if entry.kind == _STEP:
                told.append((from_json(entry.body), {}))
            elif entry.kind == _FACTS and told:
                told[-1][1].update({row["id"]: _fact(row) for row in entry.body["facts"]})
        return told

    def keep_photo(self, path: Path) -> Path:
        """A private copy of a photo, named by its content; the same bytes are kept once.

        Raises UnreadableImage, which names the file, for one that is no picture.
        """
        copy = self.photos_folder / read_photo(path).id
        if not copy.exists():
            whole = copy.with_suffix(f".{secrets.token_hex(4)}")
            whole.touch(mode=PRIVATE_FILE)
            whole.write_bytes(read_bytes(path))
            whole.replace(copy)
        return copy

    def record_photo(self, handle: str, copy: Path) -> None:
        """Record which handle a kept photo got, once."""
        if handle not in self.photos():
            self._add(_PHOTO, {"handle": handle, "sha256": copy.name})

    def photos(self) -> dict[str, Path]:
        """The private copies by handle, in the order in which they came."""
        return {
            entry.body["handle"]: self.photos_folder / entry.body["sha256"]
            for entry in self.entries()
            if entry.kind == _PHOTO
        }

    @property
    def gallery(self) -> str:
        """The gallery that is being investigated."""
        return str([it.body["name"] for it in self.entries() if it.kind == _GALLERY][-1])

    def switch_gallery(self, name: str) -> None:
        """Record that another gallery is investigated from here on."""
        if name != self.gallery:
            self._add(_GALLERY, {"name": name})

    def record_search(self, arguments: Mapping[str, Any], findings: Mapping[str, Any]) -> None:
        """Record a search: what was asked, and all that was found."""
        self._add(_SEARCH, {"arguments": dict(arguments), "findings": dict(findings)})

    def latest_search(self) -> Mapping[str, Any] | None:
        """`arguments` and `findings` of the latest search on the present gallery; None: none."""
        latest = None
        for entry in self.entries():
            if entry.kind in (_SEARCH, _GALLERY):
                latest = entry.body if entry.kind == _SEARCH else None
        return latest

    def restore(self, instruments: Instruments, *, home: Path) -> Restored:
        """Put photos, gallery and the latest search back on a desk, to go on with the case.

        The search is run again, on the gallery as it is now; comparisons are not.
        """
        desk = Desk(instruments, home=home, gallery=self.gallery)
        for copy in self.photos().values():
            desk.add_photo(copy)
        latest = self.latest_search()
        if latest is None:
            return Restored(desk, ())
        try:
            found = desk.find(**latest["arguments"])
        except (ToolError, SetupError) as error:
            return Restored(desk, (f"the latest search could not be run again: {error}",))
        before = [hit["image_id"] for hit in latest["findings"]["hits"]]
        if before == [hit.image_id for hit in found.hits]:
            return Restored(desk, ())
        return Restored(desk, ("the gallery has changed since: the hits are numbered anew",))

    @property
    def head(self) -> str:
        """The newest entry's hash: noted elsewhere, it proves that nothing was cut off."""
        return self.entries()[-1].hash

    def entries(self) -> list[Entry]:
        """The whole record."""
        with self._connected() as connection:
            rows = connection.execute("SELECT seq, at, kind, body, hash FROM entries ORDER BY seq")
            return [
                Entry(seq, at, kind, json.loads(body), hash) for seq, at, kind, body, hash in rows
            ]

    def verify(self) -> tuple[str, ...]:
        """What does not hold, a sentence each; empty when record and photos are as written."""
        problems, previous = [], GENESIS
        for place, entry in enumerate(self.entries(), start=1):
            if entry.seq != place or entry.hash != _chained(previous, entry):
                problems.append(f"entry {place} was changed, removed or inserted")
                break
            previous = entry.hash
        for handle, copy in self.photos().items():
            if not copy.is_file() or image_id(copy.read_bytes()) != copy.name:
                problems.append(f"the photo {handle} is missing or was changed")
        return tuple(problems)

    def _add(self, kind: str, body: Mapping[str, Any]) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._connected() as connection, transaction(connection):
            last = connection.execute("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1")
            seq, previous = last.fetchone() or (0, GENESIS)
            # What is hashed is what will be read back.
            body = json.loads(_canonical(body))
            entry = Entry(seq + 1, at, kind, body, "")
            connection.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?)",
                (entry.seq, at, kind, _canonical(body), _chained(previous, entry)),
            )

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection for one piece of work: nothing is shared between threads."""
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(self.folder / RECORD, isolation_level=None, timeout=30)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
        except sqlite3.OperationalError as error:
            raise SetupError(
                f"case {self.id!r} cannot be read or written ({error}); check the disk and the "
                "rights on its folder, or choose another data folder by setting UNMASK_HOME"
            ) from error
        finally:
            if connection is not None:
                connection.close()


def cases_folder(home: Path) -> Path:
    """The folder with all cases of a data folder."""
    return home / "cases"


def cases(home: Path) -> list[CaseSummary]:
    """All cases of a data folder, the newest first."""
    records = cases_folder(home).glob(f"*/{RECORD}")
    return [_summary(Case(record.parent)) for record in sorted(records, reverse=True)]


def _summary(case: Case) -> CaseSummary:
    steps = case.steps()
    asked = next((step.text for step in steps if isinstance(step, UserTurn)), "")
    return CaseSummary(case.id, began=case.entries()[0].at, steps=len(steps), asked=asked)


def _chained(previous: str, entry: Entry) -> str:
    """sha256 over the previous entry's hash and this entry's canonical JSON."""
    written = _canonical([entry.seq, entry.at, entry.kind, entry.body])
    return hashlib.sha256((previous + written).encode()).hexdigest()


def _canonical(value: object) -> str:
    """JSON with one form for one value; NaN is a bug and raises ValueError."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def _fact(row: Mapping[str, Any]) -> Fact:
    return Fact(**{name: value for name, value in row.items() if name != "shown"})
