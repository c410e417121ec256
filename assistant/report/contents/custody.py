"""The custody log of a report: the case record's entries in words, and who used the case."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from assistant.case.record import Case
from assistant.case.signed.entry import CaseEntry
from assistant.report.contents.model import AccessItem, CaseHeader, CustodyItem
from tools.gallery.access_log import accesses

_TEXT_CHARS = 300


def case_header(case: Case) -> CaseHeader:
    """The case with the result of checking its record. Raises SetupError if it is damaged."""
    entries, found = case.entries(), case.verification()
    return CaseHeader(
        id=case.id, name=_name(entries), began=entries[0].at, entries=len(entries),
        head=entries[-1].hash, key=found.key, signature=found.note, problems=found.problems,
    )  # fmt: skip


def _name(entries: Sequence[CaseEntry]) -> str:
    named = [str(entry.body["value"]) for entry in entries if entry.kind == "name"]
    return named[-1] if named else ""


def custody_items(case: Case) -> Iterator[CustodyItem]:
    """Every entry of the record in words, in order."""
    for entry in case.entries():
        yield CustodyItem(entry=entry.seq, at=entry.at, what=_words(entry), hash=entry.hash)


def access_items(case: Case) -> Iterator[AccessItem]:
    """Who searched, checked or exported, and when."""
    for it in accesses(case.folder):
        yield AccessItem(at=it.at, who=it.who, what=it.what)


def _words(entry: CaseEntry) -> str:
    body = entry.body
    match entry.kind:
        case "gallery":
            return f"collection “{body['name']}” chosen"
        case "photo":
            return f"query photo {body['handle']} received, sha256 {body['sha256']}"
        case "search":
            return f"search recorded with {_counted(len(body['findings']['hits']), 'hit')}"
        case "decision":
            undone = " (an undo)" if body.get("undoes") else ""
            return (
                f"decision about {body.get('hit') or 'a picture'}, sha256 {body['image_id']}: "
                f"{body['decision']}{undone}, by {body['user']}"
            )
        case "note":
            written = "written" if body["text"] else "removed"
            undone = " (an undo)" if body.get("undoes") else ""
            return (
                f"note on {body.get('hit') or 'a picture'}, sha256 {body['image_id']}, "
                f"{written}{undone}, by {body['user']}"
            )
        case "name":
            return f"case named “{body['value']}”" if body["value"] else "name of the case removed"
        case "archived":
            return "case archived" if body["value"] else "case reopened"
        case "duplicate":
            return f"duplicated from case {body['of']}: the entries that follow are its own"
        case "facts":
            return f"{_counted(len(body['facts']), 'cited fact')} recorded with their values"
        case "step":
            return _step(body)
        case "deletion":
            return f"deletion: {_counted(body['entries'], 'entry')} emptied"
        case "deleted":
            return f"emptied by a deletion on {body['on']} (was: {body['was']})"
    return entry.kind


def _step(body: Mapping[str, Any]) -> str:
    match body.get("kind"):
        case "user_turn":
            return f"question asked: “{_short(body['text'])}”"
        case "tool_call":
            return f"tool called: {body['name']}"
        case "tool_result":
            done = "answered" if body["ok"] else "refused"
            return f"tool {body['name']} {done}"
        case "model_text":
            return f"answer shown ({_counted(len(body['sentences']), 'sentence')})"
        case "explanation":
            return f"explanation of {body['hit']} shown"
        case "stopped":
            return "stopped by the user"
        case "failed":
            return "ended with an error; nothing was concluded"
    return str(body.get("kind"))


def _counted(count: int, what: str) -> str:
    plural = what[:-1] + "ies" if what.endswith("y") else f"{what}s"
    return f"{count} {what if count == 1 else plural}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TEXT_CHARS else f"{line[:_TEXT_CHARS]} …"
