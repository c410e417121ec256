"""Case record: every step of an investigation, in order, in a signed hash chain (SQLite).

A case is a folder with one SQLite file and private copies of the query photos, named by their
sha256. Each entry's hash covers the entry before it. After every entry the head (number of entries
and the newest hash) is signed with the user's key, which is stored elsewhere (`signed.signing`). So
`verify` finds entries that were changed, removed, inserted, reordered or cut off, even if every
hash was recomputed. Does not show: changes by a person who has the key; the deletion of a whole
case; the rewriting of a case from before signing, or of one whose key is lost.
"""

import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from assistant.case.signed.chain import unbroken_length
from assistant.case.signed.entry import CaseEntry
from assistant.case.signed.record_file import CASE_DB_FILE, RecordFile
from assistant.case.signed.signing import SignedHead, SigningKeys, read_signers
from assistant.case.signed.verification import (
    DELETED,
    Verification,
    is_intact,
    verify_record,
)
from assistant.conversation.steps import Step, UserTurn, from_json, to_json
from assistant.settings import Settings
from tools.agent_tools.review.entries import Decision, HitNote, ReviewEntry
from tools.errors import SetupError
from tools.gallery.locking.state import ARCHIVE
from tools.media.file_names import printable
from tools.media.private_files import (
    open_private,
    private_folder,
    restrict_permissions,
)
from tools.search.query_files import readable
from tools.verdict.handles import Fact

_ID = re.compile(r"\w[\w-]{0,63}")
_STEP, _PHOTO, _GALLERY, _SEARCH, _FACTS = "step", "photo", "gallery", "search", "facts"
_DECISION, _NOTE = "decision", "note"


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
    def file(self) -> RecordFile:
        """The file with the entries."""
        return RecordFile(self.folder, lambda: self.keys)

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
        case.file.create()
        case.file.add((_GALLERY, {"name": gallery}))
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
        case.file.create()
        case.file.fill(entries, heads)
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
        self.file.require_unlocked()

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
        self.file.add((_STEP, to_json(step)))

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
        self.file.add(*switched, *kept, (_STEP, to_json(turn)))
        return turn

    def steps(self) -> list[Step]:
        """All steps in order."""
        with self.file.reading():
            return [from_json(entry.body) for entry in self.entries() if entry.kind == _STEP]

    def record_facts(self, facts: tuple[Fact, ...]) -> None:
        """Record the facts cited by the previous step, with their values at that time."""
        self.file.add((_FACTS, {"facts": [fact.to_json() for fact in facts]}))

    def steps_with_facts(self) -> list[tuple[Step, dict[str, Fact]]]:
        """All steps, each with its cited facts as they were at that time."""
        told: list[tuple[Step, dict[str, Fact]]] = []
        with self.file.reading():
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
        with self.file.reading():
            return {
                entry.body["handle"]: self.photos_folder / _photo_name(entry)
                for entry in self.entries()
                if entry.kind == _PHOTO or (entry.kind == DELETED and "handle" in entry.body)
            }

    def photo_names(self) -> dict[str, str]:
        """The names that the photos had when they were given, by handle; older cases know none."""
        with self.file.reading():
            photos = (entry.body for entry in self.entries() if entry.kind == _PHOTO)
            return {str(it["handle"]): str(it["name"]) for it in photos if it.get("name")}

    @property
    def gallery(self) -> str:
        """The gallery under investigation."""
        with self.file.reading():
            return str([it.body["name"] for it in self.entries() if it.kind == _GALLERY][-1])

    def switch_gallery(self, name: str) -> None:
        """Record that the investigation continues on another gallery."""
        if name != self.gallery:
            self.file.add((_GALLERY, {"name": name}))

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
        self.file.add((_SEARCH, {**asked, "findings": dict(findings), **made}))

    def record_decision(self, made: ReviewEntry) -> None:
        """Record a reviewer's decision or note about a picture, or that one was undone."""
        self.file.add((_DECISION if isinstance(made, Decision) else _NOTE, made.to_json()))

    def decisions(self) -> list[Decision]:
        """All decisions in order, also those that were taken back."""
        return [made for made in self.review_entries() if isinstance(made, Decision)]

    def review_entries(self) -> list[ReviewEntry]:
        """All decisions and notes in order, also those that were taken back."""
        kinds: dict[str, type[Decision] | type[HitNote]] = {_DECISION: Decision, _NOTE: HitNote}
        with self.file.reading():
            return [
                kinds[entry.kind].from_json(entry.body)
                for entry in self.entries()
                if entry.kind in kinds
            ]

    def record_label(self, kind: str, value: str | bool) -> None:
        """Record a label of the whole case, in place of any earlier one of this kind."""
        self.file.add((kind, {"value": value}))

    def record_copies(self, entries: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Record entries of another case, all of them or none."""
        self.file.add(*entries)

    def latest_search(self) -> Mapping[str, Any] | None:
        """`arguments`, `chosen` faces and `findings` of the latest search on the present gallery.

        None before the first search; older cases have no `chosen` and no `made_with`.
        """
        latest = None
        for entry in self.entries():
            if entry.kind in (_SEARCH, _GALLERY):
                latest = entry.body if entry.kind == _SEARCH else None
        return latest

    @property
    def head(self) -> str:
        """The newest entry's hash."""
        with self.file.reading():
            return self.entries()[-1].hash

    def entries(self) -> list[CaseEntry]:
        """All entries of the record."""
        return self.file.entries()

    def heads(self) -> list[SignedHead]:
        """The signed heads, one per key; empty for a case from before signing."""
        return self.file.heads()

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


def _fact(row: Mapping[str, Any]) -> Fact:
    return Fact(**{name: value for name, value in row.items() if name != "shown"})
