"""The cases that users investigate through the API or MCP: each user's own, by id.

An investigation is a case with its workspace. Some stay in memory; an older one is restored from
its record, which repeats its search. Works without a chat model.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assistant.case.catalogue import CaseSummary, list_cases
from assistant.case.record import Case, names_of
from assistant.case.recorded_tools import RecordedTools
from assistant.conversation.steps import Failed, Stopped, ToolCall, ToolResult
from assistant.report.case_export import attach_exporter
from assistant.server.work.lane import Cancelled, check
from assistant.server.work.ledger import Ledger
from tools.agent_tools.arguments import check_arguments
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError, ToolError
from tools.search.model_bundle import ModelBundle

KIND = "case"
_KEPT = 32


class Investigation:
    """One case with its workspace; calls of its tools are recorded.

    `notes` are sentences about a restored case. Only one thread may use it at a time.
    """

    def __init__(self, case: Case, workspace: Workspace, notes: Sequence[str] = ()) -> None:
        self.case, self.workspace, self.notes = case, workspace, tuple(notes)
        self._recorded = RecordedTools(workspace, case)
        attach_exporter(workspace, case)

    def add_photos(self, text: str, photos: Sequence[Path]) -> list[str]:
        """Record a turn with private copies of photos; returns their handles.

        If one photo is broken, nothing is recorded: UnreadableImage, which names it.
        """
        copies = self.case.keep_photos(photos)
        handles = {self.workspace.add_photo(copy): copy for copy in copies}
        self.case.begin_turn(
            text, handles, gallery=self.workspace.gallery,
            names=names_of(photos, copies, handles),
        )  # fmt: skip
        return list(handles)

    def call(
        self, name: str, arguments: Mapping[str, Any], *, stop: threading.Event
    ) -> tuple[str | list[Any], Any]:
        """Run a tool and record the call: its content for a model, and the typed result.

        Raises ToolError, which is recorded too, and Cancelled.
        """
        checked = check_arguments(self._recorded.tools, name, arguments)
        call = ToolCall(name, checked, f"{name}_{len(self.case.entries())}")
        self.workspace.on_progress = lambda *_: check(stop)
        self.case.append(call)
        try:
            check(stop)
            result, artifact = self._recorded.invoke(call)
        except Cancelled:
            self.case.append(Stopped(""))
            raise
        except ToolError as error:
            content = json.dumps({"error": str(error)}, ensure_ascii=False)
            self.case.append(ToolResult(call.id, call.name, content, ok=False, duration_s=0.0))
            raise
        except SetupError as error:
            self.case.append(Failed(str(error)))
            raise
        finally:
            self.workspace.on_progress = None
        self.case.append(result)
        return result.content, artifact


class Investigations:
    """The investigations of all users; an id that is not the user's does not exist for them."""

    def __init__(self, models: ModelBundle, ledger: Ledger, home: Path) -> None:
        self._models, self._ledger, self._home = models, ledger, home
        self._open: OrderedDict[str, Investigation] = OrderedDict()
        self._turn = threading.RLock()

    def begin(self, user: str, gallery: str) -> Investigation:
        """Begin a case on a gallery, which need not exist yet. Raises SetupError."""
        workspace = Workspace(self._models, home=self._home, gallery=gallery)
        made = Investigation(Case.create(self._home, gallery=gallery), workspace)
        self._ledger.own(KIND, made.case.id, user)
        return self._keep(made, user)

    def in_memory(self, user: str, id: str) -> Investigation | None:
        """A user's investigation if it need not be restored. Raises UnknownInvestigation."""
        if not self._ledger.owns(KIND, id, user):
            raise UnknownInvestigation(id)
        with self._turn:
            found = self._open.get(id)
        if found is not None:
            found.case.require_unlocked()
        return found if found is not None and found.case.folder.is_dir() else None

    def find(self, user: str, id: str) -> Investigation:
        """A user's investigation; restored, with its search, if necessary.

        Raises UnknownInvestigation for any that is not theirs.
        """
        return self._keep(self.in_memory(user, id) or self._restored(id), user)

    def of(self, user: str) -> list[CaseSummary]:
        """A user's cases, newest first; those that were deleted since are left out."""
        there = {it.id: it for it in list_cases(self._home)}
        return [there[id] for id in self._ledger.owned(KIND, user) if id in there]

    def case(self, user: str, id: str) -> Case:
        """A user's case without its workspace. Raises UnknownInvestigation, or SetupError."""
        if not self._ledger.owns(KIND, id, user):
            raise UnknownInvestigation(id)
        return self._recorded(id)

    def _recorded(self, id: str) -> Case:
        try:
            case = Case.find(self._home, id)
        except SetupError as error:
            raise UnknownInvestigation(id) from error
        case.require_unlocked()
        return case

    def _restored(self, id: str) -> Investigation:
        case = self._recorded(id)
        restored = case.restore(self._models, home=self._home)
        return Investigation(case, restored.workspace, restored.notes)

    def _keep(self, found: Investigation, user: str) -> Investigation:
        found.workspace.user = user
        with self._turn:
            self._open[found.case.id] = found
            self._open.move_to_end(found.case.id)
            while len(self._open) > _KEPT:
                self._open.popitem(last=False)
        return found


class UnknownInvestigation(ToolError):
    """An id that is nobody's, or another user's: the answer is the same."""

    def __init__(self, id: str) -> None:
        super().__init__("there is no such investigation; list yours, or begin one")
        self.id = id
