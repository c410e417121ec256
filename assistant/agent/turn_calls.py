"""The calls of a turn: executed, and recorded in the case with what came of them."""

import json
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence

from assistant.agent.model_stream import Passing, TurnCancelled
from assistant.agent.open_questions import OpenQuestions
from assistant.case.record import Case
from assistant.case.recorded_tools import RecordedTools
from assistant.conversation.steps import (
    CheckedSentence,
    Explanation,
    ModelText,
    Step,
    ToolCall,
    ToolResult,
    latest_turn,
)
from assistant.grounding.checker import FactContext
from tools.agent_tools.workspace import Workspace
from tools.errors import ToolError
from tools.search.query import SeveralFaces

Event = Passing | Step
"""What a turn yields: what passes on the screen, and recorded steps."""

AnsweredCall = tuple[ToolCall, ToolResult]


class TurnCalls:
    """Executes tool calls on a workspace, and records the steps of a turn in its case.

    A tool that fails as expected gives a result that says so; a photo with several faces also
    leaves a question in `questions`. Once `stopping` is set, the next call raises TurnCancelled.
    `opened` is the hit that the user has opened on the screen since the latest turn: "this one".
    """

    def __init__(
        self,
        workspace: Workspace,
        case: Case,
        recorded: RecordedTools,
        *,
        questions: OpenQuestions,
        stopping: threading.Event,
    ) -> None:
        self.workspace = workspace
        self.case = case
        self.questions = questions
        self.opened = ""
        self._recorded = recorded
        self._stopping = stopping

    # -- the record --------------------------------------------------------------------------

    def record(self, step: Step) -> Step:
        """Record a step; returns it, to be shown."""
        self.case.append(step)
        return step

    def record_text(self, text: ModelText | Explanation) -> Step:
        """Record a checked text and the facts that it cites.

        The facts are recorded with their current values: the next search renumbers the hits.
        """
        self.case.append(text)
        self._record_facts(text.sentences)
        return text

    def _record_facts(self, sentences: Sequence[CheckedSentence]) -> None:
        context = FactContext.of(self.workspace)
        ids = dict.fromkeys(id_ for sentence in sentences for id_ in sentence.cites)
        facts = (context.fact(id_) for id_ in ids)
        known = tuple(fact for fact in facts if fact is not None)
        if known:
            self.case.record_facts(known)

    def of_latest_turn(self) -> tuple[list[ToolCall], list[ToolResult]]:
        """The calls and the results that the case holds since the user's latest message."""
        turn = latest_turn(self.case.steps())
        calls = [step for step in turn if isinstance(step, ToolCall)]
        return calls, [step for step in turn if isinstance(step, ToolResult)]

    # -- calls -------------------------------------------------------------------------------

    def one_by_one(self, calls: Iterable[ToolCall]) -> Generator[Step, None, list[AnsweredCall]]:
        """Execute and record calls, each with its result; returns the pairs."""
        answered: list[AnsweredCall] = []
        for call in calls:
            self.refuse_if_stopped()
            yield self.record(call)
            result = self._result(call)
            yield self.record(result)
            answered.append((call, result))
        return answered

    def all_at_once(self, calls: Sequence[tuple[ToolCall, ToolError | None]]) -> Iterator[Step]:
        """Record all calls of one message, then their results; a call's error is its result."""
        for call, _ in calls:
            yield self.record(call)
        for call, wrong in calls:
            self.refuse_if_stopped()
            yield self.record(self._result(call, wrong))

    def refuse_if_stopped(self) -> None:
        """Raise TurnCancelled if the turn was stopped."""
        if self._stopping.is_set():
            raise TurnCancelled

    def _result(self, call: ToolCall, wrong: ToolError | None = None) -> ToolResult:
        began = time.perf_counter()
        try:
            if wrong is not None:
                raise wrong
            return self._recorded.invoke(call)[0]
        except ToolError as error:
            if isinstance(error, SeveralFaces):
                self.questions.ask_which_face(error, call)
            content = json.dumps({"error": str(error)}, ensure_ascii=False)
            return ToolResult(call.id, call.name, content, False, time.perf_counter() - began)
