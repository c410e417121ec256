"""The cases that users investigate through the API or MCP: those that each may see, by id.

An investigation is a case with its workspace. Some stay in memory; an older one is restored from
its record, which repeats its search. Works without a chat model.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assistant.case.catalogue import CaseSummary
from assistant.case.record import Case, names_of
from assistant.case.recorded_tools import RecordedTools
from assistant.case.restoring import restore_case
from assistant.conversation.steps import DIRECT_CALL, Failed, Stopped, ToolCall, ToolResult
from assistant.report.case_export import attach_exporter
from assistant.server.access.roles import Identity
from assistant.server.work.case_access import CaseAccess, UnknownInvestigation
from assistant.server.work.lane import Cancelled, check
from tools.agent_tools.arguments import check_arguments
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError, ToolError
from tools.search.model_bundle import ModelBundle

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
        self, name: str, arguments: Mapping[str, Any], *, who: Identity, stop: threading.Event
    ) -> tuple[str | list[Any], Any]:
        """Run a tool in someone's name and record the call.

        Returns its content for a model, and the typed result. Raises ToolError, which is recorded
        too, and Cancelled.
        """
        self.workspace.user = who.name  # several may work in one case, one at a time
        checked = check_arguments(self._recorded.tools, name, arguments)
        call = ToolCall(name, checked, f"{DIRECT_CALL}{name}_{len(self.case.entries())}")
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
    """The investigations of all users; an id that they may not see does not exist for them."""

    def __init__(self, models: ModelBundle, access: CaseAccess, home: Path) -> None:
        self._models, self._access, self._home = models, access, home
        self._open: OrderedDict[str, Investigation] = OrderedDict()
        self._turn = threading.RLock()

    def begin(self, who: Identity, gallery: str) -> Investigation:
        """Begin a case on a gallery, which need not exist yet. Raises SetupError."""
        workspace = Workspace(self._models, home=self._home, gallery=gallery)
        made = Investigation(Case.create(self._home, gallery=gallery), workspace)
        self._access.own(who, made.case.id)
        return self._keep(made)

    def in_memory(self, who: Identity, id: str) -> Investigation | None:
        """An investigation if it need not be restored. Raises UnknownInvestigation."""
        self._access.require(who, id)
        with self._turn:
            found = self._open.get(id)
        if found is not None:
            found.case.require_unlocked()
        return found if found is not None and found.case.folder.is_dir() else None

    def find(self, who: Identity, id: str) -> Investigation:
        """An investigation; restored, with its search, if necessary.

        Raises UnknownInvestigation for any that they may not see.
        """
        return self._keep(self.in_memory(who, id) or self._restored(who, id))

    def of(self, who: Identity) -> list[CaseSummary]:
        """The cases that a user may see, newest first."""
        return self._access.visible(who)

    def case(self, who: Identity, id: str) -> Case:
        """A case without its workspace. Raises UnknownInvestigation, or SetupError."""
        self._access.require(who, id)
        return self._recorded(id)

    def _recorded(self, id: str) -> Case:
        try:
            case = Case.find(self._home, id)
        except SetupError as error:
            raise UnknownInvestigation(id) from error
        case.require_unlocked()
        return case

    def _restored(self, who: Identity, id: str) -> Investigation:
        case = self._recorded(id)
        restored = restore_case(case, self._models, home=self._home, user=who.name)
        return Investigation(case, restored.workspace, restored.notes)

    def _keep(self, found: Investigation) -> Investigation:
        with self._turn:
            self._open[found.case.id] = found
            self._open.move_to_end(found.case.id)
            while len(self._open) > _KEPT:
                self._open.popitem(last=False)
        return found
