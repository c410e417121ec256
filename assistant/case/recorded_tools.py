"""Tools whose calls leave a record: searches in the case, accesses in the logs."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from assistant.case.instruments import describe_instruments
from assistant.case.record import Case
from assistant.conversation.steps import ToolCall, ToolResult
from tools import toolkit
from tools.agent_tools.workspace import Workspace
from tools.gallery.access_log import AccessKind, record_access
from tools.gallery.database_file import gallery_folder
from tools.search.results import Findings

Turn = Callable[[], AbstractContextManager[None]]

TOOL_ACCESS: Mapping[str, AccessKind] = {
    "find_person": "search", "more_hits": "search", "list_hits": "list", "gallery_summary": "list",
    "describe_image": "look", "score_fake": "check", "locate_artifacts": "check",
    "compare_faces": "compare", "mark_hit": "decision", "note_hit": "note", "undo": "undo",
    "reviewed": "list", "file_facts": "look",
}  # fmt: skip
"""What the access log says of a tool's call. The exporter logs itself; a term or a text of the
project is nobody's data."""


class RecordedTools:
    """The tools of a workspace by name; decisions and searches are recorded in the case.

    Steps are the caller's to record: a turn decides when they are shown. Each call is run inside
    `turn()`, for a server whose models run one computation at a time.
    """

    def __init__(self, workspace: Workspace, case: Case, *, turn: Turn = nullcontext) -> None:
        self.tools = {tool.name: tool for tool in toolkit(workspace)}
        self._turn = turn
        self._workspace, self._case = workspace, case
        workspace.review.on_decision = case.record_decision

    def invoke(self, call: ToolCall) -> tuple[ToolResult, Any]:
        """Run a validated call: the result to record, and the typed result. Raises ToolError."""
        began = time.perf_counter()
        request = {"type": "tool_call", "id": call.id, "name": call.name}
        with self._turn():
            answer = self.tools[call.name].invoke({**request, "args": dict(call.arguments)})
        found = isinstance(answer.artifact, Findings)
        if found:
            # Further hits are recorded as the search that finds them: it can be run again.
            searching = call.name == "find_person"
            asked = call.arguments if searching else self._workspace.search_arguments
            self._case.record_search(
                asked, answer.artifact.to_json(), chosen=self._workspace.chosen_faces,
                made_with=describe_instruments(self._workspace.instruments),
            )  # fmt: skip
        if call.name in TOOL_ACCESS:
            self._log_access(call, searched=found)
        duration_s = time.perf_counter() - began
        result = ToolResult(
            call.id, call.name, answer.content, True, duration_s, _count(answer.artifact)
        )
        return result, answer.artifact

    def _log_access(self, call: ToolCall, *, searched: bool) -> None:
        """Log a tool call in the case, and in the gallery if it read a hit."""
        workspace = self._workspace
        what = TOOL_ACCESS[call.name]
        record_access(self._case.folder, what, who=workspace.user)
        # The search has logged itself in the gallery.
        if not searched and any(handle.startswith("H") for handle in call.handles):
            place = gallery_folder(workspace.home, workspace.gallery)
            record_access(place, what, who=workspace.user)


def _count(artifact: object) -> int | None:
    """The number of items in a tool's artifact, if it has one."""
    found = getattr(artifact, "hits", getattr(artifact, "evidence", artifact))
    return len(found) if isinstance(found, tuple) else None
