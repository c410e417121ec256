"""Restore a case to a workspace, so that the investigation goes on where it ended."""

from dataclasses import dataclass
from pathlib import Path

from assistant.case.record import Case
from assistant.case.signed.verification import deleted_photos, is_intact
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError, ToolError
from tools.search.model_bundle import ModelBundle


@dataclass(frozen=True, slots=True)
class RestoredCase:
    """A workspace restored from a case; `notes` tell the user, in sentences, what differs."""

    workspace: Workspace
    notes: tuple[str, ...]


def restore_case(
    case: Case, instruments: ModelBundle, *, home: Path, user: str = ""
) -> RestoredCase:
    """Restore photos, gallery, decisions and the latest search to a workspace, to resume.

    The search is run again, by `user`, on the gallery as it is now; comparisons are not, and
    the hit list has no filter.
    """
    workspace = Workspace(instruments, home=home, gallery=case.gallery)
    workspace.user = user
    workspace.review.restore(case.review_entries())
    notes = _put_back_photos(case, workspace)
    note = _search_again(case, workspace)
    return RestoredCase(workspace, (*notes, *([note] if note else [])))


def _put_back_photos(case: Case, workspace: Workspace) -> list[str]:
    """Restore photos under their old handles; missing photos keep theirs too."""
    notes, deleted = [], deleted_photos(case.entries())
    for handle, copy in case.photos().items():
        if is_intact(copy):
            workspace.add_photo(copy)
            continue
        workspace.add_missing_photo(copy)
        gone = f"was deleted on {deleted[handle]}" if handle in deleted else ""
        notes.append(f"the photo {handle} {gone or 'is missing or was changed, and left out'}")
    return notes


def _search_again(case: Case, workspace: Workspace) -> str | None:
    """Repeat the latest search; returns a sentence about any difference."""
    latest = case.latest_search()
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
        lost = f"the latest search could not be run again: {error}"
        workspace.lose_search(lost)
        return lost
    hits = latest["findings"]["hits"]
    # Ranks too: a hit that was deleted from the record leaves a gap in them.
    before = [(hit.get("rank", at), hit["image_id"]) for at, hit in enumerate(hits, 1)]
    found = workspace.last_search[0].hits if workspace.last_search else ()
    if {hit["face_id"] for hit in hits} == {hit.face_id for hit in found}:
        # A list that grew keeps its numbers, which differ from the ranks of one long search.
        found = workspace.restore_order([hit["face_id"] for hit in hits]).hits
    same = before == [(hit.rank, hit.image_id) for hit in found]
    return None if same else "the gallery has changed since: the hits are numbered anew"
