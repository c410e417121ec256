"""The agent: one conversation about a person's pictures, turn by turn.

A turn goes to the application, if a button or the user's words determine its calls; to the request
reader, if there is one; else to the model, and to a stand-in if that fails. Every step is recorded
in the case before it is shown. Works with any langchain chat model; the results of tools (verdicts,
scores, order) never pass through it.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

from langchain_core.language_models.chat_models import BaseChatModel

from assistant.agent.citing_model import CitingModel
from assistant.agent.directed_turns import (
    PendingQuestion,
    PlannedTurn,
    TurnPlanner,
    model_error_sentence,
)
from assistant.agent.model_loop import ModelLoop
from assistant.agent.model_stream import TextDelta, TurnCancelled, Waiting
from assistant.agent.open_questions import OpenQuestions
from assistant.agent.planned_answers import PlannedAnswers
from assistant.agent.reader_turns import ReaderTurns
from assistant.agent.requests.reader import ReadsRequests
from assistant.agent.turn_calls import Event, TurnCalls
from assistant.case.record import Case, names_of
from assistant.case.recorded_tools import RecordedTools, Turn
from assistant.case.restoring import restore_case
from assistant.conversation.messages import CONTEXT_BUDGET_CHARS
from assistant.conversation.steps import Explanation, Failed, ModelText, Stopped, UserTurn
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError, ToolError
from tools.search.model_bundle import ModelBundle

MAX_STEPS = 6
"""Maximum number of model calls in one turn; the last one offers no tools."""


StandIn = Callable[[], ReadsRequests | None]
"""Loads the reader that takes over a turn when the model fails; None if there is none."""


def no_stand_in() -> None:
    """Nobody takes over."""


class Agent:
    """One conversation: a model, a workspace with photos and hits, and the case that records it.

    The model is offered the tools that its checkpoint knows (`known_tools`; without it, all of
    them); buttons may call any. With a `reader`, requests are understood by it, and the
    application plans the calls and words the results; `model` still explains hits. Without one,
    `stand_in` gives the reader of a turn that the model could not begin. Serves one turn at a time.
    `tools`, by name, run in the thread that iterates `ask`, inside `turn()`; `stop` may be called
    from any thread. `notes` are sentences for the user about a resumed case.
    """

    def __init__(
        self,
        model: BaseChatModel,
        workspace: Workspace,
        case: Case,
        *,
        max_steps: int = MAX_STEPS,
        budget: int = CONTEXT_BUDGET_CHARS,
        notes: Sequence[str] = (),
        reader: ReadsRequests | None = None,
        stand_in: StandIn = no_stand_in,
        turn: Turn = contextlib.nullcontext,
    ) -> None:
        self.workspace = workspace
        self.case = case
        self.notes = notes
        recorded = RecordedTools(workspace, case, turn=turn)
        self.tools = recorded.tools
        self._stopping = threading.Event()
        self._questions = OpenQuestions(workspace)
        self._questions.restore(case.steps())
        calls = TurnCalls(
            workspace, case, recorded, questions=self._questions, stopping=self._stopping
        )
        self._calls = calls
        self._model = CitingModel(model, workspace, stopping=self._stopping)
        self._answers = PlannedAnswers(self._model, calls, budget)
        known = getattr(model, "known_tools", None)
        offered = {name: it for name, it in self.tools.items() if known is None or name in known}
        self._loop = ModelLoop(self._model, calls, offered, max_steps=max_steps, budget=budget)
        self._reader = ReaderTurns(reader, calls, self._answers) if reader else None
        self._stand_in = stand_in

    @classmethod
    def begin(
        cls,
        model: BaseChatModel,
        models: ModelBundle,
        *,
        home: Path,
        gallery: str,
        reader: ReadsRequests | None = None,
        stand_in: StandIn = no_stand_in,
        turn: Turn = contextlib.nullcontext,
    ) -> Self:
        """Start a new case on a gallery."""
        workspace = Workspace(models, home=home, gallery=gallery)
        case = Case.create(home, gallery=gallery)
        return cls(model, workspace, case, reader=reader, stand_in=stand_in, turn=turn)

    @classmethod
    def resume(
        cls,
        model: BaseChatModel,
        models: ModelBundle,
        case: Case,
        *,
        home: Path,
        user: str = "",
        reader: ReadsRequests | None = None,
        stand_in: StandIn = no_stand_in,
        turn: Turn = contextlib.nullcontext,
    ) -> Self:
        """Resume a recorded case for a login, whose name the access logs get."""
        with turn():
            restored = restore_case(case, models, home=home, user=user)
        return cls(
            model, restored.workspace, case, notes=restored.notes, reader=reader,
            stand_in=stand_in, turn=turn,
        )  # fmt: skip

    @property
    def pending_question(self) -> PendingQuestion | None:
        """The question that the application put to the user, if it waits for an answer."""
        return self._questions.pending

    def point_at(self, hit: str) -> None:
        """The user has opened a hit on the screen: in the next turn, "this one" is that hit."""
        self._calls.opened = hit

    def ask(
        self, text: str, photos: Sequence[Path] = (), *, plan: TurnPlanner | None = None
    ) -> Iterator[Event]:
        """Run one turn on the user's text and the attached photos.

        `plan` gives the tool calls of a pressed button, which no model chooses. If the application
        then needs an answer from the user, `pending_question` holds the question. Yields tokens as
        they stream, `Waiting` while a chat server is silent, and steps as they are recorded; the
        last step is the checked answer, `Stopped` or `Failed`. Closing the iterator stops at that
        token. Raises UnreadableImage before anything is recorded; a bug or SetupError after
        `Failed`.
        """
        self._stopping.clear()
        spoken: list[str] = []
        asked = self._begun(text, photos)
        try:
            yield asked
            for event in self._answered(asked, plan):
                if not isinstance(event, Waiting):
                    spoken = [*spoken, event.text] if isinstance(event, TextDelta) else []
                yield event
        except TurnCancelled:
            yield self._calls.record(Stopped("".join(spoken)))
        except (GeneratorExit, KeyboardInterrupt):
            self._calls.record(Stopped("".join(spoken)))
            raise
        except Exception as error:
            yield self._calls.record(Failed(_in_words(error)))
            raise
        finally:
            self._calls.opened = ""

    def stop(self) -> None:
        """End the turn at the next token, or when the running tool returns."""
        self._stopping.set()

    def refuse_if_stopped(self) -> None:
        """Raise TurnCancelled in a turn that was stopped: for a tool, between two pictures."""
        self._calls.refuse_if_stopped()

    def explain(self, handles: Sequence[str]) -> Iterator[Explanation]:
        """Explain the verdicts of hits in checked model text; ToolError for an unknown hit."""
        self._stopping.clear()
        score_fake = self.tools["score_fake"]
        explained = self._model.explain(
            handles, evidence=lambda hit: str(score_fake.invoke({"image": hit}))
        )
        with contextlib.suppress(TurnCancelled):
            for explanation in explained:
                if self._stopping.is_set():
                    return
                self._calls.record_text(explanation)
                yield explanation

    def _begun(self, text: str, photos: Sequence[Path]) -> UserTurn:
        """Record the turn with private copies of its photos, and add them to the workspace.

        If one photo is broken, nothing is recorded.
        """
        copies = self.case.keep_photos(photos)
        self.workspace.review.begin_message()
        handles = {self.workspace.add_photo(copy): copy for copy in copies}
        return self.case.begin_turn(
            text, handles, gallery=self.workspace.gallery,
            names=names_of(photos, copies, handles),
        )  # fmt: skip

    def _answered(self, asked: UserTurn, plan: TurnPlanner | None) -> Iterator[Event]:
        """The answer by whoever the turn is for."""
        planned = self._planned(asked, plan)
        if planned is not None:
            return self._answers.turn(planned)
        return self._reader.turn(asked) if self._reader else self._by_model(asked)

    def _by_model(self, asked: UserTurn) -> Iterator[Event]:
        """The model's turn; if it fails before its first step, that of the stand-in."""
        begun = len(self.case.steps())
        try:
            yield from self._loop.turn()
        except SetupError as error:
            reader = self._stand_in() if len(self.case.steps()) == begun else None
            if reader is None:
                raise
            yield self._calls.record_text(ModelText((model_error_sentence(error),), None, 0.0))
            yield from ReaderTurns(reader, self._calls, self._answers).turn(asked)

    def _planned(self, asked: UserTurn, plan: TurnPlanner | None) -> PlannedTurn | None:
        if plan is None:
            return self._questions.determine(asked)
        self._questions.pending = None
        return plan(asked.photos)


def _in_words(error: Exception) -> str:
    """The error that ended a turn: advice if the user can fix it, else details for a developer."""
    known = isinstance(error, (ToolError, SetupError))
    return str(error) if known else f"{type(error).__name__}: {error}"
