"""Verify a case record: check chain, signature and photos, and describe the problems."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assistant.case.signed.entry import CaseEntry
from assistant.case.signed.signing import PublicKeys, SignedHead, SigningKeys
from tools.media.skip_reasons import UnreadableImage
from tools.media.videos.signatures import video_sha256

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

    `note` is a sentence on how far the signature reaches; `key` names the key of the newest
    signature that was checked, "" if there is none.
    """

    problems: tuple[str, ...]
    signature: Signature
    note: str
    key: str = ""


def verify_record(
    case: str,
    entries: Sequence[CaseEntry],
    *,
    sound: int,
    heads: Sequence[SignedHead],
    keys: SigningKeys,
    photos: Mapping[str, Path],
    signers: PublicKeys,
    known_heads: bool = True,
) -> Verification:
    """Check a record whose chain is unbroken up to the entry `sound`.

    `signers` are the public keys that came with an imported case. With `known_heads` the newest
    head that was stored beside the user's key counts too. Photos deleted by `unmask forget` are not
    missing: the record says so, and the note repeats it.
    """
    problems = []
    if sound < len(entries):
        problems.append(f"entry {sound + 1} was changed, removed or inserted")
    checked = _Signatures(
        case, entries, heads, keys, signers, kept=keys.latest_head(case) if known_heads else None
    )
    signature, wrong, note = checked.result()
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
    return Verification(tuple(problems), signature, note, checked.newest_key)


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


class _Signatures:
    """The signed heads of a record: those that can be checked with a known key, and the others."""

    def __init__(
        self,
        case: str,
        entries: Sequence[CaseEntry],
        heads: Sequence[SignedHead],
        keys: SigningKeys,
        signers: PublicKeys,
        *,
        kept: SignedHead | None,
    ) -> None:
        self._case, self._entries, self._keys, self._signers = case, entries, keys, signers
        self._mine = keys.id
        known = {*signers, *([self._mine] if self._mine else [])}
        every = (*heads, *([kept] if kept else []))
        self._known = [head for head in every if head.key in known]
        self._others = {head.key: head for head in every if head.key not in known}.values()
        there = {head.key for head in heads}
        self._removed = kept is not None and kept.key in known and kept.key not in there

    @property
    def newest_key(self) -> str:
        """The key of the head with most entries."""
        return max(self._known, key=lambda head: head.entries).key if self._known else ""

    def result(self) -> tuple[Signature, list[str], str]:
        """How far the signatures reach, the problems, and a sentence."""
        wrong = [_other_key(head, self._keys) for head in self._others]
        if not self._known:
            if wrong:
                return "cannot be checked", wrong, wrong[0]
            return "not signed", [], NOT_SIGNED
        faults = [fault for head in self._known if (fault := self._fault(head))]
        if self._removed:
            faults.insert(0, "its signature was removed: the key's folder knows that it was signed")
        newest, count = max(head.entries for head in self._known), len(self._entries)
        if not faults and newest < count:
            faults.append(
                f"entries {newest + 1} to {count} are not signed: the record had been changed, "
                "or the key could not be read, when they were written"
            )
        if faults:
            return "does not hold", [*dict.fromkeys(faults), *wrong], "the signature does not hold"
        return "valid", wrong, "; ".join(self._reach())

    def _reach(self) -> Iterator[str]:
        """What each key signed; another person's key is named as such."""
        for key in dict.fromkeys(head.key for head in self._known):
            heads = [head for head in self._known if head.key == key]
            first, last = min(it.first for it in heads), max(it.entries for it in heads)
            if key != self._mine:
                yield (
                    f"entries {first} to {last} signed with the key {key}, which came with the "
                    "case: ask the person who exported it for the name of the key"
                )
                continue
            yield f"signed with the key {key}, {last} entries"
            if first > 1 and len({head.key for head in self._known}) == 1:
                yield f"entries 1 to {first - 1} were written before that key signed"

    def _fault(self, head: SignedHead) -> str | None:
        """The problem with the record, given a signed head; None if there is none."""
        if head.case != self._case:
            return f"its signature is that of another case, {head.case!r}"
        if not self._keys.verify_head(head, others=self._signers):
            return "its signature was changed"
        count = len(self._entries)
        if head.entries > count:
            return f"the end is cut off: {head.entries} entries were signed, {count} are there"
        if self._entries[head.entries - 1].hash != head.hash:
            return f"it was rewritten: entry {head.entries} is not the one that was signed"
        return None


def _other_key(head: SignedHead, keys: SigningKeys) -> str:
    there = f"the one here is {keys.id}" if keys.id else keys.trouble
    return (
        f"the signature of {head.entries} entries cannot be checked: it was made with the key "
        f"{head.key}, and {there}. A key that was lost or replaced, or another person's signature"
    )
