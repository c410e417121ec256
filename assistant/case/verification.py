"""Verify a case record: check chain, signature and photos, and describe the problems."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assistant.case.entry import CaseEntry
from assistant.case.signing import SignedHead, SigningKeys
from tools.media.images import UnreadableImage
from tools.media.video_signatures import video_sha256

Signature = Literal["valid", "not signed", "cannot be checked", "does not hold"]

DELETION, DELETED = "deletion", "deleted"
"""Kinds of entries: about a deletion; and what stands for an entry that was emptied by it."""

NOT_SIGNED = (
    "not signed: it was recorded before cases were signed, or where no key could be made. Its "
    "chain shows accidents, not someone who computes every hash anew"
)


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a case check: `problems` are sentences, empty if all is unchanged.

    `note` is a sentence on how far the signature reaches.
    """

    problems: tuple[str, ...]
    signature: Signature
    note: str


def verify_record(
    case: str,
    entries: Sequence[CaseEntry],
    *,
    sound: int,
    heads: Sequence[SignedHead],
    keys: SigningKeys,
    photos: Mapping[str, Path],
) -> Verification:
    """Check a record whose chain is unbroken up to the entry `sound`.

    Photos deleted by `unmask forget` are not missing: the record says so, and the note repeats it.
    """
    problems = []
    if sound < len(entries):
        problems.append(f"entry {sound + 1} was changed, removed or inserted")
    signature, wrong, note = _signature(case, entries, heads, keys)
    if not problems:  # a broken chain needs no second proof
        problems += wrong
    elif signature == "valid":
        signature, note = "does not hold", "the signature does not hold"
    problems += [
        f"the photo {handle} is missing or was changed"
        for handle, copy in photos.items()
        if handle not in deleted_photos(entries) and not is_intact(copy)
    ]
    for made in (entry.body for entry in entries if entry.kind == DELETION):
        note += f"; {made['entries']} entries were emptied when a picture was deleted on "
        note += str(made["on"])
        if not made["verified"]:
            problems.append(f"it did not verify before the deletion on {made['on']}")
    return Verification(tuple(problems), signature, note)


def deleted_photos(entries: Sequence[CaseEntry]) -> dict[str, str]:
    """The days on which query photos were deleted by `unmask forget`, by handle."""
    emptied = [entry.body for entry in entries if entry.kind == DELETED]
    return {str(it["handle"]): str(it["on"]) for it in emptied if "handle" in it}


def is_intact(copy: Path) -> bool:
    """Whether a private copy exists and its bytes match the sha256 in its name."""
    try:
        return video_sha256(copy) == copy.name
    except UnreadableImage:
        return False


def _signature(
    case: str, entries: Sequence[CaseEntry], heads: Sequence[SignedHead], keys: SigningKeys
) -> tuple[Signature, list[str], str]:
    mine, kept = keys.id, keys.latest_head(case)
    known = [head for head in (*heads, *([kept] if kept else [])) if head.key == mine and mine]
    others = {head.key: head for head in (*heads, *([kept] if kept else [])) if head.key != mine}
    wrong = [_other_key(head, keys) for head in others.values()]
    if not known:
        return ("cannot be checked", wrong, wrong[0]) if wrong else ("not signed", [], NOT_SIGNED)
    faults = [fault for head in known if (fault := _fault(case, entries, head, keys))]
    if not any(head.key == mine for head in heads):
        faults.insert(0, "its signature was removed: the key's folder knows that it was signed")
    newest = max(head.entries for head in known)
    if not faults and newest < len(entries):
        faults.append(
            f"entries {newest + 1} to {len(entries)} are not signed: the record had been changed, "
            "or the key could not be read, when they were written"
        )
    if faults:
        return "does not hold", [*dict.fromkeys(faults), *wrong], "the signature does not hold"
    first = min(head.first for head in known)
    note = f"signed with the key {mine}, {len(entries)} entries"
    if first > 1:
        note += f"; entries 1 to {first - 1} were written before that key signed"
    return "valid", wrong, note


def _fault(
    case: str, entries: Sequence[CaseEntry], head: SignedHead, keys: SigningKeys
) -> str | None:
    """The problem with a record, given its signed head; None if there is none."""
    if head.case != case:
        return f"its signature is that of another case, {head.case!r}"
    if not keys.verify_head(head):
        return "its signature was changed"
    if head.entries > len(entries):
        return f"the end is cut off: {head.entries} entries were signed, {len(entries)} are there"
    if entries[head.entries - 1].hash != head.hash:
        return f"it was rewritten: entry {head.entries} is not the one that was signed"
    return None


def _other_key(head: SignedHead, keys: SigningKeys) -> str:
    there = f"the one here is {keys.id}" if keys.id else keys.trouble
    return (
        f"the signature of {head.entries} entries cannot be checked: it was made with the key "
        f"{head.key}, and {there}. A key that was lost or replaced, or another person's signature"
    )
