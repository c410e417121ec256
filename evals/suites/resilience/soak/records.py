"""What lies on disk after the visitors have left: every case its own, whole, and nobody else's.

Each search on record is compared with the same search made afterwards, alone, in another process.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from assistant.case.record import Case, case_folders
from assistant.case.signed.signing import SigningKeys
from assistant.conversation.steps import UserTurn
from evals.suites.resilience.soak.scene import GALLERY, SoakScene, VisitorPhoto
from evals.suites.resilience.soak.visitor import OwnCase, Visitor
from tools import toolkit
from tools.agent_tools.workspace import Workspace
from tools.media.hashing import file_sha256

CASE_FAULTS = ("damaged", "foreign questions", "lost questions", "foreign photos", "foreign hits",
               "foreign hits on the page", "shared")  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListedFace:
    """A hit as the record has it."""

    face: str
    verdict: str


def case_figures(
    scene: SoakScene, visitors: Sequence[Visitor], *, others: int | None
) -> dict[str, Any]:
    """Counts of cases, their searches and their faults, see `CASE_FAULTS`.

    `others` is the number of cases in the data folder that are not the visitors'; None if it is not
    known.
    """
    found = Counter[str](dict.fromkeys(("cases", "searches", *CASE_FAULTS), 0))
    owners, alone = Counter[str](), SearchAlone(scene)
    for visitor in visitors:
        for own in visitor.cases:
            case = _opened(scene, own)
            if case is None:
                found["lost questions"] += len(own.sure)
                continue
            owners[case.id] += 1
            found.update(case_faults(case, own, visitor.photo, alone))
        shown = _opened(scene, visitor.case)
        known = set() if shown is None else _files_found(shown)
        found["foreign hits on the page"] += bool(visitor.hits_shown() - known)
    found["shared"] = sum(count > 1 for count in owners.values())
    if others is not None:
        strange = len({it.name for it in case_folders(scene.settings.home)} - set(owners))
        found["without owner"] = abs(strange - others)
    return dict(found)


def case_faults(
    case: Case, own: OwnCase, photo: VisitorPhoto, alone: "SearchAlone"
) -> Counter[str]:  # fmt: skip
    """What is wrong with one case, and how many of its searches gave what one alone gives."""
    found = Counter({"cases": 1, "damaged": int(bool(case.verify()))})
    found.update(question_faults(case, own))
    copies = case.photos().values()
    found["foreign photos"] = sum(file_sha256(it) != photo.sha256 for it in copies)
    for entry in _searches(case):
        listed = [ListedFace(it["face_id"], it["verdict"]) for it in entry["findings"]["hits"]]
        expected = alone.hits(photo, int(entry["arguments"].get("top") or 10))
        found["searches"] += 1
        found["foreign hits"] += {it.face for it in listed} != {it.face for it in expected}
        found["searches with the verdicts of one alone"] += set(listed) == set(expected)
    return found


def _searches(case: Case) -> list[Mapping[str, Any]]:
    return [entry.body for entry in case.entries() if entry.kind == "search"]


def _files_found(case: Case) -> set[str]:
    hits = (hit for entry in _searches(case) for hit in entry["findings"]["hits"])
    return {Path(path).name for hit in hits for path in (hit["path"], *hit["other_paths"])}


def _opened(scene: SoakScene, own: OwnCase) -> Case | None:
    """The case that a browser with this token comes back to."""
    key = hashlib.sha256(f"\0{own.token}".encode()).hexdigest()
    note = scene.settings.home / "sessions" / key
    if not note.is_file():
        return None
    keys = SigningKeys(scene.settings.keys_dir)
    return Case.open(scene.settings.home, note.read_text("utf-8"), keys=keys)


def question_faults(case: Case, own: OwnCase) -> dict[str, int]:
    """Questions on record that this case's visitor did not ask, and asked ones that are missing."""
    texts = [step.text for step in case.steps() if isinstance(step, UserTurn)]
    recorded = [text.rpartition(' "')[2].rstrip('"') for text in texts if "visit-" in text]
    foreign = set(recorded) - set(own.asked)
    moved = [it for it in own.asked if it in recorded] != [it for it in recorded if it in own.asked]
    return {
        "foreign questions": len(foreign) + moved,
        "lost questions": len(set(own.sure) - set(recorded)),
    }


class SearchAlone:
    """Searches of one photo each, in this process, on the gallery that the page searched."""

    def __init__(self, scene: SoakScene) -> None:
        self._scene = scene
        self.hits = cache(self._hits)

    def _hits(self, photo: VisitorPhoto, top: int) -> list[ListedFace]:
        workspace = Workspace(self._scene.models, home=self._scene.settings.home, gallery=GALLERY)
        handle = workspace.add_photo(photo.path)
        find_person = next(it for it in toolkit(workspace) if it.name == "find_person")
        find_person.invoke({"photos": [handle], "top": top})
        searched = workspace.last_search
        return [ListedFace(it.face_id, it.verdict) for it in searched[0].hits] if searched else []
