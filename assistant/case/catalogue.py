"""The cases of a data folder: list and search them, name, archive, reopen and duplicate them.

Name and archive mark are entries of the record, signed like every other. A duplicate is a case of
its own that begins where the first one stands; its first entries say which one that was.
"""

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from assistant.case.record import Case, case_folders, restrict_case
from assistant.case.signed.entry import CaseEntry
from assistant.conversation.steps import (
    DIRECT_CALL,
    Explanation,
    Failed,
    ModelText,
    Step,
    Stopped,
    ToolResult,
    UserTurn,
    from_json,
)
from tools.errors import SetupError, ToolError
from tools.gallery.locking.state import is_locked
from tools.media.private_files import open_private, private_folder

CaseState = Literal["answered", "unfinished", "stopped", "failed", "empty", "damaged", "locked"]
"""How a case's last turn ended. Unfinished: it is running now, or its process ended in it."""

MAX_NAME_LENGTH = 80
_NAME, _ARCHIVED, _COPIED = "name", "archived", "duplicate"
_NOT_COPIED = ("deletion", _NAME, _ARCHIVED, _COPIED)


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """A row of the list of cases; `asked` is the user's first question, `photos` the kept photos.

    `began` and `changed` are UTC, ISO 8601. `damaged` gives the reason why the record cannot be
    read (of a locked case too); empty if it can.
    """

    id: str
    began: str
    steps: int
    asked: str
    damaged: str = ""
    name: str = ""
    state: CaseState = "empty"
    gallery: str = ""
    changed: str = ""
    archived: bool = False
    photos: tuple[Path, ...] = ()
    questions: tuple[str, ...] = ()

    def matches(self, text: str) -> bool:
        """Whether every word occurs in the id, name, gallery or a question, in any case."""
        held = "\n".join((self.id, self.name, self.gallery, *self.questions)).casefold()
        return all(word in held for word in text.casefold().split())

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict; photos by their sha256, not by where they are kept."""
        return asdict(self) | {"photos": [path.name for path in self.photos]}


def list_cases(home: Path) -> list[CaseSummary]:
    """All cases of a data folder, newest first, archived ones too; damaged ones are marked."""
    folders = case_folders(home)
    for folder in folders:
        restrict_case(home, folder)
    return [_summary(Case(folder)) for folder in folders]


def rename_case(case: Case, name: str) -> str:
    """Give a case a name, or none with an empty one; returns it. Raises ToolError if too long."""
    plain = " ".join("".join(it if it.isprintable() else " " for it in name).split())
    if len(plain) > MAX_NAME_LENGTH:
        raise ToolError(f"a name has at most {MAX_NAME_LENGTH} characters")
    if plain != _latest(case.entries(), _NAME, ""):
        case.record_label(_NAME, plain)
    return plain


def archive_case(case: Case, *, archived: bool = True) -> None:
    """Leave a case out of the usual list, or take it back; nothing is deleted."""
    if archived != _latest(case.entries(), _ARCHIVED, False):
        case.record_label(_ARCHIVED, archived)


def duplicate_case(case: Case, home: Path) -> Case:
    """A new case with the same photos and entries, so that another way can be tried.

    Its name says what it is a copy of. The first one does not change. Raises SetupError for a
    damaged record or a full disk; nothing is left of the new case then.
    """
    entries = case.entries()
    rows = [(it.kind, it.body) for it in entries[1:] if it.kind not in _NOT_COPIED]
    made = Case.create(home, gallery=str(entries[0].body["name"]), keys=case.keys)
    try:
        _copy_files(case.photos_folder, made.photos_folder)
        if case.exhibits_folder.is_dir():
            _copy_files(case.exhibits_folder, private_folder(made.exhibits_folder))
        made.record_copies([(_COPIED, {"of": case.id}), *rows])
        whole = _summary(case)
        rename_case(made, f"Copy of {whole.name or whole.asked or case.id}"[:MAX_NAME_LENGTH])
    except (OSError, SetupError) as error:
        shutil.rmtree(made.folder, ignore_errors=True)
        made.keys.drop(made.id)
        raise SetupError(f"case {case.id!r} cannot be duplicated: {error}") from error
    return made


def _copy_files(source: Path, target: Path) -> None:
    for kept in sorted(source.iterdir()):
        whole = target / f"{kept.name}.{secrets.token_hex(4)}"
        with kept.open("rb") as given, open_private(whole, "wb") as file:
            shutil.copyfileobj(given, file)
        whole.replace(target / kept.name)


def _latest(entries: Sequence[CaseEntry], kind: str, default: str | bool) -> str | bool:
    """The value of the newest label of a kind."""
    found = [entry.body["value"] for entry in entries if entry.kind == kind]
    return found[-1] if found else default


def _summary(case: Case) -> CaseSummary:
    try:
        entries = case.entries()
        with case.file.reading():
            steps = [from_json(entry.body) for entry in entries if entry.kind == "step"]
            galleries = [str(it.body["name"]) for it in entries if it.kind == "gallery"]
            questions = tuple(it.text for it in steps if isinstance(it, UserTurn))
            return CaseSummary(
                case.id,
                began=str(entries[0].at),
                steps=len(steps),
                asked=questions[0] if questions else "",
                name=str(_latest(entries, _NAME, "")),
                state=_state(steps),
                gallery=galleries[-1],
                changed=str(entries[-1].at),
                archived=bool(_latest(entries, _ARCHIVED, False)),
                photos=tuple(path for path in case.photos().values() if path.is_file()),
                questions=questions,
            )
    except SetupError as error:
        state: CaseState = "locked" if is_locked(case.folder) else "damaged"
        return CaseSummary(case.id, began="", steps=0, asked="", damaged=str(error), state=state)


def _state(steps: Sequence[Step]) -> CaseState:
    """How the last turn ended; explanations may follow its answer."""
    last = next((it for it in reversed(steps) if not isinstance(it, Explanation)), None)
    match last:
        case None:
            return "empty"
        case Failed():
            return "failed"
        case Stopped():
            return "stopped"
        case ModelText():
            return "answered"
        case ToolResult() if last.call_id.startswith(DIRECT_CALL):
            return "answered" if last.ok else "failed"
    return "unfinished"
